"""The recommendations engine, beat by beat."""

from dataclasses import replace

import numpy as np
import pytest
from tests.unit.signals.recommending import (
    DAY,
    NEXT_DAY,
    RUN_ID,
    instrument_of,
    lists_of,
    make_batch,
    make_spec,
)

from tidegate_common.engine import EngineState
from tidegate_common.errors import ConfigError
from tidegate_common.events.recommendations import (
    RecommendationBatch,
    RecommendationEntry,
    StrategyRecommendations,
)
from tidegate_signals.engine.recommendations import RecommendationEngine

FIVE = {"a": 10, "b": 20, "c": 30, "d": 40, "e": 50}


def make_engine(list_size: int = 2) -> RecommendationEngine:
    """Return an engine of two strategies."""
    return RecommendationEngine(make_spec(list_size))


def told(batch: RecommendationBatch | None) -> StrategyRecommendations:
    """Return the recommendations of the one strategy of a batch."""
    assert batch is not None
    (only,) = batch.strategies
    return only


def test_recommendations_are_best_first_and_worst_first_with_their_reasons() -> None:
    """All that a reader sees of one beat."""
    engine = make_engine(list_size=1)

    batch = engine.on_beat(make_batch(7, {"cross": {"a": -4, "b": 3, "c": 5}}))

    first = RecommendationEntry(instrument_of("c"), 5, 1, 0, 7, {"fast": 5})
    last = RecommendationEntry(instrument_of("a"), -4, 3, 0, 7, {"fast": -4, "slow": -40})
    assert batch == RecommendationBatch(
        RUN_ID,
        7,
        DAY,
        7_000,
        (StrategyRecommendations("cross", 7, DAY, 7_000, 3, (first,), (last,)),),
    )


def test_strategies_that_change_in_one_beat_are_in_the_runs_order() -> None:
    """Whatever order the scores name them in."""
    engine = make_engine()
    scores = {"cross": {"a": 1}, "reversal": {"a": -1, "b": 0}}

    batch = engine.on_beat(make_batch(0, scores, strategies=("reversal", "cross")))

    assert list(lists_of(batch)) == ["cross", "reversal"]
    assert lists_of(batch) == {"cross": ("a", ""), "reversal": ("ba", "")}


def test_strategy_that_the_run_does_not_have_is_passed_over() -> None:
    """Scores of another version of the settings are nobody's."""
    engine = make_engine()

    batch = engine.on_beat(make_batch(0, {"luck": FIVE}, strategies=("luck",)))

    assert batch is None
    assert engine.current() == ()


def test_equal_scores_rank_by_instrument() -> None:
    """An order that depends on nothing else."""
    engine = make_engine()

    batch = engine.on_beat(make_batch(0, {"cross": dict.fromkeys("dbcae", 7)}))

    assert lists_of(batch) == {"cross": ("ab", "ed")}


@pytest.mark.parametrize(
    ("letters", "top", "bottom"),
    [("a", "a", ""), ("ab", "ba", ""), ("abc", "cb", "a"), ("abcd", "dc", "ab")],
)
def test_instrument_is_in_one_list_only(letters: str, top: str, bottom: str) -> None:
    """With few instruments the top comes first."""
    engine = make_engine()

    batch = engine.on_beat(make_batch(0, {"cross": {each: FIVE[each] for each in letters}}))

    assert lists_of(batch) == {"cross": (top, bottom)}


def test_beat_without_scores_says_nothing() -> None:
    """Most beats of a bar strategy."""
    engine = make_engine()

    assert engine.on_beat(make_batch(0, {})) is None
    assert engine.current() == ()


def test_same_scores_again_say_nothing() -> None:
    """A list is news when it differs, also if its scores are of a later beat."""
    engine = make_engine()
    engine.on_beat(make_batch(0, {"cross": FIVE}))

    assert engine.on_beat(make_batch(1, {"cross": FIVE})) is None


def test_change_between_the_lists_says_nothing_but_is_remembered() -> None:
    """The middle shows only when it rises or falls into a list."""
    engine = make_engine()
    engine.on_beat(make_batch(0, {"cross": FIVE}))

    between = engine.on_beat(make_batch(1, {"cross": {"c": 35}}))
    risen = engine.on_beat(make_batch(2, {"cross": {"d": 33}}))

    assert between is None
    assert lists_of(risen) == {"cross": ("ec", "ab")}
    assert [entry.score_beat for entry in told(risen).top] == [0, 1]


def test_score_of_a_listed_instrument_that_changes_is_news() -> None:
    """Members and ranks are the same, the number is not."""
    engine = make_engine()
    engine.on_beat(make_batch(0, {"cross": FIVE}))

    batch = engine.on_beat(make_batch(1, {"cross": {"a": 9}}))

    assert lists_of(batch) == {"cross": ("ed", "ab")}
    assert told(batch).bottom[0].score_e6 == 9


