"""The exchange once more, order by order: a slow and independent reading of the same rules.

Of the engine it shares what is no matching: whether an order is taken (`admission.py`) and by how
much an opening price is worse for us (`slippage.py`). Fees are asked of the rule book fill by fill.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from tests.property.execution.oracle_matching import (
    Opening,
    cancel_immediate,
    match_inside,
    match_open,
    match_snapshot,
)
from tests.property.execution.oracle_orders import (
    BookMemory,
    InstrumentOrders,
    Ladder,
    OracleOrder,
    Snapshot,
)

from tidegate_common.domain.enums import (
    BeatKind,
    Board,
    Exchange,
    LimitState,
    OrderReason,
    OrderStatus,
    Phase,
)
from tidegate_common.domain.ids import EXCHANGE_STEP, OrderId, fill_id
from tidegate_common.domain.units import BPS, notional_fen
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.events.orders import CancelOrder, SubmitOrder
from tidegate_common.events.run import RunSpec
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.fees import Fees, FeeSchedule
from tidegate_common.market.sessions import phase_at, shanghai_seconds
from tidegate_execution.engine import ExecutionReport
from tidegate_execution.engine.admission import Listing, admit, rests_on_arrival, takes_cancel
from tidegate_execution.engine.slippage import Slippage

NO_LIMIT_E4 = 10**12


@dataclass(slots=True)
class OracleListing:
    """An instrument's day: its reference data, its last quote, what our orders got at the open."""

    board: Board
    is_suspended: bool
    limit_state: int
    limit_down_e4: int
    limit_up_e4: int
    prev_close_e4: int
    phase: Phase | None = None
    volume_shares: int = 0
    bid_e4: int = 0
    ask_e4: int = 0
    last_e4: int = 0
    open_shares: int = 0
    book: BookMemory = field(default_factory=BookMemory)

    def on_arrival(self, instrument: int, trade_date: int) -> Listing:
        """Return what an order finds."""
        return Listing(
            exchange=Exchange(instrument // EXCHANGE_STEP),
            board=self.board,
            trade_date=trade_date,
            is_suspended=self.is_suspended,
            has_limits=self.limit_state != LimitState.UNKNOWN,
            limit_down_e4=self.limit_down_e4,
            limit_up_e4=self.limit_up_e4,
            phase=self.phase,
            bid_e4=self.bid_e4,
            ask_e4=self.ask_e4,
            last_e4=self.last_e4,
            prev_close_e4=self.prev_close_e4,
        )


class Oracle:
    """An exchange with the beats of `ExecutionEngine`."""

    def __init__(self, spec: RunSpec) -> None:
        execution = spec.execution
        self._spec = execution
        self._slippage = Slippage(
            execution.slippage_bps,
            execution.slippage_ticks,
            execution.impact_bps,
        )
        self._fees = FeeSchedule(spec.commission.contract())
        self._listings: dict[int, OracleListing] = {}
        self._volumes: dict[int, int] = {}
        self._orders: dict[OrderId, OracleOrder] = {}
        self._submits: list[SubmitOrder] = []
        self._cancels: list[CancelOrder] = []
        self._changed: dict[OrderId, OracleOrder] = {}
        self._has_intraday = False

    def on_beat(
        self,
        stamp: BeatStamp,
        frame: Frame | None,
        submits: Sequence[SubmitOrder],
        cancels: Sequence[CancelOrder],
    ) -> ExecutionReport:
        """Go through a beat; without a frame, one whose frame never came."""
        rows = None if frame is None else frame.rows
        self._changed = {}
        if stamp.kind is BeatKind.OPEN:
            self._end_day()
            self._begin_day(rows if isinstance(rows, ReferenceRows) else None)
        self._has_intraday |= stamp.kind in {BeatKind.TICK, BeatKind.BAR}
        self._take_commands(submits, cancels, stamp)
        states = {
            number: (order.status, order.reason, len(order.fills))
            for number, order in self._orders.items()
        }
        if isinstance(rows, ReferenceRows):
            self._match_open(rows)
        elif isinstance(rows, QuoteRows):
            self._match_quotes(rows, stamp)
        elif isinstance(rows, BarRows):
            self._match_bars(rows, stamp.kind)
        for number, order in list(self._orders.items()):
            if states[number] != (order.status, order.reason, len(order.fills)):
                self._changed[number] = order
            if order.status.is_terminal:
                del self._orders[number]
        if stamp.kind is BeatKind.CLOSE:
            self._end_day()
        return self._report(stamp)

    def memory(self) -> dict[str, object]:
        """Return what has not shown yet, in the words of the engine's snapshot."""
        listings = sorted(self._listings.items())
        return {
            "open_shares": {number: one.open_shares for number, one in listings if one.open_shares},
            "books": {
                number: (one.book.bids.by_price, one.book.asks.by_price)
                for number, one in listings
                if one.book.bids.by_price or one.book.asks.by_price
            },
            "orders": {
                number: (
                    order.limit_e4,
                    order.is_placed,
                    order.ahead_shares,
                    order.shown_shares,
                    order.filled_shares,
                    order.status,
                    order.reason,
                )
                for number, order in self._orders.items()
            },
            "quotes": [
                (one.phase, one.volume_shares, one.bid_e4, one.ask_e4, one.last_e4)
                for _, one in listings
            ],
        }

    def _at(self, instrument: int) -> InstrumentOrders:
        orders = self._orders.values()
        return InstrumentOrders([one for one in orders if one.submit.instrument == instrument])

    def _begin_day(self, rows: ReferenceRows | None) -> None:
        self._has_intraday = False
        self._listings = {}
        for row in range(0 if rows is None else len(rows)):
            assert rows is not None
            is_limited = rows.limit_state[row] == LimitState.LIMITED
            self._listings[int(rows.instrument[row])] = OracleListing(
                board=Board(rows.board[row]),
                is_suspended=bool(rows.is_suspended[row]),
                limit_state=int(rows.limit_state[row]),
                limit_down_e4=int(rows.limit_down_e4[row]) if is_limited else 0,
                limit_up_e4=int(rows.limit_up_e4[row]) if is_limited else NO_LIMIT_E4,
                prev_close_e4=int(rows.prev_close_e4[row]),
            )

    def _end_day(self) -> None:
        for number, order in self._orders.items():
            order.end(OrderStatus.EXPIRED, OrderReason.DAY_ENDED)
            self._changed[number] = order
        self._orders = {}
        for submit in self._submits:
            self._reject(submit, OrderReason.DAY_ENDED)
        self._submits, self._cancels = [], []

    def _reject(self, submit: SubmitOrder, reason: OrderReason) -> None:
        order = OracleOrder(submit, submit.price_e4, Board.UNKNOWN, is_placed=False)
        order.end(OrderStatus.REJECTED, reason)
        self._changed[submit.order_id] = order

    def _take_commands(
        self,
        submits: Sequence[SubmitOrder],
        cancels: Sequence[CancelOrder],
        stamp: BeatStamp,
    ) -> None:
        last_beat = stamp.beat - 1 - self._spec.latency_beats
        submits, cancels = [*self._submits, *submits], [*self._cancels, *cancels]
        self._submits = [submit for submit in submits if submit.beat > last_beat]
        self._cancels = [cancel for cancel in cancels if cancel.beat > last_beat]
        for submit in submits:
            if submit.beat <= last_beat:
                self._submit(submit, stamp.trade_date)
        for cancel in cancels:
            if cancel.beat <= last_beat:
                self._cancel(cancel)

    def _submit(self, submit: SubmitOrder, trade_date: int) -> None:
        listing = self._listings.get(submit.instrument)
        if listing is None:
            self._reject(submit, OrderReason.UNKNOWN_INSTRUMENT)
            return
        found = listing.on_arrival(submit.instrument, trade_date)
        limit_e4 = admit(submit, found)
        if isinstance(limit_e4, OrderReason):
            self._reject(submit, limit_e4)
            return
        is_placed = rests_on_arrival(submit, found)
        order = OracleOrder(submit, limit_e4, listing.board, is_placed)
        self._orders[submit.order_id] = self._changed[submit.order_id] = order

    def _cancel(self, cancel: CancelOrder) -> None:
        order = self._orders.get(cancel.order_id)
        if order is None:
            return
        self._changed[cancel.order_id] = order
        if takes_cancel(order.submit, self._listings[order.submit.instrument].phase):
            order.end(OrderStatus.CANCELED, OrderReason.REQUESTED)
            del self._orders[cancel.order_id]
        else:
            order.reason = OrderReason.NOT_CANCELABLE

    def _match_open(self, rows: ReferenceRows) -> None:
        for row, number in enumerate(rows.instrument.tolist()):
            orders, listing = self._at(number), self._listings[number]
            if not rows.open_e4[row] or not orders.orders:
                continue
            opening = self._opening(listing, int(rows.open_e4[row]), self._volumes.get(number, 0))
            listing.open_shares = match_open(orders.ordinary(), opening, self._slippage)
            cancel_immediate(orders)

    def _opening(self, listing: OracleListing, open_e4: int, volume_shares: int) -> Opening:
        cap_shares = volume_shares * self._spec.participation_bps_max // BPS
        limits = listing.limit_down_e4, listing.limit_up_e4
        return Opening(open_e4, *limits, volume_shares, cap_shares)

    def _match_quotes(self, rows: QuoteRows, stamp: BeatStamp) -> None:
        for row, number in enumerate(rows.instrument.tolist()):
            listing = self._listings.get(number)
            if listing is None:
                continue
            phase, volume_shares = Phase(rows.phase[row]), int(rows.volume_shares[row])
            grown = max(0, volume_shares - listing.volume_shares)
            snapshot = Snapshot(
                phase,
                listing.phase,
                int(rows.last_e4[row]),
                0 if listing.phase is None else grown,
                Ladder(is_bid=True, levels=_levels(rows.bid_price_e4[row], rows.bid_shares[row])),
                Ladder(is_bid=False, levels=_levels(rows.ask_price_e4[row], rows.ask_shares[row])),
            )
            match_snapshot(self._at(number), snapshot, listing.book, self._spec)
            listing.phase = _told_phase(phase, number, listing.board, stamp)
            listing.volume_shares = max(listing.volume_shares, volume_shares)
            listing.bid_e4 = int(rows.bid_price_e4[row, 0])
            listing.ask_e4 = int(rows.ask_price_e4[row, 0])
            listing.last_e4 = int(rows.last_e4[row])

    def _match_bars(self, rows: BarRows, kind: BeatKind) -> None:
        for row, number in enumerate(rows.instrument.tolist()):
            volume_shares, orders = int(rows.volume_shares[row]), self._at(number)
            if orders.orders and (kind is BeatKind.BAR or not self._has_intraday):
                listing = self._listings[number]
                cap_shares = volume_shares * self._spec.participation_bps_max // BPS
                prices = int(rows.high_e4[row]), int(rows.low_e4[row])
                if kind is BeatKind.BAR:
                    opening = self._opening(listing, int(rows.open_e4[row]), volume_shares)
                    limits = {listing.limit_down_e4, listing.limit_up_e4}
                    is_locked = prices[0] == prices[1] and opening.open_e4 in limits
                    fresh = [one for one in orders.ordinary() if not (is_locked or one.is_placed)]
                    listing.open_shares = match_open(fresh, opening, self._slippage)
                left_shares = max(0, cap_shares - listing.open_shares)
                match_inside(orders, high_e4=prices[0], low_e4=prices[1], cap_shares=left_shares)
                cancel_immediate(orders)
                for order in orders.ordinary():
                    order.is_placed = True
            if kind is BeatKind.CLOSE and volume_shares:
                self._volumes[number] = volume_shares

    def _report(self, stamp: BeatStamp) -> ExecutionReport:
        changed = sorted(self._changed.values(), key=lambda order: _rank(order.submit))
        updates = [_update(order, stamp) for order in changed]
        fills = [fill for order in changed for fill in self._fills(order, stamp)]
        for order in changed:
            order.told = len(order.fills)
        return ExecutionReport(tuple(updates), tuple(fills))

    def _fills(self, order: OracleOrder, stamp: BeatStamp) -> list[Fill]:
        told, submit = [], order.submit
        for index in range(order.told, len(order.fills)):
            fill = order.fills[index]
            before = self._order_fees(order, index, stamp)
            due = self._order_fees(order, index + 1, stamp) - before
            told.append(
                Fill(
                    fill_id=fill_id(submit.order_id, index),
                    order_id=submit.order_id,
                    decision_id=submit.decision_id,
                    beat=stamp.beat,
                    account_id=submit.account_id,
                    order_beat=submit.beat,
                    sequence=submit.sequence,
                    instrument=submit.instrument,
                    side=submit.side,
                    price_e4=fill.price_e4,
                    quantity_shares=fill.quantity_shares,
                    amount_fen=notional_fen(fill.price_e4, fill.quantity_shares),
                    commission_fen=due.commission_fen,
                    stamp_duty_fen=due.stamp_duty_fen,
                    transfer_fee_fen=due.transfer_fee_fen,
                    handling_fee_fen=due.handling_fee_fen,
                    regulatory_fee_fen=due.regulatory_fee_fen,
                    source=fill.source,
                    liquidity=fill.liquidity,
                    ts_event_ns=stamp.ts_event_ns,
                ),
            )
        return told

    def _order_fees(self, order: OracleOrder, fill_count: int, stamp: BeatStamp) -> Fees:
        fills = order.fills[:fill_count]
        return self._fees.order_fees(
            side=order.submit.side,
            amount_fen=sum(notional_fen(one.price_e4, one.quantity_shares) for one in fills),
            quantity_shares=sum(one.quantity_shares for one in fills),
            exchange=Exchange(order.submit.instrument // EXCHANGE_STEP),
            board=order.board,
            trade_date=stamp.trade_date,
        )


def _levels(
    prices_e4: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]",
    shares: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]",
) -> tuple[tuple[int, int], ...]:
    pairs = zip(prices_e4.tolist(), shares.tolist(), strict=True)
    return tuple(pair for pair in pairs if pair[0] > 0 and pair[1] > 0)


def _told_phase(phase: Phase, instrument: int, board: Board, stamp: BeatStamp) -> Phase:
    """Return the feed's phase, the locked part of the opening call told apart by the table."""
    table = phase_at(
        exchange=Exchange(instrument // EXCHANGE_STEP),
        board=board,
        trade_date=stamp.trade_date,
        seconds_of_day=shanghai_seconds(stamp.ts_event_ns),
    )
    is_locked = phase is Phase.OPEN_CALL and table is Phase.OPEN_CALL_LOCKED
    return Phase.OPEN_CALL_LOCKED if is_locked else phase


def _rank(submit: SubmitOrder) -> tuple[str, int, int]:
    return (submit.account_id, submit.beat, submit.sequence)


def _update(order: OracleOrder, stamp: BeatStamp) -> OrderUpdate:
    submit = order.submit
    return OrderUpdate(
        order_id=submit.order_id,
        beat=stamp.beat,
        account_id=submit.account_id,
        sequence=submit.sequence,
        instrument=submit.instrument,
        side=submit.side,
        status=order.status,
        reason=order.reason,
        cumulative_shares=order.filled_shares,
        leaves_shares=0 if order.status.is_terminal else order.leaves_shares,
        ts_event_ns=stamp.ts_event_ns,
    )
