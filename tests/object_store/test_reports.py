"""Reports in an object store: the same rows as in a folder, refreshed, served, erased and written as plain files."""

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pyarrow.fs import FileSelector

from lake.audit import audit
from lake.location import Lake
from lake.parquet_files import update_parquet_files
from lake.parquet_folder import FolderInStore
from lake.report_table import ReportTable
from lake.table_version import open_version
from pipelines.refresh.events import take_in
from pipelines.refresh.reports import build
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.clean_events import EVENTS
from query_api.app import create_app
from query_api.settings import QuerySettings
from query_api.tokens import read_token
from sites import register_site
from tests.dagster_project.home import Home
from tests.lake.page_report import MONDAY, SPEC, TUESDAY, hits
from tests.object_store.s3_server import S3Server
from tests.query_api.conftest import Client
from tests.refresh.landing import Landing
from tests.reports.rows import DAY, NOON, SITE
from tests.written_day import write_day

pytestmark = pytest.mark.s3

OCTOBER = date(2026, 10, 31)
WHO = "visitor-4711-to-be-forgotten"


def visit(number: int, day: date, **fields: object) -> Mapping[str, object]:
    """An event of one of a few visitors on one of a few pages."""
    return {
        "event_id": f"{day}-{number}",
        "occurred_at": NOON + (day - DAY) + timedelta(minutes=7 * number),
        "visitor_id": f"visitor {number % 5}",
        "object_id": f"visitor {number % 5}",
        "url": f"https://{SITE}/page/{number % 3}?utm_source=letter",
        "referrer": "https://www.google.com/" if number % 2 else None,
        "action": "signup" if number % 7 == 0 else "pageview",
        "subject_type": "page",
        "subject_id": f"/page/{number % 3}",
        **fields,
    }


def land_some(lake: Lake) -> Landing:
    """Three days, one of them long ago, in several commits, with duplicates."""
    landing = Landing(lake)
    for day in (DAY, DAY + timedelta(days=1), date(2015, 5, 17)):
        landing.land(*(visit(number, day) for number in range(20)))
        landing.land(*(visit(number, day, kafka_partition=1) for number in range(15, 25)))
    landing.land({"kind": "dead_letter", "event_id": None, "reason": "invalid", "body": WHO.encode()})
    return landing


def refresh(lake: Lake) -> None:
    take_in(lake, {})
    for report in REPORTS:
        build(lake, report, open_version(lake, EVENTS).revisions)


def rows_of(lake: Lake, name: str) -> pl.DataFrame:
    spec = next(spec for spec in (EVENTS, *(report.spec for report in REPORTS)) if spec.name == name)
    return open_version(lake, spec).scan().sort(spec.key).collect()


def test_all_tables_are_those_of_a_lake_in_a_folder(lake: Lake, tmp_path: Path) -> None:
    in_folder = Lake(str(tmp_path / "lake"))
    for each in (lake, in_folder):
        landing = land_some(each)
        refresh(each)
        # What is late changes days that are built already.
        landing.land(visit(30, DAY), visit(31, date(2015, 5, 17)))
        refresh(each)
    for name in (EVENTS.name, *(report.name for report in REPORTS)):
        in_store = rows_of(lake, name)
        assert_frame_equal(in_store, rows_of(in_folder, name))
    assert rows_of(lake, "traffic")["events"].sum() == 77
    files = "reports_parquet/traffic/*.parquet"
    stored = pl.read_parquet(f"{lake.parent}/{files}", storage_options=dict(lake.storage_options))
    assert_frame_equal(stored, pl.read_parquet(tmp_path / files))


@pytest.fixture
def table(lake: Lake) -> ReportTable:
    table = ReportTable(lake, SPEC)
    table.declare()
    for day, count in ((OCTOBER, 1), (MONDAY, 2), (TUESDAY, 3)):
        write_day(table, day, hits(day, count), 1)
    return table


def written(lake: Lake) -> pl.DataFrame:
    files = f"{lake.parent}/reports_parquet/hits/*.parquet"
    return pl.read_parquet(files, storage_options=dict(lake.storage_options)).sort("date", "path")


