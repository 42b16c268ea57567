"""The disk spool: what it took is there after any crash, in order, within its bound, and its space is given back."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_stream.errors import WriteRefused
from event_stream.ports import OutgoingRecord
from ingest_api.spool import SpoolFile
from ingest_api.spool_folder import Piece, SpoolFolder

NOW = 1_800_000_000_000_000
"""In microseconds since 1970 UTC."""

MIB = 1024 * 1024

outgoing = st.builds(OutgoingRecord, st.sampled_from(["events", "rejected"]), st.none() | st.binary(), st.binary())


def record(value: str | bytes, key: bytes | None = b"key") -> OutgoingRecord:
    return OutgoingRecord("events", key, value if isinstance(value, bytes) else value.encode())


def spool(folder: Path, most_bytes: int = 100 * MIB) -> SpoolFolder:
    return SpoolFolder(folder, most_bytes, lambda: NOW)


def accepted(folder: SpoolFolder, *writes: list[OutgoingRecord]) -> list[bool]:
    return [result is None for result in folder.append(writes)]


def drain(folder: SpoolFolder, most_records: int = 100) -> list[OutgoingRecord]:
    """Everything from the oldest on, as if Kafka took it."""
    drained = []
    folder.rewind()
    while (piece := folder.next_piece(most_records, MIB)) is not None:
        drained += piece.spooled.records
        folder.settle(piece, [None] * len(piece.spooled.records))
    return drained


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@given(st.lists(st.lists(outgoing, max_size=5), max_size=8), st.integers(1, 7))
def test_everything_is_drained_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, writes: list[list[OutgoingRecord]], most_records: int
) -> None:
    folder = spool(tmp_path_factory.mktemp("spool"))
    for write in writes:
        assert accepted(folder, write) == [True]
    assert drain(folder, most_records) == [record for write in writes for record in write]
    assert drain(folder) == []
    folder.close()


_APPENDING = """
import sys
from pathlib import Path
from event_stream.ports import OutgoingRecord
from ingest_api.spool_folder import SpoolFolder

folder = SpoolFolder(Path(sys.argv[1]), 10**9)
number = 0
while True:
    assert folder.append([[OutgoingRecord("events", None, str(number).encode())]]) == [None]
    print(number, flush=True)
    number += 1
