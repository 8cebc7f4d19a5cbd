"""How long risk waits for a late shard in a live run, and what it goes on without.

The wall clock is read here and nowhere else: what comes of it is journaled before it is used. The
time runs from the first frame of a beat, for without one nobody knows what the beat is.

What a beat is never taken without, however late:

- at OPEN the frames: they are the day's reference data;
- at CLOSE and in the last beat frames and fills: the books of a day are closed whole;
- in any beat one frame at least.

In those beats nothing can be traded, so waiting costs nothing.
"""

from tidegate_common.bus.beats import StageCore
from tidegate_common.clock import Clock
from tidegate_common.domain.enums import BeatKind
from tidegate_common.events.risk import LateInput
from tidegate_common.events.topics import FILLS, TICKS, Topic
from tidegate_common.frames.frame import BeatStamp

_MILLISECONDS_PER_SECOND = 1_000


class Patience:
    """Measures how long the next beat of a run has been waited for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beat: tuple[str, int] | None = None
        self._until = 0.0

    def seconds_left(self, stamp: BeatStamp, max_wait_ms: int) -> float:
        """Return how long a beat may still be waited for; it begins with the first question."""
        now = self._clock.monotonic_seconds()
        if self._beat != (stamp.run_id, stamp.beat):
            self._beat = (stamp.run_id, stamp.beat)
            self._until = now + max_wait_ms / _MILLISECONDS_PER_SECOND
        return max(0.0, self._until - now)


def late_inputs(core: StageCore) -> tuple[LateInput, ...]:
    """Return what the next beat would go without; nothing where it has to wait for more."""
    stamp, missing = core.begun(), core.missing()
    if stamp is None or any(slot.topic in _indispensable(stamp) for slot in missing):
        return ()
    shard_count = sum(slot.topic is TICKS for slot in core.processor.slots)
    return tuple(
        LateInput(slot.topic.name, slot.shard, shard_count, from_beat)
        for slot, from_beat in missing.items()
    )


def _indispensable(stamp: BeatStamp) -> tuple[Topic, ...]:
    if stamp.is_last or stamp.kind is BeatKind.CLOSE:
        return (TICKS, FILLS)
    return (TICKS,) if stamp.kind is BeatKind.OPEN else ()
