"""The import brings each line to the collector, whatever happens on the way."""

import gzip
import json
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logektor.batch_client import MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from logektor.log_events import LineEvents
from logektor.log_import import MAX_LINE_BYTES, MAX_REJECTED_SHOWN, ImportFailed, ImportResult, RejectedLine, import_log
from sites import Site
from tests.log_import.recording_collector import SERVER_KEY, RecordingCollector, recording_collector
from tests.log_import.test_access_log import REAL_LOG

SITE = Site("example.com", ("pk_test",), (SERVER_KEY,))


@pytest.fixture
def collector() -> Iterator[RecordingCollector]:
    with recording_collector() as running:
        yield running


def log_line(number: int) -> str:
    return f'10.0.0.{number % 7} - - [17/May/2015:10:05:{number % 60:02} +0000] "GET /{number % 500} HTTP/1.1" 200 5'


def write_log(path: Path, lines: int) -> Path:
    """A log in which lines come again: the n-th identical line must keep its id."""
    path.write_text("".join(log_line(number % 2_100) + "\n" for number in range(lines)), encoding="utf-8")
    return path


def run(path: Path, collector: RecordingCollector, state: Path, give_up_after: float = 30.0) -> ImportResult:
    return import_log(path, SITE, collector.url, state, lambda done, total: None, give_up_after=give_up_after)


def expected_ids(path: Path, state: Path) -> list[str]:
    """The ids of a run that nothing interrupts."""
    with recording_collector() as undisturbed:
        run(path, undisturbed, state)
    return sorted(undisturbed.ids)


def test_every_line_is_sent_once_in_bounded_batches(collector: RecordingCollector, tmp_path: Path) -> None:
    log = write_log(tmp_path / "access.log", 4_321)
    seen: list[tuple[int, int]] = []
    result = import_log(log, SITE, collector.url, tmp_path / "state", lambda done, total: seen.append((done, total)))
    assert (result.lines, result.accepted, result.rejected_count, result.resumed) == (4_321, 4_321, 0, 0)
    assert len(set(collector.ids)) == len(collector.ids) == 4_321
    assert max(map(len, collector.batches)) == MAX_BATCH_EVENTS
    assert seen == [(0, 4_321), (1_000, 4_321), (2_000, 4_321), (3_000, 4_321), (4_000, 4_321), (4_321, 4_321)]


