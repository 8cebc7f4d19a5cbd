"""What every bench is told."""

from dataclasses import dataclass
from pathlib import Path

from tidegate_common.clock import Clock


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """How to measure.

    repeat_count : 0 for the bench's own number.
    files : input in place of the synthetic market, where a bench reads any.
    """

    clock: Clock
    repeat_count: int = 0
    files: tuple[str, ...] = ()
    days: int = 0
    config_dir: Path | None = None
