"""The command line: `logektor --help`."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lake import erasure_lock
from lake.location import Lake
from logektor.doctor.command import doctor_app
from logektor.errors import NotRunning
from logektor.migrate import migrate_app
from logektor.sentences import Home, sentences, settings_from, settings_in_use, stop
from logektor.settings import StackSettings
from logektor.table_commands import tables_app
from logektor.token_commands import tokens_app
from sites import SitesError, load_sites, register_site

if TYPE_CHECKING:
    from event_stream.kafka_cluster import KafkaCluster
    from lake.dead_letters import Selection

_LANDING_SECONDS = 10.0
"""How long an erasure waits for the worker to land what Kafka holds."""

app = typer.Typer(
    name="logektor",
    help="Collects website events without losing one, lands each exactly once, and serves reports.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
sites_app = typer.Typer(help="The sites that may send events.", no_args_is_help=True)
app.add_typer(sites_app, name="sites")
app.add_typer(tables_app)
app.add_typer(migrate_app)
app.add_typer(doctor_app)
app.add_typer(tokens_app, name="tokens")

OfSite = Annotated[str | None, typer.Option(help="Only of this site.")]
FirstDay = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Only landed on this day (UTC) or later.")
]
LastDay = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Only landed on this day (UTC) or earlier.")
]


@app.command()
def up(
    home: Annotated[Path | None, typer.Option(help="Folder of everything that is kept: LOGEKTOR_HOME, ./var.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on: LOGEKTOR_HOST, 127.0.0.1.")] = None,
    collector_port: Annotated[int | None, typer.Option(help="LOGEKTOR_COLLECTOR_PORT, 8080.")] = None,
    query_port: Annotated[int | None, typer.Option(help="LOGEKTOR_QUERY_PORT, 8000.")] = None,
    dagster_port: Annotated[int | None, typer.Option(help="LOGEKTOR_DAGSTER_PORT, 3000.")] = None,
    kafka_port: Annotated[int | None, typer.Option(help="LOGEKTOR_KAFKA_PORT, 9092.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Add synthetic visitors of the site demo.example.")] = False,
) -> None:
    """Start everything on this machine; Ctrl-C stops it."""
    # Imported here: the other commands need neither Dagster nor the parts.
    from logektor.up import up as run_stack

    with sentences():
        options = {
            "home": home,
            "host": host,
            "collector_port": collector_port,
            "query_port": query_port,
            "dagster_port": dagster_port,
            "kafka_port": kafka_port,
        }
        run_stack(settings_from(**options), demo, Console(highlight=False))


@app.command()
def status(
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show health, URLs, lag, rows and the last refresh."""
    from logektor.status import look, status_screen

    with sentences():
        settings = settings_in_use(home)
        seen = look(settings)
        if as_json:
            typer.echo(seen.as_json())
        else:
            Console(highlight=False).print(status_screen(seen, datetime.now(UTC)), crop=False)
        raise typer.Exit(0 if seen.healthy else 1)


@app.command("import")
def import_(
    log: Annotated[
        Path, typer.Argument(help="Access log, combined format, plain or .gz.", exists=True, dir_okay=False)
    ],
    site: Annotated[str, typer.Option(help="The site's domain; registered where it is new.")],
    home: Home = None,
    time_zone: Annotated[str, typer.Option(help="Where the site's days begin (of a new site).")] = "UTC",
    collector_url: Annotated[str | None, typer.Option(help="The collector, where no `up` runs here.")] = None,
) -> None:
    """Send each line of an access log as an event. Importing twice counts once."""
    from logektor.log_import import import_log

    with sentences():
        settings = settings_in_use(home)
        registered = register_site(settings.sites_file, site, time_zone)
        console = Console(highlight=False)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(f"Importing {log.name}", total=None)
            result = import_log(
                log,
                registered,
                collector_url or _running_collector(settings),
                settings.home / "import",
                lambda done, total: bar.update(task, completed=done, total=total),
            )
        for line in result.rejected:
            console.print(f"[yellow]line {line.number}[/]: {escape(line.reason)}; kept in dead_letters.")
        console.print(
            f"{result.lines:,} lines: {result.accepted:,} accepted, {result.rejected_count:,} rejected and kept, "
            f"{result.resumed:,} sent by an earlier run that was stopped, in {result.seconds:.1f} s. "
            "Reports follow within a minute."
        )


