"""Clean events for laws: few sites, days, visitors, pages and instants, so that they meet."""

from datetime import date
from typing import Any

from hypothesis import strategies as st

from tests.reports.rows import DAY, after

NEXT_DAY = date(2026, 11, 21)

_happened = st.fixed_dictionaries(
    {
        "site": st.sampled_from(["example.com", "other.org"]),
        "event_date": st.sampled_from([DAY, NEXT_DAY]),
        "event_hour": st.sampled_from([12, 13]),
        "visitor_id": st.sampled_from(["ann", "bob", "crawler", None]),
        "action": st.sampled_from(["pageview", "pageview", "signup", "request", "error", "engagement"]),
        "occurred_at": st.sampled_from([0, 0, 1, 20, 45, 80]).map(after),
        "path": st.sampled_from(["/", "/a", None]),
        "source": st.sampled_from(["Google", "Direct / None"]),
        "utm_campaign": st.sampled_from(["spring", None, None]),
        "subject_type": st.sampled_from(["page", None]),
        "subject_id": st.sampled_from(["1", "2", None]),
        "object_id": st.sampled_from(["7", None]),
        "device": st.sampled_from(["Mobile", "Desktop", None]),
        "country": st.sampled_from(["DE", None]),
        "kafka_partition": st.sampled_from([0, 1]),
        "is_bot": st.booleans().flatmap(lambda rarely: st.booleans() if rarely else st.just(False)),
    }
)
_engagement = st.fixed_dictionaries(
    {
        "engaged_ms": st.sampled_from([0, 1, 999, 60_001, None]),
        "scroll_depth": st.sampled_from([10, 50, 100, None]),
    }
)


def _with_engagement(drawn: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    happened, engagement = drawn
    return {**happened, **(engagement if happened["action"] == "engagement" else {})}


some_events = st.lists(st.tuples(_happened, _engagement).map(_with_engagement), max_size=25)
"""Rows for tests.reports.rows.events."""
