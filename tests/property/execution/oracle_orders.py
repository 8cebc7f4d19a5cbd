"""The exchange once more, order by order: its orders, its quotes, and what was taken of them."""

from dataclasses import dataclass, field

from tidegate_common.domain.enums import (
    Board,
    Liquidity,
    OrderReason,
    OrderStatus,
    OrderType,
    Phase,
    PriceSource,
    Side,
    TimeInForce,
)
from tidegate_common.events.orders import SubmitOrder
from tidegate_common.frames.rows import LEVELS

CALLS = frozenset({Phase.OPEN_CALL, Phase.OPEN_CALL_LOCKED, Phase.CLOSE_CALL})
BREAKS = frozenset({Phase.PAUSE, Phase.LUNCH})
AFTER_CALLS = BREAKS | {Phase.CLOSED, Phase.AFTER_HOURS}


@dataclass(frozen=True, slots=True)
class OracleFill:
    """A fill without its fees."""

    price_e4: int
    quantity_shares: int
    source: PriceSource
    liquidity: Liquidity


@dataclass(slots=True, eq=False)
class OracleOrder:
    """An order, its place at the exchange and its fills, those of earlier beats first.

    limit_e4 : worst price that it may trade at.
    is_placed : whether it has met a book or an auction, and so is not new to the next one.
    ahead_shares, shown_shares : before it in the queue, and displayed there; None if nobody knows.
    told : how many of its fills earlier beats told.
    """

    submit: SubmitOrder
    limit_e4: int
    board: Board
    is_placed: bool
    status: OrderStatus = OrderStatus.NEW
    reason: OrderReason = OrderReason.NONE
    ahead_shares: int | None = None
    shown_shares: int | None = None
    fills: list[OracleFill] = field(default_factory=list)
    told: int = 0

    @property
    def filled_shares(self) -> int:
        """Shares of all fills."""
        return sum(fill.quantity_shares for fill in self.fills)

    @property
    def leaves_shares(self) -> int:
        """Shares that still want a fill, whatever the state."""
        return self.submit.quantity_shares - self.filled_shares

    @property
    def is_buy(self) -> bool:
        """Whether it buys."""
        return self.submit.side is Side.BUY

    @property
    def is_immediate(self) -> bool:
        """Whether what does not fill at the first try is cancelled."""
        is_day = self.submit.time_in_force is TimeInForce.DAY
        return self.submit.order_type is OrderType.MARKET or not is_day

    @property
    def is_fill_or_kill(self) -> bool:
        """Whether it fills at the first try as a whole or not at all."""
        return self.submit.time_in_force is TimeInForce.FOK

    @property
    def priority(self) -> tuple[int, int, str, int]:
        """Price, beat, account, sequence; the smallest goes first, after hours price is nothing."""
        submit, price = self.submit, -self.limit_e4 if self.is_buy else self.limit_e4
        is_fixed = submit.order_type is OrderType.FIXED_PRICE
        return (0 if is_fixed else price, submit.beat, submit.account_id, submit.sequence)

    def accepts(self, price_e4: int) -> bool:
        """Tell whether it may trade at a price."""
        return price_e4 <= self.limit_e4 if self.is_buy else price_e4 >= self.limit_e4

    def fill(
        self,
        price_e4: int,
        quantity_shares: int,
        source: PriceSource,
        liquidity: Liquidity,
    ) -> None:
        """Fill a part of it, or its rest; a quantity of 0 is no fill."""
        if quantity_shares:
            self.fills.append(OracleFill(price_e4, quantity_shares, source, liquidity))
            is_done = self.leaves_shares == 0
            self.status = OrderStatus.FILLED if is_done else OrderStatus.PARTIALLY_FILLED
            self.reason = OrderReason.NONE

    def end(self, status: OrderStatus, reason: OrderReason) -> None:
        """End what is left of it."""
        self.status, self.reason = status, reason


