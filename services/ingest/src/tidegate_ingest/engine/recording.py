"""Raw rows of recorded files to days and counts: normalise, check, merge, sequence.

Two passes. The first takes every file's rows, some at a time, checks them and puts the accepted
ones on a shelf by date; the second takes the days off the shelf, one at a time, and a long day in
spans of time. So a run and a day may be larger than memory where the shelf is.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, Protocol, TypeVar

import numpy as np

from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.market.sessions import shanghai_date
from tidegate_ingest.engine.columns import Columns, TextColumn
from tidegate_ingest.engine.quality import (
    ACCEPTED,
    FeedCounts,
    ReasonArray,
    count_reasons,
    feed_counts,
)
from tidegate_ingest.engine.sequencer import ToldDay
from tidegate_ingest.engine.shelf import Keep, Shelf

ColumnsT = TypeVar("ColumnsT", bound=Columns)
# After every date.
_NO_DATE_AFTER = 99_999_999
# Rows that merged days rejected are remembered until they are said: nine bytes each, 36 MB.
MERGED_REJECTS_MAX = 4_000_000


class RawRows(Protocol):
    """Rows as a file says them."""

    @property
    def code(self) -> TextColumn:
        """Return what each row is of."""


RawT = TypeVar("RawT", bound=RawRows)
Raw_contra = TypeVar("Raw_contra", bound=RawRows, contravariant=True)


@dataclass(frozen=True, slots=True)
class Span:
    """The part of the files that is the run.

    start_ts_ns : rows before this time are not part of it, UTC epoch; 0 for all.
    day_count_max : take at most so many days, 0 for all.
    """

    start_ts_ns: int = 0
    day_count_max: int = 0

    @property
    def start_date(self) -> int:
        """Return the first date, 0 for any."""
        return shanghai_date(self.start_ts_ns) if self.start_ts_ns else 0


@dataclass(frozen=True, slots=True)
class CheckedRows(Generic[ColumnsT]):
    """Rows of a file, each with its reason.

    cell : (n,) int64, of time; a beat has rows of one cell only.
    """

    columns: ColumnsT
    reasons: ReasonArray
    cell: Int64Array


@dataclass(frozen=True, slots=True)
class DayRows(Generic[ColumnsT]):
    """A day's rows, as accepted so far, in one or more spans of time.

    windows : returns the spans from the first, as often as one asks; at least one, each with rows.
    window_count : 1, or more where the day is not to be in memory at once.
    """

    trade_date: int
    windows: Callable[[], Iterator[ColumnsT]]
    window_count: int


@dataclass(frozen=True, slots=True)
class MergedRejects:
    """Rows that were accepted at first, and rejected beside the others of their day.

    row : (n,) int64, place among the rows of all files, from 0.
    reasons : (n,) uint8, none of them `ACCEPTED`.
    """

    row: Int64Array
    reasons: ReasonArray

    @classmethod
    def of(cls, rows: Columns, reasons: ReasonArray) -> "MergedRejects":
        """Return the rejected ones of some rows."""
        is_rejected = reasons != ACCEPTED
        return cls(rows.row[is_rejected], reasons[is_rejected])

    @classmethod
    def concat(cls, parts: Sequence["MergedRejects"]) -> "MergedRejects":
        """Return all of them; also of no parts."""
        rows = [np.zeros(0, dtype=np.int64), *(part.row for part in parts)]
        reasons = [np.zeros(0, dtype=np.uint8), *(part.reasons for part in parts)]
        return cls(np.concatenate(rows), np.concatenate(reasons))


# Takes what a day's merged rows came to: those that were rejected, and contradicted limits.
Tell = Callable[[MergedRejects, int], None]


class Kind(Protocol[Raw_contra, ColumnsT]):
    """What sets snapshots, bars of minutes and bars of days apart."""

    @property
    def beats_a_cell(self) -> int:
        """About how many beats the rows of a cell make; none where OPEN and CLOSE are all."""

    def begin_file(self) -> Callable[[Raw_contra], CheckedRows[ColumnsT]]:
        """Return what checks the rows of one file, given in the file's order."""

    def begin_days(self) -> Callable[[DayRows[ColumnsT], Tell], ToldDay]:
        """Return what makes days of their rows, given in order of date."""