def test_a_batch_is_bounded_in_bytes(collector: RecordingCollector, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    lines = [log_line(number).replace("HTTP", "x" * 20_000 + " HTTP") + "\n" for number in range(500)]
    log.write_text("".join(lines), encoding="utf-8")
    assert run(log, collector, tmp_path / "state").accepted == 500
    assert MAX_BATCH_BYTES - 21_000 < max(collector.sizes) <= MAX_BATCH_BYTES


def test_plain_and_gzip_are_the_same_file(collector: RecordingCollector, tmp_path: Path) -> None:
    plain = write_log(tmp_path / "access.log", 100)
    packed = tmp_path / "access.log.1"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    run(plain, collector, tmp_path / "state")
    run(packed, collector, tmp_path / "state")
    assert collector.batches[0] == collector.batches[1]


def test_importing_twice_sends_the_same_events_again(collector: RecordingCollector, tmp_path: Path) -> None:
    log = write_log(tmp_path / "access.log", 3_000)
    first = run(log, collector, tmp_path / "state")
    sent = sorted(collector.events, key=lambda event: str(event["eventId"]))
    collector.batches.clear()
    second = run(log, collector, tmp_path / "state")
    assert sorted(collector.events, key=lambda event: str(event["eventId"])) == sent
    assert (second.lines, second.accepted, second.resumed) == (first.lines, first.accepted, 0)


def test_a_rejected_line_is_reported_with_its_number(collector: RecordingCollector, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    lines = [log_line(number).encode() for number in range(2_500)]
    lines[1_999] = b"junk"
    lines[2_000] = b"\xff\xfe"
    log.write_bytes(b"\r\n".join(lines))
    result = run(log, collector, tmp_path / "state")
    reason = "not in the common or combined log format"
    assert result.rejected == (RejectedLine(2_000, reason), RejectedLine(2_001, reason))
    assert (result.accepted, result.rejected_count) == (2_498, 2)


def test_what_the_collector_says_of_a_readable_line_is_reported(collector: RecordingCollector, tmp_path: Path) -> None:
    log = write_log(tmp_path / "access.log", 3)
    rejected = {"index": 1, "field": "url", "reason": "invalid", "message": "url: too long."}
    collector.trouble.append((202, {}, json.dumps({"accepted": 2, "rejected": [rejected]}).encode()))
    assert run(log, collector, tmp_path / "state").rejected == (RejectedLine(2, "url: too long."),)


def test_the_report_of_rejected_lines_is_bounded(collector: RecordingCollector, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(log_line(0) + "\n" + "junk\n" * 300, encoding="utf-8")
    result = run(log, collector, tmp_path / "state")
    assert (len(result.rejected), result.rejected_count) == (MAX_REJECTED_SHOWN, 300)


@pytest.mark.parametrize("status", [429, 503])
def test_a_batch_that_was_not_taken_is_sent_again_with_the_same_ids(
    collector: RecordingCollector, tmp_path: Path, status: int
) -> None:
    log = write_log(tmp_path / "access.log", 5_000)
    collector.trouble.extend([(status, {"Retry-After": "0"}, b""), (503, {}, b"")] * 2)
    assert run(log, collector, tmp_path / "state").accepted == 5_000
    assert sorted(collector.ids) == expected_ids(log, tmp_path / "state")
    assert collector.requests == 5 + 4


def test_a_collector_that_is_away_is_given_up_after_the_deadline(tmp_path: Path) -> None:
    log = write_log(tmp_path / "access.log", 10)
    with recording_collector() as gone:
        pass
    with pytest.raises(ImportFailed, match=r"^Gave up after 1 s: the collector at .* can't be reached"):
        run(log, gone, tmp_path / "state", give_up_after=1.0)


def test_an_unknown_key_stops_the_import_at_once(collector: RecordingCollector, tmp_path: Path) -> None:
    log = write_log(tmp_path / "access.log", 10)
    with pytest.raises(ImportFailed, match=r"answers 401: .*unknown key"):
        import_log(log, Site("example.com", ("pk",), ("sk_other",)), collector.url, tmp_path, lambda done, total: None)
    assert collector.requests == 1


@pytest.mark.parametrize("answer", [b"<html>", b'{"accepted": 1, "rejected": []}'])
def test_an_answer_that_is_not_the_collectors_acknowledges_nothing(
    collector: RecordingCollector, tmp_path: Path, answer: bytes
) -> None:
    log = write_log(tmp_path / "access.log", 10)
    collector.trouble.append((200, {}, answer))
    with pytest.raises(ImportFailed):
        run(log, collector, tmp_path / "state")
    assert run(log, collector, tmp_path / "state").resumed == 0


def test_an_import_that_failed_goes_on_where_it_stopped(collector: RecordingCollector, tmp_path: Path) -> None:
    log = write_log(tmp_path / "access.log", 12_000)

    def break_down(batch: object) -> None:
        if len(collector.batches) == 7:
            collector.trouble.extend([(403, {}, b"")] * 20)

    collector.before_answer = break_down
    with pytest.raises(ImportFailed, match="Run the same import again: it goes on where it stopped"):
        run(log, collector, tmp_path / "state")
    collector.trouble.clear()
    result = run(log, collector, tmp_path / "state")
    assert 0 < result.resumed < 12_000
    assert result.resumed + result.accepted == result.lines
    assert sorted(set(collector.ids)) == expected_ids(log, tmp_path / "state")
    assert run(log, collector, tmp_path / "state").resumed == 0


def test_an_import_killed_in_the_middle_leaves_no_line_out(collector: RecordingCollector, tmp_path: Path) -> None:
    log = write_log(tmp_path / "access.log", 12_000)
    tenth, killed = threading.Event(), threading.Event()

    def hold(batch: object) -> None:
        if len(collector.batches) >= 10:
            tenth.set()
            killed.wait(30)

    collector.before_answer = hold
    program = (
        "import sys; from pathlib import Path; from sites import Site; from logektor.log_import import import_log;"
        "site = Site('example.com', ('pk',), (sys.argv[2],));"
        "import_log(Path(sys.argv[1]), site, sys.argv[3], Path(sys.argv[4]), print)"
    )
    arguments = (str(log), SERVER_KEY, collector.url, str(tmp_path / "state"))
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.DEVNULL)
    assert tenth.wait(30)
    process.kill()
    process.wait()
    killed.set()

    result = run(log, collector, tmp_path / "state")
    assert 0 < result.resumed < 12_000
    assert sorted(set(collector.ids)) == expected_ids(log, tmp_path / "state")


def test_a_batch_that_overtook_another_does_not_vouch_for_it(collector: RecordingCollector, tmp_path: Path) -> None:
    log = write_log(tmp_path / "access.log", 8_000)
    first_id = json.loads(LineEvents(SITE, b"").encode(log_line(0).encode()).event)["eventId"]
    fourth, fifth = threading.Event(), threading.Event()

    def refuse_the_first(batch: list[dict[str, Any]]) -> None:
        if len(collector.batches) == 4:
            fourth.set()
        if len(collector.batches) == 5:
            fifth.set()
        if batch[0]["eventId"] == first_id:
            fourth.wait(30)
            # Were the others acknowledged before the first one, a fifth would follow them.
            fifth.wait(1)
            raise ConnectionError("the first batch gets no answer")

    collector.before_answer = refuse_the_first
    with pytest.raises(ImportFailed):
        run(log, collector, tmp_path / "state", give_up_after=0)
    collector.before_answer = lambda batch: None
    assert run(log, collector, tmp_path / "state").resumed == 0


def test_a_visitor_is_one_over_the_files_of_a_site(collector: RecordingCollector, tmp_path: Path) -> None:
    for number, name in enumerate(("access.log.1", "access.log")):
        log = tmp_path / name
        log.write_text(f'10.0.0.1 - - [17/May/2015:1{number}:00:00 +0000] "GET / HTTP/1.1" 200 5\n', encoding="utf-8")
        run(log, collector, tmp_path / "state")
    assert len({event["visitorId"] for event in collector.events}) == 1
    assert len(set(collector.ids)) == 2


def test_the_state_is_for_its_owner_only(collector: RecordingCollector, tmp_path: Path) -> None:
    log = write_log(tmp_path / "access.log", 3_000)
    collector.before_answer = lambda batch: collector.trouble.extend([(403, {}, b"")] * 20)
    with pytest.raises(ImportFailed):
        run(log, collector, tmp_path / "state")
    files = list((tmp_path / "state").iterdir())
    assert len(files) == 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_file_that_is_no_log_is_refused_before_anything_is_sent(
    collector: RecordingCollector, tmp_path: Path
) -> None:
    junk = tmp_path / "junk"
    junk.write_text("junk\n" * 1_000, encoding="utf-8")
    one_line = tmp_path / "one_line"
    one_line.write_bytes(b"x" * MAX_LINE_BYTES)
    cut_off = tmp_path / "cut_off.gz"
    cut_off.write_bytes(gzip.compress(log_line(1).encode() * 1_000)[:-20])
    for file in (junk, one_line, cut_off, tmp_path / "absent"):
        with pytest.raises(ImportFailed):
            run(file, collector, tmp_path / "state")
    assert collector.requests == 0


@pytest.mark.skipif(not REAL_LOG.exists(), reason="the real access log (../shared/data) is not here")
def test_the_real_log_is_sent_whole(collector: RecordingCollector, tmp_path: Path) -> None:
    result = run(REAL_LOG, collector, tmp_path / "state")
    assert (result.lines, result.accepted, result.rejected_count) == (10_000, 9_999, 1)
    assert [line.number for line in result.rejected] == [8_899]
    assert len(set(collector.ids)) == 10_000
