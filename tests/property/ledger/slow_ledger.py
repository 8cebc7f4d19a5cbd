"""A ledger that is slow and plain: every share is an object, every cash flow a line of a journal.

It shares no data structure with the real one. Money is `Decimal` yuan; sums are taken anew at each
question. Rates of the dividend tax and reference prices are the rule book's, which has tests of its
own.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from tidegate_common.market.corporate_actions import CorporateAction, ex_rights_reference_e4
from tidegate_common.market.dividend_tax import dividend_tax_rate_bps
from tidegate_common.market.fees import Fees

FEN = Decimal("0.01")
MILLION = Decimal(1_000_000)


def yuan(fen: int) -> Decimal:
    """Return fen as yuan."""
    return Decimal(fen) / 100


def to_fen(amount: Decimal) -> Decimal:
    """Round half up to the fen."""
    return amount.quantize(FEN, ROUND_HALF_UP)


@dataclass
class Purchase:
    """What shares cost together: what is left of it."""

    cost: Decimal


@dataclass
class Share:
    """One share that can be traded."""

    purchase: Purchase
    sellable_from: int


@dataclass
class Registered:
    """One share as the registrar knows it, with the dividends that it took."""

    acquired: int
    dividends: list[tuple[int, Decimal]] = field(default_factory=list)


@dataclass
class Order:
    """What an open order may still do and cost."""

    instrument: int
    is_buy: bool
    shares: int
    cash: Decimal
    is_late: bool
    has_same_day_resale: bool


@dataclass
class SlowLedger:
    """One account's truth."""

    cash_at_start: Decimal
    today: int
    journal: list[tuple[str, Decimal]] = field(default_factory=list)
    # Pay date and amount.
    promised: list[tuple[int, Decimal]] = field(default_factory=list)
    income: Decimal = Decimal(0)
    realised: Decimal = Decimal(0)
    tax_charged: Decimal = Decimal(0)
    orders: dict[str, Order] = field(default_factory=dict)
    shares: defaultdict[int, list[Share]] = field(default_factory=lambda: defaultdict(list))
    register: defaultdict[int, list[Registered]] = field(default_factory=lambda: defaultdict(list))
    bought_less_sold: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    marks: dict[int, Decimal] = field(default_factory=dict)
    never_marked: set[int] = field(default_factory=set)
    proceeds_today: Decimal = Decimal(0)
    opening_nav: Decimal = Decimal(0)
    high_water: Decimal = Decimal(0)

    # --- questions ----------------------------------------------------------------------------

    def flow(self, kind: str) -> Decimal:
        """Return what went out under a heading."""
        return -sum((amount for name, amount in self.journal if name == kind), Decimal(0))

    @property
    def cash(self) -> Decimal:
        """All cash."""
        return self.cash_at_start + sum((amount for _, amount in self.journal), Decimal(0))

    @property
    def frozen(self) -> Decimal:
        """Cash of open orders."""
        return sum((order.cash for order in self.orders.values()), Decimal(0))

    @property
    def tax_due(self) -> Decimal:
        """Tax charged and not paid."""
        return self.tax_charged - self.flow("tax")

    @property
    def available(self) -> Decimal:
        """Cash for new orders."""
        return self.cash - self.frozen - self.tax_due

    @property
    def receivable(self) -> Decimal:
        """Dividends to come."""
        return sum((amount for _, amount in self.promised), Decimal(0))

    def cost(self, instrument: int) -> Decimal:
        """Cost of what is held."""
        purchases = {id(share.purchase): share.purchase for share in self.shares[instrument]}
        return sum((purchase.cost for purchase in purchases.values()), Decimal(0))

    def value(self, instrument: int) -> Decimal:
        """Value of what is held."""
        count = len(self.shares[instrument])
        return to_fen(self.marks[instrument] * count) if count else Decimal(0)

    @property
    def held(self) -> list[int]:
        """Instruments held, ascending."""
        return sorted(instrument for instrument, shares in self.shares.items() if shares)

    @property
    def nav(self) -> Decimal:
        """Net asset value."""
        gross = sum((self.value(instrument) for instrument in self.held), Decimal(0))
        return self.cash + self.receivable + gross - self.tax_due

    def frozen_shares(self, instrument: int, *, only_today: bool = False) -> int:
        """Shares that open sells hold back."""
        return sum(
            order.shares
            for order in self.orders.values()
            if order.instrument == instrument
            and not order.is_buy
            and not (only_today and order.is_late)
        )

    def unlocked(self, instrument: int, day: int) -> int:
        """Shares that may be sold on a day."""
        return sum(share.sellable_from <= day for share in self.shares[instrument])

    def sellable(self, instrument: int, *, is_late: bool) -> int:
        """Shares that a new sell may hold back."""
        tomorrow = self.unlocked(instrument, self.today + 1) - self.frozen_shares(instrument)
        if is_late:
            return tomorrow
        frozen = self.frozen_shares(instrument, only_today=True)
        return min(tomorrow, self.unlocked(instrument, self.today) - frozen)

    # --- deeds --------------------------------------------------------------------------------

    def end_order(self, order_id: str) -> None:
        """Forget an order."""
        del self.orders[order_id]
        self.pay_tax()

    def fill(self, order_id: str, shares: int, amount: Decimal, fees: Fees) -> None:
        """Trade."""
        order = self.orders[order_id]
        instrument = order.instrument
        direction = -1 if order.is_buy else 1
        self.journal.append(("trade", direction * amount))
        self.journal.append(("commission", -yuan(fees.commission_fen)))
        self.journal.append(("stamp_duty", -yuan(fees.stamp_duty_fen)))
        self.journal.append(("transfer_fee", -yuan(fees.transfer_fee_fen)))
        self.journal.append(("handling_fee", -yuan(fees.handling_fee_fen)))
        self.journal.append(("regulatory_fee", -yuan(fees.regulatory_fee_fen)))
        net = direction * amount - yuan(fees.total_fen)
        order.cash -= min(order.cash, max(Decimal(0), -net))
        order.shares -= shares
        self.bought_less_sold[instrument] -= direction * shares
        if not self.shares[instrument]:
            self.never_marked.add(instrument)
        if order.is_buy:
            first_day = self.today if order.has_same_day_resale else self.today + 1
            purchase = Purchase(amount)
            self.shares[instrument] += [Share(purchase, first_day) for _ in range(shares)]
        else:
            self.realised += amount - self.give_up(instrument, shares)
            self.proceeds_today += max(Decimal(0), net)
        if instrument in self.never_marked:
            price = amount / shares
            self.marks[instrument] = price.quantize(Decimal("0.0001"), ROUND_HALF_UP)
        self.pay_tax()

    def give_up(self, instrument: int, count: int) -> Decimal:
        """Hand over the oldest shares that may be sold; return what they cost."""
        held = self.shares[instrument]
        gone = [share for share in held if share.sellable_from <= self.today][:count]
        cost = Decimal(0)
        for purchase in {id(share.purchase): share.purchase for share in gone}.values():
            of_it = [share for share in held if share.purchase is purchase]
            leaving = [share for share in gone if share.purchase is purchase]
            part = to_fen(purchase.cost * len(leaving) / len(of_it))
            purchase.cost -= part
            cost += part
        going = {id(share) for share in gone}
        self.shares[instrument] = [share for share in held if id(share) not in going]
        return cost

    def mark(self, prices: dict[int, Decimal]) -> None:
        """Value what is held."""
        for instrument, price in prices.items():
            if price:
                self.marks[instrument] = price
                self.never_marked.discard(instrument)
        self.high_water = max(self.high_water, self.nav)

    def apply(self, action: CorporateAction, *, subscribed: int) -> None:
        """Book an action; every share asks what it gets."""
        instrument = action.instrument
        old = self.shares[instrument]
        if not old:
            return
        cash = to_fen(len(old) * Decimal(action.cash_e6) / MILLION)
        self.income += cash
        self.promised.append((action.pay_date or action.ex_date, cash))
        taxable = (action.cash_e6 + action.bonus_e6) / MILLION
        for registered in self.register[instrument]:
            registered.dividends.append((action.record_date or action.ex_date, taxable))
        new = int(len(old) * Decimal(action.bonus_e6) / MILLION)
        new += int(len(old) * Decimal(action.transfer_e6) / MILLION)
        listing_date = action.listing_date or action.ex_date
        self.shares[instrument] = self.with_new_shares(old, new, listing_date)
        if subscribed:
            cost = to_fen(subscribed * Decimal(action.rights_price_e4) / 10_000)
            self.journal.append(("rights", -cost))
            purchase = Purchase(cost)
            self.shares[instrument] += [Share(purchase, listing_date) for _ in range(subscribed)]
        self.register[instrument] += [Registered(self.today) for _ in range(new + subscribed)]
        mark_e4 = int(self.marks[instrument] * 10_000)
        self.marks[instrument] = Decimal(ex_rights_reference_e4(mark_e4, action)) / 10_000
        self.collect()

    def with_new_shares(self, old: list[Share], new: int, listing_date: int) -> list[Share]:
        """Return the shares with new ones behind those of each lot."""
        lots: list[list[Share]] = []
        for share in old:
            last = lots[-1][0] if lots else None
            is_same = last is not None and last.purchase is share.purchase
            if is_same and lots[-1][0].sellable_from == share.sellable_from:
                lots[-1].append(share)
            else:
                lots.append([share])
        gifts = [len(lot) * new // len(old) for lot in lots]
        for index in range(new - sum(gifts)):
            gifts[index] += 1
        grown: list[Share] = []
        for lot, gift in zip(lots, gifts, strict=True):
            grown += [*lot, *self.gift_of(lot, gift, listing_date)]
        return grown

    def gift_of(self, lot: list[Share], gift: int, listing_date: int) -> list[Share]:
        """Return a lot's new shares, which share its cost; those that wait have a part apart."""
        purchase, sellable_from = lot[0].purchase, lot[0].sellable_from
        if gift == 0 or listing_date <= max(sellable_from, self.today):
            return [Share(purchase, sellable_from) for _ in range(gift)]
        kept = to_fen(purchase.cost * len(lot) / (len(lot) + gift))
        apart = Purchase(purchase.cost - kept)
        purchase.cost = kept
        return [Share(apart, listing_date) for _ in range(gift)]

    def roll(self, day: int) -> None:
        """End the day."""
        self.opening_nav = self.nav
        for instrument, change in self.bought_less_sold.items():
            registered = self.register[instrument]
            tax = Decimal(0)
            for share in registered[: max(0, -change)]:
                for dividend_date, taxable in share.dividends:
                    rate_bps = dividend_tax_rate_bps(
                        acquired=share.acquired,
                        sold=self.today,
                        dividend_date=dividend_date,
                    )
                    tax += taxable * rate_bps / 10_000
            self.tax_charged += to_fen(tax)
            del registered[: max(0, -change)]
            registered += [Registered(self.today) for _ in range(change)]
        self.bought_less_sold.clear()
        self.proceeds_today = Decimal(0)
        self.today = day
        for order in self.orders.values():
            order.is_late = False
        self.collect()

    def collect(self) -> None:
        """Take the dividends that are due."""
        for pay_date, amount in self.promised:
            if pay_date <= self.today:
                self.journal.append(("dividend", amount))
        self.promised = [promise for promise in self.promised if promise[0] > self.today]
        self.pay_tax()

    def pay_tax(self) -> None:
        """Pay what is due from cash that no order holds back."""
        self.journal.append(("tax", -min(self.tax_due, self.cash - self.frozen)))
