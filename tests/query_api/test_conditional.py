"""A repeated read is a 304, HEAD tells the length, and Range lets readers of Parquet take only what they need."""

import io
import re
import time
from datetime import timedelta
from typing import Any

import httpx
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipelines.reports.traffic import TRAFFIC
from query_api.app import create_app
from tests.query_api.conftest import DAYS, SITE, Client, Home

RANGE = {"site": SITE, "from": DAYS[0].isoformat(), "to": DAYS[-1].isoformat()}
FILE = "/api/reports/pages.parquet"


def test_a_repeated_read_is_a_304_until_the_table_is_refreshed(own_home: Home) -> None:
    client = Client(create_app(own_home.settings()), own_home.bearer)
    first = client.get("/api/reports/traffic", params={"site": SITE})
    known = {"If-None-Match": first.headers["etag"]}
    again = client.get("/api/reports/traffic", params={"site": SITE}, headers=known)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    day = DAYS[-1] - timedelta(days=1)
    row = own_home.frames["traffic"].filter(pl.col("site") == SITE).with_columns(date=pl.lit(day))
    own_home.replace(TRAFFIC.spec, day, row, 1)
    deadline = time.monotonic() + 10
    while (refreshed := client.get("/api/reports/traffic", params={"site": SITE}, headers=known)).status_code == 304:
        assert time.monotonic() < deadline
    assert len(refreshed.json()["rows"]) == len(first.json()["rows"]) + 1


def test_another_question_or_format_has_another_etag(client: Client) -> None:
    questions: list[tuple[str, dict[str, Any]]] = [
        ("traffic", {}),
        ("traffic", {"from": DAYS[1].isoformat()}),
        ("traffic", {"limit": 5}),
        ("traffic", {"order": "-visitors"}),
        ("traffic", {"per": "range"}),
        ("traffic.csv", {}),
        ("traffic.parquet", {}),
        ("pages", {}),
    ]
    tags = [client.get(f"/api/reports/{name}", params={**RANGE, **more}).headers["etag"] for name, more in questions]
    assert len(set(tags)) == len(questions)


@pytest.mark.parametrize("held", ["W/{}", '"other", {}', "*"])
def test_if_none_match_takes_weak_tags_and_lists(client: Client, held: str) -> None:
    etag = client.get(FILE, params=RANGE).headers["etag"]
    assert client.get(FILE, params=RANGE, headers={"If-None-Match": held.format(etag)}).status_code == 304


@pytest.mark.parametrize("suffix", ["json", "csv", "parquet"])
def test_head_says_what_get_would(client: Client, suffix: str) -> None:
    plain = {"Accept-Encoding": "identity"}
    head = client.request("HEAD", f"/api/reports/pages.{suffix}", params=RANGE, headers=plain)
    get = client.get(f"/api/reports/pages.{suffix}", params=RANGE, headers=plain)
    assert head.content == b""
    assert head.headers == get.headers
    assert int(head.headers["content-length"]) == len(get.content)
    assert head.headers["accept-ranges"] == "bytes"


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_any_piece_is_that_part_of_the_whole(client: Client, data: st.DataObject) -> None:
    whole = client.get(FILE, params=RANGE).content
    first = data.draw(st.integers(0, len(whole) - 1))
    last = data.draw(st.integers(first, len(whole) + 50))
    for asked, expected in (
        (f"bytes={first}-{last}", whole[first : last + 1]),
        (f"bytes={first}-", whole[first:]),
        (f"bytes=-{last + 1}", whole[-last - 1 :]),
    ):
        answer = client.get(FILE, params=RANGE, headers={"Range": asked})
        assert answer.status_code == 206
        assert answer.content == expected
        begin = len(whole) - len(expected) if asked.startswith("bytes=-") else first
        assert answer.headers["content-range"] == f"bytes {begin}-{begin + len(expected) - 1}/{len(whole)}"


