"""Matching against a five-level book, one by one, as in continuous trading.

On each side, in priority order (see `chains.py`):

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

from tidegate_common.compiling import called, inlined
from tidegate_execution.engine.chains import accepts, add_fill, cancel, is_working
from tidegate_execution.engine.display import best_e4, has_free, shares_at, take
from tidegate_execution.engine.layout import (
    AT,
    BUY,
    CAP,
    CONTINUOUS,
    FILL_PRICE,
    FILLS,
    FIRST_ORDER,
    FIXED_PRICE_QUEUE,
    HAS_REPRICED,
    IMMEDIATE_REST,
    IS_FILL_OR_KILL,
    IS_IMMEDIATE,
    IS_PLACED,
    KILLED,
    KIND,
    KIND_COUNTERPARTY_BEST,
    KIND_LIMIT,
    KIND_OWN_BEST,
    KIND_TO_LIMIT,
    LEAVES,
    LEVEL_MADE,
    LEVEL_TAKEN,
    LIMIT,
    NEXT,
    NO_PRICE,
    NOBODY,
    PHASE_NOW,
    QUEUE_VOLUME,
    QUEUED,
    SELL,
    SIDE,
    TAPE,
    Tables,
)
from tidegate_execution.engine.queue import enter_queue, reached_shares, see_display


@called
def match_book(tables: Tables) -> None:
    """Let the orders of an instrument meet its quote; CAP is what they may have of the volume."""
    orders, quote = tables.orders, tables.quote
    for side in (BUY, SELL):
        quote[TAPE] = quote[QUEUE_VOLUME]
        slot = tables.listings[quote[AT], FIRST_ORDER + side]
        while slot != NOBODY:
            if orders[slot, IS_PLACED]:
                _fill_from_queue(tables, slot)
            if quote[PHASE_NOW] == CONTINUOUS:
                _meet_display(tables, slot)
            slot = orders[slot, NEXT]


@called
def cancel_immediate(tables: Tables) -> None:
    """Cancel what is left of orders that do not wait, or found no book to take a price from."""
    orders = tables.orders
    for queue in range(FIRST_ORDER, FIRST_ORDER + FIXED_PRICE_QUEUE):
        slot = tables.listings[tables.quote[AT], queue]
        while slot != NOBODY:
            is_unpriced = orders[slot, KIND] != KIND_LIMIT and not orders[slot, IS_PLACED]
            if (orders[slot, IS_IMMEDIATE] or is_unpriced) and is_working(orders, slot):
                reason = KILLED if orders[slot, IS_FILL_OR_KILL] else IMMEDIATE_REST
                cancel(tables, slot, reason)
            slot = orders[slot, NEXT]


@inlined
def _fill_from_queue(tables: Tables, slot: int) -> None:
    """Fill an order by the traded volume."""
    orders, quote = tables.orders, tables.quote
    shares = min(reached_shares(tables, slot), orders[slot, LEAVES], quote[CAP])
    quote[TAPE] -= shares
    quote[CAP] -= shares
    add_fill(tables, slot, orders[slot, LIMIT], shares, QUEUED)


@inlined
def _meet_display(tables: Tables, slot: int) -> None:
    orders = tables.orders
    if orders[slot, IS_PLACED]:
        see_display(tables, slot)
        take(tables, slot, orders[slot, LEAVES], LEVEL_MADE)
    elif _take_price(tables, slot):
        _enter(tables, slot)
    else:
        cancel(tables, slot, NO_PRICE)


@inlined
def _take_price(tables: Tables, slot: int) -> bool:
    """Give an order the best price that it asks for; tell whether it has a price now."""
    side = tables.orders[slot, SIDE]
    if tables.orders[slot, KIND] == KIND_COUNTERPARTY_BEST:
        return _set_price(tables, slot, best_e4(tables.book, 1 - side))
    if tables.orders[slot, KIND] == KIND_OWN_BEST:
        return _set_price(tables, slot, best_e4(tables.book, side))
    return True


@called
def _set_price(tables: Tables, slot: int, price_e4: int) -> bool:
    """Give an order a price of the book; one beyond the day's limit is a fault of the feed."""
    if price_e4 == 0 or not accepts(tables.orders, slot, price_e4):
        return False
    tables.orders[slot, LIMIT] = price_e4
    tables.tally[HAS_REPRICED] = 1
    return True


@inlined
def _enter(tables: Tables, slot: int) -> None:
    """Let an order that is new sweep, and put what is left of it into the queue."""
    orders, side = tables.orders, tables.orders[slot, SIDE]
    if orders[slot, IS_FILL_OR_KILL] and not has_free(tables, slot):
        return
    price_e4 = best_e4(tables.book, side)
    if take(tables, slot, orders[slot, LEAVES], LEVEL_TAKEN):
        price_e4 = tables.fills[tables.tally[FILLS] - 1, FILL_PRICE]
    is_to_limit = orders[slot, KIND] == KIND_TO_LIMIT and orders[slot, LEAVES] > 0
    if is_to_limit and not _set_price(tables, slot, price_e4):
        cancel(tables, slot, NO_PRICE)
    enter_queue(orders, slot, shares_at(tables.book, side, orders[slot, LIMIT]))
