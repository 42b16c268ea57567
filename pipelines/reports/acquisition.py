"""Where a visitor came from: the source and its channel, from the referrer and the campaign parameters."""

import polars as pl

from pipelines.reports.addresses import host, parameter, without_www
from pipelines.reports.distinct_values import each_distinct
from pipelines.reports.known_sources import KnownSource, find_host, find_name

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
_PAID_MEDIUM = r"^(?:.*cp.*|ppc|retargeting|paid.*)$"
_CLICK_IDS = ("gclid", "msclkid")
"""Parameters that the search engines add to the addresses of their advertisements."""

_MEDIUM_CHANNELS = {
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
}

_SOURCE = pl.Struct({"name": pl.String(), "kind": pl.String()})


def source_and_channel(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Adds source and channel to rows with site, url, referrer, host, utm_source and utm_medium.

    The source is utm_source, else the parameter ref, else the referrer's host, each by its name in
    known_sources.toml or as it is; the site's own hosts are no source. Nothing of that: Direct / None.
    """
    named = pl.coalesce("utm_source", parameter(pl.col("url"), "ref"))
    return (
        rows.with_columns(
            _named=each_distinct(named, _named, _SOURCE),
            _referring=each_distinct(_outside_host(), _referring, _SOURCE),
            _medium=pl.col("utm_medium").str.to_lowercase(),
            _clicked_ad=pl.any_horizontal(parameter(pl.col("url"), name).is_not_null() for name in _CLICK_IDS),
        )
        .with_columns(_source=pl.coalesce("_named", "_referring"))
        .with_columns(source=pl.col("_source").struct.field("name").fill_null(DIRECT_SOURCE), channel=_channel())
        .drop("_named", "_referring", "_medium", "_clicked_ad", "_source")
    )


def _outside_host() -> pl.Expr:
    """The referrer's host, null where it is the site itself, one of its subdomains or the page's own host."""
    referrer = without_www(host(pl.col("referrer")))
    site = without_www(pl.col("site").str.to_lowercase())
    own = (
        (referrer == site)
        | referrer.str.ends_with(pl.concat_str(pl.lit("."), site))
        | (referrer == without_www(pl.col("host"))).fill_null(False)
    )
    return pl.when(~own).then(referrer)


def _channel() -> pl.Expr:
    kind = pl.col("_source").struct.field("kind")
    medium = pl.col("_medium").fill_null("")
    paid = medium.str.contains(_PAID_MEDIUM) & ~medium.is_in(_MEDIUM_CHANNELS["Display"])
    bought_search = (kind == "search") & pl.col("_clicked_ad")
    by_medium = [pl.when(medium.is_in(media)).then(pl.lit(channel)) for channel, media in _MEDIUM_CHANNELS.items()]
    return pl.coalesce(
        pl.when(paid | bought_search).then(kind.replace_strict(_PAID, default="Paid Other", return_dtype=pl.String())),
        *by_medium,
        kind.replace_strict(_UNPAID, default=None, return_dtype=pl.String()),
        pl.when(pl.col("_source").struct.field("name").is_not_null()).then(pl.lit("Referral")),
        pl.lit(DIRECT),
    )


def _named(name: str) -> dict[str, str | None]:
    return _as_source(find_name(name), name)


def _referring(referrer_host: str) -> dict[str, str | None]:
    return _as_source(find_host(referrer_host), referrer_host)


def _as_source(known: KnownSource | None, otherwise: str) -> dict[str, str | None]:
    return {"name": known.name, "kind": known.kind} if known else {"name": otherwise, "kind": None}
