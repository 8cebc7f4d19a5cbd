"""Days of snapshots: OPEN, TICK beats on a time grid, CLOSE."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.units import Int64Array
from tidegate_common.frames.frame import FrameRows
from tidegate_common.frames.rows import QuoteRows
from tidegate_common.market.sessions import shanghai_ns
from tidegate_ingest.engine.columns import RawSnapshots, SnapshotColumns
from tidegate_ingest.engine.normalizer import normalize_snapshots
from tidegate_ingest.engine.quality import (
    Heights,
    MergedChecks,
    check_merged_snapshots,
    check_snapshots,
    last_rows,
)
from tidegate_ingest.engine.recording import (
    CheckedRows,
    DayRows,
    MergedRejects,
    Span,
    Tell,
    accepted,
    in_order,
)
from tidegate_ingest.engine.reference import DayReference, snapshot_bars, snapshot_reference
from tidegate_ingest.engine.reference_days import NO_REFERENCE, ReferenceDays, ReferenceTable
from tidegate_ingest.engine.sequencer import (
    CLOSE_SECONDS,
    OPEN_SECONDS,
    Day,
    ToldDay,
    beats_between,
    tick_edges,
)

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class SnapshotDays:
    """Merges snapshots of several files and exchanges in order of time.

    beat_interval_ms : length of a beat, > 0.
    """

    span: Span
    beat_interval_ms: int
    reference: ReferenceTable = NO_REFERENCE

    @property
    def beats_a_cell(self) -> int:
        """Return one: more only where an instrument speaks twice in a cell."""
        return 1

    def begin_file(self) -> Callable[[RawSnapshots], CheckedRows[SnapshotColumns]]:
        """Return what checks the rows of one file, given in the file's order."""
        latest = Heights()

        def check(raw: RawSnapshots) -> CheckedRows[SnapshotColumns]:
            columns = normalize_snapshots(raw)
            reasons = check_snapshots(raw, columns, latest)
            is_early = (columns.ts_event_ns >= 0) & (columns.ts_event_ns < self.span.start_ts_ns)
            if is_early.any():
                columns, reasons = columns.take(~is_early), reasons[~is_early]
            return CheckedRows(columns, reasons, columns.ts_event_ns // self._interval_ns)

        return check

    def begin_days(self) -> Callable[[DayRows[SnapshotColumns], Tell], ToldDay]:
        """Return what makes days of their rows, given in order of date."""
        reference_days = ReferenceDays(self.reference)

        def record(found: DayRows[SnapshotColumns], tell: Tell) -> ToldDay:
            return self._record(found, tell, reference_days)

        return record

    @property
    def _interval_ns(self) -> int:
        return self.beat_interval_ms * NS_PER_MS

    def _record(
        self,
        found: DayRows[SnapshotColumns],
        tell: Tell,
        reference_days: ReferenceDays,
    ) -> ToldDay:
        if found.window_count > 1:
            return LongDay(found, tell, self._interval_ns, reference_days)
        trade_date, (rows,) = found.trade_date, found.windows()
        rows = _in_time(rows)
        reference = snapshot_reference(rows, trade_date, reference_days)
        reasons = check_merged_snapshots(rows, reference.rows)
        tell(MergedRejects.of(rows, reasons), reference.limits_contradicted)
        rows = accepted(rows, reasons)
        ticks = _Ticks.of(rows, self._interval_ns)
        return Day(
            trade_date=trade_date,
            open_ts_ns=_open_ns(trade_date, rows),
            close_ts_ns=_close_ns(trade_date, rows),
            reference=reference.rows,
            quotes=ticks.quotes,
            tick_edges=ticks.edges,
            tick_ts_ns=ticks.ts_event_ns,
            bars=snapshot_bars(rows, reference.rows),
        )


class LongDay:
    """A day that is made while it is told, one span of time after the other.

    Its rows are read twice: the day's limits are those of its first rows, unless its last rows
    contradict them, and OPEN comes before all. Told again it is the same.
    """

    def __init__(
        self,
        found: DayRows[SnapshotColumns],
        tell: Tell,
        interval_ns: int,
        reference_days: ReferenceDays,
    ) -> None:
        """Take a day's rows."""
        self._reference_days = reference_days
        self._known: DayReference | None = None
        self._found = found
        self._tell = tell
        self._interval_ns = interval_ns

    @property
    def trade_date(self) -> int:
        """Return the date, YYYYMMDD."""
        return self._found.trade_date

    def beats(self) -> Iterator[tuple[BeatKind, int, FrameRows]]:
        """Yield kind, market time and rows of each beat."""
        # Once: the day counts as seen from then on.
        reference = self._known = self._known or self._reference()
        checks = MergedChecks(reference.rows)
        rejects: list[MergedRejects] = []
        is_open = False
        # Each instrument's last row so far, in order of time.
        last: list[SnapshotColumns] = []
        for window in self._found.windows():
            rows = _in_time(window)
            reasons = checks.check(rows)
            rejects.append(MergedRejects.of(rows, reasons))
            rows = accepted(rows, reasons)
            if len(rows) and not is_open:
                is_open = True
                yield BeatKind.OPEN, _open_ns(self.trade_date, rows), reference.rows
            ticks = _Ticks.of(rows, self._interval_ns)
            yield from beats_between(BeatKind.TICK, ticks.quotes, ticks.edges, ticks.ts_event_ns)
            rows = rows.concat([*last, rows])
            last = [rows.take(np.sort(last_rows(rows.instrument)))]
        self._tell(MergedRejects.concat(rejects), reference.limits_contradicted)
        if not is_open:
            yield BeatKind.OPEN, _open_ns(self.trade_date, last[0]), reference.rows
        bars = snapshot_bars(last[0], reference.rows)
        yield BeatKind.CLOSE, _close_ns(self.trade_date, last[0]), bars

    def _reference(self) -> DayReference:
        """Return the day's reference, from the first and the last row of each instrument."""
        ends: list[SnapshotColumns] = []
        for window in self._found.windows():
            rows = SnapshotColumns.concat([*ends, _in_time(window)])
            _, first = np.unique(rows.instrument, return_index=True)
            # A row that is both stands twice: that changes nothing.
            ends = [rows.take(np.sort(np.concatenate((first, last_rows(rows.instrument)))))]
        return snapshot_reference(ends[0], self.trade_date, self._reference_days)


@dataclass(frozen=True, slots=True)
class _Ticks:
    """Quotes cut into beats; see `Day`."""

    quotes: QuoteRows
    edges: Int64Array
    ts_event_ns: Int64Array

    @classmethod
    def of(cls, rows: SnapshotColumns, interval_ns: int) -> "_Ticks":
        """Cut rows that are sorted by time."""
        edges = tick_edges(rows.ts_event_ns, rows.instrument, interval_ns)
        beat_of_row = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
        within_beats = in_order(rows, np.lexsort((rows.instrument, beat_of_row)))
        return cls(
            QuoteRows(*(getattr(within_beats, item.name) for item in fields(QuoteRows))),
            edges,
            # The last row of a beat has its largest time.
            rows.ts_event_ns[edges[1:] - 1],
        )


def _in_time(rows: SnapshotColumns) -> SnapshotColumns:
    return in_order(rows, np.lexsort((rows.instrument, rows.ts_event_ns)))


def _open_ns(trade_date: int, rows: SnapshotColumns) -> int:
    first_ns: list[int] = rows.ts_event_ns[:1].tolist()
    return min([shanghai_ns(trade_date, OPEN_SECONDS), *first_ns])


def _close_ns(trade_date: int, rows: SnapshotColumns) -> int:
    last_ns: list[int] = rows.ts_event_ns[-1:].tolist()
    return max([shanghai_ns(trade_date, CLOSE_SECONDS), *last_ns])
