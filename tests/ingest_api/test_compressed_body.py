"""Compressed bodies are read as others are, and never unpacked past the bound."""

import gzip
import json
import random
import time
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_api.compressed_body import unpacked
from ingest_api.errors import RequestRefused
from tests.ingest_api.conftest import SEED, Api

PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd.compress}
LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # However busy the machine is.
BOUND = 1_000_000


@LAW
@given(st.sampled_from(sorted(PACK)), st.lists(st.binary(max_size=2_000), min_size=1, max_size=3))
def test_what_is_packed_in_one_or_several_pieces_is_unpacked(encoding: str, pieces: list[bytes]) -> None:
    packed = b"".join(map(PACK[encoding], pieces))
    assert unpacked(packed, encoding, BOUND) == b"".join(pieces)


@LAW
@given(st.sampled_from(sorted(PACK)), st.binary(min_size=1, max_size=300), st.data())
def test_what_is_cut_is_refused(encoding: str, body: bytes, data: st.DataObject) -> None:
    packed = PACK[encoding](body)
    cut = packed[: data.draw(st.integers(1, len(packed) - 1))]
    with pytest.raises(RequestRefused) as refused:
        unpacked(cut, encoding, BOUND)
    assert (refused.value.status, refused.value.code) == (400, "undecodable_body")


@LAW
@given(st.sampled_from(sorted(PACK)), st.binary(min_size=1, max_size=300))
def test_any_bytes_are_unpacked_or_refused(encoding: str, body: bytes) -> None:
    try:
        unpacked(body, encoding, BOUND)
    except RequestRefused as refused:
        assert refused.status in {400, 413}


@pytest.mark.parametrize("encoding", sorted(PACK))
def test_a_bomb_is_refused_and_costs_no_more_than_the_bound(encoding: str) -> None:
    bomb = PACK[encoding](bytes(300 * BOUND))
    tracemalloc.start()
    try:
        with pytest.raises(RequestRefused) as refused:
            unpacked(bomb, encoding, BOUND)
        assert tracemalloc.get_traced_memory()[1] < 4 * BOUND
    finally:
        tracemalloc.stop()
    assert refused.value.status == 413


@pytest.mark.parametrize(
    "packed",
    [gzip.compress(b""), zstd.compress(b""), bytes.fromhex("502a4d1800000000")],
    ids=["gzip", "zstd", "zstd, skippable"],
)
def test_a_body_of_nothing_but_empty_pieces_is_given_up_soon(packed: bytes) -> None:
    encoding = "gzip" if packed[:2] == b"\x1f\x8b" else "zstd"
    started = time.process_time()
    with pytest.raises(RequestRefused) as refused:
        unpacked(packed * (4 * BOUND // len(packed)), encoding, BOUND)
    assert (refused.value.status, refused.value.code) == (413, "too_large")
    assert time.process_time() - started < 2, "each piece copied the rest of the body: minutes"


@pytest.mark.parametrize("encoding", sorted(PACK))
def test_an_event_a_piece_is_unpacked(encoding: str) -> None:
    events = [b'{"action": "%d"}\n' % number for number in range(1_000)]
    assert unpacked(b"".join(map(PACK[encoding], events)), encoding, BOUND) == b"".join(events)


@pytest.mark.parametrize("encoding", sorted(PACK))
def test_a_body_of_just_the_bound_is_unpacked_and_one_byte_more_refused(encoding: str) -> None:
    body = random.Random(4).randbytes(BOUND)
    assert unpacked(PACK[encoding](body), encoding, BOUND) == body
    with pytest.raises(RequestRefused) as refused:
        unpacked(PACK[encoding](body), encoding, BOUND - 1)
    assert refused.value.status == 413


@pytest.mark.parametrize("encoding", sorted(PACK))
def test_what_follows_the_last_piece_is_refused(encoding: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        unpacked(PACK[encoding](b"{}") + b"more", encoding, BOUND)
    assert (refused.value.status, refused.value.code) == (400, "undecodable_body")


def test_a_window_that_would_take_the_memory_is_refused() -> None:
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: 27,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    compressor = zstd.ZstdCompressor(options=options)
    bomb = compressor.compress(b"a" * 100) + compressor.flush()
    with pytest.raises(RequestRefused) as refused:
        unpacked(bomb, "zstd", BOUND)
    assert refused.value.status == 400


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "compress"])
def test_other_encodings_are_refused(api: Api, encoding: str) -> None:
    body = zlib.compress(json.dumps(SEED).encode())
    answer = api.request("POST", "/track", content=body, headers={"content-encoding": encoding})
    assert answer.status_code == 415


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "zstd", "GZIP", "identity"])
def test_a_compressed_batch_is_taken(api: Api, encoding: str) -> None:
    body = json.dumps([SEED, {"action": ""}]).encode()
    packed = PACK.get(encoding.lower().removeprefix("x-"), bytes)(body)
    answer = api.request("POST", "/batch", content=packed, headers={"content-encoding": encoding})
    assert answer.json()["accepted"] == 1
    assert [kept.body for kept in api.rejections()] == [b'{"action": ""}']
