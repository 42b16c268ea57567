"""Docs say what the code does: settings, events, tables, routes, commands and the tests that prove the guarantees."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from unittest.mock import Mock

import pytest
from fastapi.routing import APIRoute
from typer.testing import CliRunner

from ingest_api.client_endpoints import ClientEndpoints
from ingest_api.endpoints import Endpoints
from ingest_api.service import service
from logektor.__main__ import app
from query_api.app import create_app
from query_api.settings import QuerySettings

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def load_docs_command() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_command", ROOT / ".ci" / "docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


docs_command = load_docs_command()


@pytest.mark.parametrize("page", docs_command.PARTS)
def test_what_follows_from_the_code_is_what_the_page_says(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert text == docs_command.rendered(page), "run `uv run python .ci/docs.py` and commit docs/"


def taking_events() -> set[tuple[str, str]]:
    """Method and path of everything that takes events."""
    own = Endpoints.paths(Mock(spec=Endpoints))
    return {*own, *ClientEndpoints.paths(Mock(spec=ClientEndpoints))}


def test_every_route_is_documented(tmp_path: Path) -> None:
    text = (DOCS / "http_api.md").read_text(encoding="utf-8")
    paths = {path for _, path in taking_events()}
    for application in (service(lambda: True, lambda: b""), create_app(QuerySettings(home=tmp_path))):
        paths |= {route.path for route in application.routes if isinstance(route, APIRoute)}
    undocumented = {path for path in paths if f"{path}`" not in text and f"{path}," not in text}
    assert not undocumented - {"/docs/oauth2-redirect"}


def test_every_test_that_a_guarantee_names_is_there() -> None:
    named = set(re.findall(r"`(tests/[^`]+)`", (DOCS / "guarantees.md").read_text(encoding="utf-8")))
    assert named
    assert not {path for path in named if not (ROOT / path).exists()}


def test_every_link_between_pages_leads_somewhere() -> None:
    links = [
        (page, target)
        for page in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    ]
    assert links
    assert not [(page.name, target) for page, target in links if not (page.parent / target).exists()]


@pytest.mark.parametrize("command", ["up", "status", "import", "audit", "sites"])
def test_every_command_says_what_it_does(command: str) -> None:
    said = CliRunner().invoke(app, [command, "--help"])
    assert said.exit_code == 0
    assert "logektor " + command in (ROOT / "README.md").read_text(encoding="utf-8") + (DOCS / "settings.md").read_text(
        encoding="utf-8"
    )
