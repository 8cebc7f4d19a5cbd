"""Bars from hand-made days: where a quote falls, when a bar is complete, what it says."""

import numpy as np
import pytest
from tests.unit.signals.bar_days import (
    at,
    bar,
    close,
    copied,
    ends,
    make_builder,
    make_quotes,
    of,
    tick,
)

from tidegate_signals.engine.bars import BarBuilder
from tidegate_signals.engine.features.observations import RowIndex
from tidegate_signals.engine.features.spec import Period

EVERY_ROW = slice(None)


def test_quotes_of_a_minute_make_its_bar() -> None:
    """Open is the first price, close the last, and the totals are what the counts grew by."""
    builder = make_builder()
    tick(builder, "9:30:03", (0, 100_000, 300, 30_000))
    tick(builder, "9:30:06", (0, 102_000, 400, 40_200))
    tick(builder, "9:30:09", (0, 99_000, 900, 89_700))
    tick(builder, "9:31:00", (0, 101_000, 1_000, 99_800))

    completed = tick(builder, "9:31:03", (0, 105_000, 1_100, 110_300))

    assert ends(completed) == [(Period.MINUTE_1, "9:31")]
    assert of(completed) == {"9:31": [(0, 100_000, 102_000, 99_000, 101_000, 1_000, 99_800)]}


def test_next_bar_has_the_difference_to_the_last_ones_end() -> None:
    """Counts are of the day, a bar's figures its own."""
    builder = make_builder()
    tick(builder, "9:31:00", (0, 101_000, 1_000, 99_800))
    tick(builder, "9:31:03", (0, 105_000, 1_100, 110_300))

    completed = tick(builder, "9:32:03")

    assert of(completed) == {"9:32": [(0, 105_000, 105_000, 105_000, 105_000, 100, 10_500)]}


@pytest.mark.parametrize(
    ("clock", "end"),
    [
        ("8:45", "9:31"),
        ("9:25", "9:31"),
        ("9:31", "9:31"),
        ("9:31:00.000000001", "9:32"),
        ("11:30", "11:30"),
        ("11:30:01", "13:01"),
        ("12:59", "13:01"),
        ("13:01", "13:01"),
        ("14:57:03", "14:58"),
        ("15:00", "15:00"),
        ("15:29:57", "15:00"),
    ],
)
def test_quote_belongs_to_the_first_end_that_is_not_before_it(clock: str, end: str) -> None:
    """Auctions, lunch and what comes after the close have their bars too."""
    builder = make_builder()
    tick(builder, "8:30", (0, 0, 0, 0))
    told = tick(builder, clock, (0, 100_000, 100, 1_000))

    completed = told + close(builder)

    assert list(of(completed)) == [end]


def test_bars_are_complete_only_after_their_end() -> None:
    """At the end itself another quote of that time may still come."""
    builder = make_builder()
    tick(builder, "9:30:03", (0, 100_000, 100, 1_000))

    at_the_end = tick(builder, "9:31:00", (0, 101_000, 200, 2_010))
    after_it = tick(builder, "9:31:00.000000001")

    assert at_the_end == ()
    assert of(after_it) == {"9:31": [(0, 100_000, 101_000, 100_000, 101_000, 200, 2_010)]}


def test_longer_bars_complete_with_their_last_minute() -> None:
    """By end, then period; what is open at CLOSE is complete there."""
    builder = make_builder()
    tick(builder, "9:30:03", (0, 100_000, 100, 1_000))
    tick(builder, "9:36:30", (0, 104_000, 300, 3_080), (1, 50_000, 100, 500))
    tick(builder, "9:44:30", (0, 102_000, 600, 6_140))

    completed = tick(builder, "9:46") + close(builder)

    assert ends(completed) == [
        (Period.MINUTE_1, "9:45"),
        (Period.MINUTE_5, "9:45"),
        (Period.MINUTE_15, "9:45"),
    ]
    assert of(completed, Period.MINUTE_5) == {
        "9:45": [(0, 102_000, 102_000, 102_000, 102_000, 300, 3_060)],
    }
    assert of(completed, Period.MINUTE_15) == {
        "9:45": [
            (0, 100_000, 104_000, 100_000, 102_000, 600, 6_140),
            (1, 50_000, 50_000, 50_000, 50_000, 100, 500),
        ],
    }


def test_open_bars_at_the_close_are_complete_with_their_own_ends() -> None:
    """A recording may stop in the morning: its bars still end where they end."""
    builder = make_builder()
    tick(builder, "9:15", (0, 0, 0, 0))
    tick(builder, "10:00:30", (0, 100_000, 100, 1_000))

    completed = close(builder)

    assert ends(completed) == [
        (Period.MINUTE_1, "10:01"),
        (Period.MINUTE_5, "10:05"),
        (Period.MINUTE_15, "10:15"),
    ]
    assert close(builder) == ()


