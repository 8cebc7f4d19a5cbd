"""Risk, slow and plain: what must become of every order, cancel and command of a run.

It follows the accounts from outside: frames, fills, states of orders, and what was asked for. A
run of requests alone it foretells whole (`obey`, `cancels_of_halted`, `answer`); where strategies
ask too, it judges what they ask for (`judge`) and takes up what was accepted (`enter`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from tests.property.risk.oracle_books import STATES, OracleAccount, Order, Wish
from tests.property.risk.oracle_checks import Case, Verdict, judge
from tests.property.risk.oracle_market import OracleMarket
from tests.property.risk.oracle_rules import FIRST_DAY, price, yuan

from tidegate_common.domain.enums import (
    AccountState,
    BeatKind,
    ControlCommand,
    Outcome,
    Phase,
    Reason,
    Side,
    TimeInForce,
)
from tidegate_common.events.orders import (
    CancelOrder,
    CancelRequest,
    ControlRequest,
    OrderRequest,
    RequestEnvelope,
)
from tidegate_common.events.risk import ControlOutcome, Decision
from tidegate_common.events.run import RISK_LIMIT_RANGES, RiskLimits, RunSpec
from tidegate_risk.engine.engine import RiskInputs


@dataclass(frozen=True)
class Answer:
    """What is said of a request: the verdict, the account's NAV, the order that it makes."""

    account: str
    instrument: int
    side: Side
    verdict: Verdict
    nav_fen: int
    order_id: str


@dataclass(frozen=True)
class Obeyed:
    """What a command does to an account."""

    account: str
    reason: Reason
    before: AccountState
    after: AccountState


@dataclass(frozen=True)
class Cancel:
    """A cancel that leaves."""

    account: str
    order_id: str


def answer_of(decision: Decision) -> Answer:
    """Return what a decision says."""
    assert (decision.outcome is Outcome.ACCEPTED) == (decision.reason is Reason.NONE)
    return Answer(
        account=decision.account_id,
        instrument=decision.instrument,
        side=decision.side,
        verdict=verdict_of(decision),
        nav_fen=decision.nav_fen,
        order_id=decision.order_id,
    )


def verdict_of(decision: Decision) -> Verdict:
    """Return what decided."""
    return Verdict(
        decision.layer,
        decision.reason,
        decision.observed,
        decision.limit,
        decision.unit,
    )


def obeyed_of(outcome: ControlOutcome) -> Obeyed:
    """Return what an outcome says."""
    assert (outcome.outcome is Outcome.ACCEPTED) == (outcome.reason is Reason.NONE)
    return Obeyed(outcome.account_id, outcome.reason, outcome.state_before, outcome.state_after)


def cancel_of(cancel: CancelOrder) -> Cancel:
    """Return which order a cancel is of."""
    return Cancel(cancel.account_id, cancel.order_id)


def wish_of(order: OrderRequest | Decision) -> Wish:
    """Return what is asked for."""
    return Wish(
        order.instrument,
        order.side,
        order.order_type,
        price(order.price_e4),
        order.quantity_shares,
        # A decision does not tell it.
        order.time_in_force if isinstance(order, OrderRequest) else TimeInForce.DAY,
    )


