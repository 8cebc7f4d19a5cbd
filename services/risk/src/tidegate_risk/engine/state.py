"""What risk knows of the market: the day's reference data, marks and phases, by instrument."""

from dataclasses import dataclass, fields
from enum import IntEnum, unique
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import BeatKind, Board, Exchange, LimitState, Phase, Side
from tidegate_common.domain.ids import EXCHANGE_STEP
from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.cage import PriceCage, cage_reference_e4, price_cage
from tidegate_common.market.listing import ordinary_stages_of
from tidegate_common.market.price_limits import price_limits
from tidegate_common.market.sessions import (
    SESSION_ROWS,
    can_cancel,
    can_match_continuously,
    phase_at,
    shanghai_seconds,
)

UNKNOWN_SECTOR = 0

# A board travels as uint8.
_BOARD_VALUES = 256

_NO_CAGE = PriceCage(LimitState.UNLIMITED, 0, 0, None)


@unique
class Cadence(IntEnum):
    """How the run's market speaks, learnt from its beats."""

    UNKNOWN = 0
    TICK = 1
    BAR = 2
    DAILY = 3


@dataclass(slots=True)
class MarketColumns:
    """One row an instrument, sorted; instruments once seen stay.

    is_listed : reference data came with the day's OPEN beat.
    sector : number of the sector's name within the day, 0 when unknown.
    last_e4 : last trade of the day, else the day's previous close; 0 when neither is known.
    news_beat : last beat that said anything of the instrument.
    """

    instrument: Int64Array
    board: NDArray[np.uint8]
    limit_state: NDArray[np.uint8]
    phase: NDArray[np.uint8]
    is_listed: BoolArray
    is_st: BoolArray
    is_suspended: BoolArray
    is_stale: BoolArray
    limit_up_e4: Int64Array
    limit_down_e4: Int64Array
    mark_e4: Int64Array
    bid_e4: Int64Array
    ask_e4: Int64Array
    last_e4: Int64Array
    sector: Int64Array
    news_beat: Int64Array

    @classmethod
    def empty(cls) -> Self:
        """Return columns without instruments."""
        numbers, small, flags = np.int64, np.uint8, np.bool_
        types = [numbers, small, small, small, *[flags] * 4, *[numbers] * 8]
        return cls(*(np.zeros(0, dtype) for dtype in types))

    def grown(self, universe: Int64Array) -> Self:
        """Return columns over a larger universe; new rows are zero."""
        places = np.searchsorted(universe, self.instrument)
        grown = []
        for field in fields(self):
            old = getattr(self, field.name)
            new = np.zeros(len(universe), old.dtype)
            new[places] = old
            grown.append(new)
        columns = type(self)(*grown)
        columns.instrument = universe
        return columns


@dataclass(frozen=True, slots=True)
class Listing:
    """One instrument in one beat, as plain values.

    phase, session : what its own feed says, and what the session table says.
    last_e4 : last trade of the day, else the day's previous close; 0 when neither is known.
    age_beats : beats since it was last heard of.
    """

    instrument: int
    is_listed: bool = False
    is_st: bool = False
    is_suspended: bool = False
    is_stale: bool = False
    is_ticking: bool = False
    board: Board = Board.UNKNOWN
    limit_state: LimitState = LimitState.UNKNOWN
    phase: Phase = Phase.CLOSED
    session: Phase = Phase.CLOSED
    limit_up_e4: int = 0
    limit_down_e4: int = 0
    mark_e4: int = 0
    bid_e4: int = 0
    ask_e4: int = 0
    last_e4: int = 0
    sector: int = UNKNOWN_SECTOR
    age_beats: int = 0


