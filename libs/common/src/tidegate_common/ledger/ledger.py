"""The ledger of one account: cash, lots, reservations, P&L and taxes, in whole fen and shares.

- An accepted order freezes: a buy the cash that it can cost at most, a sell its shares and what its
  fees may exceed its proceeds by. A fill spends what its order froze, then available cash; the
  order's end, however it came, is `unfreeze`.
- Shares that were bought today are sellable tomorrow (T+1), except products of same-day resale.
  Sells consume the oldest sellable lots.
- Proceeds of a sell can be spent at once and withdrawn tomorrow.
- Dividend tax is charged when the day rolls, on the day's net sales. What is due is paid as soon as
  cash that no order holds back allows, and blocks available cash until then.
- Costs and realised P&L exclude fees. To the fen, always: cash + receivables + cost of holdings
  + fees of all kinds + dividend tax paid = initial cash + realised P&L + dividends.

An operation that would break an invariant raises `LedgerError` and changes nothing.
"""

from collections.abc import Iterable

import numpy as np
from msgspec.structs import replace

from tidegate_common.domain.enums import BookingKind, Side
from tidegate_common.domain.ids import AccountId, OrderId
from tidegate_common.domain.units import PRICE_E4_PER_FEN, Int64Array, divide_half_up, notional_fen
from tidegate_common.engine import JsonDict
from tidegate_common.errors import InvariantError
from tidegate_common.ledger.booked import Booked, taxed
from tidegate_common.ledger.books import Books, Position, Receivable
from tidegate_common.ledger.dumps import load_books
from tidegate_common.ledger.errors import LedgerError
from tidegate_common.ledger.guards import (
    refuse,
    refuse_new,
    require_available,
    require_date,
    require_ex_date,
    require_fillable,
    require_no_negative,
    require_open,
    require_sellable,
)
from tidegate_common.ledger.lots import Lot, spread, take
from tidegate_common.ledger.queries import LedgerQueries
from tidegate_common.ledger.reservations import Reservation
from tidegate_common.ledger.taxation import Dividend, TaxLot, credit, settle
from tidegate_common.market.corporate_actions import (
    CorporateAction,
    HoldingEffect,
    ex_rights_reference_e4,
    holding_effect,
)
from tidegate_common.market.dividend_tax import taxable_e6_per_share
from tidegate_common.market.fees import NO_FEES, Fees

_SELL = Side.SELL


