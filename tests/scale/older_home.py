"""Writes a home's lake with the code of the first version, in whose folder it is started: `python older_home.py LAKE`.

It knows only what that version had: events with duplicates, of three days and two sites, and records that are none.
"""

import sys
from datetime import UTC, datetime

from event_stream.ports import Record, StreamPartition
from event_stream.topics import EVENTS
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from pipelines.landing.rows import to_rows
from pipelines.refresh.events import take_in
from pipelines.refresh.reports import build
from pipelines.reports.all_reports import load_reports

_EVENT = (
    b'{"eventId":"%d","site":"%s","action":"pageview","objectType":"visitor","objectId":"v%d","subjectType":"page",'
    b'"subjectId":"/p%d","occurredAt":%d,"receivedAt":%d,"visitorId":"v%d","url":"https://example.com/p%d",'
    b'"userAgent":"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0","ingestVersion":1}'
)
_FIRST = int(datetime(2026, 11, 20, 8, tzinfo=UTC).timestamp() * 1_000_000)
_QUARTER_HOUR = 15 * 60 * 1_000_000
_COMMITS, _EACH = 6, 50


def value(number: int) -> bytes:
    """The record of a number: every 25th is no event, every 10th repeats the one before."""
    if number % 25 == 24:
        return b"poison"
    if number % 10 == 9:
        number -= 1
    at = _FIRST + number * _QUARTER_HOUR
    site, visitor, page = (b"example.com", b"shop.example")[number % 2], number % 17, number % 5
    return _EVENT % (number, site, visitor, page, at, at + 1_000_000, visitor, page)


def main(lake: Lake) -> None:
    """Lands in several commits of two stream partitions, and refreshes after each."""
    table = DeltaLandingTable(lake)
    places = [StreamPartition("cluster/topic", EVENTS.name, number) for number in range(2)]
    table.landed([(place.stream_id, place.partition) for place in places])
    for commit in range(_COMMITS):
        offsets = range(commit * _EACH, (commit + 1) * _EACH)
        now = datetime(2026, 11, 23, 12, commit, tzinfo=UTC)
        for place in places:
            records = [Record(place, offset, 0, value(2 * offset + place.partition)) for offset in offsets]
            rows = to_rows({place: records}, now)
            key = (place.stream_id, place.partition)
            table.append(rows.events, rows.dead_letters, {key: offsets.start}, {key: offsets.stop})
        days = take_in(lake, {}).days
        for report in load_reports():
            build(lake, report, days)


if __name__ == "__main__":
    main(Lake(sys.argv[1]))
