"""Bench `codec`: what a row of a tick frame costs on its way to bytes and back."""

import pickle
from typing import Final

import numpy as np

from tidegate_cli.bench.frame import BenchReport, Metric, median_ns
from tidegate_cli.bench.options import BenchOptions
from tidegate_common.domain.enums import BeatKind, Phase
from tidegate_common.domain.ids import RunId
from tidegate_common.frames.codec import decode_frame, encode_frame
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.frames.rows import LEVELS, QuoteRows

# A shard of a mid-sized universe, and every A-share in one frame.
ROW_COUNTS: Final = (500, 5_500)
REPEATS: Final = 7
_CALLS_PER_REPEAT: Final = 20
_SEED: Final = 7
_TS_EVENT_NS: Final = 1_675_215_000_000_000_000
_DATE: Final = 20_230_201


def bench_codec(options: BenchOptions) -> BenchReport:
    """Measure encoding and decoding, beside pickle of the same arrays."""
    results: list[Metric] = []
    ratios: dict[str, float] = {}
    for row_count in ROW_COUNTS:
        frame = make_frame(row_count)
        encoded, pickled = encode_frame(frame), pickle.dumps(frame)
        times = {
            "encode": _per_call(options, lambda frame=frame: encode_frame(frame)),
            "decode": _per_call(options, lambda data=encoded: decode_frame(data)),
            "pickle_encode": _per_call(options, lambda frame=frame: pickle.dumps(frame)),
            "pickle_decode": _per_call(options, lambda data=pickled: _unpickle(data)),
        }
        for name, nanoseconds in times.items():
            value = round(nanoseconds / row_count, 2)
            results.append(Metric(f"{name}_{row_count}_rows", value, "ns/row"))
        results.append(Metric(f"size_{row_count}_rows", len(encoded) / row_count, "bytes/row"))
        for direction in ("encode", "decode"):
            ratio = times[direction] / times[f"pickle_{direction}"]
            ratios[f"{direction}_to_pickle_{row_count}_rows"] = round(ratio, 3)
        size_ratio = len(encoded) / len(pickled)
        ratios[f"size_to_pickle_{row_count}_rows"] = round(size_ratio, 3)
    return BenchReport("codec", tuple(results), ratios)


def make_frame(row_count: int) -> Frame:
    """Return a frame of plausible quotes, always the same."""
    random = np.random.default_rng(_SEED)
    last = random.integers(300, 20_000, row_count) * 100
    steps = np.arange(1, LEVELS + 1) * 100
    shares = random.integers(1, 2_000, (row_count, 2 * LEVELS)) * 100
    volume = random.integers(1_000, 1_000_000, row_count) * 100
    rows = QuoteRows(
        instrument=1_600_000 + np.arange(row_count, dtype=np.int64),
        ts_event_ns=np.full(row_count, _TS_EVENT_NS),
        phase=np.full(row_count, Phase.CONTINUOUS, np.uint8),
        last_e4=last,
        volume_shares=volume,
        amount_fen=volume * last // 100,
        bid_price_e4=last[:, None] - steps,
        bid_shares=shares[:, :LEVELS],
        ask_price_e4=last[:, None] + steps,
        ask_shares=shares[:, LEVELS:],
    )
    stamp = BeatStamp(RunId("bench"), 1, BeatKind.TICK, _DATE, _TS_EVENT_NS)
    return Frame(stamp, 0, rows)


def _unpickle(data: bytes) -> object:
    return pickle.loads(data)  # noqa: S301  # our own bytes


def _per_call(options: BenchOptions, work: object) -> float:
    assert callable(work)
    return median_ns(
        work,
        clock=options.clock,
        repeat_count=options.repeat_count or REPEATS,
        calls_per_repeat=_CALLS_PER_REPEAT,
    )
