"""How much a site may send: token buckets, one for each site that has a limit. Times are microseconds."""

import math

from sites import Site

_SECOND = 1_000_000
_ROUNDING = 1e-6
"""Who waits as told is not sent away over the last digit of a float."""


class TokenBucket:
    """Fills by `rate` tokens a second up to `burst`; full at first."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self._burst = burst
        self._tokens = burst
        self._filled_at = -1

    def take(self, tokens: float, now: int) -> float:
        """Takes the tokens and answers 0, or takes none and answers in how many seconds they will be there.

        More than fit into the bucket are never there: infinite. `now` may stand still or go back, which fills nothing;
        from then on the bucket fills as before, so that a clock set back shuts nobody out.
        """
        if tokens > self._burst:
            return math.inf
        if now > self._filled_at >= 0:
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) / _SECOND * self.rate)
        self._filled_at = now
        if tokens <= self._tokens + _ROUNDING:
            self._tokens -= tokens
            return 0.0
        return (tokens - self._tokens) / self.rate


class RateLimits:
    """The `rate_limit` of each site, shared out over `processes`. A whole batch of `largest_batch` always fits once."""

    def __init__(self, processes: int, largest_batch: int) -> None:
        self._processes = processes
        self._largest_batch = largest_batch
        self._buckets: dict[str, TokenBucket] = {}

    def take(self, site: Site, events: int, now: int) -> float:
        """0 where the site may send so many events at `now`; else nothing is taken, and the seconds to wait."""
        if site.rate_limit is None:
            return 0.0
        rate = site.rate_limit / self._processes
        bucket = self._buckets.get(site.domain)
        if bucket is None or bucket.rate != rate:
            bucket = self._buckets[site.domain] = TokenBucket(rate, max(rate, self._largest_batch))
        return bucket.take(events, now)
