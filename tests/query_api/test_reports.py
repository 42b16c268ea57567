"""GET /api/sites, /api/reports and /api/reports/{name}: what is answered is what the tables hold."""

import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.reports.traffic import TRAFFIC
from query_api.app import create_app
from tests.query_api.conftest import DAYS, EMPTY, OLD_DAYS, OTHER, SITE, TODAY, Client, Home

RANGE = {"site": SITE, "from": DAYS[0].isoformat(), "to": DAYS[-1].isoformat()}
OLD = {"site": OTHER, "from": "2015-05-01", "to": "2015-05-31"}


def table(home: Home, report: str, site: str = SITE) -> pl.DataFrame:
    return home.frames[report].filter(pl.col("site") == site)


def test_the_catalogue_says_what_each_column_means(client: Client, home: Home) -> None:
    reports = {report["name"]: report for report in client.get("/api/reports").json()["reports"]}
    assert set(reports) == set(home.frames)
    traffic = reports["traffic"]
    assert traffic["description"] == TRAFFIC.spec.description
    assert traffic["key"] == ["site", "date"]
    assert traffic["columns"] == [
        {
            "name": column.name,
            "dtype": str(column.dtype),
            "meaning": column.meaning,
            "unit": column.unit,
            "additive": column.additive,
        }
        for column in TRAFFIC.spec.columns
    ]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(traffic["refreshed_at"])) < timedelta(minutes=10)


def test_sites_come_with_their_day_and_the_snippet(home: Home) -> None:
    late = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    app = create_app(home.settings(collector_url="https://collect.example/"), now=lambda: late)
    first, second, _ = Client(app, home.bearer).get("/api/sites").json()["sites"]
    assert (first["domain"], first["time_zone"], first["today"]) == (SITE, "Europe/Berlin", "2026-11-22")
    assert second["today"] == "2026-11-21"
    assert first["snippet"] == f'<script defer data-site="{SITE}" src="https://collect.example/logektor.js"></script>'


def test_no_secret_is_in_the_list_of_sites(client: Client, home: Home) -> None:
    sites = (home.path / "sites.toml").read_text()
    text = client.get("/api/sites").text
    assert "server_key" in sites
    assert "sk_" not in text
    assert home.token not in text


@pytest.mark.parametrize("report", ["traffic", "pages", "sources", "actions"])
def test_json_rows_are_the_tables_rows(client: Client, home: Home, report: str) -> None:
    rows = client.rows(f"/api/reports/{report}", **RANGE)
    key = [column for column in home.frames[report].columns if home.frames[report].schema[column] != pl.Int64]
    expected = table(home, report).sort(key).with_columns(pl.col("date").dt.to_string())
    assert rows == expected.rows(named=True)


def test_both_ends_of_the_range_are_inclusive(client: Client) -> None:
    rows = client.rows("/api/reports/traffic", **{**OLD, "from": "2015-05-18", "to": "2015-05-19"})
    assert [row["date"] for row in rows] == ["2015-05-18", "2015-05-19"]


def test_the_default_is_the_last_30_days_of_the_sites_calendar(home: Home) -> None:
    late = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    app = Client(create_app(home.settings(), now=lambda: late), home.bearer)
    berlin = app.get("/api/reports/traffic", params={"site": SITE}).json()
    utc = app.get("/api/reports/traffic", params={"site": OTHER}).json()
    assert (berlin["from"], berlin["to"]) == ("2026-10-24", "2026-11-22")
    assert (utc["from"], utc["to"]) == ("2026-10-23", "2026-11-21")


def test_a_site_without_rows_has_none(client: Client) -> None:
    answer = client.get("/api/reports/traffic", params={"site": EMPTY}).json()
    assert (answer["rows"], answer["next"]) == ([], None)


