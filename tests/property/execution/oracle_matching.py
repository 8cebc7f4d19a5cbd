"""The exchange once more, order by order: how orders meet a quote, an auction or a bar."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.property.execution.oracle_orders import (
    CALLS,
    BookMemory,
    InstrumentOrders,
    Ladder,
    OracleOrder,
    Snapshot,
    TakenLevels,
)

from tidegate_common.domain.enums import (
    Liquidity,
    OrderReason,
    OrderStatus,
    OrderType,
    PriceSource,
    QueueCancels,
    Side,
)
from tidegate_common.domain.units import BPS
from tidegate_common.events.run import ExecutionSpec
from tidegate_common.market.board import board_of
from tidegate_common.market.lots import price_tick_e4
from tidegate_execution.engine.slippage import Slippage


@dataclass(slots=True)
class Market:
    """What the orders of one side meet.

    free_shares : of what traded, not yet given to an order of ours on this side.
    """

    own: Ladder
    opposite: Ladder
    taken: TakenLevels
    last_e4: int
    traded_shares: int
    free_shares: int


def match_snapshot(
    orders: InstrumentOrders,
    snapshot: Snapshot,
    memory: BookMemory,
    spec: ExecutionSpec,
) -> None:
    """Let the orders of an instrument meet its quote."""
    if snapshot.is_continuous:
        memory.bids.refresh(snapshot.bids)
        memory.asks.refresh(snapshot.asks)
    cap_shares = snapshot.traded_shares * spec.participation_bps_max // BPS
    if snapshot.is_auction_end:
        _match_auction(orders, snapshot, memory, cap_shares)
    elif snapshot.phase in CALLS:
        for order in orders.ordinary():
            if not order.is_placed and not order.submit.order_type.is_market:
                enter_queue(order, None)
    if snapshot.is_after_hours:
        for order in orders.fixed_price():
            if order.accepts(snapshot.last_e4):
                shares = min(order.leaves_shares, cap_shares)
                cap_shares -= shares
                order.fill(snapshot.last_e4, shares, PriceSource.FIXED_PRICE, Liquidity.TAKER)
    _match_book(orders, snapshot, memory, spec)
    cancel_immediate(orders)


def cancel_immediate(orders: InstrumentOrders) -> None:
    """Cancel what is left of orders that do not wait, or found no book to take a price from."""
    for order in orders.ordinary():
        is_unpriced = order.submit.order_type.is_market and not order.is_placed
        if (order.is_immediate or is_unpriced) and not order.status.is_terminal:
            is_killed = order.is_fill_or_kill
            reason = OrderReason.FOK_NOT_FILLED if is_killed else OrderReason.IOC_REMAINDER
            order.end(OrderStatus.CANCELED, reason)


def _sides(snapshot: Snapshot, memory: BookMemory) -> Iterable[tuple[Side, Market]]:
    last_e4, shares = snapshot.last_e4, snapshot.queue_shares
    bids, asks = snapshot.bids, snapshot.asks
    yield Side.BUY, Market(bids, asks, memory.asks, last_e4, shares, shares)
    yield Side.SELL, Market(asks, bids, memory.bids, last_e4, shares, shares)


def _match_auction(
    orders: InstrumentOrders,
    snapshot: Snapshot,
    memory: BookMemory,
    cap_shares: int,
) -> None:
    for side, market in _sides(snapshot, memory):
        those_who_wait = [order for order in orders.queue(side) if not order.is_immediate]
        matched, prices_e4 = [], [snapshot.last_e4]
        for order in those_who_wait:
            wanted_shares = min(order.leaves_shares, cap_shares)
            if order.accepts(snapshot.last_e4):
                trades = market.taken.take(market.opposite, order.limit_e4, wanted_shares)
                prices_e4 += [price_e4 for price_e4, _ in trades]
                matched.append((order, sum(shares for _, shares in trades)))
                cap_shares -= matched[-1][1]
        one_price_e4 = max(prices_e4) if side is Side.BUY else min(prices_e4)
        for order, shares in matched:
            order.fill(one_price_e4, shares, PriceSource.AUCTION, Liquidity.TAKER)
        for order in those_who_wait:
            enter_queue(order, market.own)


def _match_book(
    orders: InstrumentOrders,
    snapshot: Snapshot,
    memory: BookMemory,
    spec: ExecutionSpec,
) -> None:
    cap_shares = snapshot.queue_shares * spec.participation_bps_max // BPS
    for side, market in _sides(snapshot, memory):
        for order in orders.queue(side):
            if order.is_placed:
                shares = min(_reached_shares(order, market), order.leaves_shares, cap_shares)
                market.free_shares -= shares
                cap_shares -= shares
                order.fill(order.limit_e4, shares, PriceSource.QUEUE, Liquidity.MAKER)
            if snapshot.is_continuous:
                _meet_display(order, market, spec.queue_cancels)


def enter_queue(order: OracleOrder, own: Ladder | None) -> None:
    """Put an order behind all that its price shows; nobody can tell in an auction (None)."""
    order.is_placed = True
    order.shown_shares = None if own is None else own.shares_at(order.limit_e4)
    order.ahead_shares = order.shown_shares


def _reached_shares(order: OracleOrder, market: Market) -> int:
    if market.free_shares == 0 or market.last_e4 == 0 or not order.accepts(market.last_e4):
        return 0
    if order.limit_e4 != market.last_e4:
        order.ahead_shares = 0
        return market.free_shares
    if order.ahead_shares is None:
        return 0
    passed_shares = min(order.ahead_shares, market.free_shares)
    order.ahead_shares -= passed_shares
    return market.free_shares - passed_shares


def _see_display(order: OracleOrder, market: Market, rule: QueueCancels) -> None:
    traded_shares = market.traded_shares if market.last_e4 == order.limit_e4 else 0
    shown_shares = market.own.shares_at(order.limit_e4)
    before_shares, ahead_shares = order.shown_shares, order.ahead_shares
    order.shown_shares = shown_shares
    if shown_shares is None:
        return
    if ahead_shares is None:
        order.ahead_shares = shown_shares
        return
    if rule is QueueCancels.PROPORTIONAL and before_shares is not None:
        left_shares = before_shares - traded_shares
        if left_shares > shown_shares:
            ahead_shares = min(ahead_shares, left_shares)
            ahead_shares = -(-ahead_shares * shown_shares // left_shares)
    order.ahead_shares = min(ahead_shares, shown_shares)


def _meet_display(order: OracleOrder, market: Market, rule: QueueCancels) -> None:
    if order.is_placed:
        _see_display(order, market, rule)
        trades = market.taken.take(market.opposite, order.limit_e4, order.leaves_shares)
        shares = sum(pair[1] for pair in trades)
        order.fill(order.limit_e4, shares, PriceSource.LEVEL, Liquidity.MAKER)
    elif _take_price(order, market):
        _enter(order, market)
    else:
        order.end(OrderStatus.CANCELED, OrderReason.NO_BEST_PRICE)


def _take_price(order: OracleOrder, market: Market) -> bool:
    match order.submit.order_type:
        case OrderType.COUNTERPARTY_BEST:
            return _set_price(order, market.opposite.best_e4)
        case OrderType.OWN_BEST:
            return _set_price(order, market.own.best_e4)
        case _:
            return True


def _set_price(order: OracleOrder, price_e4: int | None) -> bool:
    if price_e4 is None or not order.accepts(price_e4):
        return False
    order.limit_e4 = price_e4
    return True


def _enter(order: OracleOrder, market: Market) -> None:
    """Let an order that is new sweep, and put what is left of it into the queue."""
    if order.is_fill_or_kill:
        free_shares = market.taken.free_shares(market.opposite, order.limit_e4)
        if free_shares < order.leaves_shares:
            return
    trades = market.taken.take(market.opposite, order.limit_e4, order.leaves_shares)
    for price_e4, shares in trades:
        order.fill(price_e4, shares, PriceSource.LEVEL, Liquidity.TAKER)
    last_e4 = trades[-1][0] if trades else market.own.best_e4
    is_to_limit = order.submit.order_type is OrderType.MARKET_TO_LIMIT
    if is_to_limit and order.leaves_shares and not _set_price(order, last_e4):
        order.end(OrderStatus.CANCELED, OrderReason.NO_BEST_PRICE)
    enter_queue(order, market.own)


@dataclass(frozen=True, slots=True)
class Opening:
    """An opening price, the day's limits, and the volume and the part of it that we may have."""

    open_e4: int
    down_e4: int
    up_e4: int
    volume_shares: int
    cap_shares: int


