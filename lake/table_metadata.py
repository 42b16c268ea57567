"""A table's definition in its own Delta metadata: written where a table is built, read by those who know only the lake.

Name and description are Delta's own; a column's meaning is its `comment`, which Spark and others show too.
"""

import polars as pl
from deltalake import DeltaTable, Field, Schema
from deltalake.exceptions import CommitFailedError, DeltaError

from lake.errors import LakeAway, TableConflict
from lake.location import Lake
from lake.maintenance import REPLACED_FILES
from lake.opening import open_table
from lake.schema_version import PROPERTY, SCHEMA_VERSION, known
from lake.table_form import TableForm, bring_up_to
from lake.table_spec import Column, TableSpec

KIND = "logektor.kind"
KEY = "logektor.key"
COLUMNS = "logektor.columns"
"""The columns of the definition in its order: the table may hold others, of older definitions."""

COMMENT = "comment"
UNIT = "logektor.unit"
ADDITIVE = "logektor.additive"

REPORT = "report"
NO_REPORT = "table"

_UPKEEP = {
    # Whoever wants all transactions reads each commit after the last checkpoint.
    "delta.checkpointInterval": "25",
    # A table is rewritten every minute, and nobody asks for its old versions.
    "delta.logRetentionDuration": "interval 1 days",
    "delta.enableExpiredLogCleanup": "true",
    **REPLACED_FILES,
}
_ATTEMPTS = 10


def is_report(spec: TableSpec) -> bool:
    """Whether analysts ask for it: rows by `site` and `date`. A table of single events or visits is no report."""
    return spec.partition_by == "date" and "site" in spec.key and not spec.single_rows


def declare(lake: Lake, spec: TableSpec) -> None:
    """Creates the table of a definition, or brings columns and metadata of the one that is there up to it.

    A column that the definition lost stays, and is null in new rows. Raises TableDiffers, TableNewer, TableConflict and
    LakeAway.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _declare(lake, spec)
        except CommitFailedError:
            continue
        except (DeltaError, OSError) as error:
            raise LakeAway(f"{lake.table_uri(spec.name)} could not be written: {error}") from error
    raise TableConflict(f"{lake.table_uri(spec.name)} changes too often to be described.")


def _declare(lake: Lake, spec: TableSpec) -> None:
    uri, options, form = lake.table_uri(spec.name), dict(lake.storage_options), form_of(spec)
    if not DeltaTable.is_deltatable(uri, options):
        DeltaTable.create(
            uri,
            Schema(list(form.fields)),
            mode="ignore",
            partition_by=[spec.partition_by],
            name=form.name,
            description=form.description,
            configuration=form.properties,
            storage_options=options,
            raise_if_key_not_exists=False,
        )
    bring_up_to(known(spec.name, open_table(lake, spec.name)), form)


def form_of(spec: TableSpec) -> TableForm:
    """What the table of a definition looks like."""
    return TableForm(spec.name, spec.description, _fields(spec), _configuration(spec))


def pruning_columns(spec: TableSpec) -> list[str]:
    """The columns whose statistics are in the log.

    Those on instants prune files; those on a visitor or an address would survive an erasure in the log.
    """
    instants = [column.name for column in spec.columns if isinstance(column.dtype, pl.Date | pl.Datetime)]
    return [name for name in ("site", *instants) if name in spec.schema and name != spec.partition_by]


def _configuration(spec: TableSpec) -> dict[str, str]:
    return {
        **_UPKEEP,
        "delta.dataSkippingStatsColumns": ",".join(pruning_columns(spec)),
        KIND: REPORT if is_report(spec) else NO_REPORT,
        KEY: ",".join(spec.key),
        COLUMNS: ",".join(spec.schema),
        PROPERTY: str(SCHEMA_VERSION),
    }


def _fields(spec: TableSpec) -> list[Field]:
    plain = Schema.from_arrow(pl.DataFrame(schema=spec.schema).to_arrow().schema).fields
    return [
        Field(field.name, field.type, nullable=True, metadata=_metadata(column))
        for field, column in zip(plain, spec.columns, strict=True)
    ]


def _metadata(column: Column) -> dict[str, str]:
    return {COMMENT: column.meaning, UNIT: column.unit, ADDITIVE: str(column.additive).lower()}
