"""Beat alignment, without I/O: messages in, whole beats through the engine, messages out.

Rules
-----
- A beat is taken when every slot has its message for it (slots with lag: of the beat before).
- Each slot's messages carry beats 0, 1, 2, ... of a run; on a stripe, every so many beats. A
  (producer, run, beat) that was seen is a repeat and is dropped. A message ahead of its turn is
  put aside: it is foreign, or the log lost one before it, and then the stage stands still for all
  to see rather than guess.
- A message whose headers name its beat but whose value cannot be used stands for an empty one.
  One whose headers say nothing is put aside. Both become dead letters.
- Where the journal says that a slot was late for a beat, the beat is taken without it, here and
  whenever the log is read again. What comes later of it is dropped as a repeat; only what a slot
  owes (fills) enters with the next beat by which it had come.
- Runs follow one another. Beat 0 of it in every tick slot begins a run. A run that a tick slot
  cuts off with the next one's beat 0 is abandoned; one that some tick slot never had is passed
  over. What a slot says of a run after it went on to the next one is a repeat.
"""

import base64
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.headers import origin_of, run_spec_of, stamp_of, trace_of
from tidegate_common.bus.journal import JournalFold
from tidegate_common.bus.lanes import FINISHED_RUNS_MAX, Arrival, Lane, Source
from tidegate_common.bus.processor import BeatInputs, Processor, Slot
from tidegate_common.codec import decode_event
from tidegate_common.engine import EngineState
from tidegate_common.errors import ContractError, InvariantError
from tidegate_common.events.message import DeadLetter, Message, Origin
from tidegate_common.events.orders import RequestEnvelope
from tidegate_common.events.risk import LateInput
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import STRIPED_TOPICS, TICKS, stripe_of
from tidegate_common.events.trace import TraceContext
from tidegate_common.frames.frame import BeatStamp

