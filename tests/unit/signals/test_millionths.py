"""Floats as they leave the engine."""

import numpy as np

from tidegate_common.frames.frame import NO_REASON
from tidegate_signals.engine.millionths import raw_millionths, reason_millionths, to_millionths


def test_to_millionths_rounds_and_clips() -> None:
    """A score is a whole number of millionths between -1 and 1."""
    scores = np.array([0.1234564, 0.1234566, 3.0, -3.0])

    assert to_millionths(scores).tolist() == [123_456, 123_457, 1_000_000, -1_000_000]


def test_raw_millionths_keeps_what_is_to_be_ranked() -> None:
    """300 % is above 200 %; what no batch can carry is at the end of the scale."""
    assert raw_millionths(np.array([2.0, 3.0, -0.5])).tolist() == [2_000_000, 3_000_000, -500_000]
    assert raw_millionths(np.array([1e300, -1e300])).tolist() == [10**15, -(10**15)]


def test_reason_millionths_without_a_number_say_so() -> None:
    """Zero is a number, and unknown is not."""
    reasons = np.array([0.0, 1.5, np.nan, np.inf])

    assert reason_millionths(reasons).tolist() == [0, 1_500_000, NO_REASON, NO_REASON]


def test_millionths_of_the_largest_numbers_are_at_the_end_of_the_scale() -> None:
    """A user's score of 1e305 is clipped before the product could overflow."""
    largest = np.array([1e305, -1e305])

    assert to_millionths(largest).tolist() == [1_000_000, -1_000_000]
    assert raw_millionths(largest).tolist() == [10**15, -(10**15)]
    assert reason_millionths(largest).tolist() == [4 * 10**18, -4 * 10**18]
