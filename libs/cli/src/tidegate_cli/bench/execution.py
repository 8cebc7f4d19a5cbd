"""Bench `execution`: what a beat of the whole market costs the simulated exchange.

Every share is quoted in every beat with a fresh book, and about two orders rest in each: half of
them within sight, half beyond the five levels. An order that ends is replaced on the next beat, so
the number of working orders stays; taking and filling those is part of the beat.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Final

import numpy as np

from tidegate_cli.bench.frame import BenchReport, Better, Metric, undisturbed, with_goal
from tidegate_cli.bench.market import make_frames, make_open, make_series
from tidegate_cli.bench.options import BenchOptions
from tidegate_common.domain.enums import OrderType, Side, TimeInForce
from tidegate_common.domain.ids import AccountId, RunId, decision_id, order_id
from tidegate_common.events.orders import SubmitOrder
from tidegate_common.events.run import RunSpec
from tidegate_common.frames.frame import Frame
from tidegate_common.frames.rows import QuoteRows
from tidegate_execution.engine import ExecutionEngine, ExecutionReport

INSTRUMENTS: Final = 5_500
ORDERS: Final = 10_000
FRAMES: Final = 30
# The first beats take all the orders at once.
WARM_FRAMES: Final = 3
BEAT_US_GOAL: Final = 3_000.0

_RUN_ID: Final = RunId("bench")
_ACCOUNT: Final = AccountId("bench")
_TICK_E4: Final = 100
# Ticks from the last price: inside the five levels, and far beyond them.
_DISTANCES: Final = (4, 40)
_QUANTITY_SHARES: Final = 1_000
_US: Final = 1e6
_NS: Final = 1e9


def bench_execution(options: BenchOptions) -> BenchReport:
    """Measure beats in which a whole market's resting orders meet its quotes."""
    instrument_count = options.instrument_count or INSTRUMENTS
    order_count = ORDERS * instrument_count // INSTRUMENTS
    frame_count = WARM_FRAMES + (options.frame_count or FRAMES)
    engine = ExecutionEngine(RunSpec(_RUN_ID, (), ()))
    engine.on_beat(make_open(instrument_count), (), ())
    numbers = count()
    wanted = order_count
    seconds, fill_counts, end_counts = [], [], []
    with undisturbed():
        for frame in make_frames(make_series(instrument_count, frame_count)):
            submits = list(_orders(frame, numbers, wanted))
            start = options.clock.monotonic_seconds()
            report = engine.on_beat(_in_run(frame), submits, ())
            seconds.append(options.clock.monotonic_seconds() - start)
            fill_counts.append(len(report.fills))
            wanted = _ended(report)
            end_counts.append(wanted)
    beat_seconds = float(np.median(seconds[WARM_FRAMES:]))
    results = (
        with_goal(
            f"beat_{instrument_count}_instruments_{order_count}_orders",
            round(beat_seconds * _US, 1),
            "us",
            goal=BEAT_US_GOAL,
            better=Better.LESS,
        ),
        Metric("order_beat", round(beat_seconds * _NS / order_count, 1), "ns"),
        Metric("fills", float(np.median(fill_counts[WARM_FRAMES:])), "fills/beat"),
        # As many are new in the next beat.
        Metric("ends", float(np.median(end_counts[WARM_FRAMES:])), "orders/beat"),
    )
    return BenchReport("execution", results, {})


def _in_run(frame: Frame) -> Frame:
    return replace(frame, stamp=replace(frame.stamp, run_id=_RUN_ID))


def _ended(report: ExecutionReport) -> int:
    return sum(update.status.is_terminal for update in report.updates)


def _orders(frame: Frame, numbers: "count[int]", wanted: int) -> Iterator[SubmitOrder]:
    """Yield so many orders, decided on the beat before a frame, round all instruments."""
    assert isinstance(frame.rows, QuoteRows)
    decided = frame.stamp.beat - 1
    instrument_count = len(frame.rows)
    for _ in range(wanted):
        number = next(numbers)
        row = number % instrument_count
        side = Side.BUY if number // instrument_count % 2 == 0 else Side.SELL
        distance_e4 = _DISTANCES[number % len(_DISTANCES)] * _TICK_E4
        last_e4 = int(frame.rows.last_e4[row])
        away_e4 = -distance_e4 if side is Side.BUY else distance_e4
        yield SubmitOrder(
            order_id=order_id(_RUN_ID, decided, _ACCOUNT, number),
            decision_id=decision_id(_RUN_ID, decided, _ACCOUNT, number),
            beat=decided,
            account_id=_ACCOUNT,
            sequence=number,
            instrument=int(frame.rows.instrument[row]),
            side=side,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.DAY,
            price_e4=max(last_e4 + away_e4, _TICK_E4),
            quantity_shares=_QUANTITY_SHARES,
            ts_event_ns=frame.stamp.ts_event_ns,
        )