@dataclass(slots=True)
class InstrumentOrders:
    """Orders of an instrument; what has ended in a beat stays to the end of it."""

    orders: list[OracleOrder] = field(default_factory=list)

    def queue(self, side: Side) -> list[OracleOrder]:
        """Return a side in priority order, as it is now."""
        return sorted(
            (order for order in self.ordinary() if order.submit.side is side),
            key=lambda order: order.priority,
        )

    def ordinary(self) -> list[OracleOrder]:
        """Return the buys, then the sells: where both share a cap, buys go first."""
        ordinary = [
            order for order in self.orders if order.submit.order_type is not OrderType.FIXED_PRICE
        ]
        return sorted(ordinary, key=lambda order: (not order.is_buy, order.priority))

    def fixed_price(self) -> list[OracleOrder]:
        """Return the orders of after-hours trading."""
        fixed = [order for order in self.orders if order.submit.order_type is OrderType.FIXED_PRICE]
        return sorted(fixed, key=lambda order: order.priority)


@dataclass(frozen=True, slots=True)
class Ladder:
    """Displayed levels of one side, best first: pairs of price and shares, both above 0."""

    is_bid: bool
    levels: tuple[tuple[int, int], ...]

    @property
    def best_e4(self) -> int | None:
        """The best price, None without a level."""
        return self.levels[0][0] if self.levels else None

    def shares_at(self, price_e4: int) -> int | None:
        """Return the shares displayed at a price, None where the five levels do not reach it."""
        for level_e4, shares in self.levels:
            if level_e4 == price_e4:
                return shares
        if len(self.levels) < LEVELS:
            return 0
        last_e4 = self.levels[-1][0]
        is_beyond = price_e4 < last_e4 if self.is_bid else price_e4 > last_e4
        return None if is_beyond else 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A quote of one instrument, and what happened since the one before.

    phase_before : None before the first quote. traded_shares : since the quote before.
    """

    phase: int
    phase_before: int | None
    last_e4: int
    traded_shares: int
    bids: Ladder
    asks: Ladder

    @property
    def is_continuous(self) -> bool:
        """Whether orders are matched one by one."""
        return self.phase == Phase.CONTINUOUS

    @property
    def is_after_hours(self) -> bool:
        """Whether something traded after hours since the quote before."""
        has_traded = self.traded_shares > 0 and self.last_e4 > 0
        return self.phase_before == Phase.AFTER_HOURS and has_traded

    @property
    def is_auction_end(self) -> bool:
        """Whether a call auction was matched since the quote before."""
        is_match = self.phase_before in CALLS and self.phase in AFTER_CALLS
        return is_match and self.traded_shares > 0 and self.last_e4 > 0

    @property
    def queue_shares(self) -> int:
        """Shares traded since the quote before that resting orders may have been part of."""
        was_continuous = self.phase_before == Phase.CONTINUOUS
        has_begun = self.is_continuous and self.phase_before in BREAKS
        return self.traded_shares if was_continuous or has_begun else 0


@dataclass(slots=True)
class TakenLevels:
    """What we took of one side: price -> (shares displayed when we took, shares that we took)."""

    by_price: dict[int, tuple[int, int]] = field(default_factory=dict)

    def refresh(self, ladder: Ladder) -> None:
        """Forget prices at which the display changed; out of sight is not changed."""
        self.by_price = {
            price_e4: taken
            for price_e4, taken in self.by_price.items()
            if ladder.shares_at(price_e4) in {None, taken[0]}
        }

    def free_shares(self, ladder: Ladder, limit_e4: int) -> int:
        """Return how many shares are free up to a limit price."""
        copy = TakenLevels(dict(self.by_price))
        displayed_shares = sum(shares for _, shares in ladder.levels)
        return sum(shares for _, shares in copy.take(ladder, limit_e4, displayed_shares))

    def take(self, ladder: Ladder, limit_e4: int, wanted_shares: int) -> list[tuple[int, int]]:
        """Take what is free, best level first and up to a limit price; pairs of price, shares."""
        trades = []
        for price_e4, displayed_shares in ladder.levels:
            is_beyond = price_e4 < limit_e4 if ladder.is_bid else price_e4 > limit_e4
            if is_beyond or wanted_shares == 0:
                break
            gone_shares = self.by_price.get(price_e4, (0, 0))[1]
            taken_shares = min(displayed_shares - gone_shares, wanted_shares)
            if taken_shares > 0:
                self.by_price[price_e4] = (displayed_shares, gone_shares + taken_shares)
                wanted_shares -= taken_shares
                trades.append((price_e4, taken_shares))
        return trades


@dataclass(slots=True)
class BookMemory:
    """What we took of the two sides of an instrument."""

    bids: TakenLevels = field(default_factory=TakenLevels)
    asks: TakenLevels = field(default_factory=TakenLevels)
