"""Puts what one producer says on one partition into the order of its beats.

Rules. A beat is told once: who said it again after a crash said the same. Runs follow one another,
and a run that was left does not come back. On a striped topic (`stripe_of`) the beats of a lane
come from several partitions of the bus: a beat waits for the one before it. What is missing when
nothing is on its way any more, or when too much waits for it, is a hole, and is told as one.
"""

from collections import deque
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from tidegate_gateway.streams.position import Position

Event = TypeVar("Event")

# Sixteen stripes that are each a fetch of so many beats apart.
WAITING_BEATS_MAX = 1_000
_PAST_RUNS_MAX = 100


class Batch(NamedTuple, Generic[Event]):
    """A beat's events.

    is_after_hole : whether beats before it are missing.
    """

    run_id: str
    beat: int
    events: Sequence[Event]
    is_after_hole: bool = False


class Lane(Generic[Event]):
    """The beats of one producer on one partition.

    stripe_count : partitions of the bus that its beats come from.
    """

    def __init__(self, stripe_count: int = 1) -> None:
        self._stripe_count = stripe_count
        self._run_id = ""
        self._next_beat = 0
        self._is_from_start = False
        self._waiting: dict[str, dict[int, Sequence[Event]]] = {}
        self._run_of_stripe = [""] * stripe_count
        self._past: deque[str] = deque(maxlen=_PAST_RUNS_MAX)
        self._later_runs: set[str] = set()

    @property
    def position(self) -> Position | None:
        """Where the lane goes on; None before its first beat."""
        return Position(self._run_id, self._next_beat, 0) if self._run_id else None

    def put(self, run_id: str, beat: int, events: Sequence[Event]) -> None:
        """Let a beat wait for its turn, unless it is a repeat or of a run that was left."""
        if run_id in self._past:
            return
        stripe = beat % self._stripe_count
        if not self._run_id and self._run_of_stripe[stripe] not in {"", run_id}:
            self._later_runs.add(run_id)
        self._run_of_stripe[stripe] = run_id
        if run_id != self._run_id or beat >= self._next_beat:
            self._waiting.setdefault(run_id, {}).setdefault(beat, events)

    def take(self, *, is_settled: bool) -> list[Batch[Event]]:
        """Return the beats whose turn it is.

        is_settled : whether nothing is on its way: all that was in the log has been put.
        """
        taken: list[Batch[Event]] = []
        if not self._run_id and not self._begin(is_settled=is_settled):
            return taken
        while True:
            self._take_in_turn(taken)
            if self._is_hole(is_settled=is_settled):
                here = self._waiting[self._run_id]
                self._next_beat = min(here)
                events = here.pop(self._next_beat)
                taken.append(Batch(self._run_id, self._next_beat, events, is_after_hole=True))
                self._next_beat += 1
            elif not self._go_on_to_next_run(is_settled=is_settled):
                return taken

    def _begin(self, *, is_settled: bool) -> bool:
        """Start where the log does, or in its middle, where all stripes have what follows."""
        if not self._waiting:
            # What comes now is the beginning: nothing was before it.
            self._is_from_start |= is_settled
            return False
        if self._is_from_start:
            self._run_id = next(iter(self._waiting))
            return True
        if not is_settled:
            return False
        # Which run came first is a matter of chance where stripes begin in different ones.
        runs = [run_id for run_id in self._waiting if run_id not in self._later_runs]
        self._run_id = next(iter(runs or self._waiting))
        here, step = self._waiting[self._run_id], self._stripe_count
        firsts = [min((beat for beat in here if beat % step == s), default=s) for s in range(step)]
        self._next_beat = max(0, max(firsts) - step + 1)
        for beat in [beat for beat in here if beat < self._next_beat]:
            del here[beat]
        return True

    def _take_in_turn(self, taken: list[Batch[Event]]) -> None:
        here = self._waiting.get(self._run_id, {})
        while self._next_beat in here:
            taken.append(Batch(self._run_id, self._next_beat, here.pop(self._next_beat)))
            self._next_beat += 1

    def _is_hole(self, *, is_settled: bool) -> bool:
        """Tell whether beats wait for one that is missing."""
        waiting_count = len(self._waiting.get(self._run_id, ()))
        is_over = self._is_over(is_settled=is_settled)
        return waiting_count > WAITING_BEATS_MAX or (waiting_count > 0 and is_over)

    def _is_over(self, *, is_settled: bool) -> bool:
        """Tell whether the beat that is due cannot come: its stripe is in another run by now."""
        due_from = self._run_of_stripe[self._next_beat % self._stripe_count]
        return is_settled or due_from not in {"", self._run_id}

    def _go_on_to_next_run(self, *, is_settled: bool) -> bool:
        """Leave the run if another waits and no beat of this one can come any more."""
        newer = next((run_id for run_id in self._waiting if run_id != self._run_id), None)
        if newer is None or not self._is_over(is_settled=is_settled):
            return False
        self._waiting.pop(self._run_id, None)
        self._past.append(self._run_id)
        self._run_id, self._next_beat = newer, 0
        return True