DEAD_LETTER_BYTES_MAX = 64 * 1024
DEAD_LETTER_REASON_CHARS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class StageSnapshot:
    """Memory of a stage: its engine's, and where its inputs go on.

    run_spec : JSON of the current run's settings, "" between runs.
    next_beat : the beat to take next.
    positions : offset by topic and partition from which to read again.
    owing : topic, partition, producer and next beat of the slots that owe earlier beats.
    """

    run_spec: str
    next_beat: int
    finished_runs: tuple[str, ...]
    positions: dict[TopicPartition, int]
    engine: EngineState
    journal: dict[str, object] | None = None
    owing: tuple[tuple[str, int, str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class BeatResult:
    """What a beat made: messages in the order in which they are wanted.

    late : what it was taken without.
    requests : what entered from outside.
    sent_ms : when its frame was sent, ms since the UTC epoch; 0 where nobody says.
    traces : the span that sent the message of each slot; None where there is none.
    waited_seconds : from its first frame to the last of its inputs, as they came.
    """

    stamp: BeatStamp
    messages: Sequence[Message]
    late: tuple[LateInput, ...] = ()
    requests: tuple[RequestEnvelope, ...] = ()
    sent_ms: int = 0
    traces: tuple[TraceContext | None, ...] = ()
    waited_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a beat is made of.

    arrivals : the newest one of each slot; None where there is none.
    first : that of the first shard whose frame is there.
    overdue : payloads that slots owed of earlier beats.
    """

    arrivals: tuple[Arrival | None, ...]
    first: Arrival
    stamp: BeatStamp
    overdue: tuple[object, ...]


class StageCore:
    """The beat machine of one stage instance.

    Parameters
    ----------
    journal : what enters from outside, for a stage that has such inputs.
    stripe_count : stripes of the deployment's striped topics.
    """

    def __init__(
        self,
        processor: Processor,
        journal: JournalFold | None = None,
        *,
        stripe_count: int = 1,
    ) -> None:
        self._processor = processor
        self._journal = journal
        self._stripe_count = stripe_count
        self._sources = [Source(slot, stripe_count) for slot in processor.slots]
        self._lanes = [lane for source in self._sources for lane in source.lanes]
        self._lane_of = {(lane.place, lane.slot.producer): lane for lane in self._lanes}
        self._next_offset = {lane.place: 0 for lane in self._lanes}
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

    def receive(self, message: Message, seconds: float = 0.0) -> None:
        """Take a message of an input partition, in the order of its offsets.

        Parameters
        ----------
        seconds : when it came, by a monotonic clock; only what operators see depends on it.
        """
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
            run_spec = _checked_run_spec(message, origin) if stamp and origin.beat == 0 else ""
        except ContractError as error:
            self._put_aside(message, str(error))
            return
        try:
            payload = self._processor.decode(lane.slot, message)
        except ContractError as error:
            self._put_aside(message, str(error))
            payload = None
        sent_ms, trace = message.sent_ms, trace_of(message)
        lane.add(
            Arrival(origin, message.offset, payload, stamp, run_spec, seconds, sent_ms, trace),
        )

    def advance(self) -> BeatResult | None:
        """Take the next beat if it is whole; None when something is still to come."""
        self.begin_run_if_due()
        if self._spec is None or not self._is_journaled():
            return None
        run_id, beat = self._spec.run_id, self.next_beat
        late = self._late_sources()
        if not self._is_whole(late):
            return None
        requests = self._journal.requests_at(run_id, beat) if self._journal else ()
        waited_seconds = self._waited_seconds(late)
        taken = self._take(late)
        payloads = tuple(each.payload if each else None for each in taken.arrivals)
        messages = self._processor.on_beat(
            BeatInputs(taken.stamp, payloads, requests, taken.overdue),
        )
        told = self._journal.late_at(run_id, beat) if self._journal else ()
        self.next_beat += 1
        if self._journal:
            self._journal.forget_before(run_id, self.next_beat)
        if taken.stamp.is_last:
            self._close_run(run_id)
        return BeatResult(
            taken.stamp,
            [self._striped(message, beat) for message in messages],
            told,
            requests,
            taken.first.sent_ms,
            tuple(each.trace if each else None for each in taken.arrivals),
            waited_seconds,
        )

    def begin_run_if_due(self) -> None:
        """Begin the next run once its beat 0 is in every tick slot; `advance` does so too."""
        ticks = [lane.queue for lane in self._lanes if lane.slot.topic is TICKS]
        while (run_id := self._cut_off_run(ticks)) is not None:
            self._close_run(run_id)
        if self._spec or not all(ticks):
            return
        heads = [queue[0] for queue in ticks]
        if any(head.origin.run_id != heads[0].origin.run_id for head in heads):
            # The run that one slot lacks shows as soon as the other slot goes on to the next.
            return
        self._spec_text = heads[0].run_spec
        self._spec = decode_event(RunSpec, self._spec_text)
        self._processor.start_run(self._spec)

    def needs_journal(self) -> bool:
        """Tell whether only the journal holds the next beat back."""
        return self._spec is not None and not self._is_journaled() and self._is_whole({})

    def framed_to(self, limit: int) -> int:
        """Return the first beat of the run of which a shard's frame has not come, or `limit`."""
        ticks = [source for source in self._sources if source.slot.topic is TICKS]
        return min(limit, *(source.come_to(self._run_id, limit) for source in ticks))

    def begun(self) -> BeatStamp | None:
        """Return the next beat's stamp as soon as one shard's frame has come."""
        for source in self._sources:
            head = source.head(self._run_id)
            if head and head.stamp:
                return head.stamp
        return None

    def missing(self) -> dict[Slot, int]:
        """Return the slots that the next beat waits for, and their first beat that has not come."""
        return {
            source.slot: come_to
            for source in self._sources
            if (come_to := source.come_to(self._run_id, self._wanted_to(source)))
            < self._wanted_to(source)
        }

    def backlog(self) -> Mapping[TopicPartition, int]:
        """Return how many messages of each partition wait for their beat."""
        counts = dict.fromkeys(self._next_offset, 0)
        for lane in self._lanes:
            counts[lane.place] += len(lane.queue)
        return counts

    def idle_places(self) -> set[TopicPartition]:
        """Return the stripes on which nothing is due yet, and which may be left alone for now."""
        idle: set[TopicPartition] = set()
        due: set[TopicPartition] = set()
        if self._spec:
            run_id = self._spec.run_id
            for source in self._sources:
                if len(source.lanes) > 1:
                    due.add(min(source.lanes, key=lambda lane: lane.due_in(run_id)).place)
                    idle.update(lane.place for lane in source.lanes)
        return idle - due

    def positions(self) -> dict[TopicPartition, int]:
        """Return the offsets from which to read to go on after the last beat."""
        positions = dict(self._next_offset)
        for lane in self._lanes:
            if lane.queue:
                positions[lane.place] = min(positions[lane.place], lane.queue[0].offset)
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
            owing=tuple(
                (source.slot.topic.name, source.slot.partition, source.slot.producer, due)
                for source in self._sources
                if (due := source.next_beat) + source.slot.lag < self.next_beat
            ),
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
        owing = {(topic, number, name): due for topic, number, name, due in snapshot.owing}
        for source in self._sources:
            slot = source.slot
            place = (slot.topic.name, slot.partition, slot.producer)
            source.next_beat = owing.get(place, max(snapshot.next_beat - slot.lag, 0))
            for lane in source.lanes:
                lane.rewind(self._run_id, source.next_beat - 1)
        if self._spec:
            self._processor.restore(self._spec, snapshot.engine)
        if self._journal and snapshot.journal is not None:
            self._journal.restore(snapshot.journal)

    @property
    def _run_id(self) -> str:
        """Id of the current run; "" between runs, which no run has."""
        return self._spec.run_id if self._spec else ""

    def _lane(self, message: Message, origin: Origin) -> Lane:
        place = TopicPartition(message.topic, message.partition)
        lane = self._lane_of.get((place, origin.producer))
        if lane is None:
            known = sorted(producer for where, producer in self._lane_of if where == place)
            reason = f"ce_producer must be one of {', '.join(known)}, was {origin.producer}"
            raise ContractError(reason)
        return lane

    def _is_repeat(self, lane: Lane, origin: Origin) -> bool:
        if origin.run_id in self._finished or origin.run_id in lane.left:
            return True
        due = lane.due_in(origin.run_id)
        if (origin.beat - due) % lane.step or origin.beat > due:
            text = (
                f"expected beat {due} of run {origin.run_id} from {origin.producer}, "
                f"found beat {origin.beat}"
            )
            raise ContractError(text)
        return origin.beat < due

    def _striped(self, message: Message, beat: int) -> Message:
        topic = STRIPED_TOPICS.get(message.topic)
        if topic is None or self._stripe_count == 1:
            return message
        stripe = stripe_of(topic, message.partition, beat, self._stripe_count)
        return replace(message, partition=stripe)

    def _put_aside(self, message: Message, reason: str) -> None:
        self._dead_letters.append(dead_letter(message, self._processor.producer, reason))

    def _cut_off_run(self, ticks: Sequence[deque[Arrival]]) -> str | None:
        """Return the current run, or a run that is due, when it can never be whole."""
        heads = {queue[0].origin.run_id for queue in ticks if queue}
        if self._spec:
            # A beat that is to go without the rest comes before the next run.
            is_over = heads - {self._spec.run_id} and not self._late_sources()
            return self._spec.run_id if is_over else None
        if len(heads) > 1:
            for queue in filter(None, ticks):
                run_id = queue[0].origin.run_id
                if any(arrival.origin.run_id in heads - {run_id} for arrival in queue):
                    return run_id
        return None

    def _close_run(self, run_id: str) -> None:
        self._finished.append(run_id)
        self._spec, self._spec_text, self.next_beat = None, "", 0
        for source in self._sources:
            source.next_beat = 0
        for lane in self._lanes:
            while lane.queue and lane.queue[0].origin.run_id in self._finished:
                lane.queue.popleft()
        if self._journal:
            self._journal.forget_run(run_id)

    def _is_journaled(self) -> bool:
        if self._journal is None or self._spec is None:
            return True
        return self._journal.covered_to(self._spec.run_id) > self.next_beat

    def _late_sources(self) -> dict[Source, int]:
        """Return the sources that the next beat goes without, with what the journal says of them.

        That is a source's first beat that had not come when the journal was written.
        """
        if self._journal is None or not self._is_journaled():
            return {}
        late = self._journal.late_at(self._run_id, self.next_beat)
        if not late:
            return {}
        told = {(each.topic, each.shard): each.from_beat for each in late}
        places = {source: (source.slot.topic.name, source.slot.shard) for source in self._sources}
        return {source: told[place] for source, place in places.items() if place in told}

    def _wanted_to(self, source: Source) -> int:
        """Return the first beat of a source that the next beat does not need."""
        return max(self.next_beat + 1 - source.slot.lag, 0)

    def _is_whole(self, late: Mapping[Source, int]) -> bool:
        """Tell whether all has come but what is late; one frame at least, for its stamp."""
        for source in self._sources:
            until = late.get(source, self._wanted_to(source))
            if source.come_to(self._run_id, until) < until:
                return False
        return not late or any(
            source.slot.topic is TICKS and source not in late for source in self._sources
        )

    def _waited_seconds(self, late: Mapping[Source, int]) -> float:
        """Return the time from the next beat's first frame to the last of its inputs."""
        heads = [
            (source.slot.topic is TICKS, head.seconds)
            for source in self._sources
            if source not in late
            and source.next_beat < self._wanted_to(source)
            and (head := source.head(self._run_id))
        ]
        last = max((seconds for _, seconds in heads), default=0.0)
        return last - min((seconds for is_frame, seconds in heads if is_frame), default=last)

    def _take(self, late: Mapping[Source, int]) -> _Taken:
        """Take what came of each slot, and what slots owed of earlier beats."""
        newest: list[Arrival | None] = []
        owed: list[tuple[int, object | None]] = []
        for source in self._sources:
            wanted_to = self._wanted_to(source)
            arrivals = source.take(late.get(source, wanted_to))
            arrival = None
            if source in late:
                if not source.slot.is_owed:
                    source.skip(self._run_id, self._finished)
            elif arrivals:
                arrival = arrivals.pop()
            newest.append(arrival)
            owed += [(each.origin.beat, each.payload) for each in arrivals]
        owed.sort(key=lambda each: each[0])
        overdue = tuple(each for _, each in owed if each is not None)
        for first in newest:
            if first and first.stamp:
                return _Taken(tuple(newest), first, first.stamp, overdue)
        message = f"{self._processor.producer} has no slot of topic {TICKS.name}"
        raise InvariantError(message)


def _checked_run_spec(message: Message, origin: Origin) -> str:
    """Return the run's settings of a beat 0, once they are known to be that run's."""
    text = run_spec_of(message)
    spec = decode_event(RunSpec, text)
    if spec.run_id != origin.run_id:
        reason = f"ce_runspec must be of run {origin.run_id}, was of {spec.run_id}"
        raise ContractError(reason)
    return text


def dead_letter(message: Message, stage: str, reason: str) -> DeadLetter:
    """Return the dead letter of a message, its value cut at 64 KiB.

    The reason may quote the message, so it is made one line of printable text.
    """
    line = " ".join(reason.split()).encode(errors="backslashreplace").decode()
    return DeadLetter(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        stage=stage,
        reason=line[:DEAD_LETTER_REASON_CHARS_MAX],
        value_base64=base64.b64encode(message.value[:DEAD_LETTER_BYTES_MAX]).decode(),
    )
