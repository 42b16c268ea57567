"""What a person or a program sees of dead letters. What is in them came from anybody: it is shown, never obeyed."""

import base64
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lake.dead_letters import DeadLetter, ReasonSummary
from logektor.replay import Outlook

_BODY_SHOWN = 80
_WARNING = "Bodies are as they came: they may hold names, addresses or keys."


def summary_screen(summaries: Sequence[ReasonSummary]) -> RenderableType:
    """One row per reason, then the latest dead letter of each."""
    if not summaries:
        return "No dead letter."
    table = _table("reason", "letters", "replayed", "sites", "first", "last")
    table.columns[0].no_wrap = True
    table.columns[3].no_wrap = True
    table.columns[3].overflow = "ellipsis"
    for each in summaries:
        table.add_row(
            _shown(each.reason),
            f"{each.letters:,}",
            f"{each.replayed:,}",
            _shown(_some(each.sites)),
            f"{each.first_landed_at:%Y-%m-%d}",
            f"{each.last_landed_at:%Y-%m-%d}",
        )
    latest = [block for each in summaries for block in ("", _letter(each.latest))]
    return Group(table, "", "[dim]The latest of each:[/]", *latest, "", f"[dim]{_WARNING}[/]")


def letters_screen(letters: Iterable[DeadLetter]) -> RenderableType:
    """One block per dead letter."""
    blocks = [block for letter in letters for block in (_letter(letter), "")]
    return Group(*blocks, f"[dim]{_WARNING}[/]") if blocks else "No dead letter."


def outlook_screen(outlook: Outlook) -> RenderableType:
    """What is valid by now, and why the rest is not."""
    letters = outlook.valid + outlook.invalid.total()
    if not letters:
        return "No such dead letter that was not sent again already."
    valid = f"{outlook.valid:,} of {letters:,} dead letters are valid by now."
    if not outlook.invalid:
        return valid
    table = _table("still", "letters", "such as")
    for reason, count in outlook.invalid.most_common():
        table.add_row(_shown(reason), f"{count:,}", _shown(outlook.details[reason]))
    return Group(valid, "", table, "")


def as_json(items: Iterable[ReasonSummary | DeadLetter]) -> str:
    """The same for programs, whole: a body is text, or base64 where it is not UTF-8; instants are ISO 8601, UTC."""
    return json.dumps([_plain(item) for item in items], indent=2)


def outcome_json(outlook: Outlook, sent: int) -> str:
    """What a replay found and did, for programs: numbers alone, as logs of it outlive an erasure."""
    return json.dumps({"valid": outlook.valid, "still_invalid": dict(outlook.invalid.most_common()), "sent": sent})


def _plain(item: ReasonSummary | DeadLetter) -> dict[str, Any]:
    if isinstance(item, ReasonSummary):
        return {
            "reason": item.reason,
            "letters": item.letters,
            "replayed": item.replayed,
            "sites": list(item.sites),
            "first_landed_at": item.first_landed_at.isoformat(),
            "last_landed_at": item.last_landed_at.isoformat(),
            "latest": _plain(item.latest),
        }
    return {
        "stream_id": item.stream_id,
        "partition": item.partition,
        "offset": item.offset,
        "landed_at": item.landed_at.isoformat(),
        "received_at": item.received_at.isoformat() if item.received_at else None,
        "site": item.site,
        "reason": item.reason,
        "field": item.field,
        "detail": item.detail,
        "replayed": item.replayed,
        **_plain_body(item.body),
        "body_length": item.body_length,
        "body_sha256": item.body_sha256,
    }


def _plain_body(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode("ascii")}


def _letter(letter: DeadLetter) -> RenderableType:
    said = letter.body[: 4 * _BODY_SHOWN].decode(errors="replace")
    body = said[:_BODY_SHOWN] + ("…" if len(said) > _BODY_SHOWN else "")
    heading = Text.assemble(
        (_visible(letter.reason), "bold"),
        f"  {_instant(letter.landed_at)}  {_visible(letter.site or 'no site')}",
        (f"  {letter.partition}/{letter.offset}", "dim"),
        ("  replayed", "green") if letter.replayed else "",
    )
    return Group(heading, _shown(letter.detail), Text(_visible(body), style="cyan", no_wrap=True, overflow="ellipsis"))


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in {"letters", "replayed"} else "left")
    return table


def _some(sites: Sequence[str]) -> str:
    return "–" if not sites else sites[0] if len(sites) == 1 else f"{sites[0]} +{len(sites) - 1:,}"


def _instant(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S}"


def _shown(text: str) -> Text:
    return Text(_visible(text))


def _visible(text: str) -> str:
    """Without what moves a terminal's cursor or changes its colours."""
    return "".join(character if character.isprintable() else "·" for character in text)
