"""What a person sees of the sites in the terminal; never a server key."""

from collections.abc import Iterable
from dataclasses import MISSING, fields
from pathlib import Path

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from logektor.screens import whole
from sites import Site


def site_screen(site: Site, file: Path, collector: str, is_running: bool) -> RenderableType:
    """What to do with a site: the snippet for its pages, and how to try it. `collector` is where it will listen."""
    scheme = "http" if site.domain == "localhost" else "https"
    first = "" if is_running else " (start it first: `logektor up`)"
    return Group(
        f"[green]{site.domain}[/] is in {escape(str(file))}.",
        f"Its days begin at midnight, {site.time_zone}.",
        whole(f"Its write key, for apps and images: {site.write_key}"),
        "Servers send events with its server_key from that file.",
        "",
        "Put this into its pages:",
        whole(f'<script defer data-site="{site.domain}" src="{collector}/logektor.js"></script>'),
        "",
        f"Try it as its pages do{first}:",
        whole(
            f"curl -H 'Origin: {scheme}://{site.domain}' -d '{{\"action\":\"hello\"}}' '{collector}/track?dry_run=1'"
        ),
        "",
        "The answer is the event as it would be stored:",
        escape(f'{{"events":[{{"eventId":"…","site":"{site.domain}",…}}],"rejected":[]}}'),
        "",
        'Without ?dry_run=1 it is stored and answered 202 {"eventId":"…"}. Reports count what curl sends as a bot\'s.',
    )


def sites_table(sites: Iterable[Site]) -> Table:
    """One row per site."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("domain", overflow="fold")
    # A key is there to be copied.
    table.add_column("write key", no_wrap=True)
    table.add_column("time zone", overflow="fold")
    table.add_column("policies", overflow="fold")
    for site in sites:
        keys, policies = "\n".join(site.write_keys), "\n".join(_policies(site))
        table.add_row(site.domain, escape(keys), site.time_zone, policies)
    return table


def _policies(site: Site) -> list[str]:
    """What a site declares otherwise than by default; of a list only how many. The time zone has its own column."""
    return [
        f"{field.name} {len(value) if isinstance(value, tuple) else value}"
        for field in fields(site)
        if field.default is not MISSING and field.name != "time_zone"
        if (value := getattr(site, field.name)) != field.default
    ]
