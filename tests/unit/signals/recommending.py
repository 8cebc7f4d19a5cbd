"""Scores of a whole market as tests write them down, and what is recommended."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import AccountId, RunId, shards_of
from tidegate_common.events.recommendations import RecommendationBatch, RecommendationEntry
from tidegate_common.events.run import AccountSpec, RunSpec, StrategySpec
from tidegate_common.frames.frame import NO_REASON, REASONS_MAX, BeatStamp, ScoreBatch

RUN_ID = RunId("run-1")
STRATEGIES = ("cross", "reversal")
REASON_NAMES = (("fast", "slow"), ())
DAY, NEXT_DAY = 20230201, 20230202


def make_spec(list_size: int = 2, strategies: tuple[str, ...] = STRATEGIES) -> RunSpec:
    """Return a run whose lists have so many instruments."""
    return RunSpec(
        RUN_ID,
        (AccountSpec(AccountId("A1"), 1),),
        tuple(StrategySpec(name, name) for name in strategies),
        recommendations_max=list_size,
    )


def instrument_of(name: str) -> int:
    """Return the instrument that a letter stands for; ids are in the order of the letters."""
    return 1_600_000 + ord(name) - ord("a")


def make_batch(
    beat: int,
    scores: Mapping[str, Mapping[str, int]],
    *,
    trade_date: int = DAY,
    strategies: tuple[str, ...] = STRATEGIES,
) -> ScoreBatch:
    """Return the scores of a beat, by strategy and letter, in millionths.

    The reasons of strategy `cross` are the score and ten times the score; of an odd score there is
    no second one.
    """
    rows = [
        (number, instrument_of(letter), score_e6)
        for number, name in enumerate(strategies)
        for letter, score_e6 in sorted(scores.get(name, {}).items())
    ]
    strategy, instrument, score_e6 = np.array(rows, np.int64).reshape(-1, 3).T
    reason_e6 = np.full((len(rows), REASONS_MAX), NO_REASON)
    is_cross = np.array(strategies)[strategy] == "cross"
    reason_e6[is_cross, 0] = score_e6[is_cross]
    reason_e6[:, 1] = np.where(is_cross & (score_e6 % 2 == 0), 10 * score_e6, NO_REASON)
    return ScoreBatch(
        stamp=BeatStamp(RUN_ID, beat, BeatKind.TICK, trade_date, 1_000 * beat),
        shard=0,
        strategies=strategies,
        is_ranked=(False,) * len(strategies),
        reason_names=tuple(
            dict(zip(STRATEGIES, REASON_NAMES, strict=True)).get(each, ()) for each in strategies
        ),
        strategy=strategy,
        instrument=instrument,
        score_e6=score_e6,
        reason_e6=reason_e6,
    )


def split_scores(batch: ScoreBatch, shard_count: int) -> list[ScoreBatch]:
    """Return what each shard says of a batch."""
    shards = shards_of(batch.instrument, shard_count)
    return [
        replace(
            batch,
            shard=shard,
            strategy=batch.strategy[shards == shard],
            instrument=batch.instrument[shards == shard],
            score_e6=batch.score_e6[shards == shard],
            reason_e6=batch.reason_e6[shards == shard],
        )
        for shard in range(shard_count)
    ]


def letters_of(entries: tuple[RecommendationEntry, ...]) -> str:
    """Return the letters of listed instruments, in order."""
    return "".join(chr(entry.instrument - 1_600_000 + ord("a")) for entry in entries)


def lists_of(batch: RecommendationBatch | None) -> dict[str, tuple[str, str]]:
    """Return top and bottom as letters, by strategy."""
    told = batch.strategies if batch else ()
    return {each.strategy: (letters_of(each.top), letters_of(each.bottom)) for each in told}
