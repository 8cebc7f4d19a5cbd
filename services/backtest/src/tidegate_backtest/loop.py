"""The platform in one loop: the same engines as live, with the bus removed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from tidegate_backtest.partition import Lateness, RiskPartition
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.events.orders import CancelOrder, RequestEnvelope, SubmitOrder
from tidegate_common.events.portfolio import Booking, PortfolioState
from tidegate_common.events.risk import ControlOutcome, Decision
from tidegate_common.events.run import RunSpec
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_execution.engine.engine import ExecutionEngine
from tidegate_risk.engine.engine import RiskOutput
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
    bookings: tuple[Booking, ...]


def run_loop(
    spec: RunSpec,
    frames: Iterable[Frame],
    requests: Requests | None = None,
    kinds: Mapping[str, type[Strategy]] = STRATEGY_KINDS,
    late: Sequence[Lateness] = ({},),
) -> Iterator[BeatOutcome]:
    """Yield what each beat comes to.

    Parameters
    ----------
    frames : whole-market frames in the order of their beats.
    requests : what a journal says enters at a beat, in that order; by default nothing.
    kinds : strategy classes by kind, those of users included.
    late : what each risk partition's journal says that it went on without. Where nothing was late,
        partitions are invisible, and one stands for all.
    """
    execution = ExecutionEngine(spec)
    signals = SignalsEngine(spec, kinds)
    risk = [
        RiskPartition(spec, number, partition_count=len(late), late=own)
        for number, own in enumerate(late)
    ]
    submits: tuple[SubmitOrder, ...] = ()
    cancels: tuple[CancelOrder, ...] = ()
    for frame in frames:
        report = execution.on_beat(frame, submits, cancels)
        scores = signals.on_beat(frame).scores
        entering = requests.get(frame.stamp.beat, ()) if requests else ()
        output = _join([each.on_beat(frame, scores, report, entering) for each in risk])
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
            bookings=output.bookings,
        )


def _join(outputs: Sequence[RiskOutput]) -> RiskOutput:
    """Return what all partitions said as if it were one; counts are of the one that had most."""
    if len(outputs) == 1:
        return outputs[0]

    def by_account(
        event: Decision | ControlOutcome | SubmitOrder | CancelOrder | Booking,
    ) -> tuple[str, int]:
        return event.account_id, event.sequence

    return RiskOutput(
        submits=tuple(sorted(chain.from_iterable(o.submits for o in outputs), key=by_account)),
        cancels=tuple(sorted(chain.from_iterable(o.cancels for o in outputs), key=by_account)),
        decisions=tuple(sorted(chain.from_iterable(o.decisions for o in outputs), key=by_account)),
        controls=tuple(sorted(chain.from_iterable(o.controls for o in outputs), key=by_account)),
        equity=tuple(chain.from_iterable(output.equity for output in outputs)),
        portfolios=tuple(
            sorted(
                chain.from_iterable(output.portfolios for output in outputs),
                key=lambda state: state.account_id,
            )
        ),
        tick_count=max(output.tick_count for output in outputs),
        score_count=max(output.score_count for output in outputs),
        bookings=tuple(sorted(chain.from_iterable(o.bookings for o in outputs), key=by_account)),
    )
