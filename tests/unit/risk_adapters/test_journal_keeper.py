"""The owner of the journal: writes ahead of the beats, and acts only on what it reads back."""

import dataclasses

import pytest
from msgspec.structs import replace

from tidegate_common.bus.base import NewTopic, TopicPartition
from tidegate_common.bus.beats import StageCore
from tidegate_common.bus.journal import JournalFold
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.clock import ManualClock
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import ControlCommand
from tidegate_common.domain.ids import AccountId, RequestId
from tidegate_common.errors import TransientError
from tidegate_common.events.message import Message
from tidegate_common.events.orders import ControlRequest, RequestEnvelope
from tidegate_common.events.risk import JournalEntry
from tidegate_common.events.run import RiskLimits
from tidegate_common.events.topics import JOURNAL, ORDERS, REQUESTS, SCORES
from tidegate_common.testing.builders import (
    make_beat_message,
    make_journal_entry,
    make_request,
    make_tick_message,
)
from tidegate_common.testing.fakes import FailingBus, ToyProcessor
from tidegate_risk.adapters.journal import (
    ENTRY_REQUESTS_MAX,
    SPAN_BEATS_MAX,
    SPAN_SECONDS,
    JournalKeeper,
)

HALT_ALL = ControlRequest(RequestId("halt"), ControlCommand.HALT)


class Risk:
    """A stage with a journal, on a bus and a clock that stand still."""

    def __init__(self, bus: MemoryBus, fail_at_call: int = -1) -> None:
        self.bus = bus
        self.clock = ManualClock()
        self.fold = JournalFold()
        self.toy = ToyProcessor()
        self.core = StageCore(self.toy, self.fold)
        writer = FailingBus(bus, fail_at_call=fail_at_call)
        self.keeper = JournalKeeper(
            writer,
            self.fold,
            self.clock,
            partition=0,
            partition_count=2,
        )
        self._offsets: dict[TopicPartition, int] = {}

    def give_beat(self, beat: int, run_id: str = "run-a", *, is_last: bool = False) -> None:
        """Hand the core all inputs of a beat."""
        ticks = [
            make_tick_message(beat, shard=shard, run_id=run_id, is_last=is_last) for shard in (0, 1)
        ]
        said = [make_beat_message(SCORES, beat, producer="signals-0", run_id=run_id)]
        if beat:
            said += [
                make_beat_message(ORDERS, beat - 1, producer=f"risk-{number}", run_id=run_id)
                for number in (0, 1)
            ]
        for message in (*ticks, *said):
            place = TopicPartition(message.topic, message.partition)
            self._offsets[place] = self._offsets.get(place, -1) + 1
            self.core.receive(dataclasses.replace(message, offset=self._offsets[place]))

    async def take_beat(self, beat: int, seconds: float, run_id: str = "run-a") -> None:
        """Take a beat that comes so many seconds after the last one."""
        self.give_beat(beat, run_id)
        await self.take_given_beat(seconds)

    async def take_given_beat(self, seconds: float) -> None:
        """Take a beat that the core has, so many seconds after the last one."""
        self.clock.advance(seconds)
        self.core.begin_run_if_due()
        await self.keeper.write_if_due(self.core)
        self.read_journal()
        assert self.core.advance() is not None
        self.keeper.beat_taken()

    def read_journal(self) -> None:
        """Read the journal on."""
        for message in self.bus.log(JOURNAL.name)[self.fold.next_offset :]:
            self.keeper.take_entry(message)

    def entries(self) -> list[JournalEntry]:
        """Return the journal."""
        return [decode_event(JournalEntry, m.value) for m in self.bus.log(JOURNAL.name)]


async def make_bus() -> MemoryBus:
    """Return a bus with both topics."""
    bus = MemoryBus()
    await bus.create_topics([NewTopic(JOURNAL.name, 1), NewTopic(REQUESTS.name, 1)])
    return bus


def request_message(offset: int, envelope: RequestEnvelope | None = None) -> Message:
    """Return a request where it stands on its topic."""
    value = encode_event(envelope or make_request(offset))
    return Message(REQUESTS.name, 0, value, offset=offset)


async def test_keeper_without_a_run_writes_nothing() -> None:
    """A request that comes between runs waits for the next one."""
    risk = Risk(await make_bus())
    risk.keeper.take_request(request_message(0))

    await risk.keeper.write_if_due(risk.core)

    assert risk.entries() == []


async def test_keeper_slow_beats_are_covered_one_by_one() -> None:
    """A request then enters at the next beat."""
    risk = Risk(await make_bus())
    for beat in range(3):
        risk.keeper.take_request(request_message(beat))
        await risk.take_beat(beat, 3.0)

    entered = [[str(r.order.request_id) for r in i.requests if r.order] for i in risk.toy.inputs]

    assert [(entry.from_beat, entry.to_beat) for entry in risk.entries()] == [
        (0, 1),
        (1, 2),
        (2, 3),
    ]
    assert entered == [["q0"], ["q1"], ["q2"]]


