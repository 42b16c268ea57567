"""What a request to a report may ask, and the question it comes to."""

import json
import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from query_api.errors import ApiError, wrong_parameter
from query_api.formats import Format
from query_api.grants import Grant
from query_api.report_query import Per, ReportQuery
from query_api.settings import QuerySettings
from query_api.stats.document import Filter, parse_filters
from sites import LiveSites, Site

_DEFAULT_DAYS = 30
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _iso_day(value: Any) -> Any:
    # Pydantic alone would also take Unix seconds.
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("a day is written as YYYY-MM-DD")
    return value


Day = Annotated[date, BeforeValidator(_iso_day)]


class ReportParameters(BaseModel):
    """The parameters of GET /api/reports/{name}."""

    model_config = ConfigDict(extra="forbid")

    site: str | None = Field(None, description="the site's domain; may be left out where there is only one site")
    first: Day | None = Field(None, alias="from", description="first day, inclusive; default 29 days before `to`")
    last: Day | None = Field(None, alias="to", description="last day, inclusive; default today in the site's time zone")
    per: Per = Field("day", description="`day`: a row per day; `range`: the days added up, counts only")
    order: str | None = Field(None, description="column to sort by, `-column` for the largest first; default the key")
    filters: str | None = Field(
        None,
        max_length=20_000,
        description='JSON as in stats queries, with columns of texts for dimensions: `[["is","path",["/"]]]`',
    )
    format: Format | None = Field(
        None, description="`json`, `csv` or `parquet`; default by the suffix of the address, else by Accept"
    )
    limit: int | None = Field(
        None, ge=1, description="rows at most; default 1,000 for JSON, for files the whole range or an error"
    )
    next: str | None = Field(None, description="the value `next` of the page before")


def refuse_repeated_parameters(request: Request) -> None:
    """A parameter given twice is a mistake of the caller, and which one counts would be a guess."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if names.count(name) > 1:
            raise wrong_parameter(name[:100], f"{name[:100]}: given more than once.")


def question(
    parameters: ReportParameters, form: Format, site: Site, settings: QuerySettings, now: datetime
) -> ReportQuery:
    """The parameters with their defaults filled in. Raises ApiError."""
    last = parameters.last or today(site, now)
    try:
        first = parameters.first or last - timedelta(days=_DEFAULT_DAYS - 1)
    except OverflowError:
        raise wrong_parameter("to", "to: too long ago.") from None
    if first > last:
        raise wrong_parameter("from", f"from: {first} is after to, {last}.")
    most = settings.query_max_rows
    if parameters.limit is not None and parameters.limit > most:
        raise wrong_parameter("limit", f"limit: at most {most}; read on with next.")
    limit = parameters.limit or (min(settings.query_default_rows, most) if form == "json" else most)
    filters = _filters(parameters.filters)
    return ReportQuery(site.domain, first, last, parameters.per, parameters.order, limit, parameters.next, filters)


def _filters(text: str | None) -> tuple[Filter, ...]:
    try:
        return parse_filters([] if text is None else json.loads(text), lambda _: True)
    except (ValueError, RecursionError) as error:
        raise wrong_parameter("filters", f"filters: no JSON: {error}.") from error


def today(site: Site, now: datetime) -> date:
    """The site's calendar day at this instant."""
    return now.astimezone(ZoneInfo(site.time_zone)).date()


def asked_site(domain: str | None, sites: LiveSites, grant: Grant) -> Site:
    """The site that a request names, or the only one that its token opens. Raises ApiError.

    A site that the token does not open is answered as one that is not there.
    """
    if domain is not None:
        found = sites.find(lambda known: known.by_domain(domain)) if grant.sees(domain) else None
        if found is None:
            message = f"site: {domain[:100]!r} is not registered; GET /api/sites lists them."
            raise ApiError(400, "unknown_site", message, "site")
        return found
    seen = [site for site in sites.refresh() if grant.sees(site.domain)]
    if len(seen) == 1:
        return seen[0]
    message = "site: say which site; GET /api/sites lists them." if seen else "site: no site is registered yet."
    raise wrong_parameter("site", message)
