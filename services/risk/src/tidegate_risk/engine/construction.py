"""From scores to intents: which positions a strategy wants.

The method `threshold`: a score at or above the entry threshold opens a position of the target
weight where the account has none; one at or below the exit threshold sells the whole holding. An
instrument in which an order works is left alone, and so is one on which the strategy had a decision
within the cooldown. The other methods are in `rebalance.py`; the kernels size both, from what the
orders before have left.
"""

from dataclasses import dataclass

import numpy as np

from tidegate_common.domain.enums import CauseKind, Side
from tidegate_common.domain.units import BPS
from tidegate_common.events.run import ConstructionSpec
from tidegate_common.frames.frame import ScoreBatch
from tidegate_risk.engine.intent import Intents, asks_of_strategy, columns_of
from tidegate_risk.engine.layout import (
    BUY_VALUE,
    MODE,
    RESERVE,
    SELL_HOLDING,
    TARGET,
)
from tidegate_risk.engine.portfolio import Account
from tidegate_risk.engine.state import Market
from tidegate_risk.engine.targets import StrategyList

_BUY, _SELL = Side.BUY, Side.SELL


@dataclass(frozen=True, slots=True)
class StrategyScores:
    """Scores of one strategy that ask for something.

    beat : of the scores.
    entries, scores_e6 : instruments to enter and their scores, highest score first, then by
        instrument.
    exits : score by instrument.
    """

    strategy: str
    beat: int
    entries: list[int]
    scores_e6: list[int]
    exits: dict[int, int]


# What a strategy asks for, by either way of reading its scores.
Asked = StrategyScores | StrategyList


def read_scores(
    scores: ScoreBatch,
    strategies: tuple[str, ...],
    spec: ConstructionSpec,
) -> tuple[StrategyScores, ...]:
    """Return what each strategy of the run asks for, in the run's order."""
    return tuple(
        _read_strategy(scores, name, scores.strategies.index(name), spec)
        for name in strategies
        if name in scores.strategies
    )


def intents_of_scores(
    asked: StrategyScores,
    account: Account,
    market: Market,
    spec: ConstructionSpec,
) -> Intents:
    """Return what a strategy wants of an account: sells, then buys, highest scores first."""
    held = set(account.ledger.instruments.tolist())
    resting = account.resting(asked.strategy, beat=market.beat, cooldown_beats=spec.cooldown_beats)
    exits = asked.exits
    sells = [each for each in exits.keys() & held if each not in resting]
    sells.sort(key=lambda instrument: (-exits[instrument], instrument))
    instruments, scores_e6 = asked.entries, asked.scores_e6
    idle = held | resting
    if not idle.isdisjoint(instruments):
        free = [
            (instrument, score)
            for instrument, score in zip(instruments, scores_e6, strict=True)
            if instrument not in idle
        ]
        instruments, scores_e6 = [each for each, _ in free], [score for _, score in free]
    sides = [_SELL] * len(sells) + [_BUY] * len(instruments)
    if sells:
        instruments = [*sells, *instruments]
        scores_e6 = [*map(exits.__getitem__, sells), *scores_e6]
    nav_fen = account.ledger.nav_fen
    columns = columns_of(instruments, sides, account, market)
    columns[:, MODE] = SELL_HOLDING
    columns[len(sells) :, MODE] = BUY_VALUE
    columns[:, TARGET] = nav_fen * spec.target_weight_bps // BPS
    columns[len(sells) :, RESERVE] = reserve_fen(nav_fen, spec)
    return Intents(
        CauseKind.SCORE,
        asks_of_strategy(asked.strategy, instruments, sides, scores_e6),
        columns,
        score_beat=asked.beat,
    )


def reserve_fen(nav_fen: int, spec: ConstructionSpec) -> int:
    """Return the cash that a strategy's buys leave in an account."""
    return max(0, nav_fen) * spec.cash_buffer_bps // BPS


def _read_strategy(
    scores: ScoreBatch,
    name: str,
    number: int,
    spec: ConstructionSpec,
) -> StrategyScores:
    # Scores are sorted by strategy, so one strategy's are a slice.
    start, stop = np.searchsorted(scores.strategy, [number, number + 1])
    instrument = scores.instrument[start:stop]
    score = scores.score_e6[start:stop]
    enters = np.flatnonzero(score >= spec.enter_score_e6)
    enters = enters[np.lexsort((instrument[enters], -score[enters]))]
    exits = score <= spec.exit_score_e6
    return StrategyScores(
        strategy=name,
        beat=scores.stamp.beat,
        entries=instrument[enters].tolist(),
        scores_e6=score[enters].tolist(),
        exits=dict(zip(instrument[exits].tolist(), score[exits].tolist(), strict=True)),
    )
