"""What risk knows of the market: the day's reference data, marks and phases, by instrument."""

from collections.abc import Iterable, Sequence
from enum import IntEnum, unique
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import BeatKind, Board, Phase
from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.errors import InvariantError
from tidegate_common.frames.actions import actions_of
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.corporate_actions import CorporateAction, ex_rights_reference_e4
from tidegate_common.market.fees import FeeSchedule
from tidegate_common.market.listing import ordinary_stages_of
from tidegate_common.market.lots import price_tick_e4
from tidegate_common.market.price_limits import price_limits
from tidegate_common.market.sessions import (
    SECONDS_PER_DAY,
    SESSION_ROWS,
    Session,
    can_cancel,
    can_match_continuously,
    session_at,
    shanghai_seconds,
)
from tidegate_risk.engine.layout import (
    ADV,
    ASK,
    BID,
    LAST,
    LIMIT_DOWN,
    LIMIT_STATE,
    LIMIT_UP,
    LISTED,
    MARK,
    MARKET_COLUMNS,
    NEWS_BEAT,
    PHASE,
    SECTOR,
    SEGMENT,
    ST,
    STALE,
    SUSPENDED,
)
from tidegate_risk.engine.rules import BOARD_STEP, RuleTable, parts_of, segments_of
from tidegate_risk.engine.volumes import UNKNOWN, DailyVolumes

UNKNOWN_SECTOR = 0

_Rows = Int64Array | slice
# What goes ex, and the price tick of its instrument in 1/10,000 CNY.
TickedAction = tuple[CorporateAction, int]

# Of a day's close and of its open, nothing is known before the day's OPEN beat says it.
_OF_THE_DAY = [LISTED, SECTOR, PHASE, BID, ASK, LAST]


@unique
class Cadence(IntEnum):
    """How the run's market speaks, learnt from its beats."""

    UNKNOWN = 0
    TICK = 1
    BAR = 2
    DAILY = 3


