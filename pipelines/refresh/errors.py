"""What a refresh refuses to do.

RefreshError
└── RawEventsExpired   a day can't be made anew: raw events of it may have expired
"""

from collections.abc import Sequence
from datetime import date


class RefreshError(Exception):
    """The root of the refresh's errors."""


class RawEventsExpired(RefreshError):
    """Days that can't be made anew without losing what has expired of their raw events."""

    def __init__(self, days: Sequence[date], first_whole_day: date) -> None:
        super().__init__(
            f"{_listed(days)} can't be made anew: raw events of days before {first_whole_day} may have "
            "expired, and would be missing. The table events keeps what it has of them; its reports can be built again."
        )
        self.days = days


def _listed(days: Sequence[date]) -> str:
    if len(days) <= 3:
        return ", ".join(map(str, days))
    return f"{len(days)} days from {days[0]} to {days[-1]}"
