"""Markdown that generated documents are made of."""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Final

from tidegate_common.market.answers import date_text
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE

_WIDTH: Final = 96


def text_lines(text: str, *, indent: str = "") -> Iterator[str]:
    """Yield the lines of a paragraph, those after the first indented."""
    yield from wrap(text, _WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def table_lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield _line(header)
    yield _line(["---"] * len(header))
    for row in rows:
        yield _line(row)


def date_or_open(date: int) -> str:
    """Return a row's first or last date, nothing where it is open."""
    return "" if date in {FIRST_DATE, LAST_DATE} else date_text(date)


def _line(cells: Iterable[str]) -> str:
    # A bar would end the cell.
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
