"""Indicators and scores against plain pandas formulas, on random prices with gaps."""

from typing import cast

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import AccountId, RunId
from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_common.events.run import AccountSpec, RunSpec, StrategySpec
from tidegate_common.frames.frame import (
    BeatStamp,
    Frame,
    ScoreBatch,
    merge_scores,
    split_frame,
)
from tidegate_common.frames.rows import BarRows
from tidegate_signals.engine import SignalsEngine
from tidegate_signals.engine.features.indicator import Indicator
from tidegate_signals.engine.features.rsi import Rsi
from tidegate_signals.engine.features.sma import Sma

INSTRUMENTS = np.array([1_600_000, 1_600_519, 1_688_001, 2_000_001, 2_300_750], np.int64)
BEAT_COUNT = 40
SPEC = RunSpec(
    RunId("run-1"),
    (AccountSpec(AccountId("a"), 1),),
    (
        StrategySpec("cross", "ma_cross", {"fast": 2, "slow": 5}),
        StrategySpec("reversal", "rsi_reversal", {"window": 3}),
    ),
)

seeds = st.integers(0, 2**32 - 1)


def random_market(seed: int) -> tuple[Int64Array, Int64Array]:
    """Return closes and volumes (beats, instruments): random walks, suspensions, late listings.

    A close of 0 means that the instrument is not listed yet.
    """
    rng = np.random.default_rng(seed)
    shape = (BEAT_COUNT, len(INSTRUMENTS))
    walk = np.cumsum(rng.integers(-300, 301, shape), axis=0)
    close = np.maximum(100 * (rng.integers(100, 2_000, shape[1]) + walk), 100)
    listed = np.arange(BEAT_COUNT)[:, np.newaxis] >= rng.integers(0, BEAT_COUNT, shape[1])
    volume = np.where(rng.random(shape) < 0.2, 0, 1_000)
    return np.where(listed, close, 0), np.where(listed, volume, 0)


def frames_of(close_e4: Int64Array, volume_shares: Int64Array) -> list[Frame]:
    """Return a market as one frame a beat."""
    frames = []
    for beat, (close, volume) in enumerate(zip(close_e4, volume_shares, strict=True)):
        listed = close > 0
        price = close[listed]
        rows = BarRows(INSTRUMENTS[listed], price, price, price, price, volume[listed], price)
        stamp = BeatStamp(SPEC.run_id, beat, BeatKind.BAR, 20230201, beat)
        frames.append(Frame(stamp, 0, rows))
    return frames


def columns_of(batch: ScoreBatch) -> list[list[int]]:
    """Return a batch as comparable lists."""
    return [column.tolist() for column in (batch.strategy, batch.instrument, batch.score_e6)]


def rsi_by_pandas(close: "pd.Series[float]", window: int) -> "pd.Series[float]":
    """Return Wilder's index: seeded with the plain mean, then an exponential mean of 1/window."""

    def smooth(move: "pd.Series[float]") -> "pd.Series[float]":
        seeded = move.copy()
        seeded.iloc[window] = move.iloc[1 : window + 1].mean()
        return seeded.iloc[window:].ewm(alpha=1 / window, adjust=False).mean()

    if len(close) <= window:
        return pd.Series(np.nan, close.index)
    change = close.diff()
    gain, loss = smooth(change.clip(lower=0.0)), smooth(-change.clip(upper=0.0))
    index = (100 * gain / (gain + loss)).fillna(50.0)
    return index.reindex(close.index)


def feed(indicator: Indicator, close: Int64Array, volume: Int64Array) -> Float64Array:
    """Return what an indicator says after each beat about what traded in it, else NaN."""
    indicator.grow(close.shape[1])
    said = np.full(close.shape, np.nan)
    for beat in range(len(close)):
        rows = np.flatnonzero(volume[beat] > 0)
        indicator.update(rows, close[beat, rows].astype(np.float64))
        said[beat, rows] = indicator.read(rows)
    return said


def traded(close: Int64Array, volume: Int64Array, column: int) -> "pd.Series[float]":
    """Return the closes of the beats in which an instrument traded, by beat."""
    is_traded = volume[:, column] > 0
    beats = np.flatnonzero(is_traded)
    return pd.Series(close[is_traded, column].astype(np.float64), index=beats)


