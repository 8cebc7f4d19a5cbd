"""Scores of a day's close that wait for the next day's market.

In runs of ticks or of bars no order of a CLOSE beat could trade, so a strategy that works on whole
days would never act. Its scores wait for the first beat of the next day in which continuous trading
is on for one of their instruments, unless the strategy itself speaks by then; a whole list acts at
once, because it is one target. What does not come to that is dropped at the next close.

Strategies that spoke in the day's ticks or bars act by those; what they say at the close as well is
not carried to a morning that it was not meant for.
"""

from dataclasses import asdict, replace
from typing import TypedDict, cast

import numpy as np

from tidegate_common.domain.enums import BeatKind
from tidegate_common.engine import JsonDict
from tidegate_common.frames.frame import BeatStamp, ScoreBatch
from tidegate_risk.engine.stamps import load_stamp
from tidegate_risk.engine.state import Market


class _Waiting(TypedDict):
    stamp: JsonDict
    strategies: list[str]
    reason_names: list[list[str]]
    strategy: list[int]
    instrument: list[int]
    score_e6: list[int]
    reason_e6: list[list[int]]


class _Dump(TypedDict):
    spoke: list[str]
    waiting: _Waiting | None


class ClosingScores:
    """What strategies on days said at the last close, until it acts."""

    def __init__(self) -> None:
        self._spoke: set[str] = set()
        self._waiting: ScoreBatch | None = None

    def take(self, scores: ScoreBatch, market: Market) -> ScoreBatch | None:
        """Remember what a beat's scores say; return what acts now of those that waited."""
        kind = scores.stamp.kind
        if kind is BeatKind.OPEN:
            self._spoke = set()
            return None
        if kind is BeatKind.CLOSE:
            is_carried = not market.can_scores_act
            self._waiting = _without(scores, self._spoke) if is_carried else None
            return None
        self._spoke |= _speakers(scores)
        waiting = self._waiting
        if waiting is None or not market.has_continuous_trading(waiting.instrument):
            return None
        self._waiting = None
        return _without(waiting, self._spoke)

    def dump(self) -> JsonDict:
        """Return the memory as JSON-ready values."""
        return {
            "spoke": sorted(self._spoke),
            "waiting": None if self._waiting is None else _dump(self._waiting),
        }

    def load(self, values: object) -> None:
        """Take up what `dump` returned."""
        dump = cast("_Dump", values)
        self._spoke = set(dump["spoke"])
        self._waiting = None if dump["waiting"] is None else _load(dump["waiting"])


def _speakers(scores: ScoreBatch) -> set[str]:
    # Scores are sorted by strategy.
    edges = np.searchsorted(scores.strategy, np.arange(len(scores.strategies) + 1))
    return {scores.strategies[number] for number in np.flatnonzero(np.diff(edges)).tolist()}


def _without(scores: ScoreBatch, strategies: set[str]) -> ScoreBatch | None:
    """Return the scores of all other strategies, None where there are none."""
    numbers = [n for n, name in enumerate(scores.strategies) if name not in strategies]
    is_kept = np.isin(scores.strategy, numbers)
    if not is_kept.any():
        return None
    return replace(
        scores,
        strategy=scores.strategy[is_kept],
        instrument=scores.instrument[is_kept],
        score_e6=scores.score_e6[is_kept],
        reason_e6=scores.reason_e6[is_kept],
    )


def _dump(scores: ScoreBatch) -> _Waiting:
    return {
        "stamp": asdict(scores.stamp),
        "strategies": list(scores.strategies),
        "reason_names": [list(names) for names in scores.reason_names],
        "strategy": scores.strategy.tolist(),
        "instrument": scores.instrument.tolist(),
        "score_e6": scores.score_e6.tolist(),
        "reason_e6": scores.reason_e6.tolist(),
    }


def _load(waiting: _Waiting) -> ScoreBatch:
    return ScoreBatch(
        # Never None: it was a batch's.
        stamp=cast("BeatStamp", load_stamp(waiting["stamp"])),
        shard=0,
        strategies=tuple(waiting["strategies"]),
        # Ranked before risk has them.
        is_ranked=(False,) * len(waiting["strategies"]),
        reason_names=tuple(tuple(names) for names in waiting["reason_names"]),
        strategy=np.array(waiting["strategy"], np.int64),
        instrument=np.array(waiting["instrument"], np.int64),
        score_e6=np.array(waiting["score_e6"], np.int64),
        reason_e6=np.array(waiting["reason_e6"], np.int64),
    )
