"""Tables of another age: older ones are brought up to this version's form, newer ones are left alone."""

import contextlib
import itertools
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.table import TableAlterer

from lake.audit import audit
from lake.catalogue import Catalogue
from lake.errors import LandingConflict, TableNewer
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.maintenance import compact, vacuum
from lake.migration import find_outdated, migrate
from lake.raw import count_landed, open_landed
from lake.raw_schema import LANDED, PARTITION_BY, TABLE
from lake.report_table import ReportTable
from lake.schema_version import PROPERTY, SCHEMA_VERSION, version_of
from lake.table_metadata import declare
from lake.table_spec import Column, TableSpec
from tests.lake.landing import P0, land

PAGES = TableSpec(
    name="pages",
    description="Page views by page.",
    key=("site", "date"),
    columns=(
        Column("site", pl.String(), "the site"),
        Column("date", pl.Date(), "the day"),
        Column("pageviews", pl.Int64(), "how many"),
    ),
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def no_word(done: int, total: int, what: str) -> None:
    """Tells nobody."""


def of_version(lake: Lake, name: str, version: int) -> None:
    DeltaTable(lake.table_uri(name)).alter.set_table_properties({PROPERTY: str(version)}, raise_if_not_exists=False)


READS: list[Callable[[Lake], object]] = [
    open_landed,
    lambda lake: DeltaLandingTable(lake).landed([]),
    lambda lake: ReportTable(lake, PAGES).read(),
    lambda lake: declare(lake, PAGES),
    lambda lake: Catalogue(lake).open("pages"),
    lambda lake: compact(lake, "pages"),
    lambda lake: vacuum(lake, "landed"),
    lambda lake: find_outdated(lake, [PAGES], no_word),
    lambda lake: list(migrate(lake, [PAGES], no_word)),
]


@pytest.mark.parametrize("use", READS)
def test_a_newer_table_is_not_touched_and_the_sentence_says_what_to_do(
    lake: Lake, use: Callable[[Lake], object]
) -> None:
    DeltaLandingTable(lake).landed([])
    declare(lake, PAGES)
    for name in (TABLE, "pages"):
        of_version(lake, name, SCHEMA_VERSION + 1)
    before = {name: DeltaTable(lake.table_uri(name)).version() for name in (TABLE, "pages")}
    with pytest.raises(TableNewer, match=f"schema version {SCHEMA_VERSION + 1}, and this Logektor knows"):
        use(lake)
    assert {name: DeltaTable(lake.table_uri(name)).version() for name in before} == before


def an_older_lake(lake: Lake) -> None:
    """`landed` without a column and the properties of today, and a report of a day when it had fewer columns."""
    older = LANDED.remove(LANDED.get_field_index("country"))
    DeltaTable.create(lake.table_uri(TABLE), older, partition_by=list(PARTITION_BY), name=TABLE)
    DeltaTable.create(
        lake.table_uri("pages"),
        pl.DataFrame(schema={"site": pl.String(), "date": pl.Date()}).to_arrow().schema,
        partition_by=["date"],
        name="pages",
    )


def test_an_older_table_is_brought_up_to_the_form_of_a_new_one(lake: Lake, tmp_path: Path) -> None:
    an_older_lake(lake)
    new = Lake(str(tmp_path / "new"))
    DeltaLandingTable(new).landed([])
    declare(new, PAGES)

    seen = find_outdated(lake, [PAGES], no_word)
    assert [(each.table, each.version) for each in seen] == [(TABLE, 0), ("pages", 0)]
    assert "without column country" in seen[0].differences
    assert list(migrate(lake, [PAGES], no_word)) == seen

    for name in (TABLE, "pages"):
        migrated, made = (DeltaTable(where.table_uri(name)) for where in (lake, new))
        assert version_of(migrated) == SCHEMA_VERSION
        assert migrated.metadata().configuration == made.metadata().configuration
        assert migrated.metadata().description == made.metadata().description
        assert {field.name: field for field in migrated.schema().fields} == {
            field.name: field for field in made.schema().fields
        }


def test_a_second_migration_changes_nothing(lake: Lake) -> None:
    an_older_lake(lake)
    assert list(migrate(lake, [PAGES], no_word))
    before = DeltaTable(lake.table_uri(TABLE)).version()
    assert not list(migrate(lake, [PAGES], no_word))
    assert DeltaTable(lake.table_uri(TABLE)).version() == before


class Stopped(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("stop_before", range(20))
def test_a_migration_that_was_stopped_anywhere_is_ended_by_the_next(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, stop_before: int
) -> None:
    an_older_lake(lake)
    commits = itertools.count()

    def stopping(real: Callable[..., None]) -> Callable[..., None]:
        def commit(*words: object, **named: object) -> None:
            if next(commits) == stop_before:
                raise Stopped
            real(*words, **named)

        return commit

    with monkeypatch.context() as patched:
        for name in ("add_columns", "set_table_description", "set_column_metadata", "set_table_properties"):
            patched.setattr(TableAlterer, name, stopping(getattr(TableAlterer, name)))
        with contextlib.suppress(Stopped):
            list(migrate(lake, [PAGES], no_word))
    list(migrate(lake, [PAGES], no_word))
    assert not find_outdated(lake, [PAGES], no_word)
    assert {version_of(DeltaTable(lake.table_uri(name))) for name in (TABLE, "pages")} == {SCHEMA_VERSION}


def test_a_worker_that_runs_meanwhile_lands_each_record_once(lake: Lake) -> None:
    writer = DeltaLandingTable(lake)
    writer.landed([P0])
    land(writer, 0)
    of_version(lake, TABLE, 0)
    writer.landed([P0])
    assert [each.table for each in migrate(lake, [], no_word)] == [TABLE]
    with pytest.raises(LandingConflict):
        land(writer, 10)
    assert writer.landed([P0]) == {P0: 10}
    land(writer, 10)
    assert audit(lake).exact
    assert count_landed(lake) == {"event": 18, "dead_letter": 2}