def test_the_only_site_need_not_be_named(tmp_path: Path, own_home: Home) -> None:
    sites = own_home.path / "sites.toml"
    sites.write_text("[[site]]" + sites.read_text().split("[[site]]")[1])
    answer = Client(create_app(own_home.settings()), own_home.bearer).get("/api/reports/traffic").json()
    assert answer["site"] == SITE
    assert len(answer["rows"]) == 1


def test_a_site_added_meanwhile_is_known_at_once(own_home: Home) -> None:
    from sites import register_site

    client = Client(create_app(own_home.settings()), own_home.bearer)
    assert client.get("/api/reports/traffic", params={"site": "later.example"}).status_code == 400
    register_site(own_home.path / "sites.toml", "later.example")
    assert client.rows("/api/reports/traffic", site="later.example") == []


def test_pages_follow_each_other_and_end(client: Client, home: Home) -> None:
    rows: list[dict[str, Any]] = []
    parameters: dict[str, Any] = {**RANGE, "order": "-pageviews", "limit": 170}
    while True:
        answer = client.get("/api/reports/pages", params=parameters)
        rows += answer.json()["rows"]
        following = answer.json()["next"]
        if following is None:
            assert "link" not in answer.headers
            break
        assert len(answer.json()["rows"]) == 170
        assert answer.headers["link"] == f'<{answer.links["next"]["url"]}>; rel="next"'
        linked = client.get(answer.links["next"]["url"]).json()["rows"]
        parameters["next"] = following
        assert linked == client.get("/api/reports/pages", params=parameters).json()["rows"]
    expected = table(home, "pages").sort(["pageviews", "site", "date", "path"], descending=[True, False, False, False])
    assert rows == expected.with_columns(pl.col("date").dt.to_string()).rows(named=True)


def test_a_refresh_between_two_pages_shows_no_row_twice(own_home: Home) -> None:
    client = Client(create_app(own_home.settings()), own_home.bearer)
    day = DAYS[-1]
    row = table(own_home, "traffic").row(0)
    own_home.replace(TRAFFIC.spec, day - timedelta(days=2), traffic(day - timedelta(days=2), row), 1)
    own_home.replace(TRAFFIC.spec, day - timedelta(days=1), traffic(day - timedelta(days=1), row), 1)
    first = client.get("/api/reports/traffic", params={"site": SITE, "limit": 1}).json()
    own_home.replace(TRAFFIC.spec, day - timedelta(days=3), traffic(day - timedelta(days=3), row), 2)
    second = client.get("/api/reports/traffic", params={"site": SITE, "limit": 9, "next": first["next"]}).json()
    dates = [found["date"] for found in first["rows"] + second["rows"]]
    assert dates == [(day - timedelta(days=ago)).isoformat() for ago in (2, 1, 0)]


def traffic(day: date, like: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame([(SITE, day, *like[2:])], schema=dict(TRAFFIC.spec.schema), orient="row")


def test_per_range_adds_the_days_up(client: Client, home: Home) -> None:
    answer = client.get("/api/reports/pages", params={**RANGE, "per": "range", "order": "-visitors", "limit": 3}).json()
    expected = table(home, "pages").group_by("site", "path").agg(pl.col(pl.Int64).sum())
    assert answer["rows"] == expected.sort("visitors", descending=True).head(3).rows(named=True)
    meanings = {column["name"]: column["meaning"] for column in answer["columns"]}
    assert "date" not in meanings
    assert meanings["visitors"].endswith("the sum of the daily values")
    assert "sum" not in meanings["pageviews"]


@pytest.mark.parametrize("report", ["traffic", "pages", "sources", "actions"])
def test_parquet_holds_the_tables_rows_and_types(client: Client, home: Home, report: str) -> None:
    answer = client.get(f"/api/reports/{report}.parquet", params=RANGE)
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="{report}_{SITE}_{DAYS[0]}_{DAYS[-1]}.parquet"'
    )
    assert_frame_equal(pl.read_parquet(io.BytesIO(answer.content)), table(home, report), check_row_order=False)


