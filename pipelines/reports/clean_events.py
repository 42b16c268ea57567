"""The table `events`: each event once, with its day, page, source and what its User-Agent says."""

from collections.abc import Callable, Mapping

import polars as pl

from lake.raw_schema import EVENT_COLUMNS, PLACE
from lake.table_spec import Column, TableSpec
from pipelines.reports.acquisition import OF_URL, click_id, with_acquisition
from pipelines.reports.addresses import host, parameter, path, query
from pipelines.reports.distinct_values import with_each_distinct
from pipelines.reports.engagement import with_engagement
from pipelines.reports.report import shaped
from pipelines.reports.user_agents import agent

CAMPAIGN_PARAMETERS = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")

_INSTANT = pl.Datetime("us", "UTC")

EVENTS = TableSpec(
    name="events",
    description="Each event once: what was sent, and what follows from it. Bots are in it, labelled.",
    key=("site", "event_date", "event_id"),
    partition_by="event_date",
    columns=(
        Column("site", pl.String(), "the domain of the site"),
        Column("event_date", pl.Date(), "the day it happened, in the site's time zone"),
        Column("event_hour", pl.Int8(), "the hour it happened, 0 to 23, in the site's time zone"),
        Column("event_id", pl.String(), "the event's id, kept over retries of sending it"),
        Column("action", pl.String(), "what was done; pageview for page views"),
        Column("object_type", pl.String(), "who did it: the kind"),
        Column("object_id", pl.String(), "who did it: which one"),
        Column("subject_type", pl.String(), "what it was done to: the kind"),
        Column("subject_id", pl.String(), "what it was done to: which one; the path for a page"),
        Column("occurred_at", _INSTANT, "when it happened", "UTC"),
        Column("received_at", _INSTANT, "when the collector received it", "UTC"),
        Column("visitor_id", pl.String(), "the visitor; null where the visitor asked not to be told apart"),
        Column("user_id", pl.String(), "the signed-in user"),
        Column("session_id", pl.String(), "the client's own session id; sessions are not cut by it"),
        Column("url", pl.String(), "the page's address"),
        Column("host", pl.String(), "the host of url, in small letters"),
        Column("path", pl.String(), "the path of url, else the subject of type page; as sent"),
        Column("referrer", pl.String(), "the address that led to the page"),
        Column("referrer_host", pl.String(), "the host of referrer, in small letters; the site's own too"),
        Column("source", pl.String(), "where this event's address and referrer say it came from; Direct / None"),
        Column("channel", pl.String(), "the kind of source, such as Organic Search, Referral or Direct"),
        Column(
            "medium", pl.String(), "utm_medium in small letters, else cpc, organic or referral; null = Direct / None"
        ),
        Column("utm_source", pl.String(), "the campaign parameter of url, decoded"),
        Column("utm_medium", pl.String(), "the campaign parameter of url, decoded"),
        Column("utm_campaign", pl.String(), "the campaign parameter of url, decoded"),
        Column("utm_term", pl.String(), "the campaign parameter of url, decoded"),
        Column("utm_content", pl.String(), "the campaign parameter of url, decoded"),
        Column("click_id", pl.String(), "the name of the advertising network's click id in url, such as gclid"),
        Column("title", pl.String(), "the page's title"),
        Column("language", pl.String(), "the visitor's language", "BCP 47"),
        Column("screen_width", pl.Int32(), "width of the screen", "CSS pixels"),
        Column("country", pl.String(), "country of the client's address", "ISO 3166-1 alpha-2"),
        Column("user_agent", pl.String(), "the visitor's User-Agent as sent"),
        Column("is_bot", pl.Boolean(), "whether the User-Agent is a bot's, a feed fetcher's or a tool's"),
        Column("browser", pl.String(), "family of the browser; null = unknown"),
        Column("os", pl.String(), "family of the operating system; null = unknown"),
        Column("device", pl.String(), "Desktop, Mobile or Tablet; null = unknown"),
        Column("clock_adjusted", pl.Boolean(), "occurred_at was impossible and is received_at instead"),
        Column("engaged_ms", pl.Int64(), "of an engagement: how long the page was in view and focused", "ms"),
        Column("scroll_depth", pl.Int32(), "of an engagement: the deepest part of the page seen so far", "%"),
        Column("properties", pl.String(), "what else the site says, a JSON object"),
        Column("stream_id", pl.String(), "where it was landed from: cluster and topic"),
        Column("kafka_partition", pl.Int32(), "where it was landed from: stream partition"),
        Column("kafka_offset", pl.Int64(), "where it was landed from: offset in the stream partition"),
        Column("landed_date", pl.Date(), "the day it was landed", "UTC"),
    ),
)


