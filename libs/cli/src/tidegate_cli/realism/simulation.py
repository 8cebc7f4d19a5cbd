"""The children of a recorded day in the simulated exchange, each alone with the market.

Every child has a lane: an instrument of its own, which quotes what the recorded one quoted for as
long as the child works. Instruments do not know of one another, so one engine serves all of them.
"""

from dataclasses import dataclass, replace

import numpy as np

from tidegate_cli.realism.children import Child, ChildKind, Result
from tidegate_cli.realism.day import HORIZON_BEATS, RUN_ID, RecordedDay
from tidegate_common.domain.enums import BeatKind, LimitState, OrderType, TimeInForce
from tidegate_common.domain.ids import (
    EXCHANGE_STEP,
    AccountId,
    OrderId,
    decision_id,
    order_id,
)
from tidegate_common.domain.units import Int64Array
from tidegate_common.events.orders import CancelOrder, SubmitOrder
from tidegate_common.events.run import ExecutionSpec, RunSpec
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.frames.rows import ReferenceRows, unknown_figures
from tidegate_common.market.board import board_of
from tidegate_execution.engine import ExecutionEngine

_ACCOUNT = AccountId("child")


@dataclass(frozen=True, slots=True)
class Compared:
    """A child by the record and by the simulator.

    unknown_shares : of which the record does not tell whether they filled; `reference` is without.
    """

    child: Child
    reference: Result
    simulated: Result
    unknown_shares: int = 0


def simulate(day: RecordedDay, spec: ExecutionSpec) -> list[Compared]:
    """Return what the simulator makes of a day's children.

    Parameters
    ----------
    day : its children are sorted by beat.
    """
    count = len(day.sent)
    lanes = day.instrument // EXCHANGE_STEP * EXCHANGE_STEP + np.arange(count, dtype=np.int64)
    on_lanes = list(zip(day.sent, lanes.tolist(), strict=True))
    results = {_order_id(sent.child, lane): Result() for sent, lane in on_lanes}
    beats = np.array([sent.child.beat for sent in day.sent], np.int64)
    engine = ExecutionEngine(RunSpec(RUN_ID, (), (), execution=spec))
    engine.on_beat(_opening(day, lanes), (), ())
    for beat, frame in enumerate(day.frames):
        # From the quote on which a child was decided, so that volume counts from there.
        working = _decided(beats, beat - HORIZON_BEATS, beat)
        arriving = _decided(beats, beat - 1, beat - 1)
        given_up = _decided(beats, beat - HORIZON_BEATS - 1, beat - HORIZON_BEATS - 1)
        report = engine.on_beat(
            _on_lanes(frame, lanes[working]),
            [_submit(sent.child, lane) for sent, lane in on_lanes[arriving]],
            [_cancel(sent.child, lane) for sent, lane in on_lanes[given_up]],
        )
        for fill in report.fills:
            results[fill.order_id].fill(
                price_e4=fill.price_e4,
                shares=fill.quantity_shares,
                ts_event_ns=frame.stamp.ts_event_ns,
            )
    return [
        Compared(sent.child, sent.reference, result, sent.unknown_shares)
        for sent, result in zip(day.sent, results.values(), strict=True)
    ]


def _decided(beats: Int64Array, first: int, last: int) -> slice:
    """Return where the children are that were decided on some beats, the last one included."""
    return slice(*np.searchsorted(beats, [first, last + 1]).tolist())


def _on_lanes(frame: Frame, lanes: Int64Array) -> Frame:
    """Return a frame of one quote as the quotes of all lanes."""
    rows = frame.rows.take(np.zeros(len(lanes), np.int64))
    return replace(frame, rows=replace(rows, instrument=lanes))


def _order_id(child: Child, lane: int) -> OrderId:
    return order_id(RUN_ID, child.beat + 1, _ACCOUNT, lane)


def _submit(child: Child, lane: int) -> SubmitOrder:
    decided = child.beat + 1
    is_market = child.kind is ChildKind.MARKET
    return SubmitOrder(
        order_id=_order_id(child, lane),
        decision_id=decision_id(RUN_ID, decided, _ACCOUNT, lane),
        beat=decided,
        account_id=_ACCOUNT,
        sequence=lane,
        instrument=lane,
        side=child.side,
        order_type=OrderType.MARKET if is_market else OrderType.LIMIT,
        time_in_force=TimeInForce.IOC if is_market else TimeInForce.DAY,
        price_e4=child.price_e4,
        quantity_shares=child.quantity_shares,
        ts_event_ns=0,
    )


def _cancel(child: Child, lane: int) -> CancelOrder:
    """Return the end of a child's horizon; nothing is left to cancel of one that has filled."""
    return CancelOrder(
        order_id=_order_id(child, lane),
        beat=child.beat + HORIZON_BEATS + 1,
        account_id=_ACCOUNT,
        sequence=lane,
        instrument=lane,
        ts_event_ns=0,
    )


def _opening(day: RecordedDay, lanes: Int64Array) -> Frame:
    """Return the lanes' OPEN, with limits that no price of the day comes near."""
    count = len(lanes)
    zeros = np.zeros(count, np.int64)
    rows = ReferenceRows(
        instrument=lanes,
        board=np.full(count, board_of(day.instrument), np.uint8),
        limit_state=np.full(count, LimitState.LIMITED, np.uint8),
        is_st=np.zeros(count, np.bool_),
        is_suspended=np.zeros(count, np.bool_),
        prev_close_e4=zeros,
        limit_up_e4=np.full(count, 10**9, np.int64),
        limit_down_e4=np.full(count, 100, np.int64),
        open_e4=zeros,
        sector=np.full(count, "", np.object_),
        **unknown_figures(count),
    )
    first = day.frames[0].stamp
    stamp = BeatStamp(RUN_ID, 0, BeatKind.OPEN, day.trade_date, first.ts_event_ns)
    return Frame(stamp, 0, rows)
