"""The way to a store, on which a commit can be met: TCP that is passed on as it is until a given one comes by."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Literal

Moment = Literal["asked", "answered"]
"""When the commit is met: before the store gets the request, or after it has answered and nobody else has heard it."""


class Wire:
    """Listens on `endpoint`. At the commit of a version of a table it calls `strike` and drops the connection, once."""

    def __init__(self, port: int, table: str, version: int, moment: Moment, strike: Callable[[], None]) -> None:
        self._port = port
        self._commit = f"/{table}/_delta_log/{version:020}.json".encode()
        self._moment = moment
        self._strike = strike
        self._met = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def met(self) -> bool:
        """Whether the commit has come by."""
        return self._met.is_set()

    def __enter__(self) -> "Wire":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """One connection: a request is read whole, then its answer, as HTTP does without pipelining."""
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._port)) as store:
            asked = threading.Event()

            def pass_answers() -> None:
                with suppress(OSError):
                    while answer := store.recv(65536):
                        if asked.is_set():
                            self._meet(client, store)
                            return
                        client.sendall(answer)
                    client.shutdown(socket.SHUT_RDWR)

            threading.Thread(target=pass_answers, daemon=True).start()
            while request := client.recv(65536):
                line = request.partition(b"\r\n")[0]
                if line.startswith(b"PUT ") and self._commit in line and not self._met.is_set():
                    self._met.set()
                    if self._moment == "asked":
                        self._meet(client, store)
                        return
                    asked.set()
                store.sendall(request)

    def _meet(self, client: socket.socket, store: socket.socket) -> None:
        self._strike()
        for end in (client, store):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
