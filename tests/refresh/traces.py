"""Looks for a text in every byte that is kept."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import polars.selectors as cs


def traces(folder: Path, text: str) -> list[str]:
    """The files below a folder that hold a text: in their bytes, or in a column of a Parquet file, unpacked."""
    return [
        str(file.relative_to(folder)) for file in sorted(folder.rglob("*")) if file.is_file() and _holds(file, text)
    ]


def _holds(file: Path, text: str) -> bool:
    needle = text.encode()
    return any(needle in content for content in _contents(file))


def _contents(file: Path) -> Iterator[bytes]:
    yield file.read_bytes()
    if file.suffix == ".parquet":
        rows = pl.read_parquet(file, hive_partitioning=False)
        # A checkpoint has nested columns.
        yield rows.select(~cs.binary()).write_ndjson().encode()
        for column in rows.select(cs.binary()):
            yield from column.drop_nulls()
