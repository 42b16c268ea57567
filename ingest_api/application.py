"""The collector put together: what lives as long as a worker process does."""

import asyncio
import gc
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress

from event_stream.errors import BrokerAway
from event_stream.kafka_topics import ensure_topics
from event_stream.kafka_writer import KafkaWriter
from event_stream.topics import EVENTS, REJECTED
from ingest_api import metrics
from ingest_api.admission import Admission
from ingest_api.collector import Bounds, Collector, now_micros
from ingest_api.hot_paths import HotPaths
from ingest_api.requests import Receive, Scope, Send
from ingest_api.salts import Salts
from ingest_api.service import service
from ingest_api.settings import CollectorSettings
from sites import LiveSites

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_TOPICS_SECONDS = 1.0
_FORGET_SECONDS = 3600.0


class Application:
    """The ASGI application of one worker process. What needs its event loop is made when the server starts it."""

    def __init__(self, settings: CollectorSettings) -> None:
        self._settings = settings
        self._sites = LiveSites(settings.sites_file)
        self._salts = Salts(settings.salts_folder)
        self._topics_exist = False
        self._paths: HotPaths | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if self._paths is None or scope["type"] == "lifespan":
            return self._lifespan(receive, send)
        return self._paths(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self._running():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        settings = self._settings
        writer = KafkaWriter(
            settings.kafka_bootstrap_servers,
            delivery_seconds=settings.delivery_seconds,
            queue_records=settings.queue_records,
            queue_bytes=settings.queue_bytes,
        )
        bounds = Bounds(settings.max_body_bytes, settings.max_batch_events)
        metrics.REQUESTS_WAITING.set_function(writer.waiting)
        admission = Admission(self._sites, settings.default_site)
        collector = Collector(admission, self._salts, writer, bounds)
        rest = service(lambda: self._topics_exist and writer.healthy())
        self._paths = HotPaths(collector, admission, rest)
        _spare_the_garbage_collector()
        tasks = [asyncio.create_task(self._look_after(writer)), asyncio.create_task(self._create_topics())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await writer.close(settings.stop_seconds)

    async def _create_topics(self) -> None:
        while not self._topics_exist:
            with suppress(BrokerAway):
                await asyncio.to_thread(
                    ensure_topics, self._settings.kafka_bootstrap_servers, (EVENTS, REJECTED), _TOPICS_SECONDS
                )
                self._topics_exist = True

    async def _look_after(self, writer: KafkaWriter) -> None:
        parent = os.getppid()
        forgotten_at = float("-inf")
        while True:
            self._sites.refresh()
            metrics.SITES_TROUBLE.set(self._sites.trouble is not None)
            metrics.KAFKA_UP.set(writer.healthy())
            if time.monotonic() - forgotten_at >= _FORGET_SECONDS:
                forgotten_at = time.monotonic()
                self._salts.forget(now_micros())
            if os.getppid() != parent:
                # The server that started this worker was killed: nobody would ever stop it.
                _log.warning("The collector's main process is gone: its worker stops.")
                os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(_LOOK_SECONDS)


def _spare_the_garbage_collector() -> None:
    """What was loaded stays, and events make no cycles: looking for them as often as by default costs a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
