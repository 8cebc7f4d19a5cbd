"""Frames of the day, found in the log."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tidegate_common.bus.base import Reader, TopicPartition
from tidegate_common.bus.headers import frame_message
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.errors import TransientError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import TICKS
from tidegate_common.frames.rows import BarRows, QuoteRows
from tidegate_common.testing.builders import FEED, make_bar_rows, make_frame
from tidegate_common.testing.scripted_run import (
    INSTRUMENT,
    TRADE_DATE,
    ScriptedRun,
    all_topics,
)
from tidegate_gateway.archive import FramePlace, FrameRow
from tidegate_gateway.frame_log import BEATS_BACK, FrameLog

SCRIPT = ScriptedRun(run_id=RunId("today"), beat_count=60)
BEFORE = ScriptedRun(run_id=RunId("before"), beat_count=30)


class CountingBus(MemoryBus):
    """Counts how often it is read and let go of, or is away, or never answers."""

    reads = 0
    closes = 0
    is_away = False
    is_stuck = False

    async def open_reader(
        self,
        positions: Mapping[TopicPartition, int],
        *,
        is_urgent: bool = False,
    ) -> Reader:
        """Return a reader."""
        self.reads += 1
        if self.is_away:
            message = "expected an answer of Kafka, found: nothing"
            raise TransientError(message)
        if self.is_stuck:
            await asyncio.Event().wait()
        reader = await super().open_reader(positions, is_urgent=is_urgent)
        close = reader.close

        async def count() -> None:
            self.closes += 1
            await close()

        reader.close = count  # type: ignore[method-assign]  # of this one alone
        return reader


def frames_of(script: ScriptedRun, beats: range) -> list[Message]:
    """Return the frames of some beats."""
    said = [message for beat in beats for message in script.beat_messages(beat)]
    return [message for message in said if message.topic == TICKS.name]


async def log_of(messages: Sequence[Message], shard_count: int = 1) -> tuple[CountingBus, FrameLog]:
    """Return a bus that has messages, and what reads frames of it."""
    bus = CountingBus()
    await bus.create_topics(all_topics(shard_count=shard_count))
    await bus.publish(messages)
    return bus, FrameLog(bus, shard_count=shard_count, timeout_seconds=30)


def place_of(beat: int, run_id: str = "today", trade_date: int = TRADE_DATE) -> FramePlace:
    """Return a place where the instrument may have spoken."""
    return FramePlace(run_id=run_id, trade_date=trade_date, beat=beat, instrument=INSTRUMENT)


async def row_of(log: FrameLog, beat: int, run_id: str = "today") -> FrameRow | None:
    """Return what was said of the instrument up to a beat."""
    return await log.row(place_of(beat, run_id))


@pytest.mark.parametrize("shard_count", [1, 3])
@pytest.mark.parametrize("beat", [1, 7, 58, 59])
async def test_row_of_a_beat_is_its_own_quote(beat: int, shard_count: int) -> None:
    """Whatever was said before and after, and on whichever partition."""
    before = replace(BEFORE, shard_count=shard_count)
    script = replace(SCRIPT, shard_count=shard_count)
    messages = frames_of(before, range(30)) + frames_of(script, range(60))
    bus, log = await log_of(messages, shard_count)

    row = await row_of(log, beat)

    assert row is not None
    assert (row.stamp.run_id, row.stamp.beat, len(row.rows)) == ("today", beat, 1)
    assert isinstance(row.rows, QuoteRows)
    assert row.rows.volume_shares[0] == 100 * beat
    assert bus.reads <= 3
    assert bus.closes == bus.reads


@pytest.mark.parametrize("beat", [3, 12, 25, 59])
async def test_row_is_found_among_beats_that_were_said_again(beat: int) -> None:
    """A feed that crashed twice says some beats three times."""
    messages = [
        *frames_of(SCRIPT, range(30)),
        *frames_of(SCRIPT, range(10, 40)),
        *frames_of(SCRIPT, range(20, 60)),
    ]
    _, log = await log_of(messages)

    row = await row_of(log, beat)

    assert row is not None
    assert row.stamp.beat == beat


async def test_row_of_a_run_before_the_newest_is_found() -> None:
    """Its day may be in no archive either."""
    _, log = await log_of(frames_of(BEFORE, range(30)) + frames_of(SCRIPT, range(60)))

    row = await row_of(log, 29, "before")

    assert row is not None
    assert (row.stamp.run_id, row.stamp.beat) == ("before", 29)


async def test_row_of_an_instrument_that_was_silent_is_what_it_said_before() -> None:
    """Not further back than some beats, and nothing that was said later."""
    silent = replace(SCRIPT, beat_count=60)
    spoken, quiet = frames_of(silent, range(20)), _without_rows(range(20, 60))
    _, log = await log_of([*spoken, *quiet])

    last, none = await row_of(log, 19 + BEATS_BACK), await row_of(log, 20 + BEATS_BACK)

    assert last is not None
    assert last.stamp.beat == 19
    assert none is None


async def test_row_of_a_beat_that_was_said_again_is_of_nothing_later() -> None:
    """Between its two times stand beats that were yet to come."""
    quiet = _without_rows(range(20, 22))
    once = [*frames_of(SCRIPT, range(20)), *quiet, *frames_of(SCRIPT, range(22, 25))]
    _, log = await log_of([*once, *quiet[1:], *frames_of(SCRIPT, range(22, 60))])

    row = await row_of(log, 21)

    assert row is not None
    assert row.stamp.beat == 19


async def test_row_of_an_instrument_that_was_silent_is_of_no_run_before() -> None:
    """Whose beats have the same numbers."""
    _, log = await log_of([*frames_of(BEFORE, range(3)), *_without_rows(range(6))])

    assert await row_of(log, 5) is None


async def test_row_of_a_run_of_bars_is_the_bar() -> None:
    """A lineage shows what the market said, whatever its kind."""
    frame = make_frame(0, rows=make_bar_rows(), kind=BeatKind.BAR)
    stamp, instrument = frame.stamp, int(make_bar_rows().instrument[1])
    _, log = await log_of([frame_message(frame, FEED)])

    row = await log.row(
        FramePlace(
            run_id=stamp.run_id,
            trade_date=stamp.trade_date,
            beat=stamp.beat,
            instrument=instrument,
        ),
    )

    assert row is not None
    assert isinstance(row.rows, BarRows)
    assert row.rows.instrument.tolist() == [instrument]


def _without_rows(beats: range) -> list[Message]:
    """Return frames of beats in which nobody spoke: of a shard that has no instrument."""
    other = ScriptedRun(run_id=RunId("today"), beat_count=60, shard_count=3)
    return [
        replace(message, partition=0)
        for message in frames_of(other, beats)
        if message.partition == _EMPTY_SHARD
    ]


# Of three; the instrument's is another.
_EMPTY_SHARD = 1


@pytest.mark.parametrize(
    ("run_id", "trade_date", "beat"),
    [("today", TRADE_DATE, 60), ("other", TRADE_DATE, 7), ("today", 20230202, 7)],
)
async def test_row_that_the_log_does_not_have_is_none(
    run_id: str,
    trade_date: int,
    beat: int,
) -> None:
    """A beat that is yet to come, a run of another log, a quote of another day."""
    _, log = await log_of(frames_of(SCRIPT, range(60)))

    row = await log.row(place_of(beat, run_id, trade_date))

    assert row is None


async def test_row_of_an_opening_beat_has_no_quote() -> None:
    """Nothing was said before it, and the quotes of the run before are not its own."""
    _, log = await log_of(frames_of(BEFORE, range(30)) + frames_of(SCRIPT, range(60)))

    assert await row_of(log, 0) is None


async def test_row_messages_that_cannot_be_read_are_stepped_over() -> None:
    """One without an envelope at the end, one without a frame at the beat."""
    messages = frames_of(SCRIPT, range(40))
    messages[30] = replace(messages[30], value=b"nonsense")
    _, log = await log_of([*messages, Message(TICKS.name, 0, b"nonsense")])

    row = await row_of(log, 30)

    assert row is not None
    assert row.stamp.beat == 29


async def test_row_of_an_empty_log_is_none() -> None:
    """Nothing has come yet."""
    bus, log = await log_of([])

    assert (await row_of(log, 0), bus.reads) == (None, 0)


async def test_row_many_runs_ago_is_given_up() -> None:
    """So many looks, and no more."""
    runs = [ScriptedRun(run_id=RunId(f"run-{number}"), beat_count=2) for number in range(20)]
    bus, log = await log_of([message for run in runs for message in frames_of(run, range(2))])

    row = await row_of(log, 1, "run-0")

    assert row is None
    assert bus.reads < 10


async def test_row_broker_away_is_none_and_left_alone_then() -> None:
    """An order's chain waits for nothing that does not answer."""
    bus, log = await log_of(frames_of(SCRIPT, range(9)))
    bus.is_away = True

    rows = [await row_of(log, 3) for _ in range(10)]

    assert rows == [None] * 10
    assert 1 < bus.reads < 10


async def test_row_broker_that_failed_now_and_then_is_asked_on() -> None:
    """It is left alone after failures in a row only."""
    bus, log = await log_of(frames_of(SCRIPT, range(9)))

    for _ in range(4):
        bus.is_away = True
        await row_of(log, 3)
        bus.is_away = False
        found = await row_of(log, 3)

        assert found is not None


async def test_row_broker_stuck_is_none_in_time() -> None:
    """It never hangs."""
    bus, _ = await log_of(frames_of(SCRIPT, range(9)))
    bus.is_stuck = True
    log = FrameLog(bus, shard_count=1, timeout_seconds=0.01)

    assert await row_of(log, 3) is None