def test_the_plain_files_of_a_report_follow_its_table(lake: Lake, table: ReportTable, shared_server: S3Server) -> None:
    assert update_parquet_files(lake, SPEC) == ["2026-10", "2026-11"]
    assert update_parquet_files(lake, SPEC) == []
    assert_frame_equal(written(lake), open_version(lake, SPEC).scan().collect().sort("date", "path"))
    write_day(table, OCTOBER, hits(OCTOBER), 2)
    assert update_parquet_files(lake, SPEC) == ["2026-10"]
    folder = f"{lake.parent.removeprefix('s3://')}/reports_parquet/hits"
    assert [file.base_name for file in shared_server.files().get_file_info(FileSelector(folder))] == ["2026-11.parquet"]


def test_of_two_writers_the_one_with_the_older_rows_does_not_win(
    lake: Lake, table: ReportTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = FolderInStore.write

    def overtaken(self: FolderInStore, month: str, rows: pl.LazyFrame, mark: str) -> None:
        monkeypatch.setattr(FolderInStore, "write", write)
        write_day(table, MONDAY, hits(MONDAY, 9), 2)
        write_day(table, OCTOBER, hits(OCTOBER), 2)
        update_parquet_files(lake, SPEC)
        write(self, month, rows, mark)

    monkeypatch.setattr(FolderInStore, "write", overtaken)
    update_parquet_files(lake, SPEC)
    assert_frame_equal(written(lake), open_version(lake, SPEC).scan().collect().sort("date", "path"))


def test_a_report_is_answered_and_a_repeated_read_is_a_304(lake: Lake, tmp_path: Path) -> None:
    landing = land_some(lake)
    refresh(lake)
    register_site(tmp_path / "sites.toml", SITE)
    app = create_app(QuerySettings(home=tmp_path, lake_uri=lake.uri))
    client = Client(app, {"Authorization": f"Bearer {read_token(tmp_path)}"})
    asked: dict[str, Any] = {"params": {"site": SITE, "from": "2015-05-01", "to": DAY.isoformat()}}
    first = client.get("/api/reports/traffic", **asked)
    assert [row["date"] for row in first.json()["rows"]] == ["2015-05-17", DAY.isoformat()]
    known = {"headers": {"If-None-Match": first.headers["etag"]}}
    assert client.get("/api/reports/traffic", **asked, **known).status_code == 304
    landing.land(visit(30, DAY))
    refresh(lake)
    assert client.get("/api/reports/traffic", **asked, **known).status_code == 200


def test_a_run_of_dagster_refreshes_and_shows_no_secret(
    lake: Lake, tmp_path: Path, shared_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pause in ("PAUSE", "PAUSE_AFTER_FAILURES"):
        monkeypatch.setattr(f"dagster_project.defs.reports.sensors.{pause}", timedelta())
    with dg.DagsterInstance.ephemeral() as instance:
        home = Home(tmp_path, instance, lake)
        land_some(lake)
        said = home.look()
        assert isinstance(said, dg.SensorResult)
        assert said.run_requests
        result = home.run(said.run_requests[0])
        assert result.success
        assert all(check.passed for check in result.get_asset_check_evaluations())
        kept = str([record.event_log_entry for record in instance.get_records_for_run(result.run_id).records])
        kept += str(instance.get_runs())
    assert rows_of(lake, "traffic")["events"].sum() == 75
    assert lake.uri in str(home.resource)
    assert shared_server.secret not in kept + str(home.resource)


def test_who_is_erased_is_in_no_object(lake: Lake, tmp_path: Path, shared_server: S3Server) -> None:
    landing = land_some(lake)
    landing.land(visit(40, DAY, visitor_id=WHO, object_id=WHO), visit(41, DAY, visitor_id=WHO, object_id=WHO))
    refresh(lake)
    register_site(tmp_path / "sites.toml", SITE)
    done = subprocess.run(
        [sys.executable, "-m", "logektor", "erase", f"--visitor={WHO}", "--yes", f"--home={tmp_path}"],
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Erased: 2 raw events and 1 dead letters" in done.stdout
    assert audit(lake).exact
    files = shared_server.files()
    objects = files.get_file_info(FileSelector(lake.parent.removeprefix("s3://"), recursive=True))
    assert len(objects) > 20
    for each in objects:
        if each.is_file:
            with files.open_input_file(each.path) as file:
                content = file.read()
                assert WHO.encode() not in content, each.path
                if each.path.endswith(".parquet"):
                    assert WHO not in str(pl.read_parquet(content).to_dicts()), each.path
    assert rows_of(lake, "traffic")["events"].sum() == 75