def test_new_instrument_in_the_middle_is_news_because_the_last_ranks_change() -> None:
    """The rank of the worst is the number of instruments."""
    engine = make_engine()
    engine.on_beat(make_batch(0, {"cross": FIVE}))

    batch = engine.on_beat(make_batch(1, {"cross": {"f": 30}}))

    assert told(batch).instrument_count == 6
    assert [(entry.rank, entry.previous_rank) for entry in told(batch).bottom] == [(6, 5), (5, 4)]


def test_previous_rank_is_that_of_the_publication_before() -> None:
    """It counts over all instruments, and over what was published only."""
    engine = make_engine(list_size=1)
    engine.on_beat(make_batch(0, {"cross": FIVE}))
    engine.on_beat(make_batch(1, {"cross": {"b": 45, "c": 25}}))

    batch = engine.on_beat(make_batch(2, {"cross": {"b": 60, "f": 5}}))

    (best,), (worst,) = told(batch).top, told(batch).bottom
    assert (best.instrument, best.rank, best.previous_rank) == (instrument_of("b"), 1, 4)
    assert best.rank_change == 3
    assert (worst.instrument, worst.rank, worst.previous_rank) == (instrument_of("f"), 6, 0)
    assert worst.rank_change is None


def test_first_scores_of_a_day_replace_those_of_the_days_before() -> None:
    """Yesterday's opinion of an instrument is not today's."""
    engine = make_engine()
    engine.on_beat(make_batch(0, {"cross": FIVE, "reversal": FIVE}))

    batch = engine.on_beat(make_batch(1, {"cross": {"a": 1, "e": 2}}, trade_date=NEXT_DAY))
    later = engine.on_beat(make_batch(2, {"cross": {"c": 3}}, trade_date=NEXT_DAY))

    assert lists_of(batch) == {"cross": ("ea", "")}
    assert [entry.previous_rank for entry in told(batch).top] == [1, 5]
    assert lists_of(later) == {"cross": ("ce", "a")}
    assert [entry.previous_rank for entry in told(later).top] == [0, 1]


def test_strategy_that_is_silent_today_keeps_its_recommendations() -> None:
    """A monthly one speaks once a month."""
    engine = make_engine()
    engine.on_beat(make_batch(0, {"reversal": FIVE}))

    engine.on_beat(make_batch(1, {"cross": FIVE}, trade_date=NEXT_DAY))

    days = [(each.strategy, each.trade_date, each.beat) for each in engine.current()]
    assert days == [("cross", NEXT_DAY, 1), ("reversal", DAY, 0)]


def test_lists_of_no_length_are_never_published() -> None:
    """Whoever wants none gets none."""
    engine = make_engine(list_size=0)

    assert engine.on_beat(make_batch(0, {"cross": FIVE})) is None
    assert engine.current() == ()


def test_current_is_the_last_publication_of_each_strategy() -> None:
    """What the cache is filled with after a restart."""
    engine = make_engine()
    first = engine.on_beat(make_batch(0, {"cross": FIVE, "reversal": {"a": 1}}))
    second = engine.on_beat(make_batch(1, {"cross": {"a": 99}}))
    engine.on_beat(make_batch(2, {"cross": {"d": 39}}))

    assert first is not None
    assert engine.current() == (told(second), first.strategies[1])


def test_raw_scores_of_a_ranked_strategy_are_refused() -> None:
    """Ranks are made where all shards meet, before."""
    batch = make_batch(0, {"cross": FIVE})

    with pytest.raises(AssertionError, match="ranks"):
        make_engine().on_beat(replace(batch, is_ranked=(True, False)))


def test_restored_engine_goes_on_as_the_first_would() -> None:
    """A restart shows nowhere."""
    first, second = make_engine(), make_engine()
    first.on_beat(make_batch(0, {"cross": FIVE, "reversal": {"c": 1}}))

    second.restore(first.snapshot())

    for beat, letter in enumerate("cafe", start=1):
        date = DAY if beat < 3 else NEXT_DAY
        scores = {"cross": {letter: 100 * beat}, "reversal": {letter: -beat, "b": 2}}
        batch = make_batch(beat, scores, trade_date=date)
        assert second.on_beat(batch) == first.on_beat(batch)
    assert second.current() == first.current()
    assert_same(second.snapshot(), first.snapshot())


def test_snapshot_does_not_change_with_later_beats() -> None:
    """It is written down while the stage goes on."""
    engine = make_engine()
    engine.on_beat(make_batch(0, {"cross": FIVE}))
    snapshot, same = engine.snapshot(), engine.snapshot()

    engine.on_beat(make_batch(1, {"cross": {"a": 99}, "reversal": FIVE}))
    restored = make_engine()
    restored.restore(snapshot)
    restored.on_beat(make_batch(1, {"cross": {"a": 98}, "reversal": FIVE}))

    assert_same(snapshot, same)


def assert_same(found: EngineState, expected: EngineState) -> None:
    """Check that two memories are the same bytes."""
    assert found.values == expected.values
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in found.arrays.items():
        np.testing.assert_array_equal(array, expected.arrays[name], err_msg=name)


def test_lists_of_a_negative_length_are_refused() -> None:
    """A length of 0 is a way to have none."""
    with pytest.raises(ConfigError, match=r"recommendations_max must be >= 0, was -1"):
        make_engine(-1)
