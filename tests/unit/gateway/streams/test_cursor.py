"""Cursors as text, and the ring that they are places in."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_gateway.streams.newest import BeatWatch, Newest
from tidegate_gateway.streams.position import Position, format_cursor, parse_cursor
from tidegate_gateway.streams.ring import Entry, Ring, rank_of

positions = st.none() | st.builds(
    Position,
    st.sampled_from(["run-1", "run_2", "3"]),
    st.integers(0, 10**17),
    st.integers(0, 10**6),
)


def entry(number: int, text: str = "x") -> Entry:
    """Return an entry of lane 0."""
    return Entry(0, (0, number, 0), "fills", "A1", 1, "", text)


@given(st.lists(positions, min_size=1, max_size=6))
def test_cursor_round_trips(cursor: list[Position | None]) -> None:
    """What a gateway said another one reads."""
    assert parse_cursor(format_cursor(cursor), len(cursor)) == tuple(cursor)


def test_cursor_names_a_run_once() -> None:
    """It stands in every message."""
    cursor = (Position("run-1", 12, 1), None, Position("run-1", 13, 0))

    assert format_cursor(cursor) == "run-1@12.1,-,13.0"


@pytest.mark.parametrize(
    "text", ["12.1,-", "run-1@1,-", "run-1@1.-1,-", "run-1@\u0661.1,-", "@1.1,-", "", "-", "-,-,-"]
)
def test_cursor_that_is_none_is_refused(text: str) -> None:
    """The first position must name its run, and all lanes must be there."""
    with pytest.raises(ValueError, match="after must"):
        parse_cursor(text, 2)


def test_rank_of_an_unknown_run_is_none() -> None:
    """A gateway cannot tell what it has not seen."""
    assert rank_of(Position("b", 2, 3), ["a", "b"]) == (1, 2, 3)
    assert rank_of(Position("c", 2, 3), ["a", "b"]) is None


def test_ring_keeps_the_newest_by_number() -> None:
    """Numbers of entries stay, however many are gone."""
    ring = Ring(entries_max=3, characters_max=100)

    gone = [one.rank[1] for number in range(10) for one in ring.add(entry(number))]

    assert gone == list(range(7))
    assert (ring.first, ring.end) == (7, 10)
    assert [one.rank[1] for one in ring.read(8, 5)] == [8, 9]


def test_ring_is_bounded_in_characters() -> None:
    """One large message counts for many small ones."""
    ring = Ring(entries_max=100, characters_max=10)
    for number in range(4):
        ring.add(entry(number, "xxxx"))

    assert (ring.first, ring.end) == (2, 4)


def test_newest_makes_a_text_once_and_only_if_wanted() -> None:
    """Of thousands of quotes a few are looked at."""
    made: list[int] = []

    def make(value: int) -> str:
        made.append(value)
        return str(value)

    newest: Newest[int] = Newest()
    for value in (1, 2):
        newest.version += 1
        newest.put(7, partial(make, value))

    assert newest.changed(None, 0) == [7]
    assert newest.changed(frozenset({7, 8}), 1) == [7]
    assert newest.changed(None, 2) == []
    assert [newest.text(7), newest.text(7)] == ["2", "2"]
    assert made == [2]


def test_beat_watch_takes_each_beat_once_and_no_run_again() -> None:
    """What is newest never goes back."""
    watch = BeatWatch()
    said = [("a", 1), ("a", 1), ("a", 0), ("a", 2), ("b", 0), ("a", 3), ("b", 1)]

    assert [watch.is_news(*one) for one in said] == [True, False, False, True, True, False, True]