@app.command()
def audit(home: Home = None) -> None:
    """Prove from the tables that every record was landed exactly once; the exit code says."""
    from lake.audit import audit as audit_lake
    from logektor.screens import audit_table

    with sentences():
        settings = settings_in_use(home)
        result = audit_lake(Lake(settings.lake))
        Console(highlight=False).print(audit_table(result))
        raise typer.Exit(0 if result.exact else 1)


@app.command("dead-letters")
def dead_letters(
    home: Home = None,
    reason: Annotated[str | None, typer.Option(help="Only of this reason; each is shown.")] = None,
    site: OfSite = None,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    show: Annotated[bool, typer.Option("--show", help="Show each, not only how many of each reason.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="At most so many are shown, the latest.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="For programs, with whole bodies.")] = False,
) -> None:
    """Show what was refused or unreadable, and why. After a fix, `logektor replay` sends it again."""
    from lake.dead_letters import latest_letters, summarise
    from logektor import dead_letter_screens as screens

    with sentences():
        lake, selection = Lake(settings_in_use(home).lake), _selection(reason, site, first_day, last_day)
        if reason is not None or show:
            letters = latest_letters(lake, selection, limit)
            said = screens.as_json(letters) if as_json else screens.letters_screen(letters)
        else:
            summaries = summarise(lake, selection)
            said = screens.as_json(summaries) if as_json else screens.summary_screen(summaries)
        if isinstance(said, str):
            typer.echo(said)
        else:
            Console(highlight=False).print(said)


@app.command("replay")
def replay_(
    reason: Annotated[str, typer.Option(help="Of this reason, as `logektor dead-letters` shows it.")],
    home: Home = None,
    site: OfSite = None,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs, in numbers. Sends only with --yes.")] = False,
) -> None:
    """Send dead letters that are valid by now to the stream again, each once. The rest stays."""
    from logektor.dead_letter_screens import outcome_json, outlook_screen
    from logektor.replay import look_ahead, replay_to_kafka

    with sentences():
        settings = settings_in_use(home)
        lake, selection = Lake(settings.lake), _selection(reason, site, first_day, last_day)
        sites, kafka = load_sites(settings.sites_file), _kafka(settings)
        console = Console(highlight=False, quiet=as_json)
        outlook = look_ahead(lake, sites, selection)
        console.print(outlook_screen(outlook))
        sent = 0
        if outlook.valid and not yes and not as_json:
            yes = typer.confirm(f"Send {outlook.valid:,} events to Kafka at {kafka}?", abort=True)
        if outlook.valid and yes:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            with (
                erasure_lock.replaying(
                    settings.home / erasure_lock.NAME, lambda: console.print("Waiting for the end of an erasure…")
                ),
                Progress(*columns, console=console) as bar,
            ):
                task = bar.add_task("Replaying", total=outlook.valid)
                sent = replay_to_kafka(
                    lake, sites, selection, kafka, settings.topics, lambda done: bar.update(task, completed=done)
                )
            console.print(f"{sent:,} sent. Reports follow within a minute, on the days they were received.")
        if as_json:
            typer.echo(outcome_json(outlook, sent))


