"""Shard 0 read back: what stands there first is the beat."""

import asyncio

import pytest

from tidegate_common.bus.base import NewTopic
from tidegate_common.bus.headers import frame_message
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.events.message import Message
from tidegate_common.events.topics import TICKS
from tidegate_common.testing.builders import RUN_ID, make_frame, make_quote_rows
from tidegate_ingest.adapters.tick_echo import OvertakenError, TickEcho
from tidegate_ingest.shell import PRODUCER


@pytest.fixture
async def bus() -> MemoryBus:
    """Return a bus with frames."""
    bus = MemoryBus()
    await bus.create_topics([NewTopic(TICKS.name, 1)])
    return bus


def make_message(
    beat: int, *, rows: int = 3, run_id: str = RUN_ID, producer: str = PRODUCER
) -> Message:
    """Return a frame of a run; another number of rows is other bytes."""
    quotes = make_quote_rows(rows)
    return frame_message(make_frame(beat, run_id=run_id, rows=quotes), producer)


async def hear(bus: MemoryBus, ours: list[Message], beat: int) -> None:
    """Follow from beat 3 on, with some messages of ours, until a beat is heard."""
    echo = TickEcho(bus, run_id=RUN_ID, producer=PRODUCER)
    for number, message in enumerate(ours, start=3):
        echo.expect(number, message)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        following = tasks.create_task(echo.follow(0, 3))
        await echo.until_heard(beat)
        following.cancel()


async def test_tick_echo_of_our_own_beats_is_heard(bus: MemoryBus) -> None:
    """Whoever repeats them, before or after, changes nothing."""
    ours = [make_message(beat) for beat in (3, 4)]
    others = [make_message(2, rows=1), Message(TICKS.name, 0, b"garbage")]
    strangers = [make_message(3, rows=2, run_id="other"), make_message(3, rows=2, producer="x")]
    await bus.publish([*others, *strangers, ours[0], make_message(3, rows=1), ours[1]])

    await hear(bus, ours, 4)


@pytest.mark.parametrize("ours", [[], [make_message(3, rows=3)]], ids=["unsaid", "said"])
async def test_tick_echo_of_anothers_beat_says_that_we_were_overtaken(
    bus: MemoryBus, ours: list[Message]
) -> None:
    """Its rows are the beat, and ours never were: begin again from the log."""
    await bus.publish([make_message(3, rows=2), *ours])

    with pytest.raises(ExceptionGroup) as failure:
        await hear(bus, ours, 3)

    (error,) = failure.value.exceptions
    assert isinstance(error, OvertakenError)
    assert "beat 3 of run" in str(error)


async def test_tick_echo_of_a_beat_that_both_say_alike_is_ours(bus: MemoryBus) -> None:
    """The same bytes: nobody can tell, and nobody needs to."""
    await bus.publish([make_message(3), make_message(3)])

    await hear(bus, [make_message(3)], 3)
