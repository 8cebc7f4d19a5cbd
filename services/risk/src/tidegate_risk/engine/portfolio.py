"""One account's books: cash, holdings, open orders and what they hold back.

- Cash is frozen when an order is accepted: for a buy what it can cost at most, fees included; for
  a sell what its fees can exceed its proceeds by (a minimum commission on a tiny fill).
- A fill spends from what its order froze; the order's end gives back the rest.
- Shares bought today are locked until the day rolls (T+1); open sells freeze shares.
- What the exchange says and the books cannot follow (a fill of no open order, shares that do not
  add up, a buy dearer than its bound) halts the account: from there on its state is in doubt.
"""

from dataclasses import asdict, astuple, dataclass
from typing import TypedDict, cast

import numpy as np

from tidegate_common.domain.enums import AccountState, Side
from tidegate_common.domain.ids import AccountId, OrderId, RequestId
from tidegate_common.domain.units import Int64Array, divide_half_up, notional_fen, notionals_fen
from tidegate_common.engine import JsonDict
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.events.portfolio import EquityPoint, PortfolioState, PositionState
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.market.settlement import is_t_plus_one
from tidegate_risk.engine.state import Market

# A repeat of a request comes within seconds; so many ids of one account reach back far longer.
REQUEST_IDS_MAX = 10_000

# A strategy and an instrument.
Interest = tuple[str, int]


@dataclass(slots=True)
class Holding:
    """Shares of one instrument.

    locked_shares : bought today, not to be sold before tomorrow.
    frozen_shares : promised to open sell orders.
    cost_fen : what the shares cost, buy fees included.
    """

    quantity_shares: int = 0
    locked_shares: int = 0
    frozen_shares: int = 0
    cost_fen: int = 0


@dataclass(slots=True)
class OpenOrder:
    """An order that the exchange has, or will have with the next beat.

    bound_price_e4 : worst price that it can trade at; values what is still open.
    bound_fen : cash that it froze when it was accepted.
    spent_fen : what its buys cost so far, fees included.
    is_from_score : made by a strategy, not by a request.
    cancel_beat : beat of the last cancel sent for it, -1 before the first.
    """

    order_id: OrderId
    beat: int
    instrument: int
    side: Side
    bound_price_e4: int
    quantity_shares: int
    bound_fen: int
    is_from_score: bool
    filled_shares: int = 0
    spent_fen: int = 0
    cancel_beat: int = -1

    @property
    def leaves_shares(self) -> int:
        """Shares that may still trade."""
        return self.quantity_shares - self.filled_shares

    @property
    def frozen_fen(self) -> int:
        """Cash that it still holds back."""
        return max(0, self.bound_fen - self.spent_fen)

    @property
    def exposure_fen(self) -> int:
        """What a buy may still add to the portfolio."""
        return notional_fen(self.bound_price_e4, self.leaves_shares)


@dataclass(slots=True)
class Books:
    """The numbers of an account.

    is_loss_latched, is_drawdown_latched : the limit was breached; buys wait for the next day,
        or for a person.
    """

    cash_fen: int
    nav_fen: int
    opening_nav_fen: int
    high_water_fen: int
    frozen_fen: int = 0
    realised_pnl_fen: int = 0
    fees_fen: int = 0
    is_halted: bool = False
    is_loss_latched: bool = False
    is_drawdown_latched: bool = False

    @property
    def available_fen(self) -> int:
        """Cash that no open order holds back."""
        return self.cash_fen - self.frozen_fen

    @property
    def state(self) -> AccountState:
        """What the account may do."""
        if self.is_halted:
            return AccountState.HALTED
        if self.is_loss_latched or self.is_drawdown_latched:
            return AccountState.REDUCING
        return AccountState.ACTIVE


class _Dump(TypedDict):
    books: dict[str, int]
    holdings: list[list[int]]
    orders: list[list[object]]
    decided: list[tuple[str, int, int]]
    requests: list[RequestId]


