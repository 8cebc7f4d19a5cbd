"""Matching against a five-level book.

Only in the CONTINUOUS phase; in every other phase orders rest, and those that do not wait
(market, IOC) are cancelled. On each side, in priority order (see `orders.py`):

1. An order that stands in the queue is filled by the volume that traded at its price or through
   it, after the shares ahead of it. All volume between two quotes counts as traded at the last
   price. What our orders with priority got of it is gone for the next ones; all of them on the
   instrument together get at most the participation cap, buys before sells.
2. It is then filled by displayed levels of the other side that cross its limit, at its own limit
   price: it was there first, so the maker's price is its own, which is never the better one.
3. An order that is new to the book sweeps the levels of the other side up to its limit and pays
   each level's price. What is left rests behind the shares displayed at its price, if it may.

Our orders never trade with one another.
"""

from dataclasses import dataclass

from tidegate_common.domain.enums import Liquidity, OrderReason, PriceSource
from tidegate_common.domain.units import BPS
from tidegate_execution.engine.blotter import Blotter
from tidegate_execution.engine.orders import InstrumentOrders, WorkingOrder
from tidegate_execution.engine.snapshots import BookMemory, Ladder, Snapshot, TakenLevels


@dataclass(slots=True)
class Tape:
    """Volume that traded between two quotes, as far as one side of ours may still have it.

    free_shares : not yet given to an order of ours on this side.
    """

    last_e4: int
    free_shares: int


@dataclass(frozen=True, slots=True)
class Market:
    """What the orders of one side meet."""

    own: Ladder
    opposite: Ladder
    taken: TakenLevels
    tape: Tape


def match_snapshot(
    orders: InstrumentOrders,
    snapshot: Snapshot,
    memory: BookMemory,
    *,
    participation_bps_max: int,
    blotter: Blotter,
) -> None:
    """Let the orders of an instrument meet its quote."""
    traded_shares = memory.advance(snapshot)
    if not snapshot.is_continuous:
        cancel_immediate(orders, blotter)
        return
    cap_shares = traded_shares * participation_bps_max // BPS
    for side, own, opposite, taken in (
        (orders.buys, snapshot.bids, snapshot.asks, memory.taken_asks),
        (orders.sells, snapshot.asks, snapshot.bids, memory.taken_bids),
    ):
        market = Market(own, opposite, taken, Tape(snapshot.last_e4, traded_shares))
        for order in side:
            if order.is_placed:
                cap_shares -= _fill_from_queue(order, market, cap_shares, blotter)
                _fill_crossed(order, market, blotter)
            else:
                _sweep(order, market, blotter)
                order.is_placed = True
                order.ahead_shares = market.own.shares_at(order.limit_e4)
    cancel_immediate(orders, blotter)


def cancel_immediate(orders: InstrumentOrders, blotter: Blotter) -> None:
    """Cancel what is left of orders that do not wait."""
    for order in orders:
        if order.is_immediate and not order.status.is_terminal:
            blotter.cancel(order, OrderReason.IOC_REMAINDER)


def _fill_from_queue(
    order: WorkingOrder,
    market: Market,
    cap_shares: int,
    blotter: Blotter,
) -> int:
    """Fill an order by the traded volume and return how much it got."""
    tape = market.tape
    if order.ahead_shares is None:
        # The price came into sight: from now on the queue before it is known.
        order.ahead_shares = market.own.shares_at(order.limit_e4)
        return 0
    if tape.free_shares == 0 or not _is_through(order, tape.last_e4):
        return 0
    reached_shares = max(0, tape.free_shares - order.ahead_shares)
    order.ahead_shares = max(0, order.ahead_shares - tape.free_shares)
    filled_shares = min(reached_shares, order.leaves_shares, cap_shares)
    tape.free_shares -= filled_shares
    blotter.fill(
        order,
        price_e4=order.limit_e4,
        quantity_shares=filled_shares,
        source=PriceSource.QUEUE,
        liquidity=Liquidity.MAKER,
    )
    return filled_shares


def _is_through(order: WorkingOrder, last_e4: int) -> bool:
    return last_e4 > 0 and order.accepts(last_e4)


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


def _sweep(order: WorkingOrder, market: Market, blotter: Blotter) -> None:
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
