"""Recommendations against a slow reference, over any split of the market and any restart."""

from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.signals.recommending import instrument_of, make_batch, make_spec, split_scores

from tidegate_common.domain.ids import shards_of
from tidegate_common.events.recommendations import (
    RecommendationBatch,
    RecommendationEntry,
    StrategyRecommendations,
)
from tidegate_common.frames.frame import NO_REASON, ScoreBatch, merge_scores
from tidegate_signals.engine.recommendations import RecommendationEngine

STRATEGIES = ("cross", "reversal", "momentum")
IS_RANKED = (False, False, True)
# Few values, so that scores tie and lists stay as they are now and then.
opinions = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(-3, 3), max_size=8)
beats = st.tuples(st.integers(0, 1), st.fixed_dictionaries(dict.fromkeys(STRATEGIES, opinions)))
markets = st.lists(beats, min_size=1, max_size=12)


@dataclass
class SlowRecommendations:
    """The rules in plain Python, for one strategy."""

    strategy: str
    list_size: int
    trade_date: int = 0
    said: dict[int, tuple[int, int, dict[str, int]]] = field(default_factory=dict)
    ranks: dict[int, int] = field(default_factory=dict)
    shown: list[list[tuple[int, int, int]]] = field(default_factory=lambda: [[], []])

    def take(self, batch: ScoreBatch) -> StrategyRecommendations | None:
        """Return the lists if a beat has changed them."""
        index = batch.strategies.index(self.strategy)
        rows = np.flatnonzero(batch.strategy == index).tolist()
        if not rows:
            return None
        if self.trade_date != batch.stamp.trade_date:
            self.said, self.trade_date = {}, batch.stamp.trade_date
        for row in rows:
            reasons = zip(batch.reason_names[index], batch.reason_e6[row].tolist(), strict=False)
            self.said[int(batch.instrument[row])] = (
                int(batch.score_e6[row]),
                batch.stamp.beat,
                {name: value for name, value in reasons if value != NO_REASON},
            )
        order = sorted(self.said, key=lambda instrument: (-self.said[instrument][0], instrument))
        ranks = {instrument: rank for rank, instrument in enumerate(order, start=1)}
        lists = [order[: self.list_size], order[self.list_size :][::-1][: self.list_size]]
        shown = [[(each, self.said[each][0], ranks[each]) for each in side] for side in lists]
        if shown == self.shown:
            return None
        top, bottom = (tuple(self._entry(each, ranks[each]) for each in side) for side in lists)
        self.shown, self.ranks = shown, ranks
        stamp = batch.stamp
        return StrategyRecommendations(
            strategy=self.strategy,
            beat=stamp.beat,
            trade_date=stamp.trade_date,
            ts_event_ns=stamp.ts_event_ns,
            instrument_count=len(order),
            top=top,
            bottom=bottom,
        )

    def _entry(self, instrument: int, rank: int) -> RecommendationEntry:
        score_e6, beat, reasons = self.said[instrument]
        previous = self.ranks.get(instrument, 0)
        return RecommendationEntry(instrument, score_e6, rank, previous, beat, reasons)


def batches_of(market: list[tuple[int, dict[str, dict[str, int]]]]) -> list[ScoreBatch]:
    """Return a market's raw scores, beat by beat; a beat may begin another day."""
    found, trade_date = [], 20230201
    for beat, (days, scores) in enumerate(market):
        trade_date += days
        batch = make_batch(beat, scores, trade_date=trade_date, strategies=STRATEGIES)
        found.append(replace(batch, is_ranked=IS_RANKED))
    return found


def run(
    batches: list[ScoreBatch],
    list_size: int,
    *,
    shard_count: int = 1,
    restart_at: int = -1,
) -> list[RecommendationBatch | None]:
    """Return what an engine says, beat by beat."""
    spec = make_spec(list_size, STRATEGIES)
    engine, said = RecommendationEngine(spec), []
    for batch in batches:
        if batch.stamp.beat == restart_at:
            snapshot = engine.snapshot()
            engine = RecommendationEngine(spec)
            engine.restore(snapshot)
        said.append(engine.on_beat(merge_scores(split_scores(batch, shard_count))))
    return said


@given(markets, st.integers(1, 4))
def test_recommendations_any_market_equal_the_rules_in_plain_python(
    market: list[tuple[int, dict[str, dict[str, int]]]],
    list_size: int,
) -> None:
    """Arrays are only quicker."""
    batches = batches_of(market)
    slow = [SlowRecommendations(name, list_size) for name in STRATEGIES]

    said = run(batches, list_size)

    for batch, found in zip(batches, said, strict=True):
        told = (each.take(merge_scores([batch])) for each in slow)
        expected = tuple(each for each in told if each)
        assert (found.strategies if found else ()) == expected


@given(markets, st.integers(0, 4), st.integers(2, 5))
def test_recommendations_any_number_of_shards_are_the_same(
    market: list[tuple[int, dict[str, dict[str, int]]]],
    list_size: int,
    shard_count: int,
) -> None:
    """Partitions are invisible, in ranked strategies too."""
    batches = batches_of(market)

    said = run(batches, list_size, shard_count=shard_count)

    assert said == run(batches, list_size)


@given(markets, st.integers(1, 3), st.integers(0, 11))
def test_recommendations_any_restart_are_the_same(
    market: list[tuple[int, dict[str, dict[str, int]]]],
    list_size: int,
    restart_at: int,
) -> None:
    """`restore(snapshot())` changes nothing."""
    batches = batches_of(market)

    said = run(batches, list_size, restart_at=restart_at)

    assert said == run(batches, list_size)


def test_letters_of_these_tests_are_of_several_shards() -> None:
    """Otherwise nothing would be split."""
    instruments = np.array([instrument_of(letter) for letter in "abcdefgh"])

    used = [len(set(shards_of(instruments, count).tolist())) for count in range(2, 6)]

    assert min(used) > 1
