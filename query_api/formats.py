"""The formats of rows: which one a request wants, and the bytes of each."""

import io
import json
from collections.abc import Mapping
from typing import Any, Literal

import polars as pl

from query_api.errors import ApiError, wrong_parameter
from query_api.quality import qualities

Format = Literal["json", "csv", "parquet"]

MEDIA_TYPES: Mapping[Format, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}

_BY_MEDIA_TYPE: Mapping[str, Format] = {
    "application/json": "json",
    "application/*": "json",
    "*/*": "json",
    "text/csv": "csv",
    "text/*": "csv",
    "application/vnd.apache.parquet": "parquet",
}


def wanted_format(name: str, asked: Format | None, accept: str) -> tuple[str, Format]:
    """The report's name and the format: by `asked`, the name's suffix, or the Accept header.

    Raises ApiError: 400 where suffix and `asked` differ, 406 where no format is accepted.
    """
    stem, dot, suffix = name.rpartition(".")
    if not dot or suffix not in MEDIA_TYPES:
        return name, asked or _accepted(accept)
    if asked not in (None, suffix):
        raise wrong_parameter("format", f"format: the address says {suffix} already.")
    return stem, suffix  # type: ignore[return-value]  # the keys of MEDIA_TYPES are the formats


def _accepted(accept: str) -> Format:
    wanted = qualities(accept or "*/*")
    known = [media_type for media_type, quality in wanted.items() if quality > 0 and media_type in _BY_MEDIA_TYPE]
    if not known:
        offered = ", ".join(MEDIA_TYPES.values())
        raise ApiError(406, "not_acceptable", f"A report comes as {offered}; or write format=csv or format=parquet.")
    return _BY_MEDIA_TYPE[max(known, key=wanted.__getitem__)]


def as_json(about: Mapping[str, Any], rows: pl.DataFrame, following: str | None) -> bytes:
    """`about`'s fields, then rows ([{column: value}]; dates and instants as ISO 8601) and next."""
    head = json.dumps(about, separators=(",", ":"), ensure_ascii=False)[1:-1]
    body = rows.write_json()
    return f'{{{head},"rows":{body},"next":{json.dumps(following)}}}'.encode()


def as_csv(rows: pl.DataFrame, header: bool = True) -> bytes:
    """A header line, then a line per row; values as they are, so a text may begin with = when a sheet opens it."""
    return rows.write_csv(include_header=header, datetime_format="%Y-%m-%dT%H:%M:%S%.f%:z").encode()


def as_parquet(rows: pl.DataFrame) -> bytes:
    """One Parquet file, zstd."""
    file = io.BytesIO()
    rows.write_parquet(file, compression="zstd")
    return file.getvalue()
