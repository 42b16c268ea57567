"""Adding a site to sites.toml without touching what a person wrote there."""

import fcntl
import json
import os
import secrets
from pathlib import Path

from sites.errors import SitesError
from sites.reading import load_sites, parse_sites
from sites.site import Site


def register_site(path: Path, domain: str, time_zone: str = "UTC") -> Site:
    """The site of this domain, added with fresh keys where it is not there yet. Raises SitesError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_name(path.name + ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return load_sites(path).by_domain(domain) or _add(path, domain, time_zone)
    except OSError as error:
        raise SitesError(f"{path}: could not be written: {error.strerror}.") from error


def _add(path: Path, domain: str, time_zone: str) -> Site:
    keys = {"write_key": "pk_" + secrets.token_urlsafe(18), "server_key": "sk_" + secrets.token_urlsafe(24)}
    # Checked before it is written, so that a bad time zone never reaches the file.
    (site,) = parse_sites({"site": [{"domain": domain, "time_zone": time_zone, **keys}]}, str(path))
    _append(path, site)
    return site


def _append(path: Path, site: Site) -> None:
    """Replaces the file in one step: a reader sees the old file or the new one, never half of it."""
    before = (
        path.read_text(encoding="utf-8")
        if path.exists()
        else "# The sites of this deployment. Read again when it changes.\n"
    )
    new = path.with_name(path.name + ".new")
    # A TOML basic string has the escapes of a JSON string.
    lines = [
        before.rstrip("\n"),
        "",
        "[[site]]",
        f"domain = {json.dumps(site.domain)}",
        f"write_key = {json.dumps(site.write_key)}   # public: it may stand in a page",
        f"server_key = {json.dumps(site.server_key)}   # secret: for servers and the log import",
        f"time_zone = {json.dumps(site.time_zone)}",
        "",
    ]
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
