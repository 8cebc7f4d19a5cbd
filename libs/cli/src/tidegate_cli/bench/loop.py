"""Bench `loop`: the backtester over the synthetic market, or over files."""

import statistics
from typing import Final

from tidegate_backtest.loop import run_loop
from tidegate_cli.bench.frame import BenchReport, Metric
from tidegate_cli.bench.options import BenchOptions
from tidegate_cli.compose import RunOptions, compose_run
from tidegate_ingest.adapters.feed import open_feed

REPEATS: Final = 5
_INSTRUMENTS: Final = 100


def bench_loop(options: BenchOptions) -> BenchReport:
    """Measure the loop with the feed's frames ready in memory."""
    run = RunOptions(
        files=options.files,
        days=options.days,
        instruments=_INSTRUMENTS,
        config_dir=options.config_dir,
    )
    spec = compose_run(run, options.clock)
    clock = options.clock
    opened = clock.monotonic_seconds()
    frames = list(open_feed(spec).frames())
    feed_seconds = clock.monotonic_seconds() - opened
    seconds: list[float] = []
    tick_count = 0
    for _ in range(options.repeat_count or REPEATS):
        started = clock.monotonic_seconds()
        tick_count = sum(beat.tick_count for beat in run_loop(spec, frames))
        seconds.append(clock.monotonic_seconds() - started)
    typical = statistics.median(seconds)
    return BenchReport(
        "loop",
        (
            Metric("beats", len(frames), "beats"),
            Metric("beats_per_s", round(len(frames) / typical, 1), "beats/s"),
            Metric("ticks_per_s", round(tick_count / typical, 1), "rows/s"),
            Metric("feed_s", round(feed_seconds, 3), "s"),
        ),
        {"slowest_to_median": round(max(seconds) / typical, 3)},
    )
