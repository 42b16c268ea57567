"""GET /api/realtime: who is on a site now, from the events that were landed seconds ago."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from lake.recent_events import RecentEvents

# The one loan from the pipelines: what is a bot, a page and a source here must be so in the reports a minute later.
from pipelines.reports.clean_events import enrich
from query_api.access import grant_of
from query_api.query_pool import QueryPool
from query_api.report_parameters import asked_site, refuse_repeated_parameters
from sites import LiveSites

MINUTES = 30
_TOP = 10
_KEPT = timedelta(seconds=2)
_DIRECT = "Direct / None"


class RealtimeParameters(BaseModel):
    """The parameters of GET /api/realtime."""

    model_config = ConfigDict(extra="forbid")

    site: str | None = Field(None, description="the site's domain; may be left out where there is only one site")


def realtime_routes(
    recent: RecentEvents, sites: LiveSites, queries: QueryPool, now: Callable[[], datetime]
) -> APIRouter:
    """The route under /api."""
    routes = APIRouter(prefix="/api", dependencies=[Depends(refuse_repeated_parameters)])
    realtime = Realtime(recent)

    @routes.get("/realtime")
    async def look(request: Request, parameters: Annotated[RealtimeParameters, Query()]) -> dict[str, Any]:
        """Visitors of the last 5 and 30 minutes, page views by minute, top pages and sources; people only."""
        site = asked_site(parameters.site, sites, grant_of(request))
        return {"site": site.domain, **(await queries.run(lambda: realtime.look(site.domain, now())))}

    return routes


class Realtime:
    """What happens on sites now; of each site one look serves all who ask within two seconds."""

    def __init__(self, recent: RecentEvents) -> None:
        self._recent = recent
        self._looks: dict[str, tuple[datetime, Mapping[str, Any]]] = {}

    def look(self, site: str, now: datetime) -> Mapping[str, Any]:
        """What /api/realtime says of a site. Raises LakeAway."""
        looked_at, found = self._looks.get(site, (now, None))
        if found is None or not timedelta() <= now - looked_at < _KEPT:
            landed = self._recent.since(now - timedelta(minutes=MINUTES)).filter(pl.col("site") == site)
            found = seen_now(landed, now)
            self._looks[site] = (now, found)
        return found


def seen_now(landed: pl.LazyFrame, now: datetime) -> Mapping[str, Any]:
    """What landed events say of the last half hour. An event that was sent twice counts once."""
    happened = pl.col("occurred_at").is_between(now - timedelta(minutes=MINUTES), now, closed="right")
    recent = landed.filter(happened).with_columns(landed_date=pl.col("landed_at").dt.date())
    rows = enrich(recent.collect(engine="streaming"), {})
    wanted = ("event_id", "occurred_at", "action", "path", "source", "visitor_id", "is_bot")
    events = _of_people(rows.select(wanted).unique("event_id"))
    views = events.filter(pl.col("action") == "pageview")
    latest = events.filter(pl.col("occurred_at") > now - timedelta(minutes=5))
    return {
        "as_of": now.isoformat(),
        "visitors": {"5m": _visitors(latest), "30m": _visitors(events)},
        "pageviews_by_minute": _by_minute(views, now),
        "pages": _top(views.group_by("path").agg(visitors=_VISITORS, pageviews=pl.len())),
        "sources": _top(_sources(events).group_by("source").agg(visitors=pl.len())),
    }


_VISITORS = pl.col("visitor_id").drop_nulls().n_unique()


def _of_people(events: pl.DataFrame) -> pl.DataFrame:
    """Events of people, but for what the script says on leaving a page."""
    bots = events.filter("is_bot").select("visitor_id").drop_nulls().unique()
    of_people = events.filter(~pl.col("is_bot")).join(bots, on="visitor_id", how="anti")
    return of_people.filter(pl.col("action") != "engagement")


def _visitors(events: pl.DataFrame) -> int:
    return int(events.select(_VISITORS).item())


def _by_minute(views: pl.DataFrame, now: datetime) -> list[int]:
    """Page views of each minute, the latest last."""
    ago = views.select((now - pl.col("occurred_at")).dt.total_minutes().alias("ago"))
    counts = dict(ago.group_by("ago").len().iter_rows())
    return [counts.get(minutes, 0) for minutes in reversed(range(MINUTES))]


def _sources(events: pl.DataFrame) -> pl.DataFrame:
    """Each visitor with the first source other than the site itself."""
    source = pl.col("source").sort_by("occurred_at")
    first = source.filter(source != _DIRECT).first().fill_null(_DIRECT)
    return events.drop_nulls("visitor_id").group_by("visitor_id").agg(source=first)


def _top(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """The first ten by visitors, then by whatever else is counted."""
    name, *counts = rows.columns
    return rows.sort(*counts, name, descending=[*(True for _ in counts), False]).head(_TOP).to_dicts()
