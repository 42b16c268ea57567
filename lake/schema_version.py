"""The version of the tables' form, a property of each table.

It grows by one with a change that a process of before can't live with. A new column that may be null, another
description or property is no such change. A table without the property was made before there were versions, and is
read and written as one of version 1.
"""

from deltalake import DeltaTable

from lake.errors import TableNewer

SCHEMA_VERSION = 1
"""What this code writes, and the newest it knows."""

PROPERTY = "logektor.schema_version"


def version_of(table: DeltaTable) -> int:
    """The table's schema version; 0 where it says none."""
    return int(table.metadata().configuration.get(PROPERTY, 0))


def known(name: str, table: DeltaTable) -> DeltaTable:
    """The table, if this code knows its form. Raises TableNewer."""
    version = version_of(table)
    if version > SCHEMA_VERSION:
        raise TableNewer(name, version, SCHEMA_VERSION)
    return table
