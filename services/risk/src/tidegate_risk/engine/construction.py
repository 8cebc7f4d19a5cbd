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
from tidegate_risk.engine.intent import Intents, columns_of
from tidegate_risk.engine.layout import (
    BUY_VALUE,
    IS_BUY,
    MODE,
    RESERVE,
    SELL_HOLDING,
    TARGET,
)
from tidegate_risk.engine.portfolio import Account
from tidegate_risk.engine.state import Market
from tidegate_risk.engine.targets import StrategyList


@dataclass(frozen=True, slots=True)
class StrategyScores:
    """Scores of one strategy that ask for something.

    beat : of the scores.
    entries : (score, instrument), highest score first, then by instrument.
    exits : score by instrument.
    """

    strategy: str
    beat: int
    entries: tuple[tuple[int, int], ...]
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
    sells = sorted(
        (-asked.exits[instrument], instrument)
        for instrument in held
        if instrument in asked.exits and instrument not in resting
    )
    idle = held | resting
    buys = [entry for entry in asked.entries if entry[1] not in idle]
    instruments = [instrument for _, instrument in (*sells, *buys)]
    sides = [Side.SELL] * len(sells) + [Side.BUY] * len(buys)
    columns = columns_of(instruments, sides, account, market)
    nav_fen = account.ledger.nav_fen
    is_buy = columns[:, IS_BUY]
    columns[:, MODE] = np.where(is_buy, BUY_VALUE, SELL_HOLDING)
    columns[:, TARGET] = nav_fen * spec.target_weight_bps // BPS
    columns[:, RESERVE] = is_buy * reserve_fen(nav_fen, spec)
    return Intents(
        CauseKind.SCORE,
        asked.strategy,
        instruments,
        sides,
        [-negative for negative, _ in sells] + [score for score, _ in buys],
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
        entries=tuple(
            zip(score[enters].tolist(), instrument[enters].tolist(), strict=True),
        ),
        exits=dict(zip(instrument[exits].tolist(), score[exits].tolist(), strict=True)),
    )
