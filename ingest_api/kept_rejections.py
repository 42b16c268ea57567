"""How much of what a site sends wrong is kept: nobody's garbage fills the topic for the others."""

import logging

from ingest_api.errors import EventRejected
from ingest_api.rate_limit import TokenBucket

_log = logging.getLogger(__name__)

_SAID_AGAIN = 60_000_000
"""Microseconds, so that garbage does not fill the log instead."""


class KeptRejections:
    """At most `bytes_per_minute` of a site's rejections are kept; a quiet site may bring ten minutes' worth at once."""

    def __init__(self, bytes_per_minute: int) -> None:
        self._bytes_per_minute = bytes_per_minute
        self._buckets: dict[str, TokenBucket] = {}
        self._said_at: dict[str, int] = {}

    def keeps(self, domain: str, size: int, now: int) -> bool:
        """Whether a rejection of `size` bytes is kept at `now`, in microseconds since 1970 UTC."""
        bucket = self._buckets.get(domain)
        if bucket is None:
            bucket = TokenBucket(self._bytes_per_minute / 60, self._bytes_per_minute * 10)
            self._buckets[domain] = bucket
        if bucket.take(size, now) == 0:
            return True
        if abs(now - self._said_at.get(domain, 0)) >= _SAID_AGAIN:
            self._said_at[domain] = now
            _log.warning(
                "%s sends more that is rejected than is kept (LOGEKTOR_KEPT_REJECTED_BYTES): "
                "logektor_rejections_not_kept counts the rest.",
                domain,
            )
        return False


def not_kept(rejection: EventRejected) -> EventRejected:
    """The same with words that say so."""
    told = EventRejected(rejection.code, rejection.message, rejection.field, status=rejection.status)
    # Added last, so that a long message does not cut it off.
    told.message += " It was not kept: the site brings more that is rejected than is kept."
    return told