@app.command()
def erase(
    home: Home = None,
    visitor: Annotated[str | None, typer.Option(help="A visitor's id.")] = None,
    user: Annotated[str | None, typer.Option(help="A signed-in user's id.")] = None,
    site: Annotated[
        str | None, typer.Option(help="A whole site, or only of it where a visitor or user is named.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Erase a visitor, a user or a site from all tables and files. It can't be undone."""
    from lake.erasure import Wanted, read_digest_key
    from logektor.erasure_screens import erased_screen, found_screen
    from logektor.not_landed import wait_until_landed
    from pipelines.refresh.erasure import erase as erase_everywhere
    from pipelines.refresh.erasure import look
    from pipelines.reports.all_reports import load_reports

    with sentences():
        settings = settings_in_use(home)
        try:
            wanted = Wanted(visitor, user, site)
        except ValueError as error:
            stop(f"{error} --visitor, --user and --site say what.", 2)
        lake, console = Lake(settings.lake), Console(highlight=False)
        found = look(lake, wanted)
        console.print(found_screen(wanted, found))
        if not yes:
            # Also where nothing is found: an erasure that was stopped left files to be deleted.
            typer.confirm("Erase it for good?", abort=True)
        with (
            erasure_lock.erasing(
                settings.home / erasure_lock.NAME, lambda: console.print("Waiting for the end of a replay or erasure…")
            ),
            Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console) as bar,
        ):
            task = bar.add_task("Waiting for what Kafka holds", total=None)
            not_landed = wait_until_landed(_kafka(settings), lake, _LANDING_SECONDS)
            erased = erase_everywhere(
                lake,
                wanted,
                digest_key=read_digest_key(settings.home / "removals_key"),
                reports=load_reports(),
                sites=load_sites(settings.sites_file),
                now=datetime.now(UTC),
                tell=lambda done, total, what: bar.update(task, completed=done, total=total, description=what),
            )
        console.print(erased_screen(erased, settings.home / "spool", not_landed))


@sites_app.command("add")
def sites_add(
    domain: Annotated[str, typer.Argument(help="The site's domain, such as example.com.")],
    home: Home = None,
    time_zone: Annotated[str, typer.Option(help="IANA time zone; says when the site's days begin.")] = "UTC",
) -> None:
    """Register a site; print the snippet for its pages and how to try it."""
    from logektor.running import is_running, read_running
    from logektor.sites_screens import site_screen

    with sentences():
        settings = settings_in_use(home)
        site = register_site(settings.sites_file, domain, time_zone)
        running = read_running(settings.home) if is_running(settings.home) else None
        told = settings.collector_for_websites
        collector = running.urls["collector"] if running and settings.collector_url is None else told
        screen = site_screen(site, settings.sites_file, collector, running is not None)
        Console(highlight=False).print(screen, crop=False)


@sites_app.command("list")
def sites_list(home: Home = None) -> None:
    """Show the sites, without their server keys."""
    from logektor.sites_screens import sites_table

    with sentences():
        settings = settings_in_use(home)
        sites = load_sites(settings.sites_file)
        if sites:
            Console(highlight=False).print(sites_table(sites))
        else:
            typer.echo(f"{settings.sites_file} has no site: add one with `logektor sites add DOMAIN`.")


@sites_app.command("check")
def sites_check(
    file: Annotated[Path | None, typer.Argument(help="A file to be put in its place. Else the home's own.")] = None,
    home: Home = None,
) -> None:
    """Say whether sites.toml is fine; the exit code says too."""
    with sentences():
        file = file or settings_in_use(home).sites_file
        sites = load_sites(file)
        if not sites:
            raise SitesError(f"{file}: no site is declared. Add one with `logektor sites add DOMAIN`.")
        typer.echo(f"{file} is fine: {', '.join(site.domain for site in sites)}.")


def _selection(
    reason: str | None, site: str | None, first_day: datetime | None, last_day: datetime | None
) -> "Selection":
    from lake.dead_letters import Selection

    return Selection(reason, site, first_day and first_day.date(), last_day and last_day.date())


def _kafka(settings: StackSettings) -> "KafkaCluster":
    from logektor.running import is_running, read_running

    running = read_running(settings.home) if is_running(settings.home) else None
    return settings.cluster_at(running.kafka if running is not None else settings.bootstrap_servers)


def _running_collector(settings: StackSettings) -> str:
    from logektor.running import is_running, read_running

    running = read_running(settings.home)
    if running is None or not is_running(settings.home):
        raise NotRunning(f"No Logektor runs on {settings.home}: start it with `logektor up`, or say --collector-url.")
    return running.urls["collector"]


if __name__ == "__main__":
    sys.exit(app())
