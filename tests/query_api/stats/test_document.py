"""What a stats query may say, and that whatever is wrong is named with its place."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from query_api.errors import ApiError
from query_api.stats.date_ranges import NAMED
from query_api.stats.document import DEEPEST_FILTER, MOST_FILTERS, MOST_VALUES, Comparison, comparisons, parse
from query_api.stats.json_schema import json_schema
from query_api.stats.vocabulary import EVENT_DIMENSIONS, METRICS, PROPERTY_NAMES, TIME_DIMENSIONS, VISIT_DIMENSIONS

MOST_ROWS = 1_000
VALIDATOR = jsonschema_rs.Draft202012Validator(json_schema(MOST_ROWS))
FREE_METRICS = sorted(name for name, metric in METRICS.items() if not metric.needs)
FILTERABLE = [*EVENT_DIMENSIONS, *VISIT_DIMENSIONS, "event:props:plan"]

texts = st.text(max_size=8)
compared = st.one_of(
    st.tuples(
        st.sampled_from(["is", "is_not"]),
        st.sampled_from(FILTERABLE),
        st.lists(st.none() | texts, min_size=1, max_size=3),
    ).map(list),
    st.tuples(
        st.sampled_from(["contains", "contains_not"]),
        st.sampled_from(FILTERABLE),
        st.lists(texts, min_size=1, max_size=3),
        st.fixed_dictionaries({}, optional={"case_sensitive": st.booleans()}),
    ).map(list),
)
filters = st.recursive(
    compared,
    lambda within: (
        st.tuples(st.sampled_from(["and", "or"]), st.lists(within, min_size=1, max_size=3)).map(list)
        | st.tuples(st.just("not"), within).map(list)
    ),
    max_leaves=5,
)
documents = st.fixed_dictionaries(
    {
        "site_id": texts,
        "metrics": st.lists(st.sampled_from(FREE_METRICS), min_size=1, unique=True),
        "date_range": st.sampled_from(NAMED)
        | st.just(["2026-11-01", "2026-11-24"])
        | st.just(["2026-11-01T00:00:00Z", "2026-11-24T12:00:00+01:00"]),
    },
    optional={
        "dimensions": st.lists(
            st.sampled_from([*FILTERABLE, *TIME_DIMENSIONS, PROPERTY_NAMES]), unique=True, max_size=4
        ),
        "filters": st.lists(filters, max_size=3),
        "include": st.fixed_dictionaries({}, optional={"total_rows": st.booleans()}),
        "pagination": st.fixed_dictionaries(
            {}, optional={"limit": st.integers(1, MOST_ROWS), "offset": st.integers(0, 10**6)}
        ),
    },
)
junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    texts,
    st.just([]),
    st.just({}),
    st.just(["is", "event:page", ["/"]]),
    st.just("event:page"),
    st.just("x" * 3_000),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each (container, key) of a document."""
    if isinstance(value, dict):
        return [(value, key) for key in value] + [place for each in value.values() for place in places(each)]
    if isinstance(value, list):
        return [(value, index) for index in range(len(value))] + [place for each in value for place in places(each)]
    return []


def refused(document: object) -> ApiError:
    with pytest.raises(ApiError) as raised:
        parse(document, MOST_ROWS)
    assert raised.value.status == 400
    assert raised.value.code == "invalid_query"
    return raised.value


@given(documents)
def test_a_right_document_is_right_for_parser_and_schema(document: dict[str, Any]) -> None:
    VALIDATOR.validate(document)
    query = parse(document, MOST_ROWS)
    assert list(query.metrics) == document["metrics"]
    assert list(query.dimensions) == document.get("dimensions", [])


@given(documents, st.data())
def test_what_the_schema_refuses_the_parser_refuses_too(document: dict[str, Any], data: st.DataObject) -> None:
    document = copy.deepcopy(document)
    container, key = data.draw(st.sampled_from(places(document)))
    container[key] = data.draw(junk)
    if VALIDATOR.is_valid(document):
        return
    assert refused(document).message


