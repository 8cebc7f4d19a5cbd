"""Merged scores: shards are invisible, and ranks keep the order of the scores."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tidegate_common.frames.codec import encode_scores
from tidegate_common.frames.frame import ScoreBatch, merge_scores, no_reasons, ranks_e6
from tidegate_common.testing.builders import make_stamp

RAW_MAX = 10**15
INSTRUMENTS = st.integers(1_600_000, 1_600_200)


@st.composite
def score_batches(draw: st.DrawFn) -> ScoreBatch:
    """Return a batch of some strategies, ranked or not, of few distinct scores."""
    names = ("a", "b", "c")
    keys = sorted(draw(st.sets(st.tuples(st.integers(0, 2), INSTRUMENTS), max_size=60)))
    few = st.integers(-4, 4) | st.integers(-RAW_MAX, RAW_MAX)
    scores = draw(st.lists(few, min_size=len(keys), max_size=len(keys)))
    reasons = no_reasons(len(keys))
    reasons[:, 0] = np.arange(len(keys))
    columns = np.array(keys, np.int64).reshape(-1, 2)
    return ScoreBatch(
        stamp=make_stamp(),
        shard=0,
        strategies=names,
        is_ranked=draw(st.tuples(*[st.booleans()] * 3)),
        reason_names=(("row",),) * 3,
        strategy=columns[:, 0],
        instrument=columns[:, 1],
        score_e6=np.array(scores, np.int64),
        reason_e6=reasons,
    )


@given(score_batches(), st.data())
def test_scores_of_any_shards_merge_to_those_of_one(whole: ScoreBatch, data: st.DataObject) -> None:
    """Ranks are over the market, however it was split, and merging twice changes nothing."""
    shard_count = data.draw(st.integers(1, 4))
    numbers = st.lists(st.integers(0, shard_count - 1), min_size=200 + 1, max_size=200 + 1)
    shard = np.array(data.draw(numbers))[whole.instrument - 1_600_000]
    parts = [
        replace(
            whole,
            shard=number,
            strategy=whole.strategy[shard == number],
            instrument=whole.instrument[shard == number],
            score_e6=whole.score_e6[shard == number],
            reason_e6=whole.reason_e6[shard == number],
        )
        for number in data.draw(st.permutations(range(shard_count)))
    ]

    merged = merge_scores(parts)

    expected = encode_scores(replace(merge_scores([whole]), shard=merged.shard))
    assert encode_scores(merged) == expected
    assert encode_scores(merge_scores([merged])) == expected


@given(st.lists(st.integers(-5, 5) | st.integers(-RAW_MAX, RAW_MAX), min_size=2, max_size=80))
def test_ranks_of_any_scores_are_their_mean_places(scores: list[int]) -> None:
    """The formula, one score at a time and with fractions."""
    found = ranks_e6(np.array(scores, np.int64)).tolist()

    for score, rank in zip(scores, found, strict=True):
        below, equal = sum(each < score for each in scores), scores.count(score)
        place = below + Fraction(equal - 1, 2)
        assert rank == round(1_000_000 * (2 * place / (len(scores) - 1) - 1))
