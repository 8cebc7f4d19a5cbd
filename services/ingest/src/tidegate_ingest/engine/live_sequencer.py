"""The living market to beats: what has come since the last beat makes the next one.

The log is the state: `take` of the frames that were sent, in order, goes back to where their
sender was, whatever made it stop.
"""

from dataclasses import dataclass, fields, replace
from typing import assert_never

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.domain.units import Int64Array
from tidegate_common.frames.frame import BeatStamp, Frame, FrameRows
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.calendar import TradingCalendar
from tidegate_common.market.sessions import (
    NS_PER_SECOND,
    shanghai_date,
    shanghai_ns,
    shanghai_seconds,
)
from tidegate_ingest.engine.live_gate import LiveGate
from tidegate_ingest.engine.quote_text import ParsedPayload
from tidegate_ingest.engine.reference_days import NO_REFERENCE, ReferenceTable

# When a day may open and when it closes, in seconds of the Shanghai day.
OPEN_SECONDS = 9 * 3_600
CLOSE_SECONDS = 15 * 3_600
# The last quotes of the closing call come within seconds; a minute is for services that lag.
CLOSE_DUE_SECONDS = CLOSE_SECONDS + 60
# From the day's first quote on, OPEN waits so long for instruments that have none.
OPEN_WAIT_NS = 30 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class LiveRun:
    """What a live run is.

    run_spec : JSON of the run's spec, for its first frame.
    instruments : (n,) int64, sorted, without repeats, n >= 1.
    day_count : trading days, >= 1.
    """

    run_id: RunId
    run_spec: str
    instruments: Int64Array
    day_count: int


class LiveSequencer:
    """Numbers the beats of one live run, one or several trading days.

    next_beat : number of the beat that comes next.
    """

    def __init__(
        self,
        run: LiveRun,
        calendar: TradingCalendar,
        reference: ReferenceTable = NO_REFERENCE,
    ) -> None:
        self.gate = LiveGate(run.instruments, reference)
        self.next_beat = 0
        self._run = run
        self._calendar = calendar
        self._ts_ns = 0
        # Dates of the day that quotes are taken for, of the open one and of the last closed one.
        self._quoted_date = 0
        self._open_date = 0
        self._closed_date = 0
        self._closed_count = 0
        self._first_quote_ns = 0

    @property
    def ts_event_ns(self) -> int:
        """Market time of the last beat, 0 before the first."""
        return self._ts_ns

    @property
    def is_ended(self) -> bool:
        """Whether the last day is closed."""
        return self._closed_count >= self._run.day_count

    def wants_quotes(self, now_ns: int) -> bool:
        """Tell whether quotes of this time may make a beat; none beyond the calendar does."""
        if self.is_ended:
            return False
        today = shanghai_date(now_ns)
        if self._open_date:
            return today == self._open_date
        return (
            today > self._closed_date
            and OPEN_SECONDS <= shanghai_seconds(now_ns) < CLOSE_DUE_SECONDS
            and self._calendar.first_date <= today <= self._calendar.last_date
            and self._calendar.is_trading_day(today)
        )

    def offer(self, quotes: ParsedPayload, now_ns: int) -> None:
        """Take an answer; only at a time when quotes are wanted."""
        today = shanghai_date(now_ns)
        if today != self._quoted_date:
            self._quoted_date, self._first_quote_ns = today, 0
            self.gate.begin_day(today)
        self.gate.offer(quotes, now_ns)
        if not self._first_quote_ns and self.gate.seen_count:
            self._first_quote_ns = now_ns

    def beats(self, now_ns: int) -> list[Frame]:
        """Return the beats that are due: whole market, shard 0; possibly none."""
        if self._open_date:
            is_over = shanghai_date(now_ns) > self._open_date
            if is_over or shanghai_seconds(now_ns) >= CLOSE_DUE_SECONDS:
                return [*self._last_tick(), self._close()]
            return [self._tick(now_ns)]
        if self.wants_quotes(now_ns) and self._is_ready(now_ns):
            return [self._open(now_ns), self._tick(now_ns)]
        return []

    def take(self, frame: Frame) -> None:
        """Go on after a frame of the log, of any shard; frames come in order of beats."""
        stamp = frame.stamp
        is_new_beat = stamp.beat >= self.next_beat
        self.next_beat = max(self.next_beat, stamp.beat + 1)
        self._ts_ns = max(self._ts_ns, stamp.ts_event_ns)
        match frame.rows:
            case ReferenceRows() as rows:
                self._open_date = self._quoted_date = stamp.trade_date
                self.gate.restore_day(stamp.trade_date, rows)
            case QuoteRows() as rows:
                self.gate.restore_quotes(rows)
            case BarRows():
                self._open_date, self._closed_date = 0, stamp.trade_date
                self._closed_count += is_new_beat
            case _:
                assert_never(frame.rows)

    def _is_ready(self, now_ns: int) -> bool:
        """Tell whether the day can open: all have spoken, or have had their time to."""
        if not self._first_quote_ns:
            return False
        is_whole = self.gate.seen_count == len(self._run.instruments)
        return is_whole or now_ns - self._first_quote_ns >= OPEN_WAIT_NS

    def _open(self, now_ns: int) -> Frame:
        reference = self.gate.open_day()
        self._open_date = self._quoted_date
        frame = self._frame(BeatKind.OPEN, now_ns, reference)
        return replace(frame, run_spec=self._run.run_spec) if frame.stamp.beat == 0 else frame

    def _tick(self, now_ns: int) -> Frame:
        rows = self.gate.take_pending()
        newest_ns = int(rows.ts_event_ns.max(initial=0))
        quotes = QuoteRows(*(getattr(rows, item.name) for item in fields(QuoteRows)))
        return self._frame(BeatKind.TICK, max(now_ns, newest_ns), quotes)

    def _last_tick(self) -> list[Frame]:
        """Return a beat with what has come since the last one; it is not later than its quotes."""
        return [self._tick(0)] if self.gate.has_pending else []

    def _close(self) -> Frame:
        frame = self._frame(
            BeatKind.CLOSE,
            shanghai_ns(self._open_date, CLOSE_SECONDS),
            self.gate.close_day(),
            is_last=self._closed_count + 1 == self._run.day_count,
        )
        self._closed_count += 1
        self._open_date, self._closed_date = 0, self._open_date
        return frame

    def _frame(
        self,
        kind: BeatKind,
        ts_event_ns: int,
        rows: FrameRows,
        *,
        is_last: bool = False,
    ) -> Frame:
        """Return the next beat; market time never goes back."""
        self._ts_ns = max(self._ts_ns, ts_event_ns)
        stamp = BeatStamp(
            run_id=self._run.run_id,
            beat=self.next_beat,
            kind=kind,
            trade_date=self._open_date,
            ts_event_ns=self._ts_ns,
            is_last=is_last,
        )
        self.next_beat += 1
        return Frame(stamp=stamp, shard=0, rows=rows)
