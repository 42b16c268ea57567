"""Who is erased is in no table and in no file, and what is left still adds up (G2, G4, G6)."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from lake.audit import audit
from lake.erasure import Wanted, read_digest_key
from lake.events_table import EventsTable, taken_in
from lake.location import Lake
from lake.maintenance import compact
from lake.raw import open_landed, scan_dead_letters, scan_raw_events
from lake.removals import read_removals
from lake.retention import expire
from lake.table_version import open_version
from pipelines.refresh.balance import balance
from pipelines.refresh.behind import days_behind
from pipelines.refresh.erasure import Erased, Found, erase, look
from pipelines.refresh.events import rebuild, take_in
from pipelines.refresh.reports import build
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.conversions import CONVERSIONS
from pipelines.reports.people_weekly import PEOPLE_WEEKLY
from pipelines.reports.quality import QUALITY
from sites import Goal
from tests.refresh.landing import Landing
from tests.refresh.traces import traces
from tests.reports.rows import DAY, NOON, SITE
from tests.reports.site_settings import site

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NEXT_DAY = DAY + timedelta(days=1)
WHO = "visitor-4711-to-be-forgotten"
USER = "forgetme@example.com"
OTHER = "visitor-who-stays"
KEY = b"key"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def landing(lake: Lake) -> Landing:
    return Landing(lake)


def refresh(lake: Lake) -> None:
    take_in(lake, {})
    for report in REPORTS:
        build(lake, report, open_version(lake, EVENTS).revisions)


def erased(lake: Lake, wanted: Wanted) -> Erased:
    return erase(lake, wanted, digest_key=KEY, reports=REPORTS, sites={}, now=NOW)


def visit(visitor: str, **fields: object) -> dict[str, object]:
    return {
        "visitor_id": visitor,
        "object_type": "visitor",
        "object_id": visitor,
        "action": "pageview",
        "url": f"https://{SITE}/of/{visitor}",
        **fields,
    }


def dead_letter(body: bytes, **fields: object) -> dict[str, object]:
    return {"kind": "dead_letter", "event_id": None, "site": None, "reason": "invalid", "body": body, **fields}


def land_some(landing: Landing) -> None:
    """Rows of WHO and OTHER on two days and in two stream partitions, in several commits."""
    for number in range(3):
        partition = number % 2
        landing.land(
            visit(WHO, kafka_partition=partition),
            visit(OTHER, kafka_partition=partition),
            visit(WHO, kafka_partition=partition, occurred_at=NOON + timedelta(days=1)),
            dead_letter(b'{"visitorId": "%s"' % WHO.encode(), kafka_partition=partition),
            dead_letter(b'{"visitorId": "%s"' % OTHER.encode(), kafka_partition=partition),
        )


def assert_all_adds_up(lake: Lake) -> None:
    result = audit(lake)
    assert result.exact, result
    days = open_version(lake, EVENTS).days
    assert balance(lake, days, {}).holds
    assert days_behind(lake, REPORTS, {}) == set()


def test_a_visitor_is_in_no_table_no_log_and_no_file(lake: Lake, landing: Landing, tmp_path: Path) -> None:
    land_some(landing)
    refresh(lake)
    compact(lake, "landed", min_files=2)
    landing.land(visit(WHO), visit(OTHER))
    refresh(lake)
    for name in ("landed", "events", "pages"):
        DeltaTable(lake.table_uri(name)).create_checkpoint()
    assert {trace.split("/")[1] for trace in traces(tmp_path, WHO)} >= {"landed", "events", "sessions", "pages"}
    assert look(lake, Wanted(WHO)) == Found(7, 3, 7, frozenset({DAY, NEXT_DAY}))
    assert erased(lake, Wanted(WHO)) == Erased(7, 3, frozenset({DAY, NEXT_DAY}), [])
    assert traces(tmp_path, WHO) == []
    assert traces(tmp_path, OTHER)
    assert look(lake, Wanted(WHO)).nothing
    assert scan_raw_events(lake).collect().height == 4
    assert scan_dead_letters(lake).collect().height == 3
    assert_all_adds_up(lake)
    assert sum(partition.removed for partition in audit(lake).partitions) == 10


def test_what_is_left_equals_a_rebuild(lake: Lake, landing: Landing) -> None:
    land_some(landing)
    landing.land(visit(OTHER, event_id="a"), visit(WHO, event_id="b"), visit(OTHER, event_id="b"))
    refresh(lake)
    erased(lake, Wanted(WHO))
    left = open_version(lake, EVENTS).scan().sort(EVENTS.key).collect()
    assert left.filter(event_id="b").height == 1
    rebuild(lake, [DAY, NEXT_DAY], {})
    assert_frame_equal(open_version(lake, EVENTS).scan().sort(EVENTS.key).collect(), left)


def test_a_user_is_erased_as_who_acts_and_as_whom_it_is_done_to(lake: Lake, landing: Landing, tmp_path: Path) -> None:
    landing.land(
        visit("v1", user_id=USER),
        visit("v2", object_type="user", object_id=USER),
        visit("v3", subject_type="user", subject_id=USER),
        visit("v4", subject_type="article", subject_id="2"),
        dead_letter(b'{"userId": "forgetme%40example.com"}'),
        dead_letter(b"{", detail=f"userId: {USER} is not known"),
        dead_letter(b"{", detail="userId: notforgetme is not known"),
    )
    refresh(lake)
    assert look(lake, Wanted(user_id=USER)) == Found(3, 2, 3, frozenset({DAY}))
    erased(lake, Wanted(user_id=USER))
    assert traces(tmp_path, USER) == []
    assert scan_raw_events(lake).collect()["visitor_id"].to_list() == ["v4"]
    assert_all_adds_up(lake)


def test_a_site_is_erased_and_the_others_stay(lake: Lake, landing: Landing, tmp_path: Path) -> None:
    gone = "gone.example"
    landing.land(visit(WHO), visit(WHO, site=gone, url=None), dead_letter(b"x", site=gone), dead_letter(b"x"))
    landing.land(visit(WHO, site=gone, url=None), dead_letter(b"for gone.example", site=None), visit(OTHER))
    refresh(lake)
    assert look(lake, Wanted(site=gone)) == Found(2, 2, 2, frozenset({DAY}))
    erased(lake, Wanted(site=gone))
    assert scan_raw_events(lake).collect()["site"].unique().to_list() == [SITE]
    assert scan_dead_letters(lake).collect().height == 1
    for report in REPORTS:
        assert set(open_version(lake, report.spec).scan().collect()["site"]) <= {SITE, ""}
    assert [trace for trace in traces(tmp_path, gone) if "_delta_log" not in trace] == []
    assert_all_adds_up(lake)


def test_a_site_is_erased_from_days_of_landing_that_cant_be_made_anew(lake: Lake, landing: Landing) -> None:
    landing.land(visit(OTHER), visit(WHO, site="gone.example"), dead_letter(b"x", site="gone.example"))
    refresh(lake)
    expire(lake, "event", NEXT_DAY, taken_in=taken_in(open_version(lake, EVENTS)), now=NOW)
    erased(lake, Wanted(site="gone.example"))
    quality = open_version(lake, QUALITY.spec).scan().collect()
    assert quality.select("site", "landed").rows() == [(SITE, 1)]
    assert days_behind(lake, REPORTS, {}) == set()


def test_a_user_is_erased_from_goals_that_were_reached_and_from_the_week(
    lake: Lake, landing: Landing, tmp_path: Path
) -> None:
    sites = [site(Goal("sale", action="sale"))]
    for who in (USER, OTHER):
        landing.land(visit(who, user_id=who, action="sale"))
    take_in(lake, {})
    for report in REPORTS:
        build(lake, report, None, sites=sites)
    erase(lake, Wanted(user_id=USER), digest_key=KEY, reports=REPORTS, sites=sites, now=NOW)
    assert traces(tmp_path, USER) == []
    assert open_version(lake, CONVERSIONS.spec).scan().collect()["user_id"].to_list() == [OTHER]
    assert open_version(lake, PEOPLE_WEEKLY.spec).scan().collect()["person"].to_list() == [OTHER]


def test_a_site_narrows_a_visitor(lake: Lake, landing: Landing) -> None:
    landing.land(
        visit(WHO),
        visit(WHO, site="other.example"),
        dead_letter(WHO.encode(), site="other.example"),
        dead_letter(WHO.encode(), site=SITE),
        dead_letter(b"nobody", site=SITE),
    )
    refresh(lake)
    erased(lake, Wanted(WHO, site=SITE))
    assert scan_raw_events(lake).collect()["site"].to_list() == ["other.example"]
    assert sorted(scan_dead_letters(lake).collect()["body"]) == [b"nobody", WHO.encode()]
    assert_all_adds_up(lake)


@pytest.mark.parametrize(
    ("who", "body", "named"),
    [
        ("2", b'{"objectId":2}', True),
        ("2", b'{"objectId":22}', False),
        ("2", b"\xff 2 \xfe", True),
        ("m\u00fcller", b'{"id":"m\\u00fcller"}', True),
        ("m\u00fcller", "{'id':'m\u00fcller'}".encode(), True),
        ("m\u00fcller", b"?uid%3Dm%C3%BCller&x", True),
        ("alice", b'"line\\nalice"', True),
        ("alice", b"malice", False),
        ("a.b", b" axb ", False),
        ('a"b', b'{"id":"a\\"b"}', True),
    ],
)
def test_a_dead_letter_names_an_id_where_its_bytes_hold_it_as_a_word(who: str, body: bytes, named: bool) -> None:
    row = pl.LazyFrame(
        {"site": [None], "body": [body], "detail": [""], "field": [None]},
        schema_overrides={"site": pl.String, "field": pl.String},
    )
    assert row.select(Wanted(who).is_dead_letter()).collect().item() is named


def test_quotes_in_what_is_asked_are_no_sql(lake: Lake, landing: Landing) -> None:
    landing.land(visit("o'hara", site="o'hara"), visit(OTHER))
    refresh(lake)
    erased(lake, Wanted(site="o'hara"))
    landing.land(visit("o'hara' OR 'a' = 'a"), visit(OTHER))
    refresh(lake)
    erased(lake, Wanted("o'hara' OR 'a' = 'a"))
    assert scan_raw_events(lake).collect()["visitor_id"].to_list() == [OTHER, OTHER]
    assert_all_adds_up(lake)


def test_removals_know_what_was_asked_only_to_who_has_the_key(lake: Lake, landing: Landing, tmp_path: Path) -> None:
    land_some(landing)
    erased(lake, Wanted(WHO))
    assert set(read_removals(lake)["asked"]) == {Wanted(WHO).digest(KEY)}
    key = read_digest_key(tmp_path / "home" / "removals_key")
    assert read_digest_key(tmp_path / "home" / "removals_key") == key
    assert (tmp_path / "home" / "removals_key").stat().st_mode & 0o077 == 0
    assert Wanted(WHO).digest(key) != Wanted(WHO).digest(KEY)


def test_nothing_or_two_persons_can_not_be_asked() -> None:
    with pytest.raises(ValueError, match="Say which"):
        Wanted()
    with pytest.raises(ValueError, match="one after the other"):
        Wanted("a", "b")


def age(file: Path) -> None:
    """Makes a file two hours old."""
    then = file.stat().st_mtime - 2 * 3600
    os.utime(file, (then, then))


class Killed(Exception):
    """The process ends here."""


@pytest.mark.parametrize("step", range(14))
def test_stopped_at_any_step_and_repeated_it_ends_exact(
    lake: Lake, landing: Landing, tmp_path: Path, step: int
) -> None:
    land_some(landing)
    refresh(lake)
    landing.land(visit(WHO), visit(OTHER))

    def tell(done: int, total: int, what: str) -> None:
        if done == step:
            raise Killed

    with pytest.raises(Killed):
        erase(lake, Wanted(WHO), digest_key=KEY, reports=REPORTS, sites={}, now=NOW, tell=tell)
    erased(lake, Wanted(WHO))
    assert traces(tmp_path, WHO) == []
    assert_all_adds_up(lake)


def test_stopped_between_removals_and_delete_the_audit_says_so_and_repeating_it_ends_exact(
    lake: Lake, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    land_some(landing)

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("lake.erasure._delete", die)
        with pytest.raises(Killed):
            erased(lake, Wanted(WHO))
    assert sum(partition.unfinished for partition in audit(lake).partitions) == 9
    erased(lake, Wanted(WHO))
    assert_all_adds_up(lake)


def test_a_refresh_that_read_the_rows_before_brings_none_back(
    lake: Lake, landing: Landing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erasure goes through between its reading and its commit, which then fails; the file it wrote goes later."""
    landing.land(visit(WHO), visit(OTHER))
    append = EventsTable.append
    overtaken: list[bool] = []

    def overtaken_append(table: EventsTable, *change: object) -> None:
        if not overtaken:
            overtaken.append(True)
            erased(lake, Wanted(WHO))
        append(table, *change)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(EventsTable, "append", overtaken_append)
    refresh(lake)
    assert look(lake, Wanted(WHO)).nothing
    assert_all_adds_up(lake)
    for trace in traces(tmp_path, WHO):
        age(tmp_path / trace)
    erased(lake, Wanted(WHO))
    assert traces(tmp_path, WHO) == []


