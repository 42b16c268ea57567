"""Commands for the tables of days: `logektor rebuild` and `logektor export`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lake.location import Lake
from logektor.sentences import Home, sentences, settings_in_use, stop
from sites import load_sites

tables_app = typer.Typer()

FirstDay = Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day, in the site's zone.")]
LastDay = Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day, inclusive.")]


@tables_app.command()
def rebuild(first_day: FirstDay, last_day: LastDay, home: Home = None) -> None:
    """Make all tables of these days anew from what was landed. Safe beside a running `up`."""
    from pipelines.refresh.rebuild import rebuild_days
    from pipelines.reports.all_reports import load_reports

    with sentences():
        settings, span = settings_in_use(home), _span(first_day, last_day)
        sites = load_sites(settings.sites_file)
        console = Console(highlight=False)
        with _progress(console, "Rebuilding") as tell:
            days = rebuild_days(Lake(settings.lake), load_reports(), *span, sites, tell)
        if not days:
            console.print("None of these days has an event: there was nothing to rebuild.")
        else:
            console.print(f"[green]Rebuilt:[/] {len(days):,} days, {days[0]} to {days[-1]}, of all tables.")


@tables_app.command()
def export(
    table: Annotated[str, typer.Argument(help="events, sessions or a report, such as pages.")],
    first_day: FirstDay,
    last_day: LastDay,
    home: Home = None,
    folder: Annotated[Path | None, typer.Option(help="Where to. Else <home>/exports.")] = None,
) -> None:
    """Write days of a table as plain Parquet files, one a day. A later `logektor erase` does not reach them."""
    from lake.export import export_days
    from pipelines.reports.all_tables import all_tables

    with sentences():
        settings, span = settings_in_use(home), _span(first_day, last_day)
        tables = all_tables()
        if table not in tables:
            stop(f"There is no table {table!r}: choose one of {', '.join(tables)}.", 2)
        console = Console(highlight=False)
        with _progress(console, f"Exporting {table}") as tell:
            target = folder or settings.home / "exports"
            files = export_days(Lake(settings.lake), tables[table], *span, target, tell)
        console.print(f"{len(files):,} files in {escape(str(target / table))}.", soft_wrap=True)


def _span(first_day: datetime, last_day: datetime) -> tuple[date, date]:
    if first_day > last_day:
        stop(f"--from {first_day:%Y-%m-%d} is after --to {last_day:%Y-%m-%d}.", 2)
    return first_day.date(), last_day.date()


@contextmanager
def _progress(console: Console, title: str) -> Iterator[Callable[[int, int, str], None]]:
    """A bar that is moved by telling how many steps are done, how many there are, and what comes."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total, what: bar.update(
            task, completed=done, total=total, description=f"{title}: {escape(what)}"
        )
