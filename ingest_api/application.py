"""The collector put together: what lives as long as a worker process does."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from event_stream.errors import BrokerAway, ClientRefused
from event_stream.kafka_log import KafkaLog
from event_stream.kafka_topics import ensure_topics
from event_stream.kafka_writer import KafkaWriter
from event_stream.topics import SALTS
from ingest_api import metrics
from ingest_api.admission import Admission
from ingest_api.client_endpoints import ClientEndpoints
from ingest_api.collector import Collector
from ingest_api.countries import Countries
from ingest_api.durable_writer import DurableWriter
from ingest_api.endpoints import Endpoints
from ingest_api.fastapi_bridge import FastApiBridge
from ingest_api.kept_rejections import KeptRejections
from ingest_api.rate_limit import RateLimits
from ingest_api.requests import Exchange, RequestReader, Scope, now_micros
from ingest_api.salts import Salts
from ingest_api.service import service
from ingest_api.settings import CollectorSettings
from ingest_api.shared_salts import SharedSalts
from ingest_api.spool_folder import SpoolFolder
from ingest_api.validation import Stamper
from ingest_api.write_api import WriteApi
from sites import LiveSites

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_TOPICS_SECONDS = 1.0
_HEAR_SECONDS = 2.0


class Application:
    """The RSGI application of one worker process. What needs its event loop is made when the server starts it."""

    def __init__(self, settings: CollectorSettings) -> None:
        self._settings = settings
        self._sites = LiveSites(settings.sites_file)
        self._salts = Salts(settings.salts_folder)
        self._countries = Countries(settings.country_file)
        self._requests = RequestReader(settings.max_body_bytes, settings.body_seconds, settings.trusted_networks)
        self._topics_exist = False
        self._lifetime = AsyncExitStack()
        self._kafka: KafkaWriter
        self._writer: DurableWriter
        self._write_api: WriteApi

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_until_complete(self._lifetime.enter_async_context(self._running()))

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_until_complete(self._lifetime.aclose())

    def __rsgi__(self, scope: Scope, exchange: Exchange) -> Awaitable[None]:
        return self._write_api(scope, exchange)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        settings = self._settings
        self._kafka = KafkaWriter(
            settings.kafka,
            delivery_seconds=settings.delivery_seconds,
            queue_records=settings.queue_records,
            queue_bytes=settings.queue_bytes,
        )
        self._writer = DurableWriter(
            self._kafka,
            SpoolFolder(settings.spool_folder, settings.spool_bytes),
            kafka_up=self._kafka_up,
            queue_records=settings.queue_records,
            queue_bytes=settings.queue_bytes,
        )
        admission = Admission(self._sites, settings.default_site)
        collector = Collector(
            admission,
            Stamper(self._salts, self._countries),
            self._writer,
            RateLimits(settings.collector_workers, settings.max_batch_events),
            KeptRejections(settings.kept_rejected_bytes),
        )
        own = Endpoints(collector, self._requests, settings.max_batch_events)
        others = ClientEndpoints(collector, self._requests, settings.max_batch_events)
        rest = FastApiBridge(service(self._writer.healthy, self._exposition, settings.tracker_path))
        self._write_api = WriteApi({**own.paths(), **others.paths()}, rest)
        metrics.forget_the_dead(settings.metrics_folder)
        _spare_the_garbage_collector()
        salts_topic = KafkaLog(settings.kafka, SALTS)
        shared_salts = SharedSalts(self._salts, salts_topic, now_micros)
        running = (self._look_after(), self._create_topics(), shared_salts.follow())
        tasks = [asyncio.create_task(each) for each in running]
        try:
            if not self._salts.known(now_micros()):
                # On a new host: the first visitors too shall be who they are elsewhere, if Kafka can be asked.
                with suppress(TimeoutError):
                    await asyncio.wait_for(shared_salts.heard.wait(), _HEAR_SECONDS)
            yield
        finally:
            for task in tasks:
                task.cancel()
            salts_topic.close()
            await self._writer.close(settings.stop_seconds)

    def _kafka_up(self) -> bool:
        return self._topics_exist and self._kafka.healthy()

    def _exposition(self) -> bytes:
        self._measure()
        return metrics.exposition()

    def _measure(self) -> None:
        metrics.count_accepted()
        metrics.SITES_TROUBLE.set(self._sites.trouble is not None)
        metrics.COUNTRY_FILE_TROUBLE.set(self._countries.trouble is not None)
        metrics.KAFKA_UP.set(self._kafka_up())
        metrics.REQUESTS_WAITING.set(self._kafka.waiting() + self._writer.waiting())

    async def _create_topics(self) -> None:
        while not self._topics_exist:
            try:
                await asyncio.to_thread(ensure_topics, self._settings.kafka, self._settings.topics, _TOPICS_SECONDS)
                self._topics_exist = True
            except BrokerAway as error:
                # That it is away is said by whoever writes.
                if self._kafka.healthy():
                    _log.warning("%s", error)
                await asyncio.sleep(_LOOK_SECONDS)
            except ClientRefused:
                await asyncio.sleep(_LOOK_SECONDS)

    async def _look_after(self) -> None:
        parent = os.getppid()
        while True:
            self._sites.refresh()
            await asyncio.to_thread(self._countries.refresh)
            self._requests.end_overdue()
            self._measure()
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
