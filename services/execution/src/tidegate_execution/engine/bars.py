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

from tidegate_common.compiling import called, inlined
from tidegate_execution.engine.chains import accepts, add_fill, is_beyond
from tidegate_execution.engine.layout import (
    AT,
    AT_OPEN,
    BUY,
    FILLS,
    FIRST_ORDER,
    INSIDE_BAR,
    IS_FILL_OR_KILL,
    IS_PLACED,
    KIND,
    KIND_LIMIT,
    LEAVES,
    LIMIT,
    LIMIT_DOWN,
    LIMIT_UP,
    NEXT,
    NOBODY,
    OPEN_SHARES,
    PRICE_MAX_E4,
    SELL,
    VOLUME_AT_OPEN,
    Tables,
)


@called
def match_open(tables: Tables, open_e4: int, volume_shares: int, cap_shares: int) -> None:
    """Fill orders that are new to the market at an opening price, before slippage.

    Parameters
    ----------
    volume_shares : > 0 where the cap is; the slippage is reckoned with it.
    cap_shares : that all of them may have of it.
    """
    orders, listings, at = tables.orders, tables.listings, tables.quote[AT]
    left_shares = cap_shares
    for side in (BUY, SELL):
        slot = listings[at, FIRST_ORDER + side]
        is_locked = open_e4 >= listings[at, LIMIT_UP]
        if side == SELL:
            is_locked = open_e4 <= listings[at, LIMIT_DOWN]
        is_closed = is_locked or open_e4 > PRICE_MAX_E4
        while slot != NOBODY:
            shares = min(orders[slot, LEAVES], left_shares)
            is_asked = not (is_closed or orders[slot, IS_PLACED])
            if is_asked and _is_whole(tables, slot, shares) and accepts(orders, slot, open_e4):
                tables.fills[tables.tally[FILLS], VOLUME_AT_OPEN] = volume_shares
                add_fill(tables, slot, open_e4, shares, AT_OPEN)
                left_shares -= shares
            slot = orders[slot, NEXT]
    listings[at, OPEN_SHARES] = cap_shares - left_shares


@called
def match_inside(tables: Tables, high_e4: int, low_e4: int, cap_shares: int) -> None:
    """Fill limit orders through which a bar traded, at their limit prices.

    Parameters
    ----------
    cap_shares : that all of them may have of the bar's volume.
    """
    orders = tables.orders
    for side in (BUY, SELL):
        # The best that the bar had for us.
        price_e4 = low_e4 if side == BUY else high_e4
        slot = tables.listings[tables.quote[AT], FIRST_ORDER + side]
        while slot != NOBODY:
            limit_e4, shares = orders[slot, LIMIT], min(orders[slot, LEAVES], cap_shares)
            is_through = is_beyond(side, limit_e4, price_e4)
            if orders[slot, KIND] == KIND_LIMIT and is_through and _is_whole(tables, slot, shares):
                cap_shares -= shares
                add_fill(tables, slot, limit_e4, shares, INSIDE_BAR)
            slot = orders[slot, NEXT]


@called
def place_all(tables: Tables) -> None:
    """Let the orders that are left be new no more."""
    for side in (BUY, SELL):
        slot = tables.listings[tables.quote[AT], FIRST_ORDER + side]
        while slot != NOBODY:
            tables.orders[slot, IS_PLACED] = 1
            slot = tables.orders[slot, NEXT]


@inlined
def _is_whole(tables: Tables, slot: int, shares: int) -> bool:
    """Tell whether a part of an order is all of it, or need not be."""
    is_rest = shares == tables.orders[slot, LEAVES]
    return bool(is_rest or not tables.orders[slot, IS_FILL_OR_KILL])
