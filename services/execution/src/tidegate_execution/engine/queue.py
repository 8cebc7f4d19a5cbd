"""The place of a resting order in the queue at its price, and what trades give it.

The feed tells how much traded between two quotes and the last price of it; all of it counts as
traded at that price. For an order that rests:

- A trade *through* its price means that its whole price was traded away: nobody is ahead of it,
  and all of the volume could have been its own.
- Volume *at* its price takes those ahead first; the excess is its own.
- What its price shows in the next quote bounds who can still be ahead. Where the display shrank by
  more than what traded there, orders were cancelled: `QueueCancels` says whose.
- Beyond the five levels nobody can tell the queue: it is asked when the price comes into sight.

A queue is one price: what our own orders before it got of a volume, it does not get again.
"""

from tidegate_common.compiling import called, inlined
from tidegate_common.domain.units import Int64Array
from tidegate_execution.engine.chains import accepts
from tidegate_execution.engine.display import shares_at
from tidegate_execution.engine.layout import (
    AHEAD,
    INT64_MAX,
    IS_PLACED,
    IS_PROPORTIONAL,
    LAST_NOW,
    LIMIT,
    QUEUE_VOLUME,
    SHOWN,
    SIDE,
    TAPE,
    UNTOLD,
    Tables,
)


@called
def enter_queue(orders: Int64Array, slot: int, shown_shares: int) -> None:
    """Put an order behind all that its price shows; nobody can tell in an auction (UNTOLD)."""
    orders[slot, IS_PLACED] = 1
    orders[slot, SHOWN] = shown_shares
    orders[slot, AHEAD] = shown_shares


@inlined
def reached_shares(tables: Tables, slot: int) -> int:
    """Let the tape pass an order's queue and return how many shares come to the order."""
    orders = tables.orders
    last_e4, free_shares = tables.quote[LAST_NOW], tables.quote[TAPE]
    if free_shares == 0 or last_e4 == 0 or not accepts(orders, slot, last_e4):
        return 0
    if orders[slot, LIMIT] != last_e4:
        orders[slot, AHEAD] = 0
        return int(free_shares)
    if orders[slot, AHEAD] == UNTOLD:
        return 0
    passed_shares = min(orders[slot, AHEAD], free_shares)
    orders[slot, AHEAD] -= passed_shares
    return int(free_shares - passed_shares)


@inlined
def see_display(tables: Tables, slot: int) -> None:
    """Bring an order's place in line with what its price shows now."""
    orders = tables.orders
    shown_shares = shares_at(tables.book, orders[slot, SIDE], orders[slot, LIMIT])
    before_shares, ahead_shares = orders[slot, SHOWN], orders[slot, AHEAD]
    orders[slot, SHOWN] = shown_shares
    if shown_shares == UNTOLD:
        return
    if ahead_shares == UNTOLD:
        orders[slot, AHEAD] = shown_shares
        return
    if tables.rules[IS_PROPORTIONAL] and before_shares != UNTOLD:
        # A trade through the price says nothing of who stands at it.
        is_at_last = orders[slot, LIMIT] == tables.quote[LAST_NOW]
        left_shares = before_shares - (tables.quote[QUEUE_VOLUME] if is_at_last else 0)
        ahead_shares = _still_ahead(ahead_shares, left_shares, shown_shares)
    orders[slot, AHEAD] = min(ahead_shares, shown_shares)


@inlined
def _still_ahead(ahead_shares: int, left_shares: int, shown_shares: int) -> int:
    """Return the part of those ahead that stayed, rounded up, if some of those left went away.

    Where the product would not fit, at three billion shares and more, none of those ahead went.
    """
    # Those still ahead are at most all that is left, so the rest is never negative.
    if left_shares > shown_shares:
        ahead_shares = min(ahead_shares, left_shares)
        if shown_shares == 0 or ahead_shares <= INT64_MAX // shown_shares:
            ahead_shares = -(-ahead_shares * shown_shares // left_shares)
    return ahead_shares
