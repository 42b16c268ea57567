"""The main job on real input: a web server's log goes in, report tables come out, and both agree.

What the reports must say is computed here from the log's text alone, with nothing of the project's own parser.
"""

import gzip
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.events_table import EventsTable
from lake.location import Lake
from pipelines.refresh.events import waiting_days
from pipelines.reports.clean_events import EVENTS
from tests.end_to_end.conftest import Stack, until

LOG = Path(__file__).parents[3] / "shared/data/access_logs/apache_logs.gz"
SITE = "semicomplete.com"
FIRST, LAST = "2015-05-17", "2015-05-20"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.kafka,
    pytest.mark.skipif(not LOG.exists(), reason=f"the real access log is not there: {LOG}"),
]

LINE = re.compile(
    rb'^(?P<ip>\S+) \S+ \S+ \[(?P<day>\d\d/May/2015):[\d:]+ \+0000\] "(?P<method>[A-Z]+) (?P<target>\S+) HTTP/1\.\d" '
    rb'(?P<status>\d{3}) (?:\d+|-) "[^"]*" "(?P<agent>[^"]*)"$'
)
PAGE = re.compile(rb"^[^?]*/(?:[^/.?]*|[^/?]*\.(?:html|htm|php|xhtml))(?:\?|$)")


class Counted:
    """What a person with grep would count."""

    def __init__(self) -> None:
        self.pageviews: Counter[str] = Counter()
        self.visitors: dict[str, set[tuple[bytes, bytes]]] = defaultdict(set)
        self.events: Counter[str] = Counter()
        self.unparsable: list[int] = []
        lines = gzip.decompress(LOG.read_bytes()).splitlines()
        self.lines = len(lines)
        for number, line in enumerate(lines, 1):
            found = LINE.match(line)
            if found is None:
                self.unparsable.append(number)
                continue
            day = f"2015-05-{found['day'][:2].decode()}"
            self.events[day] += 1
            self.visitors[day].add((found["ip"], found["agent"]))
            answered = found["status"].startswith(b"2") or found["status"] == b"304"
            if found["method"] == b"GET" and answered and PAGE.match(found["target"]):
                self.pageviews[day] += 1


@pytest.fixture(scope="module")
def counted() -> Counted:
    return Counted()


@pytest.fixture(scope="module")
def imported(stack: Stack, counted: Counted) -> str:
    """The import's own words, once its events are in the reports."""
    words = stack.run("import", str(LOG), "--site", SITE).stdout
    until(lambda: events_reported(stack) == sum(counted.events.values()), 120, "all events in report traffic")
    return words


def traffic(stack: Stack) -> dict[str, dict[str, Any]]:
    return {row["date"]: row for row in stack.report("traffic", SITE, FIRST, LAST)}


def events_reported(stack: Stack) -> int:
    return sum(row["events"] + row["bot_events"] for row in traffic(stack).values())


def test_every_line_is_an_event_or_a_dead_letter(stack: Stack, counted: Counted, imported: str) -> None:
    rows = stack.status()["rows"]
    assert counted.lines == 10_000
    assert rows["event"] >= sum(counted.events.values())
    assert rows["dead_letter"] >= len(counted.unparsable)
    landed = pl.scan_delta(str(stack.home / "lake" / "landed")).filter(pl.col("site") == SITE)
    by_kind = dict(landed.group_by("kind").len().collect().iter_rows())
    assert by_kind == {"event": sum(counted.events.values()), "dead_letter": len(counted.unparsable)}
    assert sum(by_kind.values()) == counted.lines


def test_a_line_that_cannot_be_parsed_is_reported_with_its_number_and_kept_as_it_was(
    stack: Stack, counted: Counted, imported: str
) -> None:
    lines = gzip.decompress(LOG.read_bytes()).splitlines()
    kept = pl.scan_delta(str(stack.home / "lake" / "landed")).filter(
        (pl.col("kind") == "dead_letter") & (pl.col("site") == SITE)
    )
    bodies = kept.select("body").collect()["body"].to_list()
    assert bodies == [lines[number - 1] for number in counted.unparsable]
    for number in counted.unparsable:
        assert f"line {number:,}" in imported or f"line {number}" in imported


def test_page_views_per_day_equal_an_independent_count(stack: Stack, counted: Counted, imported: str) -> None:
    reported = {day: row["pageviews"] + row["bot_pageviews"] for day, row in traffic(stack).items()}
    assert reported == dict(counted.pageviews)


def test_visitors_per_day_are_the_logs_distinct_visitors(stack: Stack, counted: Counted, imported: str) -> None:
    reported = {day: row["visitors"] + row["bot_visitors"] for day, row in traffic(stack).items()}
    assert reported == {day: len(visitors) for day, visitors in counted.visitors.items()}


def test_the_parquet_files_and_the_endpoint_say_the_same(stack: Stack, imported: str) -> None:
    for report in ("traffic", "pages", "sources", "actions"):
        files = pl.read_parquet(stack.home / "reports_parquet" / report / "2015-05.parquet").filter(
            pl.col("site") == SITE
        )
        served = pl.DataFrame(stack.report(report, SITE, FIRST, LAST)).with_columns(pl.col("date").str.to_date())
        key = files.columns
        assert files.sort(key).rows() == served.select(key).sort(key).rows()
        assert files.height > 0


def test_importing_again_changes_no_report(stack: Stack, counted: Counted, imported: str) -> None:
    before = {name: stack.report(name, SITE, FIRST, LAST) for name in ("traffic", "pages", "sources", "actions")}
    stack.run("import", str(LOG), "--site", SITE)
    until(lambda: stack.status()["lag"] == 0, 60, "everything landed", every=1.0)
    landed = pl.scan_delta(str(stack.home / "lake" / "landed")).filter(
        (pl.col("site") == SITE) & (pl.col("kind") == "event")
    )
    assert landed.select(pl.len()).collect().item() == 2 * sum(counted.events.values())
    until(lambda: all_taken_in(stack), 120, "the refresh has seen the second import")
    after = {name: stack.report(name, SITE, FIRST, LAST) for name in before}
    assert after == before


def all_taken_in(stack: Stack) -> bool:
    """Whether the table `events` has seen every landed row, by its own progress."""
    lake = Lake(str(stack.home / "lake"))
    return not waiting_days(lake, EventsTable(lake, EVENTS).read(), {})


def test_the_audit_says_that_all_is_exact(stack: Stack, imported: str) -> None:
    assert "exact" in stack.run("audit").stdout
