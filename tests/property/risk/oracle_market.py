"""What risk's slow oracle knows of the market: one plain object an instrument, prices in yuan."""

from dataclasses import dataclass, field
from decimal import Decimal

from tests.property.risk.oracle_rules import (
    Cage,
    cage_of,
    limit_rate,
    limits_from,
    on_tick,
    phase_on,
    price,
    takes_fixed_price,
    tick,
)

from tidegate_common.domain.enums import BeatKind, Board, Exchange, LimitState, Phase
from tidegate_common.domain.ids import RunId
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.sessions import NS_PER_SECOND

NOTHING = Decimal(0)
BEFORE_ALL = BeatStamp(RunId("none"), -1, BeatKind.OPEN, 0, 0)


@dataclass
class Instrument:
    """What was said of an instrument; a price of 0 was not said.

    last : the day's last price, or else what the day began with. mark outlives the day.
    phase : what its own feed says. heard : beat of the last word on it.
    volumes : shares traded, by day whose close was told.
    """

    number: int
    board: Board = Board.UNKNOWN
    is_listed: bool = False
    is_st: bool = False
    is_suspended: bool = False
    is_silent: bool = False
    limit_state: LimitState = LimitState.UNKNOWN
    up: Decimal = NOTHING
    down: Decimal = NOTHING
    mark: Decimal = NOTHING
    last: Decimal = NOTHING
    bid: Decimal = NOTHING
    ask: Decimal = NOTHING
    sector: str = ""
    phase: Phase = Phase.CLOSED
    heard: int = 0
    volumes: list[int] = field(default_factory=list)

    @property
    def average_volume(self) -> int | None:
        """Shares of an average day of the last twenty, None before the first."""
        days = self.volumes[-20:]
        return sum(days) // len(days) if days else None

    @property
    def exchange(self) -> Exchange:
        """Venue."""
        return Exchange(self.number // 1_000_000)

    def hear(self, beat: int, paid: Decimal) -> None:
        """Take in a price; none leaves the one of before."""
        self.heard = beat
        if paid:
            self.mark = self.last = paid


@dataclass
class OracleMarket:
    """All instruments after a beat.

    has_ticks, has_bars, is_daily : what the run's beats were so far; bars without ticks mean that
        a broker queues orders at any time.
    """

    stamp: BeatStamp = BEFORE_ALL
    has_ticks: bool = False
    has_bars: bool = False
    is_daily: bool = False
    instruments: dict[int, Instrument] = field(default_factory=dict)

    def see(self, frame: Frame, silent: set[int]) -> None:
        """Take in a beat; the shard of the silent instruments said nothing usable."""
        self.stamp = frame.stamp
        rows = frame.rows
        if isinstance(rows, ReferenceRows):
            self._begin_day(rows)
        elif isinstance(rows, QuoteRows):
            self.has_ticks = True
            self._hear_quotes(rows)
        else:
            self.has_bars |= frame.stamp.kind is BeatKind.BAR
            self._hear_bars(rows)
        for each in self.instruments.values():
            each.is_silent = each.number in silent
            if frame.stamp.kind is BeatKind.CLOSE:
                self._expect_limits(each)

    def find(self, number: int) -> Instrument:
        """Return an instrument; one that nobody named is not listed."""
        return self.instruments.get(number) or Instrument(number)

    @property
    def is_after_close(self) -> bool:
        """Whether an order of this beat trades tomorrow."""
        return self.stamp.kind is BeatKind.CLOSE

    @property
    def is_classified(self) -> bool:
        """Whether the day's feed knows any sector."""
        return any(each.sector for each in self.instruments.values())

    def session(self, each: Instrument) -> Phase:
        """Return what the clock says of an instrument's market."""
        if self.is_daily or (self.has_bars and not self.has_ticks):
            return Phase.CONTINUOUS
        if self.stamp.kind is not BeatKind.TICK:
            return Phase.CLOSED
        day, second = self.stamp.trade_date, self.second
        return phase_on(each.exchange, each.board, day=day, second=second)

    def takes_fixed_price(self, each: Instrument) -> bool:
        """Tell whether the clock lets in orders at the fixed price, in runs of ticks."""
        is_of_bars = self.is_daily or (self.has_bars and not self.has_ticks)
        if is_of_bars or self.stamp.kind is not BeatKind.TICK:
            return False
        day, second = self.stamp.trade_date, self.second
        return takes_fixed_price(each.exchange, each.board, day=day, second=second)

    @property
    def second(self) -> int:
        """The beat's second of the day in Shanghai."""
        return (self.stamp.ts_event_ns // NS_PER_SECOND + 8 * 3_600) % 86_400

    def cage_edge(self, each: Instrument, *, is_buy: bool) -> Decimal | LimitState:
        """Return the farthest price of a limit order; UNLIMITED or UNKNOWN where there is none."""
        if self.is_after_close or self.session(each) is not Phase.CONTINUOUS:
            return LimitState.UNLIMITED
        cage = cage_of(each.board, self.stamp.trade_date)
        if not isinstance(cage, Cage):
            return cage
        best = (each.ask, each.bid) if is_buy else (each.bid, each.ask)
        reference = next((paid for paid in (*best, each.last) if paid), None)
        if reference is None:
            return LimitState.UNKNOWN
        if cage.is_dormant:
            return LimitState.UNLIMITED
        step = tick(each.board)
        width = max(reference * cage.rate, cage.ticks * step)
        if is_buy:
            return on_tick(reference + width, each.board)
        return max(on_tick(reference - width, each.board), step)

    def _begin_day(self, rows: ReferenceRows) -> None:
        for each in self.instruments.values():
            each.is_listed = False
            each.sector = ""
            each.phase = Phase.CLOSED
            each.bid = each.ask = each.last = NOTHING
        columns = (
            rows.instrument,
            rows.board,
            rows.limit_state,
            rows.is_st,
            rows.is_suspended,
            rows.prev_close_e4,
            rows.limit_up_e4,
            rows.limit_down_e4,
            rows.open_e4,
            rows.sector,
        )
        for number, board, state, is_st, is_out, close, up, down, opening, sector in zip(
            *(column.tolist() for column in columns),
            strict=True,
        ):
            each = self.instruments.setdefault(number, Instrument(number))
            each.board, each.limit_state = Board(board), LimitState(state)
            each.is_listed, each.is_st, each.is_suspended = True, is_st, is_out
            each.up, each.down, each.sector = price(up), price(down), sector
            each.hear(self.stamp.beat, price(opening or close))
            self.is_daily |= opening > 0

    def _hear_quotes(self, rows: QuoteRows) -> None:
        columns = (rows.instrument, rows.phase, rows.last_e4)
        books = rows.bid_price_e4[:, 0], rows.ask_price_e4[:, 0]
        for number, phase, last, bid, ask in zip(
            *(column.tolist() for column in (*columns, *books)),
            strict=True,
        ):
            each = self.instruments.get(number)
            if each is not None:
                each.phase, each.bid, each.ask = Phase(phase), price(bid), price(ask)
                each.hear(self.stamp.beat, price(last))

    def _hear_bars(self, rows: BarRows) -> None:
        columns = rows.instrument, rows.close_e4, rows.volume_shares
        for number, close, volume in zip(*(column.tolist() for column in columns), strict=True):
            each = self.instruments.get(number)
            if each is not None:
                each.hear(self.stamp.beat, price(close))
                if self.is_after_close:
                    each.volumes.append(volume)

    def _expect_limits(self, each: Instrument) -> None:
        """Expect an ordinary day after this one."""
        rate = limit_rate(each.board, self.stamp.trade_date, is_st=each.is_st)
        if rate is None or not each.mark:
            each.limit_state, each.up, each.down = LimitState.UNKNOWN, NOTHING, NOTHING
        else:
            each.limit_state = LimitState.LIMITED
            each.up, each.down = limits_from(each.mark, rate, each.board)
