"""A hole in a log is waited for, not passed over."""

import pytest

from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.holes import HOLE_SECONDS_MAX, HoleWatch

PLACE, OTHER = TopicPartition("words.v1", 0), TopicPartition("words.v1", 1)


@pytest.mark.parametrize(
    ("offsets", "count", "next_offset"),
    [
        pytest.param([], 0, 3, id="nothing"),
        pytest.param([3], 1, 4, id="the next one"),
        pytest.param([3, 4, 5], 3, 6, id="the next ones"),
        pytest.param([4], 0, 3, id="hole at the start"),
        pytest.param([3, 5, 6], 1, 4, id="hole in the middle"),
    ],
)
def test_hole_watch_hands_out_what_comes_before_a_hole(
    offsets: list[int],
    count: int,
    next_offset: int,
) -> None:
    """What is behind the hole is read again, so that order and completeness hold."""
    holes = HoleWatch({PLACE: 3})

    found = holes.count_readable(PLACE, offsets, now_seconds=0)

    assert (found, holes.next_offset(PLACE)) == (count, next_offset)


def test_hole_watch_hole_that_is_filled_is_forgotten() -> None:
    """The next hole has its own time to be filled."""
    holes = HoleWatch({PLACE: 0})

    counts = [
        holes.count_readable(PLACE, [1], now_seconds=0),
        holes.count_readable(PLACE, [0, 1], now_seconds=1),
        holes.count_readable(PLACE, [3], now_seconds=HOLE_SECONDS_MAX),
    ]

    assert counts == [0, 2, 0]


@pytest.mark.parametrize(
    ("waited", "count"), [(HOLE_SECONDS_MAX - 0.001, 0), (HOLE_SECONDS_MAX, 2)]
)
def test_hole_watch_hole_that_stays_is_passed_over(waited: float, count: int) -> None:
    """A log that lost messages must not hold its readers for ever."""
    holes = HoleWatch({PLACE: 0})
    holes.count_readable(PLACE, [2, 3], now_seconds=10)

    found = holes.count_readable(PLACE, [2, 3], now_seconds=10 + waited)

    assert found == count


def test_hole_watch_partitions_are_watched_apart() -> None:
    """One partition's hole holds no other one back; what is not watched has none."""
    holes = HoleWatch({PLACE: 0})

    held = holes.count_readable(PLACE, [1], now_seconds=0)
    free = holes.count_readable(OTHER, [7, 9], now_seconds=0)

    assert (held, free) == (0, 2)
