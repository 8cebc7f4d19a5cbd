"""All benches by name."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tidegate_cli.bench.codec import bench_codec
from tidegate_cli.bench.execution import bench_execution
from tidegate_cli.bench.frame import BenchReport
from tidegate_cli.bench.gateway import bench_gateway
from tidegate_cli.bench.ingest import bench_ingest
from tidegate_cli.bench.lockstep import bench_lockstep
from tidegate_cli.bench.loop import bench_loop
from tidegate_cli.bench.options import BenchOptions
from tidegate_cli.bench.risk import bench_risk
from tidegate_cli.bench.rules import bench_rules
from tidegate_cli.bench.signals import bench_signals
from tidegate_common.errors import ConfigError

__all__ = ["BENCHES", "Bench", "BenchOptions", "find_bench"]


@dataclass(frozen=True, slots=True)
class Bench:
    """A bench."""

    name: str
    description: str
    run: Callable[[BenchOptions], BenchReport]

    @property
    def details(self) -> str:
        """Return what its figures mean: the text at the top of its module."""
        return inspect.getdoc(sys.modules[self.run.__module__]) or self.description


BENCHES: Final = (
    Bench("codec", "encode and decode a frame, ns per row", bench_codec),
    Bench("ingest", "from Parquet to encoded frames and into the broker, ticks/s", bench_ingest),
    Bench("rules", "the rule book for every A-share, us per day", bench_rules),
    Bench("signals", "every A-share's indicators, beside TA-Lib and others, us", bench_signals),
    Bench("risk", "orders through risk, beside NautilusTrader and VeighNa, us", bench_risk),
    Bench("execution", "the simulated exchange with 10,000 resting orders, us", bench_execution),
    Bench("gateway", "the gateway's reads beside a bare FastAPI, ms and requests/s", bench_gateway),
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
