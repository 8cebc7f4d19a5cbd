"""The five levels of a quote, and what we took of them.

A recorded market does not react to us: the shares that we took stay on display. They count as gone
until the displayed quantity at their price changes; a price that goes out of sight has not changed.
"""

from tidegate_common.compiling import called, inlined
from tidegate_common.domain.units import Int64Array
from tidegate_common.frames.rows import LEVELS
from tidegate_execution.engine.chains import add_fill, is_beyond
from tidegate_execution.engine.layout import (
    AT,
    AUCTION,
    COUNT,
    DISPLAYED,
    FIRST_TAKEN,
    GONE,
    LEAVES,
    LEVEL_TAKEN,
    LIMIT,
    NOBODY,
    PRICE_MAX_E4,
    PRICES,
    SHARES,
    SIDE,
    TAKEN_FREE,
    TAKEN_NEXT,
    TAKEN_PRICE,
    TAKEN_TOP,
    UNTOLD,
    Tables,
)


@called
def read_levels(
    tables: Tables,
    side: int,
    prices_e4: Int64Array,
    shares: Int64Array,
    row: int,
) -> None:
    """Take one side of a quote in hand: the levels that are there."""
    book, count = tables.book, 0
    for level in range(LEVELS):
        if 0 < prices_e4[row, level] <= PRICE_MAX_E4 and shares[row, level] > 0:
            book[side, PRICES + count] = prices_e4[row, level]
            book[side, SHARES + count] = shares[row, level]
            count += 1
    book[side, COUNT] = count


@called
def best_e4(book: Int64Array, side: int) -> int:
    """Return the best price of a side, 0 without a level."""
    price_e4: int = book[side, PRICES] if book[side, COUNT] else 0
    return price_e4


@called
def shares_at(book: Int64Array, side: int, price_e4: int) -> int:
    """Return the shares displayed at a price, UNTOLD where the five levels do not reach it."""
    count = book[side, COUNT]
    for level in range(count):
        if book[side, PRICES + level] == price_e4:
            shares: int = book[side, SHARES + level]
            return shares
    is_told = count < LEVELS or not is_beyond(1 - side, price_e4, book[side, PRICES + LEVELS - 1])
    return 0 if is_told else UNTOLD


@called
def forget_changed(tables: Tables, side: int) -> None:
    """Forget the prices of a side at which the display changed since we took there."""
    taken, listings, at = tables.taken, tables.listings, tables.quote[AT]
    before, row = NOBODY, listings[at, FIRST_TAKEN + side]
    while row != NOBODY:
        after = taken[row, TAKEN_NEXT]
        shown_shares = shares_at(tables.book, side, taken[row, TAKEN_PRICE])
        if shown_shares in (UNTOLD, taken[row, DISPLAYED]):
            before = row
        else:
            if before == NOBODY:
                listings[at, FIRST_TAKEN + side] = after
            else:
                taken[before, TAKEN_NEXT] = after
            taken[row, TAKEN_NEXT] = tables.tally[TAKEN_FREE]
            tables.tally[TAKEN_FREE] = row
        row = after


@called
def has_free(tables: Tables, slot: int) -> bool:
    """Tell whether the other side has the rest of an order free, up to its limit price."""
    orders, book = tables.orders, tables.book
    side, wanted_shares = 1 - orders[slot, SIDE], orders[slot, LEAVES]
    for level in range(book[side, COUNT]):
        price_e4 = book[side, PRICES + level]
        if is_beyond(orders[slot, SIDE], price_e4, orders[slot, LIMIT]):
            break
        wanted_shares -= max(0, book[side, SHARES + level] - _gone_shares(tables, side, price_e4))
        if wanted_shares <= 0:
            return True
    return False


@called
def take(tables: Tables, slot: int, wanted_shares: int, source: int) -> int:
    """Fill an order by what is free of the other side, best level first, and return how much.

    Parameters
    ----------
    source : a sweep (LEVEL_TAKEN) is a fill at each level, at its price; an AUCTION is one fill at
        the last level's; any other is one fill at the order's own price.
    """
    orders, book, taken_shares = tables.orders, tables.book, 0
    side, fill_price_e4 = 1 - orders[slot, SIDE], orders[slot, LIMIT]
    for level in range(book[side, COUNT]):
        price_e4 = book[side, PRICES + level]
        is_done = taken_shares == wanted_shares
        if is_done or is_beyond(orders[slot, SIDE], price_e4, orders[slot, LIMIT]):
            break
        shares = _take_at(tables, side, level, wanted_shares - taken_shares)
        taken_shares += shares
        if source == LEVEL_TAKEN:
            add_fill(tables, slot, price_e4, shares, source)
        if source == AUCTION and shares > 0:
            fill_price_e4 = price_e4
    if source != LEVEL_TAKEN:
        add_fill(tables, slot, fill_price_e4, taken_shares, source)
    return taken_shares


@inlined
def _take_at(tables: Tables, side: int, level: int, wanted_shares: int) -> int:
    """Take what is free at a level and return how many shares."""
    taken, book = tables.taken, tables.book
    price_e4, displayed_shares = book[side, PRICES + level], book[side, SHARES + level]
    row = _taken_row(tables, side, price_e4)
    gone_shares = 0 if row == NOBODY else taken[row, GONE]
    shares: int = min(displayed_shares - gone_shares, wanted_shares)
    if shares <= 0:
        return 0
    if row == NOBODY:
        row = _new_row(tables, side, price_e4)
    taken[row, DISPLAYED] = displayed_shares
    taken[row, GONE] = gone_shares + shares
    return shares


@called
def _gone_shares(tables: Tables, side: int, price_e4: int) -> int:
    row = _taken_row(tables, side, price_e4)
    shares: int = 0 if row == NOBODY else tables.taken[row, GONE]
    return shares


@called
def _taken_row(tables: Tables, side: int, price_e4: int) -> int:
    row: int = tables.listings[tables.quote[AT], FIRST_TAKEN + side]
    while row != NOBODY and tables.taken[row, TAKEN_PRICE] != price_e4:
        row = tables.taken[row, TAKEN_NEXT]
    return row


@called
def _new_row(tables: Tables, side: int, price_e4: int) -> int:
    """Return a row for a price at which we take for the first time; there is always one left."""
    taken, tally, at = tables.taken, tables.tally, tables.quote[AT]
    row: int = tally[TAKEN_FREE]
    if row == NOBODY:
        row = tally[TAKEN_TOP]
        tally[TAKEN_TOP] = row + 1
    else:
        tally[TAKEN_FREE] = taken[row, TAKEN_NEXT]
    taken[row, TAKEN_PRICE] = price_e4
    taken[row, TAKEN_NEXT] = tables.listings[at, FIRST_TAKEN + side]
    tables.listings[at, FIRST_TAKEN + side] = row
    return row
