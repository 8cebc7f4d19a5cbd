"""Risk's engine: books, marks, and a decision on every intent, a beat at a time.

Accounts never look at one another, so outcomes do not depend on how they are spread over engines.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import AccountState, BeatKind, ConstructionMethod, Reason
from tidegate_common.domain.ids import AccountId
from tidegate_common.domain.units import Int64Array
from tidegate_common.engine import EngineState, JsonDict
from tidegate_common.errors import InvariantError
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.events.orders import (
    CancelOrder,
    CancelRequest,
    OrderRequest,
    RequestEnvelope,
    SubmitOrder,
)
from tidegate_common.events.portfolio import AccountBooks, Booking, EquityPoint, PortfolioState
from tidegate_common.events.risk import ControlOutcome, Decision
from tidegate_common.events.run import RunSpec
from tidegate_common.frames.frame import BeatStamp, Frame, ScoreBatch
from tidegate_common.market.fees import FeeSchedule
from tidegate_common.market.programme_trading import thresholds_on
from tidegate_risk.engine.bookings import book_actions, bookings_of
from tidegate_risk.engine.closing import ClosingScores
from tidegate_risk.engine.construction import (
    Asked,
    StrategyScores,
    intents_of_scores,
    read_scores,
)
from tidegate_risk.engine.controls import obey_controls
from tidegate_risk.engine.desk import Desk, Rules
from tidegate_risk.engine.figures import AccountFigures, figures_of
from tidegate_risk.engine.intent import Intents, intents_of_requests
from tidegate_risk.engine.kernels import warm_up
from tidegate_risk.engine.portfolio import Account, OpenOrder
from tidegate_risk.engine.rebalance import Rebalancer
from tidegate_risk.engine.stamps import load_stamp
from tidegate_risk.engine.state import Cadence, Market
from tidegate_risk.engine.targets import fractions_bps, read_lists
from tidegate_risk.engine.usage import usage_of

Request = OrderRequest | CancelRequest


@dataclass(frozen=True, slots=True)
class RiskInputs:
    """What risk has of a beat.

    frame : the whole market, as far as it was usable.
    updates, fills : of this beat and of earlier ones that were late; booked by their `beat`.
    stale : (n,) int64, instruments whose shard said nothing usable.
    """

    frame: Frame
    scores: ScoreBatch
    updates: tuple[OrderUpdate, ...] = ()
    fills: tuple[Fill, ...] = ()
    requests: tuple[RequestEnvelope, ...] = ()
    stale: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class RiskOutput:
    """What risk says of a beat.

    submits, cancels, decisions, controls : sorted by (account_id, sequence).
    equity : every account; portfolios : those that changed, all at OPEN, CLOSE and the last beat.
    tick_count, score_count : rows and scores of the beat.
    bookings : what was booked that is no trade, sorted by (account_id, sequence).
    """

    submits: tuple[SubmitOrder, ...]
    cancels: tuple[CancelOrder, ...]
    decisions: tuple[Decision, ...]
    controls: tuple[ControlOutcome, ...]
    equity: tuple[EquityPoint, ...]
    portfolios: tuple[PortfolioState, ...]
    tick_count: int
    score_count: int
    bookings: tuple[Booking, ...] = ()


class RiskEngine:
    """Holds the accounts of one risk partition.

    Parameters
    ----------
    accounts : those of the partition; their cash and limits are in the spec.
    """

    def __init__(self, spec: RunSpec, accounts: tuple[AccountId, ...]) -> None:
        specs = {account.account_id: account for account in spec.accounts}
        self._spec = spec
        self._strategies = tuple(strategy.name for strategy in spec.strategies)
        self._accounts = {
            name: Account(name, specs[name].cash_fen, specs[name].limits or spec.limits)
            for name in sorted(accounts)
        }
        own = spec.programme_trading
        self._own_thresholds = own.row() if own is not None else None
        self._rebalancer = Rebalancer(
            spec.construction,
            fractions_bps(spec.construction, self._strategies),
        )
        self._market = Market(FeeSchedule(spec.commission.contract()))
        self._closing = ClosingScores()
        # Not in the beat that has the first order.
        warm_up()
        self._stamp: BeatStamp | None = None

    @property
    def universe(self) -> Int64Array:
        """Instruments seen so far, sorted."""
        return self._market.instruments

    def on_beat(self, inputs: RiskInputs) -> RiskOutput:
        """Book what happened, mark, and decide on what is asked."""
        stamp = self._stamp = inputs.frame.stamp
        stale = inputs.stale if inputs.stale is not None else np.zeros(0, np.int64)
        self._market.take(inputs.frame, stale)
        self._begin(stamp)
        self._book(inputs)
        for account in self._accounts.values():
            account.mark(self._market)
        controls = obey_controls(self._accounts, inputs.requests, stamp)
        submits: list[SubmitOrder] = []
        cancels: list[CancelOrder] = []
        decisions: list[Decision] = []
        for desk in self._decide(inputs, stamp):
            submits += desk.submits
            cancels += desk.cancels
            decisions += desk.decisions
        is_whole = stamp.is_last or stamp.kind in {BeatKind.OPEN, BeatKind.CLOSE}
        return RiskOutput(
            submits=tuple(submits),
            cancels=tuple(cancels),
            decisions=tuple(decisions),
            controls=controls,
            equity=tuple(account.equity() for account in self._accounts.values()),
            portfolios=tuple(
                account.portfolio(stamp, usage_of(account, self._market))
                for account in self._accounts.values()
                if is_whole or account.is_changed
            ),
            tick_count=0 if stamp.kind is BeatKind.OPEN else len(inputs.frame.rows),
            score_count=len(inputs.scores),
            bookings=tuple(
                booking
                for account in self._accounts.values()
                if account.booked
                for booking in bookings_of(account, stamp)
            ),
        )

    def portfolios(self) -> tuple[PortfolioState, ...]:
        """Return every account's books after the last beat; none before the first."""
        if self._stamp is None:
            return ()
        stamp = self._stamp
        return tuple(
            account.portfolio(stamp, usage_of(account, self._market))
            for account in self._accounts.values()
        )

    def books(self) -> Iterator[AccountBooks]:
        """Yield what readers are told of every account; none before the first beat.

        Between two of them beats may be taken: each is as of the last one when it is asked for.
        """
        for account in self._accounts.values():
            if self._stamp is not None:
                yield AccountBooks(
                    account.portfolio(self._stamp, usage_of(account, self._market)),
                    tuple(order.state for order in account.orders.values()),
                )

    def figures(self) -> Iterator[AccountFigures]:
        """Yield what operators are told of every account, as `books` does."""
        for account in self._accounts.values():
            if self._stamp is not None:
                yield figures_of(account, self._market)

    def snapshot(self) -> EngineState:
        """Return the memory; later beats do not change what was returned."""
        accounts = {name: account.dump() for name, account in self._accounts.items()}
        values: JsonDict = {
            "stamp": asdict(self._stamp) if self._stamp is not None else None,
            "cadence": int(self._market.cadence),
            "is_classified": self._market.is_classified,
            "closing": self._closing.dump(),
            "accounts": accounts,
        }
        return EngineState(values, self._market.snapshot_arrays())

    def restore(self, state: EngineState) -> None:
        """Take up a memory that `snapshot` returned, in this or in another process."""
        values = state.values
        self._stamp = load_stamp(values["stamp"])
        self._market.restore(
            state.arrays,
            stamp=self._stamp,
            cadence=Cadence(cast("int", values["cadence"])),
            is_classified=bool(values["is_classified"]),
        )
        self._closing.load(values["closing"])
        accounts = cast("JsonDict", values["accounts"])
        for name, account in self._accounts.items():
            account.load(accounts[name])

    def _begin(self, stamp: BeatStamp) -> None:
        for account in self._accounts.values():
            account.is_changed, account.booked = False, ()
            if stamp.kind is BeatKind.OPEN:
                account.roll_day(stamp.trade_date)
                book_actions(account, self._market.actions)
                account.forget_decisions_before(
                    stamp.beat - self._spec.construction.cooldown_beats,
                )

    def _book(self, inputs: RiskInputs) -> None:
        # Beat by beat, because an update says what the order had filled by then.
        beats = {fill.beat for fill in inputs.fills} | {each.beat for each in inputs.updates}
        for beat in sorted(beats):
            # Fills first: an order's last update releases what its fills have left.
            for fill in inputs.fills:
                if fill.beat == beat:
                    self._owner(fill.account_id).book_fill(fill)
            for update in inputs.updates:
                if update.beat == beat:
                    self._owner(update.account_id).take_update(update)

    def _owner(self, account_id: AccountId) -> Account:
        account = self._accounts.get(account_id)
        if account is None:
            held = ", ".join(self._accounts)
            message = f"fills must be of accounts {held}, one was of {account_id}"
            raise InvariantError(message)
        return account

    def _decide(self, inputs: RiskInputs, stamp: BeatStamp) -> Iterator[Desk]:
        """Yield a desk of each account of which anything is asked, sorted by account."""
        requests = _requests_by_account(inputs.requests)
        asked = self._asked(inputs.scores)
        thresholds = thresholds_on(stamp.trade_date, self._own_thresholds)
        rules = Rules(self._spec.construction, thresholds.value if thresholds else None)
        for name in sorted(self._accounts.keys() | requests.keys()):
            account = self._accounts.get(name)
            own_requests = requests.get(name, [])
            if account is None:
                desk = Desk(Account(name, 0, self._spec.limits), self._market, rules, stamp)
                _refuse_all(desk, own_requests)
                yield desk
            elif own_requests or asked or account.orders:
                desk = Desk(account, self._market, rules, stamp)
                self._cancel_orders(desk, account, stamp)
                self._take_requests(desk, account, own_requests)
                for each in asked:
                    desk.decide(self._intents(each, account))
                yield desk

    def _asked(self, scores: ScoreBatch) -> list[Asked]:
        """Return what strategies ask for now, in the run's order: by this beat or the last close.

        None asks by both.
        """
        waited = self._closing.take(scores, self._market)
        acting = [scores] if self._market.can_scores_act and len(scores) else []
        if waited is not None:
            acting.append(waited)
        is_list = self._spec.construction.method is not ConstructionMethod.THRESHOLD
        read = read_lists if is_list else read_scores
        asked: list[Asked] = []
        for batch in acting:
            asked += read(batch, self._strategies, self._spec.construction)
        return sorted(asked, key=lambda each: self._strategies.index(each.strategy))

    def _intents(self, asked: Asked, account: Account) -> Intents:
        if isinstance(asked, StrategyScores):
            return intents_of_scores(asked, account, self._market, self._spec.construction)
        return self._rebalancer.intents(asked, account, self._market)

    def _take_requests(self, desk: Desk, account: Account, requests: Iterable[Request]) -> None:
        """Decide on requests in their order, as many at a time as do not look at one another."""
        orders: dict[int, OrderRequest] = {}
        for request in requests:
            is_new = account.remember_request(request.request_id)
            if not isinstance(request, OrderRequest):
                self._decide_orders(desk, account, orders)
                self._take_cancel(desk, account, request, is_new=is_new)
            elif not is_new:
                self._decide_orders(desk, account, orders)
                desk.refuse_order(request, Reason.DUPLICATE_REQUEST)
            else:
                if request.instrument in orders:
                    self._decide_orders(desk, account, orders)
                orders[request.instrument] = request
        self._decide_orders(desk, account, orders)

    def _decide_orders(
        self,
        desk: Desk,
        account: Account,
        orders: dict[int, OrderRequest],
    ) -> None:
        if orders:
            desk.decide(intents_of_requests(orders.values(), account, self._market))
            orders.clear()

    def _take_cancel(
        self,
        desk: Desk,
        account: Account,
        request: CancelRequest,
        *,
        is_new: bool,
    ) -> None:
        order = account.orders.get(request.order_id)
        if order is None and is_new:
            desk.refuse_cancel(request, None, Reason.UNKNOWN_ORDER)
        elif order is None or not is_new or order.cancel_beat == self._market.beat:
            desk.refuse_cancel(request, order, Reason.DUPLICATE_REQUEST)
        else:
            desk.cancel(order)

    def _cancel_orders(self, desk: Desk, account: Account, stamp: BeatStamp) -> None:
        """Cancel what a command or its age ends, as soon as the exchange takes cancels.

        A halted account's orders are cancelled in every beat until the exchange has ended them: it
        answers before the next beat's orders, so what works then was not cancelled.
        """
        is_halted = account.standing.has_command(AccountState.HALTED)
        for order in account.orders.values():
            is_due = is_halted or self._is_stale(order, stamp)
            if is_due and self._market.can_cancel(order.instrument):
                desk.cancel(order)

    def _is_stale(self, order: OpenOrder, stamp: BeatStamp) -> bool:
        """Tell whether a strategy's order worked longer than the cooldown and binds its capital.

        In tick runs only: a bar run's orders live for one day of bars. A cancel that the exchange
        did not take is sent again after another cooldown.
        """
        if stamp.kind is not BeatKind.TICK or not order.is_from_score:
            return False
        age_beats = stamp.beat - max(order.beat, order.cancel_beat)
        return age_beats > self._spec.construction.cooldown_beats


def _requests_by_account(envelopes: Iterable[RequestEnvelope]) -> dict[AccountId, list[Request]]:
    """Return each account's requests in the order in which they entered."""
    requests: dict[AccountId, list[Request]] = {}
    for envelope in envelopes:
        for request in (envelope.order, envelope.cancel):
            if request is not None:
                requests.setdefault(request.account_id, []).append(request)
    return requests


def _refuse_all(desk: Desk, requests: list[Request]) -> None:
    for request in requests:
        if isinstance(request, OrderRequest):
            desk.refuse_order(request, Reason.UNKNOWN_ACCOUNT)
        else:
            desk.refuse_cancel(request, None, Reason.UNKNOWN_ACCOUNT)
