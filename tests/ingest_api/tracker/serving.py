"""Pages with the script, and the real collector behind a line that fails as it is told to."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.ingest_api.conftest import Api

STUB = """<script>
  window.logektor = window.logektor || function () { (logektor.q = logektor.q || []).push(arguments) }
</script>"""


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What is sent back."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Fault:
    """What becomes of a POST: whether the collector gets it, and the answer instead of its own; None is a cut line."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    stored: bool = False


Answerer = Callable[[Received], Reply | None]


@dataclass
class Website:
    """The same page at every address."""

    url: str = ""
    page: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def answer(self, _: Received) -> Reply:
        """The page."""
        html = {"Content-Type": "text/html; charset=utf-8", **self.headers}
        return Reply(200, html, f"<!doctype html>{self.page}".encode())


@dataclass
class Line:
    """The way to the collector. Each POST meets the next of `faults`; None, and what comes after the last, is none."""

    api: Api
    url: str = ""
    requests: list[Received] = field(default_factory=list)
    faults: deque[Fault | None] = field(default_factory=deque)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Received) -> Reply | None:
        """What the collector says, or what the fault does."""
        with self._one_at_a_time:
            self.requests.append(request)
            fault = self.faults.popleft() if request.method == "POST" and self.faults else None
            if fault is None:
                return self._collector(request)
            if fault.stored:
                self._collector(request)
            if fault.status is None:
                return None
            cors = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}
            return Reply(fault.status, {**cors, **fault.headers}, b"a fault")

    def _collector(self, request: Received) -> Reply:
        kept = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        answer = self.api.request(request.method, request.path, content=request.body, headers=kept)
        return Reply(answer.status_code, dict(answer.headers), answer.content)

    @property
    def posts(self) -> list[Received]:
        """The requests that brought events."""
        return [request for request in self.requests if request.method == "POST"]

    @property
    def sent(self) -> list[dict[str, Any]]:
        """The events of all requests in their order, those sent again too."""
        return [event for request in self.posts for event in json.loads(request.body)["batch"]]


@contextmanager
def listening(answer: Answerer, port: int = 0) -> Iterator[str]:
    """A server on 127.0.0.1, on a free port unless told; two of them are two web origins."""
    with ThreadingHTTPServer(("127.0.0.1", port), partial(_Requests, answer)) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Requests(BaseHTTPRequestHandler):
    def __init__(self, answer: Answerer, *connection: Any) -> None:
        self._answer = answer
        super().__init__(*connection)

    def do_GET(self) -> None:
        self._reply()

    def do_POST(self) -> None:
        self._reply()

    def do_OPTIONS(self) -> None:
        self._reply()

    def _reply(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        reply = self._answer(Received(self.command, self.path, dict(self.headers.items()), body))
        if reply is None:
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            if name.lower() not in ("content-length", "content-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def handle(self) -> None:
        # A page that is left closes its connections whenever it likes.
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Quiet."""
