"""Clients of a deployment: some write, as the tracker and the SDKs do, and some read all the while."""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

PATIENCE = 90.0
"""Seconds after which a client gives an event up."""

_RETRY_PAUSE = 0.1
_WRITE_PAUSE = 0.02
_READ_PAUSE = 0.05
_NAMELESS_EVERY = 5


class _Clients:
    """Clients that go on from the beginning of a block to its end, each in a thread and with an address of its own."""

    def __init__(self, run: Callable[[str], None], addresses: Iterable[str]) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=run, args=(address,)) for address in addresses]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


class Writers(_Clients):
    """Clients, each with an address of its own, that keep an event until it was answered 202 and only then go on.

    Every event is told by its subject. Each fifth has no id, like the first payload of this project; it is not sent
    again by its client, who could not say that it is the same.
    """

    def __init__(self, url: str, action: str, clients: int = 6) -> None:
        self.sent: list[str] = []
        self.accepted: list[str] = []
        self.given_up: list[str] = []
        self.trouble: list[str] = []
        """Each answer that was not 202, in words."""
        self._url = f"{url}/track"
        self._action = action
        super().__init__(self._send, (f"127.0.1.{n + 1}" for n in range(clients)))

    def _send(self, address: str) -> None:
        with httpx.Client(transport=httpx.HTTPTransport(local_address=address), timeout=30) as client:
            turn = 0
            while not self._stop.is_set():
                turn += 1
                self._deliver(client, with_id=turn % _NAMELESS_EVERY > 0)
                time.sleep(_WRITE_PAUSE)

    def _deliver(self, client: httpx.Client, with_id: bool) -> None:
        mark = uuid.uuid4().hex
        event: dict[str, Any] = {"objectType": "user", "objectId": mark[:2], "action": self._action}
        event |= {"subjectType": "test", "subjectId": mark} | ({"eventId": f"id-{mark}"} if with_id else {})
        self.sent.append(mark)
        deadline = time.monotonic() + PATIENCE
        while not self._answered_202(client, event):
            if not with_id or time.monotonic() > deadline:
                self.given_up.append(mark)
                return
            time.sleep(_RETRY_PAUSE)
        self.accepted.append(mark)

    def _answered_202(self, client: httpx.Client, event: Mapping[str, Any]) -> bool:
        try:
            answer = client.post(self._url, json=event)
        except httpx.TransportError as error:
            self.trouble.append(repr(error))
            return False
        if answer.status_code != 202:
            self.trouble.append(f"{answer.status_code}: {answer.text}")
        return answer.status_code == 202


class Readers(_Clients):
    """Clients that ask for a report, again and again; `failed` has every answer that was no 2xx, in words."""

    def __init__(self, url: str, token: str, path: str, clients: int = 2) -> None:
        self.reads = 0
        self.failed: list[str] = []
        self._url = f"{url}{path}"
        self._headers = {"Authorization": f"Bearer {token}"}
        super().__init__(self._read, (f"127.0.2.{n + 1}" for n in range(clients)))

    def _read(self, address: str) -> None:
        transport = httpx.HTTPTransport(local_address=address)
        with httpx.Client(transport=transport, headers=self._headers, timeout=60) as client:
            while not self._stop.is_set():
                self.reads += 1
                try:
                    answer = client.get(self._url)
                    if not answer.is_success or not answer.json()["rows"]:
                        self.failed.append(f"{answer.status_code}: {answer.text[:200]}")
                except httpx.TransportError as error:
                    self.failed.append(repr(error))
                time.sleep(_READ_PAUSE)
