"""The frames of a beat against our orders, instrument by instrument; compiled.

This is the hot loop of the exchange: every instrument is looked at in every beat. It writes down
what happened to orders (fills and ends, see `layout.py`), and Python sees those alone. Instruments
that a frame does not have, or that have neither orders of ours nor shares that we took, cost
nothing but their new quote.

Prices and shares are at least 0, and no product of the two is made here, so nothing overflows; what
Python makes of them afterwards fits 64 bits too, because a price has a greatest value.
"""

import numpy as np
from numpy.typing import NDArray

from tidegate_common.compiling import called, compiled, inlined
from tidegate_common.domain.units import Int64Array
from tidegate_common.frames.rows import LEVELS
from tidegate_execution.engine.auction import join_call, match_auction, match_fixed_price
from tidegate_execution.engine.bars import match_inside, match_open, place_all
from tidegate_execution.engine.book import cancel_immediate, match_book
from tidegate_execution.engine.chains import dequeue, enqueue, tidy_queues
from tidegate_execution.engine.display import forget_changed, read_levels
from tidegate_execution.engine.layout import (
    AFTER_HOURS,
    ASK,
    AT,
    BID,
    BPS,
    BUY,
    CAP,
    CLOSE_CALL,
    CLOSED,
    CONTINUOUS,
    FIRST_ORDER,
    FIRST_TAKEN,
    FIXED_PRICE_QUEUE,
    INSTRUMENT,
    LAST,
    LAST_NOW,
    LIMIT_DOWN,
    LIMIT_UP,
    LISTING_COLUMNS,
    LUNCH,
    NOBODY,
    OPEN_CALL,
    OPEN_CALL_LOCKED,
    OPEN_SHARES,
    ORDER_COLUMNS,
    PARTICIPATION_BPS,
    PAUSE,
    PHASE,
    PHASE_BEFORE,
    PHASE_NOW,
    PRICE_MAX_E4,
    QUEUE_VOLUME,
    SELL,
    TRADED,
    VOLUME,
    Tables,
)

# A call auction gathers orders; what follows one, and where nothing trades one by one.
_CALLS = (OPEN_CALL, OPEN_CALL_LOCKED, CLOSE_CALL)
_BREAKS = (PAUSE, LUNCH)
_AFTER_CALLS = (PAUSE, LUNCH, CLOSED, AFTER_HOURS)


@compiled
def match_quotes(
    tables: Tables,
    instruments: Int64Array,
    phases: NDArray[np.uint8],
    last_e4: Int64Array,
    volume_shares: Int64Array,
    bid_price_e4: Int64Array,
    bid_shares: Int64Array,
    ask_price_e4: Int64Array,
    ask_shares: Int64Array,
) -> None:
    """Let orders meet the quotes of a frame, and keep those as the last ones.

    Parameters
    ----------
    instruments : (n,) int64, sorted; one without a listing is left out.
    phases : (n,) uint8. The others as in `QuoteRows`.
    """
    listings, quote, at = tables.listings, tables.quote, 0
    for row in range(len(instruments)):
        at = _seek(listings, at, instruments[row])
        if at == NOBODY:
            break
        if listings[at, INSTRUMENT] != instruments[row]:
            continue
        if _has_orders(listings, at) or _has_taken(listings, at):
            quote[AT] = at
            quote[PHASE_NOW] = phases[row]
            quote[LAST_NOW] = last_e4[row] if last_e4[row] <= PRICE_MAX_E4 else 0
            _reckon_traded(tables, volume_shares[row])
            read_levels(tables, BUY, bid_price_e4, bid_shares, row)
            read_levels(tables, SELL, ask_price_e4, ask_shares, row)
            _meet_quote(tables)
        listings[at, PHASE] = phases[row]
        listings[at, VOLUME] = max(listings[at, VOLUME], volume_shares[row])
        listings[at, BID] = bid_price_e4[row, 0]
        listings[at, ASK] = ask_price_e4[row, 0]
        listings[at, LAST] = last_e4[row]


@compiled
def match_day_open(
    tables: Tables,
    open_e4: Int64Array,
    volume_shares: Int64Array,
) -> None:
    """Fill orders at the day's opening prices.

    Parameters
    ----------
    open_e4 : (n,) int64, of the listings, 0 for none.
    volume_shares : (n,) int64, of the last day that each traded.
    """
    for at in range(len(open_e4)):
        if open_e4[at] > 0 and _has_orders(tables.listings, at):
            tables.quote[AT] = at
            cap_shares = _cap_shares(tables, volume_shares[at])
            match_open(tables, open_e4[at], volume_shares[at], cap_shares)
            cancel_immediate(tables)
            tidy_queues(tables)


