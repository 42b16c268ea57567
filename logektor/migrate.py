"""`logektor migrate`: brings the tables that an older version made up to this one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from lake.errors import LakeError, TableNewer
from lake.location import Lake
from lake.migration import Outdated, find_outdated
from lake.migration import migrate as migrate_tables
from lake.removals import REMOVALS
from lake.replays import REPLAYS
from lake.schema_version import SCHEMA_VERSION
from lake.table_spec import TableSpec
from logektor.sentences import Home, sentences, settings_in_use

migrate_app = typer.Typer()


@migrate_app.command()
def migrate(
    home: Home = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 where there is something.")
    ] = False,
) -> None:
    """Bring tables of an older version up to this one. Safe beside what runs; may be repeated."""
    with sentences():
        lake, console = Lake(settings_in_use(home).lake), Console(highlight=False)
        with _progress(console) as tell:
            if check:
                outdated = find_outdated(lake, _specs(), tell)
                for each in outdated:
                    console.print(f"[yellow]older[/] {_described(each)}", soft_wrap=True)
            else:
                outdated = migrate_lake(lake, console, tell)
        if not outdated:
            console.print(f"All tables of {escape(lake.uri)} are of this version.", soft_wrap=True)
        elif check:
            console.print("`logektor migrate` brings them up to this version.")
            raise typer.Exit(1)
        else:
            console.print(
                "Days that older code has built are made anew by the next refreshes, and served until then.",
                soft_wrap=True,
            )


def migrate_lake(lake: Lake, console: Console, tell: Callable[[int, int, str], None]) -> list[Outdated]:
    """Migrates all tables and says of each what it was. Raises LakeError."""
    done = []
    for outdated in migrate_tables(lake, _specs(), tell):
        console.print(f"[green]migrated[/] {_described(outdated)}", soft_wrap=True)
        done.append(outdated)
    return done


def migrate_before_start(lake: Lake, console: Console) -> None:
    """The same where parts are about to start: what goes wrong with a table is no reason not to take events.

    Raises TableNewer.
    """
    try:
        migrate_lake(lake, console, lambda done, total, what: None)
    except TableNewer:
        raise
    except LakeError as error:
        console.print(f"[yellow]not migrated[/]: {escape(str(error))}", soft_wrap=True)


def _specs() -> list[TableSpec]:
    # Reports of other packages are found when they are asked for.
    from pipelines.reports.all_tables import all_tables

    return [REMOVALS, REPLAYS, *all_tables().values()]


def _described(outdated: Outdated) -> str:
    version = f"{outdated.table}, schema version {outdated.version}"
    arrow = "" if outdated.version == SCHEMA_VERSION else f" → {SCHEMA_VERSION}"
    return escape(f"{version}{arrow}: {'; '.join(outdated.differences)}")


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[int, int, str], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Looking at tables", total=None)
        yield lambda done, total, what: bar.update(task, completed=done, total=total, description=f"Looking at {what}")
