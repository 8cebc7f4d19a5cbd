"""Statistics side by side, each with a tolerance and a verdict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Generic, TypeVar

AnyFigures = TypeVar("AnyFigures")


@dataclass(frozen=True, slots=True)
class Statistic(Generic[AnyFigures]):
    """One number of a market's figures, and how near a synthetic one has to be.

    factor : it may be so many times below or above the recorded ones; 0 where `points` counts.
    points : it may be so much below or above them.
    is_percent : whether it is told in percent.
    """

    name: str
    read: Callable[[AnyFigures], float]
    factor: float = 0.0
    points: float = 0.0
    is_percent: bool = False

    @property
    def tolerance(self) -> str:
        """The tolerance in words."""
        return f"x {self.factor:g}" if self.factor else f"± {self.text(self.points)}"

    def text(self, value: float) -> str:
        """Return a value in words."""
        return f"{100 * value:.2f}%" if self.is_percent else f"{value:.3g}"

    def compare(
        self,
        recorded: Sequence[AnyFigures],
        synthetic: Sequence[AnyFigures],
    ) -> "Compared":
        """Return the statistic of recorded markets and the median of synthetic ones."""
        numbers = [self.read(each) for each in recorded]
        low, high = min(numbers), max(numbers)
        if self.factor:
            low, high = low / self.factor, high * self.factor
        else:
            low, high = low - self.points, high + self.points
        found = median(self.read(each) for each in synthetic)
        verdict = "alike" if low <= found <= high else "too low" if found < low else "too high"
        cells = (self.name, *map(self.text, numbers), self.text(found), self.tolerance, verdict)
        return Compared(cells, verdict == "alike")


@dataclass(frozen=True, slots=True)
class Compared:
    """A line of the document, and whether the synthetic market is as the recorded ones are."""

    cells: tuple[str, ...]
    is_alike: bool
