"""Matching against bars, where there is no book.

At the opening price, of the day or of a bar that ends in this beat: orders that are new to the
market and whose limit accepts it, in priority order, at the price moved by the slippage against us
(see `slippage.py`), but never beyond the limit price or the day's price limit. Not in a lock: no
buy at the limit-up, no sell at the limit-down, and nobody in a bar of that one price. All orders
of the instrument together, buys before sells, get at most the participation cap of the bar's
volume; of the last traded day's at a day's opening, and where no day was seen yet that cap cannot
be known, so nothing fills.

Inside a bar: a limit order fills at its limit price if the bar traded *through* it (touching it
may mean that only those before us in the queue were filled). So a bar with one price, which is
also the shape of a locked day, fills no order at that price. The same cap, of the bar's volume,
less what the orders of the instrument got at its open. Market orders have no price inside a bar.

Orders that do not wait try once and are cancelled.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tidegate_common.domain.enums import Liquidity, OrderType, PriceSource
from tidegate_common.market.board import board_of
from tidegate_common.market.lots import price_tick_e4
from tidegate_execution.engine.blotter import Blotter
from tidegate_execution.engine.orders import InstrumentOrders, WorkingOrder
from tidegate_execution.engine.reference import DayLimits
from tidegate_execution.engine.slippage import Slippage


@dataclass(frozen=True, slots=True)
class Opening:
    """An opening price of an instrument, and what it allows us.

    volume_shares : > 0 where the cap is; the slippage is reckoned with it.
    cap_shares : that our orders may have of it.
    """

    instrument: int
    open_e4: int
    limits: DayLimits
    slippage: Slippage
    volume_shares: int
    cap_shares: int

    def price_e4(self, order: WorkingOrder, quantity_shares: int) -> int | None:
        """Return the price at which a part of an order fills, None if it does not."""
        is_whole = quantity_shares == order.leaves_shares or not order.is_fill_or_kill
        if not (quantity_shares and is_whole and order.accepts(self.open_e4)):
            return None
        tick_e4 = price_tick_e4(board_of(self.instrument))
        slip_e4 = self.slippage.slip_e4(
            self.open_e4,
            tick_e4=tick_e4,
            quantity_shares=quantity_shares,
            volume_shares=self.volume_shares,
        )
        if order.is_buy:
            is_locked = self.open_e4 >= self.limits.up_e4
            return None if is_locked else min(self.open_e4 + slip_e4, order.limit_e4)
        is_locked = self.open_e4 <= self.limits.down_e4
        worst_e4 = max(order.limit_e4, tick_e4)
        return None if is_locked else max(self.open_e4 - slip_e4, worst_e4)


def match_open(orders: Iterable[WorkingOrder], opening: Opening, blotter: Blotter) -> int:
    """Fill orders at the opening price and return how many shares they got."""
    left_shares = opening.cap_shares
    for order in orders:
        filled_shares = min(order.leaves_shares, left_shares)
        price_e4 = opening.price_e4(order, filled_shares)
        if price_e4 is not None:
            left_shares -= filled_shares
            blotter.fill(
                order,
                price_e4=price_e4,
                quantity_shares=filled_shares,
                source=PriceSource.BAR_OPEN,
                liquidity=Liquidity.TAKER,
            )
    return opening.cap_shares - left_shares


def match_inside(
    orders: InstrumentOrders,
    *,
    high_e4: int,
    low_e4: int,
    cap_shares: int,
    blotter: Blotter,
) -> None:
    """Fill limit orders through which a bar traded, at their limit prices."""
    for order in orders.ordinary():
        is_limit = order.submit.order_type is OrderType.LIMIT
        is_through = low_e4 < order.limit_e4 if order.is_buy else high_e4 > order.limit_e4
        filled_shares = min(order.leaves_shares, cap_shares)
        is_whole = filled_shares == order.leaves_shares or not order.is_fill_or_kill
        if is_limit and is_through and is_whole:
            cap_shares -= filled_shares
            blotter.fill(
                order,
                price_e4=order.limit_e4,
                quantity_shares=filled_shares,
                source=PriceSource.BAR,
                liquidity=Liquidity.MAKER,
            )