class Oracle:
    """The market and all accounts of a run.

    tally : what became of the order requests that were answered.
    """

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self.tally: Counter[Reason] = Counter()
        self.market = OracleMarket()
        self.accounts = {
            str(each.account_id): OracleAccount(yuan(each.cash_fen), each.limits or spec.limits)
            for each in spec.accounts
        }

    def see(self, inputs: RiskInputs) -> None:
        """Take in a beat, before anything is asked in it."""
        stamp = inputs.frame.stamp
        assert stamp.trade_date >= FIRST_DAY
        silent = set() if inputs.stale is None else set(inputs.stale.tolist())
        self.market.see(inputs.frame, silent)
        if stamp.kind is BeatKind.OPEN:
            for account in self.accounts.values():
                account.begin_day(stamp.trade_date)
        for fill in inputs.fills:
            self.accounts[fill.account_id].book(fill)
        for update in inputs.updates:
            self.accounts[update.account_id].hear(update)
        for account in self.accounts.values():
            account.mark(self.market)

    def obey(self, envelopes: Iterable[RequestEnvelope]) -> list[Obeyed]:
        """Obey a beat's commands; what each account answers, sorted by account."""
        answers: list[Obeyed] = []
        for envelope in envelopes:
            command = envelope.control
            if command is not None:
                names = [command.account_id] if command.account_id else [*self.accounts]
                answers += [self._obey(command, name) for name in names]
        return sorted(answers, key=lambda answer: answer.account)

    def cancels_of_halted(self) -> list[Cancel]:
        """Send and return the cancels of accounts that a command halts."""
        cancels = []
        for name, account in self.accounts.items():
            if account.commanded is AccountState.HALTED:
                for order_id, order in account.orders.items():
                    session = self.market.session(self.market.find(order.wish.instrument))
                    if session in {Phase.OPEN_CALL, Phase.CONTINUOUS}:
                        self.cancel(name, order_id)
                        cancels.append(Cancel(name, order_id))
        return cancels

    def answer(
        self,
        envelopes: Iterable[RequestEnvelope],
    ) -> tuple[list[Answer], list[Cancel]]:
        """Answer a beat's orders and cancels, in the order of each account's requests."""
        answers: dict[str, list[Answer]] = {}
        cancels: list[Cancel] = []
        for request in _orders_and_cancels(envelopes):
            said = answers.setdefault(request.account_id, [])
            if isinstance(request, OrderRequest):
                said.append(self._answer_order(request, len(said)))
            else:
                refusal = self._refusal_of_cancel(request)
                if refusal is None:
                    self.cancel(request.account_id, request.order_id)
                    cancels.append(Cancel(request.account_id, request.order_id))
                else:
                    said.append(refusal)
        return [answer for name in sorted(answers) for answer in answers[name]], cancels

    def cancel(self, account: str, order_id: str) -> None:
        """Note a cancel that left."""
        self.accounts[account].orders[order_id].cancel_beat = self.market.stamp.beat
        self.accounts[account].count_message(self.market.stamp.ts_event_ns)

    def judge(self, account: str, wish: Wish) -> Verdict:
        """Return what must become of an order now."""
        return judge(self._case(account, wish))

    def enter(self, account: str, wish: Wish, order_id: str) -> None:
        """Count an accepted order among the open ones."""
        case = self._case(account, wish)
        order = Order(wish, worst=case.worst, left=wish.quantity, frozen=case.needed)
        case.account.orders[order_id] = order
        case.account.count_message(self.market.stamp.ts_event_ns)

    def _case(self, account: str, wish: Wish) -> Case:
        return Case(wish, self.accounts[account], self.market, self._spec)

    def _answer_order(self, request: OrderRequest, sequence: int) -> Answer:
        name, wish = request.account_id, wish_of(request)
        account = self.accounts.get(name)
        order_id = ""
        if account is None:
            verdict = Verdict(reason=Reason.UNKNOWN_ACCOUNT)
        elif not account.is_news(request.request_id):
            verdict = Verdict(reason=Reason.DUPLICATE_REQUEST)
        else:
            verdict = self.judge(name, wish)
            if verdict.reason is Reason.NONE:
                order_id = f"{self._spec.run_id}.{self.market.stamp.beat}.{name}.{sequence}"
                self.enter(name, wish, order_id)
        self.tally[verdict.reason] += 1
        return Answer(name, wish.instrument, wish.side, verdict, _nav_fen(account), order_id)

    def _refusal_of_cancel(self, request: CancelRequest) -> Answer | None:
        account = self.accounts.get(request.account_id)
        order = account.orders.get(request.order_id) if account else None
        if account is None:
            reason = Reason.UNKNOWN_ACCOUNT
        elif not account.is_news(request.request_id):
            reason = Reason.DUPLICATE_REQUEST
        elif order is None:
            reason = Reason.UNKNOWN_ORDER
        elif order.cancel_beat == self.market.stamp.beat:
            reason = Reason.DUPLICATE_REQUEST
        else:
            return None
        return Answer(
            request.account_id,
            order.wish.instrument if order else 0,
            order.wish.side if order else Side.SELL,
            Verdict(reason=reason),
            _nav_fen(account),
            "",
        )

    def _obey(self, request: ControlRequest, name: str) -> Obeyed:
        account = self.accounts.get(name)
        if account is None:
            halted = AccountState.HALTED
            return Obeyed(name, Reason.UNKNOWN_ACCOUNT, halted, halted)
        before = account.state
        is_setting = request.command is ControlCommand.SET_LIMITS
        if not account.is_news(request.request_id):
            reason = Reason.DUPLICATE_REQUEST
        elif is_setting and not _is_in_range(request.limits):
            reason = Reason.BAD_LIMITS
        else:
            reason = Reason.NONE
            _apply(request, account)
            account.latch()
        return Obeyed(name, reason, before, account.state)


def _apply(request: ControlRequest, account: OracleAccount) -> None:
    is_for_all = request.account_id is None
    match request.command:
        case ControlCommand.SET_LIMITS:
            assert request.limits is not None
            account.limits = request.limits
        case ControlCommand.RESUME:
            account.said = AccountState.ACTIVE
            account.has_lost = account.has_fallen = False
            if is_for_all:
                account.said_to_all = AccountState.ACTIVE
            else:
                account.is_in_doubt = False
        case ControlCommand.HALT | ControlCommand.REDUCE as command:
            is_halt = command is ControlCommand.HALT
            state = AccountState.HALTED if is_halt else AccountState.REDUCING
            if is_for_all:
                account.said_to_all = max(account.said_to_all, state, key=STATES.index)
            else:
                account.said = max(account.said, state, key=STATES.index)


def _is_in_range(limits: RiskLimits | None) -> bool:
    values = asdict(limits) if limits is not None else {}
    return values.keys() == RISK_LIMIT_RANGES.keys() and all(
        least <= values[name] <= most for name, (least, most) in RISK_LIMIT_RANGES.items()
    )


def _orders_and_cancels(
    envelopes: Iterable[RequestEnvelope],
) -> Iterator[OrderRequest | CancelRequest]:
    for envelope in envelopes:
        request = envelope.order or envelope.cancel
        if request is not None:
            yield request


def _nav_fen(account: OracleAccount | None) -> int:
    return int(account.nav * 100) if account else 0
