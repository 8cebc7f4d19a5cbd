"""Days of daily bars: OPEN with the opening price, CLOSE with the bar."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tidegate_common.market.sessions import shanghai_ns
from tidegate_ingest.engine.columns import BarColumns, RawBars
from tidegate_ingest.engine.figures import KnownFigures
from tidegate_ingest.engine.normalizer import normalize_bars
from tidegate_ingest.engine.previous_closes import PreviousCloses
from tidegate_ingest.engine.quality import check_bars, check_merged_bars
from tidegate_ingest.engine.recording import (
    CheckedRows,
    DayRows,
    MergedRejects,
    Tell,
    accepted,
    in_order,
)
from tidegate_ingest.engine.reference import bar_reference, daily_bars
from tidegate_ingest.engine.reference_days import NO_REFERENCE, ReferenceDays, ReferenceTable
from tidegate_ingest.engine.sequencer import CLOSE_SECONDS, Day, no_quotes

# A bar day opens when its opening price is known.
BAR_OPEN_SECONDS = 9 * 3_600 + 25 * 60


@dataclass(frozen=True, slots=True)
class BarDays:
    """Merges daily bars of several files; the first of two bars of an instrument-day stays.

    A previous close that is the close of the trading day before as it was is not adjusted: where
    `reference` has an action, the ex-rights reference price takes its place.
    """

    reference: ReferenceTable = NO_REFERENCE

    @property
    def beats_a_cell(self) -> int:
        """Return none: OPEN and CLOSE are all."""
        return 0

    def begin_file(self) -> Callable[[RawBars], CheckedRows[BarColumns]]:
        """Return what checks the rows of one file."""

        def check(raw: RawBars) -> CheckedRows[BarColumns]:
            columns = normalize_bars(raw)
            # A day is one cell: its rows stay in the order in which they came.
            cell = np.zeros(len(columns), dtype=np.int64)
            return CheckedRows(columns, check_bars(raw, columns), cell)

        return check

    def begin_days(self) -> Callable[[DayRows[BarColumns], Tell], Day]:
        """Return what makes days of their rows, given in order of date."""
        figures, closes = KnownFigures(), PreviousCloses()
        reference_days = ReferenceDays(self.reference)

        def record(found: DayRows[BarColumns], tell: Tell) -> Day:
            trade_date, (rows,) = found.trade_date, found.windows()
            rows = in_order(rows, np.argsort(rows.instrument, kind="stable"))
            reasons = check_merged_bars(rows)
            rejects = MergedRejects.of(rows, reasons)
            rows = accepted(rows, reasons)
            facts = reference_days.on(trade_date, rows.instrument)
            if facts.actions or not rows.prev_close_e4.all():
                known_e4 = closes.on(trade_date, rows.instrument)
                prev_close_e4 = np.where(rows.prev_close_e4 > 0, rows.prev_close_e4, known_e4)
                is_raw = prev_close_e4 == known_e4
                prev_close_e4 = facts.ex_rights_e4(rows.instrument, prev_close_e4, is_raw)
                rows = replace(rows, prev_close_e4=prev_close_e4)
            closes.learn(trade_date, rows.instrument, rows.close_e4)
            reference = bar_reference(rows, trade_date, figures.of_day(rows), facts)
            tell(rejects, reference.limits_contradicted)
            return Day(
                trade_date=trade_date,
                open_ts_ns=shanghai_ns(trade_date, BAR_OPEN_SECONDS),
                close_ts_ns=shanghai_ns(trade_date, CLOSE_SECONDS),
                reference=reference.rows,
                quotes=no_quotes(),
                tick_edges=np.zeros(1, dtype=np.int64),
                tick_ts_ns=np.zeros(0, dtype=np.int64),
                bars=daily_bars(rows),
            )

        return record
