"""Answers are compressed as a request likes it, and named so that no cache mixes up what it holds."""

import asyncio
import gzip
from typing import Any

import httpx
import pytest
from backports import zstd
from starlette.types import Message, Receive, Scope, Send

from query_api.compression import MINIMUM, Compression, wanted_encoding
from tests.query_api.conftest import DAYS, EMPTY, SITE, Client

RANGE = {"site": SITE, "from": DAYS[0].isoformat(), "to": DAYS[-1].isoformat()}
LONG = "/api/reports/pages.csv"
PLAIN = {"Accept-Encoding": "identity"}


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("", None),
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1, zstd;q=0.5", "gzip"),
        ("GZIP ; Q=0.3", "gzip"),
        ("gzip;q=0, zstd;q=0.0", None),
        ("br, deflate", None),
        ("*", "zstd"),
        ("*;q=0.1, zstd;q=0", "gzip"),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("gzip;q=nonsense", None),
        ("gzip;q=nan", None),
    ],
)
def test_the_coding_with_the_highest_q_wins_and_0_is_never_used(accepted: str, encoding: str | None) -> None:
    assert wanted_encoding(accepted) == encoding


def unpacked(encoding: str, body: bytes) -> bytes:
    return gzip.decompress(body) if encoding == "gzip" else zstd.decompress(body)


def bytes_of(client: Client, path: str, **words: Any) -> tuple[dict[str, str], bytes]:
    """Headers and body as they went over the wire."""

    async def ask() -> tuple[dict[str, str], bytes]:
        headers = {**client.headers, **words.pop("headers", {})}
        transport = httpx.ASGITransport(client.app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://test:8000") as asking,
            asking.stream("GET", path, headers=headers, **words) as answer,
        ):
            return dict(answer.headers), b"".join([piece async for piece in answer.aiter_raw()])

    return asyncio.run(ask())


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize(
    "path", ["/api/reports", "/api/reports/pages", LONG, "/dashboard/main.js", "/dashboard/style.css"]
)
def test_a_compressed_answer_is_the_same_in_fewer_bytes(client: Client, path: str, encoding: str) -> None:
    asked = RANGE if "/pages" in path else {}
    _, plain = bytes_of(client, path, params=asked, headers=PLAIN)
    headers, packed = bytes_of(client, path, params=asked, headers={"Accept-Encoding": encoding})
    assert headers["content-encoding"] == encoding
    assert "Accept-Encoding" in headers["vary"]
    assert unpacked(encoding, packed) == plain
    assert len(packed) < len(plain) / 2
    assert int(headers.get("content-length", len(packed))) == len(packed)


def test_a_small_answer_stays_as_it_is(client: Client) -> None:
    headers, body = bytes_of(
        client, "/api/reports/traffic.csv", params={"site": EMPTY}, headers={"Accept-Encoding": "gzip"}
    )
    assert "content-encoding" not in headers
    assert len(body) < MINIMUM
    assert not headers["etag"].endswith('-gzip"')


def test_parquet_and_pieces_stay_as_they_are_and_can_be_put_together(client: Client) -> None:
    packed = {"Accept-Encoding": "gzip, zstd"}
    headers, whole = bytes_of(client, LONG, params=RANGE, headers=PLAIN)
    assert "content-encoding" not in bytes_of(client, "/api/reports/pages.parquet", params=RANGE, headers=packed)[0]
    etag = headers["etag"]
    first, begin = bytes_of(client, LONG, params=RANGE, headers={**packed, "Range": "bytes=0-99"})
    _, rest = bytes_of(client, LONG, params=RANGE, headers={**packed, "Range": "bytes=100-", "If-Range": etag})
    assert begin + rest == whole
    assert (first["etag"], "content-encoding" in first) == (etag, False)
    assert "Accept-Encoding" in first["vary"]
    # A piece behind what was held compressed would not fit.
    compressed = bytes_of(client, LONG, params=RANGE, headers=packed)[0]["etag"]
    assert bytes_of(client, LONG, params=RANGE, headers={"Range": "bytes=100-", "If-Range": compressed})[1] == whole


@pytest.mark.parametrize("path", [LONG, "/dashboard/main.js"])
def test_each_encoding_has_its_etag_which_a_304_repeats(client: Client, path: str) -> None:
    asked = RANGE if path == LONG else {}

    def tag(encoding: str) -> str:
        return client.get(path, params=asked, headers={"Accept-Encoding": encoding}).headers["etag"]

    tags = {encoding: tag(encoding) for encoding in ("identity", "gzip", "zstd")}
    assert len(set(tags.values())) == 3
    for encoding, held in tags.items():
        for said in (held, f"W/{held}", f'"other", {held}'):
            again = {"Accept-Encoding": encoding, "If-None-Match": said}
            answer = client.get(path, params=asked, headers=again)
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", held)
            assert "Accept-Encoding" in answer.headers["vary"]
    # What is held uncompressed is still right; what is held in another encoding is not what would be answered.
    for encoding in ("gzip", "zstd"):
        plain = {"Accept-Encoding": encoding, "If-None-Match": tags["identity"]}
        answer = client.get(path, params=asked, headers=plain)
        assert (answer.status_code, answer.headers["etag"]) == (304, tags["identity"])
    other = client.get(path, params=asked, headers={"Accept-Encoding": "gzip", "If-None-Match": tags["zstd"]})
    assert (other.status_code, other.headers["etag"]) == (200, tags["gzip"])


@pytest.mark.parametrize("path", [LONG, "/api/reports/pages.parquet", "/api/reports", "/dashboard/main.js"])
@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
def test_head_says_what_get_would_but_for_a_length_that_only_compressing_tells(
    client: Client, path: str, encoding: str
) -> None:
    asked = RANGE if "/pages" in path else {}
    head = client.request("HEAD", path, params=asked, headers={"Accept-Encoding": encoding}).headers
    get = client.get(path, params=asked, headers={"Accept-Encoding": encoding}).headers
    if "content-encoding" in get:
        get.pop("content-length", None)
    assert dict(head) == dict(get)


def test_a_stream_is_compressed_piece_by_piece() -> None:
    """No more is held than one piece: the first leaves before the second is made."""
    piece = b"a,b\n" * 100_000
    sent: list[bytes] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/csv")]})
        for number in range(20):
            assert len(sent) == number
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            sent.append(message["body"])

    async def receive() -> Message:
        return {"type": "http.request"}

    for encoding in ("gzip", "zstd"):
        sent.clear()
        headers = [(b"accept-encoding", encoding.encode())]
        scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
        asyncio.run(Compression(app)(scope, receive, send))
        assert all(sent[:20])
        assert sum(map(len, sent)) < len(piece)
        assert unpacked(encoding, b"".join(sent)) == piece * 20
