"""What a layout is: the columns that tell it from others, and how to read a file of it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from tidegate_ingest.adapters.tables import ColumnTable, column_names, join_tables, read_batches

RawColumns = TypeVar("RawColumns")

# Longer than the name of any column that we read.
_NAME_MAX = 40


def _any_name(_path: Path) -> None:
    """Accept every file name."""


@dataclass(frozen=True, slots=True)
class Layout(Generic[RawColumns]):
    """A way in which files lay out their columns.

    texts, numbers : every column that is read; a file of this layout has them all.
    parse : returns rows of a file, in the file's order; raises ConfigError.
    optional_texts, optional_numbers : columns that are read where a file has them.
    check_name : raises ConfigError if the file's name lacks what its rows do not say.
    """

    name: str
    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    parse: Callable[[ColumnTable], RawColumns]
    optional_texts: tuple[str, ...] = ()
    optional_numbers: tuple[str, ...] = ()
    check_name: Callable[[Path], object] = _any_name

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that tell the layout."""
        return (*self.texts, *self.numbers)

    def missing(self, found: Iterable[str]) -> tuple[str, ...]:
        """Return the columns that a file with the columns `found` lacks."""
        present = set(found)
        return tuple(name for name in self.columns if name not in present)

    def batches(self, path: Path) -> Iterator[RawColumns]:
        """Yield a file's rows, some at a time, in the file's order.

        Raises
        ------
        ConfigError
            If the file cannot be read.
        """
        for table in self.tables(path):
            yield self.parse(table)

    def read(self, path: Path) -> RawColumns:
        """Return all rows of a file, in the file's order.

        Raises
        ------
        ConfigError
            If the file cannot be read or has no rows.
        """
        return self.parse(join_tables(path, list(self.tables(path))))

    def tables(self, path: Path) -> Iterator[ColumnTable]:
        """Return a file's rows as they are in it, some at a time; raises as `batches`."""
        present = set(column_names(path))
        texts = (*self.texts, *(name for name in self.optional_texts if name in present))
        numbers = (*self.numbers, *(name for name in self.optional_numbers if name in present))
        return read_batches(path, texts=texts, numbers=numbers)


def numbered(stem: str, first: int, count: int) -> tuple[str, ...]:
    """Return the columns of `count` levels, such as BidPrice1 to BidPrice5."""
    return tuple(f"{stem}{number}" for number in range(first, first + count))


def shorten(names: Sequence[str], count_max: int = 12) -> str:
    """Return names as a list for an error message, which is one line and not too long.

    A file that is damaged or none of ours may have anything as the name of a column.
    """
    more = len(names) - count_max
    shown = [(name if name.isprintable() else ascii(name))[:_NAME_MAX] for name in names]
    return ", ".join(shown[:count_max]) + (f" and {more} more" if more > 0 else "")