@given(st.recursive(junk, lambda within: st.lists(within) | st.dictionaries(texts, within), max_leaves=8))
def test_no_document_at_all_is_an_answer_too(document: object) -> None:
    refused(document)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"metrics": ["visitors", "visitor"]}, "metrics[1]"),
        ({"metrics": []}, "metrics"),
        ({"metrics": ["conversion_rate"]}, "metrics[0]"),
        ({"metrics": ["time_on_page"], "dimensions": ["visit:source"]}, "metrics[0]"),
        ({"date_range": "8d"}, "date_range"),
        ({"date_range": ["2026-11-24", "2026-11-01"]}, "date_range"),
        ({"date_range": ["2026-11-24", "2026-11-24T10:00:00Z"]}, "date_range"),
        ({"date_range": ["2026-11-24T10:00:00", "2026-11-24T11:00:00Z"]}, "date_range[0]"),
        ({"date_range": ["2026-02-30", "2026-11-24"]}, "date_range[0]"),
        ({"dimensions": ["visit:page"]}, "dimensions[0]"),
        ({"dimensions": ["event:page", "event:page"]}, "dimensions[1]"),
        ({"dimensions": ["event:props:"]}, "dimensions[0]"),
        ({"filters": [["matches", "event:page", ["(a+)+$"]]]}, "filters[0][0]"),
        ({"filters": [["is", "time:day", ["2026-11-24"]]]}, "filters[0][1]"),
        ({"filters": [["is", "event:page", "/"]]}, "filters[0][2]"),
        ({"filters": [["contains", "event:page", [None]]]}, "filters[0][2][0]"),
        ({"filters": [["and", [["is", "event:page", ["/"]], ["is", "visit:device", [7]]]]]}, "filters[0][1][1][2][0]"),
        ({"filters": [["not", [["is", "event:page", ["/"]]]]]}, "filters[0][1][0]"),
        ({"filters": [["is", "event:page", ["/"], {"case": True}]]}, "filters[0][3].case"),
        ({"order_by": [["events", "desc"]]}, "order_by[0][0]"),
        ({"order_by": [["visitors", "down"]]}, "order_by[0]"),
        ({"include": {"imports": True}}, "include.imports"),
        ({"include": {"time_labels": True}}, "include.time_labels"),
        ({"pagination": {"limit": MOST_ROWS + 1}}, "pagination.limit"),
        ({"pagination": {"limit": True}}, "pagination.limit"),
        ({"sites": "a"}, "sites"),
    ],
)
def test_a_wrong_document_names_the_place(change: dict[str, Any], place: str) -> None:
    error = refused({"site_id": "example.com", "metrics": ["visitors"], "date_range": "7d", **change})
    assert error.field == place
    assert error.message.startswith(f"{place}: ")


def test_the_examples_of_the_documentation_are_right() -> None:
    text = (Path(__file__).parents[3] / "docs" / "http_api.md").read_text(encoding="utf-8")
    of_statistics = text.partition("### Statistics")[2].partition("### Realtime")[0]
    examples = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", of_statistics, re.DOTALL)]
    examples += [json.loads(body) for body in re.findall(r"-d '(.*?)'", of_statistics, re.DOTALL)]
    assert len(examples) == 4
    for example in examples:
        VALIDATOR.validate(example)
        parse(example, MOST_ROWS)


def test_filters_are_bounded_in_depth_and_number() -> None:
    def with_filters(*filters: object) -> dict[str, Any]:
        return {"site_id": "example.com", "metrics": ["visitors"], "date_range": "7d", "filters": list(filters)}

    one = ["is", "event:page", ["/"]]
    deep: list[Any] = one
    for _ in range(DEEPEST_FILTER - 1):
        deep = ["not", deep]
    assert comparisons(parse(with_filters(deep), MOST_ROWS).filters) == [Comparison("is", "event:page", ("/",))]
    assert refused(with_filters(["not", deep])).message.endswith(f"filters stand at most {DEEPEST_FILTER} deep.")
    many = ["or", [one] * (MOST_FILTERS // 2 + 1)]
    assert refused(with_filters(many, many)).field == "filters"
    assert refused(with_filters(["is", "event:page", ["/"] * (MOST_VALUES + 1)])).field == "filters[0][2]"
