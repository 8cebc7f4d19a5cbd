"""What can be asked of a ledger; nothing here changes it."""

from collections.abc import Collection, KeysView
from dataclasses import dataclass

from tidegate_common.domain.ids import AccountId, OrderId
from tidegate_common.domain.units import Int64Array, notional_fen
from tidegate_common.engine import JsonDict
from tidegate_common.ledger.books import Books
from tidegate_common.ledger.checks import check_books
from tidegate_common.ledger.dumps import dump_books
from tidegate_common.ledger.lots import Lot
from tidegate_common.ledger.reservations import Reservation
from tidegate_common.market.fees import Fees


@dataclass(frozen=True, slots=True)
class Holding:
    """What an account holds of one instrument.

    sellable_shares : what a new sell of today may freeze.
    frozen_shares : what open sells hold back.
    cost_fen : what the shares amounted to, fees excluded.
    mark_e4, value_fen : last mark, or last fill before the first one.
    lots : in order of age.
    """

    instrument: int
    quantity_shares: int
    sellable_shares: int
    frozen_shares: int
    cost_fen: int
    mark_e4: int
    value_fen: int
    lots: tuple[Lot, ...]


class LedgerQueries:
    """The books of one account, read only.

    Arrays are sorted by instrument, aligned with one another, and never change once returned.
    """

    def __init__(self, books: Books) -> None:
        self._books = books

    @property
    def account_id(self) -> AccountId:
        """The account."""
        return self._books.account_id

    @property
    def trade_date(self) -> int:
        """The day, YYYYMMDD; 0 before the first one."""
        return self._books.trade_date

    @property
    def initial_fen(self) -> int:
        """Cash that the account began with."""
        return self._books.initial_fen

    @property
    def cash_fen(self) -> int:
        """All cash, frozen or not."""
        return self._books.cash_fen

    @property
    def frozen_fen(self) -> int:
        """Cash that open orders hold back."""
        return self._books.reservations.frozen_fen

    @property
    def available_fen(self) -> int:
        """Cash for a new order: all cash less what is frozen and less tax that is due.

        Negative while open orders hold back what the tax would be paid from.
        """
        return self._books.available_fen

    @property
    def withdrawable_fen(self) -> int:
        """Cash that may leave the account today: available cash less the day's sale proceeds.

        What the day bought is taken to be paid from older cash: the conservative reading.
        """
        return max(0, self._books.available_fen - self._books.day_proceeds_fen)

    @property
    def receivable_fen(self) -> int:
        """Dividends between ex-date and pay date."""
        return self._books.receivable_fen

    @property
    def tax_payable_fen(self) -> int:
        """Dividend tax that is due and for which there was no free cash yet."""
        return self._books.tax_payable_fen

    @property
    def tax_paid_fen(self) -> int:
        """Dividend tax that left the cash."""
        return self._books.tax_paid_fen

    @property
    def fees(self) -> Fees:
        """Fees so far, by kind; dividend tax is none of them."""
        return self._books.fees

    @property
    def dividends_fen(self) -> int:
        """Cash dividends so far, before tax, from their ex-dates on."""
        return self._books.dividends_fen

    @property
    def realised_pnl_fen(self) -> int:
        """Proceeds of all sells less the FIFO cost of what they sold, before fees."""
        return self._books.realised_pnl_fen

    @property
    def unrealised_pnl_fen(self) -> int:
        """Value of the holdings less their cost."""
        return self.gross_fen - self.cost_fen

    @property
    def cost_fen(self) -> int:
        """Cost of all holdings, fees excluded."""
        return self._books.cost_fen

    @property
    def gross_fen(self) -> int:
        """Value of all holdings at the last mark."""
        return self._books.values.gross_fen

    @property
    def nav_fen(self) -> int:
        """Cash, receivables and holdings at the last mark, less tax that is due."""
        return self._books.nav_fen

    @property
    def opening_nav_fen(self) -> int:
        """NAV as the day began, at the last marks of the day before and after its taxes."""
        return self._books.opening_nav_fen

    @property
    def day_pnl_fen(self) -> int:
        """NAV less the day's opening NAV."""
        return self._books.nav_fen - self._books.opening_nav_fen

    @property
    def high_water_fen(self) -> int:
        """Highest NAV at a mark."""
        return self._books.high_water_fen

    @property
    def instruments(self) -> Int64Array:
        """Instruments held, (n,) int64, ascending."""
        return self._books.values.instruments

    @property
    def quantities(self) -> Int64Array:
        """Shares held, (n,) int64, > 0."""
        return self._books.values.quantities

    @property
    def marks_e4(self) -> Int64Array:
        """Last mark of each holding, (n,) int64; the last fill's price before the first mark."""
        return self._books.values.marks_e4

    @property
    def values_fen(self) -> Int64Array:
        """Value of each holding at its last mark, (n,) int64."""
        return self._books.values.values_fen

    @property
    def order_ids(self) -> tuple[OrderId, ...]:
        """Ids of the open orders, in order of acceptance."""
        return self._books.reservations.order_ids

    def reservation(self, order_id: OrderId) -> Reservation | None:
        """Return what an open order still holds back, None where none has that id."""
        return self._books.reservations.get(order_id)

    @property
    def known_instruments(self) -> KeysView[int]:
        """Instruments that are held, or were today."""
        return self._books.positions.keys()

    def quantity_shares(self, instrument: int) -> int:
        """Return the shares held of an instrument."""
        position = self._books.positions.get(instrument)
        return 0 if position is None else position.quantity_shares

    def frozen_shares(self, instrument: int) -> int:
        """Return the shares of an instrument that open sells hold back."""
        return self._books.reservations.shares_of(instrument).total_shares

    def sellable_shares(self, instrument: int, *, is_for_next_day: bool = False) -> int:
        """Return the shares that a new sell may freeze; one for tomorrow may count what unlocks."""
        return self._books.sellable_shares(instrument, is_for_next_day=is_for_next_day)

    @property
    def frozen_instruments(self) -> Collection[int]:
        """Instruments of which open sells hold back shares."""
        return self._books.reservations.frozen_instruments

    def holding_columns(self) -> tuple[list[int], ...]:
        """Return all that is held, sorted by instrument, in the order of `PositionState`.

        Instruments, shares, sellable shares, costs, marks and values.
        """
        books = self._books
        values, positions, frozen = books.values, books.positions, self.frozen_instruments
        instruments = values.instruments.tolist()
        held = [positions[instrument] for instrument in instruments]
        sellable_shares = [position.unlocked_shares for position in held]
        if frozen:
            for at, instrument in enumerate(instruments):
                if instrument in frozen:
                    sellable = books.sellable_shares(instrument, is_for_next_day=False)
                    sellable_shares[at] = sellable
        return (
            instruments,
            values.quantities.tolist(),
            sellable_shares,
            [position.cost_fen for position in held],
            values.marks_e4.tolist(),
            values.values_fen.tolist(),
        )

    @property
    def holdings(self) -> tuple[Holding, ...]:
        """All that is held, sorted by instrument."""
        values = self._books.values
        columns = values.instruments, values.quantities, values.marks_e4, values.values_fen
        return tuple(
            self._holding(
                instrument,
                quantity_shares=quantity_shares,
                mark_e4=mark_e4,
                value_fen=value_fen,
            )
            for instrument, quantity_shares, mark_e4, value_fen in zip(
                *(column.tolist() for column in columns),
                strict=True,
            )
        )

    def holding(self, instrument: int) -> Holding | None:
        """Return what is held of an instrument, None where nothing is."""
        quantity_shares = self.quantity_shares(instrument)
        if quantity_shares == 0:
            return None
        mark_e4 = self._books.values.mark_of(instrument)
        return self._holding(
            instrument,
            quantity_shares=quantity_shares,
            mark_e4=mark_e4,
            value_fen=notional_fen(mark_e4, quantity_shares),
        )

    def dump(self) -> JsonDict:
        """Return the whole memory as JSON-ready values."""
        return dump_books(self._books)

    def check(self) -> None:
        """Verify every invariant of the books; see `checks.check_books`.

        Raises
        ------
        LedgerError
            Naming all that do not hold.
        """
        check_books(self._books)

    def _holding(
        self,
        instrument: int,
        *,
        quantity_shares: int,
        mark_e4: int,
        value_fen: int,
    ) -> Holding:
        position = self._books.positions[instrument]
        return Holding(
            instrument=instrument,
            quantity_shares=quantity_shares,
            sellable_shares=self.sellable_shares(instrument),
            frozen_shares=self.frozen_shares(instrument),
            cost_fen=position.cost_fen,
            mark_e4=mark_e4,
            value_fen=value_fen,
            lots=tuple(position.lots),
        )
