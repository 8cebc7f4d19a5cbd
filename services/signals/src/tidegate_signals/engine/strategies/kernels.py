"""Shapes that turn what a strategy measured into a score; elementwise, nothing transcendental."""

import numpy as np

from tidegate_common.domain.units import BPS, Float64Array


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
    return np.clip((fast / slow - 1.0) * (BPS / full_scale_bps), -1.0, 1.0)


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


def threshold_score(signal: Float64Array, *, threshold: float, full_scale: float) -> Float64Array:
    """Return 0 below a threshold, a half at it, and one from the full scale on, with the sign.

    Parameters
    ----------
    signal : (n,) any unit, positive to buy; NaN stays NaN.
    threshold, full_scale : same unit, 0 <= threshold < full_scale; at a threshold of 0 a signal
        of 0 scores 0.
    """
    size = np.abs(signal)
    beyond = np.minimum((size - threshold) / (full_scale - threshold), 1.0)
    # NaN is not below anything, and stays.
    return np.where(size < threshold, 0.0, np.sign(signal) * (0.5 + 0.5 * beyond))
