"""The children of a recorded day in the simulated exchange, each alone with the market."""

from dataclasses import dataclass

import numpy as np

from tidegate_cli.realism.children import Child, ChildKind, Result
from tidegate_cli.realism.day import HORIZON_BEATS, RUN_ID, RecordedDay
from tidegate_common.domain.enums import BeatKind, LimitState, TimeInForce
from tidegate_common.domain.ids import AccountId, decision_id, order_id
from tidegate_common.events.orders import SubmitOrder
from tidegate_common.events.run import ExecutionSpec, RunSpec
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.frames.rows import ReferenceRows, unknown_figures
from tidegate_common.market.board import board_of
from tidegate_execution.engine import ExecutionEngine

_ACCOUNT = AccountId("child")


@dataclass(frozen=True, slots=True)
class Compared:
    """A child by the recorded stream and by the simulator."""

    child: Child
    reference: Result
    simulated: Result


def simulate(day: RecordedDay, spec: ExecutionSpec) -> list[Compared]:
    """Return what the simulator makes of a day's children."""
    opening = _opening(day)
    return [
        Compared(sent.child, sent.reference, _run(day, opening, sent.child, spec))
        for sent in day.sent
    ]


def _run(day: RecordedDay, opening: Frame, child: Child, spec: ExecutionSpec) -> Result:
    engine = ExecutionEngine(RunSpec(RUN_ID, (), (), execution=spec))
    engine.on_beat(opening, (), ())
    # The quote on which the child was decided, so that its volume counts from there.
    first = child.beat
    engine.on_beat(day.frames[first], (), ())
    result = Result()
    submits = [_submit(day, child)]
    for frame in day.frames[first + 1 : first + 1 + HORIZON_BEATS]:
        report = engine.on_beat(frame, submits, ())
        submits = []
        for fill in report.fills:
            result.fill(
                price_e4=fill.price_e4,
                shares=fill.quantity_shares,
                ts_event_ns=frame.stamp.ts_event_ns,
            )
        if any(update.status.is_terminal for update in report.updates):
            break
    return result


def _submit(day: RecordedDay, child: Child) -> SubmitOrder:
    decided = child.beat + 1
    return SubmitOrder(
        order_id=order_id(RUN_ID, decided, _ACCOUNT, 0),
        decision_id=decision_id(RUN_ID, decided, _ACCOUNT, 0),
        beat=decided,
        account_id=_ACCOUNT,
        sequence=0,
        instrument=day.instrument,
        side=child.side,
        order_type=child.kind.order_type,
        time_in_force=TimeInForce.IOC if child.kind is ChildKind.MARKET else TimeInForce.DAY,
        price_e4=child.price_e4,
        quantity_shares=child.quantity_shares,
        ts_event_ns=0,
    )


def _opening(day: RecordedDay) -> Frame:
    """Return the day's OPEN, with limits that no price of the day comes near."""
    zero, wide = np.zeros(1, np.int64), np.full(1, 10**9, np.int64)
    rows = ReferenceRows(
        instrument=np.array([day.instrument], np.int64),
        board=np.array([board_of(day.instrument)], np.uint8),
        limit_state=np.array([LimitState.LIMITED], np.uint8),
        is_st=np.zeros(1, np.bool_),
        is_suspended=np.zeros(1, np.bool_),
        prev_close_e4=zero,
        limit_up_e4=wide,
        limit_down_e4=np.full(1, 100, np.int64),
        open_e4=zero,
        sector=np.array([""], np.object_),
        **unknown_figures(1),
    )
    first = day.frames[0].stamp
    stamp = BeatStamp(RUN_ID, 0, BeatKind.OPEN, day.trade_date, first.ts_event_ns)
    return Frame(stamp, 0, rows)
