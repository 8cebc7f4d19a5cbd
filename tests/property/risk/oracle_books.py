"""One account as risk's slow oracle keeps it: money in yuan, lots of shares, open orders, states.

Every sum is taken anew at each question, from lots and orders.
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from tests.property.risk.oracle_market import NOTHING, OracleMarket
from tests.property.risk.oracle_rules import price, to_fen, yuan

from tidegate_common.domain.enums import AccountState, OrderType, Side, TimeInForce
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.events.run import RiskLimits
from tidegate_common.market.sessions import NS_PER_SECOND

MARKET_TYPES = frozenset(
    {
        OrderType.MARKET,
        OrderType.MARKET_TO_LIMIT,
        OrderType.COUNTERPARTY_BEST,
        OrderType.OWN_BEST,
    },
)
STATES = (AccountState.ACTIVE, AccountState.REDUCING, AccountState.HALTED)


@dataclass(frozen=True)
class Wish:
    """An order that somebody asks for; a good market order has the price 0."""

    instrument: int
    side: Side
    order_type: OrderType
    price: Decimal
    quantity: int
    time_in_force: TimeInForce = TimeInForce.DAY

    @property
    def is_buy(self) -> bool:
        """Whether it is a buy."""
        return self.side is Side.BUY

    @property
    def is_market(self) -> bool:
        """Whether it is a market order."""
        return self.order_type in MARKET_TYPES

    @property
    def is_fixed(self) -> bool:
        """Whether it trades after hours at the close."""
        return self.order_type is OrderType.FIXED_PRICE


@dataclass
class Order:
    """What an open order may still do.

    worst : the worst price at which it can trade. frozen : cash that it holds back.
    """

    wish: Wish
    worst: Decimal
    left: int
    frozen: Decimal
    filled: int = 0
    cancel_beat: int = -1

    @property
    def exposure(self) -> Decimal:
        """What it may still buy."""
        return to_fen(self.worst * self.left) if self.wish.is_buy else NOTHING


@dataclass
class Lot:
    """Shares bought together."""

    day: int
    shares: int


@dataclass
class OracleAccount:
    """One account's truth.

    nav, high_water : as of the last mark. opening_nav : as the day began.
    bought : the day's filled buys. messages : the second of each order and cancel of the day.
    said, said_to_all : the state that commands have left.
    """

    cash: Decimal
    limits: RiskLimits
    lots: dict[int, list[Lot]] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    nav: Decimal = NOTHING
    opening_nav: Decimal = NOTHING
    high_water: Decimal = NOTHING
    today: int = 0
    bought: Counter[int] = field(default_factory=Counter)
    messages: list[int] = field(default_factory=list)
    requests: set[str] = field(default_factory=set)
    is_in_doubt: bool = False
    has_lost: bool = False
    has_fallen: bool = False
    said: AccountState = AccountState.ACTIVE
    said_to_all: AccountState = AccountState.ACTIVE

    def __post_init__(self) -> None:
        self.nav = self.opening_nav = self.high_water = self.cash

    # --- questions ----------------------------------------------------------------------------

    @property
    def commanded(self) -> AccountState:
        """The stricter of the two commands."""
        return max(self.said, self.said_to_all, key=STATES.index)

    @property
    def state(self) -> AccountState:
        """What the account may do."""
        if self.is_in_doubt:
            return AccountState.HALTED
        is_latched = self.has_lost or self.has_fallen
        latched = AccountState.REDUCING if is_latched else AccountState.ACTIVE
        return max(self.commanded, latched, key=STATES.index)

    @property
    def available(self) -> Decimal:
        """Cash that no order holds back."""
        return self.cash - sum((order.frozen for order in self.orders.values()), NOTHING)

    def held(self, instrument: int) -> int:
        """Shares held."""
        return sum(lot.shares for lot in self.lots.get(instrument, ()))

    def promised(self, instrument: int) -> int:
        """Shares that open sells hold back."""
        return sum(order.left for order in self.open_in(instrument, Side.SELL))

    def sellable(self, instrument: int, *, is_for_tomorrow: bool) -> int:
        """Shares that a new sell may promise."""
        free = [
            lot.shares
            for lot in self.lots.get(instrument, ())
            if is_for_tomorrow or lot.day < self.today
        ]
        return sum(free) - self.promised(instrument)

    def open_in(self, instrument: int, side: Side) -> list[Order]:
        """Open orders of one side in an instrument."""
        return [
            order
            for order in self.orders.values()
            if order.wish.instrument == instrument and order.wish.side is side
        ]

    def exposures(self, market: OracleMarket) -> dict[int, Decimal]:
        """Value of each holding at its mark, with what open buys may add at their worst price."""
        values = {
            number: to_fen(market.find(number).mark * self.held(number)) for number in self.lots
        }
        for order in self.orders.values():
            number = order.wish.instrument
            values[number] = values.get(number, NOTHING) + order.exposure
        return values

    def in_sector(self, sector: str, market: OracleMarket) -> Decimal:
        """Value of a sector; what is of no known sector counts in each."""
        members = {sector, ""}
        values = self.exposures(market).items()
        return sum(
            (value for number, value in values if market.find(number).sector in members),
            NOTHING,
        )

    # --- deeds --------------------------------------------------------------------------------

    def begin_day(self, day: int) -> None:
        """Forget what was the day's."""
        self.today = day
        self.opening_nav = self.nav
        self.has_lost = False
        self.bought.clear()
        self.messages.clear()

    def count_message(self, ts_event_ns: int) -> None:
        """Note an order or a cancel."""
        self.messages.append(ts_event_ns // NS_PER_SECOND)

    def book(self, fill: Fill) -> None:
        """Book a trade; what no open order explains puts the books in doubt.

        So does a buy dearer than it may be, which is booked where cash pays for it.
        """
        order = self.orders.get(fill.order_id)
        is_explained = (
            order is not None
            and (order.wish.instrument, order.wish.side) == (fill.instrument, fill.side)
            and 0 < fill.quantity_shares <= order.left
        )
        if order is None or not is_explained:
            self.is_in_doubt = True
            return
        amount, fees = to_fen(price(fill.price_e4) * fill.quantity_shares), yuan(fill.fee_fen)
        cost = amount + fees if order.wish.is_buy else fees - amount
        beyond = cost - min(order.frozen, max(cost, NOTHING))
        if beyond > max(self.available, NOTHING):
            self.is_in_doubt = True
            return
        self.is_in_doubt |= order.wish.is_buy and beyond > 0
        self.cash -= cost
        order.frozen -= min(order.frozen, max(cost, NOTHING))
        order.left -= fill.quantity_shares
        order.filled += fill.quantity_shares
        if order.wish.is_buy:
            lot = Lot(self.today, fill.quantity_shares)
            self.lots.setdefault(fill.instrument, []).append(lot)
            self.bought[fill.instrument] += fill.quantity_shares
        else:
            self._give_up(fill.instrument, fill.quantity_shares)

    def hear(self, update: OrderUpdate) -> None:
        """Follow an order's state."""
        order = self.orders.get(update.order_id)
        if order is None:
            return
        if update.cumulative_shares != order.filled:
            self.is_in_doubt = True
        if update.status.is_terminal:
            del self.orders[update.order_id]

    def mark(self, market: OracleMarket) -> None:
        """Value what is held."""
        self.nav = self.worth(market)
        self.high_water = max(self.high_water, self.nav)
        self.latch()

    def worth(self, market: OracleMarket) -> Decimal:
        """Cash and holdings at their marks."""
        held = (to_fen(market.find(number).mark * self.held(number)) for number in self.lots)
        return self.cash + sum(held, NOTHING)

    def latch(self) -> None:
        """Remember a breached loss or drawdown limit."""
        lost, fallen = self.opening_nav - self.nav, self.high_water - self.nav
        self.has_lost |= lost * 10_000 > self.opening_nav * self.limits.daily_loss_bps_max
        self.has_fallen |= fallen * 10_000 > self.high_water * self.limits.drawdown_bps_max

    def is_news(self, request_id: str) -> bool:
        """Tell whether a request is new, and remember it.

        Risk remembers the newest 10,000; worlds of these tests ask less.
        """
        is_new = request_id not in self.requests
        self.requests.add(request_id)
        return is_new

    def _give_up(self, instrument: int, quantity: int) -> None:
        """Hand over the oldest shares."""
        rest: list[Lot] = []
        for lot in self.lots[instrument]:
            gone = min(quantity, lot.shares)
            quantity -= gone
            if lot.shares > gone:
                rest.append(Lot(lot.day, lot.shares - gone))
        self.lots[instrument] = rest
        if not rest:
            del self.lots[instrument]
