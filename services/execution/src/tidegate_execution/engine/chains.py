"""Orders of an instrument in their queues, and what changes those: fills and ends.

A queue is a chain of rows in priority order: price, beat, account, sequence; after hours price is
nothing.
"""

from tidegate_common.compiling import called, inlined
from tidegate_common.domain.units import Int64Array
from tidegate_execution.engine.layout import (
    ACCOUNT,
    AT,
    BEAT,
    END,
    ENDS,
    FILL_PRICE,
    FILL_SHARES,
    FILL_SLOT,
    FILLS,
    FIRST_ORDER,
    FIXED_PRICE_QUEUE,
    HAS_ENDED,
    HAS_REPRICED,
    LEAVES,
    LIMIT,
    LISTING,
    NEXT,
    NOBODY,
    QUEUE,
    QUEUES,
    SELL,
    SEQUENCE,
    SIDE,
    SOURCE,
    WORKING,
    Tables,
)


@called
def is_beyond(side: int, price_e4: int, limit_e4: int) -> bool:
    """Tell whether a price is worse than a limit for orders of a side."""
    return bool(price_e4 < limit_e4) if side == SELL else bool(price_e4 > limit_e4)


@called
def accepts(orders: Int64Array, slot: int, price_e4: int) -> bool:
    """Tell whether an order may trade at a price."""
    return not is_beyond(orders[slot, SIDE], price_e4, orders[slot, LIMIT])


@called
def is_working(orders: Int64Array, slot: int) -> bool:
    """Tell whether an order is neither filled nor cancelled."""
    return bool(orders[slot, LEAVES] > 0 and orders[slot, END] == WORKING)


@called
def add_fill(tables: Tables, slot: int, price_e4: int, shares: int, source: int) -> None:
    """Fill a part of an order, or its rest; no shares are no fill."""
    if shares == 0:
        return
    row = tables.tally[FILLS]
    tables.tally[FILLS] = row + 1
    tables.fills[row, FILL_SLOT] = slot
    tables.fills[row, FILL_PRICE] = price_e4
    tables.fills[row, FILL_SHARES] = shares
    tables.fills[row, SOURCE] = source
    tables.orders[slot, LEAVES] -= shares
    if tables.orders[slot, LEAVES] == 0:
        tables.tally[HAS_ENDED] = 1


@called
def cancel(tables: Tables, slot: int, reason: int) -> None:
    """Cancel what is left of an order."""
    tables.orders[slot, END] = reason
    tables.tally[HAS_ENDED] = 1


@called
def enqueue(orders: Int64Array, listings: Int64Array, slot: int) -> None:
    """Put an order at its place in its queue."""
    at, queue = orders[slot, LISTING], FIRST_ORDER + orders[slot, QUEUE]
    before, behind = NOBODY, listings[at, queue]
    while behind != NOBODY and not _precedes(orders, slot, behind):
        before, behind = behind, orders[behind, NEXT]
    orders[slot, NEXT] = behind
    if before == NOBODY:
        listings[at, queue] = slot
    else:
        orders[before, NEXT] = slot


@called
def dequeue(orders: Int64Array, listings: Int64Array, slot: int) -> None:
    """Take an order out of its queue."""
    at, queue = orders[slot, LISTING], FIRST_ORDER + orders[slot, QUEUE]
    if listings[at, queue] == slot:
        listings[at, queue] = orders[slot, NEXT]
        return
    before = listings[at, queue]
    while orders[before, NEXT] != slot:
        before = orders[before, NEXT]
    orders[before, NEXT] = orders[slot, NEXT]


@called
def tidy_queues(tables: Tables) -> None:
    """Take out the orders of an instrument that ended, and sort those that took another price."""
    at = tables.quote[AT]
    for queue in range(FIRST_ORDER, FIRST_ORDER + QUEUES):
        if tables.tally[HAS_ENDED]:
            _drop_ended(tables, at, queue)
        if tables.tally[HAS_REPRICED]:
            _sort(tables.orders, tables.listings, at, queue)
    tables.tally[HAS_ENDED] = 0
    tables.tally[HAS_REPRICED] = 0


@inlined
def _drop_ended(tables: Tables, at: int, queue: int) -> None:
    orders, listings = tables.orders, tables.listings
    before, slot = NOBODY, listings[at, queue]
    while slot != NOBODY:
        behind = orders[slot, NEXT]
        if is_working(orders, slot):
            before = slot
        else:
            tables.ended[tables.tally[ENDS]] = slot
            tables.tally[ENDS] += 1
            if before == NOBODY:
                listings[at, queue] = behind
            else:
                orders[before, NEXT] = behind
        slot = behind


@inlined
def _sort(orders: Int64Array, listings: Int64Array, at: int, queue: int) -> None:
    slot = listings[at, queue]
    listings[at, queue] = NOBODY
    while slot != NOBODY:
        behind = orders[slot, NEXT]
        enqueue(orders, listings, slot)
        slot = behind


@inlined
def _precedes(orders: Int64Array, first: int, second: int) -> bool:
    if orders[first, QUEUE] != FIXED_PRICE_QUEUE and orders[first, LIMIT] != orders[second, LIMIT]:
        return is_beyond(orders[first, SIDE], orders[first, LIMIT], orders[second, LIMIT])
    if orders[first, BEAT] != orders[second, BEAT]:
        return bool(orders[first, BEAT] < orders[second, BEAT])
    if orders[first, ACCOUNT] != orders[second, ACCOUNT]:
        return bool(orders[first, ACCOUNT] < orders[second, ACCOUNT])
    return bool(orders[first, SEQUENCE] < orders[second, SEQUENCE])
