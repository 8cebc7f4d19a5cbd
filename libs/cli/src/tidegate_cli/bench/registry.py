"""All benches by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tidegate_cli.bench.codec import bench_codec
from tidegate_cli.bench.frame import BenchReport
from tidegate_cli.bench.lockstep import bench_lockstep
from tidegate_cli.bench.loop import bench_loop
from tidegate_cli.bench.options import BenchOptions
from tidegate_cli.bench.rules import bench_rules
from tidegate_common.errors import ConfigError

__all__ = ["BENCHES", "Bench", "BenchOptions", "find_bench"]


@dataclass(frozen=True, slots=True)
class Bench:
    """A bench."""

    name: str
    description: str
    run: Callable[[BenchOptions], BenchReport]


BENCHES: Final = (
    Bench("codec", "encode and decode a frame, ns per row", bench_codec),
    Bench("rules", "the rule book for every A-share, us per day", bench_rules),
    Bench("loop", "the backtester's loop, beats/s", bench_loop),
    Bench("lockstep", "the whole stack through the broker, beats/s", bench_lockstep),
)


def find_bench(name: str) -> Bench:
    """Return a bench by its name.

    Raises
    ------
    ConfigError
        If there is none.
    """
    for bench in BENCHES:
        if bench.name == name:
            return bench
    known = ", ".join(bench.name for bench in BENCHES)
    message = f"bench must be one of {known}, was {name!r}"
    raise ConfigError(message)
