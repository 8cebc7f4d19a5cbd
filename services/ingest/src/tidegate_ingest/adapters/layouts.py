"""What a layout is: the columns that tell it from others, and how to read a file of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from tidegate_ingest.engine.columns import RawBars, RawSnapshots

RawColumns = TypeVar("RawColumns", RawSnapshots, RawBars)


def _any_name(_path: Path) -> None:
    """Accept every file name."""


@dataclass(frozen=True, slots=True)
class Layout(Generic[RawColumns]):
    """A way in which files lay out their columns.

    columns : every column that is read; a file of this layout has them all.
    read : returns a file's rows, in the file's order; raises ConfigError.
    check_name : raises ConfigError if the file's name lacks what its rows do not say.
    """

    name: str
    columns: tuple[str, ...]
    read: Callable[[Path], RawColumns]
    check_name: Callable[[Path], object] = _any_name

    def missing(self, found: Iterable[str]) -> tuple[str, ...]:
        """Return the columns that a file with the columns `found` lacks."""
        present = set(found)
        return tuple(name for name in self.columns if name not in present)


def numbered(stem: str, first: int, count: int) -> tuple[str, ...]:
    """Return the columns of `count` levels, such as BidPrice1 to BidPrice5."""
    return tuple(f"{stem}{number}" for number in range(first, first + count))


def shorten(names: Sequence[str], count_max: int = 12) -> str:
    """Return names as a list for an error message, cut where it grows too long."""
    more = len(names) - count_max
    return ", ".join(names[:count_max]) + (f" and {more} more" if more > 0 else "")
