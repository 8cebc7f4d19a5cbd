"""The market's time of recorded quotes."""

import pytest

from tidegate_common.clock import ManualClock
from tidegate_common.errors import ConfigError
from tidegate_ingest.adapters.rehearsal_clock import market_clock


async def test_market_clock_of_a_rehearsal_runs_faster_from_its_moment_on() -> None:
    """So much earlier or later, and so many seconds a second; patience is the wall's."""
    wall = ManualClock(now_ns=5_000_000_000)
    market = market_clock(wall, "100000000000@4000000000@60")

    before = market.now_ns()
    await market.sleep(30)

    assert before == 160_000_000_000
    assert market.now_ns() == before + 30_000_000_000
    assert (wall.now_ns(), market.monotonic_seconds()) == (5_500_000_000, 5.5)


def test_market_clock_of_a_rehearsal_may_begin_now() -> None:
    """For a run that is started once."""
    assert market_clock(ManualClock(now_ns=77), "100@0@2").now_ns() == 100


def test_market_clock_without_a_rehearsal_is_the_walls() -> None:
    """As in every run with money in it."""
    wall = ManualClock()

    assert market_clock(wall, "") is wall


@pytest.mark.parametrize("text", ["1@2", "1@2@3@4", "a@2@3", "1@2@0", "-1@2@3"])
def test_market_clock_of_another_text_is_refused(text: str) -> None:
    """One line that says what is expected."""
    with pytest.raises(ConfigError, match="must be MARKET_NS@WALL_NS@SPEED, was"):
        market_clock(ManualClock(), text)
