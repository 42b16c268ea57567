"""Docs say what the code does: settings, events, tables, routes, commands and the tests that prove the guarantees."""

import dataclasses
import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import get_args
from unittest.mock import Mock

import pytest
import typer
from fastapi.routing import APIRoute
from typer.testing import CliRunner

from ingest_api.client_endpoints import ClientEndpoints
from ingest_api.endpoints import Endpoints
from ingest_api.service import service
from logektor.__main__ import app
from query_api.app import create_app
from query_api.settings import QuerySettings
from sites import Funnel, Goal, Site, SitesError
from sites.reading import parse_sites
from sites.site import Bots, DoNotTrack

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


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_every_example_of_sites_is_one_and_together_they_show_every_key() -> None:
    shown: set[str] = set()
    for example in blocks(DOCS / "sites.md", "toml"):
        document = tomllib.loads(example)
        assert parse_sites(document, "docs/sites.md")
        for site in document["site"]:
            shown |= set(site).union(*site.get("goal", []), *site.get("funnel", []))
    keys = {
        field.metadata.get("key", field.name) for owner in (Site, Goal, Funnel) for field in dataclasses.fields(owner)
    }
    assert shown == keys


def test_the_smallest_example_has_the_defaults_that_the_page_says() -> None:
    smallest, *_ = blocks(DOCS / "sites.md", "toml")
    (site,) = parse_sites(tomllib.loads(smallest), "docs/sites.md")
    assert site == Site(site.domain, site.write_keys, site.server_keys)


def test_what_sites_are_answered_and_may_choose_is_what_the_page_says() -> None:
    text = (DOCS / "sites.md").read_text(encoding="utf-8")
    refusals = re.findall(r'\b(4\d\d), "(\w+)"', (ROOT / "ingest_api" / "admission.py").read_text(encoding="utf-8"))
    assert refusals
    assert not {code for status, code in refusals if f"{status} `{code}`" not in text}
    for table in (get_args(DoNotTrack), get_args(Bots)):
        assert re.search("".join(rf"\| `{choice}` \|.*\n" for choice in table), text)
    with pytest.raises(SitesError) as raised:
        parse_sites(
            {
                "site": [
                    {"domain": "shop.example", "write_key": "pk_12345", "server_key": "sk_12345", "time_zone": "Berlin"}
                ]
            },
            "",
        )
    assert str(raised.value) in text


def test_every_command_that_a_page_runs_is_there() -> None:
    commands = typer.main.get_command(app)
    assert isinstance(commands, typer.core.TyperGroup)
    run = set()
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for name, sub in re.findall(r"\blogektor ([a-z-]+)(?: ([a-z]+))?", "".join(blocks(page, "bash"))):
            group = commands.commands[name]
            run.add(group.commands[sub].name if isinstance(group, typer.core.TyperGroup) else name)
    assert {"up", "add", "list", "check"} <= run


@pytest.mark.parametrize("command", ["up", "status", "import", "audit", "dead-letters", "replay", "sites"])
def test_every_command_says_what_it_does(command: str) -> None:
    said = CliRunner().invoke(app, [command, "--help"])
    assert said.exit_code == 0
    assert "logektor " + command in (ROOT / "README.md").read_text(encoding="utf-8") + (DOCS / "settings.md").read_text(
        encoding="utf-8"
    )
