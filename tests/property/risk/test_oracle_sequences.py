"""No sequence of scores, requests, fills, marks, days and commands leads to a breached limit.

Hypothesis chooses what happens and in which order; the slow oracle judges every decision, and
after each accepted order reckons all limits anew, open orders included.
"""

from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.property.risk.oracle import Oracle, obeyed_of, verdict_of, wish_of
from tests.property.risk.oracle_books import OracleAccount
from tests.property.risk.oracle_exchange import Exchange
from tests.property.risk.oracle_market import NOTHING
from tests.property.risk.oracle_requests import Asker
from tests.property.risk.oracle_rules import yuan
from tests.property.risk.oracle_worlds import SHARES, World
from tests.unit.risk.scenario import score_batch

from tidegate_common.domain.enums import (
    AccountState,
    CauseKind,
    ConstructionMethod,
    Outcome,
    Reason,
    Side,
)
from tidegate_common.events.orders import CancelOrder, RequestEnvelope
from tidegate_common.events.portfolio import PortfolioState
from tidegate_common.events.risk import Decision
from tidegate_common.events.run import ConstructionSpec, StrategySpec
from tidegate_common.frames.frame import Frame
from tidegate_risk.engine.engine import RiskEngine, RiskInputs, RiskOutput

STRATEGIES = ("first", "second")
# Trading is on at most of them; the last order of a day ends with it.
MOMENTS = ((9, 30, 0), (10, 0, 0), (10, 0, 500), (11, 0, 0), (11, 45, 0), (14, 0, 0), (14, 58, 0))
# What construction itself refuses, before any check.
OF_CONSTRUCTION = {Reason.UNKNOWN_VOLATILITY, Reason.INSIDE_BAND, Reason.TURNOVER_LIMIT}
# What is said of requests before any check; `test_oracle.py` foretells it.
OF_REQUESTS = {Reason.UNKNOWN_ACCOUNT, Reason.UNKNOWN_ORDER, Reason.DUPLICATE_REQUEST}
INSTRUMENTS = st.sampled_from(sorted(SHARES))
SCORES = st.dictionaries(INSTRUMENTS, st.integers(-1_000_000, 1_000_000), max_size=8)


