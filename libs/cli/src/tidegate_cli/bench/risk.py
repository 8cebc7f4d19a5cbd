"""Bench `risk`: what an order costs on its way through risk, beside other programs' checks.

An order's cost is that of a beat with the orders less that of a beat without them. Both are beats
without news that say all accounts' books. Median and 99th percentile over the beats. Where a key
says `N_positions`, one account holds so many. All on one core.

- `kernel_*_ns_*`: an order of a batch in the compiled kernel alone, called with what the engine
  gave it: validity, six layers, and what is reserved counted for the next one. `sized` is a batch
  that a strategy's scores ask for, `accept` one of order requests that are let through, and the
  others are of requests that are rejected for the reason of the name.
- `sized_ns_*`, `accept_ns_*` and one key a reason: the same in the engine, the decisions and orders
  built and reserved for in the ledger. Answers of a rebalance are not among them: they are about
  targets, no orders.
- `order_us_*`: as `sized`, all records encoded. `manual_order_us_*`: one order request alone, all
  records encoded.
- `beat_us_*`: a whole beat of the service, from decoded inputs to encoded messages: the market's
  marks, scores and a batch of orders.
- `accounts_*`: such a beat for many accounts, each with holdings: with marks alone, and with an
  order of each account; and the memory that Python and numpy hold for them, 1 MB = 1,000,000
  bytes.
- `nautilus_ns_*`, `veighna_ns_*`: what a check of one order costs NautilusTrader and VeighNa in
  their fastest batch, where they are installed: a busy machine flatters nobody.
- the ratios: how many times as long a peer takes as `kernel_accept`, `sized` and `accept`;
  `nautilus_times` is the first one of NautilusTrader: like the kernel, and unlike the engine, it
  makes no record of an order that it lets through.
"""

import gc
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Final

import numpy as np

from tidegate_cli.bench.frame import BenchReport, Better, Metric, undisturbed, with_goal
from tidegate_cli.bench.options import BenchOptions
from tidegate_cli.bench.risk_kernel import recorded
from tidegate_cli.bench.risk_paths import ACCEPT, PATHS, Path
from tidegate_cli.bench.risk_peers import PeerMarket, measure_peers, peer_versions
from tidegate_cli.bench.risk_stage import RiskStage, Size, market_quotes
from tidegate_common.clock import Clock
from tidegate_common.domain.enums import Reason
from tidegate_common.domain.ids import format_symbol
from tidegate_common.domain.units import PRICE_SCALE, Float64Array
from tidegate_common.frames.rows import QuoteRows

# Every A-share; all other sizes are parts of it, so that --instruments makes all of them smaller.
INSTRUMENTS: Final = 5_500
POSITIONS: Final = (50, 500)
BATCH: Final = 500
ACCOUNTS: Final = 1_000
REPEATS: Final = 30

KERNEL_NS_GOAL: Final = 60.0
MANUAL_ORDER_US_GOAL: Final = 10.0
ORDER_US_GOAL: Final = 3.0
BEAT_US_GOAL: Final = 2_000.0
NAUTILUS_GOAL: Final = 10.0

