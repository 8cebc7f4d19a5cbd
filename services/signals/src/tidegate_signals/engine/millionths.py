"""Floats as they leave the engine: integers, so that the last bit of one decides nothing."""

import numpy as np

from tidegate_common.domain.units import SCORE_SCALE, Float64Array, Int64Array
from tidegate_common.frames.frame import NO_REASON

# The most that a score batch takes of a ranked strategy.
_RAW_SCORE_E6_MAX = 1.0e15
# Far inside int64, and above anything that a reason is about (fen, shares).
_REASON_E6_MAX = 4.0e18


def to_millionths(scores: Float64Array) -> Int64Array:
    """Return finite scores as millionths, clipped to -1..1 and rounded half to even."""
    return _clipped_millionths(scores, SCORE_SCALE)


def raw_millionths(scores: Float64Array) -> Int64Array:
    """Return finite scores of a ranked strategy as millionths, of any size that a batch takes."""
    return _clipped_millionths(scores, _RAW_SCORE_E6_MAX)


def reason_millionths(values: Float64Array) -> Int64Array:
    """Return reason values as millionths; `NO_REASON` where there is no number."""
    is_number = np.isfinite(values)
    if is_number.all():
        return _clipped_millionths(values, _REASON_E6_MAX)
    millionths = _clipped_millionths(np.where(is_number, values, 0.0), _REASON_E6_MAX)
    return np.where(is_number, millionths, NO_REASON)


def _clipped_millionths(values: Float64Array, most_e6: float) -> Int64Array:
    """Return finite values as millionths; clipped first, for the product may be too large."""
    most = most_e6 / SCORE_SCALE
    millionths = np.minimum(values, most)
    np.maximum(millionths, -most, out=millionths)
    millionths *= SCORE_SCALE
    return np.rint(millionths, out=millionths).astype(np.int64)
