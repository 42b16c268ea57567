"""The number of a definition is another one exactly when other rows may follow from it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module, invalidate_caches
from pathlib import Path

import polars as pl
import pytest

from lake.table_spec import Column
from pipelines.refresh.definition import captured_by, code_of, number_of
from pipelines.refresh.reports import definition_of
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.visits import visits_report

REPORT = '''"""Counts."""
from .counting import NAMES, count
from lake.table_spec import Column, TableSpec

SPEC = TableSpec(name="hits", description="Hits.", key=("site",), columns=(Column("hits", int, "how many"),))

def build(events):
    """Counts them."""
    return count(events)  # all of them
'''
COUNTING = """import pathlib
NAMES = pathlib.Path(__file__).with_name("counting.toml")

def count(events):
    return len(events)
"""

Change = Callable[[str, str, str], str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "their_reports"
    folder.mkdir()
    for name, text in {"__init__": "", "hits": REPORT, "counting": COUNTING, "unused": "X = 1"}.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "counting.toml").write_text("a = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    forget()


def forget() -> None:
    code_of.cache_clear()
    invalidate_caches()
    for name in [name for name in sys.modules if name.startswith("their_reports")]:
        del sys.modules[name]


def number() -> int:
    """As a new process finds it."""
    forget()
    import_module("their_reports.hits")
    return number_of(code_of("their_reports.hits"))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("hits.py", "return count(events)", "return count(events) + 1"),
        ("hits.py", 'Column("hits", int', 'Column("hits", float'),
        ("hits.py", 'key=("site",)', 'key=("site", "date")'),
        ("counting.py", "len(events)", "len(events) * 2"),
        ("counting.toml", "a = 1", "a = 2"),
    ],
)
def test_code_and_data_that_the_rows_follow_from_change_it(package: Path, file: str, old: str, new: str) -> None:
    before = number()
    path = package / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert number() != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("hits.py", "# all of them", "# each"),
        ("hits.py", '"""Counts them."""', '"""Counts."""'),
        ("hits.py", '"""Counts."""', '"""Counts hits.\n\nAll."""'),
        ("hits.py", 'description="Hits."', 'description="All hits."'),
        ("hits.py", '"how many"', '"how many", additive=True'),
        ("unused.py", "X = 1", "X = 2"),
    ],
)
def test_words_and_other_modules_do_not(package: Path, file: str, old: str, new: str) -> None:
    before = number()
    path = package / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert number() == before


def visits_of(*columns: str, among: pl.Expr, meaning: str = "which") -> Callable[..., pl.LazyFrame]:
    return visits_report("own", "Own.", tuple(Column(name, pl.String(), meaning) for name in columns), among).build


def test_what_a_factory_was_given_changes_it_and_words_do_not() -> None:
    one = captured_by(visits_of("path", among=pl.col("pageviews") > 0))
    assert captured_by(visits_of("path", among=pl.col("pageviews") > 1)) != one
    assert captured_by(visits_of("page", among=pl.col("pageviews") > 0)) != one
    assert captured_by(visits_of("path", among=pl.col("pageviews") > 0, meaning="another")) == one
    assert captured_by(partial(visits_of, "path")) != captured_by(partial(visits_of, "page"))


def test_another_process_finds_the_same_numbers() -> None:
    code = (
        "from pipelines.refresh.reports import definition_of; from pipelines.reports.all_reports import REPORTS; "
        "print([definition_of(report, ()) for report in REPORTS])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == str([definition_of(report, ()) for report in REPORTS])
    assert len({definition_of(report, ()) for report in REPORTS}) == len(REPORTS)


def test_it_fits_into_a_transaction() -> None:
    assert all(0 <= number_of(str(number)) < 2**63 for number in range(1_000))
    assert number_of("a", "b") != number_of("ab")
