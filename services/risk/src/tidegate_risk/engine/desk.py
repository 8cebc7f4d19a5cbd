"""Turns one account's intents of one beat into decisions and orders, in order."""

from dataclasses import dataclass

from tidegate_common.domain.enums import (
    CauseKind,
    Layer,
    OrderType,
    Outcome,
    Reason,
    Side,
    TimeInForce,
    Unit,
)
from tidegate_common.domain.ids import decision_id, order_id
from tidegate_common.events.orders import CancelOrder, CancelRequest, OrderRequest, SubmitOrder
from tidegate_common.events.risk import Decision
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.market.dated import DatedRow
from tidegate_common.market.fees import FeeSchedule
from tidegate_common.market.programme_trading import ProgrammeTradingThresholds
from tidegate_risk.engine.case import Case, Check
from tidegate_risk.engine.intent import Intent, Refusal
from tidegate_risk.engine.layers import BUY_LAYERS, SELL_LAYERS
from tidegate_risk.engine.portfolio import Account, OpenOrder
from tidegate_risk.engine.state import Market
from tidegate_risk.engine.validity import BUY_CHECKS, SELL_CHECKS

_ACCEPTED = Refusal(Layer.VALIDITY, Reason.NONE)

CHECKS: dict[Side, tuple[Check, ...]] = {
    Side.BUY: (*BUY_CHECKS, *BUY_LAYERS),
    Side.SELL: (*SELL_CHECKS, *SELL_LAYERS),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What every intent of a run is judged by.

    own_thresholds : the run's own programme-trading thresholds, before the rule book's.
    """

    fees: FeeSchedule
    checks: dict[Side, tuple[Check, ...]]
    own_thresholds: DatedRow[ProgrammeTradingThresholds] | None = None


class Desk:
    """One account in one beat: numbers its decisions and reserves for its orders."""

    def __init__(self, account: Account, market: Market, rules: Rules, stamp: BeatStamp) -> None:
        self.submits: list[SubmitOrder] = []
        self.cancels: list[CancelOrder] = []
        self.decisions: list[Decision] = []
        self._account = account
        self._market = market
        self._rules = rules
        self._stamp = stamp

    def decide(self, intent: Intent) -> None:
        """Pass an intent through all checks, stopping at the first that fails."""
        case = Case(
            intent=intent,
            account=self._account,
            listing=self._market.listing(intent.instrument),
            market=self._market,
            limits=self._account.limits,
            fees=self._rules.fees,
            trade_date=self._stamp.trade_date,
            ts_event_ns=self._stamp.ts_event_ns,
            own_thresholds=self._rules.own_thresholds,
        )
        for check in self._rules.checks[intent.side]:
            refusal = check(case)
            if refusal is not None:
                self.refuse(intent, refusal)
                return
        self._accept(case)

    def refuse(self, intent: Intent, refusal: Refusal) -> None:
        """Write down why an intent makes no order."""
        self._write(intent, Outcome.REJECTED, refusal, "")

    def cancel(self, order: OpenOrder) -> None:
        """Ask the exchange to cancel a working order; cancels are numbered apart."""
        order.cancel_beat = self._stamp.beat
        self._account.activity.count_message(self._stamp.ts_event_ns)
        self.cancels.append(
            CancelOrder(
                order_id=order.order_id,
                beat=self._stamp.beat,
                account_id=self._account.account_id,
                sequence=len(self.cancels),
                instrument=order.instrument,
                ts_event_ns=self._stamp.ts_event_ns,
            ),
        )

    def _accept(self, case: Case) -> None:
        intent, stamp, account = case.intent, self._stamp, self._account
        sequence = len(self.decisions)
        submit = SubmitOrder(
            order_id=order_id(stamp.run_id, stamp.beat, account.account_id, sequence),
            decision_id=decision_id(stamp.run_id, stamp.beat, account.account_id, sequence),
            beat=stamp.beat,
            account_id=account.account_id,
            sequence=sequence,
            instrument=intent.instrument,
            side=intent.side,
            order_type=intent.order_type,
            time_in_force=intent.time_in_force,
            price_e4=intent.price_e4,
            quantity_shares=intent.quantity_shares,
            ts_event_ns=stamp.ts_event_ns,
        )
        account.reserve(
            OpenOrder(
                order_id=submit.order_id,
                beat=stamp.beat,
                instrument=intent.instrument,
                side=intent.side,
                bound_price_e4=case.bound_price_e4,
                quantity_shares=intent.quantity_shares,
                strategy=intent.cause if intent.cause_kind is CauseKind.SCORE else "",
            ),
            cash_fen=case.needed_fen,
            is_for_next_day=self._market.is_after_close,
        )
        account.activity.count_message(stamp.ts_event_ns)
        self.submits.append(submit)
        self._write(intent, Outcome.ACCEPTED, _ACCEPTED, submit.order_id)

    def _write(self, intent: Intent, outcome: Outcome, verdict: Refusal, order: str) -> None:
        stamp, account = self._stamp, self._account
        sequence = len(self.decisions)
        self.decisions.append(
            Decision(
                decision_id=decision_id(stamp.run_id, stamp.beat, account.account_id, sequence),
                beat=stamp.beat,
                account_id=account.account_id,
                sequence=sequence,
                instrument=intent.instrument,
                side=intent.side,
                order_type=intent.order_type,
                price_e4=intent.price_e4,
                quantity_shares=intent.quantity_shares,
                outcome=outcome,
                layer=verdict.layer,
                reason=verdict.reason,
                observed=verdict.observed,
                limit=verdict.limit,
                unit=verdict.unit,
                nav_fen=account.ledger.nav_fen,
                cause_kind=intent.cause_kind,
                cause=intent.cause,
                score_e6=intent.score_e6,
                score_beat=intent.score_beat,
                order_id=order,
                ts_event_ns=stamp.ts_event_ns,
            ),
        )


def intent_of_order(request: OrderRequest) -> Intent:
    """Return what an order request asks for."""
    return Intent(
        instrument=request.instrument,
        side=request.side,
        order_type=request.order_type,
        time_in_force=request.time_in_force,
        price_e4=request.price_e4,
        quantity_shares=request.quantity_shares,
        cause_kind=CauseKind.REQUEST,
        cause=request.request_id,
    )


def intent_of_cancel(request: CancelRequest, order: OpenOrder | None) -> Intent:
    """Return the order that a refused cancel request is about; zeros where there is none."""
    return Intent(
        instrument=order.instrument if order else 0,
        side=order.side if order else Side.SELL,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        price_e4=0,
        quantity_shares=0,
        cause_kind=CauseKind.REQUEST,
        cause=request.request_id,
    )


def refuse_request(reason: Reason) -> Refusal:
    """Return the refusal of a request that is none of an account's, or no news."""
    return Refusal(Layer.VALIDITY, reason, 0, 0, Unit.NONE)
