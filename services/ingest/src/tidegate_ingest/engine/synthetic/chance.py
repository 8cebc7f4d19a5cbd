"""Chance in whole numbers: seeded words, bells, exponentials.

The raw words of PCG64 are the same in every version of numpy and on every machine. Tables of
e^x and -ln(u) are made with decimal arithmetic, which rounds by rule, not by processor.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import IntEnum, unique
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.units import Int64Array

# A bell is four 16-bit words added up, less their mean: nearly normal, at most 3.5 deviations.
BELL_WORDS: Final = 4
_BELL_MEAN: Final = 131_070
BELL_DEVIATION: Final = 37_837  # sqrt(4 x (2^32 - 1) / 12)
WORD_BITS: Final = 16
WORD: Final = 1 << WORD_BITS
WordArray = NDArray[np.uint16]

# Logarithms are 1/4,096 here.
LOG_ONE: Final = 4_096
_STEPS_PER_ONE: Final = 64
_LOG_STEP: Final = LOG_ONE // _STEPS_PER_ONE
_LOG_SPAN: Final = 5
EXP_ONE_BITS: Final = 16
EXP_ONE: Final = 1 << EXP_ONE_BITS

EXPONENTIAL_BITS: Final = 8
_BYTES: Final = 256
_DIGITS: Final = 30
_WORD32_MAX: Final = (1 << 32) - 1


@unique
class Purpose(IntEnum):
    """What is drawn; each has streams of its own, so that no draw moves another's."""

    LIVES = 1
    FIGURES = 2
    PRICES = 3
    DAYS = 4
    TURNOVER = 5
    DAY_TURNOVER = 6
    TICKS = 7


class Chance:
    """One stream of chance; those of other seeds, purposes or numbers know nothing of it.

    Parameters
    ----------
    seed : from 0 to 2^63 - 1.
    number : of the day, where each has a stream.
    """

    def __init__(self, seed: int, purpose: Purpose, number: int = 0) -> None:
        # Four words of 32 bits always: numpy fills up shorter keys with zeros.
        key = (seed & _WORD32_MAX, seed >> 32, purpose.value, number)
        self._source = np.random.PCG64(key)

    def words(self, row_count: int, count: int) -> WordArray:
        """Return even draws from 0 to 65,535, (row_count, count)."""
        total = row_count * count
        # Little-endian whatever the machine is.
        raw = self._source.random_raw(-(-total // 4)).astype("<u8", copy=False)
        words: WordArray = raw.view("<u2")[:total].reshape(row_count, count)
        return words

    def octets(self, row_count: int, count: int) -> NDArray[np.uint8]:
        """Return even draws from 0 to 255, (row_count, count)."""
        total = row_count * count
        raw = self._source.random_raw(-(-total // 8)).astype("<u8", copy=False)
        return raw.view(np.uint8)[:total].reshape(row_count, count)

    def bells(self, row_count: int, count: int) -> Int64Array:
        """Return nearly normal draws of deviation `BELL_DEVIATION`, (row_count, count)."""
        words = self.words(BELL_WORDS * row_count, count)
        return bells_of(words.reshape(BELL_WORDS, row_count, count))

    def between(self, low: int, high: int, count: int) -> Int64Array:
        """Return even draws from `low` to `high - 1`, in 65,536 steps, (count,)."""
        steps = self.words(1, count)[0].astype(np.int64)
        drawn: Int64Array = low + (steps * (high - low) >> WORD_BITS)
        return drawn

    def happens(self, per_65536: int, count: int) -> NDArray[np.bool_]:
        """Return draws that are true so often, (count,)."""
        drawn: NDArray[np.bool_] = self.words(1, count)[0] < per_65536
        return drawn


def bells_of(words: WordArray) -> Int64Array:
    """Return bells made of four rows of words, (4, ...)."""
    first, second, third, fourth = words
    bells: Int64Array = np.add(first, second, dtype=np.int64)
    bells += third
    bells += fourth
    bells -= _BELL_MEAN
    return bells


def exponential_of(log_e12: Int64Array) -> Int64Array:
    """Return e^(x / `LOG_ONE`) in units of 1 / `EXP_ONE`; x is cut to five either way."""
    steps = log_e12 // _LOG_STEP
    span = _LOG_SPAN * _STEPS_PER_ONE
    values: Int64Array = _EXP[np.clip(steps, -span, span) + span]
    return values


def _scaled(value: Decimal, one: int) -> int:
    return int((value * one).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def _build_exp() -> Int64Array:
    context = Context(prec=_DIGITS)
    span = _LOG_SPAN * _STEPS_PER_ONE
    values = [context.exp(Decimal(step) / _STEPS_PER_ONE) for step in range(-span, span + 1)]
    return np.array([_scaled(value, EXP_ONE) for value in values], dtype=np.int64)


def _build_exponential() -> Int64Array:
    context = Context(prec=_DIGITS)
    levels = [Decimal(2 * number + 1) / (2 * _BYTES) for number in range(_BYTES)]
    values = [_scaled(-context.ln(level), 1 << EXPONENTIAL_BITS) for level in levels]
    return np.array(values, dtype=np.int64)


_EXP: Final = _build_exp()
# By octet: exponential draws of mean 1, in 1/256.
EXPONENTIAL: Final = _build_exponential()
