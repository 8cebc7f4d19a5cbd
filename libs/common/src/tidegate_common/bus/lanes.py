"""What has come on a stage's inputs and waits for its beat."""

from collections import deque
from collections.abc import Container
from dataclasses import dataclass, field

from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.processor import Slot
from tidegate_common.events.message import Origin
from tidegate_common.events.topics import stripe_of
from tidegate_common.events.trace import TraceContext
from tidegate_common.frames.frame import BeatStamp

# Enough to tell a repeat of an old run from a new run; ids are short.
FINISHED_RUNS_MAX = 1_000


@dataclass(slots=True)
class Arrival:
    """A message that waits for its beat.

    seconds : when it came, by the receiver's monotonic clock.
    sent_ms, trace : as in `Message` and its headers.
    """

    origin: Origin
    offset: int
    payload: object | None
    stamp: BeatStamp | None
    run_spec: str
    seconds: float = 0.0
    sent_ms: int = 0
    trace: TraceContext | None = None


@dataclass(slots=True)
class Lane:
    """What has come on one slot, or on one stripe of it.

    first, step : the beats that come here: first, first + step, ...
    last : run and beat of the newest message. left : runs that came before that one's.
    """

    slot: Slot
    place: TopicPartition
    first: int = 0
    step: int = 1
    queue: deque[Arrival] = field(default_factory=deque)
    last: tuple[str, int] | None = None
    left: deque[str] = field(default_factory=lambda: deque(maxlen=FINISHED_RUNS_MAX))

    def due_in(self, run_id: str) -> int:
        """Return the next beat of a run that is to come here."""
        last_run, last = self.last or ("", 0)
        return last + self.step if last_run == run_id else self.first

    def add(self, arrival: Arrival) -> None:
        """Let a message wait that is neither a repeat nor ahead of its turn."""
        self.see(arrival.origin.run_id, arrival.origin.beat)
        self.queue.append(arrival)

    def see(self, run_id: str, beat: int) -> None:
        """Count a beat of a run as come; it and all before it are repeats from now on."""
        if self.last and self.last[0] != run_id:
            self.left.append(self.last[0])
        self.last = (run_id, beat)

    def rewind(self, run_id: str, before: int) -> None:
        """Forget what waits; the newest beat of a run that was taken is at or before one."""
        self.queue.clear()
        self.left.clear()
        newest = before - (before - self.first) % self.step
        self.last = (run_id, newest) if run_id and newest >= 0 else None


class Source:
    """A slot with its lanes: beats of the current run, in their order.

    next_beat : the producer's beat to take next.
    """

    def __init__(self, slot: Slot, stripe_count: int) -> None:
        step = stripe_count if slot.topic.is_striped else 1
        self.slot = slot
        self.lanes = [
            Lane(
                slot,
                TopicPartition(slot.topic.name, stripe_of(slot.topic, slot.partition, first, step)),
                first,
                step,
            )
            for first in range(step)
        ]
        self.next_beat = 0

    def head(self, run_id: str) -> Arrival | None:
        """Return what came for the beat to take next."""
        return self._arrival(run_id, self.next_beat)

    def come_to(self, run_id: str, limit: int) -> int:
        """Return the first beat of a run that has not come, at most `limit`."""
        beat, (last_run, last) = self.next_beat, self.lanes[0].last or ("", 0)
        if len(self.lanes) == 1 and last_run == run_id:
            # All of its beats up to the newest one have come.
            return max(beat, min(last + 1, limit))
        while beat < limit and self._arrival(run_id, beat):
            beat += 1
        return beat

    def take(self, until: int) -> list[Arrival]:
        """Return what came for the beats before one, which all have come."""
        count = len(self.lanes)
        beats = range(self.next_beat, until)
        self.next_beat += len(beats)
        return [self.lanes[beat % count].queue.popleft() for beat in beats]

    def skip(self, run_id: str, finished: Container[str]) -> None:
        """Go on without the next beat: if it comes, or has come, it is dropped."""
        lane = self.lanes[self.next_beat % len(self.lanes)]
        last_run, last = lane.last or (run_id, -1)
        if self.head(run_id):
            lane.queue.popleft()
        # A producer that has gone on to the next run says nothing more of this one.
        elif last_run in finished or (last_run == run_id and last < self.next_beat):
            lane.see(run_id, self.next_beat)
        self.next_beat += 1

    def _arrival(self, run_id: str, beat: int) -> Arrival | None:
        queue = self.lanes[beat % len(self.lanes)].queue
        # What waits on a lane is in order, and nothing before `next_beat` waits.
        index = (beat - self.next_beat) // len(self.lanes)
        if index >= len(queue):
            return None
        arrival = queue[index]
        is_it = arrival.origin.run_id == run_id and arrival.origin.beat == beat
        return arrival if is_it else None
