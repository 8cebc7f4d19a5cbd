"""The newest quote of each instrument, frame after frame."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.frames.frame import BeatStamp, Frame, empty_rows
from tidegate_common.frames.rows import QuoteRows
from tidegate_common.testing.scripted_run import TRADE_DATE, quote_rows, reference_rows
from tidegate_recorder.engine.quotes import NewestQuotes

RUN, OTHER_RUN = RunId("run-1"), RunId("run-2")
FIRST = 1_600_000


def frame_of(beat: int, prices: dict[int, int], run_id: RunId = RUN) -> Frame:
    """Return a frame of quotes, some instruments at some last price."""
    one = quote_rows(beat, beat)
    rows = replace(
        one.take(np.zeros(len(prices), np.int64)),
        instrument=np.array(sorted(prices), np.int64),
        last_e4=np.array([prices[each] for each in sorted(prices)], np.int64),
    )
    return Frame(BeatStamp(run_id, beat, BeatKind.TICK, TRADE_DATE, beat), 0, rows)


def prices_of(quotes: NewestQuotes) -> dict[int, int]:
    """Return the last price of each instrument."""
    newest = quotes.newest()
    assert newest is not None
    assert isinstance(newest.rows, QuoteRows)
    return dict(zip(newest.rows.instrument.tolist(), newest.rows.last_e4.tolist(), strict=True))


@given(
    st.lists(
        st.dictionaries(st.integers(FIRST, FIRST + 6), st.integers(0, 9)), min_size=1, max_size=6
    ),
)
def test_newest_quotes_are_what_was_said_last_of_each(beats: list[dict[int, int]]) -> None:
    """As a dictionary would have it."""
    quotes = NewestQuotes()
    expected: dict[int, int] = {}

    for beat, prices in enumerate(beats):
        quotes.take(frame_of(beat, prices))
        expected |= prices

    newest = quotes.newest()
    assert newest is not None
    assert prices_of(quotes) == expected
    assert newest.rows.instrument.tolist() == sorted(expected)
    assert newest.stamp.beat == len(beats) - 1


def test_newest_quotes_of_a_beat_that_was_taken_change_nothing() -> None:
    """The log is read again from its start of the day."""
    quotes = NewestQuotes()
    quotes.take(frame_of(3, {FIRST: 7}))

    quotes.take(frame_of(3, {FIRST: 8}))
    quotes.take(frame_of(2, {FIRST: 9}))

    assert prices_of(quotes) == {FIRST: 7}


def test_newest_quotes_of_another_run_begin_anew() -> None:
    """With an earlier beat, too."""
    quotes = NewestQuotes()
    quotes.take(frame_of(3, {FIRST: 7, FIRST + 1: 7}))

    quotes.take(frame_of(0, {FIRST: 8}, OTHER_RUN))

    assert prices_of(quotes) == {FIRST: 8}


def test_newest_quotes_after_a_beat_without_quotes_are_as_of_that_beat() -> None:
    """Yesterday's last quote is the newest until there is one of today."""
    quotes = NewestQuotes()
    before = quotes.newest()
    quotes.take(frame_of(3, {FIRST: 7}))
    stamp = BeatStamp(RUN, 4, BeatKind.OPEN, TRADE_DATE, 4)

    quotes.take(Frame(stamp, 0, reference_rows()))

    newest = quotes.newest()
    assert before is None
    assert newest is not None
    assert (newest.stamp.beat, newest.stamp.kind) == (4, BeatKind.TICK)
    assert prices_of(quotes) == {FIRST: 7}


def test_newest_quotes_are_not_changed_by_later_frames() -> None:
    """Somebody may be writing them."""
    quotes = NewestQuotes()
    quotes.take(frame_of(3, {FIRST: 7, FIRST + 1: 7}))
    newest = quotes.newest()

    quotes.take(frame_of(4, {FIRST: 8}))

    assert newest is not None
    assert isinstance(newest.rows, QuoteRows)
    assert newest.rows.last_e4.tolist() == [7, 7]


def test_newest_quotes_of_a_silent_run_are_none_yet() -> None:
    """A run of bars has none at all."""
    quotes = NewestQuotes()
    stamp = BeatStamp(RUN, 0, BeatKind.BAR, TRADE_DATE, 0)

    quotes.take(Frame(stamp, 0, empty_rows(BeatKind.BAR)))

    assert prices_of(quotes) == {}
