"""How long risk waits for a shard, and what it writes down before it goes on without."""

from dataclasses import replace

import pytest
from tests.unit.common.late_stage import (
    SLOTS,
    Log,
    append,
    fill,
    frame,
    late,
    score,
    shard_messages,
    whole_beat,
)

from tidegate_common.bus.base import NewTopic
from tidegate_common.bus.beats import StageCore
from tidegate_common.bus.headers import frame_message
from tidegate_common.bus.journal import JournalFold
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.clock import ManualClock
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import BeatKind
from tidegate_common.events.message import Message
from tidegate_common.events.risk import JournalEntry, LateInput
from tidegate_common.events.topics import FILLS, JOURNAL, REQUESTS, SCORES, TICKS
from tidegate_common.testing.builders import (
    FEED,
    make_frame,
    make_journal_entry,
    make_request,
    make_run_spec,
)
from tidegate_common.testing.fakes import ToyProcessor
from tidegate_risk.adapters.journal import JournalKeeper

MAX_WAIT_MS = 500
MAX_WAIT_S = 0.5


class LiveRisk:
    """A stage with a journal in a run that waits half a second, on a clock that stands still."""

    def __init__(self, bus: MemoryBus) -> None:
        self.bus = bus
        self.clock = ManualClock()
        self.fold = JournalFold()
        self.toy = ToyProcessor(slots=SLOTS)
        self.core = StageCore(self.toy, self.fold)
        self.keeper = JournalKeeper(bus, self.fold, self.clock, partition=0, partition_count=1)
        self._log: Log = {}

    def give(self, *messages: Message) -> None:
        """Hand over messages as their partitions' next."""
        for message in messages:
            self.core.receive(append(self._log, message))

    async def look(self) -> float | None:
        """Do what the loop does before a beat; return how long it would wait."""
        self.core.begin_run_if_due()
        seconds = await self.keeper.write_if_due(self.core)
        self.read_journal()
        return seconds

    def read_journal(self) -> None:
        """Read the journal on."""
        for message in self.bus.log(JOURNAL.name)[self.fold.next_offset :]:
            self.keeper.take_entry(message)

    def entries(self) -> list[JournalEntry]:
        """Return the journal."""
        return [decode_event(JournalEntry, m.value) for m in self.bus.log(JOURNAL.name)]


def first_frame(
    shard: int, kind: BeatKind = BeatKind.OPEN, max_wait_ms: int = MAX_WAIT_MS
) -> Message:
    """Return a frame of beat 0 with the settings of the run."""
    spec = replace(make_run_spec("run-a"), max_wait_ms=max_wait_ms)
    given = make_frame(0, shard=shard, run_id="run-a", kind=kind)
    return frame_message(replace(given, run_spec=encode_event(spec).decode()), FEED)


async def begun(max_wait_ms: int = MAX_WAIT_MS) -> LiveRisk:
    """Return a stage that has taken beat 0."""
    bus = MemoryBus()
    await bus.create_topics([NewTopic(JOURNAL.name, 1), NewTopic(REQUESTS.name, 1)])
    risk = LiveRisk(bus)
    for shard in (0, 1):
        risk.give(first_frame(shard, max_wait_ms=max_wait_ms), score(0, shard), fill(0, shard))
    await risk.look()
    assert risk.core.advance() is not None
    return risk


async def test_keeper_whole_beat_is_written_at_once() -> None:
    """Nobody waits for the clock when all is there."""
    risk = await begun()
    risk.give(*whole_beat(1))

    seconds = await risk.look()

    assert seconds is None
    assert [(entry.from_beat, entry.to_beat, entry.late) for entry in risk.entries()] == [
        (0, 1, ()),
        (1, 2, ()),
    ]
    assert risk.core.advance() is not None


async def test_keeper_late_shard_is_waited_for_and_then_written_down() -> None:
    """Half a second from the first frame, whatever else comes meanwhile."""
    risk = await begun()
    risk.give(frame(1, 0))

    first = await risk.look()
    risk.clock.advance(0.2)
    risk.give(score(1, 0), fill(1, 0))
    second = await risk.look()
    before = risk.core.advance()
    risk.clock.advance(0.3)
    third = await risk.look()

    assert (first, third) == (MAX_WAIT_S, None)
    assert second == pytest.approx(0.3)
    assert before is None
    assert risk.entries()[-1].late == (late(TICKS, 1, 1), late(SCORES, 1, 1), late(FILLS, 1, 1))
    assert risk.core.advance() is not None


async def test_keeper_next_beat_is_waited_for_anew() -> None:
    """The time is a beat's, not the run's."""
    risk = await begun()
    risk.give(*shard_messages(1, 0), *shard_messages(2, 0))
    await risk.look()
    risk.clock.advance(MAX_WAIT_S)
    await risk.look()
    risk.core.advance()

    seconds = await risk.look()

    assert seconds == MAX_WAIT_S
    assert len(risk.entries()) == 2


async def test_keeper_beat_without_a_frame_is_not_begun() -> None:
    """Nobody knows what it is, so there is nothing to do but wait."""
    risk = await begun()
    risk.give(score(1, 0), score(1, 1))
    await risk.look()
    risk.clock.advance(60.0)

    assert await risk.look() is None
    assert len(risk.entries()) == 1


