"""Slippage at an opening price."""

import pytest

from tidegate_execution.engine.slippage import Slippage


@pytest.mark.parametrize(
    ("slippage", "quantity_shares", "slip_e4"),
    [
        (Slippage(0, 0, 0), 100, 0),
        (Slippage(10, 0, 0), 100, 100),
        (Slippage(11, 0, 0), 100, 200),
        (Slippage(0, 2, 0), 100, 200),
        (Slippage(0, 0, 100), 10_000, 1_000),
        (Slippage(0, 0, 100), 2_500, 500),
        (Slippage(0, 0, 100), 2_501, 600),
        (Slippage(5, 1, 95), 10_000, 1_100),
    ],
)
def test_slippage_of_a_price_adds_up_in_whole_ticks(
    slippage: Slippage,
    quantity_shares: int,
    slip_e4: int,
) -> None:
    """A quarter of the volume costs half of what all of it does; parts of a tick are a tick."""
    found_e4 = slippage.slip_e4(
        100_000,
        tick_e4=100,
        quantity_shares=quantity_shares,
        volume_shares=10_000,
    )

    assert found_e4 == slip_e4
