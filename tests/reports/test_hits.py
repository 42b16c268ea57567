"""What the table `hits` says of events and their visits."""

from random import Random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipelines.reports.conversions import CONVERSIONS
from pipelines.reports.hits import HITS
from pipelines.reports.people import of_people
from pipelines.reports.report import SITE_GOALS
from pipelines.reports.session_cuts import PASSIVE_ACTIONS
from pipelines.reports.sessions import SESSIONS
from pipelines.reports.traffic import TRAFFIC
from sites import Goal
from tests.reports.generated import NEXT_DAY, some_events
from tests.reports.rows import DAY, after, built, events
from tests.reports.site_settings import settings as site_settings
from tests.reports.site_settings import site
from tests.reports.test_report_laws import by_day

GOALS = site_settings(site(Goal("Sign up", "signup"), Goal("Home", page="/"), Goal("Any page", page="**")))

law = settings(deadline=None, max_examples=30)


def hits_of(clean: pl.LazyFrame) -> pl.DataFrame:
    sessions = built(SESSIONS, events=clean).lazy()
    conversions = built(CONVERSIONS, events=clean, sessions=sessions, **{SITE_GOALS: GOALS[SITE_GOALS]}).lazy()
    return built(HITS, events=clean, conversions=conversions)


def page(minutes: float, **values: Any) -> dict[str, Any]:
    return {"occurred_at": after(minutes), **values}


@law
@given(some_events)
def test_each_event_of_people_is_one_hit(rows: list[dict[str, Any]]) -> None:
    clean = events(*rows)
    hits = hits_of(clean)
    assert dict(hits.schema) == dict(HITS.spec.schema)
    assert not hits.select(HITS.spec.key).is_duplicated().any()
    own = ("site", "event_id", "occurred_at", "action", "path", "host", "visitor_id", "engaged_ms", "scroll_depth")
    happened = of_people(clean).select(*own, "properties", date="event_date").collect()
    assert_frame_equal(hits.select(happened.columns), happened, check_row_order=False)


@law
@given(some_events)
def test_hits_add_up_to_the_visits_of_sessions_and_traffic(rows: list[dict[str, Any]]) -> None:
    clean = events(*rows)
    hits = hits_of(clean)
    sessions = built(SESSIONS, events=clean)
    traffic = built(TRAFFIC, events=clean, sessions=sessions.lazy())
    visits = (
        hits.drop_nulls("session_id")
        .unique("session_id")
        .with_columns(visits=1, bounces=pl.col("session_is_bounce"), visit_seconds=pl.col("session_seconds"))
    )
    sums = ("visits", "bounces", "visit_seconds")
    assert by_day(visits, "date", *sums) == by_day(traffic, "date", *sums)
    viewed = hits.with_columns(pageviews=pl.col("action") == "pageview", events=pl.col("action") != "engagement")
    assert by_day(viewed, "date", "pageviews", "events") == by_day(traffic, "date", "pageviews", "events")
    visitors = hits.filter(pl.col("action") != "engagement", pl.col("visitor_id").is_not_null())
    visitors = visitors.unique(["site", "date", "visitor_id"]).with_columns(visitors=1)
    assert by_day(visitors, "date", "visitors") == by_day(
        built(TRAFFIC, events=of_people(clean).filter(pl.col("action") != "engagement"), sessions=sessions.lazy()),
        "date",
        "visitors",
    )


@law
@given(some_events)
def test_a_visit_is_described_as_in_sessions(rows: list[dict[str, Any]]) -> None:
    clean = events(*rows)
    shared = ("source", "channel", "referrer_host", "utm_campaign", "entry_page", "exit_page", "country", "device")
    key = ("site", "date", "visitor_id", "started_at")
    of_visits = hits_of(clean).drop_nulls("session_id")
    active = of_visits.filter(~pl.col("action").is_in(PASSIVE_ACTIONS))
    of_hits = active.group_by("session_id").agg(
        pl.col("site", "date", "visitor_id").first(),
        pl.col("occurred_at").min().alias("started_at"),
        pl.col(*shared, "session_pageviews").first(),
    )
    of_sessions = built(SESSIONS, events=clean).filter(~pl.col("is_bot")).rename({"session_date": "date"})
    assert_frame_equal(
        of_hits.select(*key, *shared, pageviews="session_pageviews"),
        of_sessions.select(*key, *shared, "pageviews"),
        check_row_order=False,
    )
    assert of_visits.select("session_id", "visitor_id", *shared).n_unique() == of_hits.height


@law
@given(some_events, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter_nor_do_other_days(rows: list[dict[str, Any]], random: Random) -> None:
    clean = events(*rows).collect()
    order = list(range(clean.height))
    random.shuffle(order)
    together = hits_of(clean.lazy())
    assert_frame_equal(hits_of(clean[order].lazy()), together)
    alone = [hits_of(clean.filter(pl.col("event_date") == day).lazy()) for day in (DAY, NEXT_DAY)]
    assert_frame_equal(pl.concat(alone).sort(HITS.spec.key), together)


def test_visits_of_other_days_and_sites_have_other_ids() -> None:
    hits = hits_of(events(page(0), page(0, event_date=NEXT_DAY), page(0, site="other.org"), page(60), page(61)))
    assert hits["session_id"].n_unique() == 4
    assert hits.filter(pl.col("occurred_at") >= after(60))["session_id"].n_unique() == 1


def test_what_a_page_says_on_leaving_belongs_to_the_visit_before() -> None:
    left = {"action": "engagement", "engaged_ms": 100, "scroll_depth": 20, "source": "Google", "path": "/left"}
    hits = hits_of(events(page(0), page(50, **left), page(0, visitor_id="bob", **left), page(1, visitor_id=None)))
    told = {row["event_id"]: (row["session_id"], row["source"], row["entry_page"]) for row in hits.to_dicts()}
    assert told["event 0001"] == told["event 0000"]
    assert told["event 0002"] == (None, "Google", None)
    assert told["event 0003"] == (None, "Direct / None", None)


def test_a_hit_names_all_goals_it_reaches() -> None:
    hits = hits_of(events(page(0), page(1, path="/a"), page(2, action="signup"), page(3, action="error")))
    assert hits["goals"].to_list() == [["Any page", "Home"], ["Any page"], ["Sign up"], []]


def test_bots_leave_no_hit() -> None:
    assert hits_of(events(page(0, is_bot=True), page(1), page(2, visitor_id="bob"))).height == 1
