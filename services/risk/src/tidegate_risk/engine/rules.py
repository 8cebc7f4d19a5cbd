"""The rule book as numbers: one row a segment, which is an exchange and a board.

The rules stay where they are, in `tidegate_common.market`: their functions are asked once a day for
every segment of the market, and once a beat for its session.
"""

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import (
    Board,
    Exchange,
    LimitState,
    OrderType,
    Phase,
    TimeInForce,
)
from tidegate_common.domain.ids import EXCHANGE_STEP
from tidegate_common.domain.units import Int64Array
from tidegate_common.market.cage import cage_rule
from tidegate_common.market.fees import FeeSchedule
from tidegate_common.market.lots import lot_rule, price_tick_e4, st_buy_cap_shares
from tidegate_common.market.order_types import takes_market_order
from tidegate_common.market.sessions import can_match_continuously, can_submit
from tidegate_risk.engine.layout import (
    CAGE,
    CAGE_BPS,
    CAGE_DORMANT,
    CAGE_FLOOR,
    CAGE_LIMITED,
    CAGE_NONE,
    CAGE_UNKNOWN,
    CAN_SUBMIT,
    CAN_SUBMIT_FIXED,
    COMMISSION,
    FIXED_KIND,
    FIXED_MAX,
    KINDS,
    LIMIT_MAX,
    LOT_MIN,
    LOT_STEP,
    MARKET_MAX,
    NO_KIND,
    REGULATORY,
    RULE_COLUMNS,
    SESSION,
    ST_CAP,
    TICK,
)

# Boards are 0 to 6, exchanges 1 to 3. What is not listed is in no segment, and what is listed at no
# exchange that the rule book knows is nowhere.
BOARD_STEP = 16
UNLISTED, NOWHERE = 0, 1
_SEGMENTS = BOARD_STEP * (max(Exchange) + 1)
# By name, because most orders are of this type, and to ask an enum's class for it takes long.
_LIMIT = OrderType.LIMIT
_MARKET_TYPES = tuple(order_type for order_type in OrderType if order_type.is_market)


def segments_of(instruments: Int64Array, boards: NDArray[np.uint8]) -> Int64Array:
    """Return the number of each instrument's segment.

    Parameters
    ----------
    instruments, boards : (n,) int64 and uint8.
    """
    exchanges = instruments // EXCHANGE_STEP
    is_known = (exchanges >= min(Exchange)) & (exchanges <= max(Exchange))
    return np.where(is_known, exchanges * BOARD_STEP + boards, NOWHERE)


def parts_of(segment: int) -> tuple[Exchange, Board] | None:
    """Return exchange and board of a segment, None where it is nowhere."""
    if segment == NOWHERE:
        return None
    exchange, board = divmod(segment, BOARD_STEP)
    return Exchange(exchange), Board(board)


def kind_of(order_type: OrderType, time_in_force: TimeInForce) -> int:
    """Return the bit of an order's kind, as `layout.KIND` has it.

    An order at the fixed price is for the day: of others no source says what they are.
    """
    if order_type is _LIMIT:
        return 0
    if order_type is OrderType.FIXED_PRICE:
        return FIXED_KIND if time_in_force is TimeInForce.DAY else NO_KIND
    is_fill_or_kill = time_in_force is TimeInForce.FOK
    return 2 * NO_KIND << 2 * _MARKET_TYPES.index(order_type) + is_fill_or_kill


class RuleTable:
    """The numbers that the kernels judge by.

    table : (segments, RULE_COLUMNS) int64.
    """

    def __init__(self, fees: FeeSchedule) -> None:
        self._fees = fees
        self._trade_date = 0
        self._cages: dict[int, int] = {}
        self.table: Int64Array = np.zeros((_SEGMENTS, RULE_COLUMNS), np.int64)

    def begin_day(self, trade_date: int) -> None:
        """Forget the rules of other days."""
        if trade_date != self._trade_date:
            self._trade_date = trade_date
            self._cages = {}
            for segment in (UNLISTED, NOWHERE):
                self._put_lots(segment, Board.UNKNOWN)
            self.table[UNLISTED, CAGE] = CAGE_NONE

    def set_session(
        self,
        segment: int,
        session: Phase,
        *,
        is_caged: bool,
        takes_fixed_price: bool,
    ) -> None:
        """Put a segment's rules in force for a beat.

        Parameters
        ----------
        takes_fixed_price : whether orders at the fixed price after hours are taken.
        is_caged : whether the price cage is asked at all while orders match continuously.
        """
        if segment not in self._cages:
            self._cages[segment] = self._read_day(segment)
        is_asked = is_caged and can_match_continuously(session)
        row = self.table[segment]
        row[SESSION] = session
        row[CAN_SUBMIT] = can_submit(session)
        row[CAN_SUBMIT_FIXED] = takes_fixed_price
        row[CAGE] = self._cages[segment] if is_asked else CAGE_NONE

    def _read_day(self, segment: int) -> int:
        """Fill a segment's rules of the day, and return the kind of its cage."""
        parts = parts_of(segment)
        if parts is None:
            return CAGE_UNKNOWN
        exchange, board = parts
        self._put_lots(segment, board)
        row = self.table[segment]
        rates = self._fees.rates(exchange=exchange, board=board, trade_date=self._trade_date)
        row[COMMISSION : REGULATORY + 1] = rates
        row[KINDS] = self._kinds(exchange, board) | (FIXED_KIND if row[FIXED_MAX] else 0)
        cage = cage_rule(board, self._trade_date)
        if cage is None:
            return CAGE_UNKNOWN
        rule = cage.value
        row[CAGE_BPS] = rule.rate_bps
        row[CAGE_FLOOR] = rule.floor_ticks * row[TICK]
        if rule.state is LimitState.UNLIMITED:
            return CAGE_NONE
        return CAGE_DORMANT if rule.is_dormant else CAGE_LIMITED

    def _kinds(self, exchange: Exchange, board: Board) -> int:
        """Return the bits of the market orders that a board takes."""
        taken = (
            kind_of(order_type, time_in_force)
            for order_type in _MARKET_TYPES
            for time_in_force in (TimeInForce.DAY, TimeInForce.FOK)
            if takes_market_order(
                order_type,
                time_in_force,
                exchange=exchange,
                board=board,
                trade_date=self._trade_date,
            )
        )
        return sum(taken)

    def _put_lots(self, segment: int, board: Board) -> None:
        lots = lot_rule(board, self._trade_date)
        cap_shares = st_buy_cap_shares(board, self._trade_date)
        row = self.table[segment]
        row[TICK] = price_tick_e4(board)
        row[LOT_MIN] = lots.min_shares
        row[LOT_STEP] = lots.step_shares
        row[LIMIT_MAX] = lots.max_limit_shares
        row[MARKET_MAX] = lots.max_market_shares
        row[FIXED_MAX] = lots.max_fixed_price_shares
        row[ST_CAP] = -1 if cap_shares is None else cap_shares