@given(seeds, st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_sma_incremental_equals_rolling_mean(seed: int, window: int) -> None:
    """Suspended beats are no observations, and a late listing starts cold."""
    close, volume = random_market(seed)

    said = feed(Sma(window), close, volume)

    for column in range(close.shape[1]):
        expected = traded(close, volume, column).rolling(window).mean()
        np.testing.assert_allclose(said[expected.index, column], expected, rtol=1e-9)


@given(seeds, st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_rsi_incremental_equals_wilders_formula(seed: int, window: int) -> None:
    """The running form must be the textbook's."""
    close, volume = random_market(seed)

    said = feed(Rsi(window), close, volume)

    for column in range(close.shape[1]):
        expected = rsi_by_pandas(traded(close, volume, column), window)
        np.testing.assert_allclose(said[expected.index, column], expected, rtol=0, atol=1e-9)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_scores_equal_the_formula_on_the_whole_history(seed: int) -> None:
    """Beat by beat through the engine is the same as all at once in pandas."""
    close, volume = random_market(seed)
    engine = SignalsEngine(SPEC)

    found = {
        (beat, int(instrument)): int(score)
        for beat, frame in enumerate(frames_of(close, volume))
        for batch in [engine.on_beat(frame)]
        for strategy, instrument, score in zip(
            batch.strategy,
            batch.instrument,
            batch.score_e6,
            strict=True,
        )
        if strategy == 0
    }

    expected: dict[tuple[int, int], float] = {}
    for column, instrument in enumerate(INSTRUMENTS):
        prices = traded(close, volume, column)
        spread = prices.rolling(2).mean() / prices.rolling(5).mean() - 1
        scores = (spread * 10_000 / 200).clip(-1, 1).dropna()
        expected |= {
            (cast("int", beat), int(instrument)): score * 1e6 for beat, score in scores.items()
        }
    assert found.keys() == expected.keys()
    for key, score in found.items():
        assert abs(score - expected[key]) <= 0.5 + 1e-6


@given(seeds, st.integers(1, BEAT_COUNT - 1))
@settings(max_examples=20, deadline=None)
def test_scores_do_not_change_when_the_future_does(seed: int, beat: int) -> None:
    """No look-ahead: what is said up to a beat knows nothing of later ones."""
    close, volume = random_market(seed)
    other_close, other_volume = random_market(seed + 1)
    other_close[:beat], other_volume[:beat] = close[:beat], volume[:beat]
    engine, other = SignalsEngine(SPEC), SignalsEngine(SPEC)

    said = [columns_of(engine.on_beat(frame)) for frame in frames_of(close, volume)]
    other_said = [
        columns_of(other.on_beat(frame)) for frame in frames_of(other_close, other_volume)
    ]

    assert said[:beat] == other_said[:beat]


@given(seeds, st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_shards_give_the_scores_of_the_whole(seed: int, shard_count: int) -> None:
    """Partitions are invisible, to the last millionth."""
    close, volume = random_market(seed)
    rng = np.random.default_rng(seed)
    shard_by_instrument = rng.integers(0, shard_count, len(INSTRUMENTS))
    whole = SignalsEngine(SPEC)
    parts = [SignalsEngine(SPEC) for _ in range(shard_count)]

    for frame in frames_of(close, volume):
        shard = shard_by_instrument[np.searchsorted(INSTRUMENTS, frame.rows.instrument)]
        frames = split_frame(frame, shard, shard_count)
        batches = [part.on_beat(piece) for part, piece in zip(parts, frames, strict=True)]
        assert columns_of(merge_scores(batches)) == columns_of(whole.on_beat(frame))


@given(seeds, st.integers(0, BEAT_COUNT))
@settings(max_examples=20, deadline=None)
def test_restore_of_a_snapshot_changes_nothing(seed: int, beat: int) -> None:
    """A crash at any beat leaves no trace in the scores."""
    frames = frames_of(*random_market(seed))
    engine, restored = SignalsEngine(SPEC), SignalsEngine(SPEC)
    for frame in frames[:beat]:
        engine.on_beat(frame)

    restored.restore(engine.snapshot())

    for frame in frames[beat:]:
        assert columns_of(restored.on_beat(frame)) == columns_of(engine.on_beat(frame))
