"""The Delta table that the worker lands in: rows and progress in one commit, behind a fence."""

import logging
import time
from collections.abc import Callable, Iterable

import pyarrow as pa
from deltalake import (
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    Schema,
    Transaction,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError, DeltaError

from lake.errors import LakeAway, LandingConflict
from lake.location import Lake
from lake.maintenance import REPLACED_FILES
from lake.opening import again_if_missed, missed_a_commit
from lake.progress import Progress, app_id
from lake.raw import LANDING, LANDING_FIRST, open_landed
from lake.raw_schema import LANDED, PARTITION_BY, TABLE
from lake.schema_version import PROPERTY, SCHEMA_VERSION
from lake.table_form import TableForm
from lake.writer import WRITER

_log = logging.getLogger(__name__)

_PROPERTIES = {
    PROPERTY: str(SCHEMA_VERSION),
    # What readers prune by, and nothing of a person: statistics in the log would survive an erasure.
    "delta.dataSkippingStatsColumns": (
        "stream_id,kafka_partition,kafka_offset,kafka_timestamp,landed_at,site,occurred_at,received_at"
    ),
    "delta.checkpointInterval": "50",
    # A commit a second is 86,400 files a day, and opening the table lists them all: 9 ms per 1,000 files.
    "delta.logRetentionDuration": "interval 1 hours",
    "delta.enableExpiredLogCleanup": "true",
    **REPLACED_FILES,
}

FORM = TableForm(
    TABLE,
    "Every record of the stream, once, as an event or as a dead letter.",
    Schema.from_arrow(LANDED).fields,
    _PROPERTIES,
)
"""What the table looks like, rows apart."""

# Each commit would list the whole log twice; `_shorten_log` does it once for many.
_NO_UPKEEP = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


class DeltaLandingTable:
    """A LandingTable on a Delta table, which is created where it is missing.

    It appends through a held handle, so that a commit made meanwhile by another writer of the same stream partition
    fails it. After so many commits, or so many seconds (`now` counts them), the log is shortened by a checkpoint and
    the handle opened anew: each commit costs what was committed since the last checkpoint, and a handle older than the
    log's retention no longer sees what came after it.
    """

    def __init__(
        self,
        lake: Lake,
        *,
        reopen_after_commits: int = 50,
        reopen_after_seconds: float = 60.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lake = lake
        self._reopen_after_commits = reopen_after_commits
        self._reopen_after_seconds = reopen_after_seconds
        self._now = now
        self._handle: DeltaTable | None = None
        self._commits = 0
        self._opened_at = 0.0

    def landed(self, places: Iterable[tuple[str, int]]) -> Progress:
        handle = self._open()
        found = {place: handle.transaction_version(app_id(LANDING, *place)) for place in places}
        return {place: offset for place, offset in found.items() if offset is not None}

    def append(self, events: pa.Table, dead_letters: pa.Table, first_offsets: Progress, next_offsets: Progress) -> None:
        handle = self._held()
        try:
            write_deltalake(
                handle,
                pa.concat_tables([events, dead_letters]),
                mode="append",
                writer_properties=WRITER,
                commit_properties=CommitProperties(app_transactions=_fence(handle, first_offsets, next_offsets)),
                post_commithook_properties=_NO_UPKEEP,
            )
        except CommitFailedError as error:
            self._handle = None
            raise LandingConflict(f"Another writer was faster: {error}") from error
        except (DeltaError, OSError) as error:
            self._handle = None
            if missed_a_commit(error):
                raise LandingConflict(f"The log was listed with a hole: {error}") from error
            raise LakeAway(f"{self._lake.table_uri(TABLE)} could not be written: {error}") from error
        self._commits += 1

    def _held(self) -> DeltaTable:
        if self._handle is None:
            return self._open()
        old = self._commits >= self._reopen_after_commits or self._now() - self._opened_at >= self._reopen_after_seconds
        if not old:
            return self._handle
        if self._commits:
            self._shorten_log(self._handle)
        return self._open()

    def _shorten_log(self, handle: DeltaTable) -> None:
        try:
            # A checkpoint of an old version would hide the newer one of another worker.
            again_if_missed(handle.update_incremental)
            handle.create_checkpoint()
            handle.cleanup_metadata()
        except (DeltaError, OSError) as error:
            _log.warning("The log of %s was not shortened: %s", self._lake.table_uri(TABLE), error)

    def _open(self) -> DeltaTable:
        while (handle := open_landed(self._lake, without_files=True)) is None:
            _create(self._lake)
        self._handle = handle
        self._commits = 0
        self._opened_at = self._now()
        return self._handle


def _fence(handle: DeltaTable, first_offsets: Progress, next_offsets: Progress) -> list[Transaction]:
    """The progress to commit, if the held handle shows that the table stands where the batch begins.

    The handle may have moved past other writers' commits when one of its own was rebased, so Delta's check alone
    would let an old batch through. Raises LandingConflict.
    """
    transactions = []
    for place, first in first_offsets.items():
        landed = handle.transaction_version(app_id(LANDING, *place))
        if landed is None:
            transactions.append(Transaction(app_id(LANDING_FIRST, *place), first))
        elif landed != first:
            raise LandingConflict(f"{place} is landed up to offset {landed}, the batch begins at {first}.")
        transactions.append(Transaction(app_id(LANDING, *place), next_offsets[place]))
    return transactions


def _create(lake: Lake) -> None:
    try:
        DeltaTable.create(
            lake.table_uri(TABLE),
            LANDED,
            mode="ignore",
            partition_by=list(PARTITION_BY),
            name=FORM.name,
            description=FORM.description,
            configuration=FORM.properties,
            storage_options=dict(lake.storage_options),
            raise_if_key_not_exists=False,
        )
    except (DeltaError, OSError) as error:
        # Another worker may have created it in the same moment.
        if open_landed(lake) is None:
            raise LakeAway(f"{lake.table_uri(TABLE)} could not be created: {error}") from error