_US: Final = 1e6
_NS: Final = 1e9
_MB: Final = 1e6
# One order and one call of the kernel are short: so many times more of them.
_SHORT: Final = 10
_CODE_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class _Bench:
    """What all figures of a run share."""

    quotes: Sequence[QuoteRows]
    clock: Clock
    repeat_count: int

    def part(self, count: int) -> int:
        """Return as much of a market of this size as `count` is of every A-share."""
        return max(1, count * len(self.quotes[0]) // INSTRUMENTS)


def bench_risk(options: BenchOptions) -> BenchReport:
    """Measure orders on every path, whole beats, many accounts, and the peers in the same run."""
    bench = _Bench(
        market_quotes(options.instrument_count or INSTRUMENTS),
        options.clock,
        options.repeat_count or REPEATS,
    )
    results: list[Metric] = []
    ratios: dict[str, float] = {}
    with undisturbed():
        for position_count in POSITIONS:
            size = Size(bench.part(position_count), bench.part(BATCH))
            ours = _sized_metrics(bench, size)
            for path in PATHS:
                ours += _path_metrics(bench, size, path)
            peers = _peer_metrics(bench, size)
            results += (*ours, *_service_metrics(bench, size), *peers)
            ratios |= _ratios(ours, peers, size)
        results += _account_metrics(bench)
    times = [ratio for name, ratio in ratios.items() if _is_like_for_like(name)]
    if times:
        goal, better = NAUTILUS_GOAL, Better.MORE
        results.append(with_goal("nautilus_times", min(times), "times", goal=goal, better=better))
    return BenchReport("risk", tuple(results), ratios, _notes(bench))


def _sized_metrics(bench: _Bench, size: Size) -> list[Metric]:
    """Return what an order of a batch that scores ask for costs the kernel, and the engine."""
    stage = RiskStage(bench.quotes, size, bench.clock)
    seconds = _repeat(stage.score, bench.repeat_count) / size.batch_count
    with recorded() as tape:
        stage.score()
    kernel = tape.times(Reason.NONE, bench.clock, bench.repeat_count * _SHORT)
    name = f"sized_ns_{size.position_count}_positions"
    return [
        *_quantiles(f"kernel_{name}", kernel * _NS, goal=KERNEL_NS_GOAL),
        *_quantiles(name, seconds * _NS),
    ]


def _path_metrics(bench: _Bench, size: Size, path: Path) -> list[Metric]:
    """Return what a request of a batch costs the kernel, if it comes so far, and the engine."""
    stage = RiskStage(bench.quotes, size, bench.clock, path)
    play = partial(stage.request, size.batch_count)
    seconds = _repeat(play, bench.repeat_count) / size.batch_count
    with recorded() as tape:
        play()
    name = f"{path.name}_ns_{size.position_count}_positions"
    metrics = []
    if tape.intents:
        kernel = tape.times(path.reason, bench.clock, bench.repeat_count * _SHORT)
        goal = KERNEL_NS_GOAL if path is ACCEPT else None
        metrics += _quantiles(f"kernel_{name}", kernel * _NS, goal=goal)
    return [*metrics, *_quantiles(name, seconds * _NS)]


def _service_metrics(bench: _Bench, size: Size) -> list[Metric]:
    """Return what one order, one of a batch and a whole beat cost, all records encoded."""
    stage = RiskStage(bench.quotes, size, bench.clock, is_encoded=True)
    repeat_count = bench.repeat_count
    batch = _repeat(stage.score, repeat_count) / size.batch_count
    alone = _repeat(partial(stage.request, 1), repeat_count * _SHORT)
    whole = _repeat(partial(stage.whole, size.batch_count), repeat_count)
    of_size = f"us_{size.position_count}_positions"
    return [
        *_quantiles(f"order_{of_size}", batch * _US, goal=ORDER_US_GOAL),
        *_quantiles(f"manual_order_{of_size}", alone * _US, goal=MANUAL_ORDER_US_GOAL),
        *_quantiles(f"beat_{of_size}", whole * _US, goal=BEAT_US_GOAL),
    ]


def _ratios(ours: Sequence[Metric], peers: Sequence[Metric], size: Size) -> dict[str, float]:
    """Return how many times as long a peer takes for an order that both let through."""
    of_size = f"ns_{size.position_count}_positions"
    values = {each.metric: each.value for each in ours}
    return {
        f"{peer.metric}_over_{what}": round(peer.value / values[f"{what}_{of_size}_p50"], 2)
        for peer in peers
        for what in ("kernel_accept", "sized", "accept")
    }


def _is_like_for_like(ratio: str) -> bool:
    return ratio.startswith("nautilus_") and ratio.endswith("_over_kernel_accept")


def _repeat(measure: Callable[[], float], repeat_count: int) -> Float64Array:
    """Return what so many measures return, after one to warm up."""
    measure()
    return np.array([measure() for _ in range(repeat_count)])


def _peer_metrics(bench: _Bench, size: Size) -> list[Metric]:
    """Return what an order costs each peer that is installed, in its fastest batch."""
    rows = bench.quotes[0]
    market = PeerMarket(
        codes=[format_symbol(each)[:_CODE_DIGITS] for each in rows.instrument.tolist()],
        prices=[Decimal(each) / PRICE_SCALE for each in rows.last_e4.tolist()],
        position_count=size.position_count,
        batch_count=size.batch_count,
    )
    per_order_ns = measure_peers(market, clock=bench.clock, repeat_count=bench.repeat_count)
    return [
        Metric(f"{name}_ns_{size.position_count}_positions", round(nanoseconds, 1), "ns")
        for name, nanoseconds in per_order_ns.items()
    ]


def _account_metrics(bench: _Bench) -> list[Metric]:
    """Return what a beat of many accounts takes, and what they weigh."""
    account_count, position_count = bench.part(ACCOUNTS), bench.part(POSITIONS[0])
    tracemalloc.start()
    size = Size(position_count, batch_count=1, account_count=account_count)
    stage = RiskStage(bench.quotes, size, bench.clock, is_encoded=True)
    gc.collect()
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    idle = _repeat(partial(stage.whole, 0), bench.repeat_count)
    busy = _repeat(partial(stage.whole, 1), bench.repeat_count)
    name = f"accounts_{account_count}"
    return [
        *_quantiles(f"{name}_idle_beat_us", idle * _US),
        *_quantiles(f"{name}_orders_beat_us", busy * _US),
        Metric(f"{name}_mb", round(held_bytes / _MB, 1), "MB"),
    ]


def _quantiles(name: str, values: Float64Array, goal: float | None = None) -> list[Metric]:
    unit = "us" if "_us" in name else "ns"
    median, tail = (round(float(value), 2) for value in np.percentile(values, (50, 99)))
    first = (
        Metric(f"{name}_p50", median, unit)
        if goal is None
        else with_goal(f"{name}_p50", median, unit, goal=goal, better=Better.LESS)
    )
    return [first, Metric(f"{name}_p99", tail, unit)]


def _notes(bench: _Bench) -> tuple[str, ...]:
    market = f"{len(bench.quotes[0])} instruments"
    batch = f"a batch is {bench.part(BATCH)} orders"
    return (
        f"{market}; {batch}; {bench.repeat_count} beats each. Peers: {', '.join(peer_versions())}.",
        "NautilusTrader checks precision, sign, size, rate and cash, and reserves nothing;",
        "VeighNa checks tick, size, value, counts and repeats, and knows no cash or holdings;",
        "Tidegate checks validity and six layers, reserves, and writes down why.",
    )
