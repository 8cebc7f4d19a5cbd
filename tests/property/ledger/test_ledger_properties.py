"""Over random lives of an account: nothing is lost, T+1 holds, and a slow ledger agrees."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.property.ledger.slow_ledger import Order, SlowLedger, yuan

from tidegate_common.domain.enums import Exchange, Side
from tidegate_common.domain.ids import EXCHANGE_STEP, AccountId, OrderId
from tidegate_common.domain.units import notional_fen
from tidegate_common.errors import InvariantError
from tidegate_common.ledger import Ledger, LedgerError
from tidegate_common.market.corporate_actions import CorporateAction, ex_rights_reference_e4
from tidegate_common.market.fees import Fees

SHANGHAI = Exchange.SH * EXCHANGE_STEP
FUND = SHANGHAI + 518_880
INSTRUMENTS = (SHANGHAI + 600_000, FUND, SHANGHAI + 600_519)
# The law of dividend tax changes on 2015-09-08; lives begin before it and end after it.
FIRST_DAY = date(2015, 7, 1)

instruments = st.sampled_from(INSTRUMENTS)
counts = st.integers(1, 60)
# Beyond 100 is what must be refused.
percents = st.sampled_from((1, 30, 50, 100, 100, 110))
prices_fen = st.integers(50, 900)
small_fen = st.integers(0, 300)
ratios_e6 = st.sampled_from((0, 0, 100_000, 333_333, 1_000_000))
delays = st.sampled_from((0, 1, 3, 30))
steps = st.sampled_from((1, 1, 1, 3, 30, 31, 366))
marks_e4 = st.sampled_from((0, 10_000, 33_333, 123_400))
fees = st.builds(Fees, small_fen, small_fen, small_fen, small_fen, small_fen)


@dataclass
class Notice:
    """A corporate action, before it has a day and an instrument."""

    cash_e6: int
    bonus_e6: int
    transfer_e6: int
    rights_e6: int
    pay_days: int
    listing_days: int
    is_recorded: bool
    subscribed_percent: int


notices = st.builds(
    Notice,
    cash_e6=st.sampled_from((0, 12_345, 500_000)),
    bonus_e6=ratios_e6,
    transfer_e6=ratios_e6,
    rights_e6=ratios_e6,
    pay_days=delays,
    listing_days=delays,
    is_recorded=st.booleans(),
    subscribed_percent=percents,
)


def _number(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day


class LedgerMachine(RuleBasedStateMachine):
    """One account's life, told to both ledgers; what the slow one cannot do is to be refused."""

    def __init__(self) -> None:
        super().__init__()
        self.day = FIRST_DAY
        self.ledger = Ledger(AccountId("alpha"), cash_fen=0)
        self.slow = SlowLedger(Decimal(0), 0)
        self.order_count = 0
        self.touched: set[int] = set()
        self.morning_shares: Counter[int] = Counter()
        self.sold_shares: Counter[int] = Counter()

    @initialize(cash_fen=st.sampled_from((100_000, 1_000_000)))
    def begin(self, cash_fen: int) -> None:
        """Open the account."""
        today, cash = _number(self.day), yuan(cash_fen)
        self.ledger = Ledger(AccountId("alpha"), cash_fen=cash_fen, trade_date=today)
        self.slow = SlowLedger(cash, today, opening_nav=cash, high_water=cash)

    def attempt(self, operation: Callable[[], object], *, is_possible: bool) -> bool:
        """Do it, or see it refused without a trace."""
        if is_possible:
            operation()
            return True
        before = self.ledger.dump()
        try:
            operation()
        except LedgerError:
            assert self.ledger.dump() == before
            return False
        message = "an impossible operation was carried out"
        raise AssertionError(message)

    @rule(instrument=instruments, shares=counts, cash_fen=st.sampled_from((0, 9_000, 60_000)))
    def freeze_buy(self, instrument: int, shares: int, cash_fen: int) -> None:
        """Accept a buy."""
        order_id = self.next_order_id()
        is_done = self.attempt(
            lambda: self.ledger.freeze_buy(
                order_id,
                instrument,
                quantity_shares=shares,
                cash_fen=cash_fen,
                has_same_day_resale=instrument == FUND,
            ),
            is_possible=yuan(cash_fen) <= max(Decimal(0), self.slow.available),
        )
        if is_done:
            order = Order(
                instrument,
                is_buy=True,
                shares=shares,
                cash=yuan(cash_fen),
                is_late=False,
                has_same_day_resale=instrument == FUND,
            )
            self.slow.orders[order_id] = order

    @precondition(lambda self: self.slow.held)
    @rule(data=st.data(), percent=percents, cash_fen=small_fen, is_late=st.booleans())
    def freeze_sell(
        self,
        data: st.DataObject,
        percent: int,
        cash_fen: int,
        *,
        is_late: bool,
    ) -> None:
        """Accept a sell, or one for tomorrow."""
        order_id = self.next_order_id()
        instrument = data.draw(st.sampled_from(self.slow.held))
        shares = max(1, self.slow.sellable(instrument, is_late=is_late) * percent // 100)
        is_done = self.attempt(
            lambda: self.ledger.freeze_sell(
                order_id,
                instrument,
                quantity_shares=shares,
                cash_fen=cash_fen,
                is_for_next_day=is_late,
            ),
            is_possible=shares <= self.slow.sellable(instrument, is_late=is_late)
            and yuan(cash_fen) <= max(Decimal(0), self.slow.available),
        )
        if is_done:
            order = Order(
                instrument,
                is_buy=False,
                shares=shares,
                cash=yuan(cash_fen),
                is_late=is_late,
                has_same_day_resale=False,
            )
            self.slow.orders[order_id] = order

    @precondition(lambda self: self.slow.orders)
    @rule(data=st.data(), percent=percents, price_fen=prices_fen, fees=fees)
    def fill(self, data: st.DataObject, percent: int, price_fen: int, fees: Fees) -> None:
        """Trade an order, mostly in parts."""
        order_id = data.draw(st.sampled_from(sorted(self.slow.orders)))
        self.fill_order(order_id, percent=percent, price_fen=price_fen, fees=fees)

    @rule(instrument=instruments, shares=counts, price_fen=prices_fen, fees=fees)
    def buy(self, instrument: int, shares: int, price_fen: int, fees: Fees) -> None:
        """Buy in one order and one fill."""
        self.freeze_buy(instrument, shares, shares * price_fen)
        self.fill_last(price_fen, fees)

    @precondition(lambda self: self.slow.held)
    @rule(data=st.data(), percent=percents, price_fen=prices_fen, fees=fees)
    def sell(self, data: st.DataObject, percent: int, price_fen: int, fees: Fees) -> None:
        """Sell in one order and one fill."""
        self.freeze_sell(data, percent, 0, is_late=False)
        self.fill_last(price_fen, fees)

    def fill_last(self, price_fen: int, fees: Fees) -> None:
        """Fill the newest order, if it was accepted."""
        order_id = f"order-{self.order_count:04d}"
        if order_id in self.slow.orders:
            self.fill_order(order_id, percent=100, price_fen=price_fen, fees=fees)

    def fill_order(self, name: str, *, percent: int, price_fen: int, fees: Fees) -> None:
        """Trade a part of an order."""
        order_id, order = OrderId(name), self.slow.orders[name]
        shares = max(1, order.shares * percent // 100)
        # An odd fen: a turnover need not divide by its shares.
        amount_fen = shares * price_fen + 1
        net = (-1 if order.is_buy else 1) * yuan(amount_fen) - yuan(fees.total_fen)
        can_pay = -net - min(order.cash, max(Decimal(0), -net)) <= max(
            Decimal(0),
            self.slow.available,
        )
        is_done = self.attempt(
            lambda: self.ledger.fill(
                order_id,
                quantity_shares=shares,
                amount_fen=amount_fen,
                fees=fees,
            ),
            is_possible=shares <= order.shares and not order.is_late and can_pay,
        )
        if is_done:
            self.slow.fill(order_id, shares, yuan(amount_fen), fees)
            self.touched.add(order.instrument)
            if not order.is_buy:
                self.sold_shares[order.instrument] += shares

    @precondition(lambda self: self.slow.orders)
    @rule(data=st.data())
    def unfreeze(self, data: st.DataObject) -> None:
        """End an order."""
        order_id = OrderId(data.draw(st.sampled_from(sorted(self.slow.orders))))

        self.ledger.unfreeze(order_id)
        self.slow.end_order(order_id)

    @rule(prices=st.tuples(marks_e4, marks_e4, marks_e4))
    def mark(self, prices: tuple[int, int, int]) -> None:
        """Value the holdings."""
        quoted = dict(zip(INSTRUMENTS, prices, strict=True))
        held = self.slow.held

        self.ledger.mark(np.array([quoted[instrument] for instrument in held], np.int64))
        self.slow.mark({instrument: Decimal(quoted[instrument]) / 10_000 for instrument in held})

    @rule(days=steps)
    def roll_day(self, days: int) -> None:
        """Begin a day."""
        self.day += timedelta(days=days)
        today = _number(self.day)

        self.ledger.roll_day(today)
        self.slow.roll(today)

        self.touched.clear()
        self.sold_shares.clear()
        self.morning_shares = Counter({each: len(self.slow.shares[each]) for each in INSTRUMENTS})

    @precondition(lambda self: self.slow.held)
    @rule(data=st.data(), days=steps, notice=notices)
    def roll_to_an_ex_date(self, data: st.DataObject, days: int, notice: Notice) -> None:
        """Begin a day with a corporate action of what is held."""
        self.roll_day(days)
        self.apply_action(data.draw(st.sampled_from(self.slow.held)), notice)

    @precondition(lambda self: self.slow.held)
    @rule(data=st.data(), percent=percents, price_fen=prices_fen, fees=fees)
    def sell_and_roll(self, data: st.DataObject, percent: int, price_fen: int, fees: Fees) -> None:
        """Sell on a day of its own, which is when a tax is charged."""
        self.roll_day(1)
        self.sell(data, percent, price_fen, fees)
        if self.slow.available > 0 and price_fen % 2:
            # With all cash held back the tax stays due for a while.
            self.freeze_buy(FUND, 1, int(self.slow.available * 100))
        self.roll_day(1)

    @rule(instrument=instruments, notice=notices)
    def apply_action(self, instrument: int, notice: Notice) -> None:
        """Go ex, if nothing else happened to the instrument today."""
        action = self.action_of(instrument, notice)
        held = len(self.slow.shares[instrument])
        rights = held * action.rights_e6 // 1_000_000
        subscribed = rights * notice.subscribed_percent // 100
        price = Decimal(notional_fen(action.rights_price_e4, subscribed)) / 100
        is_done = self.attempt(
            lambda: self.ledger.apply_action(action, subscribed_shares=subscribed),
            is_possible=instrument not in self.touched
            and subscribed <= rights
            and price <= max(Decimal(0), self.slow.available)
            and (held == 0 or self.has_reference(action)),
        )
        if is_done and held:
            self.slow.apply(action, subscribed=subscribed)
            self.touched.add(instrument)
            self.morning_shares[instrument] += len(self.slow.shares[instrument]) - held

    @rule()
    def reload(self) -> None:
        """Restart from what was written down."""
        text = json.dumps(self.ledger.dump())

        self.ledger = Ledger.load(json.loads(text))

        assert json.dumps(self.ledger.dump()) == text

    @invariant()
    def books_add_up(self) -> None:
        """Conservation to the fen, by the ledger's own check and once more by hand."""
        ledger = self.ledger
        ledger.check()
        assets_fen = ledger.cash_fen + ledger.receivable_fen + ledger.cost_fen
        gone_fen = ledger.fees.total_fen + ledger.tax_paid_fen
        earned_fen = ledger.realised_pnl_fen + ledger.dividends_fen
        assert assets_fen + gone_fen == ledger.initial_fen + earned_fen
        assert 0 <= ledger.frozen_fen <= ledger.cash_fen
        assert ledger.nav_fen == (
            ledger.initial_fen
            + earned_fen
            + ledger.unrealised_pnl_fen
            - gone_fen
            - ledger.tax_payable_fen
        )

    @invariant()
    def nothing_bought_today_is_sold(self) -> None:
        """T+1: a day sells at most what it began with, for all but the fund."""
        for instrument in set(INSTRUMENTS) - {FUND}:
            assert self.sold_shares[instrument] <= self.morning_shares[instrument]

    @invariant()
    def money_agrees(self) -> None:
        """Compare the account with the slow ledger's."""
        ledger, slow = self.ledger, self.slow
        told = {
            "cash": (ledger.cash_fen, slow.cash),
            "frozen": (ledger.frozen_fen, slow.frozen),
            "available": (ledger.available_fen, slow.available),
            "withdrawable": (
                ledger.withdrawable_fen,
                max(Decimal(0), slow.available - slow.proceeds_today),
            ),
            "receivable": (ledger.receivable_fen, slow.receivable),
            "tax_due": (ledger.tax_payable_fen, slow.tax_due),
            "tax_paid": (ledger.tax_paid_fen, slow.flow("tax")),
            "dividends": (ledger.dividends_fen, slow.income),
            "realised": (ledger.realised_pnl_fen, slow.realised),
            "nav": (ledger.nav_fen, slow.nav),
            "opening_nav": (ledger.opening_nav_fen, slow.opening_nav),
            "high_water": (ledger.high_water_fen, slow.high_water),
            "commission": (ledger.fees.commission_fen, slow.flow("commission")),
            "stamp_duty": (ledger.fees.stamp_duty_fen, slow.flow("stamp_duty")),
            "transfer_fee": (ledger.fees.transfer_fee_fen, slow.flow("transfer_fee")),
            "handling_fee": (ledger.fees.handling_fee_fen, slow.flow("handling_fee")),
            "regulatory_fee": (ledger.fees.regulatory_fee_fen, slow.flow("regulatory_fee")),
        }
        assert {name: yuan(fen) for name, (fen, _) in told.items()} == {
            name: amount for name, (_, amount) in told.items()
        }

    @invariant()
    def shares_agree(self) -> None:
        """Compare holdings and orders with the slow ledger's."""
        ledger, slow = self.ledger, self.slow
        assert ledger.instruments.tolist() == slow.held
        assert [yuan(fen) for fen in ledger.values_fen.tolist()] == list(map(slow.value, slow.held))
        for instrument in INSTRUMENTS:
            holding = ledger.holding(instrument)
            cost_fen = holding.cost_fen if holding else 0
            assert yuan(cost_fen) == slow.cost(instrument)
            assert ledger.quantity_shares(instrument) == len(slow.shares[instrument])
            assert ledger.frozen_shares(instrument) == slow.frozen_shares(instrument)
            for is_late in (False, True):
                sellable = ledger.sellable_shares(instrument, is_for_next_day=is_late)
                assert sellable == slow.sellable(instrument, is_late=is_late)
        assert list(ledger.order_ids) == list(slow.orders)
        for order_id, order in slow.orders.items():
            reservation = ledger.reservation(OrderId(order_id))
            assert reservation is not None
            assert (reservation.quantity_shares, yuan(reservation.cash_fen)) == (
                order.shares,
                order.cash,
            )
            assert (reservation.side is Side.BUY) == order.is_buy

    def next_order_id(self) -> OrderId:
        """Return an id that was never used."""
        self.order_count += 1
        return OrderId(f"order-{self.order_count:04d}")

    def action_of(self, instrument: int, notice: Notice) -> CorporateAction:
        """Return the notice as an action of today."""
        return CorporateAction(
            instrument,
            ex_date=_number(self.day),
            cash_e6=notice.cash_e6,
            bonus_e6=notice.bonus_e6,
            transfer_e6=notice.transfer_e6,
            rights_e6=notice.rights_e6,
            rights_price_e4=20_050 if notice.rights_e6 else 0,
            pay_date=_number(self.day + timedelta(days=notice.pay_days)),
            listing_date=_number(self.day + timedelta(days=notice.listing_days)),
            record_date=_number(self.day - timedelta(days=1)) if notice.is_recorded else 0,
        )

    def has_reference(self, action: CorporateAction) -> bool:
        """Tell whether the action leaves a price."""
        try:
            ex_rights_reference_e4(int(self.slow.marks[action.instrument] * 10_000), action)
        except InvariantError:
            return False
        return True


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