class RiskMachine(RuleBasedStateMachine):
    """A run of which each step is one thing that happens; nothing is real before the next beat."""

    @initialize(seed=st.integers(0, 10_000), method=st.sampled_from(ConstructionMethod))
    def begin(self, seed: int, method: ConstructionMethod) -> None:
        """Begin a run, whose market is the seed's."""
        world = self.world = World(seed, MOMENTS)
        spec = self.spec = replace(
            world.spec,
            strategies=tuple(StrategySpec(name, "fake") for name in STRATEGIES),
            construction=ConstructionSpec(
                method=method,
                target_weight_bps=1_500,
                cooldown_beats=2,
                top_n=3,
                rebalance_band_bps=200,
            ),
            programme_trading=None,
        )
        self.oracle = Oracle(spec)
        self.asker = Asker(world.dice, self.oracle)
        self.exchange = Exchange(world.dice, world.shares, spec.commission)
        self.engine = RiskEngine(spec, tuple(each.account_id for each in spec.accounts))
        self.frames = world.frames()
        self.cancels: tuple[CancelOrder, ...] = ()
        self.requests: list[RequestEnvelope] = []
        self.scores: dict[str, dict[int, int]] = {}
        self.accepted: Counter[tuple[CauseKind, Side]] = Counter()
        self.beat()

    @rule(strategy=st.sampled_from(STRATEGIES), scores=SCORES)
    def score(self, strategy: str, scores: dict[int, int]) -> None:
        """Let a strategy have opinions in the next beat."""
        self.scores[strategy] = scores

    @rule(count=st.integers(1, 12))
    def request(self, count: int) -> None:
        """Ask for orders; they aim at what the last beat left."""
        self.requests += [self.asker.order() for _ in range(count)]

    @rule()
    def cancel(self) -> None:
        """Ask to cancel an order."""
        self.requests.append(self.asker.cancel())

    @rule()
    def command(self) -> None:
        """Let a person say something, new limits often."""
        self.requests.append(self.asker.command())

    @rule(count=st.integers(1, 5))
    def beats(self, count: int) -> None:
        """Let time pass: the exchange answers, prices move, days may end."""
        for _ in range(count):
            self.beat()

    @invariant()
    def books_conserve(self) -> None:
        """Whatever the last beat brought, nothing is negative and NAV is cash and value."""
        for account in self.oracle.accounts.values():
            assert account.cash >= 0
            assert account.available >= 0
            assert all(lot.shares > 0 for lots in account.lots.values() for lot in lots)
            assert account.nav == account.worth(self.oracle.market)

    def beat(self) -> None:
        """Play the next beat, if there is one."""
        frame = next(self.frames, None)
        if frame is None:
            return
        inputs = self._inputs(frame)
        output = self.engine.on_beat(inputs)
        self.oracle.see(inputs)
        assert [obeyed_of(each) for each in output.controls] == self.oracle.obey(inputs.requests)
        for envelope in self.requests:
            request = envelope.order or envelope.cancel
            if request is not None and request.account_id in self.oracle.accounts:
                self.oracle.accounts[request.account_id].is_news(request.request_id)
        for cancel in output.cancels:
            self.oracle.cancel(cancel.account_id, cancel.order_id)
        for decision in output.decisions:
            self._judge(decision)
        self._check_books(output)
        self.cancels = output.cancels
        self.exchange.take(output.submits)
        self.asker.known += [(each.account_id, each.order_id) for each in output.submits]
        self.requests, self.scores = [], {}

    def _inputs(self, frame: Frame) -> RiskInputs:
        fills, updates = self.exchange.meet(frame.stamp, self.cancels)
        ordered = {name: self.scores[name] for name in STRATEGIES if name in self.scores}
        # Of some nothing is known.
        volatility_e6 = {number: 150_000 + number % 7 * 50_000 for number in sorted(SHARES)[2:]}
        return RiskInputs(
            frame,
            score_batch(frame.stamp, ordered, volatility_e6),
            updates,
            fills,
            tuple(self.requests),
            np.array(sorted(self.world.silent), np.int64),
        )

    def _judge(self, decision: Decision) -> None:
        """Compare a decision with the oracle's, and follow it."""
        # A decision does not tell for how long the order was to work, on which its type depends.
        if decision.reason in {*OF_CONSTRUCTION, *OF_REQUESTS, Reason.BAD_ORDER_TYPE}:
            return
        account, wish = self.oracle.accounts[decision.account_id], wish_of(decision)
        verdict = self.oracle.judge(decision.account_id, wish)
        is_score = decision.cause_kind is CauseKind.SCORE
        if is_score and decision.reason is Reason.NOT_ENOUGH_CASH:
            # A strategy leaves a buffer in the account, of which the oracle knows nothing.
            assert yuan(decision.limit) <= account.available
            assert decision.observed > decision.limit
        else:
            assert verdict_of(decision) == verdict, decision
        assert yuan(decision.nav_fen) == account.nav
        if decision.outcome is Outcome.ACCEPTED:
            self.oracle.enter(decision.account_id, wish, decision.order_id)
            self.accepted[decision.cause_kind, decision.side] += 1
            assert account.available >= 0
            assert account.state is not AccountState.HALTED
            if decision.side is Side.BUY:
                self._check_limits(account, decision.instrument)

    def _check_limits(self, account: OracleAccount, instrument: int) -> None:
        """Check all limits of an account in which a buy was accepted, as if all buys filled."""
        market, limits, nav = self.oracle.market, account.limits, account.nav
        values = account.exposures(market)
        sector = account.in_sector(market.find(instrument).sector, market)
        assert account.state is AccountState.ACTIVE
        assert values[instrument] * 10_000 <= limits.position_bps_max * nav
        if limits.adv_bps_max:
            wanted = sum(order.left for order in account.open_in(instrument, Side.BUY))
            average = market.find(instrument).average_volume
            assert average is not None
            assert wanted * 10_000 <= limits.adv_bps_max * average
        assert sector * 10_000 <= limits.sector_bps_max * nav
        assert sum(values.values(), NOTHING) * 10_000 <= limits.leverage_bps_max * nav
        lost, fallen = account.opening_nav - nav, account.high_water - nav
        assert lost * 10_000 <= limits.daily_loss_bps_max * account.opening_nav
        assert fallen * 10_000 <= limits.drawdown_bps_max * account.high_water

    def _check_books(self, output: RiskOutput) -> None:
        for point in output.equity:
            account = self.oracle.accounts[point.account_id]
            assert (yuan(point.cash_fen), yuan(point.nav_fen)) == (account.cash, account.nav)
        for books in output.portfolios:
            self._check_portfolio(books, self.oracle.accounts[books.account_id])

    def _check_portfolio(self, books: PortfolioState, account: OracleAccount) -> None:
        assert books.state is account.state
        assert yuan(books.cash_fen - books.frozen_fen) == account.available
        assert yuan(books.opening_nav_fen) == account.opening_nav
        assert yuan(books.high_water_fen) == account.high_water
        assert books.open_order_count == len(account.orders)
        held = {each.instrument: each.quantity_shares for each in books.positions}
        assert held == {number: account.held(number) for number in account.lots}
        if not self.oracle.market.is_after_close:
            for each in books.positions:
                sellable = account.sellable(each.instrument, is_for_tomorrow=False)
                assert each.sellable_shares == sellable


TestSequences = RiskMachine.TestCase
TestSequences.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("method", ConstructionMethod)
def test_the_random_sequences_are_rich(method: ConstructionMethod) -> None:
    """Strategies and people buy and sell; of a run in which nothing happens all would be true."""
    accepted: Counter[tuple[CauseKind, Side]] = Counter()
    for seed in range(4):
        machine, dice = RiskMachine(), Random(seed)
        machine.begin(seed, method)
        for _ in range(machine.world.beat_count):
            machine.request(6)
            machine.command()
            machine.score("first", {each: dice.randrange(-(10**6), 10**6) for each in SHARES})
            machine.beat()
            machine.books_conserve()
        accepted += machine.accepted

    assert set(accepted) == {(cause, side) for cause in CauseKind for side in Side}
    assert min(accepted.values()) > 20
