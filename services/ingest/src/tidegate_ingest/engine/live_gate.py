"""The door of a live feed: what comes in is newer than what was there, and believable beside it.

The checks are those of recorded rows (`quality`), with the last accepted row of each instrument
standing for all rows before it, so memory does not grow with the day.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import StrEnum, unique
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.units import FEN_PER_YUAN, BoolArray, Float64Array, Int64Array
from tidegate_common.frames.rows import LEVELS, BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.sessions import NS_PER_SECOND, SECONDS_PER_DAY, shanghai_ns
from tidegate_ingest.engine.columns import SnapshotColumns
from tidegate_ingest.engine.live_reference import live_reference
from tidegate_ingest.engine.normalizer import normalize_snapshots
from tidegate_ingest.engine.push_quotes import PUSH_SOURCE
from tidegate_ingest.engine.quality import (
    ACCEPTED,
    ReasonArray,
    RejectReason,
    check_merged_snapshots,
    check_snapshots,
    rejected_by,
)
from tidegate_ingest.engine.quote_text import ParsedPayload
from tidegate_ingest.engine.reference import snapshot_bars
from tidegate_ingest.engine.reference_days import NO_REFERENCE, ReferenceDays, ReferenceTable
from tidegate_ingest.engine.rejects import WaitingRejects, rejected_row

# Clocks of exchanges and services differ by seconds. A row from further ahead has a wrong time,
# and would make every true one after it a row of the past.
AHEAD_NS_MAX = 60 * NS_PER_SECOND
_Steps = NDArray[np.float64]
_LEVEL_COLUMNS = ("bid_price_e4", "bid_shares", "ask_price_e4", "ask_shares")


@unique
class LiveReason(StrEnum):
    """Why a row of a live feed was dropped, beside the reasons of `RejectReason`.

    STALE : of another day. AHEAD_OF_TIME : later than now. NOT_WANTED : of an instrument that is
    not in the run, or not in the day's OPEN. SUPERSEDED : the same answer has a newer row.
    """

    STALE = "stale"
    AHEAD_OF_TIME = "ahead_of_time"
    NOT_WANTED = "not_wanted"
    SUPERSEDED = "superseded"


@dataclass(slots=True)
class _Day:
    """What is known of a day; one row an instrument of the run.

    rows : the last accepted row; zeros where `is_seen` is not set.
    steps : (n, 2) float64, shares and fen that the row's source rounds to.
    reference : None before OPEN.
    """

    trade_date: int
    rows: SnapshotColumns
    steps: _Steps
    is_seen: BoolArray
    is_pending: BoolArray
    is_st: BoolArray
    is_limit_unknown: BoolArray
    reference: ReferenceRows | None = None


class LiveGate:
    """Keeps the newest believable row of each instrument of a run.

    counts : rows by what became of them: `rows_in`, `accepted`, and reasons and line faults.
    rejects : the refused rows, as they came. Of a quote service, which says its last line again at
        every poll, each line once; none that repeats an accepted one (`duplicate`).
    newest_ns : time of the newest accepted row, UTC epoch; 0 before the first.
    """

    def __init__(self, instruments: Int64Array, reference: ReferenceTable = NO_REFERENCE) -> None:
        """Take the instruments of the run, sorted, without repeats, and what the user says."""
        self._reference = ReferenceDays(reference)
        self.counts: Counter[str] = Counter()
        self.rejects = WaitingRejects()
        self.newest_ns = 0
        self._instruments = instruments
        self._day = _empty_day(instruments, 0)
        # Where each row came from, until OPEN has judged it.
        self._origins: dict[int, tuple[ParsedPayload, int]] = {}

    @property
    def seen_count(self) -> int:
        """Instruments with a row of the day."""
        return int(self._day.is_seen.sum())

    @property
    def has_pending(self) -> bool:
        """Whether rows wait for a beat."""
        return bool(self._day.is_pending.any())

    def begin_day(self, trade_date: int) -> None:
        """Forget all rows; those of `trade_date` may come."""
        self._day = _empty_day(self._instruments, trade_date)
        self._origins.clear()

    def open_day(self) -> ReferenceRows:
        """Return the reference of the day from the rows that are there; others come too late."""
        seen = np.flatnonzero(self._day.is_seen)
        rows = self._day.rows.take(seen)
        reference = live_reference(
            rows,
            self._day.trade_date,
            self._reference,
            is_st=self._day.is_st[seen],
            is_limit_unknown=self._day.is_limit_unknown[seen],
        )
        verdict = check_merged_snapshots(rows, reference)
        faulty = np.flatnonzero(verdict)
        for place, reason in zip(seen[faulty].tolist(), rejected_by(verdict[faulty]), strict=True):
            quotes, line = self._origins[place]
            self._refuse(quotes, [line], reason)
        self._origins.clear()
        self._day.is_seen[seen] = self._day.is_pending[seen] = verdict == ACCEPTED
        self._day.reference = reference
        return reference

    def offer(self, quotes: ParsedPayload, now_ns: int) -> None:
        """Take what is new and believable of an answer; what waits is replaced by what is newer."""
        self.counts["rows_in"] += quotes.lines_in
        for fault, line in quotes.faults:
            self._refuse(quotes, [line], fault)
        quotes = self._drop_other_days(quotes, now_ns)
        columns = normalize_snapshots(quotes.raw)
        reasons = check_snapshots(quotes.raw, columns)
        self._refuse_all(quotes, np.arange(len(reasons)), reasons)
        kept = self._choose(quotes, columns, reasons == ACCEPTED)
        rows, place = columns.take(kept), self._place(columns.instrument[kept])
        steps = np.column_stack((quotes.volume_step, quotes.amount_step * FEN_PER_YUAN))[kept]
        rows = self._smooth(rows, place, steps)
        is_good = self._is_believable(quotes, rows, place)
        self.counts["accepted"] += int(is_good.sum())
        kept, rows, place, steps = kept[is_good], rows.take(is_good), place[is_good], steps[is_good]
        self._put(rows, place)
        self.newest_ns = max(self.newest_ns, int(rows.ts_event_ns.max(initial=0)))
        if self._day.reference is None:
            lines = quotes.line[kept].tolist()
            self._origins.update(
                (share, (quotes, line)) for share, line in zip(place.tolist(), lines, strict=True)
            )
        self._day.steps[place] = steps
        self._day.is_st[place] = quotes.is_st[kept]
        self._day.is_limit_unknown[place] = quotes.is_limit_unknown[kept]

    def restore_day(self, trade_date: int, reference: ReferenceRows) -> None:
        """Go back to just after an OPEN beat; called for each shard of it."""
        self._reference.see(trade_date, reference.instrument)
        if trade_date != self._day.trade_date or self._day.reference is None:
            self.begin_day(trade_date)
            self._day.reference = reference
        else:
            self._day.reference = ReferenceRows.concat([self._day.reference, reference])

    def restore_quotes(self, quotes: QuoteRows) -> None:
        """Go back to just after a TICK beat; called for each shard of it.

        Quotes do not say the day's open, high and low: they are what was seen of it, until the
        next row of the instrument tells.
        """
        place = self._place(quotes.instrument)
        was = self._day.rows.take(place)
        last, was_open = quotes.last_e4, was.open_e4
        rows = replace(
            was,
            trade_date=np.full(len(place), self._day.trade_date),
            open_e4=np.where(was_open > 0, was_open, last),
            high_e4=np.maximum(was.high_e4, last),
            low_e4=np.where(was.low_e4 > 0, np.minimum(was.low_e4, last), last),
            **{item.name: getattr(quotes, item.name) for item in fields(QuoteRows)},
        )
        self._put(rows, place)
        self._day.is_pending[place] = False

    def take_pending(self) -> SnapshotColumns:
        """Return the rows that were accepted since the last call, sorted by instrument."""
        rows = self._day.rows.take(np.flatnonzero(self._day.is_pending))
        self._day.is_pending[:] = False
        return rows

    def close_day(self) -> BarRows:
        """Return the bar of each instrument of the day's OPEN."""
        assert self._day.reference is not None, "a day that closes was opened"
        return snapshot_bars(
            self._day.rows.take(np.flatnonzero(self._day.is_seen)), self._day.reference
        )

    def _drop_other_days(self, quotes: ParsedPayload, now_ns: int) -> ParsedPayload:
        """Leave out rows of other days, before anything is reckoned for each of those days."""
        midnight_ns = shanghai_ns(self._day.trade_date, 0)
        ts = quotes.raw.ts_event_ns
        is_today = (ts >= midnight_ns) & (ts < midnight_ns + SECONDS_PER_DAY * NS_PER_SECOND)
        is_ahead = is_today & (ts > now_ns + AHEAD_NS_MAX)
        self._refuse(quotes, quotes.line[~is_today].tolist(), LiveReason.STALE)
        self._refuse(quotes, quotes.line[is_ahead].tolist(), LiveReason.AHEAD_OF_TIME)
        return quotes.take(is_today & ~is_ahead)

    def _refuse(self, quotes: ParsedPayload, lines: Iterable[int], reason: str) -> None:
        """Count lines of an answer, and keep them."""
        source = quotes.source or PUSH_SOURCE
        for line in lines:
            self.counts[reason] += 1
            row = rejected_row(source, line, reason, quotes.record(line))
            if quotes.source is None:
                self.rejects.add(row)
            elif reason != RejectReason.DUPLICATE:
                self.rejects.add_once(row)

    def _refuse_all(self, quotes: ParsedPayload, rows: Int64Array, reasons: ReasonArray) -> None:
        """Refuse the rows of an answer that have a reason."""
        faulty = np.flatnonzero(reasons)
        lines = quotes.line[rows[faulty]].tolist()
        for line, reason in zip(lines, rejected_by(reasons[faulty]), strict=True):
            self._refuse(quotes, [line], reason)

    def _choose(
        self, quotes: ParsedPayload, columns: SnapshotColumns, is_good: BoolArray
    ) -> Int64Array:
        """Return the positions of good rows of wanted instruments, the newest one of each."""
        wanted = (
            self._instruments if self._day.reference is None else self._day.reference.instrument
        )
        is_wanted = is_good & np.isin(columns.instrument, wanted)
        unwanted = quotes.line[is_good & ~is_wanted].tolist()
        self._refuse(quotes, unwanted, LiveReason.NOT_WANTED)
        kept = np.flatnonzero(is_wanted)
        order = kept[np.lexsort((columns.ts_event_ns[kept], columns.instrument[kept]))]
        is_last = np.ones(len(order), np.bool_)
        is_last[:-1] = np.diff(columns.instrument[order]) != 0
        self._refuse(quotes, quotes.line[order[~is_last]].tolist(), LiveReason.SUPERSEDED)
        return order[is_last]

    def _smooth(
        self,
        rows: SnapshotColumns,
        place: Int64Array,
        steps: _Steps,
    ) -> SnapshotColumns:
        """Return rows whose totals do not fall by what one of two services rounded away."""
        was = self._day.rows.take(place)
        volume_step, amount_step = np.maximum(steps, self._day.steps[place]).T
        return replace(
            rows,
            volume_shares=_not_less(rows.volume_shares, was.volume_shares, volume_step),
            amount_fen=_not_less(rows.amount_fen, was.amount_fen, amount_step),
        )

    def _is_believable(
        self, quotes: ParsedPayload, rows: SnapshotColumns, place: Int64Array
    ) -> BoolArray:
        """Tell which rows may follow those that are there; `rows.row` is their place in `quotes`.

        Parameters
        ----------
        place : (n,) int64, of the instruments.
        """
        was = self._day.rows.take(place)
        is_seen = self._day.is_seen[place]
        is_earlier = is_seen & (rows.ts_event_ns < was.ts_event_ns)
        out_of_order = quotes.line[rows.row[is_earlier]].tolist()
        self._refuse(quotes, out_of_order, RejectReason.OUT_OF_ORDER)
        is_good = ~is_earlier
        if self._day.reference is not None:
            later = np.flatnonzero(is_good)
            before = was.take(later[is_seen[later]])
            both = SnapshotColumns.concat([before, rows.take(later)])
            verdict = check_merged_snapshots(both, self._day.reference)[len(before) :]
            self._refuse_all(quotes, rows.row[later], verdict)
            is_good[later] = verdict == ACCEPTED
        return is_good

    def _put(self, rows: SnapshotColumns, place: Int64Array) -> None:
        for item in fields(SnapshotColumns):
            getattr(self._day.rows, item.name)[place] = getattr(rows, item.name)
        self._day.is_seen[place] = self._day.is_pending[place] = True

    def _place(self, instrument: Int64Array) -> Int64Array:
        return np.searchsorted(self._instruments, instrument)


def _empty_day(instruments: Int64Array, trade_date: int) -> _Day:
    count = len(instruments)
    columns: dict[str, NDArray[Any]] = {
        item.name: np.zeros((count, LEVELS) if item.name in _LEVEL_COLUMNS else count, np.int64)
        for item in fields(SnapshotColumns)
    }
    columns |= {"instrument": instruments.copy(), "phase": np.zeros(count, np.uint8)}
    flags = np.zeros((4, count), np.bool_)
    return _Day(trade_date, SnapshotColumns(**columns), np.zeros((count, 2)), *flags)


def _not_less(value: Int64Array, before: Int64Array, step: Float64Array) -> Int64Array:
    return np.where((value < before) & (value + step >= before), before, value)