@compiled
def match_bars(
    tables: Tables,
    instruments: Int64Array,
    open_e4: Int64Array,
    high_e4: Int64Array,
    low_e4: Int64Array,
    volume_shares: Int64Array,
) -> None:
    """Let orders meet the bars of a period or of the day.

    Parameters
    ----------
    instruments : (n,) int64, sorted; one without a listing is left out. The others as in `BarRows`.
    open_e4 : (n,) int64; (0,) where an earlier beat has told the opening.
    """
    listings, at = tables.listings, 0
    for row in range(len(instruments)):
        at = _seek(listings, at, instruments[row])
        if at == NOBODY:
            break
        if listings[at, INSTRUMENT] == instruments[row] and _has_orders(listings, at):
            tables.quote[AT] = at
            cap_shares = _cap_shares(tables, volume_shares[row])
            if len(open_e4):
                is_one_price = high_e4[row] == low_e4[row]
                is_locked = is_one_price and _is_at_limit(listings, at, open_e4[row])
                open_cap_shares = 0 if is_locked else cap_shares
                match_open(tables, open_e4[row], volume_shares[row], open_cap_shares)
            left_shares = max(0, cap_shares - listings[at, OPEN_SHARES])
            match_inside(tables, high_e4[row], low_e4[row], left_shares)
            cancel_immediate(tables)
            place_all(tables)
            tidy_queues(tables)


@compiled
def place(orders: Int64Array, listings: Int64Array, slot: int) -> None:
    """Put an order that is new into its queue."""
    enqueue(orders, listings, slot)


@compiled
def withdraw(orders: Int64Array, listings: Int64Array, slot: int) -> None:
    """Take an order that ended otherwise than by a match out of its queue."""
    dequeue(orders, listings, slot)


def warm_up() -> None:
    """Compile what is compiled at its first call, or load it: that takes seconds, or one."""
    rows, nothing = np.zeros((1, 1), np.int64), np.zeros(0, np.int64)
    levels, phases = np.zeros((0, LEVELS), np.int64), np.zeros(0, np.uint8)
    for column in (levels, phases):
        column.flags.writeable = False
    told = nothing.view()
    told.flags.writeable = False
    tables = Tables(rows, rows, rows, rows, nothing, nothing, rows, nothing, nothing)
    match_quotes(tables, told, phases, told, told, levels, levels, levels, levels)
    match_day_open(tables, told, nothing)
    match_bars(tables, told, told, told, told, told)
    orders = np.zeros((1, ORDER_COLUMNS), np.int64)
    listings = np.full((1, LISTING_COLUMNS), NOBODY, np.int64)
    place(orders, listings, 0)
    withdraw(orders, listings, 0)


@inlined
def _seek(listings: Int64Array, at: int, instrument: int) -> int:
    """Return the first row from a row on that is not before an instrument, NOBODY without one."""
    while at < len(listings):
        if listings[at, INSTRUMENT] >= instrument:
            return at
        at += 1
    return NOBODY


@inlined
def _has_orders(listings: Int64Array, at: int) -> bool:
    return bool(
        listings[at, FIRST_ORDER + BUY] != NOBODY
        or listings[at, FIRST_ORDER + SELL] != NOBODY
        or listings[at, FIRST_ORDER + FIXED_PRICE_QUEUE] != NOBODY
    )


@inlined
def _has_taken(listings: Int64Array, at: int) -> bool:
    """Tell whether displayed shares of an instrument count as gone."""
    return bool(
        listings[at, FIRST_TAKEN + BUY] != NOBODY or listings[at, FIRST_TAKEN + SELL] != NOBODY
    )


@inlined
def _is_at_limit(listings: Int64Array, at: int, price_e4: int) -> bool:
    return bool(price_e4 == listings[at, LIMIT_DOWN] or price_e4 == listings[at, LIMIT_UP])


@called
def _cap_shares(tables: Tables, volume_shares: int) -> int:
    """Return what our orders may have of a volume; whole multiples apart, so nothing overflows."""
    bps = tables.rules[PARTICIPATION_BPS]
    return int(volume_shares // BPS * bps + volume_shares % BPS * bps // BPS)


@inlined
def _reckon_traded(tables: Tables, volume_shares: int) -> None:
    """Tell what traded since the quote before, and how much of it in continuous trading.

    A cumulative volume that falls is a fault of the feed: nothing traded, and it counts again once
    it is above the highest one. What traded before the first quote of a day fills nobody, because
    every rule asks for the phase before.
    """
    quote, listings, at = tables.quote, tables.listings, tables.quote[AT]
    before, now = listings[at, PHASE], quote[PHASE_NOW]
    traded_shares = max(volume_shares - listings[at, VOLUME], 0)
    was_continuous = before == CONTINUOUS
    has_begun = now == CONTINUOUS and before in _BREAKS
    quote[PHASE_BEFORE] = before
    quote[TRADED] = traded_shares
    quote[QUEUE_VOLUME] = traded_shares if was_continuous or has_begun else 0


@inlined
def _meet_quote(tables: Tables) -> None:
    quote = tables.quote
    if quote[PHASE_NOW] == CONTINUOUS:
        # One of an auction shows what would trade, not what is left.
        forget_changed(tables, BUY)
        forget_changed(tables, SELL)
    has_traded = quote[TRADED] > 0 and quote[LAST_NOW] > 0
    if quote[PHASE_NOW] in _CALLS:
        join_call(tables)
    elif has_traded and quote[PHASE_BEFORE] in _CALLS and quote[PHASE_NOW] in _AFTER_CALLS:
        # Where continuous trading was reached already, nobody can tell the volume of the two apart.
        match_auction(tables, _cap_shares(tables, quote[TRADED]))
    if has_traded and quote[PHASE_BEFORE] == AFTER_HOURS:
        match_fixed_price(tables, _cap_shares(tables, quote[TRADED]))
    quote[CAP] = _cap_shares(tables, quote[QUEUE_VOLUME])
    match_book(tables)
    cancel_immediate(tables)
    tidy_queues(tables)