class Ledger(LedgerQueries):
    """The books of one account.

    Parameters
    ----------
    account_id : named in every error.
    cash_fen : what the account begins with, >= 0.
    trade_date : YYYYMMDD; 0 before the first day, when nothing can trade.

    Raises
    ------
    LedgerError
        If the cash is negative or the date is none.
    """

    def __init__(self, account_id: AccountId, *, cash_fen: int, trade_date: int = 0) -> None:
        super().__init__(
            Books(
                account_id=account_id,
                initial_fen=cash_fen,
                trade_date=trade_date,
                cash_fen=cash_fen,
                opening_nav_fen=cash_fen,
                high_water_fen=cash_fen,
                fees=NO_FEES,
            ),
        )
        if cash_fen < 0:
            refuse(self._books, f"cash_fen must be >= 0, was {cash_fen}")
        if trade_date != 0:
            require_date(self._books, trade_date)

    # --- orders -------------------------------------------------------------------------------

    def freeze_buy(
        self,
        order_id: OrderId,
        instrument: int,
        *,
        quantity_shares: int,
        cash_fen: int,
        has_same_day_resale: bool = False,
    ) -> None:
        """Hold back what an accepted buy can cost, fees included.

        Parameters
        ----------
        quantity_shares : > 0.
        cash_fen : >= 0; less than the fills cost is made up for from available cash.
        has_same_day_resale : what is bought may be sold today.

        Raises
        ------
        LedgerError
            If the order is open already, or available cash is short.
        """
        order = Reservation(
            order_id,
            instrument,
            Side.BUY,
            quantity_shares=quantity_shares,
            cash_fen=cash_fen,
            has_same_day_resale=has_same_day_resale,
        )
        self.freeze_many((order,))

    def freeze_sell(
        self,
        order_id: OrderId,
        instrument: int,
        *,
        quantity_shares: int,
        cash_fen: int = 0,
        is_for_next_day: bool = False,
    ) -> None:
        """Hold back the shares of an accepted sell, and what its fees may cost beyond proceeds.

        Parameters
        ----------
        quantity_shares : > 0.
        cash_fen : >= 0, what a minimum commission may exceed the least fill by.
        is_for_next_day : accepted after the close: may hold what T+1 unlocks tomorrow, and
            fills only after the day rolled.

        Raises
        ------
        LedgerError
            If the order is open already, or sellable shares or available cash are short.
        """
        order = Reservation(
            order_id,
            instrument,
            Side.SELL,
            quantity_shares=quantity_shares,
            cash_fen=cash_fen,
            is_for_next_day=is_for_next_day,
        )
        self.freeze_many((order,))

    def freeze_many(self, reservations: Iterable[Reservation]) -> None:
        """Hold back what several accepted orders need, in their order; of all or of none.

        Raises
        ------
        LedgerError
            As `freeze_buy` and `freeze_sell`.
        """
        books, taken = self._books, self._books.reservations
        open_orders, add = taken.by_order, taken.add
        held: list[OrderId] = []
        left_fen = max(0, books.available_fen)
        try:
            for order in reservations:
                order_id, cash_fen = order.order_id, order.cash_fen
                if order_id in open_orders or order.quantity_shares <= 0 or cash_fen < 0:
                    refuse_new(books, order)
                if order.side is _SELL:
                    require_sellable(books, order)
                if cash_fen > left_fen:
                    require_available(books, cash_fen, f"order_id={order_id}")
                add(order)
                held.append(order_id)
                left_fen -= cash_fen
        except LedgerError:
            for order_id in held:
                taken.remove(order_id)
            raise

    def unfreeze(self, order_id: OrderId) -> None:
        """Release what an order still holds back, at its end.

        Raises
        ------
        LedgerError
            If the order is not open.
        """
        require_open(self._books, order_id)
        self._books.reservations.remove(order_id)
        self._books.pay_tax()

    def fill(
        self,
        order_id: OrderId,
        *,
        quantity_shares: int,
        amount_fen: int,
        fees: Fees,
    ) -> None:
        """Book a trade of an open order; instrument and side are those of its reservation.

        Cash that the trade takes comes from what the order froze, then from available cash.

        Parameters
        ----------
        quantity_shares : > 0, at most what is left of the order.
        amount_fen : turnover, >= 0.
        fees : of this fill alone, no item negative.

        Raises
        ------
        LedgerError
            If the order cannot trade so, or cash is short.
        """
        books = self._books
        order = require_open(books, order_id)
        require_fillable(books, order, quantity_shares)
        require_no_negative(books, amount_fen=amount_fen, fees=fees)
        sign = -1 if order.side is Side.BUY else 1
        change_fen = sign * amount_fen - fees.total_fen
        rest = self._spend(order, quantity_shares=quantity_shares, change_fen=change_fen)
        position = books.positions.setdefault(order.instrument, Position())
        if order.side is Side.BUY:
            position.lots.append(self._bought_lot(order, quantity_shares, amount_fen))
        else:
            self._sell_lots(position, quantity_shares, amount_fen)
            books.day_proceeds_fen += max(0, change_fen)
        position.count(books.trade_date)
        books.reservations.put(rest)
        books.cash_fen += change_fen
        books.fees += fees
        position.day_change_shares -= sign * quantity_shares
        position.traded_on = books.trade_date
        books.values.trade(
            order.instrument,
            quantity_shares=position.quantity_shares,
            price_e4=divide_half_up(amount_fen * PRICE_E4_PER_FEN, quantity_shares),
        )
        books.pay_tax()

    # --- the day ------------------------------------------------------------------------------

    def mark(self, mark_e4: Int64Array) -> None:
        """Value the holdings, and move the high-water mark.

        Parameters
        ----------
        mark_e4 : (n,) int64, >= 0, aligned with `instruments`; 0 is no price and keeps the
            last mark. What was never marked is valued at its last fill.

        Raises
        ------
        LedgerError
            If the shape differs or a mark is negative.
        """
        books = self._books
        expected = books.values.instruments.shape
        if mark_e4.shape != expected or np.count_nonzero(mark_e4 < 0):
            marks = mark_e4.tolist()
            refuse(books, f"mark_e4 must be >= 0 and of shape {expected}, was {marks}")
        books.values.mark(mark_e4)
        books.high_water_fen = max(books.high_water_fen, books.nav_fen)

    def apply_action(
        self,
        action: CorporateAction,
        *,
        subscribed_shares: int = 0,
        tick_e4: int = PRICE_E4_PER_FEN,
    ) -> tuple[Booked, ...]:
        """Book what a corporate action gives, on its ex-date before the instrument trades.

        The last mark becomes its ex-rights reference, so that the NAV does not jump before the
        first mark of the day. What is not held gets nothing, and that is no error.

        Parameters
        ----------
        subscribed_shares : rights taken up, paid for now.
        tick_e4 : price tick of the instrument, 1/10,000 CNY.

        Returns
        -------
        What was booked: the claim, the shares, the rights that lapse, and what is paid at once.

        Raises
        ------
        LedgerError
            If the ledger's day is not the ex-date, the instrument traded or went ex today, more
            rights are taken up than there are, or available cash is short.
        """
        books = self._books
        position = books.positions.get(action.instrument, Position())
        require_ex_date(books, action, position)
        effect = holding_effect(action, position.quantity_shares)
        if not 0 <= subscribed_shares <= effect.rights_shares_max:
            refuse(
                books,
                f"subscribed_shares must be 0 to {effect.rights_shares_max}, was "
                f"{subscribed_shares} (instrument={action.instrument})",
            )
        paid_fen = notional_fen(action.rights_price_e4, subscribed_shares)
        require_available(books, paid_fen, f"rights of instrument={action.instrument}")
        held_shares = position.quantity_shares
        if held_shares == 0:
            return ()
        mark_e4 = self._ex_mark_e4(action, tick_e4)
        new_shares = effect.bonus_shares + effect.transfer_shares
        self._grow(position, action, new_shares=new_shares, subscribed_shares=subscribed_shares)
        position.count(books.trade_date)
        books.cash_fen -= paid_fen
        books.dividends_fen += effect.cash_fen
        books.values.put(
            action.instrument,
            quantity_shares=position.quantity_shares,
            mark_e4=mark_e4,
        )
        receivable = Receivable(action.paid_on, action.instrument, effect.cash_fen)
        came = books.collect([*books.receivables, *([receivable] if effect.cash_fen else [])])
        return (*_given(action, effect, held_shares, subscribed_shares=subscribed_shares), *came)

    def roll_day(self, trade_date: int) -> tuple[Booked, ...]:
        """End the day and begin the next one.

        In this order: the NAV becomes the opening NAV, the ended day's net sales are taxed,
        receivables fall due, T+1 unlocks, and tomorrow's orders become today's. So the tax falls
        in the new day's P&L, and the P&L of all days adds up to the change of the NAV.

        Parameters
        ----------
        trade_date : YYYYMMDD, later than the ledger's day.

        Returns
        -------
        The taxes that were charged, then the dividends that came.

        Raises
        ------
        LedgerError
            If the date is none or does not grow.
        """
        books = self._books
        require_date(books, trade_date)
        if trade_date <= books.trade_date:
            refuse(books, f"trade_date must be after {books.trade_date}, was {trade_date}")
        books.opening_nav_fen = books.nav_fen
        settled = [
            settle(held.tax_lots, held.day_change_shares, trade_date=books.trade_date)
            for held in books.positions.values()
        ]
        taxes: list[Booked] = []
        for (instrument, held), (tax_lots, tax_fen) in zip(
            books.positions.items(), settled, strict=True
        ):
            held.tax_lots = tax_lots
            held.day_change_shares = 0
            books.tax_payable_fen += tax_fen
            if tax_fen:
                taxes.append(taxed(instrument, tax_fen))
        books.positions = {number: held for number, held in books.positions.items() if held.lots}
        books.trade_date = trade_date
        for held in books.positions.values():
            held.count(trade_date)
        books.day_proceeds_fen = 0
        books.reservations.begin_day()
        return (*taxes, *books.collect(books.receivables))

    # --- memory -------------------------------------------------------------------------------

    @classmethod
    def load(cls, values: JsonDict) -> "Ledger":
        """Return the ledger that `dump` wrote down.

        Raises
        ------
        LedgerError
            If the dump breaks an invariant.
        """
        ledger = cls.__new__(cls)
        LedgerQueries.__init__(ledger, load_books(values))
        ledger.check()
        return ledger

    # --- parts of operations ------------------------------------------------------------------

    def _spend(
        self,
        order: Reservation,
        *,
        quantity_shares: int,
        change_fen: int,
    ) -> Reservation:
        """Return what is left of an order after a fill that changes the cash so."""
        from_order_fen = min(order.cash_fen, max(0, -change_fen))
        beyond_fen = -change_fen - from_order_fen
        require_available(self._books, beyond_fen, f"order_id={order.order_id}")
        return replace(
            order,
            quantity_shares=order.quantity_shares - quantity_shares,
            cash_fen=order.cash_fen - from_order_fen,
        )

    def _bought_lot(self, order: Reservation, quantity_shares: int, amount_fen: int) -> Lot:
        today = self.trade_date
        sellable_from = today if order.has_same_day_resale else today + 1
        return Lot(today, sellable_from, quantity_shares, amount_fen)

    def _sell_lots(self, position: Position, quantity_shares: int, amount_fen: int) -> None:
        position.lots, cost_fen = take(
            position.lots,
            quantity_shares,
            trade_date=self.trade_date,
        )
        self._books.realised_pnl_fen += amount_fen - cost_fen

    def _ex_mark_e4(self, action: CorporateAction, tick_e4: int) -> int:
        mark_e4 = self._books.values.mark_of(action.instrument)
        try:
            return ex_rights_reference_e4(mark_e4, action, tick_e4=tick_e4)
        except InvariantError as error:
            refuse(self._books, str(error), cause=error)

    def _grow(
        self,
        position: Position,
        action: CorporateAction,
        *,
        new_shares: int,
        subscribed_shares: int,
    ) -> None:
        today = self.trade_date
        position.acted_on = today
        position.lots = spread(
            position.lots,
            new_shares,
            trade_date=today,
            listing_date=action.listed_on,
        )
        if subscribed_shares:
            cost_fen = notional_fen(action.rights_price_e4, subscribed_shares)
            position.lots.append(Lot(today, action.listed_on, subscribed_shares, cost_fen))
        dividend = Dividend(action.dividend_date, taxable_e6_per_share(action))
        position.tax_lots = credit(position.tax_lots, dividend)
        if new_shares + subscribed_shares:
            position.tax_lots.append(TaxLot(today, new_shares + subscribed_shares))


def _given(
    action: CorporateAction,
    effect: HoldingEffect,
    held_shares: int,
    *,
    subscribed_shares: int,
) -> list[Booked]:
    """Return what an action gave to a holding, and what it let go."""
    new_shares = effect.bonus_shares + effect.transfer_shares
    lapsed_shares = effect.rights_shares_max - subscribed_shares
    instrument = action.instrument
    given: list[Booked] = []
    if effect.cash_fen:
        claim = Booked(
            BookingKind.DIVIDEND_CLAIM,
            instrument,
            cash_fen=effect.cash_fen,
            held_shares=held_shares,
            effective_date=action.paid_on,
        )
        given.append(claim)
    for kind, shares, day in (
        (BookingKind.NEW_SHARES, new_shares, action.listed_on),
        (BookingKind.RIGHTS_LAPSED, lapsed_shares, 0),
    ):
        if shares:
            booked = Booked(
                kind,
                instrument,
                quantity_shares=shares,
                held_shares=held_shares,
                effective_date=day,
            )
            given.append(booked)
    return given
