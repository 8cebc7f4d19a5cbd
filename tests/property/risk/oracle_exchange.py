"""A random exchange for risk's slow oracle: parts, ends, cancels, and rarely a contradiction."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from msgspec import structs
from tests.property.risk.oracle_books import MARKET_TYPES
from tests.property.risk.oracle_worlds import Share
from tests.unit.risk.scenario import fill_of, update_of

from tidegate_common.domain.enums import BeatKind, OrderStatus, Side
from tidegate_common.domain.ids import OrderId
from tidegate_common.domain.units import notional_fen
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.events.orders import CancelOrder, SubmitOrder
from tidegate_common.events.run import CommissionSpec
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.market.fees import Fees, FeeSchedule


@dataclass
class Working:
    """An order at the exchange; the worst price is that of when it came."""

    submit: SubmitOrder
    share: Share
    worst_e4: int
    filled: int = 0
    amount_fen: int = 0


@dataclass
class Exchange:
    """Fills some of what works, at a price between the market's and the order's worst one."""

    dice: Random
    shares: dict[int, Share]
    contract: CommissionSpec
    working: dict[OrderId, Working] = field(default_factory=dict)

    def take(self, submits: Iterable[SubmitOrder]) -> None:
        """Take in new orders, before the market moves."""
        for submit in submits:
            share = self.shares[submit.instrument]
            market_e4 = share.up if submit.side is Side.BUY else max(share.down, share.step)
            self.working[submit.order_id] = Working(submit, share, submit.price_e4 or market_e4)

    def meet(
        self,
        stamp: BeatStamp,
        cancels: Iterable[CancelOrder],
    ) -> tuple[tuple[Fill, ...], tuple[OrderUpdate, ...]]:
        """Return what becomes of the orders in a beat."""
        cancelled = {cancel.order_id for cancel in cancels}
        fills: list[Fill] = []
        updates: list[OrderUpdate] = []
        for order in list(self.working.values()):
            status = self._fate(order.submit, cancelled, stamp.kind)
            if status in {OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED}:
                fills.append(self._fill(order, stamp, is_whole=status is OrderStatus.FILLED))
            if order.filled == order.submit.quantity_shares:
                status = OrderStatus.FILLED
            elif stamp.kind is BeatKind.CLOSE and not status.is_terminal:
                status = OrderStatus.EXPIRED
            update = update_of(order.submit, status, filled_shares=order.filled)
            updates.append(structs.replace(update, beat=stamp.beat))
            if status.is_terminal:
                del self.working[order.submit.order_id]
        return self._contradict(tuple(fills), tuple(updates))

    def _fate(
        self,
        submit: SubmitOrder,
        cancelled: set[OrderId],
        kind: BeatKind,
    ) -> OrderStatus:
        if submit.order_id in cancelled and self.dice.random() < 0.8:
            return OrderStatus.CANCELED
        # Calls take no market orders.
        if submit.order_type in MARKET_TYPES and kind in {BeatKind.OPEN, BeatKind.CLOSE}:
            return OrderStatus.EXPIRED
        return self.dice.choices(
            (
                OrderStatus.NEW,
                OrderStatus.PARTIALLY_FILLED,
                OrderStatus.FILLED,
                OrderStatus.REJECTED,
                OrderStatus.EXPIRED,
            ),
            (40, 20, 25, 5, 10),
        )[0]

    def _fill(self, order: Working, stamp: BeatStamp, *, is_whole: bool) -> Fill:
        submit, last_e4 = order.submit, order.share.last
        left = submit.quantity_shares - order.filled
        quantity = left if is_whole else self.dice.randrange(left) + 1
        pick = min if submit.side is Side.BUY else max
        fill = fill_of(submit, quantity_shares=quantity, price_e4=pick(order.worst_e4, last_e4))
        before = self._fees(order, stamp)
        order.filled += quantity
        order.amount_fen += fill.amount_fen
        due = self._fees(order, stamp) - before
        return structs.replace(
            fill,
            beat=stamp.beat,
            commission_fen=due.commission_fen,
            stamp_duty_fen=due.stamp_duty_fen,
            transfer_fee_fen=due.transfer_fee_fen,
            handling_fee_fen=due.handling_fee_fen,
            regulatory_fee_fen=due.regulatory_fee_fen,
        )

    def _fees(self, order: Working, stamp: BeatStamp) -> Fees:
        return FeeSchedule(self.contract.contract()).order_fees(
            side=order.submit.side,
            amount_fen=order.amount_fen,
            quantity_shares=order.filled,
            exchange=order.share.exchange,
            board=order.share.board,
            trade_date=stamp.trade_date,
        )

    def _contradict(
        self,
        fills: tuple[Fill, ...],
        updates: tuple[OrderUpdate, ...],
    ) -> tuple[tuple[Fill, ...], tuple[OrderUpdate, ...]]:
        """Say rarely what no books can follow.

        A trade of no order, one of the other side, a buy dearer than its limit, and shares that do
        not add up.
        """
        chance = self.dice.random()
        if not fills or chance > 0.04:
            return fills, updates
        first, *rest = fills
        if chance < 0.01:
            return (*fills, structs.replace(first, order_id=OrderId("nobody's"))), updates
        if chance < 0.02:
            other = Side.SELL if first.side is Side.BUY else Side.BUY
            return (structs.replace(first, side=other), *rest), updates
        if chance < 0.03 and first.side is Side.BUY:
            dear_e4 = first.price_e4 + first.price_e4 // 10
            amount_fen = notional_fen(dear_e4, first.quantity_shares)
            return (structs.replace(first, price_e4=dear_e4, amount_fen=amount_fen), *rest), updates
        wrong = updates[0].cumulative_shares + 1
        return fills, (structs.replace(updates[0], cumulative_shares=wrong), *updates[1:])
