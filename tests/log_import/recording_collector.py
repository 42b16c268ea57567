"""A real HTTP server that takes POST /batch as the collector does, and remembers what came."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SERVER_KEY = "sk_test"


@dataclass
class RecordingCollector:
    """`trouble` holds answers (status, headers, body) for the next requests; after them each batch is taken.

    `before_answer` is called with each batch that is taken, before its answer; ConnectionError leaves it unanswered.
    """

    url: str = ""
    server_key: str = SERVER_KEY
    batches: list[list[dict[str, Any]]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    requests: int = 0
    trouble: deque[tuple[int, dict[str, str], bytes]] = field(default_factory=deque)
    before_answer: Callable[[list[dict[str, Any]]], None] = lambda batch: None

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events taken."""
        return [event for batch in self.batches for event in batch]

    @property
    def ids(self) -> list[str]:
        """The ids of all events taken."""
        return [event["eventId"] for event in self.events]


@contextmanager
def recording_collector() -> Iterator[RecordingCollector]:
    """A collector on a free port of 127.0.0.1."""
    collector = RecordingCollector()
    lock = threading.Lock()

    class Batches(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                self.answer(*self.result(body))
            except ConnectionError:
                self.close_connection = True

        def result(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            with lock:
                collector.requests += 1
                if collector.trouble:
                    return collector.trouble.popleft()
            if self.path != "/batch" or self.headers["Authorization"] != f"Bearer {collector.server_key}":
                return 401, {}, b'{"error": "unknown key"}'
            batch = json.loads(body)
            with lock:
                collector.batches.append(batch)
                collector.sizes.append(len(body))
            collector.before_answer(batch)
            rejected = [
                {"index": index, "field": "action", "reason": "invalid", "message": "action: missing."}
                for index, event in enumerate(batch)
                if "action" not in event
            ]
            answer = {"accepted": len(batch) - len(rejected), "rejected": rejected}
            return 202, {}, json.dumps(answer).encode()

        def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Batches) as server:
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
