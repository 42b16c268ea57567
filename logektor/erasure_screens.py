"""What a person sees of an erasure in the terminal."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from event_stream.topics import EVENTS
from lake.erasure import Wanted
from pipelines.refresh.erasure import Erased, Found


def found_screen(wanted: Wanted, found: Found) -> RenderableType:
    """What would be erased."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right")
    for count, what in (
        (found.landed_events, "raw events"),
        (found.dead_letters, "dead letters"),
        (found.events, "rows of events"),
        (len(found.days), "days of events, sessions and reports that are made anew"),
    ):
        table.add_row(f"{count:,}", what)
    return Group(f"To be erased: {escape(described(wanted))}", "", table, "")


def erased_screen(erased: Erased, spool: Path, not_landed: int | None) -> RenderableType:
    """What was erased, and where it may still be."""
    lines = [
        f"[green]Erased:[/] {erased.landed_events:,} raw events and {erased.dead_letters:,} dead letters; "
        f"{len(erased.days):,} days were made anew. The table removals says which offsets, not whose.",
        f"Kafka forgets by itself, {EVENTS.retention.days} days after it took an event. What it holds was landed "
        "before, and is not landed again.",
        "Events that arrive from now on are stored as any others: stop sending them, or erase again.",
    ]
    if not_landed is None:
        lines.append(
            "[yellow]Kafka does not answer: what it holds that is not landed yet will be landed. Erase again then.[/]"
        )
    elif not_landed:
        lines.append(
            f"[yellow]{not_landed:,} records that Kafka held before are not landed yet: some may be among them. Erase "
            "again when `logektor status` shows no lag.[/]"
        )
    if any(spool.glob("*.sqlite3")):
        lines.append(
            f"[yellow]Events wait in {escape(str(spool))} until Kafka takes them: some may be among them. Erase again "
            "when no .sqlite3 file is there.[/]"
        )
    if damaged := [*spool.glob("*.damaged*")]:
        lines.append(
            f"[yellow]{len(damaged):,} damaged files in {escape(str(spool))} may hold something. Nobody reads them any "
            "more: delete them when you have taken from them what you want.[/]"
        )
    if erased.unfinished_files:
        lines.append(
            f"[yellow]{len(erased.unfinished_files):,} files that no table uses still hold something, and are younger "
            "than an hour: they may be being written. Erase again in an hour.[/]"
        )
    return Group(*lines)


def described(wanted: Wanted) -> str:
    """In words."""
    who = [f"{name} {value}" for name, value in (("visitor", wanted.visitor_id), ("user", wanted.user_id)) if value]
    where = [f"site {wanted.site}"] if wanted.site else []
    return " on ".join([*who, *where])
