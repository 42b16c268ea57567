"""`logektor erase` shows what it finds, asks, and says where something may still be."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lake.location import Lake
from lake.raw import scan_raw_events
from logektor import not_landed
from logektor.__main__ import app
from pipelines.refresh.events import take_in
from tests.refresh.landing import Landing


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(not_landed, "_KAFKA_SECONDS", 0.1)
    lake = Lake(str(tmp_path / "lake"))
    Landing(lake).land({"visitor_id": "goes"}, {"visitor_id": "goes"}, {"visitor_id": "stays"})
    take_in(lake, {})
    return tmp_path


def run(home: Path, *words: str, said: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, ["erase", "--home", str(home), *words], input=said)
    return result.exit_code, " ".join(result.output.split())


def visitors(home: Path) -> list[str]:
    return sorted(scan_raw_events(Lake(str(home / "lake"))).collect()["visitor_id"])


def test_it_shows_what_it_finds_and_erases_nothing_without_a_yes(home: Path) -> None:
    code, output = run(home, "--visitor", "goes", said="n\n")
    assert code == 1
    assert "To be erased: visitor goes" in output
    assert "2 raw events" in output
    assert "1 days of events" in output
    assert visitors(home) == ["goes", "goes", "stays"]


@pytest.mark.parametrize(("words", "said"), [(("--yes",), ""), ((), "y\n")])
def test_with_a_yes_it_erases_and_says_what_may_still_come(home: Path, words: tuple[str, ...], said: str) -> None:
    code, output = run(home, "--visitor", "goes", *words, said=said)
    assert code == 0
    assert "Erased: 2 raw events and 0 dead letters" in output
    assert "Kafka forgets by itself, 7 days after" in output
    assert "sqlite3" not in output
    assert visitors(home) == ["stays"]


def test_it_says_so_where_events_wait_in_the_spool(home: Path) -> None:
    (home / "spool").mkdir()
    (home / "spool" / "1-1-a.sqlite3").touch()
    (home / "spool" / "2-2-b.damaged").touch()
    said = run(home, "--visitor", "goes", "--yes")[1]
    assert "Erase again when no .sqlite3 file is there" in said
    assert "1 damaged files" in said


def test_it_says_so_where_kafka_may_hold_what_is_not_landed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Kafka does not answer" in run(home, "--visitor", "goes", "--yes")[1]
    monkeypatch.setattr(not_landed, "wait_until_landed", lambda *_: 1_234)
    assert "1,234 records that Kafka held before are not landed yet" in run(home, "--visitor", "goes", "--yes")[1]


def test_what_is_to_be_erased_must_be_said(home: Path) -> None:
    assert run(home, "--yes") == (
        2,
        "Say which visitor, user or site is to be erased. --visitor, --user and --site say what.",
    )
    assert run(home, "--visitor", "a", "--user", "b")[0] == 2


def test_the_examples_of_the_page_run(home: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "erasure.md").read_text(encoding="utf-8")
    examples = [
        shlex.split(line)[1:]
        for block in re.findall(r"^```bash\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
        if line.startswith("logektor ")
    ]
    assert {command for command, *_ in examples} == {"audit", "erase"}
    # Of those that ask, each is answered; the last word on the tables is the audit's.
    for command, *words in [*examples, ["audit"]]:
        result = CliRunner().invoke(app, [command, "--home", str(home), *words], input="y\n")
        assert result.exit_code == 0, result.output
