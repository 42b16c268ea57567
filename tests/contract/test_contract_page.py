"""docs/guarantees.md says what the code does: properties, columns, names, and a proof of each guarantee."""

import re
from pathlib import Path

import pytest

from event_stream.event import INGEST_VERSION, MAX_EVENT_BYTES
from event_stream.topics import EVENTS, REJECTED
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.progress import app_id
from lake.raw import LANDING, LANDING_FIRST, open_landed
from lake.raw_schema import PARTITION_BY, TABLE
from pipelines.landing.settings import LandingSettings

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", range(1, 11))
def test_every_guarantee_names_tests_that_are_there(number: int) -> None:
    (row,) = re.findall(rf"^\| G{number} \|.*$", PAGE, re.MULTILINE)
    proofs = re.findall(r"`(tests/[^`]+)`", row)
    assert proofs
    assert not [proof for proof in proofs if not (ROOT / proof).exists()]


def test_the_table_is_made_as_the_page_says(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    DeltaLandingTable(lake).landed([])
    table = open_landed(lake)
    assert table is not None
    told = dict(re.findall(r"^\| `((?:delta|logektor)\.\w+)` \| `([^`]+)`", PAGE, re.MULTILINE))
    assert table.metadata().configuration == told
    assert table.metadata().partition_columns == list(PARTITION_BY)
    protocol = table.protocol()
    assert f"protocol reader {protocol.min_reader_version}, writer {protocol.min_writer_version}" in PAGE
    never_null = [field.name for field in table.schema().fields if not field.nullable]
    told_never = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| [^|]+ \| never \|", PAGE, re.MULTILINE)
    assert never_null == [name for names in told_never for name in re.findall(r"\w+", names)]


def test_names_and_bounds_are_what_the_page_says() -> None:
    for owner in (LANDING, LANDING_FIRST):
        assert f"`{app_id(owner, '<stream_id>', 0)[:-1]}<partition>`" in PAGE
    for topic in (EVENTS, REJECTED):
        assert f"| `{topic.name}` |" in PAGE
    assert f"`<lake>/{TABLE}`" in PAGE
    assert f"{MAX_EVENT_BYTES:,} bytes and has `ingestVersion` {INGEST_VERSION}" in PAGE
    assert f"`{LandingSettings.model_fields['landing_group'].default}`" in PAGE