class Account:
    """The books of one account and the memory that its decisions need.

    decided : beat of the last decision for a strategy's interest in an instrument.
    requests : ids seen, oldest first.
    buying_fen : exposure of open buys by instrument.
    is_changed : books changed in this beat.
    """

    def __init__(self, account_id: AccountId, cash_fen: int) -> None:
        self.account_id = account_id
        self.books = Books(
            cash_fen=cash_fen,
            nav_fen=cash_fen,
            opening_nav_fen=cash_fen,
            high_water_fen=cash_fen,
        )
        self.holdings: dict[int, Holding] = {}
        self.orders: dict[OrderId, OpenOrder] = {}
        self.buying_fen: dict[int, int] = {}
        self.decided: dict[Interest, int] = {}
        self.requests: dict[RequestId, None] = {}
        self.is_changed = False
        self._held: list[int] = []
        self._rows: Int64Array = np.zeros(0, np.int64)
        self._quantities: Int64Array = self._rows
        self._values: Int64Array = self._rows
        self._must_regather = False

    def roll_day(self) -> None:
        """Begin a trading day: yesterday's buys may be sold, the day's loss starts anew."""
        for holding in self.holdings.values():
            holding.locked_shares = 0
        self.books.opening_nav_fen = self.books.nav_fen
        self.books.is_loss_latched = False
        # New instruments may have moved the rows of the market.
        self._must_regather = True

    def book_fill(self, fill: Fill) -> None:
        """Book a trade of an open order; one that cannot be is not, and halts the account."""
        self.is_changed = True
        order = self.orders.get(fill.order_id)
        if order is None or not _can_fill(order, fill):
            self.books.is_halted = True
            return
        self.books.fees_fen += fill.fee_fen
        self._must_regather = True
        if order.side is Side.BUY:
            self._book_buy(order, fill)
        else:
            self._book_sell(order, fill)

    def take_update(self, update: OrderUpdate) -> None:
        """Follow an order's state; its end releases what it held back."""
        order = self.orders.get(update.order_id)
        if order is None:
            return
        if update.cumulative_shares != order.filled_shares:
            self.books.is_halted = True
            self.is_changed = True
        if update.status.is_terminal:
            self._release(order)

    def reserve(self, order: OpenOrder) -> None:
        """Hold back what an accepted order may need."""
        self.orders[order.order_id] = order
        self.books.frozen_fen += order.frozen_fen
        self.is_changed = True
        if order.side is Side.BUY:
            self._add_buying(order.instrument, order.exposure_fen)
        else:
            self.holdings[order.instrument].frozen_shares += order.quantity_shares

    def sellable_shares(self, instrument: int, *, is_after_close: bool) -> int:
        """Return the shares that a new order may sell; after the close it trades tomorrow."""
        holding = self.holdings.get(instrument)
        if holding is None:
            return 0
        locked_shares = 0 if is_after_close else holding.locked_shares
        # A sell accepted after the close may hold shares that the day still locks.
        return max(0, holding.quantity_shares - holding.frozen_shares - locked_shares)

    def has_open_order(self, instrument: int) -> bool:
        """Tell whether an order in the instrument works."""
        holding = self.holdings.get(instrument)
        return instrument in self.buying_fen or (holding is not None and holding.frozen_shares > 0)

    def remember_request(self, request_id: RequestId) -> bool:
        """Return whether a request is new, and remember it."""
        if request_id in self.requests:
            return False
        self.requests[request_id] = None
        if len(self.requests) > REQUEST_IDS_MAX:
            del self.requests[next(iter(self.requests))]
        return True

    def forget_decisions_before(self, beat: int) -> None:
        """Drop what no cooldown asks for any more."""
        self.decided = {interest: at for interest, at in self.decided.items() if at >= beat}

    def mark(self, market: Market) -> None:
        """Value the holdings at the market's marks."""
        if self._must_regather:
            self._held = sorted(self.holdings)
            self._rows = market.rows_of(self._held)
            quantities = [self.holdings[instrument].quantity_shares for instrument in self._held]
            self._quantities = np.array(quantities, np.int64)
            self._must_regather = False
        self._values = notionals_fen(market.columns.mark_e4[self._rows], self._quantities)
        books = self.books
        books.nav_fen = books.cash_fen + self.gross_fen
        books.high_water_fen = max(books.high_water_fen, books.nav_fen)

    @property
    def gross_fen(self) -> int:
        """Value of all holdings at the last mark."""
        return int(self._values.sum())

    def sector_fen(self, sector: int, market: Market) -> int:
        """Return holdings and open buys of a sector; those of no known sector count in each."""
        sectors = market.columns.sector[self._rows]
        held_fen = int(self._values[(sectors == sector) | (sectors == 0)].sum())
        return held_fen + sum(
            exposure_fen
            for instrument, exposure_fen in self.buying_fen.items()
            if market.sector_of(instrument) in {sector, 0}
        )

    def equity(self) -> EquityPoint:
        """Return cash and NAV at the last mark."""
        return EquityPoint(self.account_id, self.books.cash_fen, self.books.nav_fen)

    def portfolio(self, market: Market, stamp: BeatStamp) -> PortfolioState:
        """Return the books at the last mark."""
        books = self.books
        marks: list[int] = market.columns.mark_e4[self._rows].tolist()
        return PortfolioState(
            account_id=self.account_id,
            beat=stamp.beat,
            trade_date=stamp.trade_date,
            ts_event_ns=stamp.ts_event_ns,
            state=books.state,
            cash_fen=books.cash_fen,
            frozen_fen=books.frozen_fen,
            nav_fen=books.nav_fen,
            opening_nav_fen=books.opening_nav_fen,
            high_water_fen=books.high_water_fen,
            day_pnl_fen=books.nav_fen - books.opening_nav_fen,
            realised_pnl_fen=books.realised_pnl_fen,
            fees_fen=books.fees_fen,
            positions=tuple(
                PositionState(
                    instrument=instrument,
                    quantity_shares=self.holdings[instrument].quantity_shares,
                    sellable_shares=self.sellable_shares(instrument, is_after_close=False),
                    cost_fen=self.holdings[instrument].cost_fen,
                    mark_e4=mark_e4,
                    value_fen=value_fen,
                )
                for instrument, mark_e4, value_fen in zip(
                    self._held,
                    marks,
                    self._values.tolist(),
                    strict=True,
                )
            ),
        )

    def dump(self) -> JsonDict:
        """Return the memory as JSON-ready values."""
        return {
            "books": asdict(self.books),
            "holdings": [[number, *astuple(held)] for number, held in self.holdings.items()],
            "orders": [
                [str(value) if isinstance(value, Side) else value for value in astuple(o)]
                for o in self.orders.values()
            ],
            "decided": [[*interest, beat] for interest, beat in self.decided.items()],
            "requests": list(self.requests),
        }

    def load(self, values: object, market: Market) -> None:
        """Take up what `dump` returned."""
        dump = cast("_Dump", values)
        self.books = Books(**dump["books"])  # type: ignore[arg-type]  # flags are bools in the dump
        self.holdings = {number: Holding(*held) for number, *held in dump["holdings"]}
        # As dumped.
        orders = [OpenOrder(*order) for order in dump["orders"]]  # type: ignore[arg-type]
        self.orders, self.buying_fen = {}, {}
        for order in orders:
            order.side = Side(order.side)
            self.orders[order.order_id] = order
            if order.side is Side.BUY and order.leaves_shares:
                self._add_buying(order.instrument, order.exposure_fen)
        self.decided = {(name, number): beat for name, number, beat in dump["decided"]}
        self.requests = dict.fromkeys(dump["requests"])
        self._must_regather = True
        self.mark(market)

    def _book_buy(self, order: OpenOrder, fill: Fill) -> None:
        cost_fen = fill.amount_fen + fill.fee_fen
        holding = self.holdings.setdefault(fill.instrument, Holding())
        holding.quantity_shares += fill.quantity_shares
        if is_t_plus_one(fill.instrument):
            holding.locked_shares += fill.quantity_shares
        holding.cost_fen += cost_fen
        exposure_fen, frozen_fen = order.exposure_fen, order.frozen_fen
        order.filled_shares += fill.quantity_shares
        order.spent_fen += cost_fen
        self.books.cash_fen -= cost_fen
        self.books.frozen_fen += order.frozen_fen - frozen_fen
        self._add_buying(fill.instrument, order.exposure_fen - exposure_fen)
        if order.spent_fen > order.bound_fen:
            self.books.is_halted = True

    def _book_sell(self, order: OpenOrder, fill: Fill) -> None:
        holding = self.holdings[fill.instrument]
        cost_fen = divide_half_up(
            holding.cost_fen * fill.quantity_shares,
            holding.quantity_shares,
        )
        proceeds_fen = fill.amount_fen - fill.fee_fen
        holding.quantity_shares -= fill.quantity_shares
        holding.frozen_shares -= fill.quantity_shares
        holding.cost_fen -= cost_fen
        order.filled_shares += fill.quantity_shares
        self.books.cash_fen += proceeds_fen
        self.books.realised_pnl_fen += proceeds_fen - cost_fen
        if not holding.quantity_shares:
            del self.holdings[fill.instrument]

    def _release(self, order: OpenOrder) -> None:
        del self.orders[order.order_id]
        self.is_changed = True
        self.books.frozen_fen -= order.frozen_fen
        if not order.leaves_shares:
            return
        if order.side is Side.BUY:
            self._add_buying(order.instrument, -order.exposure_fen)
        else:
            self.holdings[order.instrument].frozen_shares -= order.leaves_shares

    def _add_buying(self, instrument: int, change_fen: int) -> None:
        exposure_fen = self.buying_fen.get(instrument, 0) + change_fen
        if exposure_fen:
            self.buying_fen[instrument] = exposure_fen
        else:
            del self.buying_fen[instrument]


def _can_fill(order: OpenOrder, fill: Fill) -> bool:
    is_same = order.instrument == fill.instrument and order.side is fill.side
    return is_same and 0 < fill.quantity_shares <= order.leaves_shares
