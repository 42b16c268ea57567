"""`logektor dead-letters` and `logektor replay`, and what docs/dead_letters.md says of them."""

import base64
import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from logektor.__main__ import app
from tests.dead_letters.stream import Stream

PAGE = Path(__file__).parents[2] / "docs" / "dead_letters.md"

SITES_TOML = '[[site]]\ndomain = "shop.example"\nwrite_key = "pk_12345678"\nserver_key = "sk_12345678"\n'

NO_EVENT = b"\x1b[31mno event \xff" + b"x" * 200


def run(home: Path, *arguments: str, code: int = 0, width: int = 80) -> str:
    said = CliRunner().invoke(app, [*arguments, "--home", str(home)], env={"COLUMNS": str(width)})
    assert said.exit_code == code, said.output
    assert not re.search(r"\x1b", said.output)
    return said.output


@pytest.fixture
def home(stream: Stream, tmp_path: Path) -> Path:
    """A home with three dead letters of three reasons."""
    file = tmp_path / "sites.toml"
    file.write_text(SITES_TOML, encoding="utf-8")
    file.chmod(0o600)
    stream.reject(b'{"action":"view","objectId":true}')
    stream.reject(b'{"action":"view","clientIp":"203.0.113.9"}', reason="server_key_needed")
    stream.send(NO_EVENT)
    stream.land()
    return tmp_path


def test_dead_letters_are_listed_by_reason_within_80_columns(home: Path) -> None:
    said = run(home, "dead-letters")
    assert max(map(len, said.splitlines())) <= 80
    for shown in ("invalid", "server_key_needed", "undecodable", "shop.example", '{"action":"view","objectId":true}'):
        assert shown in said
    assert "as they came" in said


def test_a_single_dead_letter_is_shown_by_reason_and_cut(home: Path) -> None:
    said = run(home, "dead-letters", "--reason", "undecodable", width=200)
    assert "·[31mno event" in said
    assert "x" * 81 not in said
    assert "server_key_needed" not in said


def test_programs_are_told_everything(home: Path) -> None:
    reasons = {each["reason"]: each for each in json.loads(run(home, "dead-letters", "--json"))}
    assert {name: (each["letters"], each["replayed"]) for name, each in reasons.items()} == {
        "invalid": (1, 0),
        "server_key_needed": (1, 0),
        "undecodable": (1, 0),
    }
    (letter,) = json.loads(run(home, "dead-letters", "--json", "--reason", "invalid"))
    assert (letter["body"], letter["site"]) == ('{"action":"view","objectId":true}', "shop.example")
    (binary,) = json.loads(run(home, "dead-letters", "--json", "--reason", "undecodable"))
    assert "body" not in binary
    assert base64.b64decode(binary["body_base64"]) == NO_EVENT


def test_a_replay_that_has_nothing_to_send_asks_and_sends_nothing(home: Path) -> None:
    assert "0 of 1 dead letters are valid by now" in run(home, "replay", "--reason", "invalid")
    assert "not sent again already" in run(home, "replay", "--reason", "of no letter")


def test_a_replay_that_is_not_agreed_to_sends_nothing(home: Path, stream: Stream) -> None:
    stream.reject(b'{"action":"view"}')
    stream.land()
    assert "1 of 2" in run(home, "replay", "--reason", "invalid", code=1)
    told = json.loads(run(home, "replay", "--reason", "invalid", "--json"))
    assert told == {"valid": 1, "still_invalid": {"invalid": 1}, "sent": 0}


def test_a_replay_needs_a_reason(home: Path) -> None:
    run(home, "replay", code=2)


def examples() -> list[str]:
    """The commands of the page."""
    blocks = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


def test_the_page_has_examples() -> None:
    assert len(examples()) >= 4


@pytest.mark.parametrize("line", examples())
def test_every_example_of_the_page_runs(home: Path, line: str) -> None:
    uv, run_, logektor, *arguments = shlex.split(line)
    assert (uv, run_, logektor) == ("uv", "run", "logektor")
    run(home, *arguments)


def test_the_page_shows_what_is_shown(home: Path, stream: Stream) -> None:
    """Headings and words, not the numbers of somebody's day."""
    page = PAGE.read_text(encoding="utf-8")
    said = run(home, "dead-letters")
    heading, *_ = said.splitlines()
    assert " ".join(heading.split()) in " ".join(page.split())