def test_csv_and_parquet_say_the_same_to_duckdb(client: Client, home: Home, tmp_path: Path) -> None:
    for suffix in ("csv", "parquet"):
        answer = client.get(f"/api/reports/actions.{suffix}", params=RANGE)
        (tmp_path / f"actions.{suffix}").write_bytes(answer.content)
    columns = "site, date, object_type, action, coalesce(subject_type, ''), events, visitors, objects, subjects"
    csv, parquet = (
        duckdb.execute(f"SELECT {columns} FROM '{tmp_path}/actions.{suffix}' ORDER BY ALL").fetchall()
        for suffix in ("csv", "parquet")
    )
    assert csv == parquet == sorted(table(home, "actions").rows())


def test_csv_has_a_header_and_leaves_values_as_they_are(client: Client) -> None:
    answer = client.get("/api/reports/actions", params=OLD, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = answer.text.splitlines()
    assert lines[0] == "site,date,object_type,action,subject_type,events,visitors,objects,subjects"
    assert f"{OTHER},2015-05-17,visitor,=cmd|' /C calc'!A0,\"\",1,1,1,0" in lines


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/json;q=0.5, application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("application/json;q=0, text/csv;q=0.1", "text/csv; charset=utf-8"),
    ],
)
def test_accept_chooses_the_format(client: Client, accept: str, media_type: str) -> None:
    answer = client.get("/api/reports/traffic", params=OLD, headers={"Accept": accept})
    assert answer.headers["content-type"] == media_type
    assert "Accept" in answer.headers["vary"]


@pytest.mark.parametrize(
    ("form", "media_type"),
    [("json", "application/json"), ("csv", "text/csv"), ("parquet", "application/vnd.apache.parquet")],
)
def test_format_chooses_the_format_whatever_is_accepted(client: Client, form: str, media_type: str) -> None:
    for name in ("traffic", f"traffic.{form}"):
        answer = client.get(f"/api/reports/{name}", params={**OLD, "format": form}, headers={"Accept": "image/png"})
        assert answer.headers["content-type"].startswith(media_type)
        assert answer.content == client.get(f"/api/reports/traffic.{form}", params=OLD).content


@pytest.mark.parametrize(
    ("address", "form"), [("traffic", "xml"), ("traffic", ""), ("traffic", "CSV"), ("traffic.csv", "json")]
)
def test_a_format_that_is_none_or_not_the_suffix_is_said(client: Client, address: str, form: str) -> None:
    answer = client.get(f"/api/reports/{address}", params={**OLD, "format": form})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["field"]) == (400, "invalid_parameter", "format")
    assert "csv" in error["message"]


def test_the_suffix_wins_over_accept(client: Client) -> None:
    answer = client.get("/api/reports/traffic.json", params=OLD, headers={"Accept": "text/csv"})
    assert len(answer.json()["rows"]) == len(OLD_DAYS)


def test_a_file_is_whole_or_an_error_and_never_cut_in_silence(home: Home) -> None:
    client = Client(create_app(home.settings(query_max_rows=50)), home.bearer)
    cut = client.get("/api/reports/pages.csv", params=RANGE)
    assert (cut.status_code, cut.json()["error"]["code"]) == (400, "too_many_rows")
    page = client.get("/api/reports/pages.csv", params={**RANGE, "limit": 50})
    assert len(page.text.splitlines()) == 51
    assert "next" in page.links
    assert len(client.get("/api/reports/traffic.csv", params=OLD).text.splitlines()) == len(OLD_DAYS) + 1


def error_of(client: Client, path: str, **parameters: Any) -> tuple[int, str, str | None]:
    answer = client.get(path, params=parameters)
    error = answer.json()["error"]
    assert set(answer.json()) == {"error"}
    assert error["message"]
    return answer.status_code, error["code"], error.get("field")


