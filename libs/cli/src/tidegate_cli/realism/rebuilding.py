"""The orders that a day of trades and cancels tells of: those that traded while they rested.

In continuous trading the later of a trade's two orders came and met the earlier one, at the earlier
one's price. So an order that ever traded while it rested has a price; its side, its number and what
it traded and cancelled are told as well, and its number says between which messages it came. It
came to rest at once, or after its last trade as the one that came. What it had left at the end of
the day is not told.

Nobody can tell the price of an order that was cancelled without such a trade, or that traded in a
call auction only. So the rebuilt book shows a part of each level, and of the orders that came to
rest only a part: whoever stands in it stands in a queue that is too short.
"""

from typing import Final

import numpy as np

from tidegate_cli.realism.streams import MessageKind, Stream
from tidegate_cli.realism.trades import TradesAndCancels
from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.market.sessions import NS_PER_SECOND, shanghai_ns

# Continuous trading of a day, in seconds: 09:30 to 14:57, with nothing over lunch.
_OPENS: Final = 34_200
_CLOSES: Final = 53_820


def rebuild(record: TradesAndCancels) -> Stream:
    """Return the stream of the orders whose prices are told, with all trades.

    Parameters
    ----------
    record : with at least one trade in continuous trading.
    """
    is_trade = record.kind == MessageKind.TRADE
    seconds = (record.ts_event_ns - shanghai_ns(record.trade_date, 0)) // NS_PER_SECOND
    is_continuous = is_trade & (seconds >= _OPENS) & (seconds < _CLOSES)
    resting = np.minimum(record.buy, record.sell)
    orders, first = np.unique(resting[is_continuous], return_index=True)
    is_buy = (record.buy == resting)[is_continuous][first]
    rests_from = _rests_from(
        record,
        orders,
        is_continuous=is_continuous,
        is_opening=is_trade & (seconds < _OPENS),
    )
    adds = (
        np.full(len(orders), MessageKind.ADD),
        _times_ns(record, rests_from),
        is_buy.astype(np.int64),
        record.price_e4[is_continuous][first],
        _shares(record, orders, rests_from),
        orders,
        np.zeros(len(orders), np.int64),
        np.zeros(len(orders), np.int64),
    )
    cancelled = np.where(is_trade, 0, np.maximum(record.buy, record.sell))
    told = is_trade | np.isin(cancelled, orders)
    others = (
        record.kind,
        record.ts_event_ns,
        (np.where(is_trade, record.buy > record.sell, record.buy > 0)).astype(np.int64),
        record.price_e4,
        record.shares,
        cancelled,
        np.where(is_trade, record.buy, 0),
        np.where(is_trade, record.sell, 0),
    )
    # An order comes to rest after the trade that it rests from.
    sequence = np.concatenate([rests_from, record.sequence[told]])
    is_add = np.arange(len(sequence)) < len(orders)
    in_order = np.lexsort((is_add, sequence))
    columns = [
        np.concatenate([add, other[told]])[in_order]
        for add, other in zip(adds, others, strict=True)
    ]
    return Stream(record.instrument, record.trade_date, *columns)


def _rests_from(
    record: TradesAndCancels,
    orders: Int64Array,
    *,
    is_continuous: BoolArray,
    is_opening: BoolArray,
) -> Int64Array:
    """Return after which number of the sequence each order rests: its own, or a trade's."""
    rests_from = orders.copy()
    arriving = np.maximum(record.buy, record.sell)
    for number, is_of_it in (
        (arriving, is_continuous),
        (record.buy, is_opening),
        (record.sell, is_opening),
    ):
        at, is_known = _find(orders, number)
        chosen = is_of_it & is_known
        np.maximum.at(rests_from, at[chosen], record.sequence[chosen])
    return rests_from


def _shares(record: TradesAndCancels, orders: Int64Array, rests_from: Int64Array) -> Int64Array:
    """Return what each order trades and cancels from when it rests."""
    shares = np.zeros(len(orders), np.int64)
    for number in (record.buy, record.sell):
        at, is_known = _find(orders, number)
        chosen = is_known & (record.sequence > rests_from[at])
        np.add.at(shares, at[chosen], record.shares[chosen])
    return shares


def _find(orders: Int64Array, number: Int64Array) -> tuple[Int64Array, BoolArray]:
    """Return at which place each number is among the orders, and whether it is there."""
    at = np.minimum(np.searchsorted(orders, number), len(orders) - 1)
    return at, orders[at] == number


def _times_ns(record: TradesAndCancels, sequence: Int64Array) -> Int64Array:
    """Return when numbers of the sequence were given, between the messages around them."""
    start_ns = record.ts_event_ns[0]
    passed_ns = np.interp(sequence, record.sequence, record.ts_event_ns - start_ns)
    return np.asarray(start_ns + passed_ns.astype(np.int64))
