"""Where a visitor came from: the source and its channel, from the referrer and the campaign parameters."""

import re
from functools import lru_cache

import polars as pl

from pipelines.reports.addresses import parameter, without_www
from pipelines.reports.distinct_values import each_distinct
from pipelines.reports.known_sources import find_host, find_name

DIRECT_SOURCE = "Direct / None"
DIRECT = "Direct"

_UNPAID = {
    "search": "Organic Search",
    "social": "Organic Social",
    "video": "Organic Video",
    "shopping": "Organic Shopping",
    "email": "Email",
    "ai": "AI Assistants",
}
_PAID = {"search": "Paid Search", "social": "Paid Social", "video": "Paid Video", "shopping": "Paid Shopping"}
_PAID_MEDIUM = re.compile(r".*cp.*|ppc|retargeting|paid.*")

_OF_MEDIUM = {
    medium: channel
    for channel, media in {
        "Display": ("display", "banner", "expandable", "interstitial", "cpm"),
        "Affiliates": ("affiliate", "affiliates"),
        "Email": ("email", "e-mail", "e_mail", "newsletter"),
        "Organic Search": ("organic",),
        "Organic Social": ("social", "social-network", "social-media", "sm"),
        "Organic Video": ("video",),
        "Referral": ("referral", "link"),
        "Audio": ("audio", "podcast"),
        "SMS": ("sms",),
        "Push": ("push", "web-push", "notification"),
    }.items()
    for medium in media
}

_CLICK_ID = r"(?:^|&)(?:gclid|msclkid)="
"""Google and Bing add it to the addresses of their advertisements."""

_ACQUISITION = pl.Struct({"source": pl.String(), "channel": pl.String()})


def with_source_and_channel(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Adds source and channel to rows with site, host, query, referrer_host, utm_source and utm_medium.

    The source is utm_source, else the parameter ref, else the referrer's host, each by its name in
    known_sources.toml or as it is; the site's own hosts are no source. Nothing of that: Direct / None.
    """
    referring = without_www(pl.col("referrer_host"))
    acquired = each_distinct(
        _acquire,
        _ACQUISITION,
        pl.coalesce("utm_source", parameter(pl.col("query"), "ref")),
        pl.when(~_is_own_host(referring)).then(referring),
        pl.col("utm_medium").str.to_lowercase(),
        pl.col("query").str.contains(_CLICK_ID).fill_null(False),
    )
    return rows.with_columns(acquired.struct.unnest())


def _is_own_host(referring: pl.Expr) -> pl.Expr:
    """Whether a host is the site, one of its subdomains, or the page's own."""
    site = without_www(pl.col("site").str.to_lowercase())
    own_page = (referring == without_www(pl.col("host"))).fill_null(False)
    return (referring == site) | referring.str.ends_with(pl.concat_str(pl.lit("."), site)) | own_page


@lru_cache(maxsize=100_000)
def _acquire(named: str | None, referring: str | None, medium: str | None, clicked_ad: bool) -> dict[str, str]:
    known = find_name(named) if named else find_host(referring) if referring else None
    source = known.name if known else named or referring
    kind = known.kind if known else None
    return {"source": source or DIRECT_SOURCE, "channel": _channel(source, kind, medium or "", clicked_ad)}


def _channel(source: str | None, kind: str | None, medium: str, clicked_ad: bool) -> str:
    """The channel, as Plausible and Google Analytics name them. `clicked_ad`: a search engine's click id was there."""
    of_medium = _OF_MEDIUM.get(medium)
    if (kind == "search" and clicked_ad) or (of_medium is None and _PAID_MEDIUM.fullmatch(medium)):
        return _PAID.get(kind or "", "Paid Other")
    return of_medium or _UNPAID.get(kind or "") or ("Referral" if source else DIRECT)
