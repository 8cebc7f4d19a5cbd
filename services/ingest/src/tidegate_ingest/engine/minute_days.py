"""Days of bars of some minutes: OPEN, one BAR beat an end, CLOSE with the day's bar."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.units import Int64Array
from tidegate_common.frames.frame import FrameRows
from tidegate_common.frames.rows import BarRows, ReferenceRows
from tidegate_common.market.sessions import shanghai_ns
from tidegate_ingest.engine.columns import MinuteColumns, RawMinuteBars
from tidegate_ingest.engine.normalizer import normalize_minute_bars
from tidegate_ingest.engine.previous_closes import PreviousCloses
from tidegate_ingest.engine.quality import (
    check_merged_minute_bars,
    check_minute_bars,
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
from tidegate_ingest.engine.reference import minute_reference
from tidegate_ingest.engine.reference_days import NO_REFERENCE, ReferenceDays, ReferenceTable
from tidegate_ingest.engine.sequencer import CLOSE_SECONDS, OPEN_SECONDS, beats_between


@dataclass(frozen=True, slots=True)
class MinuteDay:
    """A trading day of bars.

    rows : of BAR beat k are `edges[k] : edges[k + 1]`, sorted by instrument.
    ts_end_ns : (beats,) int64, ends of the bars of each BAR beat, increasing.
    bars : the day's, one row an instrument.
    """

    trade_date: int
    reference: ReferenceRows
    rows: BarRows
    edges: Int64Array
    ts_end_ns: Int64Array
    bars: BarRows

    def beats(self) -> Iterator[tuple[BeatKind, int, FrameRows]]:
        """Yield kind, market time and rows of each beat."""
        first_ns = min(int(self.ts_end_ns[0]), shanghai_ns(self.trade_date, OPEN_SECONDS))
        yield BeatKind.OPEN, first_ns, self.reference
        yield from beats_between(BeatKind.BAR, self.rows, self.edges, self.ts_end_ns)
        last_ns = max(int(self.ts_end_ns[-1]), shanghai_ns(self.trade_date, CLOSE_SECONDS))
        yield BeatKind.CLOSE, last_ns, self.bars


@dataclass(frozen=True, slots=True)
class MinuteDays:
    """Merges bars of several files and exchanges in order of their ends.

    The previous close is the close of the trading day before, which no file of minutes says, or
    where `reference` has an action the ex-rights reference price. A day is made at once: the bars
    of a whole market's minutes are a million rows.
    """

    span: Span
    reference: ReferenceTable = NO_REFERENCE

    @property
    def beats_a_cell(self) -> int:
        """Return one: a cell is an end."""
        return 1

    def begin_file(self) -> Callable[[RawMinuteBars], CheckedRows[MinuteColumns]]:
        """Return what checks the rows of one file."""

        def check(raw: RawMinuteBars) -> CheckedRows[MinuteColumns]:
            columns = normalize_minute_bars(raw)
            reasons = check_minute_bars(raw, columns)
            # Days before the start are kept: they say the previous close.
            is_early = columns.trade_date == self.span.start_date
            is_early &= (columns.ts_end_ns >= 0) & (columns.ts_end_ns < self.span.start_ts_ns)
            if is_early.any():
                columns, reasons = columns.take(~is_early), reasons[~is_early]
            return CheckedRows(columns, reasons, columns.ts_end_ns)

        return check

    def begin_days(self) -> Callable[[DayRows[MinuteColumns], Tell], MinuteDay]:
        """Return what makes days of their rows, given in order of date."""
        closes, reference_days = PreviousCloses(), ReferenceDays(self.reference)

        def record(found: DayRows[MinuteColumns], tell: Tell) -> MinuteDay:
            rows = MinuteColumns.concat(list(found.windows()))
            rows = in_order(rows, np.lexsort((rows.instrument, rows.ts_end_ns)))
            reasons = check_merged_minute_bars(rows)
            rejects = MergedRejects.of(rows, reasons)
            rows = accepted(rows, reasons)
            bars = day_bars(rows)
            facts = reference_days.on(found.trade_date, bars.instrument)
            last_close_e4 = closes.on(found.trade_date, bars.instrument)
            prev_close_e4 = facts.ex_rights_e4(
                bars.instrument, last_close_e4, np.ones(len(bars), dtype=np.bool_)
            )
            closes.learn(found.trade_date, bars.instrument, bars.close_e4)
            reference = minute_reference(bars, found.trade_date, prev_close_e4, facts)
            tell(rejects, reference.limits_contradicted)
            starts = np.flatnonzero(np.diff(rows.ts_end_ns, prepend=-1))
            return MinuteDay(
                trade_date=found.trade_date,
                reference=reference.rows,
                rows=BarRows(*(getattr(rows, item.name) for item in fields(BarRows))),
                edges=np.append(starts, len(rows)),
                ts_end_ns=rows.ts_end_ns[starts],
                bars=bars,
            )

        return record


def day_bars(rows: MinuteColumns) -> BarRows:
    """Return the day's bar of every instrument, from its bars in order of their ends."""
    order = np.argsort(rows.instrument, kind="stable")
    instrument, starts = np.unique(rows.instrument[order], return_index=True)
    lasts = np.append(starts[1:], len(order)) - 1
    return BarRows(
        instrument=instrument,
        open_e4=rows.open_e4[order[starts]],
        high_e4=np.maximum.reduceat(rows.high_e4[order], starts),
        low_e4=np.minimum.reduceat(rows.low_e4[order], starts),
        close_e4=rows.close_e4[order[lasts]],
        volume_shares=np.add.reduceat(rows.volume_shares[order], starts),
        amount_fen=np.add.reduceat(rows.amount_fen[order], starts),
    )
