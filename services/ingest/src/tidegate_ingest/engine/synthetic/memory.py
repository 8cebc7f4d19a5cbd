"""What comes and goes from day to day: volatilities, turnover."""

from dataclasses import dataclass
from math import isqrt

import numpy as np

from tidegate_common.domain.units import Int64Array
from tidegate_ingest.engine.synthetic.chance import BELL_DEVIATION, LOG_ONE, Chance


@dataclass(frozen=True, slots=True)
class Memory:
    """A logarithm that comes back to 0: what a day keeps of it, and its deviation, in 1/4,096."""

    kept: int
    deviation: int

    def first(self, bell: Int64Array) -> Int64Array:
        """Return where it stands at first."""
        return bell * self.deviation // BELL_DEVIATION

    def next(self, value: Int64Array, bell: Int64Array) -> Int64Array:
        """Return where it stands a day later."""
        news = isqrt(self.deviation**2 * (LOG_ONE**2 - self.kept**2)) // LOG_ONE
        return (value * self.kept) // LOG_ONE + bell * news // BELL_DEVIATION


class Wave:
    """The sum of memories for each of n, from day to day, in 1/4,096."""

    def __init__(self, memories: tuple[Memory, ...], chance: Chance, count: int) -> None:
        self._memories = memories
        bells = chance.bells(len(memories), count)
        self._values = [m.first(bell) for m, bell in zip(memories, bells, strict=True)]

    def next(self, chance: Chance) -> Int64Array:
        """Return the day's sum, (n,), and go on to the next day."""
        total: Int64Array = np.sum(self._values, axis=0)
        bells = chance.bells(len(self._memories), len(total))
        self._values = [
            memory.next(value, bell)
            for memory, value, bell in zip(self._memories, self._values, bells, strict=True)
        ]
        return total


def mean_square_log(memories: tuple[Memory, ...]) -> int:
    """Return half the logarithm of the mean of e^2x of their sum x, in 1/4,096."""
    return sum(memory.deviation**2 for memory in memories) // LOG_ONE
