"""Clients that send batches through a balancer, each kept until it was answered 202."""

import asyncio
import itertools
import time
from collections.abc import Iterator

import httpx

BATCH = 50
CLIENTS = 12

_PAUSE = 0.2
_VISITORS = 50_000
_PAGES = 200


class Clients:
    """What was sent and answered. An event's id is `batch-index`; batches are numbered from 0."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/batch"
        self._numbers: Iterator[int] = itertools.count()
        self.accepted: list[int] = []
        """Batches that were answered 202."""
        self.answers: list[tuple[float, float]] = []
        """Of each of them when (monotonic) and how many seconds its answering request took."""
        self.sent_again = 0
        """Requests that were not answered 202, and so sent again."""

    def run(self, seconds: float, rate: float | None = None) -> None:
        """Sends for so long: `rate` events a second, or as fast as is answered. In the end all are answered."""
        asyncio.run(self._run(seconds, rate))

    async def _run(self, seconds: float, rate: float | None) -> None:
        started = time.monotonic()
        interval = BATCH * CLIENTS / rate if rate else 0.0
        await asyncio.gather(*(self._client(number, started, seconds, interval) for number in range(CLIENTS)))

    async def _client(self, client: int, started: float, seconds: float, interval: float) -> None:
        # Its own address, so that the balancer's limit by address is that of one client.
        transport = httpx.AsyncHTTPTransport(local_address=f"127.0.1.{client + 1}")
        async with httpx.AsyncClient(transport=transport, timeout=30) as http:
            for turn in itertools.count():
                due = started + (turn + client / CLIENTS) * interval
                await asyncio.sleep(due - time.monotonic())
                if time.monotonic() > started + seconds:
                    return
                await self._deliver(http, next(self._numbers))

    async def _deliver(self, http: httpx.AsyncClient, number: int) -> None:
        body = _body(number)
        while True:
            began = time.monotonic()
            try:
                answer = await http.post(self._url, content=body, headers={"content-type": "application/json"})
                if answer.status_code == 202:
                    self.answers.append((time.monotonic(), time.monotonic() - began))
                    self.accepted.append(number)
                    return
            except httpx.TransportError:
                pass
            self.sent_again += 1
            await asyncio.sleep(_PAUSE)


def _body(number: int) -> str:
    events = (
        f'{{"eventId":"{number}-{index}","action":"pageview","visitorId":"v-{(number * 7 + index) % _VISITORS}",'
        f'"url":"https://localhost/page/{(number + index) % _PAGES}","title":"A page","language":"en-GB"}}'
        for index in range(BATCH)
    )
    return f"[{','.join(events)}]"
