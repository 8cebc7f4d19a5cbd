"""What every bench is told."""

from dataclasses import dataclass
from pathlib import Path

from tidegate_common.clock import Clock


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """How to measure.

    repeat_count : 0 for the bench's own number.
    files : input in place of the synthetic market, where a bench reads any.
    instrument_count, frame_count : size of the market that is made, where a bench can make it of
        any size; 0 for the bench's own.
    order_count, request_count : how many orders there are, and how many requests a round sends, of
        bench gateway; 0 for its own.
    """

    clock: Clock
    repeat_count: int = 0
    files: tuple[str, ...] = ()
    days: int = 0
    config_dir: Path | None = None
    instrument_count: int = 0
    frame_count: int = 0
    order_count: int = 0
    request_count: int = 0
