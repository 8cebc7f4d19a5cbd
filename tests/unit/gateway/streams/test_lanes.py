"""A lane tells each beat once, in order, whatever comes in which order."""

from tidegate_gateway.streams.lanes import WAITING_BEATS_MAX, Batch, Lane
from tidegate_gateway.streams.position import Position


def put_all(lane: Lane[str], *beats: int, run_id: str = "run-1") -> None:
    """Let beats come that each have one event."""
    for beat in beats:
        lane.put(run_id, beat, [f"{run_id}.{beat}"])


def beats_of(batches: list[Batch[str]]) -> list[tuple[str, int, bool]]:
    """Return run, beat and whether a hole is before it."""
    return [(one.run_id, one.beat, one.is_after_hole) for one in batches]


def test_lane_before_the_log_was_read_tells_nothing() -> None:
    """Where it begins is known only then."""
    lane = Lane[str]()
    put_all(lane, 5, 6)

    before, position = lane.take(is_settled=False), lane.position
    after = lane.take(is_settled=True)

    assert (before, position) == ([], None)
    assert beats_of(after) == [("run-1", 5, False), ("run-1", 6, False)]
    assert lane.position == Position("run-1", 7, 0)


def test_lane_of_an_empty_log_begins_with_the_first_beat() -> None:
    """Nothing was before it, so nobody has to wait."""
    lane = Lane[str]()
    lane.take(is_settled=True)
    put_all(lane, 0)

    assert beats_of(lane.take(is_settled=False)) == [("run-1", 0, False)]


def test_lane_repeats_are_dropped() -> None:
    """A producer that crashed says its last beats again."""
    lane = Lane[str]()
    put_all(lane, 3, 4)
    lane.take(is_settled=True)
    put_all(lane, 2, 3, 4, 5, 5)

    told = lane.take(is_settled=False) + lane.take(is_settled=True)

    assert beats_of(told) == [("run-1", 5, False)]


def test_lane_of_stripes_puts_beats_in_order() -> None:
    """Each stripe is a partition of its own, and one may be ahead."""
    lane = Lane[str](4)
    lane.take(is_settled=True)
    put_all(lane, 1, 5, 2, 0)

    first = lane.take(is_settled=False)
    put_all(lane, 3, 4)

    assert beats_of(first) == [("run-1", beat, False) for beat in (0, 1, 2)]
    assert beats_of(lane.take(is_settled=False)) == [("run-1", beat, False) for beat in (3, 4, 5)]


def test_lane_of_stripes_begins_where_all_of_them_have_what_follows() -> None:
    """The ends of the stripes that are read first are not of the same beats."""
    lane = Lane[str](2)
    put_all(lane, 4, 6, 8, 7, 9)

    assert [one.beat for one in lane.take(is_settled=True)] == [6, 7, 8, 9]


def test_lane_goes_on_to_the_next_run_and_never_back() -> None:
    """A zombie of the run before is not listened to."""
    lane = Lane[str]()
    put_all(lane, 0, 1)
    lane.take(is_settled=True)
    put_all(lane, 0, 1, run_id="run-2")

    told = lane.take(is_settled=False)
    put_all(lane, 2, 3)

    assert beats_of(told) == [("run-2", 0, False), ("run-2", 1, False)]
    assert lane.take(is_settled=True) == []


def test_lane_of_stripes_waits_for_the_rest_of_a_run_before_the_next() -> None:
    """The next run may show on one stripe first."""
    lane = Lane[str](2)
    lane.take(is_settled=True)
    put_all(lane, 0)
    put_all(lane, 0, run_id="run-2")

    first = lane.take(is_settled=False)
    put_all(lane, 1)
    second = lane.take(is_settled=False)

    assert beats_of(first) == [("run-1", 0, False)]
    assert beats_of(second) == [("run-1", 1, False), ("run-2", 0, False)]


def test_lane_of_stripes_begins_with_the_run_that_no_other_precedes() -> None:
    """Which stripe is read first is chance."""
    lane = Lane[str](2)
    put_all(lane, 0, run_id="run-2")
    put_all(lane, 7)
    put_all(lane, 1, run_id="run-2")

    told = lane.take(is_settled=True)

    assert [one.run_id for one in told] == ["run-1", "run-2", "run-2"]


def test_lane_missing_beat_is_a_hole_when_nothing_is_on_its_way() -> None:
    """A client is told of what it will never get."""
    lane = Lane[str]()
    lane.take(is_settled=True)
    put_all(lane, 0, 2)

    first, second = lane.take(is_settled=False), lane.take(is_settled=True)

    assert beats_of(first) == [("run-1", 0, False)]
    assert beats_of(second) == [("run-1", 2, True)]


def test_lane_missing_beat_is_a_hole_when_the_next_run_has_begun_in_its_place() -> None:
    """What comes behind it in the run is told, however busy the log is."""
    lane = Lane[str](2)
    lane.take(is_settled=True)
    put_all(lane, 0, 1, 3, 5)
    waiting = lane.take(is_settled=False)
    put_all(lane, 0, run_id="run-2")

    told = lane.take(is_settled=False)

    assert beats_of(waiting) == [("run-1", 0, False), ("run-1", 1, False)]
    assert beats_of(told) == [("run-1", 3, True), ("run-1", 5, True), ("run-2", 0, False)]


def test_lane_too_much_that_waits_is_a_hole() -> None:
    """A busy log never settles, and memory is bounded."""
    lane = Lane[str]()
    lane.take(is_settled=True)
    put_all(lane, *range(1, WAITING_BEATS_MAX + 1))
    before = lane.take(is_settled=False)
    put_all(lane, WAITING_BEATS_MAX + 1)

    after = lane.take(is_settled=False)

    assert before == []
    assert len(after) == WAITING_BEATS_MAX + 1
    assert [one.is_after_hole for one in after[:2]] == [True, False]