@pytest.mark.parametrize("asked", ["bytes=9-3", "bytes=-", "bytes=0-1,4-5", "lines=0-4", "bytes=a-b", "bytes=٣-٤"])
def test_a_range_that_makes_no_sense_is_ignored(client: Client, asked: str) -> None:
    answer = client.get(FILE, params=RANGE, headers={"Range": asked.encode()})
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["content-length"])


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=99999999-999999999", "bytes=-0"])
def test_a_piece_behind_the_end_is_a_416(client: Client, asked: str) -> None:
    answer = client.get(FILE, params=RANGE, headers={"Range": asked})
    assert (answer.status_code, answer.json()["error"]["code"]) == (416, "range_not_satisfiable")
    assert re.fullmatch(r"bytes \*/\d+", answer.headers["content-range"])


def test_a_piece_of_a_file_that_changed_meanwhile_is_the_whole_new_file(client: Client) -> None:
    asked = {"Range": "bytes=0-3", "If-Range": '"of another version"'}
    assert client.get(FILE, params=RANGE, headers=asked).status_code == 200


class RemoteFile(io.RawIOBase):
    """A file read over HTTP as DuckDB and fsspec do: HEAD for the length, then pieces."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._client = httpx.Client(headers=headers)
        self._url = url
        self._place = 0
        self.length = int(self._client.head(url).raise_for_status().headers["content-length"])
        self.pieces = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.length}[whence]
        return self._place

    def readinto(self, buffer: Any) -> int:
        if self._place >= self.length or not len(buffer):
            return 0
        asked = {"Range": f"bytes={self._place}-{self._place + len(buffer) - 1}"}
        answer = self._client.get(self._url, headers=asked)
        assert answer.status_code == 206
        buffer[: len(answer.content)] = answer.content
        self._place += len(answer.content)
        self.pieces += 1
        return len(answer.content)

    def close(self) -> None:
        self._client.close()
        super().close()


def test_a_parquet_reader_reads_a_column_of_the_url_piece_by_piece(server: str, home: Home) -> None:
    url = str(httpx.URL(server + FILE, params=RANGE))
    with RemoteFile(url, home.bearer) as remote:
        read = pq.read_table(pa.PythonFile(remote, mode="r"), columns=["pageviews"])
        assert remote.pieces > 1
    pages = home.frames["pages"].filter(pl.col("site") == SITE)
    assert sum(read["pageviews"].to_pylist()) == pages["pageviews"].sum()


def test_the_real_server_gives_the_same_file_as_the_app(server: str, client: Client, home: Home) -> None:
    got = httpx.get(server + FILE, params=RANGE, headers=home.bearer)
    assert got.headers["etag"] == client.get(FILE, params=RANGE).headers["etag"]
    assert_frame_equal(
        pl.read_parquet(io.BytesIO(got.content)),
        home.frames["pages"].filter(pl.col("site") == SITE),
        check_row_order=False,
    )
    head = httpx.head(server + FILE, params=RANGE, headers=home.bearer)
    assert int(head.headers["content-length"]) == len(got.content)


@pytest.mark.parametrize("path", ["/api/reports/pages.csv", "/dashboard/main.js"])
def test_the_real_server_compresses_and_says_so_in_head_too(server: str, client: Client, home: Home, path: str) -> None:
    asked = {**home.bearer, "Accept-Encoding": "gzip"}
    got = httpx.get(server + path, params=RANGE, headers=asked)
    head = httpx.head(server + path, params=RANGE, headers=asked)
    assert got.headers["content-encoding"] == head.headers["content-encoding"] == "gzip"
    assert got.headers["etag"] == head.headers["etag"]
    assert head.content == b""
    assert got.content == client.get(path, params=RANGE).content
    held = httpx.get(server + path, params=RANGE, headers={**asked, "If-None-Match": got.headers["etag"]})
    assert (held.status_code, held.headers["etag"]) == (304, got.headers["etag"])
