"""What became of everything that was landed on a day."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import polars as pl

from pipelines.reports.clean_events import enrich
from pipelines.reports.dead_letters_daily import DEAD_LETTERS_DAILY
from pipelines.reports.duplicates import first_of_each
from pipelines.reports.quality import QUALITY
from tests.reports.rows import DAY, GOOGLEBOT, NOON, SITE, after, built, raw

NEXT_DAY = DAY + timedelta(days=1)


def quality(*rows: Mapping[str, Any]) -> dict[tuple[str, date], dict[str, int]]:
    landed = raw(*rows)
    events = landed.filter(pl.col("kind") == "event")
    counted = first_of_each(enrich(events.collect(), {}))
    result = built(
        QUALITY,
        raw_events=events,
        dead_letters=landed.filter(pl.col("kind") == "dead_letter"),
        events=counted.lazy(),
    )
    return {
        (row.pop("site"), row.pop("date")): {name: count for name, count in row.items() if count}
        for row in result.to_dicts()
    }


def dead(site: str | None = SITE, **values: object) -> dict[str, object]:
    return {"kind": "dead_letter", "site": site, "reason": "invalid_field", **values}


def test_what_is_landed_is_counted_or_a_duplicate_of_what_counts_elsewhere() -> None:
    assert quality(
        {"event_id": "a"},
        {"event_id": "a", "received_at": after(1)},
        {"event_id": "a", "received_at": after(2), "landed_date": NEXT_DAY},
        {"event_id": "b", "landed_date": NEXT_DAY},
    ) == {
        (SITE, DAY): {"landed": 2, "counted": 1, "duplicates": 1},
        (SITE, NEXT_DAY): {"landed": 2, "counted": 1, "duplicates": 1},
    }


def test_late_adjusted_and_bots_are_told_apart() -> None:
    found = quality(
        {"occurred_at": NOON - timedelta(days=1)},
        {"occurred_at": NOON - timedelta(days=2)},
        {"clock_adjusted": True},
        {"user_agent": GOOGLEBOT},
    )
    assert found == {(SITE, DAY): {"landed": 4, "counted": 4, "late": 1, "clock_adjusted": 1, "bots": 1}}


def test_dead_letters_count_for_their_site_or_for_none() -> None:
    assert quality({}, dead(), dead(None), dead("other.org")) == {
        (SITE, DAY): {"landed": 1, "counted": 1, "dead_letters": 1},
        ("", DAY): {"dead_letters": 1},
        ("other.org", DAY): {"dead_letters": 1},
    }


def test_dead_letters_are_counted_by_reason() -> None:
    landed = raw(dead(), dead(), dead(reason="not_json"), dead(None, landed_date=NEXT_DAY))
    assert built(DEAD_LETTERS_DAILY, dead_letters=landed).rows() == [
        ("", NEXT_DAY, "invalid_field", 1),
        (SITE, DAY, "invalid_field", 2),
        (SITE, DAY, "not_json", 1),
    ]
