"""Where the script is served, and in how many bytes."""

import asyncio

import httpx
import pytest
from pydantic import ValidationError

from ingest_api.service import TRACKER_FILE, service
from ingest_api.settings import CollectorSettings


def get(path: str, tracker_path: str, encoding: str = "identity") -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(service(lambda: True, lambda: b"", tracker_path))
        async with httpx.AsyncClient(transport=transport, base_url="http://collector") as client:
            return await client.get(path, headers={"accept-encoding": encoding})

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/logektor.js", "/assets/site.js"])
def test_the_script_is_served_at_its_own_path_and_at_the_operators(path: str) -> None:
    answer = get(path, "/assets/site.js")
    assert (answer.status_code, answer.content) == (200, TRACKER_FILE.read_bytes())


def test_the_script_is_compressed_for_who_can_read_that() -> None:
    answer = get("/logektor.js", "/logektor.js", "gzip, br")
    assert answer.content == TRACKER_FILE.read_bytes()
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert int(answer.headers["content-length"]) <= 5 * 1024
    assert "content-encoding" not in get("/logektor.js", "/logektor.js").headers


@pytest.mark.parametrize("path", ["site.js", "/track", "/a b.js", "/{x}.js", ""])
def test_a_path_that_can_not_serve_a_script_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        CollectorSettings(tracker_path=path)
    assert CollectorSettings(tracker_path="/assets/a-b_c.min.js").tracker_path == "/assets/a-b_c.min.js"
