"""Queries are bounded: past the bound there is a clear error, and the event loop never waits."""

import asyncio
import threading

import pytest

from query_api.errors import ApiError
from query_api.query_pool import QueryPool


def test_a_query_that_takes_too_long_is_answered_in_time_and_frees_its_place_when_it_ends() -> None:
    pool, gate = QueryPool(threads=1, waiting=0, seconds=0.05), threading.Event()

    async def ask() -> None:
        with pytest.raises(ApiError) as slow:
            await pool.run(gate.wait)
        assert (slow.value.status, slow.value.code) == (503, "too_slow")
        with pytest.raises(ApiError) as busy:
            await pool.run(lambda: 1)
        assert (busy.value.status, busy.value.code, busy.value.headers) == (503, "busy", {"Retry-After": "5"})
        assert "may not answer" in busy.value.message
        gate.set()
        async with asyncio.timeout(10):
            while True:
                try:
                    assert await pool.run(lambda: 1) == 1
                    break
                except ApiError:
                    await asyncio.sleep(0.01)

    asyncio.run(ask())
    pool.close()


def test_past_the_waiting_ones_a_query_is_refused_at_once() -> None:
    pool, gate = QueryPool(threads=1, waiting=2, seconds=10), threading.Event()

    async def ask() -> None:
        taken = [asyncio.create_task(pool.run(gate.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(ApiError) as refused:
            await pool.run(lambda: 1)
        assert refused.value.headers == {"Retry-After": "1"}
        gate.set()
        assert await asyncio.gather(*taken) == [True, True, True]

    asyncio.run(ask())
    pool.close()


def test_a_query_that_never_gets_its_turn_is_told_in_time_and_does_not_run_later() -> None:
    pool, gate = QueryPool(threads=1, waiting=2, seconds=0.5), threading.Event()
    ran: list[int] = []

    async def ask() -> None:
        first = asyncio.create_task(pool.run(gate.wait))
        await asyncio.sleep(0)
        with pytest.raises(ApiError) as waited:
            await pool.run(lambda: ran.append(1))
        assert (waited.value.code, waited.value.headers) == ("busy", {"Retry-After": "5"})
        with pytest.raises(ApiError, match="longer than"):
            await first
        gate.set()

    asyncio.run(ask())
    pool.close()
    assert ran == []


def test_a_querys_own_error_comes_through() -> None:
    pool = QueryPool(threads=1, waiting=0, seconds=10)

    async def ask() -> None:
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await pool.run(lambda: 1 // 0)

    asyncio.run(ask())
    pool.close()