async def test_keeper_slow_beats_are_written_only_once_they_are_whole() -> None:
    """A request that comes while a beat is awaited still enters with it."""
    risk = Risk(await make_bus())
    await risk.take_beat(0, 3.0)

    await risk.keeper.write_if_due(risk.core)

    assert len(risk.entries()) == 1


async def test_keeper_fast_beats_are_covered_by_spans_ahead_of_them() -> None:
    """At full speed the round trip to the log costs nothing, and a request waits 0.2 s at most."""
    risk = Risk(await make_bus())
    for beat in range(400):
        risk.give_beat(beat)
    for beat in range(340):
        await risk.take_given_beat(0.004)
        assert risk.fold.covered_to("run-a") > beat

    spans = [entry.to_beat - entry.from_beat for entry in risk.entries()]

    assert spans[0] == 1
    assert spans[-1] == pytest.approx(SPAN_SECONDS / 0.004, abs=1)
    assert len(spans) < 40
    assert risk.fold.covered_to("run-a") > risk.core.next_beat


async def test_keeper_span_has_a_limit() -> None:
    """However fast the beats, a request does not wait for a thousand of them."""
    risk = Risk(await make_bus())
    for beat in range(300):
        risk.give_beat(beat)
    for _ in range(300):
        await risk.take_given_beat(0.0)

    assert max(entry.to_beat - entry.from_beat for entry in risk.entries()) == SPAN_BEATS_MAX


async def test_keeper_span_ends_with_the_frames_that_have_come() -> None:
    """Beats may slow down, and a request must not wait for many of them that are yet to come."""
    risk = Risk(await make_bus())
    for beat in range(100):
        risk.give_beat(beat)
    for _ in range(100):
        await risk.take_given_beat(0.0)
    risk.keeper.take_request(request_message(0))

    for beat in (100, 101):
        await risk.take_beat(beat, 3.0)

    assert risk.entries()[-3].to_beat == 100
    assert [len(inputs.requests) for inputs in risk.toy.inputs[100:]] == [1, 0]


async def test_keeper_request_after_the_last_beat_enters_the_next_run() -> None:
    """However far ahead the journal was: what is covered and never comes answers nobody."""
    risk = Risk(await make_bus())
    for beat in range(40):
        risk.give_beat(beat, is_last=beat == 39)
    for _ in range(40):
        await risk.take_given_beat(0.0)
    risk.keeper.take_request(request_message(0))

    await risk.keeper.write_if_due(risk.core)
    await risk.take_beat(0, 3.0, "run-b")

    assert [len(inputs.requests) for inputs in risk.toy.inputs] == [0] * 40 + [1]
    assert [entry.from_beat for entry in risk.entries() if entry.requests] == [0]


async def test_keeper_entry_that_is_not_read_back_is_not_written_again() -> None:
    """The loop asks at every message; the log must not fill with the same entry."""
    risk = Risk(await make_bus())
    risk.give_beat(0)
    risk.core.begin_run_if_due()

    for _ in range(3):
        await risk.keeper.write_if_due(risk.core)

    assert len(risk.entries()) == 1
    assert risk.core.advance() is None


async def test_keeper_entry_that_lost_the_beat_gives_way_to_the_winner() -> None:
    """If another process wrote first, that one's entry counts, and the request enters later."""
    bus = await make_bus()
    risk = Risk(bus)
    risk.keeper.take_request(request_message(0))
    winner = make_journal_entry(0, 1)
    await bus.publish([Message(JOURNAL.name, 0, encode_event(winner))])

    await risk.take_beat(0, 3.0)
    await risk.take_beat(1, 3.0)

    assert [len(inputs.requests) for inputs in risk.toy.inputs] == [0, 1]


async def test_keeper_entry_that_lost_the_requests_is_written_again() -> None:
    """An older run's last entry may take the requests first: the beats must not stop for it."""
    bus = await make_bus()
    risk = Risk(bus)
    risk.give_beat(0, "run-b")
    risk.core.begin_run_if_due()
    risk.keeper.take_request(request_message(0))
    stale = make_journal_entry(0, run_id="run-a", requests=[make_request(0)])
    await bus.publish([Message(JOURNAL.name, 0, encode_event(stale))])

    await risk.keeper.write_if_due(risk.core)
    risk.read_journal()
    before = risk.core.advance()
    await risk.keeper.write_if_due(risk.core)
    risk.read_journal()

    assert before is None
    assert risk.core.advance() is not None
    assert risk.fold.requests_through_offset == 1


