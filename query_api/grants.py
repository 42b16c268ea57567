"""What the bearer of a token may read: kept in <home>/tokens.json by the digest, from which no token follows."""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from query_api.tokens import TokenError, read_token
from sites.file_signature import file_signature

Role = Literal["share", "read", "admin"]
"""share: reports and statistics of one site. read: also single events and dead letters. admin: also raw exports."""

_log = logging.getLogger(__name__)
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Grant:
    """What a token opens. `sites` None: all sites. `expires_at` None: until it is revoked."""

    id: str
    name: str
    role: Role
    digest: str
    sites: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None

    def sees(self, domain: str) -> bool:
        """Whether it opens a site."""
        return self.sites is None or domain in self.sites

    def includes(self, role: Role) -> bool:
        """Whether it opens what this role opens."""
        roles = get_args(Role)
        return bool(roles.index(self.role) >= roles.index(role))

    def has_expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and now >= self.expires_at


def digest_of(token: str) -> str:
    """How a token is known. A token has 192 random bits, so a plain hash can't be turned back."""
    return hashlib.sha256(token.encode()).hexdigest()


class Grants:
    """Follows tokens.json, so that a revoked token opens nothing from the next request on.

    A file that can't be read opens nothing but the home's own token, and is told in the log once.
    """

    def __init__(self, home: Path) -> None:
        """Raises TokenError."""
        self._path = home / "tokens.json"
        self._own = _own_grant(read_token(home), datetime.fromtimestamp(0).astimezone())
        self._seen: tuple[int, int, int] | None = None
        self._by_digest: Mapping[str, Grant] = {}

    def find(self, token: str, now: datetime) -> Grant | None:
        """The grant of a token that has not expired. Found by digest: how long it takes tells nothing of a token."""
        self._follow()
        digest = digest_of(token)
        grant = self._own if digest == self._own.digest else self._by_digest.get(digest)
        return None if grant is None or grant.has_expired(now) else grant

    def _follow(self) -> None:
        signature = file_signature(self._path)
        if signature == self._seen:
            return
        self._seen = signature
        try:
            self._by_digest = {grant.digest: grant for grant in load_grants(self._path)}
        except TokenError as error:
            self._by_digest = {}
            _log.error("%s", error)


def issue(
    home: Path, name: str, role: Role, sites: Iterable[str] | None, created_at: datetime, expires_at: datetime | None
) -> tuple[str, Grant]:
    """Makes a token and keeps its grant; the token is told this once. Raises TokenError."""
    if not name.strip() or len(name) > _LONGEST_NAME:
        raise TokenError(f"A token's name has 1 to {_LONGEST_NAME} characters; say what it is for.")
    if expires_at is not None and expires_at <= created_at:
        raise TokenError("A token must be valid for some time.")
    token = f"{'st' if role == 'share' else 'rt'}_{secrets.token_urlsafe(24)}"
    kept_sites = None if sites is None else tuple(sorted(set(sites)))
    grant = Grant(secrets.token_hex(4), name, role, digest_of(token), kept_sites, created_at, expires_at)
    with _changing(home) as grants:
        grants.append(grant)
    return token, grant


def revoke(home: Path, identifier: str) -> Grant:
    """Forgets a grant; its token opens nothing any more. Raises TokenError where there is none of this id."""
    with _changing(home) as grants:
        found = next((grant for grant in grants if grant.id == identifier), None)
        if found is None:
            raise TokenError(f"There is no token {identifier!r}; `logektor tokens list` shows them.")
        grants.remove(found)
    return found


def load_grants(path: Path) -> list[Grant]:
    """The grants of a tokens.json; none where the file does not exist. Raises TokenError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return [_read(entry) for entry in document["tokens"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TokenError(f"{path}: can't be read: {error}. Only the home's own token opens anything.") from error


@contextlib.contextmanager
def _changing(home: Path) -> Iterator[list[Grant]]:
    """The list of grants, to be changed; written whole or not at all, one change at a time."""
    path = home / "tokens.json"
    home.mkdir(parents=True, exist_ok=True)
    try:
        with (home / "tokens.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            grants = load_grants(path)
            yield grants
            _write(path, grants)
    except OSError as error:
        raise TokenError(f"{path}: can't be written: {error.strerror}.") from error


def _write(path: Path, grants: Iterable[Grant]) -> None:
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"tokens": [_document(grant) for grant in grants]}, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _document(grant: Grant) -> dict[str, Any]:
    return {
        "id": grant.id,
        "name": grant.name,
        "role": grant.role,
        "sha256": grant.digest,
        "sites": None if grant.sites is None else list(grant.sites),
        "created_at": grant.created_at.isoformat(),
        "expires_at": None if grant.expires_at is None else grant.expires_at.isoformat(),
    }


def _read(entry: Mapping[str, Any]) -> Grant:
    """Raises KeyError, TypeError or ValueError."""
    if entry["role"] not in get_args(Role):
        raise ValueError(f"{entry['role']!r} is no role")
    return Grant(
        entry["id"],
        entry["name"],
        entry["role"],
        entry["sha256"],
        None if entry["sites"] is None else tuple(entry["sites"]),
        datetime.fromisoformat(entry["created_at"]),
        None if entry["expires_at"] is None else datetime.fromisoformat(entry["expires_at"]),
    )


def _own_grant(token: str, created_at: datetime) -> Grant:
    return Grant("own", "the home's own token", "admin", digest_of(token), None, created_at, None)
