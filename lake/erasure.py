"""Taking a visitor, a user or a site out of the landed rows, and out of the files of any table."""

import contextlib
import hashlib
import hmac
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, quote_plus

import polars as pl
import polars.selectors as cs
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from lake.errors import LakeAway, TableConflict
from lake.location import Lake
from lake.opening import open_table
from lake.raw import open_landed, scan_landed
from lake.raw_schema import EVENT, TABLE
from lake.removals import ERASED, record, runs
from lake.writer import WRITER

_PLACE = ("stream_id", "kafka_partition", "kafka_offset", "kind", "landed_date", "site")
_OFFSETS_AT_ONCE = 2_000
"""Offsets named in one delete: its time grows with their square (14,000 took 12 s)."""

_ATTEMPTS = 20
_UNFINISHED_HOURS = 1
"""A file that no commit names may still be being written; after so long it is not."""


@dataclass(frozen=True)
class Wanted:
    """What is to be erased: a visitor or a user, on one site or on all, or a whole site."""

    visitor_id: str | None = None
    user_id: str | None = None
    site: str | None = None

    def __post_init__(self) -> None:
        if self.visitor_id is not None and self.user_id is not None:
            raise ValueError("Erase a visitor or a user, one after the other.")
        if not any((self.visitor_id, self.user_id, self.site)):
            raise ValueError("Say which visitor, user or site is to be erased.")

    def is_event(self) -> pl.Expr:
        """Whether a row of `landed` or `events` is of it: who did something, or to whom it was done."""
        conditions = [] if self.site is None else [pl.col("site") == self.site]
        for kind, column, value in (("visitor", "visitor_id", self.visitor_id), ("user", "user_id", self.user_id)):
            if value is not None:
                named = [(pl.col(f"{role}_type") == kind) & (pl.col(f"{role}_id") == value) for role in _ROLES]
                conditions.append(pl.any_horizontal(pl.col(column) == value, *named))
        return pl.all_horizontal(conditions).fill_null(False)

    def is_dead_letter(self) -> pl.Expr:
        """Whether a dead letter is of it: its site's, or one that names it in its bytes or in the reason."""
        text = self.visitor_id or self.user_id
        here = pl.lit(True) if self.site is None else (pl.col("site") == self.site).fill_null(False)
        if text is not None:
            return _mentions(text) & (here | pl.col("site").is_null())
        return here | (pl.col("site").is_null() & _mentions(self.site or ""))

    def is_named_in(self) -> pl.Expr:
        """Whether any text of a row of any table is exactly the id."""
        text = self.visitor_id or self.user_id or self.site
        return pl.any_horizontal(cs.string() == text).fill_null(False)

    def digest(self, key: bytes) -> str:
        """What `removals` keeps of it: whoever has the key can check an id, nobody can read one."""
        asked = json.dumps([self.visitor_id, self.user_id, self.site]).encode()
        return hmac.new(key, asked, hashlib.sha256).hexdigest()


_ROLES = ("object", "subject")


