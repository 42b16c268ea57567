"""When an event happened, in microseconds since 1970 UTC, from what its client says."""

from datetime import UTC, datetime, timedelta

from ingest_api.errors import EventRejected
from ingest_api.tracked_event import Time

_DAY_MICROS = timedelta(days=1) // timedelta(microseconds=1)
_LAST_MICROS = 253_402_300_799_999_999
_MILLISECONDS_FROM = 100_000_000_000
"""A number from here on is milliseconds: as seconds it would be the year 5138, as milliseconds it is 1973."""

_ANY_TIME = 1e18
"""Beyond every time there is; keeps a huge number from becoming an infinite one."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def event_time(
    stamp: Time | None, sent_at: Time | None, received_at: int, oldest_days: int, may_write_history: bool
) -> tuple[int, bool]:
    """Microseconds, and whether what the client said was impossible and they are received_at instead.

    What is older than `oldest_days` is not believed, unless the key may write history. Raises EventRejected where a
    text is no time, or where history is outside 1970 to 9999.
    """
    if stamp is None:
        return received_at, False
    occurred = to_micros(stamp, "datetimeStamp")
    if sent_at is not None:
        occurred += received_at - to_micros(sent_at, "sentAt")
    if may_write_history:
        if not 0 <= occurred <= _LAST_MICROS:
            raise EventRejected("invalid", f"datetimeStamp: {stamp!r} is not between 1970 and 9999.", "datetimeStamp")
        return occurred, False
    if received_at - oldest_days * _DAY_MICROS <= occurred <= received_at:
        return occurred, False
    return received_at, True


def to_micros(time: Time, field: str) -> int:
    """Microseconds since 1970 UTC. Raises EventRejected."""
    if isinstance(time, str):
        return _from_iso(time, field)
    if isinstance(time, float):
        time = max(-_ANY_TIME, min(time, _ANY_TIME))
    return round(time * (1_000_000 if -_MILLISECONDS_FROM < time < _MILLISECONDS_FROM else 1_000))


def _from_iso(text: str, field: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise EventRejected(
            "invalid",
            f"{field}: expected Unix seconds or milliseconds as a number, or a text in ISO 8601, "
            f"but it is {text[:80]!r}.",
            field,
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)
