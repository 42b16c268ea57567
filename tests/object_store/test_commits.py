"""A version of a table is written by one writer only, and what is wrong with a store is said in a sentence."""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from lake.catalogue import Catalogue
from lake.errors import LakeAway, LandingConflict
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.raw import count_landed, open_landed
from lake.raw_schema import EVENT, LANDED
from tests.landing.conftest import SECONDS
from tests.object_store.s3_server import S3Server, free_port
from tests.reports.rows import raw

pytestmark = pytest.mark.s3

ROUNDS = 12


def events(count: int) -> pa.Table:
    rows = raw(*({"event_id": f"{number}", "kafka_offset": number} for number in range(count)))
    return rows.collect().to_arrow().cast(LANDED)


NONE = pa.Table.from_pylist([], schema=LANDED)


def race(tables: Sequence[DeltaLandingTable], places: Sequence[tuple[str, int]], first: int) -> list[bool]:
    """All append at once, each a row to its place; whether each did."""
    together, landed = threading.Barrier(len(tables)), [False] * len(tables)

    def append(number: int) -> None:
        place = places[number]
        together.wait()
        try:
            tables[number].append(events(1), NONE, {place: first}, {place: first + 1})
        except LandingConflict:
            return
        landed[number] = True

    threads = [threading.Thread(target=append, args=(number,)) for number in range(len(tables))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return landed


@pytest.mark.parametrize("environment", [{}, {"AWS_CONDITIONAL_PUT": "disabled", "AWS_S3_ALLOW_UNSAFE_RENAME": "true"}])
def test_of_writers_racing_for_the_same_offsets_one_lands_them(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    place = ("cluster/topic", 0)
    for number in range(ROUNDS):
        tables = [DeltaLandingTable(lake) for _ in range(3)]
        for table in tables:
            table.landed([place])
        assert sum(race(tables, [place] * 3, number)) == 1
    assert count_landed(lake)[EVENT] == ROUNDS


def test_writers_racing_for_the_same_version_each_get_one_of_their_own(lake: Lake) -> None:
    places = [("cluster/topic", number) for number in range(3)]
    tables = [DeltaLandingTable(lake) for _ in places]
    for table in tables:
        table.landed(places)
    for number in range(ROUNDS):
        assert race(tables, places, number) == [True] * 3
    assert count_landed(lake)[EVENT] == 3 * ROUNDS
    landed = open_landed(lake)
    assert landed is not None
    assert landed.version() == 3 * ROUNDS


def test_writers_that_create_the_table_at_once_land_in_one(lake: Lake) -> None:
    places = [("cluster/topic", number) for number in range(3)]
    landed = race([DeltaLandingTable(lake) for _ in places], places, 0)
    # Who has created it too finds that out with its first commit, and appends again.
    left = [place for place, has in zip(places, landed, strict=True) if not has]
    assert all(race([DeltaLandingTable(lake)], [place], 0) == [True] for place in left)
    assert count_landed(lake)[EVENT] == 3


@pytest.mark.parametrize(
    ("uri", "environment", "sentence"),
    [
        ("s3://no-such-bucket/lake", {}, "the bucket does not exist; make it, or correct LOGEKTOR_LAKE_URI."),
        ("", {"AWS_SECRET_ACCESS_KEY": "another"}, "the store does not know the credentials; correct AWS_ACCESS_KEY"),
        ("", {"AWS_ACCESS_KEY_ID": "nobody"}, "the store does not know the credentials; correct AWS_ACCESS_KEY_ID, "),
        ("", {"AWS_REGION": "us-west-2"}, "the bucket is in another region; correct AWS_REGION."),
        ("", {"AWS_ENDPOINT_URL": ""}, "the store does not answer; see that it runs, and that AWS_ENDPOINT_URL is its"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, uri: str, environment: dict[str, str], sentence: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value or f"http://127.0.0.1:{free_port()}")
    wrong = Lake(uri or lake.uri)
    for touch in (lambda: Catalogue(wrong).entries(), lambda: count_landed(wrong)):
        with pytest.raises(LakeAway) as raised:
            touch()
        assert sentence in str(raised.value)
        assert len(str(raised.value).splitlines()) == 1
        assert str(raised.value).startswith(wrong.uri)


def test_a_command_says_it_and_no_secret(lake: Lake, shared_server: S3Server, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "logektor", "audit", f"--home={tmp_path}"],
        env=os.environ | {"AWS_ACCESS_KEY_ID": "nobody"},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done
    assert "the store does not know the credentials" in done.stderr
    assert shared_server.secret not in done.stderr + done.stdout