_LANDED = [name for name in EVENTS.schema if name in {*EVENT_COLUMNS.names, *PLACE.names}]


def enrich(rows: pl.DataFrame, time_zones: Mapping[str, str]) -> pl.DataFrame:
    """Landed events with the columns of EVENTS, one row for each row, duplicates too.

    `time_zones`: IANA time zone by site; a site that is not in it has days of UTC. What an address or a User-Agent
    says is read once for all rows at hand that have it, so that many rows at a time are cheaper.
    """
    local = rows.select(_LANDED).with_columns(
        event_date=local_date(pl.col("occurred_at"), time_zones),
        event_hour=local_hour(pl.col("occurred_at"), time_zones),
    )
    rows = with_engagement(local.lazy()).collect()
    rows = with_each_distinct(rows, ["url"], _read_url)
    rows = with_each_distinct(
        rows, ["referrer"], lambda each: each.with_columns(referrer_host=host(pl.col("referrer")))
    )
    rows = with_each_distinct(
        rows, ["user_agent"], lambda each: each.with_columns(agent(pl.col("user_agent")).struct.unnest())
    )
    rows = with_each_distinct(rows, ["site", "origin", "referrer_host"], with_acquisition, follow=OF_URL)
    path_of_subject = pl.when(pl.col("subject_type") == "page").then("subject_id")
    return shaped(
        rows.lazy().with_columns(pl.coalesce("path", path_of_subject), pl.col("is_bot").fill_null(False)), EVENTS
    ).collect()


def _read_url(urls: pl.DataFrame) -> pl.DataFrame:
    """Adds what follows from url; `origin` numbers what decides where a visitor came from."""
    query_string = pl.col("query")
    parts = urls.with_columns(
        host=host(pl.col("url")), path=path(pl.col("url")), query=query(pl.col("url"))
    ).with_columns(
        *(parameter(query_string, name).alias(name) for name in (*CAMPAIGN_PARAMETERS, "ref")),
        click_id=click_id(query_string),
    )
    return with_each_distinct(parts, OF_URL, lambda each: each.with_row_index("origin")).drop("query")


def local_date(instant: pl.Expr, time_zones: Mapping[str, str]) -> pl.Expr:
    """The date of an instant on the calendar of the row's site."""
    return _local(instant, time_zones, lambda local: local.dt.date())


def local_hour(instant: pl.Expr, time_zones: Mapping[str, str]) -> pl.Expr:
    """The hour, 0 to 23, of an instant on the clock of the row's site."""
    return _local(instant, time_zones, lambda local: local.dt.hour())


def _local(instant: pl.Expr, time_zones: Mapping[str, str], part: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """A part of an instant as clocks and calendars of the row's site show it."""
    shown = part(instant)
    for zone in sorted(set(time_zones.values()) - {"UTC"}):
        sites = sorted(site for site, its_zone in time_zones.items() if its_zone == zone)
        in_zone = part(instant.dt.convert_time_zone(zone))
        shown = pl.when(pl.col("site").is_in(sites)).then(in_zone).otherwise(shown)
    return shown
