"""Beat alignment, without I/O: messages in, whole beats through the engine, messages out.

Rules
-----
- A beat is taken when every slot has its message for it (slots with lag: of the beat before).
- Each slot's messages carry beats 0, 1, 2, ... of a run. A (producer, run, beat) that was seen is
  a repeat and is dropped. A message ahead of its turn is put aside: it is foreign, or the log
  lost one before it, and then the stage stands still for all to see rather than guess.
- A message whose headers name its beat but whose value cannot be used stands for an empty one.
  One whose headers say nothing is put aside. Both become dead letters.
- Runs follow one another. Beat 0 in a tick slot begins a run; a run that is cut off by the next
  one's beat 0 is abandoned.
"""

import base64
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.headers import origin_of, run_spec_of, stamp_of
from tidegate_common.bus.journal import JournalFold
from tidegate_common.bus.processor import BeatInputs, Processor, Slot
from tidegate_common.codec import decode_event
from tidegate_common.engine import EngineState
from tidegate_common.errors import ContractError, InvariantError
from tidegate_common.events.message import DeadLetter, Message, Origin
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import TICKS
from tidegate_common.frames.frame import BeatStamp

# Enough to tell a repeat of an old run from a new run; ids are short.
FINISHED_RUNS_MAX = 1_000
DEAD_LETTER_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class StageSnapshot:
    """Memory of a stage: its engine's, and where its inputs go on.

    run_spec : JSON of the current run's settings, "" between runs.
    next_beat : the beat to take next.
    positions : offset by topic and partition from which to read again.
    """

    run_spec: str
    next_beat: int
    finished_runs: tuple[str, ...]
    positions: dict[TopicPartition, int]
    engine: EngineState
    journal: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class BeatResult:
    """What a beat made: messages in the order in which they are wanted."""

    stamp: BeatStamp
    messages: Sequence[Message]


@dataclass(slots=True)
class _Arrival:
    """A message that waits for its beat."""

    origin: Origin
    offset: int
    payload: object | None
    stamp: BeatStamp | None
    run_spec: str


@dataclass(slots=True)
class _Lane:
    """What has come on one slot."""

    slot: Slot
    queue: deque[_Arrival] = field(default_factory=deque)
    last: tuple[str, int] | None = None


