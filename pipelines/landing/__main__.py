"""`python -m pipelines.landing`: the landing worker."""

import argparse
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial

from pydantic import ValidationError

from event_stream.errors import StreamError
from event_stream.kafka_ends import read_ranges
from event_stream.kafka_reader import KafkaReader, wait_for_topics
from event_stream.topics import EVENTS, REJECTED
from lake.errors import LakeError
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from pipelines.landing.batch import BatchRule
from pipelines.landing.dead_letter_limit import DeadLetterLimit
from pipelines.landing.errors import HoleFound, LandingError
from pipelines.landing.gaps import Gap, accept, landed_offsets, new_gaps, reading_past, refuse
from pipelines.landing.heartbeat import Heartbeat
from pipelines.landing.metrics import GAPS, WAITING, Lag, count_landed, serving
from pipelines.landing.settings import LandingSettings
from pipelines.landing.worker import LandingWorker

TOPICS = (EVENTS, REJECTED)

STUCK_SECONDS = 30.0
"""How long a batch may be under way before the worker gives no more signs of life: then it is to be killed."""


def main(arguments: Sequence[str] = ()) -> int:
    """Lands until it is asked to stop; answers the exit code."""
    parser = argparse.ArgumentParser("python -m pipelines.landing", description="Lands the records of the stream.")
    parser.add_argument(
        "--accept-gap",
        action="store_true",
        help="where records that were not landed are gone from Kafka, record that in the table removals and go on",
    )
    accept_gap: bool = parser.parse_args(arguments).accept_gap
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = LandingSettings()
    except ValidationError as error:
        fault = error.errors()[0]
        name = "_".join(map(str, fault["loc"])).upper()
        print(f"LOGEKTOR_{name}: {fault['msg']}.", file=sys.stderr)
        return 2
    # Records and events form no cycles; looking for some as often as Python does costs a third of the rate (measured).
    gc.set_threshold(50_000, 20, 100)
    try:
        land(settings, accept_gap)
    except (StreamError, LakeError, LandingError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def land(settings: LandingSettings, accept_gap: bool) -> None:
    """Lands until SIGTERM or SIGINT, then what it has read. Raises StreamError, LakeError or LandingError."""
    wait_for_topics(settings.kafka, TOPICS, settings.landing_start_seconds)
    settle = partial(_accept, Lake(settings.lake)) if accept_gap else refuse
    gaps = _gaps(settings)
    settle(gaps)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    while True:
        try:
            return _land_until(stopping, settings, gaps)
        except HoleFound as hole:
            place = hole.place
            settle([Gap((place.stream_id, place.partition), place.topic, hole.first_offset, hole.next_offset)])


def _gaps(settings: LandingSettings) -> Sequence[Gap]:
    lake = Lake(settings.lake)
    landed = landed_offsets(lake)
    held = read_ranges(settings.kafka, TOPICS, settings.landing_start_seconds)
    return new_gaps(lake, held, landed)


def _accept(lake: Lake, gaps: Sequence[Gap]) -> None:
    accept(lake, DeltaLandingTable(lake), gaps, datetime.now(UTC))
    GAPS.inc(len(gaps))


def _land_until(stopping: threading.Event, settings: LandingSettings, gaps: Sequence[Gap]) -> None:
    """Lands until it is asked to stop. Raises HoleFound once all that lies before the hole is landed."""
    heartbeat = Heartbeat(settings.home / "landing.json")
    with (
        _ending_within(settings.stop_seconds) as begin_to_end,
        ThreadPoolExecutor(1, "landing") as executor,
        closing(_worker(settings, gaps, executor)) as worker,
    ):
        WAITING.set_function(lambda: worker.waiting)
        lag = Lag(settings.kafka, TOPICS, lambda: worker.next_offsets)
        hole: HoleFound | None = None
        try:
            with serving(settings.landing_metrics_port, settings.landing_metrics_host, lag):
                _step_until(stopping, worker, heartbeat)
        except HoleFound as found:
            hole = found
        finally:
            begin_to_end()
        worker.drain()
        if hole is not None:
            raise hole


def _worker(settings: LandingSettings, gaps: Sequence[Gap], executor: Executor) -> LandingWorker:
    return LandingWorker(
        lambda on_assign, on_revoke: KafkaReader(
            settings.kafka,
            TOPICS,
            settings.landing_group,
            reading_past(gaps, on_assign),
            on_revoke,
        ),
        DeltaLandingTable(Lake(settings.lake), reopen_after_commits=settings.landing_reopen_commits),
        BatchRule(
            max_records=settings.landing_max_records,
            max_bytes=settings.landing_max_bytes,
            max_age=settings.landing_max_age,
        ),
        DeadLetterLimit(share=settings.landing_dead_letter_share),
        now=lambda: datetime.now(UTC),
        executor=executor,
        on_landed=lambda batch, rows, seconds: count_landed(batch, rows, seconds, time.time()),
    )


def _step_until(stopping: threading.Event, worker: LandingWorker, heartbeat: Heartbeat) -> None:
    while not stopping.is_set():
        worker.step()
        if worker.landing_seconds < STUCK_SECONDS:
            heartbeat.beat(
                landed_events=worker.landed_events,
                landed_dead_letters=worker.landed_dead_letters,
                waiting=worker.waiting,
            )


@contextmanager
def _ending_within(seconds: float) -> Iterator[Callable[[], None]]:
    """Gives what begins the end: then the block has so many seconds for all that is left to do, also after an error.

    After that the process ends even where a call hangs: what was not landed is still in Kafka.
    """

    def give_up() -> None:
        print(f"Stopping took longer than {seconds:g} s; what was not landed is read again.", file=sys.stderr)
        os._exit(1)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    try:
        yield timer.start
    finally:
        timer.cancel()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
