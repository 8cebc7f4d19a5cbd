"""A stage of two shards that may go on without either: frames, scores, and fills that are owed."""

from collections.abc import Iterable
from dataclasses import replace

from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.beats import BeatResult, StageCore
from tidegate_common.bus.headers import frame_message
from tidegate_common.bus.journal import JournalFold
from tidegate_common.bus.processor import Slot
from tidegate_common.domain.enums import BeatKind
from tidegate_common.events.message import Message
from tidegate_common.events.risk import LateInput
from tidegate_common.events.topics import FILLS, SCORES, TICKS, Topic, stripe_of
from tidegate_common.testing.builders import FEED, make_beat_message, make_frame, make_journal_entry
from tidegate_common.testing.fakes import ToyProcessor

SHARDS = 2
SLOTS = (
    *(Slot(TICKS, shard, FEED, shard=shard) for shard in range(SHARDS)),
    *(Slot(SCORES, shard, f"signals-{shard}", shard=shard) for shard in range(SHARDS)),
    *(Slot(FILLS, 0, f"execution-{shard}", shard=shard, is_owed=True) for shard in range(SHARDS)),
)


Log = dict[TopicPartition, list[Message]]


class LateStage:
    """A core with its journal, whose inputs stand at their offsets.

    Parameters
    ----------
    log : what was said so far, which the stage has not read yet.
    """

    def __init__(self, *, stripe_count: int = 1, log: Log | None = None) -> None:
        self.toy = ToyProcessor(slots=SLOTS)
        self.fold = JournalFold()
        self.core = StageCore(self.toy, self.fold, stripe_count=stripe_count)
        self.log: Log = {} if log is None else log
        self._stripe_count = stripe_count

    def give(self, *messages: Message) -> None:
        """Hand over messages as their partitions' next."""
        for message in messages:
            self.core.receive(append(self.log, message, self._stripe_count))

    def read_again(self) -> None:
        """Hand over the log from where the core's memory is."""
        for place, offset in self.core.positions().items():
            for message in self.log.get(place, [])[offset:]:
                self.core.receive(message)

    def journal(self, beat: int, *late: LateInput, run_id: str = "run-a") -> None:
        """Write the entry of a beat."""
        entry = make_journal_entry(beat, run_id=run_id, late=late)
        assert self.fold.offer(entry, self.fold.next_offset)

    def advance_all(self) -> list[BeatResult]:
        """Take beats until one is not whole."""
        results = []
        while result := self.core.advance():
            results.append(result)
        return results

    def taken(self) -> list[tuple[object, ...]]:
        """Return what the stage had of each beat: who spoke, then what was overdue."""
        return [
            (
                *(number for number, each in enumerate(inputs.payloads) if each is not None),
                *inputs.overdue,
            )
            for inputs in self.toy.inputs
        ]


def append(log: Log, message: Message, stripe_count: int = 1) -> Message:
    """Write a message to a log; return it as it stands there."""
    partition = message.partition
    if message.topic == FILLS.name:
        beat = int(dict(message.headers)["ce_beat"])
        partition = stripe_of(FILLS, partition, beat, stripe_count)
    messages = log.setdefault(TopicPartition(message.topic, partition), [])
    messages.append(replace(message, partition=partition, offset=len(messages)))
    return messages[-1]


def late(topic: Topic, shard: int, from_beat: int) -> LateInput:
    """Return what the journal says of a late shard."""
    return LateInput(topic.name, shard, SHARDS, from_beat)


def frame(
    beat: int,
    shard: int,
    run_id: str = "run-a",
    kind: BeatKind = BeatKind.TICK,
    *,
    is_last: bool = False,
) -> Message:
    """Return a frame's message."""
    return frame_message(
        make_frame(beat, shard=shard, run_id=run_id, kind=kind, is_last=is_last), FEED
    )


def score(beat: int, shard: int, run_id: str = "run-a") -> Message:
    """Return the message of signals."""
    return make_beat_message(
        SCORES, beat, producer=f"signals-{shard}", partition=shard, run_id=run_id
    )


def fill(beat: int, shard: int, run_id: str = "run-a", value: bytes = b"") -> Message:
    """Return the message of execution, which is a short text."""
    said = value or f"fills of {beat} in {shard}".encode()
    return make_beat_message(FILLS, beat, producer=f"execution-{shard}", run_id=run_id, value=said)


def shard_messages(
    beat: int, shard: int, run_id: str = "run-a", *, is_last: bool = False
) -> list[Message]:
    """Return all that is said of a shard in a beat."""
    return [
        frame(beat, shard, run_id, is_last=is_last),
        score(beat, shard, run_id),
        fill(beat, shard, run_id),
    ]


def whole_beat(beat: int, run_id: str = "run-a", *, is_last: bool = False) -> list[Message]:
    """Return all that is said in a beat."""
    return [
        message
        for shard in range(SHARDS)
        for message in shard_messages(beat, shard, run_id, is_last=is_last)
    ]


def beats_of(results: Iterable[BeatResult]) -> list[tuple[str, int]]:
    """Return run and beat of results."""
    return [(result.stamp.run_id, result.stamp.beat) for result in results]
