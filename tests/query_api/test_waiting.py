"""Slow queries wait for each other, and nothing else waits for them."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from itertools import repeat
from typing import Any

import httpx
import pytest

from query_api import report_reader
from query_api.app import create_app
from query_api.stats.answer import answer
from tests.query_api.conftest import DAYS, SITE, Home

SLOW = 10
CHEAP = (
    *("/health/live", "/health/ready", "/api/sites", "/api/reports"),
    *(f"{path}?site={SITE}" for path in ("/api/reports/traffic", "/api/realtime", "/api/events")),
)
KNOWN = {"site": SITE, "from": str(DAYS[-1]), "to": str(DAYS[-1])}


class Gate:
    """Holds what passes until it is opened, and counts what has come in."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.inside = 0
        self.most_inside = 0
        self._lock = threading.Lock()

    def before(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def held(*arguments: Any) -> Any:
            with self._lock:
                self.inside += 1
                self.most_inside = max(self.most_inside, self.inside)
            assert self.open.wait(60)
            with self._lock:
                self.inside -= 1
            return real(*arguments)

        return held


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


@asynccontextmanager
async def asking(home: Home, **settings: object) -> Any:
    app = create_app(home.settings(**settings))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test:8000", headers=home.bearer) as client:
        yield client


def stats(client: httpx.AsyncClient, number: int) -> "asyncio.Task[httpx.Response]":
    query = {"site_id": SITE, "metrics": ["visitors"], "date_range": "7d", "pagination": {"limit": 1 + number}}
    return asyncio.create_task(client.post("/api/v2/query", json=query))


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    for pause in repeat(0.01):
        if condition():
            return
        assert time.monotonic() < deadline
        await asyncio.sleep(pause)


def test_health_and_cheap_answers_come_while_slow_statistics_wait_for_each_other(
    home: Home, monkeypatch: pytest.MonkeyPatch, gate: Gate
) -> None:
    monkeypatch.setattr("query_api.stats.reader.answer", gate.before(answer))

    async def ask() -> None:
        async with asking(home, query_waiting=SLOW - 1, query_seconds=60) as client:
            slow = [stats(client, number) for number in range(SLOW)]
            await until(lambda: gate.inside == 1)
            async with asyncio.timeout(30):
                for path in CHEAP:
                    cheap = await client.get(path)
                    assert cheap.status_code == 200, cheap.text
                one_more = await stats(client, SLOW)
            assert (one_more.status_code, one_more.headers["retry-after"]) == (503, "1")
            assert one_more.json()["error"]["code"] == "busy"
            assert not any(task.done() for task in slow)
            gate.open.set()
            assert [each.status_code for each in await asyncio.gather(*slow)] == [200] * SLOW
            assert gate.most_inside == 1

    asyncio.run(ask())


def test_reports_that_are_known_come_while_slow_ones_are_read(
    home: Home, monkeypatch: pytest.MonkeyPatch, gate: Gate
) -> None:
    async def ask() -> None:
        async with asking(home, query_threads=2, query_seconds=60) as client:
            known = await client.get("/api/reports/traffic", params=KNOWN)
            monkeypatch.setattr(report_reader, "_collect", gate.before(report_reader._collect))
            slow = [
                asyncio.create_task(client.get("/api/reports/pages", params={**KNOWN, "limit": 1 + number}))
                for number in range(SLOW)
            ]
            await until(lambda: gate.inside == 2)
            async with asyncio.timeout(30):
                assert (await client.get("/api/reports/traffic", params=KNOWN)).content == known.content
                held = {"If-None-Match": known.headers["etag"]}
                assert (await client.get("/api/reports/traffic", params=KNOWN, headers=held)).status_code == 304
                assert (await client.get("/health/ready")).status_code == 200
                counted = await stats(client, 0)
            assert counted.status_code == 200
            gate.open.set()
            assert [each.status_code for each in await asyncio.gather(*slow)] == [200] * SLOW

    asyncio.run(ask())


def test_a_store_that_does_not_answer_is_said_within_the_seconds_of_a_query_and_then_at_once(
    home: Home, monkeypatch: pytest.MonkeyPatch, gate: Gate
) -> None:
    async def ask() -> None:
        async with asking(home, query_seconds=0.5) as client:
            monkeypatch.setattr("lake.catalogue.Catalogue._look", gate.before(lambda *_: None))
            codes: list[str] = []
            async with asyncio.timeout(30):
                while not codes or codes[-1] != "busy":
                    answers = await asyncio.gather(
                        *(client.get("/api/reports/traffic", params=KNOWN) for _ in range(8))
                    )
                    codes += [answer.json()["error"]["code"] for answer in answers]
                    assert {(answer.status_code, answer.headers["retry-after"]) for answer in answers} == {(503, "5")}
                assert (await client.get("/health/ready")).status_code == 503
                assert (await client.get("/health/live")).status_code == 200
                assert (await client.get("/api/sites")).status_code == 200
            gate.open.set()
            await until(lambda: gate.inside == 0)
            monkeypatch.undo()
            async with asyncio.timeout(30):
                assert (await client.get("/health/ready")).status_code == 200

    asyncio.run(ask())
