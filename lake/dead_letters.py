"""The dead letters as a person looks for them: by reason, site and day, in memory that their number does not change."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import PyFileSystem

from lake.errors import LakeAway
from lake.location import Lake
from lake.raw import open_landed, scan_landed
from lake.raw_schema import DEAD_LETTER, PARTITION_BY, TABLE
from lake.replays import LETTER, Place, scan_replayed

_COLUMNS = (
    *LETTER,
    "landed_date",
    "landed_at",
    "reason",
    "detail",
    "field",
    "site",
    "received_at",
    "body",
    "body_length",
    "body_sha256",
)

_READ_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Selection:
    """Which dead letters are meant. The days are those they were landed on (UTC), both included; None means any."""

    reason: str | None = None
    site: str | None = None
    first_day: date | None = None
    last_day: date | None = None

    def condition(self) -> pl.Expr:
        """Lets dead letters of the selection through; kind and landed_date prune files."""
        tests = [pl.col("kind") == DEAD_LETTER]
        if self.reason is not None:
            tests.append(pl.col("reason") == self.reason)
        if self.site is not None:
            tests.append(pl.col("site") == self.site)
        if self.first_day is not None:
            tests.append(pl.col("landed_date") >= self.first_day)
        if self.last_day is not None:
            tests.append(pl.col("landed_date") <= self.last_day)
        return pl.all_horizontal(tests)


@dataclass(frozen=True)
class DeadLetter:
    """A record that is no event: where it was, why it is none, and its first 64 KB as they came.

    `received_at` is None where it was a record that the worker could not read, and else when the collector refused
    the body. `body_length` and `body_sha256` are those of the whole body. Instants are UTC.
    """

    stream_id: str
    partition: int
    offset: int
    landed_date: date
    landed_at: datetime
    reason: str
    detail: str
    field: str | None
    site: str | None
    received_at: datetime | None
    body: bytes
    body_length: int
    body_sha256: str
    replayed: bool = False

    @property
    def place(self) -> Place:
        """What names it in the table `replays`."""
        return self.stream_id, self.partition, self.offset, self.landed_date


@dataclass(frozen=True)
class ReasonSummary:
    """The dead letters of one reason. `replayed` of them were sent again; `sites` are those known, by name."""

    reason: str
    letters: int
    replayed: int
    sites: Sequence[str]
    first_landed_at: datetime
    last_landed_at: datetime
    latest: DeadLetter


def summarise(lake: Lake, selection: Selection) -> list[ReasonSummary]:
    """The selected dead letters by reason, the most frequent first, each with its latest. Raises LakeAway."""
    letters = _letters(lake, open_landed(lake), selection)
    counted = (
        letters.group_by("reason")
        .agg(
            letters=pl.len(),
            replayed=pl.col("replayed").sum(),
            sites=pl.col("site").drop_nulls().unique().sort(),
            first_landed_at=pl.col("landed_at").min(),
            last_landed_at=pl.col("landed_at").max(),
        )
        .sort("letters", "reason", descending=[True, False])
        .collect(engine="streaming")
    )
    # Bodies are read of the last commits only.
    last = counted.lazy().select("reason", landed_at="last_landed_at")
    latest = {
        letter.reason: letter
        for letter in _read(
            letters.filter(pl.col("landed_at").is_in(counted["last_landed_at"].unique().to_list()))
            .join(last, on=["reason", "landed_at"], how="semi")
            .group_by("reason")
            .agg(pl.all().last())
        )
    }
    return [ReasonSummary(**row, latest=latest[row["reason"]]) for row in counted.iter_rows(named=True)]


def latest_letters(lake: Lake, selection: Selection, limit: int) -> list[DeadLetter]:
    """The selected dead letters that were landed last, the last one first, at most `limit`. Raises LakeAway."""
    letters = _letters(lake, open_landed(lake), selection)
    order = ["landed_at", *LETTER]
    # First which, then their bodies: sorting would hold those of all.
    wanted = letters.select(order).sort(order, descending=True).head(limit).collect(engine="streaming")
    if wanted.is_empty():
        return []
    rows = letters.filter(pl.col("landed_at") >= wanted["landed_at"].min())
    return _read(rows.join(wanted.lazy(), on=list(LETTER), how="semi").sort(order, descending=True))


def letters_to_replay(lake: Lake, selection: Selection, size: int) -> Iterator[list[DeadLetter]]:
    """The selected dead letters that were not sent again yet, at most `size` at a time.

    All are of the table as it is when the first is asked for: what is landed meanwhile is not among them.
    Raises LakeAway.
    """
    table = open_landed(lake)
    for day, paths in _files(table, selection):
        replayed = scan_replayed(lake).filter(pl.col("landed_date") == day).collect(engine="streaming")
        for rows in _batches(lake, day, paths, size):
            left = rows.filter(selection.condition()).join(replayed, on=list(LETTER), how="anti", maintain_order="left")
            if not left.is_empty():
                yield [DeadLetter(*row) for row in left.select(_COLUMNS).iter_rows()]


def _letters(lake: Lake, table: DeltaTable | None, selection: Selection) -> pl.LazyFrame:
    """The selected rows with `replayed`: whether they were sent again."""
    replayed = scan_replayed(lake).select(*LETTER, replayed=pl.lit(True))
    return (
        scan_landed(table)
        .filter(selection.condition())
        .select(_COLUMNS)
        .join(replayed, on=list(LETTER), how="left")
        .with_columns(pl.col("replayed").fill_null(False))
    )


def _read(letters: pl.LazyFrame) -> list[DeadLetter]:
    rows = letters.select(*_COLUMNS, "replayed").collect(engine="streaming")
    return [DeadLetter(*row) for row in rows.iter_rows()]


def _files(table: DeltaTable | None, selection: Selection) -> list[tuple[date, list[str]]]:
    """The days that may have selected dead letters and their files, by the log alone."""
    if table is None:
        return []
    first, last = selection.first_day or date.min, selection.last_day or date.max
    files: dict[date, list[str]] = defaultdict(list)
    added = pa.table(table.get_add_actions(flatten=True)).select(["partition.kind", "partition.landed_date", "path"])
    for kind, day, path in zip(*(column.to_pylist() for column in added.columns), strict=True):
        if kind == DEAD_LETTER and first <= day <= last:
            files[day].append(path)
    return sorted(files.items())


def _batches(lake: Lake, day: date, paths: Iterable[str], size: int) -> Iterator[pl.DataFrame]:
    """The rows of files. A scan by Polars or Arrow would hold a whole row group with its bodies at a time."""
    stored = [name for name in _COLUMNS if name not in PARTITION_BY]
    table = PyFileSystem(DeltaStorageHandler(lake.table_uri(TABLE), dict(lake.storage_options)))
    partition = {"kind": pl.lit(DEAD_LETTER), "landed_date": pl.lit(day)}
    try:
        for path in paths:
            with table.open_input_file(path) as file:
                parquet = pq.ParquetFile(file, pre_buffer=False, buffer_size=_READ_BYTES)
                for batch in parquet.iter_batches(size, columns=stored):
                    yield pl.DataFrame(batch).with_columns(**partition)
    except (DeltaError, OSError) as error:
        raise LakeAway(f"{lake.table_uri(TABLE)} could not be read: {error}") from error