async def test_keeper_request_read_twice_enters_once() -> None:
    """After a restart the topics are read again from where the journal stands."""
    risk = Risk(await make_bus())
    for offset in (0, 1, 1, 0):
        risk.keeper.take_request(request_message(offset))
    await risk.take_beat(0, 3.0)
    risk.keeper.take_request(request_message(1))
    await risk.take_beat(1, 3.0)

    assert [len(inputs.requests) for inputs in risk.toy.inputs] == [2, 0]
    assert risk.keeper.positions() == {
        TopicPartition(JOURNAL.name, 0): 2,
        TopicPartition(REQUESTS.name, 0): 2,
    }


async def test_keeper_command_enters_with_the_share_of_its_partition() -> None:
    """Whatever its sender wrote there: who counts partitions wrongly would miss accounts."""
    risk = Risk(await make_bus())
    sent = replace(HALT_ALL, risk_partition=1, risk_partition_count=7)
    risk.keeper.take_request(request_message(0, RequestEnvelope(control=sent)))

    await risk.take_beat(0, 3.0)

    (entered,) = risk.toy.inputs[0].requests
    expected = replace(HALT_ALL, risk_partition=0, risk_partition_count=2)
    assert entered == RequestEnvelope(control=expected)


async def test_keeper_new_limits_enter_as_they_are() -> None:
    """For an account they need no share, but a share does no harm."""
    risk = Risk(await make_bus())
    limits = RiskLimits(position_bps_max=1)
    setting = ControlRequest(RequestId("c"), ControlCommand.SET_LIMITS, AccountId("A1"), limits)
    risk.keeper.take_request(request_message(0, RequestEnvelope(control=setting)))

    await risk.take_beat(0, 3.0)

    (entered,) = risk.toy.inputs[0].requests
    assert entered.control == replace(setting, risk_partition_count=2)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"hello", "expected a RequestEnvelope as JSON"),
        (encode_event(RequestEnvelope()), "expected exactly one of order, cancel and control"),
        (
            encode_event(replace(make_request(), control=HALT_ALL)),
            "expected exactly one of order, cancel and control",
        ),
        (
            encode_event(
                RequestEnvelope(control=replace(HALT_ALL, command=ControlCommand.SET_LIMITS)),
            ),
            "expected set_limits to name an account, found none",
        ),
        (
            encode_event(
                RequestEnvelope(
                    control=ControlRequest(
                        RequestId("c"), ControlCommand.SET_LIMITS, AccountId("A1")
                    ),
                ),
            ),
            "expected limits with set_limits alone, found set_limits with no limits",
        ),
        (
            encode_event(RequestEnvelope(control=replace(HALT_ALL, limits=RiskLimits()))),
            "expected limits with set_limits alone, found halt with limits",
        ),
    ],
)
async def test_keeper_request_that_is_none_is_put_aside_and_passed(value: bytes, text: str) -> None:
    """A bad request is nobody's order, and holds nobody up."""
    risk = Risk(await make_bus())
    risk.keeper.take_request(Message(REQUESTS.name, 0, value, offset=0))
    risk.keeper.take_request(request_message(1))

    await risk.take_beat(0, 3.0)
    letters = risk.keeper.take_dead_letters()

    assert [(letter.offset, letter.stage) for letter in letters] == [(0, "risk-0")]
    assert text in letters[0].reason
    assert risk.keeper.take_dead_letters() == []
    assert [len(inputs.requests) for inputs in risk.toy.inputs] == [1]
    assert risk.entries()[0].requests_through_offset == 2


async def test_keeper_entry_that_is_none_is_put_aside_and_passed() -> None:
    """A foreign message in the journal is told of, and is not read again."""
    bus = await make_bus()
    await bus.publish([Message(JOURNAL.name, 0, b"hello")])
    risk = Risk(bus)

    risk.read_journal()
    risk.keeper.take_entry(bus.log(JOURNAL.name)[0])

    assert [letter.topic for letter in risk.keeper.take_dead_letters()] == [JOURNAL.name]
    assert risk.fold.next_offset == 1


async def test_keeper_entry_takes_a_bounded_number_of_requests() -> None:
    """A flood of requests must not make a message that no broker takes."""
    risk = Risk(await make_bus())
    for offset in range(ENTRY_REQUESTS_MAX + 3):
        risk.keeper.take_request(request_message(offset))

    await risk.take_beat(0, 3.0)
    await risk.take_beat(1, 3.0)

    assert [len(inputs.requests) for inputs in risk.toy.inputs] == [ENTRY_REQUESTS_MAX, 3]


async def test_keeper_entry_that_the_broker_does_not_keep_shows() -> None:
    """A lost entry would hold the beats back for ever; the supervisor restarts us instead."""
    risk = Risk(await make_bus(), fail_at_call=0)
    risk.give_beat(0)
    risk.core.begin_run_if_due()

    with pytest.raises(TransientError):
        await risk.keeper.write_if_due(risk.core)
