"""From the 202 to the committed row: a real collector, broker and worker at 1,000 events a second."""

import asyncio
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles

import httpx
import psutil
import pyarrow.parquet as pq
from rich.console import Console

from benchmarks.collector import running, running_collector, running_kafka
from benchmarks.measured import Measured, at_most
from lake.location import Lake
from lake.raw import count_landed
from lake.raw_schema import EVENT, TABLE

RATE = 1_000
SECONDS = 60
WARM_UP_SECONDS = 5
BATCH_EVENTS = 10
CONNECTIONS = 8
DRAIN_SECONDS = 60.0


def run(console: Console) -> list[Measured]:
    """Every event's own time: the wall clock when its answer came, and that of the Delta commit that has its row."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kafka = stack.enter_context(running_kafka(home))
        collector = stack.enter_context(running_collector(home / "home", kafka))
        told = {"LOGEKTOR_HOME": str(home / "home"), "LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS": kafka}
        worker = stack.enter_context(running([sys.executable, "-m", "pipelines.landing"], told))
        lake = Lake(str(home / "home" / "lake"))
        answered = asyncio.run(_send(collector.url))
        _wait_for(lake, len(answered))
        memory = psutil.Process(worker).memory_info().rss
        committed = _committed(lake)
    began = min(answered.values()) + WARM_UP_SECONDS
    waits = [committed[each] - at for each, at in answered.items() if at >= began]
    parts = quantiles(waits, n=1_000)
    console.print(f"{len(answered):,} events in {max(answered.values()) - min(answered.values()):.0f} s, all landed")
    return [
        Measured("events a second", len(answered) / (max(answered.values()) - min(answered.values())), "events/s"),
        Measured("202 to committed row, median", parts[499], "s"),
        at_most("202 to committed row, p99", parts[989], "s", 2),
        Measured("202 to committed row, longest", max(waits), "s"),
        Measured("RSS of the worker", memory / 2**20, "MiB"),
    ]


async def _send(url: str) -> dict[str, float]:
    """By event id when its 202 came, in Unix seconds. Raises httpx.HTTPStatusError at any other answer."""
    answered: dict[str, float] = {}
    started = time.monotonic()

    async def one_client(client: httpx.AsyncClient, number: int) -> None:
        # At fixed times, however long the answers take.
        for turn in range(number, RATE * SECONDS // BATCH_EVENTS, CONNECTIONS):
            await asyncio.sleep(started + turn * BATCH_EVENTS / RATE - time.monotonic())
            ids = [f"{turn}-{index}" for index in range(BATCH_EVENTS)]
            events = [{"eventId": each, "action": "pageview", "url": "https://localhost/a"} for each in ids]
            (await client.post(f"{url}/batch", json=events)).raise_for_status()
            answered.update(dict.fromkeys(ids, time.time()))

    async with httpx.AsyncClient(timeout=30) as client:
        await asyncio.gather(*(one_client(client, number) for number in range(CONNECTIONS)))
    return answered


def _wait_for(lake: Lake, events: int) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS
    while count_landed(lake)[EVENT] < events:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{events:,} events were not landed within {DRAIN_SECONDS:g} s of the last")
        time.sleep(0.5)


def _committed(lake: Lake) -> dict[str, float]:
    """By event id when the commit that has its row was written, in Unix seconds: the age of the commit's own file."""
    table = Path(lake.table_uri(TABLE))
    committed = {}
    for commit in (table / "_delta_log").glob("*.json"):
        actions = map(json.loads, commit.read_text(encoding="utf-8").splitlines())
        for path in (action["add"]["path"] for action in actions if "add" in action):
            ids = pq.read_table(table / path, columns=["event_id"], partitioning=None)["event_id"].to_pylist()
            committed.update(dict.fromkeys(ids, commit.stat().st_mtime))
    return committed
