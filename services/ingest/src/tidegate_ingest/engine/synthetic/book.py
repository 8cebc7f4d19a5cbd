"""Five levels a side around a price, within the day's limits."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.units import Int64Array
from tidegate_common.frames.rows import LEVELS
from tidegate_ingest.engine.synthetic.chance import EXPONENTIAL, EXPONENTIAL_BITS
from tidegate_ingest.engine.synthetic.plan import MEAN_BITS, TickPlan

# Pressure is in 1/1,024, positive to buy: the imbalance of the book.
PRESSURE_BITS: Final = 10
PRESSURE_ONE: Final = 1 << PRESSURE_BITS
# At a limit that is sealed so many times the usual shares wait.
_SEAL_TIMES: Final = 20

# A mean times a draw, and half a unit to round.
_DRAW_BITS: Final = MEAN_BITS + EXPONENTIAL_BITS
_HALF: Final = 1 << _DRAW_BITS - 1
# A draw is kept where one of these bits of its octet is set.
_KEPT: Final = 7
# Octets that a beat draws for a share: of its spread, of the levels' lots, of the gaps between.
_GAPS: Final = LEVELS - 1
BOOK_OCTETS: Final = 1 + 2 * LEVELS + 2 * _GAPS


@dataclass(frozen=True, slots=True)
class Sides:
    """Levels of n books, (levels, n) each; ticks and lots, 0 for none.

    best_bid, best_ask : (n,) ticks; they meet where one side is empty.
    """

    bid: Int64Array
    bid_lots: Int64Array
    ask: Int64Array
    ask_lots: Int64Array
    best_bid: Int64Array
    best_ask: Int64Array


class Noise:
    """What makes one book unlike the next; most of it stays from beat to beat."""

    def __init__(self, count: int) -> None:
        self._draws = np.full((BOOK_OCTETS, count), 1 << EXPONENTIAL_BITS, dtype=np.int64)

    def refresh(self, octets: NDArray[np.uint8]) -> Int64Array:
        """Return exponential draws of mean 256, (octets, n); seven in eight keep what was."""
        np.copyto(self._draws, EXPONENTIAL.take(octets), where=octets & _KEPT == 0)
        return self._draws


def continuous_sides(
    plan: TickPlan,
    price: Int64Array,
    draws: Int64Array,
    pressure: Int64Array,
) -> Sides:
    """Return books around a price: at a limit the other side is empty, and many wait.

    Parameters
    ----------
    price : (n,) ticks, within the day's lowest and highest.
    draws : as `Noise` returns them.
    pressure : (n,) 1/1,024.
    """
    book = plan.book
    is_up, is_down = price >= plan.highest, price <= plan.lowest
    is_open = ~(is_up | is_down)
    beyond = (book.spread * draws[0] + _HALF >> _DRAW_BITS) * is_open
    gaps = (book.gap * draws[1 + 2 * LEVELS :] + _HALF >> _DRAW_BITS) + 1
    bid, ask = np.empty((2, LEVELS, len(price)), dtype=np.int64)
    np.maximum(price - (beyond >> 1), plan.lowest, out=bid[0])
    np.minimum(bid[0] + 1 + beyond - is_down, plan.highest, out=ask[0])
    for level in range(_GAPS):
        np.subtract(bid[level], gaps[level], out=bid[level + 1])
        np.add(ask[level], gaps[_GAPS + level], out=ask[level + 1])
    best_bid, best_ask = bid[0].copy(), ask[0].copy()
    lots = draws[1 : 1 + 2 * LEVELS].reshape(2, LEVELS, -1)
    means = np.empty((LEVELS, len(price)), dtype=np.int64)
    means[0], means[1:] = book.depth, book.deeper
    has_bid = (bid >= plan.lowest) & ~is_down
    has_ask = (ask <= plan.highest) & ~is_up
    bid_lots = _lots(means, lots[0], PRESSURE_ONE + pressure)
    ask_lots = _lots(means, lots[1], PRESSURE_ONE - pressure)
    bid_lots[0] *= 1 + (_SEAL_TIMES - 1) * is_up
    ask_lots[0] *= 1 + (_SEAL_TIMES - 1) * is_down
    return Sides(
        bid=bid * has_bid,
        bid_lots=bid_lots * has_bid,
        ask=ask * has_ask,
        ask_lots=ask_lots * has_ask,
        best_bid=best_bid,
        best_ask=best_ask,
    )


def call_sides(price: Int64Array, lots: Int64Array) -> Sides:
    """Return books of a call auction: its price and what would match, on both sides.

    Parameters
    ----------
    price, lots : (n,) ticks and lots, > 0.
    """
    prices, quantities = np.zeros((2, LEVELS, len(price)), dtype=np.int64)
    prices[0], quantities[0] = price, lots
    return Sides(prices, quantities, prices, quantities, price, price)


def _lots(means: Int64Array, draws: Int64Array, lean: Int64Array) -> Int64Array:
    lots: Int64Array = means * draws
    lots >>= _DRAW_BITS
    lots *= lean
    lots >>= PRESSURE_BITS
    np.maximum(lots, 1, out=lots)
    return lots
