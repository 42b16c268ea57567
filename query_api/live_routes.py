"""GET /api/events and /api/dead_letters: what arrives, and what was refused, for whoever installs a site."""

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from lake.dead_letters import DeadLetter, Selection, latest_letters, summarise
from lake.location import Lake
from lake.raw_schema import EVENT_COLUMNS
from lake.recent_events import RecentEvents
from query_api.access import grant_of, require
from query_api.errors import ApiError
from query_api.query_pool import QueryPool
from query_api.report_parameters import asked_site, refuse_repeated_parameters
from sites import LiveSites

LIVE = timedelta(minutes=30)
"""How long an event stays in the live view."""

_SHOWN_BODY = 2_000
_DETAILS = (
    "landed_at",
    *(name for name in EVENT_COLUMNS.names if name not in ("site", "properties", "ingest_version")),
)


class LiveParameters(BaseModel):
    """The parameters of GET /api/events."""

    model_config = ConfigDict(extra="forbid")

    site: str | None = Field(None, description="the site's domain; may be left out where there is only one site")
    limit: int = Field(50, ge=1, le=500, description="events at most, the newest first")


class LetterParameters(BaseModel):
    """The parameters of GET /api/dead_letters."""

    model_config = ConfigDict(extra="forbid")

    site: str | None = Field(None, description="only of this site; without it also those of which no site is known")
    reason: str | None = Field(None, max_length=100, description="only of this reason")
    days: int = Field(7, ge=1, le=366, description="landed on the last so many days, UTC")
    limit: int = Field(50, ge=1, le=200, description="letters at most, the latest first")


def live_routes(
    lake: Lake, recent: RecentEvents, sites: LiveSites, queries: QueryPool, now: Callable[[], datetime]
) -> APIRouter:
    """The routes under /api."""
    routes = APIRouter(prefix="/api", dependencies=[Depends(refuse_repeated_parameters)])

    @routes.get("/events")
    async def events(request: Request, parameters: Annotated[LiveParameters, Query()]) -> dict[str, Any]:
        """The events of the last half hour as they were landed, the newest first; seconds after they were sent."""
        require(request, "read")
        site = asked_site(parameters.site, sites, grant_of(request))
        rows = await queries.run(lambda: _newest(recent, site.domain, now() - LIVE, parameters.limit))
        return {"site": site.domain, "events": rows}

    @routes.get("/dead_letters")
    async def dead_letters(request: Request, parameters: Annotated[LetterParameters, Query()]) -> dict[str, Any]:
        """What was refused or unreadable and why: how many by reason, and the latest with their bytes as text."""
        require(request, "read")
        grant = grant_of(request)
        if parameters.site is None and grant.sites is not None:
            raise ApiError(403, "forbidden", "This token opens single sites: say which site.", "site")
        domain = None if parameters.site is None else asked_site(parameters.site, sites, grant).domain
        first = now().date() - timedelta(days=parameters.days - 1)
        return await queries.run(lambda: _letters(lake, domain, parameters.reason, first, parameters.limit))

    return routes


def _newest(recent: RecentEvents, site: str, since: datetime, limit: int) -> list[dict[str, Any]]:
    rows = recent.since(since).filter(pl.col("site") == site)
    newest = rows.sort("landed_at", "kafka_offset", descending=True).head(limit).collect(engine="streaming")
    return [_event(row) for row in newest.iter_rows(named=True)]


def _event(row: dict[str, Any]) -> dict[str, Any]:
    properties = row["properties"]
    shown = {name: row[name] for name in _DETAILS}
    return {**shown, "properties": json.loads(properties) if properties else None}


def _letters(lake: Lake, site: str | None, reason: str | None, first: date, limit: int) -> dict[str, Any]:
    reasons = summarise(lake, Selection(site=site, first_day=first))
    letters = latest_letters(lake, Selection(reason=reason, site=site, first_day=first), limit)
    return {
        "reasons": [
            {
                "reason": each.reason,
                "letters": each.letters,
                "replayed": each.replayed,
                "first_landed_at": each.first_landed_at,
                "last_landed_at": each.last_landed_at,
            }
            for each in reasons
        ],
        "letters": [_letter(letter) for letter in letters],
    }


def _letter(letter: DeadLetter) -> dict[str, Any]:
    return {
        "reason": letter.reason,
        "detail": letter.detail,
        "field": letter.field,
        "site": letter.site,
        "received_at": letter.received_at,
        "landed_at": letter.landed_at,
        "replayed": letter.replayed,
        "body": letter.body[: _SHOWN_BODY * 4].decode(errors="replace")[:_SHOWN_BODY],
        "body_length": letter.body_length,
    }
