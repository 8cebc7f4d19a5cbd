"""Bench `signals`: what a beat of the whole market costs the indicators, beside other programs.

Keys of the results, all on one core:

- `decode_us_*`, `indicators_us_*`, `decode_and_indicators_us_*`: a whole-market frame from bytes to
  arrays; the set of `INDICATORS` updated with it and all their `OUTPUTS` read; both. Median and
  99th percentile over the frames.
- `updates_per_s`: updates of one indicator of one instrument a second, decode included; the
  mean over 20 frames of the median at each place, as a window of 20 is folded once in 20 frames.
- `beat_us_*`: a decoded frame through the service's engine with every shipped strategy that works
  on beats: bars, indicators, scores with their reasons.
- `scores_us`: every shipped strategy once, scoring every instrument from ready inputs.
- `state_mb`, `state_resident_mb`: the engine's memory with every shipped strategy, as a snapshot
  has it and as the process grew; 1 MB = 1,000,000 bytes.
- `*_ns_per_update`: of this platform, the same way, decode included; of its peers, their
  fastest beat, without any decoding: a busy machine flatters nobody.
- `talipp_times`, and the ratios: how many times as long a peer takes for an update.
"""

import gc
import statistics
from collections.abc import Mapping
from itertools import islice
from typing import Final

import numpy as np
import psutil

from tidegate_cli.bench.frame import BenchReport, Better, Metric, undisturbed, with_goal
from tidegate_cli.bench.indicator_peers import (
    INDICATORS,
    OUTPUTS,
    PANDAS_WINDOW,
    PandasPeer,
    Peer,
    TaLibPeer,
    TalippPeer,
    check_peers,
)
from tidegate_cli.bench.market import Series, make_frames, make_open, make_series
from tidegate_cli.bench.options import BenchOptions
from tidegate_common.clock import Clock
from tidegate_common.domain.ids import RunId
from tidegate_common.domain.units import Float64Array
from tidegate_common.events.run import RunSpec, StrategySpec
from tidegate_common.frames.codec import decode_frame, encode_frame
from tidegate_common.frames.frame import Frame
from tidegate_common.frames.rows import QuoteRows
from tidegate_signals.engine.engine import SignalsEngine
from tidegate_signals.engine.features.board import FeatureBoard
from tidegate_signals.engine.features.instruments import InstrumentTable
from tidegate_signals.engine.features.observations import Observations
from tidegate_signals.engine.features.spec import Period, parse_input
from tidegate_signals.engine.quotes import QuoteTape, is_observed
from tidegate_signals.engine.strategies.registry import STRATEGY_KINDS, make_strategy
from tidegate_signals.engine.strategies.strategy import Day, View

# Every A-share, for a quarter of an hour.
INSTRUMENTS: Final = 5_500
FRAMES: Final = 300
# MACD's signal line, the slowest, is warm after 26 + 9 - 1 beats.
WARM_FRAMES: Final = 40
# Peers take every instrument too, but not so many beats: about a second each.
PEER_FRAMES: Final = {"ta_lib": 60, "talipp": 10, "pandas": 2}

BEAT_US_GOAL: Final = 800.0
TALIPP_GOAL: Final = 100.0
STATE_MB_GOAL: Final = 256.0

_US: Final = 1e6
_NS: Final = 1e9
_MB: Final = 1e6
_SCORE_REPEATS: Final = 20
# The longest window of the set: after so many beats every ring was folded once.
_STRETCH: Final = 20
_DATE: Final = 20_230_201
_SEED: Final = 7


class IndicatorPath:
    """The engine's way from quotes to indicators, with nothing beside it."""

    def __init__(self) -> None:
        self._inputs = tuple(parse_input(text, Period.BEAT) for text in OUTPUTS)
        self._board = FeatureBoard(each.indicator for each in self._inputs)
        self._fields = self._board.fields(Period.BEAT)
        self._table = InstrumentTable()
        self._tape = QuoteTape()

    def take(self, quotes: QuoteRows) -> list[Float64Array]:
        """Take a beat in which everything is quoted; return the values of `OUTPUTS`."""
        added = self._table.add(quotes.instrument)
        if added:
            self._board.grow(added)
            self._tape.grow(added)
        assert is_observed(quotes).all()
        rows = self._table.rows_of(quotes.instrument)
        columns = self._tape.observe(rows, quotes, self._fields)
        self._board.update(Period.BEAT, Observations(rows, columns))
        return [self._board.read(each, rows) for each in self._inputs]


