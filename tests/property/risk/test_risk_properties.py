"""Whatever happens: money and shares are conserved, and nothing accepted breaks a limit.

The oracle below keeps its own books in plain dicts and fractions, from fills and orders alone.
"""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.risk.closed_loop import (
    ACCOUNTS,
    CASH_FEN,
    FEES,
    SECTORS,
    Beat,
    play,
    spec_of,
)

from tidegate_common.domain.enums import (
    AccountState,
    BeatKind,
    Board,
    ControlCommand,
    Exchange,
    OrderType,
    Outcome,
    Reason,
    Side,
)
from tidegate_common.domain.ids import EXCHANGE_STEP, AccountId
from tidegate_common.events.orders import SubmitOrder
from tidegate_common.events.portfolio import PortfolioState
from tidegate_common.events.risk import ControlOutcome
from tidegate_common.events.run import RiskLimits

SEEDS = st.integers(0, 2**32 - 1)
EXAMPLES = settings(max_examples=40, deadline=None)


@dataclass
class Oracle:
    """One account's truth.

    commanded : what commands have left, by whether they were for all accounts.
    """

    limits: RiskLimits
    cash_fen: int = CASH_FEN
    shares: Counter[int] = field(default_factory=Counter)
    morning_shares: Counter[int] = field(default_factory=Counter)
    sold_today: Counter[int] = field(default_factory=Counter)
    buying: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    opening_nav_fen: Fraction = Fraction(CASH_FEN)
    high_water_fen: Fraction = Fraction(CASH_FEN)
    nav_fen: Fraction = Fraction(CASH_FEN)
    commanded: dict[bool, AccountState] = field(
        default_factory=lambda: dict.fromkeys((False, True), AccountState.ACTIVE),
    )

    def follow(self, account: AccountId, beat: Beat) -> None:
        """Book a beat's fills and marks."""
        if beat.stamp.kind is BeatKind.OPEN:
            self.opening_nav_fen = self.nav_fen
            self.morning_shares = Counter(self.shares)
            self.sold_today = Counter()
        for fill in beat.fills:
            if fill.account_id != account:
                continue
            is_buy = fill.side is Side.BUY
            self.cash_fen += (-fill.amount_fen if is_buy else fill.amount_fen) - fill.fee_fen
            self.shares[fill.instrument] += (
                fill.quantity_shares if is_buy else -fill.quantity_shares
            )
            if is_buy:
                instrument, price_e4, leaves = self.buying[fill.order_id]
                self.buying[fill.order_id] = (instrument, price_e4, leaves - fill.quantity_shares)
            else:
                self.sold_today[fill.instrument] += fill.quantity_shares
        for update in beat.updates:
            if update.status.is_terminal:
                self.buying.pop(update.order_id, None)
        self.nav_fen = self.cash_fen + sum(
            (Fraction(beat.marks_e4[each] * count, 100) for each, count in self.shares.items()),
            Fraction(0),
        )
        self.high_water_fen = max(self.high_water_fen, self.nav_fen)

    def obey(self, outcome: ControlOutcome) -> None:
        """Follow a command; a repeat changes nothing."""
        if outcome.outcome is Outcome.REJECTED:
            assert outcome.reason is Reason.DUPLICATE_REQUEST
            return
        match outcome.command:
            case ControlCommand.SET_LIMITS:
                assert outcome.limits_after is not None
                self.limits = outcome.limits_after
            case ControlCommand.RESUME:
                self.commanded[False] = AccountState.ACTIVE
                if outcome.is_for_all:
                    self.commanded[True] = AccountState.ACTIVE
            case ControlCommand.HALT:
                self.commanded[outcome.is_for_all] = AccountState.HALTED
            case ControlCommand.REDUCE:
                if self.commanded[outcome.is_for_all] is AccountState.ACTIVE:
                    self.commanded[outcome.is_for_all] = AccountState.REDUCING

    def accept(self, order: SubmitOrder, beat: Beat) -> None:
        """Check an accepted order against every limit, then count it among the open ones."""
        commanded = set(self.commanded.values())
        assert AccountState.HALTED not in commanded
        if order.side is Side.SELL:
            return
        assert AccountState.REDUCING not in commanded
        price_e4 = order.price_e4 or beat.limits_up_e4[order.instrument]
        self.buying[order.order_id] = (order.instrument, price_e4, order.quantity_shares)
        exposure = {number: Fraction(0) for number in SECTORS}
        for number, count in self.shares.items():
            exposure[number] += Fraction(beat.marks_e4[number] * count, 100)
        for number, bound_e4, leaves in self.buying.values():
            exposure[number] += Fraction(bound_e4 * leaves, 100)
        sector = SECTORS[order.instrument]
        in_sector = sum(value for number, value in exposure.items() if SECTORS[number] == sector)
        bps = self.nav_fen / 10_000
        assert exposure[order.instrument] <= self.limits.position_bps_max * bps
        assert in_sector <= self.limits.sector_bps_max * bps
        assert sum(exposure.values()) <= self.limits.leverage_bps_max * bps
        loss, fall = self.opening_nav_fen - self.nav_fen, self.high_water_fen - self.nav_fen
        assert loss * 10_000 <= self.limits.daily_loss_bps_max * self.opening_nav_fen
        assert fall * 10_000 <= self.limits.drawdown_bps_max * self.high_water_fen