def match_open(orders: Iterable[OracleOrder], opening: Opening, slippage: Slippage) -> int:
    """Fill orders at an opening price and return how many shares they got."""
    left_shares = opening.cap_shares
    for order in orders:
        shares = min(order.leaves_shares, left_shares)
        price_e4 = _open_price_e4(order, shares, opening, slippage)
        if price_e4 is not None:
            left_shares -= shares
            order.fill(price_e4, shares, PriceSource.BAR_OPEN, Liquidity.TAKER)
    return opening.cap_shares - left_shares


def _open_price_e4(
    order: OracleOrder,
    shares: int,
    opening: Opening,
    slippage: Slippage,
) -> int | None:
    open_e4 = opening.open_e4
    is_whole = shares == order.leaves_shares or not order.is_fill_or_kill
    if not (shares and is_whole and order.accepts(open_e4)):
        return None
    tick_e4 = price_tick_e4(board_of(order.submit.instrument))
    slip_e4 = slippage.slip_e4(
        open_e4,
        tick_e4=tick_e4,
        quantity_shares=shares,
        volume_shares=opening.volume_shares,
    )
    if order.is_buy:
        return None if open_e4 >= opening.up_e4 else min(open_e4 + slip_e4, order.limit_e4)
    worst_e4 = max(order.limit_e4, tick_e4)
    return None if open_e4 <= opening.down_e4 else max(open_e4 - slip_e4, worst_e4)


def match_inside(
    orders: InstrumentOrders,
    *,
    high_e4: int,
    low_e4: int,
    cap_shares: int,
) -> None:
    """Fill limit orders through which a bar traded, at their limit prices."""
    for order in orders.ordinary():
        is_limit = order.submit.order_type is OrderType.LIMIT
        is_through = low_e4 < order.limit_e4 if order.is_buy else high_e4 > order.limit_e4
        shares = min(order.leaves_shares, cap_shares)
        is_whole = shares == order.leaves_shares or not order.is_fill_or_kill
        if is_limit and is_through and is_whole:
            cap_shares -= shares
            order.fill(order.limit_e4, shares, PriceSource.BAR, Liquidity.MAKER)