def bench_signals(options: BenchOptions) -> BenchReport:
    """Measure decoding, indicators, scores and state, and the peers in the same run.

    Raises
    ------
    ConfigError
        If the peers are not installed.
    """
    check_peers()
    instrument_count = options.instrument_count or INSTRUMENTS
    frame_count = options.frame_count or FRAMES
    clock = options.clock
    with undisturbed():
        state = _state_metrics(instrument_count)
        beat_count = WARM_FRAMES + max(frame_count, *PEER_FRAMES.values())
        series = make_series(instrument_count, beat_count)
        frames = islice(make_frames(series), WARM_FRAMES + frame_count)
        messages = [encode_frame(frame) for frame in frames]
        # Before the peers and after them: a machine that is busy for a while weighs on all.
        passes = range(options.repeat_count or 1)
        times = [_indicator_us(messages, clock) for _ in passes]
        beats = np.concatenate([_beat_us(messages, clock) for _ in passes])
        scores_us = _scores_us(instrument_count, clock)
        peer_ns = _peers_ns(series, clock)
        times += [_indicator_us(messages, clock) for _ in passes]
    indicators = np.concatenate(times)
    update_count = instrument_count * len(INDICATORS)
    both = indicators.sum(axis=1)
    steady_us = steady(both.reshape(len(times), -1))
    peer_ns["tidegate"] = steady_us / _US * _NS / update_count
    ratios = {
        f"{name}_over_tidegate": round(nanoseconds / peer_ns["tidegate"], 1)
        for name, nanoseconds in peer_ns.items()
        if name != "tidegate"
    }
    results = (
        *_quantiles("decode_us", indicators[:, 0]),
        *_quantiles("indicators_us", indicators[:, 1]),
        *_quantiles("decode_and_indicators_us", both, goal=BEAT_US_GOAL),
        Metric("updates_per_s", round(update_count / steady_us * _US), "updates/s"),
        *_quantiles("beat_us", beats),
        Metric("scores_us", round(scores_us, 1), "us"),
        *state,
        *(
            Metric(f"{name}_ns_per_update", round(nanoseconds, 2), "ns/update")
            for name, nanoseconds in peer_ns.items()
        ),
        with_goal(
            "talipp_times",
            ratios["talipp_over_tidegate"],
            "times",
            goal=TALIPP_GOAL,
            better=Better.MORE,
        ),
    )
    return BenchReport("signals", results, ratios, _notes(instrument_count, frame_count))


def steady(values: Float64Array) -> float:
    """Return the mean over a stretch of 20 frames of what each place in it takes at the median.

    A window's ring is folded once in a stretch, always at the same place: a median of frames would
    not show it, and a mean of frames would show what else the machine was doing.

    Parameters
    ----------
    values : (passes, frames) of which whole stretches are taken; all where there is none.
    """
    whole = values.shape[1] // _STRETCH * _STRETCH
    if not whole:
        return float(values.mean())
    return float(np.median(values[:, :whole].reshape(-1, _STRETCH), axis=0).mean())


def _notes(instrument_count: int, frame_count: int) -> tuple[str, ...]:
    peers = ", ".join(f"{name} {count}" for name, count in PEER_FRAMES.items())
    market = f"{instrument_count} instruments, {frame_count} beats after {WARM_FRAMES} to warm up"
    series = f"the same series, every instrument, for fewer beats ({peers}), from ready floats"
    return (
        f"{market}; an update is one of {' '.join(INDICATORS)} of one instrument.",
        f"Peers take {series}; Tidegate's figure has the decoding of the frame in it.",
        f"TA-Lib and talipp update incrementally; pandas computes its last {PANDAS_WINDOW} rows.",
    )


def _quantiles(name: str, values_us: Float64Array, goal: float | None = None) -> list[Metric]:
    median, tail = (round(float(value), 1) for value in np.percentile(values_us, (50, 99)))
    first = (
        Metric(f"{name}_p50", median, "us")
        if goal is None
        else with_goal(f"{name}_p50", median, "us", goal=goal, better=Better.LESS)
    )
    return [first, Metric(f"{name}_p99", tail, "us")]


