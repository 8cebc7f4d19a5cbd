"""Matching against a five-level book, one by one, as in continuous trading.

On each side, in priority order (see `orders.py`):

1. An order that stands in the queue is filled by the volume that traded at its price or through
   it (see `queue.py`). What our orders with priority got of it is gone for the next ones; all of
   them on the instrument together get at most the participation cap, buys before sells.
2. It is then filled by displayed levels of the other side that cross its limit, at its own limit
   price: it was there first, so the maker's price is its own, which is never the better one.
3. An order that is new to the book takes its price from it if it names none (see `OrderType`),
   sweeps the levels of the other side up to its limit and pays each level's price. What is left
   rests behind the shares displayed at its price, if it may. Fill-or-kill looks before it sweeps.

Where continuous trading has ended with a quote only the first happens: it traded on until then,
and what the quote shows is no book for orders that came later. Our orders never trade with one
another.
"""

from dataclasses import dataclass

from tidegate_common.domain.enums import (
    Liquidity,
    OrderReason,
    OrderType,
    PriceSource,
    QueueCancels,
)
from tidegate_execution.engine.blotter import Blotter
from tidegate_execution.engine.orders import InstrumentOrders, WorkingOrder
from tidegate_execution.engine.queue import Tape, enter_queue, reached_shares, see_display
from tidegate_execution.engine.snapshots import BookMemory, Ladder, Snapshot, TakenLevels


@dataclass(frozen=True, slots=True)
class Market:
    """What the orders of one side meet.

    traded_shares : between the quotes, whoever got them.
    """

    own: Ladder
    opposite: Ladder
    taken: TakenLevels
    tape: Tape
    traded_shares: int


def match_book(
    orders: InstrumentOrders,
    snapshot: Snapshot,
    memory: BookMemory,
    *,
    cap_shares: int,
    queue_cancels: QueueCancels,
    blotter: Blotter,
) -> None:
    """Let the orders of an instrument meet its quote.

    Parameters
    ----------
    cap_shares : that all of them may have of the traded volume.
    """
    traded_shares = snapshot.queue_shares
    for side, own, opposite, taken in (
        (orders.buys, snapshot.bids, snapshot.asks, memory.taken_asks),
        (orders.sells, snapshot.asks, snapshot.bids, memory.taken_bids),
    ):
        tape = Tape(snapshot.last_e4, traded_shares)
        market = Market(own, opposite, taken, tape, traded_shares)
        for order in side:
            if order.is_placed:
                cap_shares -= _fill_from_queue(order, tape, cap_shares, blotter)
            if snapshot.is_continuous:
                _meet_display(order, market, queue_cancels, blotter)
    orders.sort()


def cancel_immediate(orders: InstrumentOrders, blotter: Blotter) -> None:
    """Cancel what is left of orders that do not wait, or found no book to take a price from."""
    for order in orders.ordinary():
        is_unpriced = order.submit.order_type.is_market and not order.is_placed
        if (order.is_immediate or is_unpriced) and not order.status.is_terminal:
            is_killed = order.is_fill_or_kill
            reason = OrderReason.FOK_NOT_FILLED if is_killed else OrderReason.IOC_REMAINDER
            blotter.cancel(order, reason)


def _fill_from_queue(order: WorkingOrder, tape: Tape, cap_shares: int, blotter: Blotter) -> int:
    """Fill an order by the traded volume and return how much it got."""
    filled_shares = min(reached_shares(order, tape), order.leaves_shares, cap_shares)
    tape.free_shares -= filled_shares
    blotter.fill(
        order,
        price_e4=order.limit_e4,
        quantity_shares=filled_shares,
        source=PriceSource.QUEUE,
        liquidity=Liquidity.MAKER,
    )
    return filled_shares


def _meet_display(
    order: WorkingOrder,
    market: Market,
    rule: QueueCancels,
    blotter: Blotter,
) -> None:
    if order.is_placed:
        is_at_last = market.tape.last_e4 == order.limit_e4
        traded_shares = market.traded_shares if is_at_last else 0
        see_display(order, market.own, traded_shares=traded_shares, rule=rule)
        _fill_crossed(order, market, blotter)
    elif _take_price(order, market):
        _enter(order, market, blotter)
    else:
        blotter.cancel(order, OrderReason.NO_BEST_PRICE)


def _fill_crossed(order: WorkingOrder, market: Market, blotter: Blotter) -> None:
    trades = market.taken.take(
        market.opposite,
        limit_e4=order.limit_e4,
        wanted_shares=order.leaves_shares,
    )
    blotter.fill(
        order,
        price_e4=order.limit_e4,
        quantity_shares=sum(shares for _, shares in trades),
        source=PriceSource.LEVEL,
        liquidity=Liquidity.MAKER,
    )


def _take_price(order: WorkingOrder, market: Market) -> bool:
    """Give an order the best price that it asks for; tell whether it has a price now."""
    match order.submit.order_type:
        case OrderType.COUNTERPARTY_BEST:
            return _set_price(order, market.opposite.best_e4)
        case OrderType.OWN_BEST:
            return _set_price(order, market.own.best_e4)
        case _:
            return True


def _set_price(order: WorkingOrder, price_e4: int | None) -> bool:
    """Give an order a price of the book; one beyond the day's limit is a fault of the feed."""
    if price_e4 is None or not order.accepts(price_e4):
        return False
    order.limit_e4 = price_e4
    return True


def _enter(order: WorkingOrder, market: Market, blotter: Blotter) -> None:
    """Let an order that is new sweep, and put what is left of it into the queue."""
    if order.is_fill_or_kill:
        free_shares = market.taken.free_shares(market.opposite, order.limit_e4)
        if free_shares < order.leaves_shares:
            return
    last_e4 = _sweep(order, market, blotter)
    is_to_limit = order.submit.order_type is OrderType.MARKET_TO_LIMIT
    price_e4 = market.own.best_e4 if last_e4 is None else last_e4
    if is_to_limit and order.leaves_shares and not _set_price(order, price_e4):
        blotter.cancel(order, OrderReason.NO_BEST_PRICE)
    enter_queue(order, market.own)


def _sweep(order: WorkingOrder, market: Market, blotter: Blotter) -> int | None:
    """Fill an order level by level and return the last price that it paid."""
    trades = market.taken.take(
        market.opposite,
        limit_e4=order.limit_e4,
        wanted_shares=order.leaves_shares,
    )
    for price_e4, shares in trades:
        blotter.fill(
            order,
            price_e4=price_e4,
            quantity_shares=shares,
            source=PriceSource.LEVEL,
            liquidity=Liquidity.TAKER,
        )
    return trades[-1][0] if trades else None