class Market:
    """Marks and reference data of all instruments, updated a frame at a time."""

    def __init__(self) -> None:
        self.columns = MarketColumns.empty()
        self.cadence = Cadence.UNKNOWN
        self.is_classified = False
        self._row_of: dict[int, int] = {}
        self._beat = 0
        self._kind = BeatKind.OPEN
        self._trade_date = 0
        self._seconds_of_day = 0
        # What was asked for within the beat: accounts and strategies ask for the same.
        self._sessions: dict[tuple[Exchange, Board], Phase] = {}
        self._listings: dict[int, Listing] = {}
        self._cages: dict[int, PriceCage] = {}

    def take(self, frame: Frame, stale: Int64Array) -> None:
        """Take in a beat.

        Parameters
        ----------
        stale : instruments whose shard said nothing usable in the beat.
        """
        self._see_time(frame.stamp)
        rows = frame.rows
        if isinstance(rows, ReferenceRows):
            self._take_reference(rows)
        elif isinstance(rows, QuoteRows):
            self._take_quotes(rows)
        else:
            self._take_bars(rows)
        if self._kind is BeatKind.CLOSE:
            self._expect_limits(frame.stamp.trade_date)
        self.columns.is_stale.fill(False)  # noqa: FBT003  # numpy's own signature
        self.columns.is_stale[self._locate(stale)[0]] = True

    @property
    def can_scores_act(self) -> bool:
        """Whether scores of this beat become orders: on ticks and bars, or at a daily close."""
        if self._kind is BeatKind.CLOSE:
            return self.cadence is Cadence.DAILY
        return self._kind is not BeatKind.OPEN

    @property
    def is_after_close(self) -> bool:
        """Whether an order of this beat meets the market on the next trading day."""
        return self._kind is BeatKind.CLOSE

    def can_cancel(self, instrument: int) -> bool:
        """Tell whether the exchange takes a known instrument's cancels, by the session table."""
        return can_cancel(self._session(self._row_of[instrument]))

    def has_continuous_trading(self, instruments: Int64Array) -> bool:
        """Tell whether the session table says so of any of the instruments in this beat."""
        at, _ = self._locate(instruments)
        # Whoever shares exchange and board shares the session.
        exchange, board = self.columns.instrument[at] // EXCHANGE_STEP, self.columns.board[at]
        _, first = np.unique(exchange * _BOARD_VALUES + board, return_index=True)
        return any(can_match_continuously(self._session(row)) for row in at[first].tolist())

    def rows_of(self, instruments: list[int]) -> Int64Array:
        """Return the rows of known instruments."""
        return np.array([self._row_of[instrument] for instrument in instruments], np.int64)

    def listing(self, instrument: int) -> Listing:
        """Return what is known of an instrument in this beat."""
        listing = self._listings.get(instrument)
        if listing is None:
            listing = self._listings[instrument] = self._read(instrument)
        return listing

    def price_cage(self, instrument: int) -> PriceCage:
        """Return how far from the market a limit order may be priced in this beat.

        UNLIMITED where no order is refused: in auctions and after hours, after the close (such an
        order meets the next opening call), and where an order outside would only lie dormant.
        Orders of a bar run count as in continuous trading at all other times, the conservative
        reading; bars have no book, so the last trade is the reference.
        """
        cage = self._cages.get(instrument)
        if cage is None:
            cage = self._cages[instrument] = self._cage_of(self.listing(instrument))
        return cage

    def sector_of(self, instrument: int) -> int:
        """Return the sector number of a known instrument."""
        return int(self.columns.sector[self._row_of[instrument]])

    def snapshot_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return copies of the columns by name."""
        return {
            field.name: getattr(self.columns, field.name).copy() for field in fields(self.columns)
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
        copies = (arrays[field.name].copy() for field in fields(MarketColumns))
        # Their dtypes are as the snapshot left them.
        self.columns = MarketColumns(*copies)  # type: ignore[arg-type]
        self.cadence = cadence
        self.is_classified = is_classified
        self._index_rows()
        if stamp is not None:
            self._see_time(stamp)

    def _see_time(self, stamp: BeatStamp) -> None:
        self._beat = stamp.beat
        self._kind = stamp.kind
        self._sessions = {}
        self._listings = {}
        self._cages = {}
        self._trade_date = stamp.trade_date
        if stamp.kind is BeatKind.TICK:
            self.cadence = Cadence.TICK
            self._seconds_of_day = shanghai_seconds(stamp.ts_event_ns)
        elif stamp.kind is BeatKind.BAR:
            self.cadence = Cadence.BAR

    def _session(self, row: int) -> Phase:
        # A broker takes orders between bars at any time and queues them for the next one.
        if self.cadence in {Cadence.BAR, Cadence.DAILY}:
            return Phase.CONTINUOUS
        if self._kind is not BeatKind.TICK:
            return Phase.CLOSED
        exchange = Exchange(int(self.columns.instrument[row]) // EXCHANGE_STEP)
        board = Board(self.columns.board[row])
        # The rule book knows no sessions of an unknown board: closed, the conservative reading.
        if (exchange, board) not in SESSION_ROWS:
            return Phase.CLOSED
        if (exchange, board) not in self._sessions:
            self._sessions[exchange, board] = phase_at(
                exchange=exchange,
                board=board,
                trade_date=self._trade_date,
                seconds_of_day=self._seconds_of_day,
            )
        return self._sessions[exchange, board]

    def _read(self, instrument: int) -> Listing:
        row = self._row_of.get(instrument)
        columns = self.columns
        if row is None or not columns.is_listed[row]:
            return Listing(instrument)
        session = self._session(row)
        is_ticking = self.cadence is Cadence.TICK
        return Listing(
            instrument=instrument,
            is_listed=True,
            is_st=bool(columns.is_st[row]),
            is_suspended=bool(columns.is_suspended[row]),
            is_stale=bool(columns.is_stale[row]),
            is_ticking=is_ticking,
            board=Board(columns.board[row]),
            limit_state=LimitState(columns.limit_state[row]),
            phase=Phase(columns.phase[row]) if is_ticking else session,
            session=session,
            limit_up_e4=int(columns.limit_up_e4[row]),
            limit_down_e4=int(columns.limit_down_e4[row]),
            mark_e4=int(columns.mark_e4[row]),
            bid_e4=int(columns.bid_e4[row]),
            ask_e4=int(columns.ask_e4[row]),
            last_e4=int(columns.last_e4[row]),
            sector=int(columns.sector[row]),
            age_beats=self._beat - int(columns.news_beat[row]),
        )

    def _cage_of(self, listing: Listing) -> PriceCage:
        if self.is_after_close or not can_match_continuously(listing.session):
            return _NO_CAGE
        buy_e4, sell_e4 = (
            cage_reference_e4(
                side=side,
                bid_e4=listing.bid_e4,
                ask_e4=listing.ask_e4,
                last_e4=listing.last_e4,
                prev_close_e4=0,
            )
            for side in (Side.BUY, Side.SELL)
        )
        cage = price_cage(
            board=listing.board,
            trade_date=self._trade_date,
            buy_reference_e4=buy_e4,
            sell_reference_e4=sell_e4,
        )
        is_dormant = cage.rule is not None and cage.rule.value.is_dormant
        return _NO_CAGE if is_dormant and cage.state is LimitState.LIMITED else cage

    def _index_rows(self) -> None:
        numbers = self.columns.instrument.tolist()
        self._row_of = dict(zip(numbers, range(len(numbers)), strict=True))

    def _locate(self, instruments: Int64Array) -> tuple[Int64Array, BoolArray]:
        """Return the rows of known instruments, and which of the given ones are known."""
        universe = self.columns.instrument
        if not len(universe):
            return np.zeros(0, np.int64), np.zeros(len(instruments), np.bool_)
        rows = np.searchsorted(universe, instruments)
        rows = np.minimum(rows, len(universe) - 1)
        is_known: BoolArray = universe[rows] == instruments
        return rows[is_known], is_known

    def _take_reference(self, rows: ReferenceRows) -> None:
        universe = np.union1d(self.columns.instrument, rows.instrument)
        if len(universe) > len(self.columns.instrument):
            self.columns = self.columns.grown(universe)
            self._index_rows()
        columns = self.columns
        # Yesterday's reference data is no answer for today: what did not come is not listed.
        for column in (columns.is_listed, columns.sector, columns.phase):
            column.fill(0)
        for prices in (columns.bid_e4, columns.ask_e4, columns.last_e4):
            prices.fill(0)
        at = np.searchsorted(universe, rows.instrument)
        columns.is_listed[at] = True
        columns.board[at] = rows.board
        columns.limit_state[at] = rows.limit_state
        columns.is_st[at] = rows.is_st
        columns.is_suspended[at] = rows.is_suspended
        columns.limit_up_e4[at] = rows.limit_up_e4
        columns.limit_down_e4[at] = rows.limit_down_e4
        columns.sector[at] = _number_sectors(rows.sector)
        self.is_classified = bool(columns.sector.any())
        self._mark(at, np.where(rows.open_e4 > 0, rows.open_e4, rows.prev_close_e4))
        if rows.open_e4.any():
            self.cadence = Cadence.DAILY

    def _take_quotes(self, rows: QuoteRows) -> None:
        at, is_known = self._locate(rows.instrument)
        columns = self.columns
        columns.phase[at] = rows.phase[is_known]
        columns.bid_e4[at] = rows.bid_price_e4[is_known, 0]
        columns.ask_e4[at] = rows.ask_price_e4[is_known, 0]
        self._mark(at, rows.last_e4[is_known])

    def _take_bars(self, rows: BarRows) -> None:
        at, is_known = self._locate(rows.instrument)
        self._mark(at, rows.close_e4[is_known])

    def _mark(self, at: Int64Array, price_e4: Int64Array) -> None:
        """Mark rows at prices; 0 says nothing and leaves the mark of before."""
        self.columns.news_beat[at] = self._beat
        for column in (self.columns.mark_e4, self.columns.last_e4):
            column[at] = np.where(price_e4 > 0, price_e4, column[at])

    def _expect_limits(self, trade_date: int) -> None:
        """Replace the day's limits by those of an ordinary next day; its OPEN beat knows better."""
        columns = self.columns
        limits = price_limits(
            boards=columns.board,
            stages=ordinary_stages_of(columns.is_st),
            prev_close_e4=columns.mark_e4,
            trade_date=trade_date,
        )
        columns.limit_state = limits.state
        columns.limit_up_e4 = limits.up_e4
        columns.limit_down_e4 = limits.down_e4


def nearest_price_e4(cage: PriceCage, side: Side, price_e4: int) -> int:
    """Return the price nearest to a limit order's that a cage lets in; its own unless LIMITED."""
    if cage.state is not LimitState.LIMITED:
        return price_e4
    if side is Side.BUY:
        return min(price_e4, cage.buy_cap_e4)
    return max(price_e4, cage.sell_floor_e4)


def _number_sectors(sector: NDArray[np.object_]) -> Int64Array:
    """Return 1, 2, … by sector name, 0 for the empty one."""
    names = sorted(set(sector.tolist()) - {""})
    numbers = {name: number for number, name in enumerate(names, start=1)}
    return np.array([numbers.get(name, UNKNOWN_SECTOR) for name in sector.tolist()], np.int64)
