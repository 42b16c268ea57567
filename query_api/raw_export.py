"""GET /api/raw_events.parquet: the landed events of a range of days, as one Parquet file of any length."""

import io
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import chain
from threading import BoundedSemaphore
from typing import Annotated
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from lake.location import Lake
from lake.raw import scan_raw_events
from query_api.access import grant_of, require
from query_api.errors import ApiError, wrong_parameter
from query_api.formats import MEDIA_TYPES
from query_api.query_pool import QueryPool
from query_api.report_parameters import Day, asked_site, refuse_repeated_parameters
from sites import LiveSites, Site

AT_ONCE = 2
"""Exports that run at the same time; each holds about `_ROWS` rows."""

_ROWS = 50_000


class ExportParameters(BaseModel):
    """The parameters of GET /api/raw_events.parquet."""

    model_config = ConfigDict(extra="forbid")

    site: str | None = Field(None, description="the site's domain; may be left out where there is only one site")
    first: Day = Field(alias="from", description="first day on which the events happened, inclusive")
    last: Day = Field(alias="to", description="last day, inclusive; days are the site's")


def raw_export_routes(lake: Lake, sites: LiveSites, pool: QueryPool) -> APIRouter:
    """The route under /api."""
    routes = APIRouter(prefix="/api", dependencies=[Depends(refuse_repeated_parameters)])
    places = BoundedSemaphore(AT_ONCE)

    @routes.get("/raw_events.parquet", response_class=StreamingResponse)
    async def raw_events(request: Request, parameters: Annotated[ExportParameters, Query()]) -> StreamingResponse:
        """Every landed event as it came, duplicates too, for your own tools. A file that broke off can't be opened."""
        require(request, "admin")
        site = asked_site(parameters.site, sites, grant_of(request))
        if parameters.first > parameters.last:
            raise wrong_parameter("from", f"from: {parameters.first} is after to, {parameters.last}.")
        if not places.acquire(blocking=False):
            raise ApiError(503, "busy", "Too many exports at once. Try again.", headers={"Retry-After": "10"})
        chunks = _released(lambda: _file(_rows(lake, site, parameters.first, parameters.last)), places.release)
        # What is wrong from the start is said as an error; later only the connection can break off.
        begun = await pool.run(lambda: next(chunks))
        name = f"raw_events_{parameters.first}_{parameters.last}.parquet"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return StreamingResponse(chain([begun], chunks), 200, headers, MEDIA_TYPES["parquet"])

    return routes


def _rows(lake: Lake, site: Site, first: date, last: date) -> pl.LazyFrame:
    """The landed events that happened on these days of the site. Raises LakeAway."""
    zone = ZoneInfo(site.time_zone)
    try:
        begin = datetime.combine(first, datetime.min.time(), zone).astimezone(UTC)
        end = datetime.combine(last, datetime.max.time(), zone).astimezone(UTC)
    except OverflowError:
        raise wrong_parameter("to", "from, to: there is no such day.") from None
    happened = pl.col("occurred_at").is_between(begin, end)
    return scan_raw_events(lake).filter(pl.col("site") == site.domain, happened)


def _file(rows: pl.LazyFrame) -> Iterator[bytes]:
    """The bytes of a Parquet file, as its row groups are read."""
    sink = io.BytesIO()
    schema: pa.Schema = pl.DataFrame(schema=rows.collect_schema()).to_arrow().schema
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in rows.collect_batches(chunk_size=_ROWS, maintain_order=False, engine="streaming"):
            writer.write_table(batch.to_arrow().cast(schema))
            yield _taken(sink)
    yield _taken(sink)


def _taken(sink: io.BytesIO) -> bytes:
    """What was written since the last time. The writer counts its place itself, so the sink may begin anew."""
    taken = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return taken


def _released(chunks: Callable[[], Iterator[bytes]], release: Callable[[], None]) -> Iterator[bytes]:
    try:
        yield from chunks()
    finally:
        release()
