"""Kernels of the book and of ex-rights days."""

import numpy as np

from tidegate_common.domain.units import Int64Array
from tidegate_signals.engine.kernels import book_imbalance, microprice_e4, scaled


def shares(*levels: list[int]) -> Int64Array:
    """Return sizes of five levels, one row an instrument."""
    return np.array(levels, np.int64)


def test_book_imbalance_of_one_side_is_unknown() -> None:
    """At a limit there is no seller, which is not the same as all buyers."""
    bid = shares([100, 0, 0, 0, 0], [100, 0, 0, 0, 0], [0, 9, 9, 9, 9])
    ask = shares([300, 0, 0, 0, 0], [0, 9, 9, 9, 9], [100, 0, 0, 0, 0])

    imbalance = book_imbalance(bid_shares=bid, ask_shares=ask)

    np.testing.assert_array_equal(imbalance, [-0.5, np.nan, np.nan])


def test_microprice_is_nearer_to_the_smaller_size() -> None:
    """Three times the buyers: three quarters of the way to the ask."""
    price = microprice_e4(
        bid_price_e4=np.array([100_000, 100_000, 100_000]),
        bid_shares=np.array([300, 100, 0]),
        ask_price_e4=np.array([100_400, 0, 100_400]),
        ask_shares=np.array([100, 0, 100]),
    )

    np.testing.assert_array_equal(price, [100_300, np.nan, np.nan])


def test_scaled_close_equals_the_stated_reference_price() -> None:
    """For every close and reference price the product is whole again; others keep their parts."""
    rng = np.random.default_rng(7)
    close = rng.integers(10_000, 30_000_000, 100_000).astype(np.float64)
    stated = np.rint(close * rng.uniform(0.2, 1.0, len(close)))

    found = scaled(prices=close, factors=stated / close)

    assert np.array_equal(found, stated)
    assert np.count_nonzero(close * (stated / close) != stated) > 1_000
    assert scaled(prices=np.array([3.0]), factors=np.array([0.5])).tolist() == [1.5]