@pytest.mark.parametrize(
    ("parameters", "code", "field"),
    [
        ({"form": "2026-11-01"}, "unknown_parameter", "form"),
        ({"from": "yesterday"}, "invalid_parameter", "from"),
        ({"from": "1431820800"}, "invalid_parameter", "from"),
        ({"to": "2026-02-30"}, "invalid_parameter", "to"),
        ({"to": "0001-01-01"}, "invalid_parameter", "to"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "invalid_parameter", "from"),
        ({"limit": "0"}, "invalid_parameter", "limit"),
        ({"limit": "100001"}, "invalid_parameter", "limit"),
        ({"limit": "many"}, "invalid_parameter", "limit"),
        ({"order": "nothing"}, "invalid_parameter", "order"),
        ({"order": "-"}, "invalid_parameter", "order"),
        ({"order": "visitors; DROP TABLE traffic"}, "invalid_parameter", "order"),
        ({"order": "date", "per": "range"}, "invalid_parameter", "order"),
        ({"per": "week"}, "invalid_parameter", "per"),
        ({"next": "abc"}, "invalid_parameter", "next"),
        ({"site": "elsewhere.example"}, "unknown_site", "site"),
        ({"site": "../" + SITE}, "unknown_site", "site"),
        ({"site": ""}, "unknown_site", "site"),
        ({"limit": ["1", "2"]}, "invalid_parameter", "limit"),
    ],
)
def test_a_wrong_parameter_is_named(client: Client, parameters: dict[str, Any], code: str, field: str) -> None:
    assert error_of(client, "/api/reports/traffic", **{"site": SITE, **parameters}) == (400, code, field)


def test_with_several_sites_one_must_be_named(client: Client) -> None:
    assert error_of(client, "/api/reports/traffic") == (400, "invalid_parameter", "site")


@pytest.mark.parametrize(
    "name", ["nothing", "landed", "Traffic", "..", "%2e%2e", "..%2f..%2fread_token", "traffic%00", "traffic.exe", "%F0"]
)
def test_no_name_reaches_anything_but_a_report(client: Client, home: Home, name: str) -> None:
    (home.path / "lake" / "not_a_table").mkdir(exist_ok=True)
    for tried in (name, "not_a_table"):
        status, code, _ = error_of(client, f"/api/reports/{tried}", site=SITE)
        assert (status, code) in {(404, "no_such_report"), (404, "not_found")}


def test_other_addresses_and_methods_have_the_same_shape(client: Client) -> None:
    assert error_of(client, "/api/nothing") == (404, "not_found", None)
    assert error_of(client, "/nothing") == (404, "not_found", None)
    answer = client.request("DELETE", "/api/reports/traffic")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    answer = client.get("/api/reports/traffic", params=OLD, headers={"Accept": "image/png"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (406, "not_acceptable")


def test_a_bug_tells_its_story_to_the_log_only(home: Home) -> None:
    def broken() -> datetime:
        raise RuntimeError("secret detail")

    client = Client(create_app(home.settings(), now=broken), home.bearer)
    answer = client.get("/api/reports/traffic", params={"site": SITE})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "secret detail" not in answer.text


def test_before_the_first_refresh_there_are_no_reports_and_no_trouble(tmp_path: Path, home: Home) -> None:
    client = Client(create_app(home.settings(lake_uri=str(tmp_path / "lake"))), home.bearer)
    assert client.get("/api/reports").json() == {"reports": []}
    assert client.get("/health/ready").status_code == 200
    assert error_of(client, "/api/reports/traffic", site=SITE) == (404, "no_such_report", None)


def test_a_lake_that_cannot_be_read_is_said_without_its_address(own_home: Home) -> None:
    client = Client(create_app(own_home.settings()), own_home.bearer)
    for file in (own_home.path / "lake" / "traffic").rglob("*.parquet"):
        file.unlink()
    answer = client.get("/api/reports/traffic", params={"site": SITE})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "lake_away")
    assert answer.headers["retry-after"]
    assert str(own_home.path) not in answer.text


def test_today_is_in_the_default_range(client: Client) -> None:
    assert client.rows("/api/reports/traffic", site=SITE)[-1]["date"] == TODAY.isoformat()
