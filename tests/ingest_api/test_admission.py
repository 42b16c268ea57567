"""Which site a request may write to."""

from pathlib import Path

import pytest

from ingest_api.admission import admit
from ingest_api.errors import RequestRefused
from sites import LiveSites
from tests.ingest_api.conftest import SITES, Api

OWN, FOREIGN = "https://www.example.com", "https://evil.test"


@pytest.mark.parametrize(
    ("key", "origin", "claimed", "site", "server"),
    [
        ("pk_example", None, None, "example.com", False),
        ("pk_example", OWN, None, "example.com", False),
        ("pk_example", OWN, "example.com", "example.com", False),
        ("pk_example", "https://example.org", None, "example.com", False),
        ("sk_example", FOREIGN, None, "example.com", True),
        (None, OWN, "example.com", "example.com", False),
        (None, OWN, None, "example.com", False),
        (None, "http://127.0.0.1:5173", None, "localhost", False),
        (None, None, None, "localhost", False),
        (None, None, "localhost", "localhost", False),
    ],
)
def test_the_site_is_told_by_key_then_claim_then_origin_then_default(
    sites_file: Path, key: str | None, origin: str | None, claimed: str | None, site: str, server: bool
) -> None:
    grant = admit(LiveSites(sites_file), key, origin, claimed, "localhost")
    assert (grant.site.domain, grant.server) == (site, server)


@pytest.mark.parametrize(
    ("key", "origin", "claimed", "status", "code", "known"),
    [
        ("pk_nobody", None, None, 401, "unknown_key", None),
        ("pk_nobody", OWN, "example.com", 401, "unknown_key", None),
        ("", None, None, 401, "unknown_key", None),
        ("pk_example", None, "localhost", 403, "other_site", "example.com"),
        ("pk_example", FOREIGN, None, 403, "origin_not_allowed", "example.com"),
        ("pk_example", "null", None, 403, "origin_not_allowed", "example.com"),
        (None, FOREIGN, "example.com", 403, "origin_not_allowed", "example.com"),
        (None, FOREIGN, "localhost", 403, "origin_not_allowed", "localhost"),
        (None, FOREIGN, None, 403, "origin_not_allowed", None),
        (None, None, "example.com", 401, "key_needed", None),
        (None, None, "unheard.test", 401, "key_needed", None),
        (None, OWN, "unheard.test", 401, "unknown_site", None),
    ],
)
def test_nobody_writes_to_a_site_that_does_not_know_them(
    sites_file: Path,
    key: str | None,
    origin: str | None,
    claimed: str | None,
    status: int,
    code: str,
    known: str | None,
) -> None:
    with pytest.raises(RequestRefused) as raised:
        admit(LiveSites(sites_file), key, origin, claimed, "localhost")
    assert (raised.value.status, raised.value.code, raised.value.site) == (status, code, known)


@pytest.mark.parametrize("default_site", [None, "unheard.test"])
def test_without_a_default_site_a_request_needs_a_key(sites_file: Path, default_site: str | None) -> None:
    with pytest.raises(RequestRefused) as raised:
        admit(LiveSites(sites_file), None, None, None, default_site)
    assert raised.value.status == 401


def test_a_site_added_while_the_collector_runs_is_known_at_once(api: Api) -> None:
    assert api.track({"action": "x"}, authorization="Bearer pk_of_new").status_code == 401
    added = '[[site]]\ndomain = "new.test"\nwrite_key = "pk_of_new"\nserver_key = "sk_of_new"\n'
    api.sites_file.write_text(SITES + added)
    assert api.track({"action": "x"}, authorization="Bearer pk_of_new").status_code == 202


@pytest.mark.parametrize("path", ["/track?key=pk_example", "/track?a=b&key=pk_example"])
def test_a_key_may_stand_in_the_address(api: Api, path: str) -> None:
    assert api.request("POST", path, json={"action": "x"}).status_code == 202
    assert api.event().site == "example.com"


def test_another_kind_of_authorization_is_not_taken_for_none(api: Api) -> None:
    assert api.track({"action": "x"}, authorization="Basic eDp5").status_code == 401


def test_nothing_of_a_refused_request_is_kept(api: Api) -> None:
    api.request("POST", "/track", content=b"{", headers={"authorization": "Bearer pk_nobody"})
    api.track({"action": "x"}, origin=FOREIGN)
    assert api.events() == []
    assert api.rejections() == []
