"""What arrives and what was refused, seconds after it was landed."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.raw_schema import DEAD_LETTER, EVENT, LANDED
from query_api.app import create_app
from query_api.grants import Role, issue
from query_api.settings import QuerySettings
from query_api.tokens import read_token
from sites import register_site
from tests.query_api.conftest import OTHER, SITE, Client

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PLACE = ("cluster/events", 0)


def landed(kind: str, offset: int, at: datetime, **values: object) -> dict[str, object]:
    place = {"stream_id": PLACE[0], "kafka_partition": PLACE[1], "kafka_offset": offset}
    return {**dict.fromkeys(LANDED.names), "kind": kind, "landed_at": at, "landed_date": at.date(), **place, **values}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three events of one site, one of them old; an event of another; a letter of each, and one of no site."""
    path = tmp_path_factory.mktemp("home")
    for domain in (SITE, OTHER):
        register_site(path / "sites.toml", domain)
    minutes = {number: NOW - timedelta(minutes=number) for number in (31, 20, 1, 0)}
    rows = [
        landed(EVENT, 0, minutes[31], event_id="old", site=SITE, action="pageview"),
        landed(EVENT, 1, minutes[20], event_id="one", site=SITE, action="pageview", url=f"https://{SITE}/a"),
        landed(EVENT, 2, minutes[1], event_id="two", site=SITE, action="signup", properties='{"plan":"pro"}'),
        landed(EVENT, 3, minutes[1], event_id="theirs", site=OTHER, action="pageview"),
        *(
            landed(
                DEAD_LETTER,
                4 + number,
                minutes[0],
                site=site,
                reason="invalid",
                detail="action: too long",
                field="action",
                body=b'{"action": "x\xff"}',
                body_length=15,
                body_sha256="0" * 64,
            )
            for number, site in enumerate([SITE, OTHER, None])
        ),
    ]
    table = DeltaLandingTable(Lake(str(path / "lake")))
    split = [[row for row in rows if row["kind"] == kind] for kind in (EVENT, DEAD_LETTER)]
    events, letters = (pa.Table.from_pylist(kind, schema=LANDED) for kind in split)
    table.append(events, letters, {PLACE: 0}, {PLACE: len(rows)})
    return path


def client_of(home: Path, token: str) -> Client:
    app = create_app(QuerySettings.model_validate({"home": home}), lambda: NOW)
    return Client(app, {"Authorization": f"Bearer {token}"})


@pytest.fixture(scope="module")
def client(home: Path) -> Client:
    return client_of(home, read_token(home))


def with_role(home: Path, role: Role, *sites: str) -> Client:
    return client_of(home, issue(home, "for a test", role, sites, NOW, None)[0])


def test_the_newest_events_of_a_site_come_first_and_whole(client: Client) -> None:
    answer = client.get("/api/events", params={"site": SITE})
    assert answer.status_code == 200
    events = answer.json()["events"]
    assert [event["event_id"] for event in events] == ["two", "one"]
    assert events[0]["properties"] == {"plan": "pro"}
    assert events[1]["url"] == f"https://{SITE}/a"
    assert client.get("/api/events", params={"site": SITE, "limit": 1}).json()["events"] == events[:1]


def test_dead_letters_say_what_was_refused_and_why(client: Client) -> None:
    answer = client.get("/api/dead_letters", params={"site": SITE}).json()
    assert [(each["reason"], each["letters"]) for each in answer["reasons"]] == [("invalid", 1)]
    (letter,) = answer["letters"]
    assert (letter["field"], letter["detail"]) == ("action", "action: too long")
    assert letter["body"] == '{"action": "x�"}'
    assert len(client.get("/api/dead_letters").json()["letters"]) == 3


def test_letters_of_no_site_are_for_those_who_see_all_sites(home: Path) -> None:
    of_one = with_role(home, "read", OTHER)
    assert of_one.get("/api/dead_letters").status_code == 403
    assert [letter["site"] for letter in of_one.get("/api/dead_letters", params={"site": OTHER}).json()["letters"]] == [
        OTHER
    ]
    assert of_one.get("/api/dead_letters", params={"site": SITE}).status_code == 400
    assert [event["event_id"] for event in of_one.get("/api/events").json()["events"]] == ["theirs"]


@pytest.mark.parametrize("path", ["/api/events", "/api/dead_letters"])
def test_a_share_link_opens_no_single_event(home: Path, path: str) -> None:
    answer = with_role(home, "share", SITE).get(path, params={"site": SITE})
    assert answer.status_code == 403
    assert "read" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "parameters", [{"limit": "0"}, {"limit": "501"}, {"limit": "x"}, {"site": "nowhere"}, {"more": "1"}]
)
def test_a_wrong_parameter_is_told(client: Client, parameters: dict[str, str]) -> None:
    answer = client.get("/api/events", params={"site": SITE, **parameters})
    assert answer.status_code == 400
    assert json.loads(answer.text)["error"]["field"] == next(iter(parameters))


def test_where_nothing_was_landed_nothing_is_shown(tmp_path: Path) -> None:
    register_site(tmp_path / "sites.toml", SITE)
    client = client_of(tmp_path, read_token(tmp_path))
    assert client.get("/api/events").json() == {"site": SITE, "events": []}
    assert client.get("/api/dead_letters").json() == {"reasons": [], "letters": []}
