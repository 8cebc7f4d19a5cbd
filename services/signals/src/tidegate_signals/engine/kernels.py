"""Free functions over arrays, one element an instrument: averages, ratios, the order book.

All are elementwise, so a result does not depend on which instruments share an array. None uses
a transcendental function, whose last bit differs between processors.
"""

import numpy as np

from tidegate_common.domain.units import PRICE_E4_PER_FEN, Float64Array, Int64Array
from tidegate_common.frames.rows import LEVELS
from tidegate_signals.engine.features.observations import RowIndex
from tidegate_signals.engine.features.tally import Seen

# The best level counts five times as much as the fifth.
LEVEL_WEIGHTS = np.arange(LEVELS, 0, -1, dtype=np.int64)


def blend(
    *,
    average: Float64Array,
    rows: RowIndex,
    values: Float64Array,
    weight: float | Float64Array,
) -> None:
    """Move some rows' averages towards new values, by a weight of the distance.

    Parameters
    ----------
    average : (n,) changed in place.
    values : (k,) one for each of the rows.
    weight : 0 to 1, one for all or (k,).
    """
    blended = average[rows]
    step = values - blended
    step *= weight
    blended += step
    # Of a slice this was the average itself.
    if not isinstance(rows, slice):
        average[rows] = blended


def exponential_weights(window: int, *, skipped: int = 0) -> Float64Array:
    """Return the weights of an exponential average's first observations, the last one for ever.

    The first `skipped` count nothing, the next `window` make a plain mean, then 2 / (window + 1).
    """
    return _weights(skipped, window, 2.0 / (window + 1))


def wilder_weights(window: int) -> Float64Array:
    """Return the weights of Wilder's average of moves; the first observation is no move.

    Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978, section VI.
    """
    return _weights(1, window, 1.0 / window)


def weight_of(weights: Float64Array, seen: Seen) -> float | Float64Array:
    """Return the weight of the observation after so many that were seen."""
    last = len(weights) - 1
    if not isinstance(seen, int):
        if seen.min(initial=last) < last:
            return weights[np.minimum(seen, last)]
        seen = last
    return float(weights[min(seen, last)])


def _weights(skipped: int, window: int, last: float) -> Float64Array:
    # A mean goes on as a blend: the k-th observation counts a k-th.
    return np.concatenate([np.zeros(skipped), 1.0 / np.arange(1, window + 1), [last]])


def scaled(*, prices: Float64Array, factors: Float64Array) -> Float64Array:
    """Return prices in shares of after an ex-rights day.

    What is whole but for its last bits becomes whole: the close before, which exchanges state as a
    whole number, must equal a price that did not move from it. Else a rise by the last bit of a
    factor would make an RSI of 100, or count a day's whole volume.

    Parameters
    ----------
    prices : (n,) or (w, n)
    factors : (n,) new reference price over the old one, > 0.
    """
    exact = prices * factors
    whole = np.rint(exact)
    # Two roundings, each of 1.1e-16, are what there can be.
    return np.where(np.abs(whole - exact) <= 1e-14 * np.abs(exact), whole, exact)


def quotient(*, dividend: Float64Array, divisor: Float64Array) -> Float64Array:
    """Return dividend over divisor, NaN where the divisor is 0."""
    is_zero = divisor == 0.0
    if is_zero.any():
        divisor = np.where(is_zero, np.nan, divisor)
    return dividend / divisor


def average_price_e4(*, amount_fen: Float64Array, volume_shares: Float64Array) -> Float64Array:
    """Return the average price of what traded, 1/10,000 CNY; NaN where volume or amount is 0.

    A feed that knows no amounts says 0, which is no price.
    """
    price = quotient(dividend=amount_fen, divisor=volume_shares)
    price *= PRICE_E4_PER_FEN
    price[price == 0.0] = np.nan
    return price


def relative_strength(*, gain: Float64Array, loss: Float64Array) -> Float64Array:
    """Return the index of average gains and losses, 0 to 100; 50 where nothing moved."""
    both = gain + loss
    has_not_moved = both == 0.0
    if has_not_moved.any():
        gain = np.where(has_not_moved, 1.0, gain)
        both[has_not_moved] = 2.0
    index = 100.0 * gain
    index /= both
    return index


def book_imbalance(*, bid_shares: Int64Array, ask_shares: Int64Array) -> Float64Array:
    """Return (bid - ask) / (bid + ask) of the level-weighted sizes, -1 to 1.

    Parameters
    ----------
    bid_shares, ask_shares : (n, 5) int64, best level first, >= 0.

    Returns
    -------
    imbalance : (n,) NaN where the best level of a side is empty.
    """
    # Integer sums, so that no order of addition can matter.
    bid, ask = bid_shares @ LEVEL_WEIGHTS, ask_shares @ LEVEL_WEIGHTS
    is_two_sided = (bid_shares[:, 0] > 0) & (ask_shares[:, 0] > 0)
    return np.where(is_two_sided, (bid - ask) / np.where(is_two_sided, bid + ask, 1), np.nan)


def microprice_e4(
    *,
    bid_price_e4: Int64Array,
    bid_shares: Int64Array,
    ask_price_e4: Int64Array,
    ask_shares: Int64Array,
) -> Float64Array:
    """Return the price between the best bid and the best ask, nearer to the smaller size.

    (bid * ask_shares + ask * bid_shares) / (bid_shares + ask_shares): many buyers push it up.

    Parameters
    ----------
    bid_price_e4, ask_price_e4 : (n,) int64 of the best level, 1/10,000 CNY.
    bid_shares, ask_shares : (n,) int64, >= 0.

    Returns
    -------
    price_e4 : (n,) NaN where a side is empty.

    Source: S. Stoikov, The micro-price, Quantitative Finance 18, 2018 (there the weighted mid).
    """
    is_two_sided = (bid_shares > 0) & (ask_shares > 0)
    # Integers up to here: a price of 1e8 times 1e9 shares is far below 2**63.
    weighted = bid_price_e4 * ask_shares + ask_price_e4 * bid_shares
    both = np.where(is_two_sided, bid_shares + ask_shares, 1)
    return np.where(is_two_sided, weighted / both, np.nan)