def test_quote_without_new_volume_makes_no_bar() -> None:
    """A call's virtual price, or a quote at lunch, is no trade."""
    builder = make_builder()
    tick(builder, "9:20", (0, 110_000, 0, 0))
    tick(builder, "9:30:03", (0, 100_000, 100, 1_000))
    first = tick(builder, "9:31:03", (0, 120_000, 100, 1_000))

    second = tick(builder, "9:32:03")

    assert of(first) == {"9:31": [(0, 100_000, 100_000, 100_000, 100_000, 100, 1_000)]}
    assert second == ()


def test_counts_that_fall_count_nothing_until_they_are_above_their_old_height() -> None:
    """A feed that begins anew would else be a negative volume, or the day's volume twice."""
    builder = make_builder()
    tick(builder, "9:30:03", (0, 100_000, 1_000, 10_000))
    tick(builder, "9:30:06", (0, 200_000, 5, 50))
    tick(builder, "9:30:09", (0, 300_000, 900, 9_000))
    tick(builder, "9:30:12", (0, 101_000, 1_100, 9_500))

    completed = tick(builder, "9:31:03")

    assert of(completed) == {"9:31": [(0, 100_000, 101_000, 100_000, 101_000, 1_100, 10_000)]}


def test_volume_without_a_price_waits_for_the_next_bar_with_one() -> None:
    """Nothing is lost, and no price is made up."""
    builder = make_builder()
    tick(builder, "9:30:03", (0, 0, 500, 5_000))
    first = tick(builder, "9:31:03", (0, 100_000, 700, 7_000))

    second = tick(builder, "9:32:03")

    assert first == ()
    assert of(second) == {"9:32": [(0, 100_000, 100_000, 100_000, 100_000, 700, 7_000)]}


def test_quote_of_a_beat_beyond_the_end_still_belongs_to_its_own_minute() -> None:
    """Another instrument's later quote in the same beat changes nothing for it."""
    builder = make_builder()
    tick(builder, "9:30:03", (0, 100_000, 100, 1_000))

    first = tick(
        builder,
        "9:31:01",
        (0, 103_000, 200, 2_030, "9:31:00"),
        (1, 50_000, 100, 500),
    )
    second = tick(builder, "9:32:01")

    assert of(first) == {"9:31": [(0, 100_000, 103_000, 100_000, 103_000, 200, 2_030)]}
    assert of(second) == {"9:32": [(1, 50_000, 50_000, 50_000, 50_000, 100, 500)]}


def test_beat_over_several_ends_completes_one_bar_of_a_period() -> None:
    """A strategy is asked once a beat; what is not of the open bar belongs to the stamp's."""
    builder = make_builder(3)
    tick(builder, "9:30:03", (0, 100_000, 100, 1_000))

    first = tick(
        builder,
        "9:36:30",
        (0, 101_000, 200, 2_010, "9:30:59"),
        (1, 50_000, 100, 500, "9:32:30"),
        (2, 70_000, 100, 700),
    )
    second = tick(builder, "9:37:03")

    assert ends(first) == [(Period.MINUTE_1, "9:31"), (Period.MINUTE_5, "9:35")]
    assert of(first, Period.MINUTE_5) == {
        "9:35": [(0, 100_000, 101_000, 100_000, 101_000, 200, 2_010)],
    }
    assert [row[0] for row in of(second)["9:37"]] == [1, 2]


def test_quote_of_another_minute_than_its_beats_goes_to_the_nearest_open_one() -> None:
    """What is published cannot change, and nothing may be put ahead of the beats."""
    builder = make_builder()
    tick(builder, "9:30:03", (0, 100_000, 100, 1_000))
    tick(builder, "9:31:03")
    tick(builder, "9:31:06", (0, 101_000, 200, 2_010, "9:30:59"))

    completed = tick(
        builder,
        "9:32:06",
        (0, 102_000, 300, 3_030, "9:30:58"),
        (1, 50_000, 100, 500, "9:40"),
    )
    later = tick(builder, "9:33:06")

    assert of(completed) == {"9:32": [(0, 101_000, 102_000, 101_000, 102_000, 200, 2_030)]}
    assert of(later) == {"9:33": [(1, 50_000, 50_000, 50_000, 50_000, 100, 500)]}


def test_day_that_begins_late_counts_from_the_first_quotes() -> None:
    """What the morning traded is no minute's volume; rows that come later are no better known."""
    builder = make_builder(1)
    tick(builder, "10:00:03", (0, 100_000, 90_000, 900_000))
    builder.grow(1)
    tick(builder, "10:00:06", (0, 101_000, 90_100, 901_010))
    tick(builder, "10:00:09", (1, 50_000, 70_000, 350_000))
    tick(builder, "10:00:12", (1, 51_000, 70_200, 351_020))

    completed = tick(builder, "10:01:03")

    assert of(completed) == {
        "10:01": [
            (0, 101_000, 101_000, 101_000, 101_000, 100, 1_010),
            (1, 51_000, 51_000, 51_000, 51_000, 200, 1_020),
        ],
    }


