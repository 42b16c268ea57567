"""Parts of a web address, as expressions on columns of addresses."""

from urllib.parse import unquote_plus

import polars as pl

from pipelines.reports.distinct_values import each_distinct

_AUTHORITY = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?"


def host(address: pl.Expr) -> pl.Expr:
    """The host in small letters, without port; null where the address names none."""
    name = address.str.extract(_AUTHORITY + r"(\[[^\]/?#]+\]|[^/?#:]+)")
    return name.str.to_lowercase().str.strip_chars_end(".")


def path(address: pl.Expr) -> pl.Expr:
    """The path as it was sent, without query string and fragment; `/` where there is only a host."""
    after_host = address.str.replace(_AUTHORITY + r"[^/?#]*", "").str.extract(r"^([^?#]*)")
    return pl.when(after_host == "").then(pl.lit("/")).otherwise(after_host)


def query(address: pl.Expr) -> pl.Expr:
    """The query string, without the question mark; null where there is none."""
    return address.str.extract(r"^[^?#]*\?([^#]+)")


def parameter(query_string: pl.Expr, name: str) -> pl.Expr:
    """The first value of a parameter of a query string, decoded; null where it is absent or empty."""
    return each_distinct(unquote_plus, pl.String(), query_string.str.extract(rf"(?:^|&){name}=([^&]+)"))


def without_www(hosts: pl.Expr) -> pl.Expr:
    """The host without a leading `www.`."""
    return hosts.str.strip_prefix("www.")
