"""Matching where many orders meet at one price: call auctions, and fixed-price trading after hours.

A call auction is told by its first quote after the call: the volume that grew is what it matched,
the last price is the price of all of it. Whom our orders would have displaced on their own side
nobody can tell, so they fill as far as shares of the other side are left on display up to their
limit, for those would have met them, and up to the participation cap of the matched volume. One
auction has one price: ours of a side pay that of the last level they needed, never a better one
than the recorded price. That is less than an exchange would give them: it fills whoever offered
more as a whole. Orders that do not wait have no part in an auction.

After hours what trades between two quotes trades at the close, in order of time. Nobody can tell
the queue, so our orders whose limit accepts the close share the participation cap of it.
"""

from tidegate_common.compiling import called, inlined
from tidegate_execution.engine.chains import accepts, add_fill, is_beyond
from tidegate_execution.engine.display import shares_at, take
from tidegate_execution.engine.layout import (
    AT,
    AUCTION,
    BUY,
    FILL_PRICE,
    FILLS,
    FIRST_ORDER,
    FIXED_PRICE,
    FIXED_PRICE_QUEUE,
    IS_IMMEDIATE,
    IS_PLACED,
    KIND,
    KIND_LIMIT,
    LAST_NOW,
    LEAVES,
    LIMIT,
    NEXT,
    NOBODY,
    SELL,
    UNTOLD,
    Tables,
)
from tidegate_execution.engine.queue import enter_queue


@called
def match_auction(tables: Tables, cap_shares: int) -> None:
    """Fill orders in an auction that has ended; those left rest in the book.

    Parameters
    ----------
    cap_shares : that all of them may have of the matched volume.
    """
    orders, price_e4 = tables.orders, tables.quote[LAST_NOW]
    for side in (BUY, SELL):
        first_fill = tables.tally[FILLS]
        slot = tables.listings[tables.quote[AT], FIRST_ORDER + side]
        while slot != NOBODY:
            if not orders[slot, IS_IMMEDIATE]:
                if accepts(orders, slot, price_e4):
                    shares = min(orders[slot, LEAVES], cap_shares)
                    cap_shares -= take(tables, slot, shares, AUCTION)
                enter_queue(orders, slot, shares_at(tables.book, side, orders[slot, LIMIT]))
            slot = orders[slot, NEXT]
        _settle_at_one_price(tables, side, first_fill)


@inlined
def _settle_at_one_price(tables: Tables, side: int, first_fill: int) -> None:
    """Give all fills of a side the worst price among them and the auction's.

    Every order accepts it: one behind got shares of a level only where nothing was left before it.
    """
    fills, price_e4 = tables.fills, tables.quote[LAST_NOW]
    for row in range(first_fill, tables.tally[FILLS]):
        if is_beyond(side, fills[row, FILL_PRICE], price_e4):
            price_e4 = fills[row, FILL_PRICE]
    for row in range(first_fill, tables.tally[FILLS]):
        fills[row, FILL_PRICE] = price_e4


@called
def join_call(tables: Tables) -> None:
    """Let new orders take part in a call auction; they do not sweep the book after it."""
    orders = tables.orders
    for side in (BUY, SELL):
        slot = tables.listings[tables.quote[AT], FIRST_ORDER + side]
        while slot != NOBODY:
            if not orders[slot, IS_PLACED] and orders[slot, KIND] == KIND_LIMIT:
                enter_queue(orders, slot, UNTOLD)
            slot = orders[slot, NEXT]


@called
def match_fixed_price(tables: Tables, cap_shares: int) -> None:
    """Fill orders of after-hours trading at the close.

    Parameters
    ----------
    cap_shares : that all of them may have of the traded volume.
    """
    orders, close_e4 = tables.orders, tables.quote[LAST_NOW]
    slot = tables.listings[tables.quote[AT], FIRST_ORDER + FIXED_PRICE_QUEUE]
    while slot != NOBODY:
        if accepts(orders, slot, close_e4):
            shares = min(orders[slot, LEAVES], cap_shares)
            cap_shares -= shares
            add_fill(tables, slot, close_e4, shares, FIXED_PRICE)
        slot = orders[slot, NEXT]
