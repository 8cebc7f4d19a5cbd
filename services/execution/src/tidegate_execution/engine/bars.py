"""Matching against bars, where there is no book.

At the opening price: orders whose limit accepts it, in priority order, at the price moved by the
slippage against us, whole ticks, but never beyond the limit price or the day's price limit. Not
in a lock: no buy at the limit-up, no sell at the limit-down. All orders of the instrument
together, buys before sells, get at most the participation cap of the last traded day's volume;
where no day was seen yet the cap cannot be known, so nothing fills.

Inside a bar: a limit order fills at its limit price if the bar traded *through* it (touching it
may mean that only those before us in the queue were filled). So a bar with one price, which is
also the shape of a locked day, fills no order at that price. The same cap, of the bar's volume,
less what the orders of the instrument got at the open of the same day. Market orders have no
price inside a bar.

Orders that do not wait try once and are cancelled.
"""

from dataclasses import dataclass

from tidegate_common.domain.enums import Liquidity, OrderType, PriceSource
from tidegate_common.domain.units import BPS
from tidegate_common.market.board import board_of
from tidegate_common.market.lots import price_tick_e4
from tidegate_execution.engine.blotter import Blotter
from tidegate_execution.engine.book import cancel_immediate
from tidegate_execution.engine.orders import InstrumentOrders, WorkingOrder
from tidegate_execution.engine.reference import DayLimits


@dataclass(frozen=True, slots=True)
class OpeningAuction:
    """The opening price of an instrument, and what it allows us.

    slip_e4 : by how much a fill is worse than the open, whole ticks.
    tick_e4 : the lowest price there is.
    """

    open_e4: int
    slip_e4: int
    tick_e4: int
    limits: DayLimits

    def price_e4(self, order: WorkingOrder) -> int | None:
        """Return the price at which an order fills, None if it does not."""
        if not order.accepts(self.open_e4):
            return None
        if order.is_buy:
            is_locked = self.open_e4 >= self.limits.up_e4
            return None if is_locked else min(self.open_e4 + self.slip_e4, order.limit_e4)
        is_locked = self.open_e4 <= self.limits.down_e4
        worst_e4 = max(order.limit_e4, self.tick_e4)
        return None if is_locked else max(self.open_e4 - self.slip_e4, worst_e4)


def opening_auction(
    instrument: int,
    open_e4: int,
    *,
    slippage_bps: int,
    limits: DayLimits,
) -> OpeningAuction:
    """Return the opening of an instrument, with the slippage rounded up to whole ticks."""
    tick_e4 = price_tick_e4(board_of(instrument))
    slip_ticks = -(-open_e4 * slippage_bps // (BPS * tick_e4))
    return OpeningAuction(open_e4, slip_ticks * tick_e4, tick_e4, limits)


def match_open(
    orders: InstrumentOrders,
    auction: OpeningAuction,
    *,
    cap_shares: int,
    blotter: Blotter,
) -> int:
    """Fill orders at the opening price and return how many shares they got."""
    left_shares = cap_shares
    for order in orders:
        price_e4 = auction.price_e4(order)
        if price_e4 is not None:
            filled_shares = min(order.leaves_shares, left_shares)
            left_shares -= filled_shares
            blotter.fill(
                order,
                price_e4=price_e4,
                quantity_shares=filled_shares,
                source=PriceSource.BAR_OPEN,
                liquidity=Liquidity.TAKER,
            )
    cancel_immediate(orders, blotter)
    return cap_shares - left_shares


def match_bar(
    orders: InstrumentOrders,
    *,
    high_e4: int,
    low_e4: int,
    cap_shares: int,
    blotter: Blotter,
) -> None:
    """Fill limit orders through which a bar traded, at their limit prices."""
    for order in orders:
        is_limit = order.submit.order_type is OrderType.LIMIT
        is_through = low_e4 < order.limit_e4 if order.is_buy else high_e4 > order.limit_e4
        if is_limit and is_through:
            filled_shares = min(order.leaves_shares, cap_shares)
            cap_shares -= filled_shares
            blotter.fill(
                order,
                price_e4=order.limit_e4,
                quantity_shares=filled_shares,
                source=PriceSource.BAR,
                liquidity=Liquidity.MAKER,
            )
    cancel_immediate(orders, blotter)
