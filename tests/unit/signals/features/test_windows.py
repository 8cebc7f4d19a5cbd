"""Rolling windows stay exact: after 100,000 observations, and after an outlier has left."""

from fractions import Fraction
from math import sqrt

import numpy as np
import pytest
from tests.unit.signals.features.feeding import ALL_ROWS, input_of, make_board, show

from tidegate_common.domain.units import Float64Array
from tidegate_signals.engine.features.observations import Observations
from tidegate_signals.engine.features.spec import Field, Period

WINDOW = 7
TEXTS = ("SMA(7)", "WMA(7)", "STDDEV(7)", "VWAP(7)", "MAX(7)", "MIN(7)")


def exact(text: str, window: list[float]) -> float:
    """Return an indicator of a window in fractions, rounded once."""
    values = [Fraction(value) for value in window]
    mean = sum(values) / len(values)
    if text.startswith("SMA"):
        return float(mean)
    if text.startswith("WMA"):
        weighted = sum(weight * value for weight, value in enumerate(values, 1))
        return float(weighted / sum(range(1, len(values) + 1)))
    return sqrt(sum((value - mean) ** 2 for value in values) / len(values))


def long_walks(count: int) -> Float64Array:
    """Return a walk, prices of 1,700 CNY that move by a cent, and one share that once was 1e11."""
    rng = np.random.default_rng(20)
    prices = np.empty((count, 3))
    prices[:, 0] = 500_000 + 100 * np.cumsum(rng.integers(-1, 2, count))
    prices[:, 1:] = 17_000_000 + 100 * rng.integers(-1, 2, (count, 2))
    prices[-300, 2] = 1e15
    return prices


@pytest.mark.parametrize("text", ["SMA(20)", "WMA(20)", "STDDEV(20)", "STDDEV(250)"])
def test_window_after_100000_observations_is_exact(text: str) -> None:
    """What is never subtracted cannot drift."""
    prices = long_walks(100_000)
    board = make_board(text, row_count=3)

    for closes in prices:
        board.update(Period.BAR, Observations(ALL_ROWS, {Field.CLOSE: closes}))

    said = board.read(input_of(text), ALL_ROWS)
    window = input_of(text).indicator.parameters[0]
    expected = [exact(text, column.tolist()) for column in prices[-window:].T]
    np.testing.assert_allclose(said, expected, rtol=1e-13)


@pytest.mark.parametrize("place", range(WINDOW))
def test_window_without_its_outlier_is_as_if_it_had_never_been(place: int) -> None:
    """Wherever in a block an outlier falls, it leaves not a bit behind."""
    rng = np.random.default_rng(place)
    prices = rng.integers(100_000, 200_000, 4 * WINDOW).astype(np.float64)
    disturbed, undisturbed = (make_board(*TEXTS) for _ in range(2))
    outlier = WINDOW + place

    for step, price in enumerate(prices):
        seen = 1e15 if step == outlier else price
        show(disturbed, close=seen, volume=100, amount=seen)
        show(undisturbed, close=price, volume=100, amount=price)
        said, expected = (
            [board.read(input_of(text), ALL_ROWS) for text in TEXTS]
            for board in (disturbed, undisturbed)
        )
        is_inside = outlier <= step < outlier + WINDOW
        assert is_inside or np.array(said).tobytes() == np.array(expected).tobytes()


def test_deviation_of_prices_that_never_moved_is_0() -> None:
    """A square of a mean less a mean of squares would say something else."""
    board = make_board("STDDEV(5)")

    for _ in range(12):
        show(board, close=0.1)

    assert board.read(input_of("STDDEV(5)"), ALL_ROWS) == [0.0]
