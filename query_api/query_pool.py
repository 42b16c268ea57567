"""Queries run here, off the event loop: so many at once, so many waiting, so many seconds each."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any, TypeVar

from query_api.errors import ApiError

Result = TypeVar("Result")


class QueryPool:
    """Bounded threads for queries of one kind; who waits for a turn holds no thread.

    A query that takes too long is answered with an error at once, but keeps its thread until it ends: Polars can't
    be interrupted, and another query in its place would only make the machine slower. While all threads are held
    that way, because the store of the tables does not answer, say, others are refused without waiting.
    """

    def __init__(self, threads: int, waiting: int, seconds: float) -> None:
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="query")
        self._places = BoundedSemaphore(threads + waiting)
        self._seconds = seconds
        self._late: set[Future[Any]] = set()

    async def run(self, query: Callable[[], Result]) -> Result:
        """The query's result. Raises ApiError: 503 where too many wait, or this one waits or takes too long."""
        if len(self._late) >= self._threads:
            raise _busy(f"No query has ended for {self._seconds:g} s: the store of the tables may not answer.", 5)
        if not self._places.acquire(blocking=False):
            raise _busy("Too many queries at once.", 1)
        running = self._executor.submit(query)
        running.add_done_callback(lambda _: self._places.release())
        try:
            return await asyncio.wait_for(asyncio.wrap_future(running), self._seconds)
        except TimeoutError:
            if running.cancel():
                raise _busy(f"The query has waited for its turn for {self._seconds:g} s.", 5) from None
            self._late.add(running)
            running.add_done_callback(self._late.discard)
            message = f"The query took longer than {self._seconds:g} s. Ask for fewer days."
            raise ApiError(503, "too_slow", message, headers={"Retry-After": "5"}) from None

    def close(self) -> None:
        """Takes no more queries; what has not begun is dropped."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _busy(reason: str, seconds: int) -> ApiError:
    return ApiError(503, "busy", f"{reason} Try again.", headers={"Retry-After": str(seconds)})
