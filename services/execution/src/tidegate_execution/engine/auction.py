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

from tidegate_common.compiling import called
from tidegate_execution.engine.chains import accepts, add_fill
from tidegate_execution.engine.display import shares_at, take
from tidegate_execution.engine.layout import (
    AT,
    AUCTION,
    BUY,
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
    """Fill orders at the price of an auction that has ended; those left rest in the book.

    Parameters
    ----------
    cap_shares : that all of them may have of the matched volume.
    """
    orders, price_e4 = tables.orders, tables.quote[LAST_NOW]
    for side in (BUY, SELL):
        slot = tables.listings[tables.quote[AT], FIRST_ORDER + side]
        while slot != NOBODY:
            if not orders[slot, IS_IMMEDIATE]:
                shares = min(orders[slot, LEAVES], cap_shares)
                if orders[slot, LIMIT] == price_e4:
                    # What the auction left of the other side.
                    cap_shares -= take(tables, slot, shares, AUCTION)
                elif accepts(orders, slot, price_e4):
                    cap_shares -= shares
                    add_fill(tables, slot, price_e4, shares, AUCTION)
                enter_queue(orders, slot, shares_at(tables.book, side, orders[slot, LIMIT]))
            slot = orders[slot, NEXT]


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
