"""Where a visitor came from: source, medium and channel, from the referrer and the campaign parameters."""

import re
from functools import lru_cache

import polars as pl

from pipelines.reports.addresses import without_www
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

CLICK_IDS = (
    "dclid",
    "epik",
    "fbclid",
    "gbraid",
    "gclid",
    "li_fat_id",
    "msclkid",
    "rdt_cid",
    "ttclid",
    "twclid",
    "wbraid",
    "yclid",
)
"""Parameters by which advertising networks tell that a visitor came from them; the collector keeps the same."""

_OF_SEARCH_ADS = ("gbraid", "gclid", "msclkid", "wbraid", "yclid")
"""Google, Bing and Yandex add them to the addresses of their advertisements; the others mark free posts too."""

OF_URL = ("host", "utm_source", "ref", "utm_medium", "click_id")
"""What of a page's address decides where its visitor came from."""

_ACQUISITION = pl.Struct({"source": pl.String(), "medium": pl.String(), "channel": pl.String()})


def click_id(query_string: pl.Expr) -> pl.Expr:
    """The name of the first click id in a query string, in small letters; null where there is none."""
    return query_string.str.extract(rf"(?i)(?:^|&)({'|'.join(CLICK_IDS)})=").str.to_lowercase()


def with_acquisition(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds source, medium and channel to rows with site, referrer_host and OF_URL.

    The source is utm_source, else the parameter ref, else the referrer's host, each by its name in
    known_sources.toml or as it is; the site's own hosts are no source. Nothing of that: Direct / None.
    """
    referring = without_www(pl.col("referrer_host"))
    acquired = each_distinct(
        _acquire,
        _ACQUISITION,
        pl.coalesce("utm_source", "ref"),
        pl.when(~_is_own_host(referring)).then(referring),
        pl.col("utm_medium").str.to_lowercase(),
        pl.col("click_id").is_in(_OF_SEARCH_ADS).fill_null(False),
    )
    return rows.with_columns(acquired.struct.unnest())


def _is_own_host(referring: pl.Expr) -> pl.Expr:
    """Whether a host is the site, one of its subdomains, or the page's own."""
    site = without_www(pl.col("site").str.to_lowercase())
    own_page = (referring == without_www(pl.col("host"))).fill_null(False)
    return (referring == site) | referring.str.ends_with(pl.concat_str(pl.lit("."), site)) | own_page


@lru_cache(maxsize=100_000)
def _acquire(named: str | None, referring: str | None, medium: str | None, clicked_ad: bool) -> dict[str, str | None]:
    known = find_name(named) if named else find_host(referring) if referring else None
    source = known.name if known else named or referring
    kind = known.kind if known else None
    # A click on a network's advertisement in its search.
    clicked_ad = clicked_ad and kind == "search"
    return {
        "source": source or DIRECT_SOURCE,
        "medium": medium or _medium(source, kind, clicked_ad),
        "channel": _channel(source, kind, medium or "", clicked_ad),
    }


def _medium(source: str | None, kind: str | None, clicked_ad: bool) -> str | None:
    """The medium where no campaign names one, as Google Analytics does."""
    if clicked_ad:
        return "cpc"
    if kind == "search":
        return "organic"
    return "referral" if source else None


def _channel(source: str | None, kind: str | None, medium: str, clicked_ad: bool) -> str:
    """The channel, as Plausible and Google Analytics name them."""
    of_medium = _OF_MEDIUM.get(medium)
    if clicked_ad or (of_medium is None and _PAID_MEDIUM.fullmatch(medium)):
        return _PAID.get(kind or "", "Paid Other")
    return of_medium or _UNPAID.get(kind or "") or ("Referral" if source else DIRECT)
