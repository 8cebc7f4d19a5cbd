"""Target values from scores: what part of its capital a strategy wants in which instrument.

All in integers, rounded down, so targets never add up to more than the capital. Long only: the
best `top_n` positive scores are wanted, equal scores by instrument. Each place is worth the
capital over `top_n`, so with fewer good scores than places the rest stays in cash; how the places'
sum is split between them is the method.

- equal_weight: equally.
- score_weighted: by score.
- volatility_scaled: by the inverse of the reason value `volatility`; one without it is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tidegate_common.domain.enums import ConstructionMethod
from tidegate_common.domain.units import BPS
from tidegate_common.events.run import ConstructionSpec
from tidegate_common.frames.frame import ScoreBatch

# Name of the reason value that `volatility_scaled` reads.
VOLATILITY = "volatility"
# Weights are integers: the inverse of a volatility of 1 (1,000,000 millionths) is 1,000,000.
_INVERSE_SCALE = 10**12


@dataclass(frozen=True, slots=True)
class StrategyList:
    """Everything that one strategy says in one beat.

    beat : of the scores.
    scores : score by instrument.
    best : the highest positive scores' instruments, at most `top_n`.
    weights : of the best, positive integers in any unit; one without weight is not there.
    """

    strategy: str
    beat: int
    scores: Mapping[int, int]
    best: tuple[int, ...]
    weights: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Targets:
    """What a strategy wants to hold.

    value_fen : by instrument; the best in their order, then 0 for what is to be sold, sorted.
    unknown : the best that have no weight, in their order.
    """

    value_fen: Mapping[int, int]
    unknown: tuple[int, ...]


def read_lists(
    scores: ScoreBatch,
    strategies: tuple[str, ...],
    spec: ConstructionSpec,
) -> tuple[StrategyList, ...]:
    """Return the list of each strategy of the run that says something, in the run's order."""
    lists = (
        _read_list(scores, name, scores.strategies.index(name), spec)
        for name in strategies
        if name in scores.strategies
    )
    return tuple(each for each in lists if each.scores)


def fractions_bps(spec: ConstructionSpec, strategies: tuple[str, ...]) -> dict[str, int]:
    """Return the part of an account's capital that is each strategy's.

    Those that the spec does not name share equally what it leaves.
    """
    named = spec.capital_bps
    others = [name for name in strategies if name not in named]
    left_bps = max(0, BPS - sum(named.values()))
    return {name: named[name] if name in named else left_bps // len(others) for name in strategies}


def capital_fen(nav_fen: int, fraction_bps: int, buffer_bps: int) -> int:
    """Return a strategy's part of the NAV above the cash buffer; 0 of a NAV that is negative."""
    return max(0, nav_fen) * (BPS - buffer_bps) * fraction_bps // BPS**2


def targets_of(
    listed: StrategyList,
    held_fen: Mapping[int, int],
    *,
    budget_fen: int,
    top_n: int,
) -> Targets:
    """Return what a strategy wants to hold of each instrument that it can judge.

    What it holds and says nothing of, or has no weight for, is left alone: its value and, where it
    has no score, its place are not there for others.

    Parameters
    ----------
    held_fen : value of the strategy's holdings, by instrument.
    budget_fen : the strategy's capital.
    """
    silent = [instrument for instrument in held_fen if instrument not in listed.scores]
    best = listed.best[: max(0, top_n - len(silent))]
    unknown = tuple(instrument for instrument in best if instrument not in listed.weights)
    left_fen = sum(held_fen.get(instrument, 0) for instrument in (*silent, *unknown))
    weights = {each: listed.weights[each] for each in best if each in listed.weights}
    places_fen = budget_fen * len(weights) // top_n
    shared_fen = min(places_fen, max(0, budget_fen - left_fen))
    whole = sum(weights.values())
    value_fen = {each: shared_fen * weight // whole for each, weight in weights.items()}
    kept = {*silent, *best}
    unwanted = sorted(instrument for instrument in held_fen if instrument not in kept)
    return Targets(value_fen | dict.fromkeys(unwanted, 0), unknown)


def _read_list(
    scores: ScoreBatch,
    name: str,
    number: int,
    spec: ConstructionSpec,
) -> StrategyList:
    # Scores are sorted by strategy, so one strategy's are a slice.
    start, stop = np.searchsorted(scores.strategy, [number, number + 1]).tolist()
    instrument = scores.instrument[start:stop]
    score = scores.score_e6[start:stop]
    good = np.flatnonzero(score > 0)
    good = good[np.lexsort((instrument[good], -score[good]))][: spec.top_n]
    best = tuple(instrument[good].tolist())
    match spec.method:
        case ConstructionMethod.SCORE_WEIGHTED:
            weight = score[good].tolist()
        case ConstructionMethod.VOLATILITY_SCALED:
            weight = _inverse_volatility(scores, number, (start + good).tolist())
        case _:
            weight = [1] * len(best)
    return StrategyList(
        strategy=name,
        beat=scores.stamp.beat,
        scores=dict(zip(instrument.tolist(), score.tolist(), strict=True)),
        best=best,
        weights={each: size for each, size in zip(best, weight, strict=True) if size > 0},
    )


def _inverse_volatility(scores: ScoreBatch, number: int, rows: list[int]) -> list[int]:
    """Return a weight a row, 0 where the strategy states no positive volatility."""
    names = scores.reason_names[number]
    if VOLATILITY not in names:
        return [0] * len(rows)
    volatility_e6 = scores.reason_e6[rows, names.index(VOLATILITY)].tolist()
    return [_INVERSE_SCALE // each if each > 0 else 0 for each in volatility_e6]
