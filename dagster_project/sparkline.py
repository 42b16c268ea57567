"""Numbers as a line of bars, for places that show text."""

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(numbers: Sequence[int]) -> str:
    """One bar per number, the tallest for the largest; a dot for 0."""
    largest = max(numbers, default=0)
    return "".join(_BARS[(len(_BARS) * number - 1) // largest] if number else "·" for number in numbers)
