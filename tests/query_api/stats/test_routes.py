"""What POST /api/v2/query promises, on a lake that the pipelines built."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from pipelines.reports.hits import HITS
from query_api.stats.hits import SCHEMA
from query_api.stats.routes import MOST_BYTES
from tests.query_api.conftest import OTHER, SITE, Client
from tests.query_api.stats.lake_of_hits import NOW, HitsHome, new_home

QUERY = {"site_id": SITE, "metrics": ["visitors", "pageviews"], "date_range": "day"}


def ask(client: Client, headers: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
    return client.request("POST", "/api/v2/query", json={**QUERY, **changes}, headers=headers or {})


def results(client: Client, **changes: Any) -> list[list[Any]]:
    """Each row as its dimensions and metrics."""
    answer = ask(client, **changes)
    assert answer.status_code == 200, answer.text
    return [[*row["dimensions"], *row["metrics"]] for row in answer.json()["results"]]


def page(visitor: str, minutes_ago: float, path: str = "/", site: str = SITE, **values: Any) -> dict[str, Any]:
    happened = NOW - timedelta(minutes=minutes_ago)
    return {"visitor_id": visitor, "occurred_at": happened, "url": f"https://{site}{path}", "site": site, **values}


ROWS = (
    page("ann", 100, "/docs/one", referrer="https://www.google.com/"),
    page("ann", 99, "/", action="signup"),
    page("bob", 90, "/docs/one"),
    page("bob", 26 * 60, "/old"),
    page("cat", 10, site=OTHER),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> HitsHome:
    home = new_home(tmp_path_factory.mktemp("home"))
    home.landing.land(*ROWS)
    home.refresh()
    return home


@pytest.fixture(scope="module")
def client(home: HitsHome) -> Client:
    return home.client()


def test_the_table_has_what_answers_are_made_of() -> None:
    assert {name: HITS.spec.schema[name] for name in SCHEMA} == SCHEMA


def test_an_answer_has_results_meta_and_the_question_as_it_was_understood(client: Client) -> None:
    answer = ask(client, dimensions=["event:page"], include={"total_rows": True}, pagination={"limit": 1})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "results": [{"metrics": [2, 2], "dimensions": ["/docs/one"]}],
        "meta": {"total_rows": 2},
        "query": {
            "site_id": SITE,
            "metrics": ["visitors", "pageviews"],
            "date_range": ["2026-03-30", "2026-03-30"],
            "dimensions": ["event:page"],
            "filters": [],
            "order_by": [["visitors", "desc"]],
            "include": {"total_rows": True, "time_labels": False},
            "pagination": {"limit": 1, "offset": 0},
        },
    }


def test_the_question_of_an_answer_may_be_asked_again(client: Client) -> None:
    modified = ["contains", "visit:source", ["OO"], {"case_sensitive": False}]
    filters = [["not", ["or", [["is", "event:page", ["/x", None]], modified]]]]
    first = ask(client, date_range="24h", dimensions=["time:hour"], filters=filters)
    again = client.request("POST", "/api/v2/query", json=first.json()["query"])
    assert again.json() == first.json()
    assert [row["metrics"] for row in first.json()["results"]] == [[1, 1]]


def test_goals_and_visits_come_from_the_pipelines(client: Client) -> None:
    assert results(client, metrics=["visitors", "conversion_rate"], dimensions=["event:goal"]) == [
        ["Docs", 2, 100.0],
        ["Sign up", 1, 50.0],
    ]
    assert results(client, metrics=["visits", "bounce_rate"], dimensions=["visit:source"]) == [
        ["Direct / None", 1, 100.0],
        ["Google", 1, 0.0],
    ]


def test_all_begins_with_the_first_day_of_the_site(client: Client) -> None:
    answer = ask(client, date_range="all", dimensions=["time:day"], include={"time_labels": True}).json()
    assert answer["query"]["date_range"] == ["2026-03-29", "2026-03-30"]
    assert answer["meta"]["time_labels"] == ["2026-03-29", "2026-03-30"]
    of_other = ask(client, site_id=OTHER, date_range="all").json()
    assert of_other["query"]["date_range"] == ["2026-03-30", "2026-03-30"]


def test_labels_are_all_hours_of_the_site_s_clock_up_to_now(client: Client) -> None:
    def labels(date_range: Any, *dimensions: str) -> list[str]:
        asked = ask(client, date_range=date_range, dimensions=[*dimensions], include={"time_labels": True})
        found: list[str] = asked.json()["meta"]["time_labels"]
        return found

    today = labels("day", "time")
    assert (today[0], today[-1], len(today)) == ("2026-03-30 00:00:00", "2026-03-30 17:00:00", 18)
    changed = labels(["2026-03-29", "2026-03-29"], "time:hour")
    assert len(changed) == 23
    assert "2026-03-29 02:00:00" not in changed
    assert labels(["2026-03-28T23:10:00Z", "2026-03-29T02:00:00+02:00"], "time") == ["2026-03-29 00:00:00"]
    assert labels("month", "event:page", "time:week")[-1] == "2026-03-30"
    assert labels("6mo", "time:month")[0] == "2025-10-01"
    assert labels(["2027-01-01", "2027-01-02"], "time") == []
    assert labels(["2026-03-29", "9999-12-31"], "time:day") == ["2026-03-29", "2026-03-30"]


def test_what_the_reader_has_is_not_sent_again_until_the_table_changes(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    client = home.client()
    assert results(client) == [[0, 0]]
    etags = {ask(client).headers["etag"]}
    home.landing.land(page("ann", 5))
    home.refresh()
    etags.add(ask(client).headers["etag"])
    assert results(client) == [[1, 1]]
    etags.add(ask(client, metrics=["visits"]).headers["etag"])
    etags.add(ask(client, date_range="7d").headers["etag"])
    assert len(etags) == 4
    same = ask(client, {"If-None-Match": ask(client).headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    home.landing.land(page("bob", 4))
    home.refresh()
    changed = ask(client, {"If-None-Match": same.headers["etag"]})
    assert (changed.status_code, changed.json()["results"][0]["metrics"]) == (200, [2, 2])


def test_a_token_reads_its_sites_only(home: HitsHome) -> None:
    shared = home.client("share", OTHER)
    assert results(shared, site_id=OTHER) == [[1, 1]]
    foreign, unknown = ask(shared), ask(shared, site_id="nowhere")
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (400, "unknown_site")
    assert foreign.json()["error"]["field"] == "site_id"
    assert foreign.text.replace(SITE, "nowhere") == unknown.text
    nobody = Client(shared.app, {"Authorization": "Bearer wrong"})
    assert ask(nobody).status_code == 401
    assert nobody.get("/api/v2/query/schema.json").status_code == 401


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"metrics": ["visitors", "sql"]}, "metrics[1]"),
        ({"filters": [["and", [["matches", "event:page", ["(a+)+$"]]]]]}, "filters[0][1][0][0]"),
        ({"dimensions": ["event:props:a\\b"]}, "dimensions[0]"),
        ({"date_range": ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]}, "date_range"),
        (
            {
                "date_range": ["1000-01-01", "2026-03-30"],
                "dimensions": ["time:hour"],
                "include": {"time_labels": True},
            },
            "include.time_labels",
        ),
    ],
)
def test_a_wrong_question_names_the_place(client: Client, changes: dict[str, Any], place: str) -> None:
    answer = ask(client, **changes)
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["field"]) == ("invalid_query", place)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 30_000, b"NaN", b"null", b"[]", b"9" * 5_000])
def test_a_body_that_is_no_question_is_told(client: Client, body: bytes) -> None:
    answer = client.request("POST", "/api/v2/query", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_query")


def test_a_question_is_bounded(client: Client) -> None:
    answer = client.request("POST", "/api/v2/query", content=json.dumps(QUERY) + " " * MOST_BYTES)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("text", ["../../../etc/passwd", "' OR 1=1 --", "(a+)+$", "a" * 2_000, "%", "\0", "*", "${x}"])
def test_texts_of_a_question_are_texts(client: Client, text: str) -> None:
    for operator in ("is", "contains"):
        for dimension in ("event:page", "event:goal", 'event:props:pl"an', "event:props:$..*"):
            assert results(client, filters=[[operator, dimension, [text]]]) == [[0, 0]]
    assert ask(client, site_id=text).status_code == 400
    assert results(client, filters=[["contains_not", "event:page", [text]]]) == results(client)


def test_the_schema_is_published_and_takes_what_is_taken(client: Client) -> None:
    schema = client.get("/api/v2/query/schema.json")
    validator = jsonschema_rs.Draft202012Validator(schema.json())
    validator.validate(QUERY)
    validator.validate(ask(client, dimensions=["time"]).json()["query"])
    assert not validator.is_valid({**QUERY, "metrics": ["sql"]})
