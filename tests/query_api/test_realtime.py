"""Who is on a site now, from events that were landed and are in no table yet."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lake.location import Lake
from query_api.app import create_app
from query_api.grants import Role, issue
from query_api.settings import QuerySettings
from query_api.tokens import read_token
from sites import register_site
from tests.query_api.conftest import OTHER, SITE, Client
from tests.refresh.landing import Landing
from tests.reports.rows import GOOGLEBOT

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def event(visitor: str | None, minutes_ago: float, path: str = "/", **values: Any) -> dict[str, Any]:
    happened = NOW - timedelta(minutes=minutes_ago)
    landed = {"landed_at": happened + timedelta(seconds=1), "landed_date": happened.date()}
    url = f"https://{SITE}{path}"
    return {"site": SITE, "visitor_id": visitor, "occurred_at": happened, "url": url, **landed, **values}


ROWS = (
    event("old", 30),
    event("ann", 29.9, "/a", referrer="https://www.google.com/"),
    event("ann", 6, "/b", referrer=f"https://{SITE}/a"),
    event("bob", 4.5, "/a?utm_source=news"),
    event("bob", 4.5, "/a", event_id="sent twice"),
    event("bob", 4.5, "/a", event_id="sent twice"),
    event(None, 0, "/a"),
    event("left", 1, action="engagement"),
    event("dan", 1, action="signup"),
    event("robot", 2, user_agent=GOOGLEBOT),
    event("robot", 1),
    event("theirs", 1, site=OTHER),
)


class Clock:
    def __init__(self) -> None:
        self.now = NOW


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("home")
    for domain in (SITE, OTHER):
        register_site(path / "sites.toml", domain)
    Landing(Lake(str(path / "lake"))).land(*ROWS)
    return path


def client_of(home: Path, token: str, clock: Clock | None = None) -> Client:
    clock = clock or Clock()
    app = create_app(QuerySettings.model_validate({"home": home}), lambda: clock.now)
    return Client(app, {"Authorization": f"Bearer {token}"})


def with_role(home: Path, role: Role, *sites: str) -> Client:
    return client_of(home, issue(home, "for a test", role, sites, NOW, None)[0])


def test_the_last_half_hour_of_people_is_told(home: Path) -> None:
    answer = client_of(home, read_token(home)).get("/api/realtime", params={"site": SITE})
    assert answer.status_code == 200
    told = answer.json()
    by_minute = [0] * 30
    by_minute[0], by_minute[23], by_minute[25], by_minute[29] = 1, 1, 2, 1
    assert told == {
        "site": SITE,
        "as_of": NOW.isoformat(),
        "visitors": {"5m": 2, "30m": 3},
        "pageviews_by_minute": by_minute,
        "pages": [
            {"path": "/a", "visitors": 2, "pageviews": 4},
            {"path": "/b", "visitors": 1, "pageviews": 1},
        ],
        "sources": [
            {"source": "Direct / None", "visitors": 1},
            {"source": "Google", "visitors": 1},
            {"source": "news", "visitors": 1},
        ],
    }


def test_a_share_link_may_ask_of_its_site_only(home: Path) -> None:
    shared = with_role(home, "share", OTHER)
    assert shared.get("/api/realtime").json()["visitors"] == {"5m": 1, "30m": 1}
    answer = shared.get("/api/realtime", params={"site": SITE})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_site")
    assert client_of(home, "wrong").get("/api/realtime").status_code == 401


def test_a_look_serves_two_seconds_and_no_longer(tmp_path: Path) -> None:
    register_site(tmp_path / "sites.toml", SITE)
    clock = Clock()
    client = client_of(tmp_path, read_token(tmp_path), clock)
    nothing = client.get("/api/realtime").json()
    assert (nothing["visitors"], nothing["pageviews_by_minute"]) == ({"5m": 0, "30m": 0}, [0] * 30)
    assert (nothing["pages"], nothing["sources"]) == ([], [])
    Landing(Lake(str(tmp_path / "lake"))).land(event("ann", 0))
    clock.now += timedelta(seconds=1.9)
    assert client.get("/api/realtime").json() == nothing
    clock.now += timedelta(seconds=0.1)

    def visitors() -> int:
        found: int = client.get("/api/realtime").json()["visitors"]["5m"]
        clock.now += timedelta(seconds=2)
        return found

    # The table itself is opened once a second of the machine's own clock.
    assert any(visitors() for _ in range(100))


def test_a_parameter_that_is_not_known_is_told(home: Path) -> None:
    answer = client_of(home, read_token(home)).get("/api/realtime", params={"site": SITE, "minutes": "5"})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "minutes")
