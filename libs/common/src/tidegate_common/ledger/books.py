"""The numbers of one account, and what can be read off them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tidegate_common.domain.ids import AccountId
from tidegate_common.ledger.booked import Booked, paid
from tidegate_common.ledger.lots import Lot, total_cost_fen, total_shares, unlocked_shares
from tidegate_common.ledger.reservations import Reservations
from tidegate_common.ledger.taxation import TaxLot
from tidegate_common.ledger.values import Values
from tidegate_common.market.fees import Fees


@dataclass(frozen=True, slots=True)
class Receivable:
    """A dividend between its ex-date and its pay date."""

    pay_date: int
    instrument: int
    cash_fen: int


@dataclass(slots=True)
class Position:
    """Shares of one instrument.

    lots, tax_lots : what was bought, fill by fill; what is registered, day by day.
    day_change_shares : bought less sold on this day; not in the tax lots before the day rolls.
    traded_on, acted_on : last day with a fill, and last ex-date applied; 0 before the first.
    quantity_shares, cost_fen : held, and what they amounted to, fees excluded.
    unlocked_shares, unlocking_shares : of them, may be sold today, and by tomorrow.

    The last four are what `count` found in the lots.
    """

    lots: list[Lot] = field(default_factory=list)
    tax_lots: list[TaxLot] = field(default_factory=list)
    day_change_shares: int = 0
    traded_on: int = 0
    acted_on: int = 0
    quantity_shares: int = field(default=0, init=False)
    cost_fen: int = field(default=0, init=False)
    unlocked_shares: int = field(default=0, init=False)
    unlocking_shares: int = field(default=0, init=False)

    def count(self, trade_date: int) -> None:
        """Count the lots on a day, after they or the day have changed.

        What unlocks tomorrow is compared with the day's number plus one; across the end of a month
        or a weekend a listing date on the next trading day is then read as later: it refuses,
        never sells too early.
        """
        lots = self.lots
        self.quantity_shares = total_shares(lots)
        self.cost_fen = total_cost_fen(lots)
        self.unlocked_shares = unlocked_shares(lots, trade_date=trade_date)
        self.unlocking_shares = unlocked_shares(lots, trade_date=trade_date + 1)


@dataclass(slots=True)
class Books:
    """Everything that a ledger remembers.

    initial_fen : cash that the account began with.
    tax_payable_fen, tax_paid_fen : dividend tax that is due, and that left the cash.
    day_proceeds_fen : net proceeds of the day's sells.
    """

    account_id: AccountId
    initial_fen: int
    trade_date: int
    cash_fen: int
    opening_nav_fen: int
    high_water_fen: int
    fees: Fees
    realised_pnl_fen: int = 0
    dividends_fen: int = 0
    tax_payable_fen: int = 0
    tax_paid_fen: int = 0
    day_proceeds_fen: int = 0
    receivables: list[Receivable] = field(default_factory=list)
    positions: dict[int, Position] = field(default_factory=dict)
    reservations: Reservations = field(default_factory=Reservations)
    values: Values = field(default_factory=Values)

    @property
    def available_fen(self) -> int:
        """Cash for a new order; negative while open orders hold back what tax is due from."""
        return self.cash_fen - self.reservations.frozen_fen - self.tax_payable_fen

    @property
    def receivable_fen(self) -> int:
        """Dividends to come."""
        return sum(receivable.cash_fen for receivable in self.receivables)

    @property
    def nav_fen(self) -> int:
        """Net asset value at the last mark."""
        assets_fen = self.cash_fen + self.values.gross_fen - self.tax_payable_fen
        return assets_fen + self.receivable_fen if self.receivables else assets_fen

    @property
    def cost_fen(self) -> int:
        """Cost of all holdings."""
        return sum(position.cost_fen for position in self.positions.values())

    def sellable_shares(self, instrument: int, *, is_for_next_day: bool) -> int:
        """Return the shares that a new sell may freeze.

        Today's orders share what is unlocked today, all orders what is unlocked by tomorrow.
        """
        position = self.positions.get(instrument)
        if position is None:
            return 0
        frozen = self.reservations.shares_of(instrument)
        free_tomorrow = position.unlocking_shares - frozen.total_shares
        if is_for_next_day:
            return free_tomorrow
        free_today = position.unlocked_shares - frozen.total_shares + frozen.next_day_shares
        return min(free_tomorrow, free_today)

    def pay_tax(self) -> None:
        """Pay the tax that is due, as far as cash that no order holds back allows."""
        paid_fen = min(self.tax_payable_fen, self.cash_fen - self.reservations.frozen_fen)
        self.tax_payable_fen -= paid_fen
        self.tax_paid_fen += paid_fen
        self.cash_fen -= paid_fen

    def collect(self, receivables: Iterable[Receivable]) -> list[Booked]:
        """Turn the receivables that are due on the books' day into cash, and keep the others.

        Returns what came.
        """
        known = list(receivables)
        due = [each for each in known if each.pay_date <= self.trade_date]
        self.receivables = [each for each in known if each.pay_date > self.trade_date]
        self.cash_fen += sum(each.cash_fen for each in due)
        self.pay_tax()
        return [paid(each.instrument, each.cash_fen) for each in due]
