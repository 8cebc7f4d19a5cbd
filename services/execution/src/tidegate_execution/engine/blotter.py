"""What the exchange says in a beat: every change of an order, and every fill with its fees."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tidegate_common.domain.enums import Liquidity, OrderReason, PriceSource, Side
from tidegate_common.domain.ids import EXCHANGE_STEP, OrderId, fill_id
from tidegate_common.domain.units import notional_fen
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.market.fees import FeeSchedule
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


class _Match(NamedTuple):
    """A fill whose fees are not reckoned yet, and what its order had before it."""

    order: WorkingOrder
    fill_index: int
    amount_before_fen: int
    shares_before: int
    price_e4: int
    quantity_shares: int
    amount_fen: int
    source: tuple[PriceSource, Liquidity]


class Blotter:
    """Moves orders from state to state, and keeps what has to be told.

    It lives for one beat. Every change of an order goes through it, so that none is untold.
    """

    def __init__(self, stamp: BeatStamp, fees: FeeSchedule) -> None:
        self._stamp = stamp
        self._fees = fees
        self._changed: dict[OrderId, WorkingOrder] = {}
        self._fills: list[_Match] = []

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
        source: tuple[PriceSource, Liquidity],
    ) -> None:
        """Fill a part of an order, or its rest.

        Fees are those of the order after the fill less those before it, item by item, so that
        they always add up to the fees of the order and the minimum is charged once.
        """
        is_rest = quantity_shares == order.leaves_shares
        event = OrderEvent.FILL_REST if is_rest else OrderEvent.FILL_PART
        self._change(order, event, OrderReason.NONE)
        amount_fen = notional_fen(price_e4, quantity_shares)
        self._fills.append(
            _Match(
                order,
                order.fill_count,
                order.amount_fen,
                order.filled_shares,
                price_e4,
                quantity_shares,
                amount_fen,
                source,
            ),
        )
        order.amount_fen += amount_fen
        order.filled_shares += quantity_shares
        order.fill_count += 1

    def report(self) -> ExecutionReport:
        """Return what has to be told of the beat."""
        changed = sorted(self._changed.values(), key=_rank)
        fills = sorted(self._told_fills(), key=_fill_rank) if self._fills else ()
        return ExecutionReport(tuple(map(self._update, changed)), tuple(fills))

    def _told_fills(self) -> Iterator[Fill]:
        stamp = self._stamp
        beat, ts_event_ns = stamp.beat, stamp.ts_event_ns
        for match, fees in zip(self._fills, self._added_fees(), strict=True):
            submit = match.order.submit
            commission_fen, stamp_duty_fen, transfer_fen, handling_fen, regulatory_fen = fees
            # Positional: a fill has twenty fields, and names are a third of its cost.
            yield Fill(
                fill_id(submit.order_id, match.fill_index),
                submit.order_id,
                submit.decision_id,
                beat,
                submit.account_id,
                submit.beat,
                submit.sequence,
                submit.instrument,
                submit.side,
                match.price_e4,
                match.quantity_shares,
                match.amount_fen,
                commission_fen,
                stamp_duty_fen,
                transfer_fen,
                *match.source,
                ts_event_ns,
                handling_fen,
                regulatory_fen,
            )

    def _added_fees(self) -> list[list[int]]:
        """Return what each fill adds to its order's fees, item by item."""
        fills = self._fills
        before = np.array([(match.amount_before_fen, match.shares_before) for match in fills])
        added = np.array([(match.amount_fen, match.quantity_shares) for match in fills])
        sums = np.concatenate([before, before + added])
        boards = np.array([match.order.board for match in fills], np.uint8)
        instruments = np.array([match.order.submit.instrument for match in fills])
        fees = self._fees.orders_fees(
            is_buy=np.tile([match.order.submit.side is Side.BUY for match in fills], 2),
            amounts_fen=sums[:, 0],
            quantities_shares=sums[:, 1],
            exchanges=np.tile((instruments // EXCHANGE_STEP).astype(np.uint8), 2),
            boards=np.tile(boards, 2),
            trade_date=self._stamp.trade_date,
        )
        items = (
            fees.commission_fen,
            fees.stamp_duty_fen,
            fees.transfer_fee_fen,
            fees.handling_fee_fen,
            fees.regulatory_fee_fen,
        )
        columns = np.stack(items, axis=1)
        rows: list[list[int]] = (columns[len(fills) :] - columns[: len(fills)]).tolist()
        return rows

    def _change(self, order: WorkingOrder, event: OrderEvent, reason: OrderReason) -> None:
        order.apply(event)
        order.reason = reason
        self._changed[order.submit.order_id] = order

    def _update(self, order: WorkingOrder) -> OrderUpdate:
        submit = order.submit
        return OrderUpdate(
            submit.order_id,
            self._stamp.beat,
            submit.account_id,
            submit.sequence,
            submit.instrument,
            submit.side,
            order.status,
            order.reason,
            order.filled_shares,
            0 if order.status.is_terminal else order.leaves_shares,
            self._stamp.ts_event_ns,
        )


def _rank(order: WorkingOrder) -> tuple[str, int, int]:
    """Return account, beat and sequence: the order in which orders are told."""
    submit = order.submit
    return (submit.account_id, submit.beat, submit.sequence)


def _fill_rank(fill: Fill) -> tuple[str, int, int]:
    return (fill.account_id, fill.order_beat, fill.sequence)