def read_digest_key(path: Path) -> bytes:
    """The key of digests in `removals`; made where it is missing, for the owner's eyes only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError), os.fdopen(_create_private(path), "wb") as file:
        file.write(os.urandom(32).hex().encode())
    return path.read_bytes()


def _create_private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def find_landed(lake: Lake, wanted: Wanted) -> pl.DataFrame:
    """The places of all landed rows that are to be erased. Raises LakeAway."""
    is_wanted = pl.when(pl.col("kind") == EVENT).then(wanted.is_event()).otherwise(wanted.is_dead_letter())
    return scan_landed(open_landed(lake)).filter(is_wanted).select(_PLACE).collect(engine="streaming")


def erase_landed(lake: Lake, wanted: Wanted, rows: pl.DataFrame, asked: str, now: datetime) -> None:
    """Records found rows in `removals`, then deletes exactly those.

    Stopped in between, it is to be repeated: the rows are found again. Raises LakeError.
    """
    record(lake, runs(rows, ERASED, now, asked))
    for condition in _conditions(rows, wanted):
        _delete(lake, condition)


def forget_files(lake: Lake, name: str, wanted: Wanted) -> list[str]:
    """Deletes what a table does not need any more from its files; answers those that still name what is wanted.

    What a commit has replaced goes at once: a reader of an older version fails, and finds the next one when it tries
    again. A file that no commit names goes an hour after it was written, since its commit may be under way: such files
    are answered where they name it. Raises LakeAway.
    """
    try:
        table = open_table(lake, name)
        table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
        table.vacuum(retention_hours=_UNFINISHED_HOURS, enforce_retention_duration=False, dry_run=False, full=True)
        young = table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=True, full=True)
        files = [f"{lake.table_uri(name)}/{file}" for file in young if file.endswith(".parquet")]
        return [file for file in files if _names(lake, file, wanted)]
    except TableNotFoundError:
        return []
    except (DeltaError, OSError) as error:
        raise LakeAway(f"{lake.table_uri(name)} could not be vacuumed: {error}. Erase again.") from error


def _mentions(text: str) -> pl.Expr:
    """Whether the bytes or the reason of a dead letter hold a text as a word, as it is or as JSON and URLs write it."""
    written = {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        quote(text, ""),
        quote_plus(text),
    }
    words = "|".join(map(re.escape, sorted(written)))
    before = r"^|[^\p{L}\p{N}]|\\[bfnrt]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2}"
    word = rf"(?:{before})(?:{words})(?:[^\p{{L}}\p{{N}}]|$)"
    body = pl.col("body").map_batches(_as_text, return_dtype=pl.String)
    return pl.any_horizontal(
        body.str.contains(word),
        pl.col("detail").str.contains(word),
        pl.col("field").str.contains(word),
    ).fill_null(False)


def _as_text(bodies: pl.Series) -> pl.Series:
    """Bytes as text; those that are none become signs that are no letters."""
    return pl.Series([None if body is None else body.decode(errors="replace") for body in bodies], dtype=pl.String)


def _conditions(rows: pl.DataFrame, wanted: Wanted) -> Iterator[str]:
    """SQL that together names exactly these rows, and never a visitor or a user: the log keeps it.

    Each has bounds of offsets, by which Delta sees that what is landed meanwhile is another matter.
    """
    if wanted.visitor_id is None and wanted.user_id is None and wanted.site is not None:
        for place, group in rows.filter(pl.col("site") == wanted.site).group_by(_PLACE[:2], maintain_order=True):
            quoted = wanted.site.replace("'", "''")
            yield f"{_between(place, group['kafka_offset'].to_list())} AND site = '{quoted}'"
        rows = rows.filter(pl.col("site").is_null())
    for place, group in rows.sort("landed_date", "kafka_offset").group_by(_PLACE[:2], maintain_order=True):
        for part in group["kafka_offset"].to_frame().iter_slices(_OFFSETS_AT_ONCE):
            offsets = part["kafka_offset"].to_list()
            yield f"{_between(place, offsets)} AND kafka_offset IN ({', '.join(map(str, offsets))})"


def _between(place: tuple[object, ...], offsets: list[int]) -> str:
    stream_id, partition = place
    return (
        f"stream_id = '{stream_id}' AND kafka_partition = {partition} "
        f"AND kafka_offset >= {min(offsets)} AND kafka_offset <= {max(offsets)}"
    )


def _delete(lake: Lake, condition: str) -> None:
    for _ in range(_ATTEMPTS):
        table = open_landed(lake)
        if table is None:
            return
        try:
            table.delete(condition, writer_properties=WRITER)
        except CommitFailedError:
            continue
        except (DeltaError, OSError) as error:
            raise LakeAway(f"Rows of {lake.table_uri(TABLE)} could not be deleted: {error}. Erase again.") from error
        return
    raise TableConflict(f"{lake.table_uri(TABLE)} is changed by others all the time. Erase again.")


def _names(lake: Lake, file: str, wanted: Wanted) -> bool:
    try:
        rows = pl.scan_parquet(file, storage_options=dict(lake.storage_options), hive_partitioning=False)
        columns = rows.collect_schema()
        named = wanted.is_named_in()
        if "body" in columns:
            named = named | (pl.col("reason").is_not_null() & wanted.is_dead_letter())
        return bool(rows.select(named.any()).collect(engine="streaming").item())
    except FileNotFoundError:
        return False
    except (pl.exceptions.PolarsError, OSError):
        # It is not whole yet.
        return True