@contextmanager
def ingest(lake: Lake, landing: Landing) -> Iterator[Callable[[], int]]:
    """Lands batch after batch from another thread as the worker does, again after a conflict; answers how many."""
    stopping = threading.Event()
    landed: list[int] = []

    def run() -> None:
        while not stopping.is_set():
            landing.land(visit(OTHER), visit(OTHER, kafka_partition=1))
            landed.append(2)
            stopping.wait(0.02)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield lambda: sum(landed)
    finally:
        stopping.set()
        thread.join()


def test_erasing_while_a_worker_lands_costs_no_record(lake: Lake, landing: Landing, tmp_path: Path) -> None:
    land_some(landing)
    with ingest(lake, landing) as landed:
        erased(lake, Wanted(WHO))
        refresh(lake)
    refresh(lake)
    assert traces(tmp_path, WHO) == []
    assert landed() > 0
    assert scan_raw_events(lake).collect().height == 3 + landed()
    assert_all_adds_up(lake)


def test_a_file_of_a_write_that_was_never_committed_is_told_while_it_is_young(
    lake: Lake, landing: Landing, tmp_path: Path
) -> None:
    land_some(landing)
    table = open_landed(lake)
    assert table is not None
    some = Path(table.file_uris()[0])
    orphan = some.with_name("part-orphan.parquet")
    shutil.copyfile(some, orphan)
    assert [Path(file).name for file in erased(lake, Wanted(WHO)).unfinished_files] == ["part-orphan.parquet"]
    age(orphan)
    assert erased(lake, Wanted(WHO)).unfinished_files == []
    assert traces(tmp_path, WHO) == []


def test_it_is_told_how_far_it_is(lake: Lake, landing: Landing) -> None:
    land_some(landing)
    told: list[tuple[int, int]] = []
    erase(
        lake, Wanted(WHO), digest_key=KEY, reports=REPORTS, sites={}, now=NOW,
        tell=lambda done, total, what: told.append((done, total)),
    )  # fmt: skip
    total = told[0][1]
    assert told == [(number, total) for number in range(total + 1)]
