"""Raw events as one Parquet file: all of the days that were asked for, and for admins only."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.raw import scan_raw_events
from lake.raw_schema import EVENT, LANDED
from query_api import raw_export
from query_api.app import create_app
from query_api.grants import Role, issue
from query_api.settings import QuerySettings
from sites import register_site
from tests.query_api.conftest import OTHER, SITE, Client

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PLACE = ("cluster/events", 0)
MIDNIGHT = datetime(2026, 11, 22, 23, tzinfo=UTC)
"""Of the 23rd, in Berlin."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events of two sites, an hour apart over three days."""
    path = tmp_path_factory.mktemp("home")
    register_site(path / "sites.toml", SITE, "Europe/Berlin")
    register_site(path / "sites.toml", OTHER)
    place = {"kind": EVENT, "stream_id": PLACE[0], "kafka_partition": PLACE[1]}
    rows = [
        {
            **dict.fromkeys(LANDED.names),
            **place,
            "kafka_offset": hour,
            "landed_at": NOW,
            "landed_date": NOW.date(),
            "event_id": f"e{hour}",
            "site": SITE if hour % 2 else OTHER,
            "occurred_at": MIDNIGHT + timedelta(hours=hour - 24, microseconds=hour),
        }
        for hour in range(72)
    ]
    table = DeltaLandingTable(Lake(str(path / "lake")))
    table.append(pa.Table.from_pylist(rows, schema=LANDED), LANDED.empty_table(), {PLACE: 0}, {PLACE: 72})
    return path


def with_role(home: Path, role: Role) -> Client:
    app = create_app(QuerySettings.model_validate({"home": home}), lambda: NOW)
    return Client(app, {"Authorization": f"Bearer {issue(home, 'for a test', role, None, NOW, None)[0]}"})


def test_the_file_has_every_event_of_the_site_s_days_and_no_other(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_export, "_ROWS", 3)
    days = {"site": SITE, "from": "2026-11-23", "to": "2026-11-23"}
    answer = with_role(home, "admin").get("/api/raw_events.parquet", params=days)
    assert answer.status_code == 200
    rows = pl.read_parquet(io.BytesIO(answer.content))
    assert sorted(rows["event_id"]) == sorted(f"e{hour}" for hour in range(25, 48, 2))
    assert rows.schema == scan_raw_events(Lake(str(home / "lake"))).collect_schema()


@pytest.mark.parametrize(
    ("address", "form"), [("raw_events.csv", None), ("raw_events", "csv"), ("raw_events.csv", "csv")]
)
def test_the_same_rows_come_as_csv(home: Path, monkeypatch: pytest.MonkeyPatch, address: str, form: str | None) -> None:
    monkeypatch.setattr(raw_export, "_ROWS", 3)
    days = {"site": SITE, "from": "2026-11-23", "to": "2026-11-23", **({"format": form} if form else {})}
    admin = with_role(home, "admin")
    answer = admin.get(f"/api/{address}", params=days, headers={"Accept-Encoding": "gzip"})
    assert (answer.headers["content-type"], answer.headers["content-encoding"]) == ("text/csv; charset=utf-8", "gzip")
    rows = pl.read_csv(io.BytesIO(answer.content), try_parse_dates=True)
    whole = pl.read_parquet(io.BytesIO(admin.get("/api/raw_events", params={**days, "format": "parquet"}).content))
    assert rows.columns == whole.columns
    known = ["event_id", "kafka_offset", "occurred_at", "landed_at"]
    assert_frame_equal(rows.select(known), whole.select(known), check_row_order=False, check_dtypes=False)


@pytest.mark.parametrize(("address", "form"), [("raw_events", "json"), ("raw_events.csv", "parquet")])
def test_a_format_that_events_do_not_come_in_is_said(home: Path, address: str, form: str) -> None:
    days = {"site": SITE, "from": "2026-11-23", "to": "2026-11-23", "format": form}
    answer = with_role(home, "admin").get(f"/api/{address}", params=days)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "format")


def test_a_range_without_events_is_a_file_without_rows(home: Path) -> None:
    days = {"site": SITE, "from": "9999-12-31", "to": "9999-12-31"}
    answer = with_role(home, "admin").get("/api/raw_events.parquet", params=days)
    assert pl.read_parquet(io.BytesIO(answer.content)).is_empty()
    lines = with_role(home, "admin").get("/api/raw_events.csv", params={"site": SITE, **days}).text.splitlines()
    assert len(lines) == 1
    assert "event_id" in lines[0]


def test_only_an_admin_gets_raw_events(home: Path) -> None:
    days = {"site": SITE, "from": "2026-11-23", "to": "2026-11-23"}
    assert with_role(home, "read").get("/api/raw_events.parquet", params=days).status_code == 403


def test_exports_at_once_are_bounded_and_give_their_place_back(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_export, "AT_ONCE", 1)
    admin = with_role(home, "admin")
    days = {"site": SITE, "from": "2026-11-23", "to": "2026-11-23"}
    for _ in range(3):
        assert admin.get("/api/raw_events.parquet", params=days).status_code == 200
    monkeypatch.setattr(raw_export, "AT_ONCE", 0)
    busy = with_role(home, "admin").get("/api/raw_events.parquet", params=days)
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "10")


@pytest.mark.parametrize(
    ("days", "field"), [({"from": "2026-11-23"}, "to"), ({"from": "2026-11-24", "to": "2026-11-23"}, "from")]
)
def test_the_days_must_be_said(home: Path, days: dict[str, str], field: str) -> None:
    answer = with_role(home, "admin").get("/api/raw_events.parquet", params={"site": SITE, **days})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