async def test_keeper_late_fills_are_named_by_the_first_beat_that_had_not_come() -> None:
    """What had come by then is booked."""
    risk = await begun()
    for beat in (1, 2):
        risk.give(*shard_messages(beat, 0), frame(beat, 1), score(beat, 1))
        await risk.look()
        risk.clock.advance(MAX_WAIT_S)
        await risk.look()
        assert risk.core.advance() is not None
    risk.give(fill(1, 1), *shard_messages(3, 0), frame(3, 1), score(3, 1))
    await risk.look()
    risk.clock.advance(MAX_WAIT_S)

    await risk.look()

    assert [entry.late for entry in risk.entries()[1:]] == [
        (late(FILLS, 1, 1),),
        (late(FILLS, 1, 1),),
        (late(FILLS, 1, 2),),
    ]


@pytest.mark.parametrize(
    ("kind", "is_last", "lacking", "is_waited_for"),
    [
        (BeatKind.OPEN, False, TICKS, True),
        (BeatKind.OPEN, False, SCORES, False),
        (BeatKind.OPEN, False, FILLS, False),
        (BeatKind.TICK, False, TICKS, False),
        (BeatKind.BAR, False, FILLS, False),
        (BeatKind.CLOSE, False, TICKS, True),
        (BeatKind.CLOSE, False, FILLS, True),
        (BeatKind.CLOSE, False, SCORES, False),
        (BeatKind.TICK, True, TICKS, True),
        (BeatKind.TICK, True, FILLS, True),
        (BeatKind.TICK, True, SCORES, False),
    ],
)
async def test_keeper_beat_waits_for_what_its_kind_cannot_go_without(
    kind: BeatKind, lacking: object, *, is_last: bool, is_waited_for: bool
) -> None:
    """Reference data and the books of a day are whole; nothing could be traded then anyway."""
    risk = await begun()
    for shard in (0, 1):
        said = [frame(1, shard, kind=kind, is_last=is_last), score(1, shard), fill(1, shard)]
        topics = (TICKS, SCORES, FILLS)
        risk.give(
            *(m for m, topic in zip(said, topics, strict=True) if shard == 0 or topic != lacking)
        )
    await risk.look()
    risk.clock.advance(MAX_WAIT_S)

    seconds = await risk.look()

    assert seconds is None
    assert (risk.core.advance() is None) == is_waited_for


async def test_keeper_without_a_limit_waits_for_ever() -> None:
    """A replay or a backtest is not to depend on how fast anybody was."""
    risk = await begun(max_wait_ms=0)
    risk.give(*shard_messages(1, 0))
    await risk.look()
    risk.clock.advance(3_600.0)

    assert await risk.look() is None
    assert len(risk.entries()) == 1


async def test_keeper_late_entry_is_written_once() -> None:
    """Until it is read back it does not count, and once more would not make it count."""
    risk = await begun()
    risk.give(*shard_messages(1, 0))
    await risk.look()
    risk.clock.advance(MAX_WAIT_S)

    for _ in range(3):
        assert await risk.keeper.write_if_due(risk.core) is None

    assert len(risk.entries()) == 2
    assert risk.core.advance() is None


@pytest.mark.parametrize("winner_late", [(), (late(SCORES, 1, 1),)])
async def test_keeper_late_entry_that_lost_gives_way_to_the_winner(
    winner_late: tuple[LateInput, ...],
) -> None:
    """Another owner may have seen what came to us late, or less of it: the first entry wins."""
    risk = await begun()
    risk.give(*whole_beat(1)[:4])
    await risk.look()
    winner = make_journal_entry(1, run_id="run-a", late=winner_late)
    await risk.bus.publish([Message(JOURNAL.name, 0, encode_event(winner))])
    risk.clock.advance(MAX_WAIT_S)

    await risk.look()
    before = risk.core.advance()
    risk.give(*whole_beat(1)[4:])
    result = risk.core.advance()

    assert before is None
    assert result is not None
    assert result.late == winner_late


async def test_keeper_beat_that_is_journaled_already_is_not_written_again() -> None:
    """After a restart the journal is ahead, and what it says is waited for."""
    risk = await begun()
    for beat in (1, 2):
        ahead = make_journal_entry(beat, run_id="run-a")
        await risk.bus.publish([Message(JOURNAL.name, 0, encode_event(ahead))])
    risk.read_journal()
    risk.give(*shard_messages(1, 0))
    await risk.look()
    risk.clock.advance(MAX_WAIT_S)

    assert await risk.look() is None
    assert len(risk.entries()) == 3


async def test_keeper_request_enters_with_a_beat_that_goes_without_a_shard() -> None:
    """A halt must not wait for whoever is late."""
    risk = await begun()
    value = encode_event(make_request(7))
    risk.keeper.take_request(Message(REQUESTS.name, 0, value, offset=0))
    risk.give(*shard_messages(1, 0))
    await risk.look()
    risk.clock.advance(MAX_WAIT_S)

    await risk.look()
    risk.core.advance()

    assert risk.toy.inputs[-1].requests == (make_request(7),)
