"""What a person sees of the stack in the terminal."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lake.audit import Audit
from logektor.running import Running
from logektor.supervisor import Child, State

_SEED_EVENT = '{"objectId":2,"objectType":"user","action":"view","subjectId":2,"subjectType":"article"}'

_COLOURS = {
    State.HEALTHY: "green",
    State.STARTING: "yellow",
    State.WAITING: "yellow",
    State.UNHEALTHY: "red",
    State.CRASHED: "red",
    State.STOPPED: "red",
}


def ready_line(name: str, seconds: float) -> str:
    """A part has become healthy."""
    return f"[green]✓[/] {name} [dim]after {seconds:.1f} s[/]"


def crash_line(child: Child, log: Path) -> str:
    """A part is not well; what it said last and where the rest is."""
    what = "stopped by itself; it is started again" if child.state is State.CRASHED else "does not answer"
    words = f": {escape(child.last_words)}" if child.state is State.CRASHED and child.last_words else ""
    return f"[red]✗[/] {child.part.name} {what}{words} [dim](log: {log})[/]"


def parts_table(running: Running) -> Table:
    """One row per part."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("part", "state", "restarts", "pid", "where"):
        table.add_column(heading, justify="right" if heading in {"restarts", "pid"} else "left")
    where = {
        "kafka": running.kafka,
        "collector": running.urls["collector"],
        "landing": running.lake,
        "query": running.urls["query"],
        "dagster-ui": running.urls["dagster"],
    }
    for part in running.parts:
        colour = _COLOURS[State(part.state)]
        table.add_row(
            part.name,
            f"[{colour}]{part.state}[/]",
            str(part.restarts) if part.restarts else "",
            str(part.pid or ""),
            escape(where.get(part.name, "")),
        )
    return table


def status_screen(running: Running, token: str, seconds: float) -> RenderableType:
    """What `up` shows when everything is healthy."""
    script = f'<script defer data-site="localhost" src="{running.urls["collector"]}/logektor.js"></script>'
    return Group(
        "",
        parts_table(running),
        "",
        f"[green]Everything is up after {seconds:.0f} s.[/] Ctrl-C stops it; what it has is kept.",
        "",
        # The token is for whoever reads this terminal: it opens the dashboard once, then a cookie does.
        whole(f"Dashboard  {running.urls['dashboard']}?token={token}"),
        whole(f"Dagster    {running.urls['dagster']}"),
        whole(f"API docs   {running.urls['collector']}/docs"),
        whole(f"Script     {script}"),
        "",
        "Send an event, and find it in report `actions` within two minutes:",
        whole(f"curl -d '{_SEED_EVENT}' {running.urls['collector']}/track"),
        "",
    )


def whole(line: str) -> Text:
    """A line to copy: never wrapped, however narrow the terminal. Print it with crop=False."""
    return Text(line, no_wrap=True, overflow="ignore", style="bold")


def audit_table(result: Audit) -> RenderableType:
    """One row per stream partition, and the verdict."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    # Of `cluster id/topic id` the half that differs from row to row, and enough of it.
    table.add_column("topic id", no_wrap=True)
    for heading in (
        "partition",
        "first",
        "next",
        "events",
        "dead letters",
        "removed",
        "missing",
        "doubled",
        "unfinished",
        "stray",
    ):
        table.add_column(heading, justify="right")
    for each in result.partitions:
        counts = (each.partition, each.first_offset, each.next_offset, each.events, each.dead_letters, each.removed)
        faults = (each.missing, each.doubled, each.unfinished, each.stray)
        table.add_row(
            each.stream_id.partition("/")[2][:10],
            *(f"{count:,}" for count in counts),
            *(f"[red]{count:,}[/]" if count else "0" for count in faults),
        )
    landed = sum(each.events + each.dead_letters for each in result.partitions)
    removed = sum(each.removed for each in result.partitions)
    beside = f", and {removed:,} removed for a reason in the table removals" if removed else ""
    verdict = (
        f"[green]All is exact:[/] {landed:,} records, each landed once{beside}."
        if result.exact
        else "[red]Not exact:[/] records are missing, doubled, not removed to the end or stray; see the columns."
    )
    return Group(table, "", verdict)
