"""Scaled integers for prices, cash and scores.

Prices are 1/10,000 CNY (`_e4`), cash is fen (1/100 CNY), scores are millionths (`_e6`).
Ratios are basis points (`_bps`, 1/10,000).
"""

import numpy as np
from numpy.typing import NDArray

PRICE_SCALE = 10_000
FEN_PER_YUAN = 100
SCORE_SCALE = 1_000_000
BPS = 10_000
# A price in 1/10,000 CNY times shares is 1/10,000 CNY: 100 of them are a fen.
PRICE_E4_PER_FEN = PRICE_SCALE // FEN_PER_YUAN

Int64Array = NDArray[np.int64]
Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def divide_half_up(numerator: int, denominator: int) -> int:
    """Return the quotient rounded half away from zero; `denominator` > 0."""
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude


def notional_fen(price_e4: int, quantity_shares: int) -> int:
    """Return price x quantity in fen, rounded half up."""
    return divide_half_up(price_e4 * quantity_shares, PRICE_E4_PER_FEN)


def notionals_fen(price_e4: Int64Array, quantity_shares: Int64Array) -> Int64Array:
    """Return `notional_fen` elementwise for non-negative prices and quantities.

    Parameters
    ----------
    price_e4, quantity_shares : (n,) int64, >= 0.
    """
    product: Int64Array = price_e4 * quantity_shares
    return (2 * product + PRICE_E4_PER_FEN) // (2 * PRICE_E4_PER_FEN)
