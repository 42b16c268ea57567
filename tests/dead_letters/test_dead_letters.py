"""Dead letters as they are looked for in the lake."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lake.dead_letters import Selection, latest_letters, letters_to_replay, summarise
from lake.errors import LakeAway
from lake.location import Lake
from lake.replays import declare_replays, record_replays
from tests.dead_letters.stream import NOON, Stream

DAY = NOON.date()


@pytest.fixture
def landed(stream: Stream) -> Stream:
    """Three commits: two of the 20th, one of the 21st."""
    stream.reject(b"1")
    stream.reject(b"2", site="blog.example")
    stream.send(b"no event")
    stream.land()
    stream.reject(b"3", reason="undecodable")
    stream.land()
    stream.now += timedelta(days=1)
    stream.reject(b"4")
    stream.land()
    return stream


def bodies(lake: Lake, selection: Selection) -> list[bytes]:
    return [letter.body for letter in latest_letters(lake, selection, 100)]


def test_a_lake_without_rows_has_no_dead_letters(stream: Stream) -> None:
    assert summarise(stream.lake, Selection()) == []
    assert latest_letters(stream.lake, Selection(), 10) == []
    assert list(letters_to_replay(stream.lake, Selection(), 10)) == []


def test_each_reason_has_its_count_its_sites_its_times_and_its_latest(landed: Stream) -> None:
    invalid, undecodable = summarise(landed.lake, Selection())
    assert (invalid.reason, invalid.letters, invalid.replayed) == ("invalid", 3, 0)
    assert invalid.sites == ["blog.example", "shop.example"]
    assert (invalid.first_landed_at, invalid.last_landed_at) == (NOON, NOON + timedelta(days=1, minutes=2))
    assert invalid.latest.body == b"4"
    assert (undecodable.letters, undecodable.latest.body, undecodable.sites) == (2, b"3", ["shop.example"])


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        (Selection(), [b"4", b"3", b"2", b"1", b"no event"]),
        (Selection(reason="invalid"), [b"4", b"2", b"1"]),
        (Selection(site="blog.example"), [b"2"]),
        (Selection(first_day=DAY + timedelta(days=1)), [b"4"]),
        (Selection(last_day=DAY), [b"3", b"2", b"1", b"no event"]),
        (Selection("invalid", "shop.example", DAY, DAY), [b"1"]),
        (Selection(first_day=date(2027, 1, 1)), []),
    ],
)
def test_a_selection_is_the_same_for_all(landed: Stream, selection: Selection, found: list[bytes]) -> None:
    assert bodies(landed.lake, selection) == found
    assert sum(each.letters for each in summarise(landed.lake, selection)) == len(found)
    to_replay = [letter.body for batch in letters_to_replay(landed.lake, selection, 100) for letter in batch]
    assert sorted(to_replay) == sorted(found)


def test_the_latest_come_first_and_no_more_than_asked_for(landed: Stream) -> None:
    assert [letter.body for letter in latest_letters(landed.lake, Selection(), 2)] == [b"4", b"3"]


def test_what_was_sent_again_is_told_and_not_sent_again_even_if_it_was_recorded_twice(landed: Stream) -> None:
    sent = [letter.place for letter in landed.letters() if letter.body in {b"1", b"4"}]
    declare_replays(landed.lake)
    for _ in range(2):
        record_replays(landed.lake, sent, NOON)
    assert {letter.body for letter in landed.letters() if letter.replayed} == {b"1", b"4"}
    assert [(each.letters, each.replayed) for each in summarise(landed.lake, Selection())] == [(3, 2), (2, 0)]
    to_replay = [letter.body for batch in letters_to_replay(landed.lake, Selection(), 100) for letter in batch]
    assert sorted(to_replay) == [b"2", b"3", b"no event"]


def test_what_is_landed_while_they_are_read_is_not_among_them(landed: Stream) -> None:
    batches = letters_to_replay(landed.lake, Selection(), 1)
    first = next(batches)
    landed.reject(b"later")
    landed.land()
    assert len(first) == 1
    assert b"later" not in {letter.body for batch in batches for letter in batch}


def test_files_that_are_deleted_while_they_are_read_end_it_with_a_sentence(landed: Stream) -> None:
    batches = letters_to_replay(landed.lake, Selection(), 1)
    next(batches)
    for file in Path(landed.lake.table_uri("landed")).rglob("*.parquet"):
        file.unlink()
    with pytest.raises(LakeAway, match="could not be read"):
        list(batches)


def test_no_batch_is_larger_than_asked_for_and_all_are_read_from_large_files(stream: Stream) -> None:
    for number in range(1_000):
        stream.reject(b"%d" % number)
    stream.land()
    DeltaTable(stream.lake.table_uri("landed")).optimize.compact()
    batches = list(letters_to_replay(stream.lake, Selection(), 64))
    assert max(map(len, batches)) <= 64
    assert sorted(int(letter.body) for batch in batches for letter in batch) == list(range(1_000))
