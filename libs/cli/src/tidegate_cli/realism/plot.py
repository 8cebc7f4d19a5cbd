"""A bar chart as SVG, of pairs of rates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

_BAR: Final = 22
_GAP: Final = 18
_GROUP_GAP: Final = 40
_LEFT: Final = 50
_TOP: Final = 40
_HEIGHT: Final = 200
_BOTTOM: Final = 60
_GRID: Final = (0, 25, 50, 75, 100)
_COLOURS: Final = ("#7f8c9b", "#1f6feb")
_LEGEND: Final = ("recorded order stream", "simulator")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two bars side by side, rates from 0 to 1."""

    label: str
    first: float
    second: float


def bar_chart(title: str, groups: Sequence[tuple[str, Sequence[Pair]]]) -> str:
    """Return a chart of groups of pairs, as the text of an SVG file."""
    width = _LEFT + _GROUP_GAP
    for _, pairs in groups:
        width += len(pairs) * (2 * _BAR + _GAP) + _GROUP_GAP
    height = _TOP + _HEIGHT + _BOTTOM
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(_LEFT, 16, title, anchor="start", size=13),
        *_grid(width),
        *_legend(),
        *_bars(groups),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _grid(width: int) -> Iterator[str]:
    for percent in _GRID:
        y = _y(percent / 100)
        yield f'<line x1="{_LEFT}" y1="{y}" x2="{width}" y2="{y}" stroke="#d8dee4"/>'
        yield _text(_LEFT - 6, y + 4, f"{percent}%", anchor="end")


def _legend() -> Iterator[str]:
    for number, (name, colour) in enumerate(zip(_LEGEND, _COLOURS, strict=True)):
        x = _LEFT + number * 170
        yield f'<rect x="{x}" y="24" width="10" height="10" fill="{colour}"/>'
        yield _text(x + 15, 33, name, anchor="start")


def _bars(groups: Sequence[tuple[str, Sequence[Pair]]]) -> Iterator[str]:
    x = _LEFT + _GROUP_GAP // 2
    for name, pairs in groups:
        start = x
        for pair in pairs:
            for rate, colour in zip((pair.first, pair.second), _COLOURS, strict=True):
                y = _y(rate)
                height = _TOP + _HEIGHT - y
                yield f'<rect x="{x}" y="{y}" width="{_BAR}" height="{height}" fill="{colour}"/>'
                x += _BAR
            yield _text(x - _BAR, _TOP + _HEIGHT + 16, pair.label)
            x += _GAP
        yield _text((start + x - _GAP) // 2, _TOP + _HEIGHT + 38, name, size=12)
        x += _GROUP_GAP


def _y(rate: float) -> int:
    return _TOP + round(_HEIGHT * (1 - rate))


def _text(x: int, y: int, words: str, *, anchor: str = "middle", size: int = 11) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'
