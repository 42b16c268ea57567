"""Commands for who may read: `logektor tokens add`, `share`, `list`, `revoke`."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from logektor.sentences import Home, sentences, settings_in_use
from query_api.grants import Grant, issue, load_grants, revoke
from sites import SitesError, load_sites

tokens_app = typer.Typer(help="Who may read reports, beside the home's own token.", no_args_is_help=True)

Days = Annotated[int | None, typer.Option(min=1, help="Days until it ends by itself. Else it lasts until revoked.")]


@tokens_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What it is for, such as 'the newsletter team'.")],
    role: Annotated[
        Literal["read", "admin"], typer.Option(help="read: reports, events, dead letters. admin: also raw exports.")
    ] = "read",
    site: Annotated[list[str] | None, typer.Option(help="Only this site; may be given again. Else all.")] = None,
    days: Days = None,
    home: Home = None,
) -> None:
    """Make a token for programs and people; it is shown this once."""
    with sentences():
        settings = settings_in_use(home)
        _require_known(site or [], settings.sites_file)
        now = datetime.now(UTC)
        token, grant = issue(settings.home, name, role, site or None, now, _end(now, days))
        console = Console(highlight=False)
        console.print(f"[green]Made[/] {grant.id}: {role}, {_sites(grant)}, {_until(grant)}. It is shown this once:")
        typer.echo(token)


@tokens_app.command("share")
def share(
    site: Annotated[str, typer.Argument(help="The site whose dashboard is shared.")],
    name: Annotated[str, typer.Option(help="Whom it is for.")] = "a share link",
    days: Days = None,
    home: Home = None,
) -> None:
    """Make a link to one site's dashboard, for people without a token. It ends when it is revoked."""
    from logektor.running import is_running, read_running

    with sentences():
        settings = settings_in_use(home)
        _require_known([site], settings.sites_file)
        now = datetime.now(UTC)
        token, grant = issue(settings.home, name, "share", [site], now, _end(now, days))
        running = read_running(settings.home) if is_running(settings.home) else None
        dashboard = running.urls["dashboard"] if running else f"http://127.0.0.1:{settings.query_port}/"
        console = Console(highlight=False)
        console.print(f"[green]Made[/] {grant.id}: {_sites(grant)}, {_until(grant)}. Whoever has the link reads it:")
        typer.echo(f"{dashboard.rstrip('/')}/?token={token}&site={site}")


@tokens_app.command("list")
def list_tokens(home: Home = None) -> None:
    """Show what was made; never a token."""
    with sentences():
        settings = settings_in_use(home)
        grants = load_grants(settings.home / "tokens.json")
        if not grants:
            typer.echo("No token was made beside the home's own; `logektor tokens add NAME` makes one.")
            return
        table = Table(box=None, pad_edge=False, header_style="dim")
        for title in ("id", "name", "role", "sites", "until"):
            table.add_column(title, overflow="fold")
        for grant in grants:
            ended = " (ended)" if grant.has_expired(datetime.now(UTC)) else ""
            table.add_row(grant.id, escape(grant.name), grant.role, _sites(grant), f"{_until(grant)}{ended}")
        Console(highlight=False).print(table)


@tokens_app.command("revoke")
def revoke_token(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="As `logektor tokens list` shows it.")],
    home: Home = None,
) -> None:
    """End a token or a share link now; what it was swapped for in browsers ends with it."""
    with sentences():
        grant = revoke(settings_in_use(home).home, identifier)
        Console(highlight=False).print(f"[green]Revoked[/] {grant.id}: {escape(grant.name)}.")


def _require_known(domains: Sequence[str], file: Path) -> None:
    known = load_sites(file)
    for domain in domains:
        if known.by_domain(domain) is None:
            raise SitesError(f"{file} has no site {domain!r}; `logektor sites list` shows them.")


def _end(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now + timedelta(days=days)


def _sites(grant: Grant) -> str:
    return "all sites" if grant.sites is None else ", ".join(grant.sites)


def _until(grant: Grant) -> str:
    return "until revoked" if grant.expires_at is None else f"until {grant.expires_at:%Y-%m-%d %H:%M} UTC"
