"""The formats of a report: which one a request wants, and the bytes of each."""

import io
import json
from collections.abc import Mapping
from typing import Any, Literal

import polars as pl

from query_api.errors import ApiError

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


def wanted_format(name: str, accept: str) -> tuple[str, Format]:
    """The report's name and the format: by the name's suffix, else by the Accept header. Raises ApiError (406)."""
    stem, dot, suffix = name.rpartition(".")
    if dot and suffix in MEDIA_TYPES:
        return stem, suffix  # type: ignore[return-value]  # the keys of MEDIA_TYPES are the formats
    return name, _accepted(accept)


def _accepted(accept: str) -> Format:
    best: tuple[float, Format] | None = None
    for part in (accept or "*/*").split(","):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        found = _BY_MEDIA_TYPE.get(media_type)
        quality = _quality(parameters)
        if found and quality > 0 and (best is None or quality > best[0]):
            best = (quality, found)
    if best is None:
        offered = ", ".join(MEDIA_TYPES.values())
        raise ApiError(
            406, "not_acceptable", f"A report comes as {offered}; or write {{name}}.csv or {{name}}.parquet."
        )
    return best[1]


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def as_json(about: Mapping[str, Any], rows: pl.DataFrame, following: str | None) -> bytes:
    """`about`'s fields, then rows ([{column: value}]; dates and instants as ISO 8601) and next."""
    head = json.dumps(about, separators=(",", ":"), ensure_ascii=False)[1:-1]
    body = rows.write_json()
    return f'{{{head},"rows":{body},"next":{json.dumps(following)}}}'.encode()


def as_csv(rows: pl.DataFrame) -> bytes:
    """A header line, then a line per row; values as they are, so a text may begin with = when a sheet opens it."""
    return rows.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.f%:z").encode()


def as_parquet(rows: pl.DataFrame) -> bytes:
    """One Parquet file, zstd."""
    file = io.BytesIO()
    rows.write_parquet(file, compression="zstd")
    return file.getvalue()
