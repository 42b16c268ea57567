"""What a table looks like, rows apart; and how one that an older version made is brought up to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deltalake import DeltaTable, Field

from lake.errors import TableDiffers


@dataclass(frozen=True)
class TableForm:
    """A table's columns, description and properties. The table may have more of each."""

    name: str
    description: str
    fields: Sequence[Field]
    properties: Mapping[str, str]


def differences(table: DeltaTable, form: TableForm) -> list[str]:
    """In what a table differs from its form, in words; empty where it does not. Raises TableDiffers."""
    found = {
        "without column": [field.name for field in _missing(table, form)],
        "another meaning of": [field.name for field in _described_otherwise(table, form)],
        "another description": [""] if table.metadata().description != form.description else [],
        "other properties:": list(_changed(table, form)),
    }
    return [f"{what} {', '.join(names)}".strip() for what, names in found.items() if names]


def bring_up_to(table: DeltaTable, form: TableForm) -> None:
    """Gives a table what it lacks of its form. Nothing is taken away, no row is touched.

    Stopped at any point, it is to be repeated. Raises TableDiffers, and deltalake's errors.
    """
    if missing := _missing(table, form):
        table.alter.add_columns(missing)
    if table.metadata().description != form.description:
        table.alter.set_table_description(form.description)
    for field in _described_otherwise(table, form):
        table.alter.set_column_metadata(field.name, field.metadata)
    # Last, since the schema version is one of them.
    if changed := _changed(table, form):
        table.alter.set_table_properties(changed, raise_if_not_exists=False)


def _missing(table: DeltaTable, form: TableForm) -> list[Field]:
    present = {field.name: field for field in table.schema().fields}
    for field in form.fields:
        if field.name in present and present[field.name].type != field.type:
            raise TableDiffers(form.name, field.name, str(present[field.name].type), str(field.type))
    return [field for field in form.fields if field.name not in present]


def _described_otherwise(table: DeltaTable, form: TableForm) -> list[Field]:
    present = {field.name: field.metadata for field in table.schema().fields}
    return [field for field in form.fields if field.name in present and present[field.name] != field.metadata]


def _changed(table: DeltaTable, form: TableForm) -> dict[str, str]:
    present = table.metadata().configuration
    return {name: value for name, value in form.properties.items() if present.get(name) != value}
