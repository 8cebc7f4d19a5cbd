"""Execution between decode and encode: one shard's frames and orders in, fills out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidegate_common.bus.headers import beat_message, origin_of, stamp_of
from tidegate_common.bus.processor import BeatInputs, Slot
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.ids import risk_partition_of, shard_of
from tidegate_common.engine import EngineState
from tidegate_common.errors import ContractError, InvariantError
from tidegate_common.events.execution import Fill, FillBatch, OrderUpdate
from tidegate_common.events.message import Message, Origin
from tidegate_common.events.orders import CancelOrder, OrderBatch, SubmitOrder
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import FILLS, ORDERS, TICKS
from tidegate_common.frames.codec import decode_frame
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_execution.engine import ExecutionEngine, ExecutionReport


@dataclass(slots=True)
class _Outgoing:
    """What one risk partition is told in a beat."""

    updates: list[OrderUpdate]
    fills: list[Fill]


class ExecutionProcessor:
    """The execution engine of one shard, as the beat machinery sees it.

    Parameters
    ----------
    shard : which shard, in 0..shard_count - 1.
    shard_count, risk_partition_count : of the deployment.
    report : what became of orders in the last beat.
    """

    def __init__(self, shard: int, shard_count: int, risk_partition_count: int) -> None:
        self._shard = shard
        self._shard_count = shard_count
        self._risk_partition_count = risk_partition_count
        self._engine: ExecutionEngine | None = None
        self.report = ExecutionReport()
        self.counts: Mapping[str, int] = {}
        self.producer = f"execution-{shard}"
        self.slots = (
            Slot(TICKS, shard, "ingest-0"),
            *(
                Slot(ORDERS, shard, f"risk-{partition}", lag=1)
                for partition in range(risk_partition_count)
            ),
        )

    def decode(self, slot: Slot, message: Message) -> object:
        """Return the frame or the order batch that a message holds.

        Raises
        ------
        ContractError
            If it breaks its contract, or says another beat or shard than its headers and slot.
        """
        if slot.topic is TICKS:
            frame = decode_frame(message.value)
            _check_equal("stamp", frame.stamp, stamp_of(message))
            _check_equal("shard", frame.shard, self._shard)
            return frame
        batch = decode_event(OrderBatch, message.value)
        origin = origin_of(message)
        _check_equal("run_id", batch.run_id, origin.run_id)
        _check_equal("beat", batch.beat, origin.beat)
        _check_equal("shard", batch.shard, self._shard)
        _check_equal("producer", f"risk-{batch.risk_partition}", slot.producer)
        orders: tuple[SubmitOrder | CancelOrder, ...] = (*batch.submits, *batch.cancels)
        for order in orders:
            self._check_order(order, batch)
        return batch

    def start_run(self, spec: RunSpec) -> None:
        """Forget everything and begin a run."""
        self._engine = ExecutionEngine(spec)

    def on_beat(self, inputs: BeatInputs) -> Sequence[Message]:
        """Step the engine and return one message a risk partition."""
        frame, *batches = inputs.payloads
        submits: list[SubmitOrder] = []
        cancels: list[CancelOrder] = []
        for batch in batches:
            if isinstance(batch, OrderBatch):
                submits += batch.submits
                cancels += batch.cancels
        submits.sort(key=_rank)
        cancels.sort(key=_rank)
        if isinstance(frame, Frame):
            report = self._running().on_beat(frame, submits, cancels)
        else:
            report = self._running().on_missing_beat(inputs.stamp, submits, cancels)
        self.report = report
        self.counts = {
            "rows": len(frame.rows) if isinstance(frame, Frame) else 0,
            "orders": len(submits),
            "fills": len(report.fills),
        }
        return self._messages(inputs.stamp, report)

    @property
    def open_order_count(self) -> int:
        """How many orders work, or are on their way; none before a run."""
        return self._engine.open_order_count if self._engine else 0

    def snapshot(self) -> EngineState:
        """Return the engine's memory."""
        return self._running().snapshot()

    def restore(self, spec: RunSpec, state: EngineState) -> None:
        """Take up a run from the engine's memory."""
        self._engine = ExecutionEngine(spec)
        self._engine.restore(state)

    def _running(self) -> ExecutionEngine:
        if self._engine is None:
            message = f"{self.producer} must be told start_run or restore first, was told neither"
            raise InvariantError(message)
        return self._engine

    def _check_order(self, order: SubmitOrder | CancelOrder, batch: OrderBatch) -> None:
        _check_equal(f"beat of {order.order_id}", order.beat, batch.beat)
        shard = shard_of(order.instrument, self._shard_count)
        _check_equal(f"shard of {order.order_id}", shard, self._shard)
        partition = risk_partition_of(order.account_id, self._risk_partition_count)
        _check_equal(f"risk_partition of {order.order_id}", partition, batch.risk_partition)
        if isinstance(order, SubmitOrder):
            _check_terms(order)

    def _messages(self, stamp: BeatStamp, report: ExecutionReport) -> list[Message]:
        count = self._risk_partition_count
        outgoing = [_Outgoing([], []) for _ in range(count)]
        for update in report.updates:
            outgoing[risk_partition_of(update.account_id, count)].updates.append(update)
        for fill in report.fills:
            outgoing[risk_partition_of(fill.account_id, count)].fills.append(fill)
        origin = Origin(stamp.run_id, stamp.beat, self.producer)
        return [
            beat_message(FILLS, partition, origin, self._encode(stamp, partition, told))
            for partition, told in enumerate(outgoing)
        ]

    def _encode(self, stamp: BeatStamp, partition: int, told: _Outgoing) -> bytes:
        batch = FillBatch(
            run_id=stamp.run_id,
            beat=stamp.beat,
            shard=self._shard,
            risk_partition=partition,
            updates=tuple(told.updates),
            fills=tuple(told.fills),
        )
        return encode_event(batch)


def _rank(order: SubmitOrder | CancelOrder) -> tuple[str, int, int]:
    return (order.account_id, order.beat, order.sequence)


def _check_equal(name: str, found: object, expected: object) -> None:
    if found != expected:
        message = f"{name} must be {expected}, was {found}"
        raise ContractError(message)


def _check_terms(order: SubmitOrder) -> None:
    """Raise ContractError if no exchange could make sense of an order."""
    if order.quantity_shares <= 0:
        message = f"quantity_shares must be > 0, was {order.quantity_shares} ({order.order_id})"
        raise ContractError(message)
    has_price = order.price_e4 > 0
    if order.price_e4 < 0 or has_price == order.order_type.is_market:
        message = (
            "price_e4 must be 0 in a market order and > 0 in any other, "
            f"was {order.price_e4} ({order.order_id}, {order.order_type})"
        )
        raise ContractError(message)
