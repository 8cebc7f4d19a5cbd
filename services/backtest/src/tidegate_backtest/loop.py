"""The platform in one loop: the same engines as live, with the bus removed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tidegate_common.domain.ids import AccountId
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.events.orders import CancelOrder, RequestEnvelope, SubmitOrder
from tidegate_common.events.portfolio import PortfolioState
from tidegate_common.events.risk import ControlOutcome, Decision
from tidegate_common.events.run import RunSpec
from tidegate_common.frames.frame import BeatStamp, Frame, merge_scores
from tidegate_execution.engine.engine import ExecutionEngine
from tidegate_risk.engine.engine import RiskEngine, RiskInputs
from tidegate_signals.engine.engine import SignalsEngine
from tidegate_signals.engine.strategies.registry import STRATEGY_KINDS
from tidegate_signals.engine.strategies.strategy import Strategy

Requests = Mapping[int, tuple[RequestEnvelope, ...]]


@dataclass(frozen=True, slots=True)
class BeatOutcome:
    """What one beat came to, over all accounts and instruments."""

    stamp: BeatStamp
    tick_count: int
    score_count: int
    decisions: tuple[Decision, ...]
    controls: tuple[ControlOutcome, ...]
    submits: tuple[SubmitOrder, ...]
    cancels: tuple[CancelOrder, ...]
    updates: tuple[OrderUpdate, ...]
    fills: tuple[Fill, ...]
    portfolios: tuple[PortfolioState, ...]


def run_loop(
    spec: RunSpec,
    frames: Iterable[Frame],
    requests: Requests | None = None,
    kinds: Mapping[str, type[Strategy]] = STRATEGY_KINDS,
) -> Iterator[BeatOutcome]:
    """Yield what each beat comes to.

    Parameters
    ----------
    frames : whole-market frames in the order of their beats.
    requests : what a journal says enters at a beat, in that order; by default nothing.
    kinds : strategy classes by kind, those of users included.
    """
    accounts: tuple[AccountId, ...] = tuple(sorted(each.account_id for each in spec.accounts))
    execution = ExecutionEngine(spec)
    signals = SignalsEngine(spec, kinds)
    risk = RiskEngine(spec, accounts)
    nothing_stale = np.zeros(0, np.int64)
    submits: tuple[SubmitOrder, ...] = ()
    cancels: tuple[CancelOrder, ...] = ()
    for frame in frames:
        report = execution.on_beat(frame, submits, cancels)
        scores = merge_scores([signals.on_beat(frame).scores])
        beat = frame.stamp.beat
        entering = requests.get(beat, ()) if requests else ()
        output = risk.on_beat(
            RiskInputs(frame, scores, report.updates, report.fills, entering, nothing_stale),
        )
        submits, cancels = output.submits, output.cancels
        yield BeatOutcome(
            stamp=frame.stamp,
            tick_count=output.tick_count,
            score_count=output.score_count,
            decisions=output.decisions,
            controls=output.controls,
            submits=submits,
            cancels=cancels,
            updates=report.updates,
            fills=report.fills,
            portfolios=output.portfolios,
        )