class Recording(Generic[RawT, ColumnsT]):
    """Days of recorded files, and what became of their rows.

    Parameters
    ----------
    files : of each file its rows in order, some at a time; each is read once, here.
    keep : where accepted rows wait for their day.
    """

    def __init__(
        self,
        kind: Kind[RawT, ColumnsT],
        files: Iterable[Iterable[RawT]],
        span: Span,
        keep: Keep,
    ) -> None:
        """Read all files."""
        self._kind = kind
        self._span = span
        self._shelf: Shelf[ColumnsT] = Shelf(keep)
        first = 0
        for file in files:
            check = kind.begin_file()
            for raw in file:
                rows = check(raw)
                columns = replace(rows.columns, row=rows.columns.row + first)
                self._shelf.add(columns, rows.reasons, rows.cell)
                first += len(raw.code)
        dates = [each for each in self._shelf.dates if each >= span.start_date]
        is_cut = 0 < span.day_count_max < len(dates)
        self.dates = dates[: span.day_count_max] if is_cut else dates
        self._last_date = self.dates[-1] if is_cut else _NO_DATE_AFTER
        self._by_code = self._shelf.count(span.start_date, self._last_date)
        self._merged: dict[int, tuple[Int64Array, int]] = {}
        self._rejects: dict[int, MergedRejects] = {}

    @property
    def counts(self) -> FeedCounts:
        """Return what became of the rows of these days, and of those without a readable time.

        Whole once the days have been told to their ends: until then the rows count that came so
        far.
        """
        merged = sum((by_code for by_code, _ in self._merged.values()), self._by_code)
        return feed_counts(merged, sum(contradicted for _, contradicted in self._merged.values()))

    @property
    def beat_count(self) -> int:
        """Return the number of beats: each day's OPEN and CLOSE, and those between by the clock.

        Of snapshots that is about so: an instrument may speak twice in a cell of time.
        """
        a_cell = self._kind.beats_a_cell
        return sum(self._shelf.cell_count(each) * a_cell + 2 for each in self.dates)

    @property
    def kind(self) -> Kind[RawT, ColumnsT]:
        """Return what the rows are."""
        return self._kind

    def are_counted(self, trade_date: Int64Array) -> BoolArray:
        """Tell which dates are of this run; 0, for rows without one, is."""
        are_inside = (trade_date >= self._span.start_date) & (trade_date <= self._last_date)
        are_counted: BoolArray = are_inside | (trade_date == 0)
        return are_counted

    @property
    def merged_rejects(self) -> MergedRejects:
        """Return the rows that the days rejected which were told so far, sorted by place.

        At most `MERGED_REJECTS_MAX`; those of later days are left out, and counted only.
        """
        found = MergedRejects.concat([self._rejects[date] for date in sorted(self._rejects)])
        order = np.argsort(found.row[:MERGED_REJECTS_MAX])
        return MergedRejects(found.row[order], found.reasons[order])

    def days(self, window_rows_max: int | None = None) -> Iterator[ToldDay]:
        """Yield the days, each made when it is asked for.

        Parameters
        ----------
        window_rows_max : a day with more rows is told in spans of about so many, each made when
            it is asked for; None for no such day.
        """
        record = self._kind.begin_days()
        last_date = self.dates[-1] if self.dates else 0
        for trade_date in self._shelf.dates:
            if trade_date > last_date:
                break
            row_count = self._shelf.row_count(trade_date)
            rows_max = min(window_rows_max or row_count, row_count)
            rows = DayRows(
                trade_date,
                partial(self._shelf.windows, trade_date, rows_max),
                window_count=-(-row_count // rows_max),
            )
            day = record(rows, partial(self._tell, trade_date))
            if trade_date >= self._span.start_date:
                yield day

    def _tell(self, trade_date: int, found: MergedRejects, limits_contradicted: int) -> None:
        if trade_date < self._span.start_date:
            return
        change = count_reasons(found.reasons)
        change[ACCEPTED] -= len(found.reasons)
        self._merged[trade_date] = (change, limits_contradicted)
        earlier = sum(len(each.row) for date, each in self._rejects.items() if date < trade_date)
        room = max(0, MERGED_REJECTS_MAX - earlier)
        self._rejects[trade_date] = MergedRejects(found.row[:room], found.reasons[:room])


def in_order(columns: ColumnsT, order: Int64Array) -> ColumnsT:
    """Return rows in an order; the rows themselves where they have it."""
    return columns if (np.diff(order) == 1).all() else columns.take(order)


def accepted(columns: ColumnsT, reasons: ReasonArray) -> ColumnsT:
    """Return the accepted rows; all of them themselves."""
    is_accepted = reasons == ACCEPTED
    return columns if is_accepted.all() else columns.take(is_accepted)
