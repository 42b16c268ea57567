"""The real collector answers what its own OpenAPI document says, whatever Schemathesis makes of that document."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import httpx
import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import BaseSchema, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi import checks

from ingest_api.service import service
from tests.conftest import RunningKafka
from tests.ingest_api.collector_process import CollectorProcess, collecting

pytestmark = pytest.mark.kafka

CHECKED = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
    checks.allow_header_conformance,
]
"""Not that each body of the document's form is accepted: it can't say that objectId needs objectType, for one."""

DOCUMENT: dict[str, Any] = service(lambda: True, bytes).openapi()
OPERATIONS = [(path, method.upper()) for path, methods in DOCUMENT["paths"].items() for method in methods]

MOST_COVERING = 40
"""Cases along the document's own bounds, for each operation, of what is right and of what is wrong."""

EXAMPLES = 15

ENCODING = "Content-Encoding"


@pytest.fixture(scope="module")
def collector(kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    with collecting(tmp_path_factory.mktemp("documented") / "home", kafka.bootstrap_servers) as collector:
        yield collector


@pytest.fixture(scope="module")
def document(collector: CollectorProcess) -> BaseSchema:
    served = httpx.get(f"{collector.url}/openapi.json").json()
    assert served == DOCUMENT
    for methods in served["paths"].values():
        for operation in methods.values():
            # Nearly no case would get past it: no body is compressed.
            operation["parameters"] = [each for each in operation.get("parameters", ()) if each["name"] != ENCODING]
    return from_dict(served)


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name.lower())
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_each_answer_is_one_that_the_document_describes(
    collector: CollectorProcess,
    document: BaseSchema,
    session: requests.Session,
    path: str,
    method: str,
    mode: GenerationMode,
) -> None:
    operation = document[path][method]

    def check(case: Case[Any]) -> None:
        case.call_and_validate(collector.url, session=session, checks=CHECKED, timeout=30)

    covering = document.iter_coverage_cases(
        operation, generation_modes=[mode], generation_config=document.config.generation_for(operation=operation)
    )
    for case in islice(covering, MOST_COVERING):
        check(case)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def check_generated(case: Case[Any]) -> None:
        check(case)

    # Of what takes no parameter nothing can be wrong.
    with suppress(Unsatisfiable):
        check_generated()
