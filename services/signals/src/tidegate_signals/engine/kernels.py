"""Free functions over arrays, one element an instrument.

All are elementwise, so a result does not depend on which instruments share an array. None uses
a transcendental function, whose last bit differs between processors.
"""

import numpy as np

from tidegate_common.domain.units import SCORE_SCALE, BoolArray, Float64Array, Int64Array
from tidegate_common.frames.rows import LEVELS

# The best level counts five times as much as the fifth.
LEVEL_WEIGHTS = np.arange(LEVELS, 0, -1, dtype=np.int64)


def sma_step(
    *,
    total: Float64Array,
    oldest: Float64Array,
    newest: Float64Array,
    is_full: BoolArray,
) -> Float64Array:
    """Return the sum over the window after a new observation.

    Parameters
    ----------
    total, oldest, newest : (n,) the sum before, and what leaves and enters the window.
    is_full : (n,) whether the window was full, so that the oldest leaves.
    """
    return total - np.where(is_full, oldest, 0.0) + newest


def wilder_step(
    *,
    average: Float64Array,
    move: Float64Array,
    count: Int64Array,
    window: int,
) -> Float64Array:
    """Return Wilder's average after a new move.

    Until the window is full this is the plain mean of the moves so far; from then on the average
    gives up a `window`-th of itself for a `window`-th of the move.

    Parameters
    ----------
    average, move : (n,) the average before, and a gain or a loss, >= 0.
    count : (n,) int64, moves seen, this one included, >= 1.
    window : moves, >= 1.

    Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978, section VI.
    """
    weight = np.minimum(count, window)
    return average + (move - average) / weight


def relative_strength(*, gain: Float64Array, loss: Float64Array) -> Float64Array:
    """Return the index of average gains and losses, 0 to 100; 50 where nothing moved."""
    both = gain + loss
    has_moved = both > 0.0
    return np.where(has_moved, 100.0 * gain / np.where(has_moved, both, 1.0), 50.0)


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


def spread_score(
    *,
    fast: Float64Array,
    slow: Float64Array,
    full_scale_bps: int,
) -> Float64Array:
    """Return how far the fast average is above the slow one, -1 to 1.

    Parameters
    ----------
    fast, slow : (n,) averages of prices, > 0, NaN until warm.
    full_scale_bps : the distance, in basis points of the slow one, that scores 1.
    """
    return np.clip((fast / slow - 1.0) * (10_000 / full_scale_bps), -1.0, 1.0)


def reversal_score(
    *,
    index: Float64Array,
    oversold: int,
    overbought: int,
) -> Float64Array:
    """Return a buying score of an oversold index, a selling one of an overbought, else 0.

    At the threshold the score is a half, at the end of the scale it is whole.

    Parameters
    ----------
    index : (n,) 0 to 100, NaN until warm.
    """
    buy = 0.5 + 0.5 * (oversold - index) / oversold
    sell = -0.5 - 0.5 * (index - overbought) / (100 - overbought)
    score = np.where(index <= oversold, buy, np.where(index >= overbought, sell, 0.0))
    return np.where(np.isnan(index), np.nan, score)


def to_millionths(scores: Float64Array) -> Int64Array:
    """Return finite scores as millionths, clipped to -1..1 and rounded half to even."""
    return np.rint(np.clip(scores, -1.0, 1.0) * SCORE_SCALE).astype(np.int64)
