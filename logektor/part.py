"""A part of the stack: a process that the supervisor owns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Part:
    """How to run one process, when it may start, how to see that it is well, and when it stops.

    `after` names the parts that must have been healthy first. Parts of a lower `stop_stage` are stopped before
    those of a higher one, so that what they sent can still be taken. `ready` answers within a second and never raises.
    One that was well and then is not for `stuck_after` seconds is killed and started again; None for never.
    """

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    stop_stage: int = 0
    stuck_after: float | None = None
