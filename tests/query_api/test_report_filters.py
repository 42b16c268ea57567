"""Filters of a report: by texts, before the days are added up, and what is wrong is told."""

import json
from typing import Any

import polars as pl
import pytest

from tests.query_api.conftest import DAYS, SITE, Client, Home

RANGE = {"site": SITE, "from": DAYS[0].isoformat(), "to": DAYS[-1].isoformat()}


def filtered(client: Client, report: str, *filters: object, **parameters: Any) -> list[dict[str, Any]]:
    return client.rows(f"/api/reports/{report}", **RANGE, filters=json.dumps(filters), **parameters)


def test_filters_let_through_the_rows_that_meet_all(client: Client, home: Home) -> None:
    rows = filtered(
        client,
        "pages",
        ["contains", "path", ["/page/1"]],
        ["not", ["or", [["is", "path", ["/page/1", "/page/10"]], ["contains_not", "path", ["1"]]]]],
    )
    of_site = home.frames["pages"].filter(pl.col("site") == SITE)
    expected = of_site.filter(pl.col("path").is_in([f"/page/1{digit}" for digit in range(1, 6)]))
    assert len(rows) == expected.height == 5 * len(DAYS)
    assert {row["path"] for row in rows} == set(expected["path"])


def test_a_range_adds_up_what_is_left(client: Client, home: Home) -> None:
    (row,) = filtered(client, "sources", ["is", "channel", ["direct"], {"case_sensitive": False}], per="range")
    expected = home.frames["sources"].filter(pl.col("site") == SITE, pl.col("channel") == "Direct")
    assert row["visits"] == expected["visits"].sum()


def test_pages_of_filtered_rows_follow_each_other(client: Client) -> None:
    whole = filtered(client, "pages", ["is_not", "path", ["/page/2"]])
    first = client.get("/api/reports/pages", params={**RANGE, "filters": '[["is_not","path",["/page/2"]]]', "limit": 7})
    second = client.get(first.links["next"]["url"])
    assert first.json()["rows"] + second.json()["rows"] == whole[:14]


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ("[", "no JSON"),
        ("[" * 10_000, "no JSON"),
        ('[["is","visitors",["1"]]]', "'visitors' is no column to filter by; there are path"),
        ('[["is","site",["other.example"]]]', "'site' is no column to filter by"),
        ('[["matches","path",["(a+)+$"]]]', "'matches' is no operator"),
        ('{"is": 1}', "is no list"),
    ],
)
def test_a_wrong_filter_is_told(client: Client, filters: str, words: str) -> None:
    answer = client.get("/api/reports/pages", params={**RANGE, "filters": filters})
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]
