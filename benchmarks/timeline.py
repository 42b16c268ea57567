"""Values over time as an SVG: panels that share their time axis, with a mark for each thing that happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 900, 110
_LEFT, _RIGHT, _GAP = 70, 130, 34
_COLOURS = ("#1f6feb", "#bf3989", "#1a7f37", "#9a6700", "#8250df", "#57606a")

Line = Sequence[tuple[float, float]]
"""Seconds since the start, and the value then."""


@dataclass(frozen=True)
class Panel:
    """Lines by name, in one unit."""

    title: str
    lines: Mapping[str, Line]


def picture(panels: Sequence[Panel], marks: Sequence[tuple[float, str]], seconds: float) -> str:
    """The SVG; a mark is a second and what happened then, which a browser shows under the pointer."""
    bottom = len(panels) * (_HEIGHT + _GAP) + _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + _RIGHT} {bottom + 16}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for second, what in marks:
        x = _x(second, seconds)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_GAP}" y2="{bottom - _GAP}" stroke="#d0d7de">'
            f"<title>{escape(what)}</title></line>"
        )
    for number, panel in enumerate(panels):
        parts += _panel(panel, _GAP + number * (_HEIGHT + _GAP), seconds)
    for minute in range(0, round(seconds / 60) + 1, max(1, round(seconds / 600))):
        x = _x(minute * 60, seconds)
        parts.append(f'<text x="{x:.1f}" y="{bottom - 12}" text-anchor="middle">{minute} min</text>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, top: int, seconds: float) -> list[str]:
    most = max((value for line in panel.lines.values() for _, value in line), default=0) or 1
    base = top + _HEIGHT
    parts = [
        f'<text x="{_LEFT}" y="{top - 6}" font-weight="bold">{escape(panel.title)}</text>',
        f'<line x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{base}" y2="{base}" stroke="#57606a"/>',
        f'<text x="{_LEFT - 6}" y="{base}" text-anchor="end">0</text>',
        f'<text x="{_LEFT - 6}" y="{top + 10}" text-anchor="end">{most:,.{0 if most >= 10 else 2}f}</text>',
    ]
    for number, (name, line) in enumerate(panel.lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(f"{_x(at, seconds):.1f},{base - value / most * _HEIGHT:.1f}" for at, value in line)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
        parts.append(
            f'<text x="{_LEFT + _WIDTH + 8}" y="{top + 12 + 15 * number}" fill="{colour}">{escape(name)}</text>'
        )
    return parts


def _x(second: float, seconds: float) -> float:
    return _LEFT + second / seconds * _WIDTH
