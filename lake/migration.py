"""Brings the tables that an older version made up to the form of this one. No row is touched, none is counted anew."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from lake.errors import LakeAway, TableConflict
from lake.landing_table import FORM as LANDED_FORM
from lake.location import Lake
from lake.opening import open_table
from lake.schema_version import known, version_of
from lake.table_form import TableForm, bring_up_to, differences
from lake.table_metadata import form_of
from lake.table_spec import TableSpec

_ATTEMPTS = 20

Tell = Callable[[int, int, str], None]
"""How many tables were looked at, how many there are, and which is next."""


@dataclass(frozen=True)
class Outdated:
    """A table that an older version made: its schema version then, and in what it differed, in words."""

    table: str
    version: int
    differences: Collection[str]


def find_outdated(lake: Lake, specs: Iterable[TableSpec], tell: Tell) -> list[Outdated]:
    """The tables that `migrate` would change. Raises LakeError."""
    forms = [LANDED_FORM, *map(form_of, specs)]
    found = []
    for number, form in enumerate(forms):
        tell(number, len(forms), form.name)
        table = _open(lake, form.name)
        if table is not None and (differs := differences(table, form)):
            found.append(Outdated(form.name, version_of(table), differs))
    tell(len(forms), len(forms), "")
    return found


def migrate(lake: Lake, specs: Iterable[TableSpec], tell: Tell) -> Iterator[Outdated]:
    """Brings each table up to its form, and gives it when that is done; a table that is not there is made when it is
    needed. Writers may go on meanwhile. Stopped at any point, it is to be repeated. Raises LakeError.
    """
    specs = list(specs)
    forms = {form.name: form for form in (LANDED_FORM, *map(form_of, specs))}
    for outdated in find_outdated(lake, specs, tell):
        _bring_up(lake, forms[outdated.table])
        yield outdated


def _bring_up(lake: Lake, form: TableForm) -> None:
    for _ in range(_ATTEMPTS):
        table = _open(lake, form.name)
        try:
            return None if table is None else bring_up_to(table, form)
        except CommitFailedError:
            continue
        except (DeltaError, OSError) as error:
            raise LakeAway(f"{lake.table_uri(form.name)} could not be written: {error}") from error
    raise TableConflict(f"{lake.table_uri(form.name)} changes too often to be migrated.")


def _open(lake: Lake, name: str) -> DeltaTable | None:
    uri = lake.table_uri(name)
    try:
        return known(name, open_table(lake, name, without_files=True))
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as error:
        raise LakeAway(f"{uri} could not be read: {error}") from error