def _check_books(books: PortfolioState, oracle: Oracle) -> None:
    assert (books.state is AccountState.HALTED) == (
        AccountState.HALTED in oracle.commanded.values()
    )
    assert books.cash_fen == oracle.cash_fen
    assert 0 <= books.frozen_fen <= books.cash_fen
    assert books.nav_fen == oracle.nav_fen
    held = {each.instrument: each.quantity_shares for each in books.positions}
    assert held == {number: count for number, count in oracle.shares.items() if count}
    for position in books.positions:
        assert 0 <= position.sellable_shares <= position.quantity_shares
        assert position.cost_fen >= 0


@pytest.mark.parametrize("is_daily", [False, True])
@pytest.mark.parametrize("has_commands", [False, True])
@EXAMPLES
@given(seed=SEEDS)
def test_books_agree_with_an_oracle_and_no_accepted_order_breaks_a_limit(
    seed: int,
    is_daily: bool,  # noqa: FBT001  # a parameter of the test
    has_commands: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """Cash and shares conserved, never negative, T+1, all limits: in every beat."""
    oracles = {name: Oracle(spec_of(seed).limits) for name in ACCOUNTS}
    for beat in play(seed, is_daily=is_daily, has_commands=has_commands):
        for outcome in beat.output.controls:
            oracles[outcome.account_id].obey(outcome)
        for name, oracle in oracles.items():
            oracle.follow(name, beat)
            for number, count in oracle.sold_today.items():
                assert count <= oracle.morning_shares[number]
            assert oracle.cash_fen >= 0
        for order in beat.output.submits:
            oracles[order.account_id].accept(order, beat)
        assert [point.nav_fen for point in beat.output.equity] == [
            oracle.nav_fen for oracle in oracles.values()
        ]
        for books in beat.output.portfolios:
            _check_books(books, oracles[books.account_id])
        assert has_commands or not beat.output.controls


@EXAMPLES
@given(seed=SEEDS)
def test_every_decision_is_numbered_and_every_acceptance_is_an_order(seed: int) -> None:
    """The log has no gaps, and no order comes from nowhere."""
    for beat in play(seed):
        for account in ACCOUNTS:
            own = [each for each in beat.output.decisions if each.account_id == account]
            assert [each.sequence for each in own] == list(range(len(own)))
        accepted = [each for each in beat.output.decisions if each.outcome is Outcome.ACCEPTED]
        assert [each.order_id for each in accepted] == [
            submit.order_id for submit in beat.output.submits
        ]
        assert all(
            (each.reason is Reason.NONE) == (each.outcome is Outcome.ACCEPTED)
            for each in beat.output.decisions
        )


@EXAMPLES
@given(seed=SEEDS)
def test_frozen_cash_covers_the_fees_of_every_open_order(seed: int) -> None:
    """What is frozen is enough for the worst fill, so cash can never go negative."""
    bound_fen: Counter[AccountId] = Counter()
    for beat in play(seed):
        for order in beat.output.submits:
            if order.side is Side.BUY and order.order_type is OrderType.LIMIT:
                amount_fen = order.price_e4 * order.quantity_shares // 100
                bound_fen[order.account_id] += FEES.buy_cost_bound_fen(
                    amount_fen=amount_fen,
                    quantity_shares=order.quantity_shares,
                    exchange=Exchange(order.instrument // EXCHANGE_STEP),
                    board=Board.MAIN,
                    trade_date=beat.stamp.trade_date,
                )
        fresh = {order.account_id for order in beat.output.submits}
        for books in beat.output.portfolios:
            if books.account_id in fresh:
                assert books.frozen_fen >= bound_fen[books.account_id]
        bound_fen.clear()


@EXAMPLES
@given(seed=SEEDS, reload_every=st.integers(1, 7))
def test_restoring_a_snapshot_changes_nothing(seed: int, reload_every: int) -> None:
    """A stage that crashes at any beat says what the undisturbed one says."""
    disturbed = play(seed, has_commands=True, reload_every=reload_every)

    assert disturbed == play(seed, has_commands=True)


@pytest.mark.parametrize("is_daily", [False, True])
@EXAMPLES
@given(seed=SEEDS)
def test_outcome_does_not_depend_on_how_accounts_are_spread(
    seed: int,
    is_daily: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """Partitions are invisible."""
    alpha, *others = ACCOUNTS

    groups = ((alpha,), tuple(others))
    whole = play(seed, is_daily=is_daily, has_commands=True)

    assert play(seed, is_daily=is_daily, has_commands=True, groups=groups) == whole


def test_the_random_commands_are_rich() -> None:
    """And yet there is trade."""
    beats = [beat for seed in range(20) for beat in play(seed, has_commands=True)]
    outcomes = [outcome for beat in beats for outcome in beat.output.controls]
    reasons = {decision.reason for beat in beats for decision in beat.output.decisions}

    assert {outcome.command for outcome in outcomes} == set(ControlCommand)
    assert {outcome.is_for_all for outcome in outcomes} == {False, True}
    assert Reason.DUPLICATE_REQUEST in {outcome.reason for outcome in outcomes}
    assert {(outcome.state_before, outcome.state_after) for outcome in outcomes} >= {
        (one, other)
        for one in AccountState
        for other in AccountState
        if one is AccountState.ACTIVE or other is AccountState.ACTIVE
    }
    assert {Reason.NONE, Reason.ACCOUNT_HALTED, Reason.ACCOUNT_REDUCING} <= reasons
    assert sum(len(beat.fills) for beat in beats) > 200


def test_the_random_world_is_rich() -> None:
    """Properties over a world in which nothing happens would hold for ever."""
    beats = [beat for seed in range(60) for beat in play(seed) + play(seed, is_daily=True)]
    reasons = Counter(each.reason for beat in beats for each in beat.output.decisions)
    sides = Counter(fill.side for beat in beats for fill in beat.fills)

    assert min(sides[Side.BUY], sides[Side.SELL]) > 20
    assert {
        Reason.NONE,
        Reason.UNKNOWN_INSTRUMENT,
        Reason.UNKNOWN_ORDER,
        Reason.DUPLICATE_REQUEST,
        Reason.BAD_PRICE_TICK,
        Reason.OUTSIDE_PRICE_CAGE,
        Reason.SELF_TRADE,
        Reason.ORDER_RATE_LIMIT,
        Reason.DAILY_ORDER_LIMIT,
        Reason.BAD_LOT,
        Reason.NOT_SELLABLE,
        Reason.NOT_ENOUGH_CASH,
        Reason.MARKET_CLOSED,
        Reason.POSITION_LIMIT,
        Reason.DAILY_LOSS_LIMIT,
        Reason.DRAWDOWN_LIMIT,
        Reason.ACCOUNT_REDUCING,
        Reason.SECTOR_LIMIT,
        Reason.LEVERAGE_LIMIT,
        Reason.UNKNOWN_VOLATILITY,
        Reason.INSIDE_BAND,
        Reason.TURNOVER_LIMIT,
    } <= set(reasons)
    assert any(beat.output.cancels for beat in beats)
