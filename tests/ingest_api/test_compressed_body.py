"""Compressed bodies are read as others are, and never unpacked past the bound."""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from ingest_api.compressed_body import unpacked
from ingest_api.errors import RequestRefused
from tests.ingest_api.conftest import SEED, Api

PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd.compress}
BOUND = 1_000_000


@given(st.sampled_from(sorted(PACK)), st.lists(st.binary(max_size=2_000), min_size=1, max_size=3))
def test_what_is_packed_in_one_or_several_pieces_is_unpacked(encoding: str, pieces: list[bytes]) -> None:
    packed = b"".join(map(PACK[encoding], pieces))
    assert unpacked(packed, encoding, BOUND) == b"".join(pieces)


@given(st.sampled_from(sorted(PACK)), st.binary(min_size=1, max_size=300), st.data())
def test_what_is_cut_is_refused(encoding: str, body: bytes, data: st.DataObject) -> None:
    packed = PACK[encoding](body)
    cut = packed[: data.draw(st.integers(1, len(packed) - 1))]
    with pytest.raises(RequestRefused) as refused:
        unpacked(cut, encoding, BOUND)
    assert (refused.value.status, refused.value.code) == (400, "undecodable_body")


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
