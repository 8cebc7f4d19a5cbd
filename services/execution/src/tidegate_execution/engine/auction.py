"""Matching where many orders meet at one price: call auctions, and fixed-price trading after hours.

A call auction is told by its first quote after the call: the volume that grew is what it matched,
the last price is the price of all of it. An exchange fills everyone who offered a better price as
a whole, so our orders that are better fill, up to the participation cap of the matched volume. At
the very price only one side fills as a whole, in order of time that nobody can tell: ours fill as
far as shares of the other side are left on display at that price, for those would have met them.
Orders that do not wait have no part in an auction.

After hours what trades between two quotes trades at the close, in order of time. Nobody can tell
the queue, so our orders whose limit accepts the close share the participation cap of it.
"""

from tidegate_common.domain.enums import Liquidity, PriceSource
from tidegate_execution.engine.blotter import Blotter
from tidegate_execution.engine.orders import InstrumentOrders, WorkingOrder
from tidegate_execution.engine.queue import enter_queue
from tidegate_execution.engine.snapshots import BookMemory, Ladder, Snapshot, TakenLevels


def match_auction(
    orders: InstrumentOrders,
    snapshot: Snapshot,
    memory: BookMemory,
    *,
    cap_shares: int,
    blotter: Blotter,
) -> None:
    """Fill orders at the price of an auction that has ended; those left rest in the book.

    Parameters
    ----------
    cap_shares : that all of them may have of the matched volume.
    """
    price_e4 = snapshot.last_e4
    for side, own, opposite, taken in (
        (orders.buys, snapshot.bids, snapshot.asks, memory.taken_asks),
        (orders.sells, snapshot.asks, snapshot.bids, memory.taken_bids),
    ):
        for order in side:
            if order.is_immediate:
                continue
            filled_shares = min(order.leaves_shares, cap_shares)
            if not order.is_better_than(price_e4):
                filled_shares = _take_left(
                    order,
                    opposite,
                    taken,
                    at_e4=price_e4,
                    wanted_shares=filled_shares,
                )
            cap_shares -= filled_shares
            _fill(order, price_e4, filled_shares, PriceSource.AUCTION, blotter)
            enter_queue(order, own)


def join_call(orders: InstrumentOrders) -> None:
    """Let new orders take part in a call auction; they do not sweep the book after it."""
    for order in orders.ordinary():
        if not order.is_placed and not order.submit.order_type.is_market:
            enter_queue(order, None)


def match_fixed_price(
    orders: InstrumentOrders,
    close_e4: int,
    *,
    cap_shares: int,
    blotter: Blotter,
) -> None:
    """Fill orders of after-hours trading at the close."""
    for order in orders.fixed_price:
        if order.accepts(close_e4):
            filled_shares = min(order.leaves_shares, cap_shares)
            cap_shares -= filled_shares
            _fill(order, close_e4, filled_shares, PriceSource.FIXED_PRICE, blotter)


def _take_left(
    order: WorkingOrder,
    opposite: Ladder,
    taken: TakenLevels,
    *,
    at_e4: int,
    wanted_shares: int,
) -> int:
    """Take what an auction left of the other side, for an order at its very price."""
    if order.limit_e4 != at_e4:
        return 0
    trades = taken.take(opposite, limit_e4=at_e4, wanted_shares=wanted_shares)
    return sum(shares for _, shares in trades)


def _fill(
    order: WorkingOrder,
    price_e4: int,
    quantity_shares: int,
    source: PriceSource,
    blotter: Blotter,
) -> None:
    """Fill an order; where all meet at once, ours count as those that took."""
    blotter.fill(
        order,
        price_e4=price_e4,
        quantity_shares=quantity_shares,
        source=source,
        liquidity=Liquidity.TAKER,
    )