def _indicator_us(messages: list[bytes], clock: Clock) -> Float64Array:
    """Return the times of decoding and of updating, (frames, 2), in microseconds."""
    path = IndicatorPath()
    times = []
    for message in messages:
        started = clock.monotonic_seconds()
        frame = decode_frame(message)
        decoded = clock.monotonic_seconds()
        assert isinstance(frame.rows, QuoteRows)
        path.take(frame.rows)
        times.append((decoded - started, clock.monotonic_seconds() - decoded))
    return np.array(times[WARM_FRAMES:]) * _US


def _beat_us(messages: list[bytes], clock: Clock) -> Float64Array:
    """Return the times of the service's engine with everything on beats, (frames,)."""
    engine = SignalsEngine(_spec_of(dict.fromkeys(_beat_kinds(), Period.BEAT)))
    engine.on_beat(make_open(len(decode_frame(messages[0]).rows)))
    times = []
    for message in messages:
        frame = decode_frame(message)
        started = clock.monotonic_seconds()
        engine.on_beat(frame)
        times.append(clock.monotonic_seconds() - started)
    return np.array(times[WARM_FRAMES:]) * _US


def _scores_us(instrument_count: int, clock: Clock) -> float:
    """Return the time in which every shipped strategy scores the market, in microseconds."""
    random = np.random.default_rng(_SEED)
    total_seconds = 0.0
    for each in _spec_of(dict.fromkeys(STRATEGY_KINDS, "")).strategies:
        strategy = make_strategy(each, STRATEGY_KINDS)
        values = {name: random.uniform(0.5, 1.5, instrument_count) for name in strategy.inputs}
        view = View(Day(_DATE, is_month_start=True), values)
        seconds = []
        for _ in range(_SCORE_REPEATS):
            started = clock.monotonic_seconds()
            strategy.score(view)
            seconds.append(clock.monotonic_seconds() - started)
        total_seconds += statistics.median(seconds)
    return total_seconds * _US


def _state_metrics(instrument_count: int) -> tuple[Metric, Metric]:
    """Return the size of an engine that has seen the market, every shipped strategy on board."""
    frames: list[Frame] = [make_open(instrument_count)]
    frames += make_frames(make_series(instrument_count, 2))
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    engine = SignalsEngine(_spec_of(dict.fromkeys(STRATEGY_KINDS, "")))
    for frame in frames:
        engine.on_beat(frame)
    gc.collect()
    resident_mb = max(process.memory_info().rss - before, 0) / _MB
    state_mb = sum(array.nbytes for array in engine.snapshot().arrays.values()) / _MB
    return (
        with_goal("state_mb", round(state_mb, 3), "MB", goal=STATE_MB_GOAL, better=Better.LESS),
        Metric("state_resident_mb", round(resident_mb, 3), "MB"),
    )


def _peers_ns(series: Series, clock: Clock) -> dict[str, float]:
    """Return what an update costs each peer in its fastest beat, in nanoseconds."""
    peers: tuple[Peer, ...] = (
        TaLibPeer(series, WARM_FRAMES),
        TalippPeer(series, WARM_FRAMES),
        PandasPeer(series),
    )
    found = {}
    for peer in peers:
        # pandas is at its best with a full window behind it, and its first call is its slowest.
        first = WARM_FRAMES if peer.name != "pandas" else len(series) - PEER_FRAMES["pandas"] - 1
        peer.update(first)
        seconds = []
        for beat in range(first + 1, first + PEER_FRAMES[peer.name]):
            started = clock.monotonic_seconds()
            peer.update(beat)
            seconds.append(clock.monotonic_seconds() - started)
        found[peer.name] = min(seconds) * _NS / (series.last_e4.shape[1] * len(INDICATORS))
    return found


def _beat_kinds() -> list[str]:
    return [kind for kind, each in STRATEGY_KINDS.items() if Period.BEAT in each.PERIODS]


def _spec_of(periods: Mapping[str, str]) -> RunSpec:
    """Return a run of shipped strategies, by kind with the period of each."""
    strategies = tuple(
        StrategySpec(kind, kind, period=str(period)) for kind, period in periods.items()
    )
    return RunSpec(RunId("bench"), (), strategies)
