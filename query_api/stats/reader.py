"""Answers stats queries from one version of the table `hits`. Blocking: it runs in query pools."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime

import polars as pl

from lake.catalogue import Catalogue
from lake.errors import LakeAway
from query_api.report_reader import MADE_BY, Page, PageCache, Unchanged, Unread
from query_api.stats.answer import answer
from query_api.stats.answer_document import answer_json
from query_api.stats.date_ranges import Instants, Range, resolve
from query_api.stats.document import StatsQuery, fault
from query_api.stats.hits import Hits, open_hits
from query_api.stats.time_labels import time_labels
from sites import Site

_CACHE_BYTES = 32 * 2**20


class StatsReader:
    """Keeps the latest answers: of those who look at one dashboard, the first waits."""

    def __init__(self, catalogue: Catalogue, most_rows: int) -> None:
        self._catalogue = catalogue
        self._most_rows = most_rows
        self._pages = PageCache(_CACHE_BYTES)
        self._first_days: tuple[str, dict[str, date | None]] = ("", {})

    def find(
        self, query: StatsQuery, site: Site, now: datetime, held: Callable[[str], bool]
    ) -> Page | Unchanged | Unread:
        """One answer, all of it from one table version. It and what it computes raise ApiError and LakeError."""
        hits = open_hits(self._catalogue)
        try:
            asked = self._range(query, site, now, hits)
            labels = None
            if query.include_time_labels:
                labels = time_labels(query, asked, site.time_zone, now, self._most_rows)
        except OverflowError:
            raise fault("date_range", "it is out of the calendar's bounds") from None
        etag = _etag(hits, query, asked, site.time_zone, labels)
        if held(etag):
            return Unchanged(etag)

        def compute() -> Page:
            # Another who asked the same may have been first.
            if page := self._pages.get(etag):
                return page
            try:
                found = answer(query, asked, site.time_zone, hits.rows)
            except OSError as error:
                raise LakeAway(f"hits: {error}") from error
            return self._pages.put(Page(etag, answer_json(query, asked, found, labels), None))

        return self._pages.get(etag) or Unread(compute)

    def _range(self, query: StatsQuery, site: Site, now: datetime, hits: Hits) -> Range:
        first_day = self._first_day(site.domain, hits) if query.period == "all" else None
        period = query.period
        if isinstance(period, Instants):
            period = Instants(period.begin.astimezone(UTC), period.end.astimezone(UTC))
        # To the minute, so that the last 24 hours are the same answer for a while.
        return resolve(period, now.replace(second=0, microsecond=0), site.time_zone, first_day)

    def _first_day(self, domain: str, hits: Hits) -> date | None:
        """The first day with data of a site, looked for once in each version."""
        version, known = self._first_days
        if version != hits.version:
            known = {}
            self._first_days = (hits.version, known)
        if domain not in known:
            days = hits.rows.filter(pl.col("site") == domain).select(pl.col("date").min())
            known[domain] = days.collect(engine="streaming").item()
        return known[domain]


def _etag(hits: Hits, query: StatsQuery, asked: Range, time_zone: str, labels: list[str] | None) -> str:
    """The answer's name: the same question to the same table version has the same bytes."""
    named = f"{MADE_BY} {hits.version} {asdict(query)} {asked} {time_zone} {labels}"
    return f'"{hashlib.sha256(named.encode()).hexdigest()[:32]}"'
