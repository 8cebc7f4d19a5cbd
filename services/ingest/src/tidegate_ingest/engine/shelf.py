"""Accepted rows of all files, by date, until their day comes; and what became of the others."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

import numpy as np

from tidegate_common.domain.units import Int64Array
from tidegate_ingest.engine.columns import Columns, Rows
from tidegate_ingest.engine.quality import ACCEPTED, REASON_COUNT, ReasonArray, count_reasons

ColumnsT = TypeVar("ColumnsT", bound=Columns)
RowsT = TypeVar("RowsT", bound=Rows)
Rows_co = TypeVar("Rows_co", bound=Rows, covariant=True)


class Kept(Protocol[Rows_co]):
    """Rows that are kept somewhere, in memory or not; columns keep themselves."""

    def slice(self, start: int, stop: int) -> Rows_co:
        """Return the rows from `start` to before `stop`."""


class Keep(Protocol):
    """Puts rows away, and returns where they are."""

    def __call__(self, columns: RowsT, /) -> Kept[RowsT]:
        """Put rows away."""


@dataclass(frozen=True, slots=True)
class _Cells(Rows):
    """Where the rows of each cell of time begin among kept rows.

    cell : (n,) int64, increasing. start : (n,) int64.
    """

    cell: Int64Array
    start: Int64Array


@dataclass(frozen=True, slots=True)
class _Part(Generic[ColumnsT]):
    """Kept rows of one date.

    rows : in which these are those of `place`.
    cells : kept like the rows: of a file that has one share after the other they are as many.
    """

    rows: Kept[ColumnsT]
    place: slice
    cells: Kept[_Cells]
    cell_count: int

    def read_cells(self) -> tuple[Int64Array, Int64Array]:
        """Return the cells (n,), and the edges of their rows (n + 1,)."""
        found = self.cells.slice(0, self.cell_count)
        return found.cell, np.append(found.start, self.place.stop)


class Shelf(Generic[ColumnsT]):
    """Rows by date, and within a date by cell of time; within a cell in the order they came."""

    def __init__(self, keep: Keep) -> None:
        """Begin with nothing."""
        self._keep = keep
        self._parts: dict[int, list[_Part[ColumnsT]]] = {}
        self._counts: dict[int, Int64Array] = {}

    def add(self, columns: ColumnsT, reasons: ReasonArray, cell: Int64Array) -> None:
        """Put the accepted rows away and count the others.

        Parameters
        ----------
        reasons : (n,) of the rows; of which accepted ones have a date.
        cell : (n,) int64, of time, which orders the rows of a date.
        """
        is_date_later, is_cell_later = np.diff(columns.trade_date), np.diff(cell)
        if not ((is_date_later > 0) | ((is_date_later == 0) & (is_cell_later >= 0))).all():
            order = np.lexsort((cell, columns.trade_date))
            columns, reasons, cell = columns.take(order), reasons[order], cell[order]
        for trade_date, place in _groups(columns.trade_date):
            found = self._counts.setdefault(trade_date, np.zeros(REASON_COUNT, dtype=np.int64))
            found += count_reasons(reasons[place])
        is_accepted = reasons == ACCEPTED
        if not is_accepted.all():
            columns, cell = columns.take(is_accepted), cell[is_accepted]
        if not len(columns):
            return
        kept = self._keep(columns)
        for trade_date, place in _groups(columns.trade_date):
            starts = np.flatnonzero(np.diff(cell[place], prepend=cell[place.start] - 1))
            starts += place.start
            part = _Part(kept, place, self._keep(_Cells(cell[starts], starts)), len(starts))
            self._parts.setdefault(trade_date, []).append(part)

    @property
    def dates(self) -> list[int]:
        """Return the dates that have an accepted row, in order."""
        return sorted(self._parts)

    def row_count(self, trade_date: int) -> int:
        """Return the number of accepted rows of a date."""
        return sum(part.place.stop - part.place.start for part in self._parts[trade_date])

    def cell_count(self, trade_date: int) -> int:
        """Return how many different cells the accepted rows of a date are in."""
        cells = [part.read_cells()[0] for part in self._parts[trade_date]]
        return len(np.unique(np.concatenate(cells)))

    def windows(self, trade_date: int, rows_max: int) -> Iterator[ColumnsT]:
        """Yield the accepted rows of a date in spans of time, cells whole.

        Within a span they are in the order in which they came, but for their cells.

        Parameters
        ----------
        rows_max : a span has about so many rows, at most those of one more cell.
        """
        parts = [(part.rows, *part.read_cells()) for part in self._parts[trade_date]]
        cells = np.concatenate([cell for _, cell, _ in parts])
        counts = np.concatenate([np.diff(edges) for _, _, edges in parts])
        distinct, number = np.unique(cells, return_inverse=True)
        rows_upto = np.cumsum(np.bincount(number, weights=counts))
        window = (rows_upto - 1) // rows_max
        firsts = np.flatnonzero(np.diff(window, prepend=-1))
        lasts = np.append(firsts[1:], len(distinct)) - 1
        for first, last in zip(distinct[firsts].tolist(), distinct[lasts].tolist(), strict=True):
            found = [
                rows.slice(
                    int(edges[np.searchsorted(cell, first)]),
                    int(edges[np.searchsorted(cell, last, side="right")]),
                )
                for rows, cell, edges in parts
            ]
            yield found[0].concat(found)

    def count(self, first_date: int, last_date: int) -> Int64Array:
        """Return the rows by reason code of the dates between, and of rows without a date."""
        by_code = np.zeros(REASON_COUNT, dtype=np.int64)
        for trade_date, found in self._counts.items():
            if not trade_date or first_date <= trade_date <= last_date:
                by_code += found
        return by_code


def _groups(trade_date: Int64Array) -> Iterator[tuple[int, slice]]:
    """Yield the dates of sorted rows, and where they lie."""
    edges = [0, *(np.flatnonzero(np.diff(trade_date)) + 1).tolist(), len(trade_date)]
    for start, stop in pairwise(edges):
        if stop > start:
            yield int(trade_date[start]), slice(start, stop)
