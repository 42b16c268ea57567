"""GET /api/raw_events: the landed events of a range of days, as one Parquet or CSV file of any length."""

import io
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import chain
from threading import BoundedSemaphore
from typing import Annotated, Literal
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
from query_api.formats import MEDIA_TYPES, as_csv
from query_api.query_pool import QueryPool
from query_api.report_parameters import Day, asked_site, refuse_repeated_parameters
from sites import LiveSites, Site

AT_ONCE = 2
"""Exports that run at the same time; each holds about `_ROWS` rows."""

_ROWS = 50_000


FileFormat = Literal["csv", "parquet"]


class ExportParameters(BaseModel):
    """The parameters of GET /api/raw_events."""

    model_config = ConfigDict(extra="forbid")

    site: str | None = Field(None, description="the site's domain; may be left out where there is only one site")
    first: Day = Field(alias="from", description="first day on which the events happened, inclusive")
    last: Day = Field(alias="to", description="last day, inclusive; days are the site's")
    format: FileFormat | None = Field(
        None, description="`csv` or `parquet`; default by the suffix of the address, else `parquet`"
    )


def raw_export_routes(lake: Lake, sites: LiveSites, queries: QueryPool) -> APIRouter:
    """The route under /api."""
    routes = APIRouter(prefix="/api", dependencies=[Depends(refuse_repeated_parameters)])
    places = BoundedSemaphore(AT_ONCE)

    @routes.get("/raw_events", response_class=StreamingResponse)
    @routes.get("/raw_events.csv", response_class=StreamingResponse)
    @routes.get("/raw_events.parquet", response_class=StreamingResponse)
    async def raw_events(request: Request, parameters: Annotated[ExportParameters, Query()]) -> StreamingResponse:
        """Every landed event as it came, duplicates too, for your own tools."""
        require(request, "admin")
        form = _wanted(request.url.path, parameters.format)
        site = asked_site(parameters.site, sites, grant_of(request))
        if parameters.first > parameters.last:
            raise wrong_parameter("from", f"from: {parameters.first} is after to, {parameters.last}.")
        if not places.acquire(blocking=False):
            raise ApiError(503, "busy", "Too many exports at once. Try again.", headers={"Retry-After": "10"})
        write = _csv if form == "csv" else _parquet
        chunks = _released(lambda: write(_rows(lake, site, parameters.first, parameters.last)), places.release)
        # What is wrong from the start is said as an error; later only the connection can break off.
        begun = await queries.run(lambda: next(chunks))
        name = f"raw_events_{parameters.first}_{parameters.last}.{form}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return StreamingResponse(chain([begun], chunks), 200, headers, MEDIA_TYPES[form])

    return routes


def _wanted(path: str, asked: FileFormat | None) -> FileFormat:
    """The format that the address or the request asks for. Raises ApiError where they differ."""
    suffix: FileFormat | None = "csv" if path.endswith(".csv") else "parquet" if path.endswith(".parquet") else None
    if suffix and asked and suffix != asked:
        raise wrong_parameter("format", f"format: the address says {suffix} already.")
    return asked or suffix or "parquet"


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


def _csv(rows: pl.LazyFrame) -> Iterator[bytes]:
    """The lines of a CSV file, as they are read."""
    batches = _batches(rows)
    yield as_csv(next(batches, pl.DataFrame(schema=rows.collect_schema())))
    for batch in batches:
        yield as_csv(batch, header=False)


def _parquet(rows: pl.LazyFrame) -> Iterator[bytes]:
    """The bytes of a Parquet file, as its row groups are read."""
    sink = io.BytesIO()
    schema: pa.Schema = pl.DataFrame(schema=rows.collect_schema()).to_arrow().schema
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in _batches(rows):
            writer.write_table(batch.to_arrow().cast(schema))
            yield _taken(sink)
    yield _taken(sink)


def _batches(rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    return rows.collect_batches(chunk_size=_ROWS, maintain_order=False, engine="streaming")


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