def test_instrument_that_speaks_first_in_the_afternoon_of_a_whole_day_has_all_its_volume() -> None:
    """The beats saw the whole day, so nobody can have missed its trades."""
    builder = make_builder(1)
    tick(builder, "9:15", (0, 0, 0, 0))
    builder.grow(1)
    tick(builder, "13:30:03", (1, 50_000, 100, 500))

    completed = tick(builder, "13:31:03")

    assert of(completed) == {"13:31": [(1, 50_000, 50_000, 50_000, 50_000, 100, 500)]}


def test_new_day_begins_with_empty_bars_and_counts() -> None:
    """Yesterday's counts are no base for today's, and its unfinished bars are nobody's."""
    builder = make_builder()
    tick(builder, "10:00:03", (0, 100_000, 5_000, 50_000))
    tick(builder, "10:00:06", (0, 109_000, 6_000, 60_900))
    builder.begin_day()
    tick(builder, "9:30:03", (0, 100_000, 100, 1_000))

    completed = tick(builder, "9:31:03")

    assert of(completed) == {"9:31": [(0, 100_000, 100_000, 100_000, 100_000, 100, 1_000)]}


@pytest.mark.parametrize("rows", [EVERY_ROW, np.array([0, 1], np.int64)])
def test_every_row_as_slice_is_the_same_as_its_positions(rows: RowIndex) -> None:
    """The usual case is quicker, not different."""
    builder = make_builder()
    quotes = make_quotes("9:30:03", (0, 100_000, 100, 1_000), (1, 50_000, 0, 0))
    builder.take_quotes(at("9:30:03"), rows, quotes)
    later = make_quotes("9:31:03", (0, 101_000, 200, 2_010), (1, 51_000, 100, 510))

    completed = builder.take_quotes(at("9:31:03"), rows, later) + close(builder)

    assert of(completed) == {
        "9:31": [(0, 100_000, 100_000, 100_000, 100_000, 100, 1_000)],
        "9:32": [
            (0, 101_000, 101_000, 101_000, 101_000, 100, 1_010),
            (1, 51_000, 51_000, 51_000, 51_000, 100, 510),
        ],
    }


def test_beat_after_the_close_completes_nothing_more() -> None:
    """A day has one end; what comes after it is forgotten at the next OPEN."""
    builder = make_builder()
    bar(builder, "14:59", (0, 100, 120, 90, 110, 10, 1_000))
    bar(builder, "15:00", (0, 100, 120, 90, 110, 10, 1_000))
    last = close(builder)

    completed = bar(builder, "15:00", (0, 100, 120, 90, 110, 10, 1_000)) + close(builder)

    assert ends(last) == [
        (Period.MINUTE_1, "15:00"),
        (Period.MINUTE_5, "15:00"),
        (Period.MINUTE_15, "15:00"),
    ]
    assert completed == ()


def test_day_after_one_that_began_late_counts_from_nothing_again() -> None:
    """What was unknown yesterday is known today, of new rows too."""
    builder = make_builder(1)
    tick(builder, "10:00:03", (0, 100_000, 5_000, 50_000))
    builder.begin_day()
    builder.grow(1)
    tick(builder, "9:15", (0, 100_000, 0, 0), (1, 50_000, 0, 0))
    tick(builder, "9:30:03", (0, 100_000, 100, 1_000))

    completed = tick(builder, "9:31:03")

    assert of(completed) == {"9:31": [(0, 100_000, 100_000, 100_000, 100_000, 100, 1_000)]}


@pytest.mark.parametrize("start", ["9:30:03", "10:00:03"])
def test_builder_that_is_loaded_goes_on_as_the_one_that_was_saved(start: str) -> None:
    """The state is whole, and of integers."""
    saved = make_builder()
    tick(saved, start, (0, 100_000, 100, 1_000), (1, 50_000, 100, 500))
    tick(saved, "10:01:30", (0, 101_000, 200, 2_010))
    arrays = copied(saved.arrays())
    loaded = BarBuilder()
    loaded.load(copied(arrays))
    beats = [("10:01:33", (1, 51_000, 300, 1_520)), ("10:02:03", (0, 99_000, 400, 3_990))]

    outcomes = [
        [of(tick(builder, clock, quote), period) for clock, quote in beats for period in Period]
        + [of(close(builder), Period.MINUTE_15)]
        for builder in (saved, loaded)
    ]

    assert outcomes[0] == outcomes[1]
    assert outcomes[0][-1] != {}
    assert {str(array.dtype) for array in arrays.values()} == {"int64"}


def test_rows_that_grow_in_the_day_leave_the_others_bars_alone() -> None:
    """A late listing must not disturb who was there."""
    builder = make_builder(1)
    tick(builder, "9:30:03", (0, 100_000, 100, 1_000))
    builder.grow(0)
    builder.grow(2)
    tick(builder, "9:30:06", (2, 70_000, 100, 700))

    completed = tick(builder, "9:31:03")

    assert [row[0] for row in of(completed)["9:31"]] == [0, 2]
