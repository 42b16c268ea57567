"""`python -m logektor.demo_traffic`: sends synthetic visitors of the last days at once, and then as time passes."""

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from logektor.batch_client import MAX_BATCH_EVENTS, BatchAnswer, BatchClient, BatchFailed
from logektor.demo_visits import SITE, events_between
from sites import SitesError, register_site

HISTORY = timedelta(days=7)
LIVE_SECONDS = 2.0

_SEED = 1
_STEP = timedelta(days=1)
_GIVE_UP_SECONDS = 120.0


class DemoSettings(BaseSettings):
    """What the demo traffic is told by its environment."""

    model_config = SettingsConfigDict(env_prefix="LOGEKTOR_", frozen=True)

    home: Path = Field(Path("var"), validate_default=True, description="folder of sites.toml, where the site is added")
    collector_url: str = Field("http://127.0.0.1:8080", description="the collector that the events are sent to")

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()


class _Progress(msgspec.Struct):
    sent_until: datetime


class DemoTraffic:
    """Sends what has happened since it was last asked, a day at a time; `sent_until` is kept in a file.

    What is sent twice, because the file was not written in time, has the same ids.
    """

    def __init__(self, send: Callable[[Sequence[bytes]], BatchAnswer], progress_file: Path) -> None:
        self._send = send
        self._progress_file = progress_file

    def catch_up(self, now: datetime) -> int:
        """Sends all events up to before `now`, of the last days at most; answers how many. Raises BatchFailed."""
        count = 0
        start = max(self._sent_until(), now - HISTORY)
        while start < now:
            end = min(start + _STEP, now)
            events = [msgspec.json.encode(event) for event in events_between(_SEED, start, end)]
            for first in range(0, len(events), MAX_BATCH_EVENTS):
                self._send(events[first : first + MAX_BATCH_EVENTS])
            self._note(end)
            count += len(events)
            start = end
        return count

    def _sent_until(self) -> datetime:
        try:
            return msgspec.json.decode(self._progress_file.read_bytes(), type=_Progress).sent_until
        except (FileNotFoundError, msgspec.DecodeError):
            return datetime.min.replace(tzinfo=UTC)

    def _note(self, sent_until: datetime) -> None:
        new = self._progress_file.with_name(self._progress_file.name + ".new")
        new.write_bytes(msgspec.json.encode(_Progress(sent_until)))
        new.replace(self._progress_file)


def main() -> int:
    """Sends until it is asked to stop; answers the exit code."""
    try:
        settings = DemoSettings()
        site = register_site(settings.home / "sites.toml", SITE)
    except ValidationError as error:
        fault = error.errors()[0]
        print(f"LOGEKTOR_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}.", file=sys.stderr)
        return 2
    except SitesError as error:
        print(error, file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        with BatchClient(settings.collector_url, site.server_key, give_up_after=_GIVE_UP_SECONDS, stop=stop) as client:
            traffic = DemoTraffic(client.send, settings.home / "demo_traffic.json")
            count = traffic.catch_up(datetime.now(UTC))
            print(f"{count:,} synthetic events of the last days were sent for {SITE}; more follow as time passes.")
            while not stop.wait(LIVE_SECONDS):
                traffic.catch_up(datetime.now(UTC))
    except BatchFailed as error:
        if not stop.is_set():
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
