"""The commit of a table of days: new files come, those of replaced days go, and numbers that others see move."""

from collections.abc import Collection, Mapping
from datetime import date

from deltalake import CommitProperties, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError

from lake.day_files import DayFiles
from lake.errors import LakeAway, TableConflict
from lake.location import Lake
from lake.table_version import TableVersion, open_version

_ATTEMPTS = 10


def commit_days(
    lake: Lake, seen: TableVersion, files: DayFiles, replaced: Collection[date] | None, numbers: Mapping[str, int]
) -> None:
    """Adds files, instead of all those of the replaced days, unless one of the numbers has moved since `seen`.

    `numbers`: the transactions of the commit. Of two commits that are decided on the same version and move one number,
    one fails. Compaction moves none, and makes no commit fail. Raises TableConflict and LakeAway, and has then changed
    nothing.
    """
    uri, partition_by = lake.table_uri(seen.spec.name), seen.spec.partition_by
    if replaced is not None and (others := files.days - set(replaced)):
        raise ValueError(f"there are rows of {min(others)}, which is not among the days to replace")
    for _ in range(_ATTEMPTS):
        now = open_version(lake, seen.spec)
        if now.handle is None or any(now.transactions.get(name) != seen.transactions.get(name) for name in numbers):
            raise TableConflict(f"{uri} was changed since it was read.")
        try:
            # Past this point a commit that moves one of the numbers fails this one.
            now.handle.create_write_transaction(
                files.actions,
                "append" if replaced is None else "overwrite",
                now.handle.schema(),
                partition_by,
                partition_filters=None if replaced is None else _of_days(partition_by, replaced),
                commit_properties=CommitProperties(
                    app_transactions=[Transaction(name, number) for name, number in numbers.items()]
                ),
            )
        except CommitFailedError:
            continue
        except (DeltaError, OSError) as error:
            raise LakeAway(f"{uri} could not be written: {error}") from error
        return
    raise TableConflict(f"{uri} is changed by others all the time.")


def _of_days(partition_by: str, days: Collection[date]) -> list[tuple[str, str, list[str]]]:
    return [(partition_by, "in", [day.isoformat() for day in sorted(days)])]
