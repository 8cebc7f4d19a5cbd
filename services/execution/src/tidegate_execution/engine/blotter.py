"""What the exchange says in a beat: every change of an order, and every fill with its fees."""

from collections.abc import Iterator
from dataclasses import dataclass

from tidegate_common.domain.enums import Exchange, Liquidity, OrderReason, PriceSource
from tidegate_common.domain.ids import EXCHANGE_STEP, OrderId, fill_id
from tidegate_common.domain.units import notional_fen
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.market.fees import Fees, FeeSchedule
from tidegate_execution.engine.orders import OrderEvent, WorkingOrder


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """What became of our orders in one beat.

    updates : one for each order whose state or filled quantity changed.
    fills : fills of one order in the order in which they happened.
    Both are sorted by (account_id, order beat, sequence).
    """

    updates: tuple[OrderUpdate, ...] = ()
    fills: tuple[Fill, ...] = ()


class Blotter:
    """Moves orders from state to state, and keeps what has to be told.

    It lives for one beat. Every change of an order goes through it, so that none is untold.
    """

    def __init__(self, stamp: BeatStamp, fees: FeeSchedule) -> None:
        self._stamp = stamp
        self._fees = fees
        self._changed: dict[OrderId, WorkingOrder] = {}
        self._fills: list[Fill] = []

    def accept(self, order: WorkingOrder) -> None:
        """Let an order work."""
        self._change(order, OrderEvent.ACCEPT, OrderReason.NONE)

    def reject(self, order: WorkingOrder, reason: OrderReason) -> None:
        """Refuse an order."""
        self._change(order, OrderEvent.REJECT, reason)

    def cancel(self, order: WorkingOrder, reason: OrderReason) -> None:
        """Cancel what is left of an order."""
        self._change(order, OrderEvent.CANCEL, reason)

    def refuse_cancel(self, order: WorkingOrder) -> None:
        """Say that an order works on although its cancel was asked for."""
        order.reason = OrderReason.NOT_CANCELABLE
        self._changed[order.submit.order_id] = order

    def expire(self, order: WorkingOrder) -> None:
        """End what is left of an order with the day."""
        self._change(order, OrderEvent.EXPIRE, OrderReason.DAY_ENDED)

    def fill(
        self,
        order: WorkingOrder,
        *,
        price_e4: int,
        quantity_shares: int,
        source: PriceSource,
        liquidity: Liquidity,
    ) -> None:
        """Fill a part of an order, or its rest; a quantity of 0 is no fill.

        Fees are those of the order after the fill less those before it, item by item, so that
        they always add up to the fees of the order and the minimum is charged once.
        """
        if quantity_shares == 0:
            return
        is_rest = quantity_shares == order.leaves_shares
        event = OrderEvent.FILL_REST if is_rest else OrderEvent.FILL_PART
        self._change(order, event, OrderReason.NONE)
        submit, paid = order.submit, self._fees_of(order)
        fill_index, amount_fen = order.fill_count, notional_fen(price_e4, quantity_shares)
        order.amount_fen += amount_fen
        order.filled_shares += quantity_shares
        order.fill_count += 1
        due = self._fees_of(order) - paid
        self._fills.append(
            Fill(
                fill_id=fill_id(submit.order_id, fill_index),
                order_id=submit.order_id,
                decision_id=submit.decision_id,
                beat=self._stamp.beat,
                account_id=submit.account_id,
                order_beat=submit.beat,
                sequence=submit.sequence,
                instrument=submit.instrument,
                side=submit.side,
                price_e4=price_e4,
                quantity_shares=quantity_shares,
                amount_fen=amount_fen,
                commission_fen=due.commission_fen,
                stamp_duty_fen=due.stamp_duty_fen,
                transfer_fee_fen=due.transfer_fee_fen,
                handling_fee_fen=due.handling_fee_fen,
                regulatory_fee_fen=due.regulatory_fee_fen,
                source=source,
                liquidity=liquidity,
                ts_event_ns=self._stamp.ts_event_ns,
            ),
        )

    def ended(self) -> Iterator[WorkingOrder]:
        """Yield the orders that reached a final state in this beat."""
        return (order for order in self._changed.values() if order.status.is_terminal)

    def report(self) -> ExecutionReport:
        """Return what has to be told of the beat."""
        changed = sorted(self._changed.values(), key=lambda order: order.rank)
        updates = (self._update(order) for order in changed)
        fills = sorted(
            self._fills,
            key=lambda fill: (fill.account_id, fill.order_beat, fill.sequence),
        )
        return ExecutionReport(tuple(updates), tuple(fills))

    def _fees_of(self, order: WorkingOrder) -> Fees:
        """Return the fees of an order's fills so far."""
        submit = order.submit
        return self._fees.order_fees(
            side=submit.side,
            amount_fen=order.amount_fen,
            quantity_shares=order.filled_shares,
            exchange=Exchange(submit.instrument // EXCHANGE_STEP),
            board=order.board,
            trade_date=self._stamp.trade_date,
        )

    def _change(self, order: WorkingOrder, event: OrderEvent, reason: OrderReason) -> None:
        order.apply(event)
        order.reason = reason
        self._changed[order.submit.order_id] = order

    def _update(self, order: WorkingOrder) -> OrderUpdate:
        submit = order.submit
        return OrderUpdate(
            order_id=submit.order_id,
            beat=self._stamp.beat,
            account_id=submit.account_id,
            sequence=submit.sequence,
            instrument=submit.instrument,
            side=submit.side,
            status=order.status,
            reason=order.reason,
            cumulative_shares=order.filled_shares,
            leaves_shares=0 if order.status.is_terminal else order.leaves_shares,
            ts_event_ns=self._stamp.ts_event_ns,
        )
