"""Bench `lockstep`: the whole stack, every beat through the broker and back."""

import asyncio
import math
import re
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tidegate_cli.bench.frame import BenchReport, Better, Metric, with_goal
from tidegate_cli.bench.options import BenchOptions
from tidegate_cli.compose import RunOptions, compose_run
from tidegate_cli.screen import Screen
from tidegate_cli.services import Topology
from tidegate_cli.settings import CliSettings
from tidegate_cli.stack import LocalStack, StackOptions
from tidegate_common.events.outcome import RunSummary
from tidegate_common.runtime.settings import load_settings

REPEATS: Final = 3
# Issue 2 sets the goal for two cores.
BEATS_PER_S_GOAL: Final = 150.0
_DAYS: Final = 2
_BUCKET: Final = re.compile(
    r'^tidegate_stage_round_trip_seconds_bucket\{le="([^"]+)"[^}]*\} (\S+)$',
    re.MULTILINE,
)
_QUANTILES: Final = {"p50": 0.5, "p99": 0.99}
_MILLISECONDS: Final = 1_000.0


@dataclass(frozen=True, slots=True)
class _Repeat:
    summary: RunSummary
    round_trip_s: dict[str, float]


def bench_lockstep(options: BenchOptions) -> BenchReport:
    """Bring a stack up, run, read risk's round trip, bring it down; several times."""
    repeats = [
        asyncio.run(_run_once(options, number))
        for number in range(1, (options.repeat_count or REPEATS) + 1)
    ]
    rates = [each.summary.beats_per_s for each in repeats]
    typical = statistics.median(rates)
    metrics = [
        Metric("beats", repeats[0].summary.beats, "beats"),
        with_goal("beats_per_s", typical, "beats/s", goal=BEATS_PER_S_GOAL, better=Better.MORE),
    ]
    for name in repeats[0].round_trip_s:
        seconds = statistics.median(each.round_trip_s[name] for each in repeats)
        metrics.append(Metric(f"round_trip_{name}", round(seconds * _MILLISECONDS, 3), "ms"))
    ratios = {"slowest_to_median": round(min(rates) / typical, 3)}
    return BenchReport("lockstep", tuple(metrics), ratios)


async def _run_once(options: BenchOptions, number: int) -> _Repeat:
    run = RunOptions(
        files=options.files,
        days=options.days or (0 if options.files else _DAYS),
        run_id=f"bench-{options.clock.now_ns():x}-{number}",
        config_dir=options.config_dir,
    )
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as directory:
        stack = LocalStack(
            compose_run(run, options.clock),
            StackOptions(
                data_dir=Path(directory),
                topology=Topology(),
                speed="max",
                gateway_port=0,
                log_level="warning",
            ),
            settings=load_settings(CliSettings),
            clock=options.clock,
            screen=Screen(options.clock),
        )
        async with stack.up() as up:
            summary = await up.until_recorded()
            metrics = await up.client.text("risk-0", "/metrics") or ""
    return _Repeat(summary, round_trips(metrics))


def round_trips(metrics: str) -> dict[str, float]:
    """Return quantiles of risk's round trip in seconds, from its Prometheus text.

    Each lies within the bucket that holds it, on the straight line between the bucket's ends.
    There are none where nothing was counted.
    """
    buckets = [(float(bound), float(count)) for bound, count in _BUCKET.findall(metrics)]
    total = buckets[-1][1] if buckets else 0.0
    if total == 0:
        return {}
    return {name: _quantile(buckets, share * total) for name, share in _QUANTILES.items()}


def _quantile(buckets: Sequence[tuple[float, float]], rank: float) -> float:
    below, low = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank:
            if math.isinf(bound):
                break
            return low + (bound - low) * (rank - below) / (count - below)
        below, low = count, bound
    # Beyond the last bound all that is known is that it took longer.
    return low
