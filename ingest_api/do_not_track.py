"""What becomes of a visitor who asks not to be tracked, by DNT or by Global Privacy Control."""

from enum import Enum
from typing import Literal

Policy = Literal["anonymous", "drop", "ignore"]
"""A site's `do_not_track`."""


class Tracking(Enum):
    """How much of an event is taken."""

    WHOLE = "whole"
    ANONYMOUS = "anonymous"
    """Counted, without what tells visitors apart or is derived from them: ids, User-Agent, address and country."""
    NONE = "none"
    """Answered 202, not stored, and counted in logektor_events_not_tracked."""


def asks_not_to_be_tracked(dnt: str | None, sec_gpc: str | None) -> bool:
    """By the headers DNT and Sec-GPC: both say it with 1."""
    return dnt == "1" or sec_gpc == "1"


_TRACKING = {"anonymous": Tracking.ANONYMOUS, "drop": Tracking.NONE, "ignore": Tracking.WHOLE}


def tracking(asks: bool, policy: Policy) -> Tracking:
    """What the site's policy makes of it."""
    return _TRACKING[policy] if asks else Tracking.WHOLE
