"""Queries run here, off the event loop: so many at once, so many waiting, so many seconds each."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TypeVar

from query_api.errors import ApiError

Result = TypeVar("Result")


class QueryPool:
    """Bounded threads for queries.

    A query that takes too long is answered with an error at once, but keeps its place until it ends: Polars can't
    be interrupted, and another query in its place would only make the machine slower.
    """

    def __init__(self, threads: int, waiting: int, seconds: float) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="query")
        self._places = BoundedSemaphore(threads + waiting)
        self._seconds = seconds

    async def run(self, query: Callable[[], Result]) -> Result:
        """The query's result. Raises ApiError: 503 where too many wait or this one takes too long."""
        if not self._places.acquire(blocking=False):
            raise ApiError(503, "busy", "Too many queries at once. Try again.", headers={"Retry-After": "1"})
        running = self._threads.submit(query)
        running.add_done_callback(lambda _: self._places.release())
        try:
            return await asyncio.wait_for(asyncio.wrap_future(running), self._seconds)
        except TimeoutError:
            message = f"The query took longer than {self._seconds:g} s. Ask for fewer days."
            raise ApiError(503, "too_slow", message, headers={"Retry-After": "5"}) from None

    def close(self) -> None:
        """Takes no more queries; what has not begun is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)
