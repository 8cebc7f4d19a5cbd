"""What holds for every strategy that ships, on every period, over random days."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.signals.markets import INSTRUMENTS, make_spec, random_days

from tidegate_common.frames.bars import BarBatch
from tidegate_common.frames.checks import check_scores
from tidegate_common.frames.codec import encode_bars, encode_scores
from tidegate_common.frames.frame import Frame, merge_scores, split_frame
from tidegate_signals.engine import SignalsEngine, SignalsOutput

SPEC = make_spec()
BEAT_COUNT = len(random_days(0))

seeds = st.integers(0, 2**32 - 1)
has_bars = st.booleans()


def bytes_of(output: SignalsOutput) -> tuple[bytes, bytes]:
    """Return what leaves for a beat; its readers would take it."""
    check_scores(output.scores)
    bars = b"" if output.bars is None else encode_bars(output.bars)
    return encode_scores(output.scores), bars


def merged_bars(batches: list[BarBatch]) -> BarBatch:
    """Return the bars of several shards as one batch."""
    names = [field.name for field in fields(BarBatch)][2:]
    columns = [np.concatenate([getattr(batch, name) for batch in batches]) for name in names]
    # By period, end, instrument: the first three columns.
    order = np.lexsort(columns[2::-1])
    return BarBatch(batches[0].stamp, 0, *(column[order] for column in columns))


@pytest.mark.parametrize("has_bars", [False, True], ids=["quotes", "bars"])
def test_every_strategy_speaks_in_some_random_market(*, has_bars: bool) -> None:
    """Without it the properties below would hold of silence."""
    speaking: set[str] = set()
    for seed in range(12):
        engine = SignalsEngine(SPEC)
        for frame in random_days(seed, has_bars=has_bars):
            scores = engine.on_beat(frame).scores
            speaking |= {scores.strategies[number] for number in np.unique(scores.strategy)}

    # Bars of 15 minutes make no shorter ones.
    silent = {"beat", "1m", "5m"} if has_bars else set()
    assert speaking == {spec.name for spec in SPEC.strategies if spec.period not in silent}


@given(seeds, has_bars, st.integers(0, BEAT_COUNT))
@settings(max_examples=30, deadline=None)
def test_past_scores_do_not_change_with_the_future(
    seed: int,
    has_bars: bool,  # noqa: FBT001  # drawn by Hypothesis
    beat: int,
) -> None:
    """No look-ahead: altered or cut off, what comes later says nothing of what was said."""
    frames = random_days(seed, has_bars=has_bars)
    altered = [
        *frames[:beat],
        *(_shaken(frame, seed) for frame in frames[beat:]),
    ]
    engine, other, short = SignalsEngine(SPEC), SignalsEngine(SPEC), SignalsEngine(SPEC)

    said = [bytes_of(engine.on_beat(frame)) for frame in frames]
    other_said = [bytes_of(other.on_beat(frame)) for frame in altered]
    short_said = [bytes_of(short.on_beat(frame)) for frame in frames[:beat]]

    assert said[:beat] == other_said[:beat] == short_said


@given(seeds, has_bars, st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_shards_say_what_the_whole_says(
    seed: int,
    has_bars: bool,  # noqa: FBT001  # drawn by Hypothesis
    shard_count: int,
) -> None:
    """Partitions are invisible, to the last byte of scores and bars."""
    shard_by_instrument = np.random.default_rng(seed).integers(0, shard_count, len(INSTRUMENTS))
    whole = SignalsEngine(SPEC)
    parts = [SignalsEngine(SPEC) for _ in range(shard_count)]

    for frame in random_days(seed, has_bars=has_bars):
        shard = shard_by_instrument[np.searchsorted(INSTRUMENTS, frame.rows.instrument)]
        pieces = split_frame(frame, shard, shard_count)
        outputs = [part.on_beat(piece) for part, piece in zip(parts, pieces, strict=True)]
        expected = whole.on_beat(frame)
        scores = merge_scores([output.scores for output in outputs])
        assert encode_scores(scores) == encode_scores(merge_scores([expected.scores]))
        bars = [output.bars for output in outputs if output.bars is not None]
        assert bool(bars) == (expected.bars is not None)
        if expected.bars is not None:
            assert encode_bars(merged_bars(bars)) == encode_bars(expected.bars)


@given(seeds, has_bars, st.integers(0, BEAT_COUNT))
@settings(max_examples=20, deadline=None)
def test_restore_at_any_beat_leaves_no_trace(
    seed: int,
    has_bars: bool,  # noqa: FBT001  # drawn by Hypothesis
    beat: int,
) -> None:
    """What a killed process says after its restart is what it would have said."""
    frames = random_days(seed, has_bars=has_bars)
    engine, restored = SignalsEngine(SPEC), SignalsEngine(SPEC)
    for frame in frames[:beat]:
        engine.on_beat(frame)

    restored.restore(engine.snapshot())

    for frame in frames[beat:]:
        assert bytes_of(restored.on_beat(frame)) == bytes_of(engine.on_beat(frame))


@given(seeds, has_bars)
@settings(max_examples=10, deadline=None)
def test_warm_up_days_are_silent_and_change_nothing_after_them(
    seed: int,
    has_bars: bool,  # noqa: FBT001  # drawn by Hypothesis
) -> None:
    """They feed the indicators, build their bars, and ask no strategy."""
    frames = random_days(seed, has_bars=has_bars)
    first_day = frames[0].stamp.trade_date
    engine, warming = SignalsEngine(SPEC), SignalsEngine(make_spec(warmup_days=1))

    for frame in frames:
        said, expected = warming.on_beat(frame), engine.on_beat(frame)
        if frame.stamp.trade_date == first_day:
            assert len(said.scores) == 0
            assert bytes_of(said)[1] == bytes_of(expected)[1]
        else:
            assert bytes_of(said) == bytes_of(expected)


def _shaken(frame: Frame, seed: int) -> Frame:
    """Return a frame with other prices and volumes."""
    rng = np.random.default_rng(seed + frame.stamp.beat)
    changes = {
        field.name: np.maximum(
            getattr(frame.rows, field.name) + 100 * rng.integers(0, 9, len(frame.rows)),
            0,
        )
        for field in fields(frame.rows)
        if field.name in {"prev_close_e4", "open_e4", "last_e4", "volume_shares", "close_e4"}
    }
    return replace(frame, rows=replace(frame.rows, **changes))