class Market:
    """Marks and reference data of all instruments, updated a frame at a time.

    instruments : (n,) int64, sorted; once seen they stay.
    actions : what goes ex in this beat, sorted by instrument; only OPEN has any.
    is_after_close : whether an order of this beat meets the market on the next trading day.
    table : (n + 1, MARKET_COLUMNS) int64, aligned with them. LISTED says that reference data came
        with the day's OPEN beat, SECTOR is the number of the sector's name within the day, 0 when
        unknown, LAST the last trade of the day, else the day's previous close, NEWS_BEAT the last
        beat that said anything. The last row is empty: it stands for all that is not listed.
    """

    def __init__(self, fees: FeeSchedule) -> None:
        self.instruments: Int64Array = np.zeros(0, np.int64)
        self.table: Int64Array = np.zeros((1, MARKET_COLUMNS), np.int64)
        self.cadence = Cadence.UNKNOWN
        self.is_classified = False
        self.sector_count = 1
        self.sectors_beat = -1
        self.beat = 0
        self.kind = BeatKind.OPEN
        self.is_after_close = False
        self.actions: tuple[TickedAction, ...] = ()
        self.trade_date = 0
        self._rules = RuleTable(fees)
        self._volumes = DailyVolumes()
        self._row_of: dict[int, int] = {}
        self._listed: dict[int, int] = {}
        self._segments: list[int] = []
        self._seconds_of_day = 0
        # What was asked for, and from when until when of a day of ticks all of it holds.
        self._sessions: dict[int, Session] = {}
        self._sessions_from, self._sessions_until = 0, 0
        self._has_rules = False
        # A memory that is taken up may have some.
        self._has_stale = True

    def take(self, frame: Frame, stale: Int64Array) -> None:
        """Take in a beat.

        Parameters
        ----------
        stale : instruments whose shard said nothing usable in the beat.
        """
        self._see_time(frame.stamp)
        rows = frame.rows
        self.actions = ()
        if isinstance(rows, ReferenceRows):
            self._take_reference(rows)
        elif isinstance(rows, QuoteRows):
            self._take_quotes(rows)
        else:
            self._take_bars(rows)
        if self.kind is BeatKind.CLOSE:
            self._expect_limits(frame.stamp.trade_date)
        if self._has_stale:
            self.table[:, STALE] = 0
        self._has_stale = len(stale) > 0
        if self._has_stale:
            self.table[self._locate(stale)[0], STALE] = 1

    @property
    def can_scores_act(self) -> bool:
        """Whether scores of this beat become orders: on ticks and bars, or at a daily close."""
        if self.is_after_close:
            return self.cadence is Cadence.DAILY
        return self.kind is not BeatKind.OPEN

    @property
    def rules(self) -> Int64Array:
        """The rules in force in this beat, (segments, RULE_COLUMNS) int64, by SEGMENT.

        No order is refused for its price in auctions and after hours, after the close (such an
        order meets the next opening call), and where an order outside would only lie dormant.
        Orders of a bar run count as in continuous trading at all other times, the conservative
        reading; bars have no book, so the last trade is the cage's reference.
        """
        if not self._has_rules:
            self._has_rules = True
            self._rules.begin_day(self.trade_date)
            for segment in self._segments:
                session = self._session(segment)
                self._rules.set_session(
                    segment,
                    session,
                    is_caged=not self.is_after_close,
                    takes_fixed_price=self._takes_fixed_price(segment),
                )
        return self._rules.table

    def can_cancel(self, instrument: int) -> bool:
        """Tell whether the exchange takes a known instrument's cancels, by the session table."""
        return can_cancel(self._session(self._segment(self._row_of[instrument])))

    def has_continuous_trading(self, instruments: Int64Array) -> bool:
        """Tell whether the session table says so of any of the instruments in this beat."""
        at, _ = self._locate(instruments)
        # Whoever shares exchange and board shares the session.
        segments = np.unique(self.table[at, SEGMENT]).tolist()
        return any(can_match_continuously(self._session(segment)) for segment in segments)

    def rows_of(self, instruments: Iterable[int]) -> Int64Array:
        """Return the rows of known instruments."""
        return np.array([self._row_of[instrument] for instrument in instruments], np.int64)

    def listed_row(self, instrument: int) -> int:
        """Return an instrument's row, the last one where it is not listed today."""
        return self._listed.get(instrument, len(self.instruments))

    def listed_rows(self, instruments: Sequence[int]) -> Int64Array:
        """Return `listed_row` of each of some instruments."""
        nothing, listed = len(self.instruments), self._listed
        return np.array([listed.get(each, nothing) for each in instruments], np.int64)

    def snapshot_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return copies of the memory's arrays by name."""
        return {
            "instruments": self.instruments.copy(),
            "table": self.table.copy(),
            "volume_shares": self._volumes.shares.copy(),
            "volume_days": self._volumes.day_counts.copy(),
        }

    def restore(
        self,
        arrays: dict[str, NDArray[np.generic]],
        *,
        stamp: BeatStamp | None,
        cadence: Cadence,
        is_classified: bool,
    ) -> None:
        """Take up the memory of an earlier market."""
        self.instruments = _copied(arrays["instruments"])
        self.table = _copied(arrays["table"])
        self._volumes.shares = _copied(arrays["volume_shares"])
        self._volumes.day_counts = _copied(arrays["volume_days"])
        self.cadence = cadence
        self.is_classified = is_classified
        self._index_rows()
        self._forget_sessions()
        if stamp is not None:
            self._see_time(stamp)

    def _see_time(self, stamp: BeatStamp) -> None:
        is_same_day = self.kind is stamp.kind and self.trade_date == stamp.trade_date
        self.beat = stamp.beat
        self.kind = stamp.kind
        self.is_after_close = stamp.kind is BeatKind.CLOSE
        self.trade_date = stamp.trade_date
        if stamp.kind is BeatKind.TICK:
            self.cadence = Cadence.TICK
            self._seconds_of_day = shanghai_seconds(stamp.ts_event_ns)
            if is_same_day and self._sessions_from <= self._seconds_of_day < self._sessions_until:
                # Sessions last for hours, and beats for seconds.
                return
        elif stamp.kind is BeatKind.BAR:
            self.cadence = Cadence.BAR
        self._forget_sessions()

    def _forget_sessions(self) -> None:
        self._has_rules = False
        self._sessions = {}
        self._sessions_from, self._sessions_until = 0, SECONDS_PER_DAY

    def _segment(self, row: int) -> int:
        return int(self.table[row, SEGMENT])

    def _session(self, segment: int) -> Phase:
        # A broker takes orders between bars at any time and queues them for the next one.
        if self.cadence in {Cadence.BAR, Cadence.DAILY}:
            return Phase.CONTINUOUS
        if self.kind is not BeatKind.TICK:
            return Phase.CLOSED
        parts = parts_of(segment)
        # The rule book knows no sessions of an unknown board: closed, the conservative reading.
        if parts is None or parts not in SESSION_ROWS:
            return Phase.CLOSED
        exchange, board = parts
        if segment not in self._sessions:
            session = session_at(
                exchange=exchange,
                board=board,
                trade_date=self.trade_date,
                seconds_of_day=self._seconds_of_day,
            )
            self._sessions[segment] = session
            self._sessions_from = max(self._sessions_from, session.start_seconds)
            self._sessions_until = min(self._sessions_until, session.end_seconds)
        return self._sessions[segment].phase

    def _takes_fixed_price(self, segment: int) -> bool:
        """Tell whether orders of after-hours trading are taken, in beats of ticks alone."""
        session = self._sessions.get(segment)
        return session is not None and session.can_submit_fixed_price

    def _index_rows(self) -> None:
        numbers = self.instruments.tolist()
        self._row_of = dict(zip(numbers, range(len(numbers)), strict=True))
        is_listed = self.table[:-1, LISTED].tolist()
        self._listed = dict(compress(self._row_of.items(), is_listed))
        self._segments = np.unique(self.table[:-1, SEGMENT]).tolist()
        self._has_rules = False
        self.sector_count = int(self.table[:, SECTOR].max()) + 1
        self.sectors_beat = self.beat

    def _locate(self, instruments: Int64Array) -> tuple[_Rows, BoolArray | slice]:
        """Return the rows of known instruments, and which of the given ones are known."""
        universe = self.instruments
        if len(universe) == len(instruments) and (universe == instruments).all():
            # In most beats the whole market speaks: nothing has to be looked up.
            return slice(len(universe)), slice(None)
        if not len(universe):
            return np.zeros(0, np.int64), np.zeros(len(instruments), np.bool_)
        rows = np.searchsorted(universe, instruments)
        rows = np.minimum(rows, len(universe) - 1)
        is_known: BoolArray = universe[rows] == instruments
        return rows[is_known], is_known

    def _take_reference(self, rows: ReferenceRows) -> None:
        universe = np.union1d(self.instruments, rows.instrument)
        if len(universe) > len(self.instruments):
            self._grow(universe)
        table = self.table
        # Yesterday's reference data is no answer for today: what did not come is not listed.
        table[:, _OF_THE_DAY] = 0
        at = np.searchsorted(universe, rows.instrument)
        table[at, LISTED] = 1
        table[at, SEGMENT] = segments_of(rows.instrument, rows.board)
        table[at, LIMIT_STATE] = rows.limit_state
        table[at, ST] = rows.is_st
        table[at, SUSPENDED] = rows.is_suspended
        table[at, LIMIT_UP] = rows.limit_up_e4
        table[at, LIMIT_DOWN] = rows.limit_down_e4
        table[at, SECTOR] = _number_sectors(rows.sector)
        self.is_classified = bool(table[:, SECTOR].any())
        self._index_rows()
        self._take_actions(rows)
        self._mark(at, np.where(rows.open_e4 > 0, rows.open_e4, rows.prev_close_e4))
        if rows.open_e4.any():
            self.cadence = Cadence.DAILY

    def _take_actions(self, rows: ReferenceRows) -> None:
        """Take what goes ex; marks follow, for those that the day begins without a price of."""
        ticked = []
        for action in actions_of(rows, self.trade_date):
            row = self._row_of[action.instrument]
            board = Board(self._segment(row) % BOARD_STEP)
            tick_e4 = price_tick_e4(board)
            ticked.append((action, tick_e4))
            mark_e4 = self.table.item(row, MARK)
            if mark_e4:
                self.table[row, MARK] = _ex_mark_e4(mark_e4, action, tick_e4)
        self.actions = tuple(ticked)

    def _grow(self, universe: Int64Array) -> None:
        places = np.searchsorted(universe, self.instruments)
        table = np.zeros((len(universe) + 1, MARKET_COLUMNS), np.int64)
        table[:-1, ADV] = UNKNOWN
        table[places] = self.table[:-1]
        self._volumes.grow(places, len(universe))
        self.instruments, self.table = universe, table

    def _take_quotes(self, rows: QuoteRows) -> None:
        at, is_known = self._locate(rows.instrument)
        self.table[at, PHASE] = rows.phase[is_known]
        self.table[at, BID] = rows.bid_price_e4[is_known, 0]
        self.table[at, ASK] = rows.ask_price_e4[is_known, 0]
        self._mark(at, rows.last_e4[is_known])

    def _take_bars(self, rows: BarRows) -> None:
        at, is_known = self._locate(rows.instrument)
        self._mark(at, rows.close_e4[is_known])
        if self.kind is BeatKind.CLOSE:
            self.table[at, ADV] = self._volumes.take(at, rows.volume_shares[is_known])

    def _mark(self, at: _Rows, price_e4: Int64Array) -> None:
        """Mark rows at prices; 0 says nothing and leaves the mark of before."""
        self.table[at, NEWS_BEAT] = self.beat
        for column in (MARK, LAST):
            self.table[at, column] = np.where(price_e4 > 0, price_e4, self.table[at, column])

    def _expect_limits(self, trade_date: int) -> None:
        """Replace the day's limits by those of an ordinary next day; its OPEN beat knows better."""
        table = self.table[:-1]
        limits = price_limits(
            boards=(table[:, SEGMENT] % BOARD_STEP).astype(np.uint8),
            stages=ordinary_stages_of(table[:, ST] > 0),
            prev_close_e4=table[:, MARK],
            trade_date=trade_date,
        )
        table[:, LIMIT_STATE] = limits.state
        table[:, LIMIT_UP] = limits.up_e4
        table[:, LIMIT_DOWN] = limits.down_e4


def _ex_mark_e4(mark_e4: int, action: CorporateAction, tick_e4: int) -> int:
    """Return a mark after an action; as it was where nothing would be left of it."""
    try:
        return ex_rights_reference_e4(mark_e4, action, tick_e4=tick_e4)
    except InvariantError:
        return mark_e4


def _copied(array: NDArray[np.generic]) -> Int64Array:
    return array.astype(np.int64)


def _number_sectors(sector: NDArray[np.object_]) -> Int64Array:
    """Return 1, 2, … by sector name, 0 for the empty one."""
    names = sorted(set(sector.tolist()) - {""})
    numbers = {name: number for number, name in enumerate(names, start=1)}
    return np.array([numbers.get(name, UNKNOWN_SECTOR) for name in sector.tolist()], np.int64)
