"""Bars from a feed's shorter bars: how long those are, when a bar is complete, what it says."""

import pytest
from tests.unit.signals.bar_days import Bar, bar, close, make_builder, of

from tidegate_signals.engine.bars import CompletedBars
from tidegate_signals.engine.features.spec import Period


def test_bars_of_a_feed_make_longer_ones() -> None:
    """A minute's bar comes as it is, with its own beat; extremes meet, totals add up."""
    builder = make_builder()

    first = bar(builder, "9:31", (0, 100, 120, 90, 110, 10, 1_000), (1, 50, 50, 50, 50, 0, 0))
    second = bar(builder, "9:32", (0, 110, 150, 105, 140, 20, 2_600), (1, 50, 51, 49, 50, 5, 250))
    fifth = bar(builder, "9:35")

    assert of(first) == {"9:31": [(0, 100, 120, 90, 110, 10, 1_000)]}
    assert of(second) == {"9:32": [(0, 110, 150, 105, 140, 20, 2_600), (1, 50, 51, 49, 50, 5, 250)]}
    assert of(fifth) == {}
    assert of(fifth, Period.MINUTE_5) == {
        "9:35": [(0, 100, 150, 90, 140, 30, 3_600), (1, 50, 51, 49, 50, 5, 250)],
    }


@pytest.mark.parametrize(
    ("clocks", "periods"),
    [
        (("9:31", "9:32"), [Period.MINUTE_1, Period.MINUTE_5, Period.MINUTE_15]),
        (("9:30:30", "9:31"), [Period.MINUTE_1, Period.MINUTE_5, Period.MINUTE_15]),
        (("9:32", "9:34"), []),
        (("9:33", "9:36"), [Period.MINUTE_15]),
        (("9:35", "9:40"), [Period.MINUTE_5, Period.MINUTE_15]),
        (("9:25", "9:35", "9:40"), [Period.MINUTE_5, Period.MINUTE_15]),
        (("9:45", "13:15"), [Period.MINUTE_15]),
        (("10:30", "11:30"), []),
        (("9:30", "9:30:59"), []),
    ],
)
def test_bars_of_a_feed_make_no_shorter_ones(
    clocks: tuple[str, ...],
    periods: list[Period],
) -> None:
    """A bar of five minutes says nothing about one; in doubt there is no bar."""
    builder = make_builder()
    completed: tuple[CompletedBars, ...] = ()
    for clock in clocks:
        completed += bar(builder, clock, (0, 100, 120, 90, 110, 10, 1_000))

    completed += close(builder)

    assert sorted({part.period for part in completed}) == sorted(periods)


def test_length_of_a_feeds_bars_shows_with_its_second_beat() -> None:
    """A run that begins at 10:00 may have bars of up to 30 minutes, until one comes at 10:01."""
    builder = make_builder()

    first = bar(builder, "10:00", (0, 100, 120, 90, 110, 10, 1_000))
    second = bar(builder, "10:01", (0, 110, 150, 105, 140, 20, 2_600))

    assert first == ()
    assert of(second) == {"10:01": [(0, 110, 150, 105, 140, 20, 2_600)]}


def test_last_bar_of_a_feed_is_complete_at_close() -> None:
    """What comes after 15:00 belongs to it."""
    builder = make_builder()
    bar(builder, "14:59")
    bar(builder, "15:00", (0, 100, 120, 90, 110, 10, 1_000))
    bar(builder, "15:01", (0, 110, 150, 105, 140, 20, 2_600))

    completed = close(builder)

    assert of(completed) == {"15:00": [(0, 100, 150, 90, 140, 30, 3_600)]}


@pytest.mark.parametrize(
    "untraded",
    [(0, 100, 100, 100, 100, 0, 0), (0, 0, 100, 100, 100, 5, 500), (0, 100, 100, 0, 100, 5, 500)],
)
def test_bar_of_a_feed_without_volume_or_price_is_none(untraded: Bar) -> None:
    """An instrument that did not trade has no bar, whatever prices stand in its row."""
    builder = make_builder()
    bar(builder, "9:31", untraded)

    completed = bar(builder, "9:32") + close(builder)

    assert completed == ()