"""


def test_what_was_taken_survives_a_kill(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _APPENDING, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        taken = [process.stdout.readline() for _ in range(200)]
        process.send_signal(signal.SIGKILL)
        taken += process.stdout.readlines()
    folder = spool(tmp_path)
    folder.adopt()
    drained = [int(record.value) for record in drain(folder)]
    assert drained == list(range(len(drained)))
    assert len(drained) >= len(taken)
    assert files(tmp_path) == []


def test_the_file_of_a_living_process_is_left_to_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, second = spool(tmp_path), spool(tmp_path)
    accepted(first, [record("a")])
    second.adopt()
    assert drain(second) == []
    # By the lock, not by the complaint of a database that two have opened.
    assert caplog.messages == []
    first.close()
    second.adopt()
    assert drain(second) == [record("a")]
    assert files(tmp_path) == []


def test_orphans_are_drained_from_the_oldest_on(tmp_path: Path) -> None:
    for number in range(3):
        orphaned = SpoolFolder(tmp_path, MIB, lambda number=number: NOW + number)  # type: ignore[misc]  # mypy can't infer a lambda with a default
        accepted(orphaned, [record(f"{number}")])
        orphaned.close()
    folder = spool(tmp_path)
    folder.adopt()
    assert [int(record.value) for record in drain(folder)] == [0, 1, 2]


def test_a_piece_is_bounded_in_records_and_in_bytes(tmp_path: Path) -> None:
    folder = spool(tmp_path)
    accepted(folder, [record(b"x" * 1000) for _ in range(10)])

    def sizes(most_records: int, most_bytes: int) -> int:
        folder.rewind()
        return len(taken(folder, most_records, most_bytes).spooled.records)

    assert sizes(4, MIB) == 4
    assert sizes(100, 3500) == 3
    assert sizes(100, 10) == 1
    folder.close()


def taken(folder: SpoolFolder, most_records: int = 100, most_bytes: int = MIB) -> Piece:
    piece = folder.next_piece(most_records, most_bytes)
    assert piece is not None
    return piece


def test_what_kafka_refuses_stays_and_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    folder = spool(tmp_path)
    accepted(folder, [record("a"), record("poison"), record("b")])
    folder.rewind()
    folder.settle(taken(folder, 2), [None, WriteRefused("too large")])
    folder.settle(taken(folder, 2), [None])
    assert folder.next_piece(2, MIB) is None
    assert folder.look().records == 1
    assert drain(folder) == [record("poison")]
    assert files(tmp_path) == []


def test_what_comes_while_draining_is_not_deleted_with_the_drained(tmp_path: Path) -> None:
    folder = spool(tmp_path)
    accepted(folder, [record("a")])
    folder.rewind()
    piece = taken(folder)
    folder.settle(piece, [None])
    # The table is empty by now: were its ids given out anew, the next one would lie before what is drained.
    accepted(folder, [record("b")])
    assert taken(folder).spooled.records == [record("b")]
    folder.close()


def test_what_was_not_settled_before_a_crash_comes_again(tmp_path: Path) -> None:
    folder = spool(tmp_path)
    accepted(folder, [record("a"), record("b")])
    folder.rewind()
    folder.settle(taken(folder, 1), [None])
    assert taken(folder, 1).spooled.records == [record("b")]
    folder.close()
    successor = spool(tmp_path)
    successor.adopt()
    assert drain(successor) == [record("b")]


def test_a_full_spool_refuses_takes_what_still_fits_and_is_bounded_on_the_disk(tmp_path: Path) -> None:
    folder = spool(tmp_path, 2 * MIB)
    results = []
    for _ in range(50):
        results += accepted(folder, [record(os.urandom(60_000))])
    assert results[0]
    assert not results[-1]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2 * MIB + 128 * 1024
    assert not folder.look().bytes > 2 * MIB
    assert not folder.has_room()
    assert len(drain(folder)) == results.count(True)
    folder.look()
    assert folder.has_room()
    assert accepted(folder, [record(b"x" * 3 * MIB)], [record("small")]) == [False, True]
    folder.close()


def test_the_bound_is_that_of_all_processes_together(tmp_path: Path) -> None:
    first, second = spool(tmp_path, 2 * MIB), spool(tmp_path, 2 * MIB)
    while accepted(first, [record(b"x" * 100_000)]) == [True]:
        pass
    assert accepted(second, [record(b"x" * 200_000)]) == [False]
    first.close()
    second.close()


def test_space_that_was_drained_is_filled_again(tmp_path: Path) -> None:
    folder = spool(tmp_path, 20 * MIB)
    while accepted(folder, [record(b"x" * 200_000)]) == [True]:
        pass
    folder.rewind()
    for _ in range(60):
        folder.settle(taken(folder, 1), [None])
    assert folder.look().records > 0
    assert accepted(folder, *[[record(b"x" * 200_000)]] * 20) == [True] * 20
    folder.close()


def test_a_spool_that_is_off_takes_nothing_and_drains_what_is_there(tmp_path: Path) -> None:
    before = spool(tmp_path)
    accepted(before, [record("a")])
    before.close()
    folder = spool(tmp_path, 0)
    (refusal,) = folder.append([[record("b")]])
    assert "off" in str(refusal)
    folder.adopt()
    folder.look()
    assert not folder.has_room()
    assert drain(folder) == [record("a")]


def test_a_folder_that_cant_be_made_is_a_refusal_and_one_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spool").write_text("in the way")
    folder = spool(tmp_path / "spool")
    for _ in range(3):
        (refusal,) = folder.append([[record("a")]])
        assert "can't be written" in str(refusal)
        assert not folder.has_room()
    folder.adopt()
    assert folder.look().records == 0
    assert not folder.has_room()
    assert sum("can't be written" in message for message in caplog.messages) == 1
    (tmp_path / "spool").unlink()
    assert accepted(folder, [record("a")]) == [True]
    folder.close()


@pytest.mark.parametrize("damage", ["no database", "a page"])
def test_a_damaged_file_is_set_aside_with_a_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    before = SpoolFolder(tmp_path, 100 * MIB, lambda: NOW - 1)
    for _ in range(20):
        accepted(before, [record(b"x" * 50_000)])
    before.close()
    (path,) = tmp_path.glob("*.sqlite3")
    content = path.read_bytes()
    path.write_bytes(b"not a database" * 1000 if damage == "no database" else content[:4096] + b"\xff" * 4096 * 10)
    healthy = spool(tmp_path)
    accepted(healthy, [record("a")])
    healthy.close()
    folder = spool(tmp_path)
    with caplog.at_level(logging.ERROR):
        folder.adopt()
        assert drain(folder) == [record("a")]
    assert files(tmp_path) == [f"{path.stem}.damaged"]
    assert f"{path.name} is damaged" in caplog.text
    assert accepted(folder, [record("b")]) == [True]
    folder.close()


def test_depth_tells_how_much_waits_and_since_when(tmp_path: Path) -> None:
    clock = iter(range(NOW, NOW + 100))
    folder = SpoolFolder(tmp_path / "spool", MIB, lambda: next(clock))
    assert folder.look() == (0, 0, None)
    next(clock)
    accepted(folder, [record("a"), record("b")])
    depth = folder.look()
    assert depth.records == 2
    assert depth.bytes > 0
    assert depth.oldest is not None
    assert NOW < depth.oldest < NOW + 100
    drain(folder)
    assert folder.look() == (0, 0, None)


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    folder = spool(tmp_path / "spool")
    accepted(folder, [record("a")])
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "spool").iterdir()} == {0o600}
    folder.close()


def test_a_file_deleted_while_it_is_being_adopted_is_nobodys(tmp_path: Path) -> None:
    file = SpoolFile.create(tmp_path, NOW)
    file.remove()
    assert SpoolFile.adopt(file.path) is None
