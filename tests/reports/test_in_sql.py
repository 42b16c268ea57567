"""The tables of a day equal an independent computation, on events of every kind and on a real access log."""

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from polars.testing import assert_frame_equal

from logektor.log_events import LineEvents
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.clean_events import enrich
from pipelines.reports.duplicates import first_of_each
from sites import Site
from tests.reports import in_sql
from tests.reports.generated import some_events
from tests.reports.rows import events, raw

LOG = Path(__file__).parents[2].parent / "shared/data/access_logs/apache_logs.gz"
SITE = "semicomplete.com"

OF_A_DAY = [report for report in REPORTS if report.name in in_sql.QUERIES]


def assert_equal_in_sql(clean: pl.DataFrame, scanned: pl.LazyFrame) -> dict[str, pl.DataFrame]:
    """Compares all tables of the rows of `scanned`, which are those of `clean`; answers them."""
    expected = in_sql.computed(clean)
    tables = {"events": scanned}
    for report in OF_A_DAY:
        spec = report.spec
        rows = report.build(*(tables[name] for name in report.inputs)).collect(engine="streaming")
        tables[report.name] = rows.lazy()
        assert set(expected[report.name].columns) == set(spec.schema)
        wanted = expected[report.name].select(pl.col(name).cast(dtype) for name, dtype in spec.schema.items())
        assert_frame_equal(rows.sort(spec.key), wanted.sort(spec.key), check_exact=True)
    return {name: table.collect() for name, table in tables.items()}


@settings(deadline=None, max_examples=15)  # An example builds a dozen tables twice.
@given(some_events)
def test_tables_equal_an_independent_computation(rows: list[dict[str, Any]]) -> None:
    clean = events(*rows).collect()
    assert_equal_in_sql(clean, clean.lazy())


def landed_lines(lines: list[bytes]) -> list[dict[str, Any]]:
    """What is landed of a log's lines, without a stream between."""
    encoder = LineEvents(Site(SITE, write_keys=(), server_keys=()), b"a key of the test")
    encoded = [line for line in map(encoder.encode, lines) if line.trouble is None]
    return [
        {
            "event_id": event["eventId"],
            "site": event["site"],
            "action": event["action"],
            "object_id": event["visitorId"],
            "subject_type": event.get("subjectType"),
            "subject_id": event.get("subjectId"),
            "occurred_at": datetime.fromisoformat(event["datetimeStamp"]).astimezone(UTC),
            "visitor_id": event["visitorId"],
            "url": event.get("url"),
            "referrer": event.get("referrer"),
            "user_agent": event.get("userAgent"),
        }
        for event in (msgspec.json.decode(line.event) for line in encoded)
    ]


def clean_lines(lines: list[bytes]) -> pl.DataFrame:
    """What becomes of a log's lines in the table `events`; some are sent again."""
    sent = landed_lines(lines)
    landed = raw(*sent, *sent[:100])
    return first_of_each(enrich(landed.collect(), {SITE: "America/Los_Angeles"}))


@pytest.mark.skipif(not LOG.exists(), reason=f"the real access log is not there: {LOG}")
def test_tables_of_a_real_access_log_equal_an_independent_computation(tmp_path: Path) -> None:
    lines = gzip.decompress(LOG.read_bytes()).splitlines()
    clean = clean_lines(lines)
    for number, part in enumerate(clean.sample(fraction=1, shuffle=True, seed=1).iter_slices(2_600)):
        part.write_parquet(tmp_path / f"{number}.parquet")
    tables = assert_equal_in_sql(clean, pl.scan_parquet(tmp_path / "*.parquet"))
    people = tables["sessions"].filter(~pl.col("is_bot"))
    assert clean.height == 10_000 - 1
    assert people.height > 1_000
    assert 0 < people["is_bounce"].sum() < people.height
    assert tables["sources"].height > 20
    assert tables["traffic"].height == 4
