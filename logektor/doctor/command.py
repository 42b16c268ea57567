"""The command `logektor doctor`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lake.removals import REMOVALS
from lake.replays import REPLAYS
from logektor.doctor.checks import Finding, Level, examine
from logektor.sentences import Home, sentences, settings_in_use

doctor_app = typer.Typer()

_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


@doctor_app.command()
def doctor(
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Check a deployment from here, with the settings in use; say what to do. The exit code tells of problems."""
    from logektor.doctor.look import look
    from logektor.running import is_running, read_running
    from pipelines.reports.all_tables import all_tables

    with sentences():
        settings = settings_in_use(home)
        running = read_running(settings.home) if is_running(settings.home) else None
        if running is not None:
            settings = settings.model_copy(update={"kafka_bootstrap_servers": running.kafka})
        embedded = (settings.home / "kafka" / "server.properties").exists()
        one_machine = embedded and (running is not None or settings.kafka_bootstrap_servers is None)
        findings = list(examine(look(settings, one_machine, [REMOVALS, REPLAYS, *all_tables().values()])))
        if as_json:
            typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
        else:
            Console(highlight=False).print(findings_table(findings))
        raise typer.Exit(1 if any(finding.level is Level.PROBLEM for finding in findings) else 0)


def findings_table(findings: Sequence[Finding]) -> Table:
    """One row per check, and what to do under it."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        colour = _COLOURS[finding.level]
        fix = f"\n[bold]→ {escape(finding.fix)}[/]" if finding.fix else ""
        table.add_row(f"[{colour}]{finding.level}[/]", finding.check, escape(finding.said) + fix)
    return table
