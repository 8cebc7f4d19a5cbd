"""Panels of paired bars as SVG, each with a scale of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

_BAR: Final = 14
_GAP: Final = 12
_LEFT: Final = 50
_PANEL_GAP: Final = 40
_TOP: Final = 60
_HEIGHT: Final = 160
_BOTTOM: Final = 30
_COLOURS: Final = ("#7f8c9b", "#1f6feb")
_LEGEND: Final = ("recorded", "synthetic")


@dataclass(frozen=True, slots=True)
class Panel:
    """Pairs of bars, recorded and synthetic, values >= 0, one of them above; labels below."""

    title: str
    labels: Sequence[str]
    pairs: Sequence[tuple[float, float]]

    @property
    def width(self) -> int:
        """The width in pixels."""
        return _LEFT + len(self.pairs) * (2 * _BAR + _GAP)


def panel_chart(panels: Sequence[Panel]) -> str:
    """Return the panels side by side, as the text of an SVG file."""
    width = sum(panel.width + _PANEL_GAP for panel in panels)
    height = _TOP + _HEIGHT + _BOTTOM
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *_legend(),
    ]
    x = 0
    for panel in panels:
        lines += _panel(panel, x)
        x += panel.width + _PANEL_GAP
    return "\n".join([*lines, "</svg>"]) + "\n"


def _legend() -> Iterator[str]:
    for number, (name, colour) in enumerate(zip(_LEGEND, _COLOURS, strict=True)):
        x = _LEFT + number * 100
        yield f'<rect x="{x}" y="8" width="10" height="10" fill="{colour}"/>'
        yield _text(x + 15, 17, name, anchor="start")


def _panel(panel: Panel, left: int) -> Iterator[str]:
    most = max(max(pair) for pair in panel.pairs)
    yield _text(left + _LEFT, _TOP - 16, panel.title, anchor="start")
    for value in (0, most):
        y = _y(value, most)
        x_end = left + panel.width
        yield f'<line x1="{left + _LEFT}" y1="{y}" x2="{x_end}" y2="{y}" stroke="#d8dee4"/>'
        yield _text(left + _LEFT - 6, y + 4, f"{value:.3g}", anchor="end")
    x = left + _LEFT + _GAP // 2
    for label, pair in zip(panel.labels, panel.pairs, strict=True):
        for value, colour in zip(pair, _COLOURS, strict=True):
            y = _y(value, most)
            yield (
                f'<rect x="{x}" y="{y}" width="{_BAR}" height="{_TOP + _HEIGHT - y}" '
                f'fill="{colour}"/>'
            )
            x += _BAR
        yield _text(x - _BAR, _TOP + _HEIGHT + 16, label)
        x += _GAP


def _y(value: float, most: float) -> int:
    return _TOP + round(_HEIGHT * (1 - value / most))


def _text(x: int, y: int, words: str, *, anchor: str = "middle") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="11">{escape(words)}</text>'