class StageCore:
    """The beat machine of one stage instance."""

    def __init__(self, processor: Processor, journal: JournalFold | None = None) -> None:
        self._processor = processor
        self._journal = journal
        self._lanes = [_Lane(slot) for slot in processor.slots]
        self._lane_of = {
            (lane.slot.topic.name, lane.slot.partition, lane.slot.producer): lane
            for lane in self._lanes
        }
        self._next_offset = {
            TopicPartition(slot.topic.name, slot.partition): 0 for slot in processor.slots
        }
        self._spec_text = ""
        self._spec: RunSpec | None = None
        self._finished: deque[str] = deque(maxlen=FINISHED_RUNS_MAX)
        self._dead_letters: list[DeadLetter] = []
        self.next_beat = 0
        self.repeat_count = 0

    @property
    def run(self) -> RunSpec | None:
        """Settings of the current run; None between runs."""
        return self._spec

    @property
    def processor(self) -> Processor:
        """The stage's engine between decode and encode."""
        return self._processor

    def receive(self, message: Message) -> None:
        """Take a message of an input partition, in the order of its offsets."""
        place = TopicPartition(message.topic, message.partition)
        if message.offset < self._next_offset[place]:
            return
        self._next_offset[place] = message.offset + 1
        try:
            origin = origin_of(message)
            lane = self._lane(message, origin)
            stamp = stamp_of(message) if lane.slot.topic is TICKS else None
            if self._is_repeat(lane, origin):
                self.repeat_count += 1
                return
            run_spec = _checked_run_spec(message) if stamp and origin.beat == 0 else ""
        except ContractError as error:
            self._put_aside(message, str(error))
            return
        try:
            payload = self._processor.decode(lane.slot, message)
        except ContractError as error:
            self._put_aside(message, str(error))
            payload = None
        lane.last = (origin.run_id, origin.beat)
        lane.queue.append(_Arrival(origin, message.offset, payload, stamp, run_spec))

    def advance(self) -> BeatResult | None:
        """Take the next beat if it is whole; None when something is still to come."""
        self._begin_run_if_due()
        if self._spec is None or not self._is_whole():
            return None
        run_id, beat = self._spec.run_id, self.next_beat
        requests = self._journal.requests_at(run_id, beat) if self._journal else ()
        payloads: list[object | None] = []
        stamp: BeatStamp | None = None
        for lane in self._lanes:
            if beat < lane.slot.lag:
                payloads.append(None)
                continue
            arrival = lane.queue.popleft()
            payloads.append(arrival.payload)
            stamp = stamp or arrival.stamp
        if stamp is None:
            message = f"{self._processor.producer} has no slot of topic {TICKS.name}"
            raise InvariantError(message)
        messages = self._processor.on_beat(BeatInputs(stamp, tuple(payloads), requests))
        self.next_beat += 1
        if self._journal:
            self._journal.forget_before(run_id, self.next_beat)
        if stamp.is_last:
            self._finish_run()
        return BeatResult(stamp, messages)

    def needs_journal(self) -> bool:
        """Tell whether only the journal holds the next beat back."""
        return self._spec is not None and not self._is_journaled() and self._has_all()

    def backlog(self) -> Mapping[TopicPartition, int]:
        """Return how many messages of each partition wait for their beat."""
        counts = dict.fromkeys(self._next_offset, 0)
        for lane in self._lanes:
            counts[TopicPartition(lane.slot.topic.name, lane.slot.partition)] += len(lane.queue)
        return counts

    def positions(self) -> dict[TopicPartition, int]:
        """Return the offsets from which to read to go on after the last beat."""
        positions = dict(self._next_offset)
        for lane in self._lanes:
            if lane.queue:
                place = TopicPartition(lane.slot.topic.name, lane.slot.partition)
                positions[place] = min(positions[place], lane.queue[0].offset)
        return positions

    def take_dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters since the last call."""
        letters, self._dead_letters = self._dead_letters, []
        return letters

    def snapshot(self) -> StageSnapshot:
        """Return the memory after the last beat."""
        return StageSnapshot(
            run_spec=self._spec_text,
            next_beat=self.next_beat,
            finished_runs=tuple(self._finished),
            positions=self.positions(),
            engine=self._processor.snapshot() if self._spec else EngineState(),
            journal=self._journal.snapshot() if self._journal else None,
        )

    def restore(self, snapshot: StageSnapshot) -> None:
        """Take up a memory; messages are to be received from `positions()` on."""
        self._finished = deque(snapshot.finished_runs, maxlen=FINISHED_RUNS_MAX)
        self._spec_text = snapshot.run_spec
        self._spec = decode_event(RunSpec, snapshot.run_spec) if snapshot.run_spec else None
        self.next_beat = snapshot.next_beat
        self._next_offset |= {
            place: offset
            for place, offset in snapshot.positions.items()
            if place in self._next_offset
        }
        for lane in self._lanes:
            lane.queue.clear()
            before = snapshot.next_beat - lane.slot.lag - 1
            lane.last = (self._spec.run_id, before) if self._spec and before >= 0 else None
        if self._spec:
            self._processor.restore(self._spec, snapshot.engine)
        if self._journal and snapshot.journal is not None:
            self._journal.restore(snapshot.journal)

    def _lane(self, message: Message, origin: Origin) -> _Lane:
        lane = self._lane_of.get((message.topic, message.partition, origin.producer))
        if lane is None:
            known = sorted(
                producer
                for topic, partition, producer in self._lane_of
                if (topic, partition) == (message.topic, message.partition)
            )
            reason = f"ce_producer must be one of {', '.join(known)}, was {origin.producer}"
            raise ContractError(reason)
        return lane

    def _is_repeat(self, lane: _Lane, origin: Origin) -> bool:
        if origin.run_id in self._finished:
            return True
        run_id, last = lane.last or ("", -1)
        if origin.run_id != run_id:
            last = -1
        if origin.beat <= last:
            return True
        if origin.beat > last + 1:
            text = (
                f"expected beat {last + 1} of run {origin.run_id} from {origin.producer}, "
                f"found beat {origin.beat}"
            )
            raise ContractError(text)
        return False

    def _put_aside(self, message: Message, reason: str) -> None:
        self._dead_letters.append(dead_letter(message, self._processor.producer, reason))

    def _begin_run_if_due(self) -> None:
        current = self._spec.run_id if self._spec else None
        for lane in self._lanes:
            if lane.slot.topic is not TICKS or not lane.queue:
                continue
            head = lane.queue[0]
            if head.origin.beat == 0 and head.origin.run_id != current:
                if self._spec:
                    self._finish_run()
                self._spec = decode_event(RunSpec, head.run_spec)
                self._spec_text = head.run_spec
                self.next_beat = 0
                self._processor.start_run(self._spec)
                return

    def _finish_run(self) -> None:
        assert self._spec is not None
        run_id = self._spec.run_id
        self._finished.append(run_id)
        self._spec, self._spec_text, self.next_beat = None, "", 0
        for lane in self._lanes:
            while lane.queue and lane.queue[0].origin.run_id == run_id:
                lane.queue.popleft()
        if self._journal:
            self._journal.forget_run(run_id)

    def _is_whole(self) -> bool:
        return self._is_journaled() and self._has_all()

    def _is_journaled(self) -> bool:
        if self._journal is None or self._spec is None:
            return True
        return self._journal.covered_to(self._spec.run_id) > self.next_beat

    def _has_all(self) -> bool:
        assert self._spec is not None
        for lane in self._lanes:
            wanted = self.next_beat - lane.slot.lag
            if wanted < 0:
                continue
            if not lane.queue:
                return False
            origin = lane.queue[0].origin
            if origin.run_id != self._spec.run_id or origin.beat != wanted:
                return False
        return True


def _checked_run_spec(message: Message) -> str:
    """Return the run's settings of a beat 0, once they are known to decode."""
    text = run_spec_of(message)
    decode_event(RunSpec, text)
    return text


def dead_letter(message: Message, stage: str, reason: str) -> DeadLetter:
    """Return the dead letter of a message, its value cut at 64 KiB."""
    return DeadLetter(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        stage=stage,
        reason=reason,
        value_base64=base64.b64encode(message.value[:DEAD_LETTER_BYTES_MAX]).decode(),
    )
