"""Whether the exchange takes an order, and which cancels it takes: asked when they arrive.

An order arrives just after a beat and meets the next one. So it is looked at with the last quote
of its instrument before that: its phase, and the prices that the cage is measured from. Before an
instrument's first quote of a day, and in a run on bars, neither is known and neither is asked.

Over lunch and between 09:25 and 09:30 an order is held until trading goes on, as brokers do, and so
is a cancel, which then comes before everything else.
"""

from typing import NamedTuple

from tidegate_common.domain.enums import (
    Board,
    Exchange,
    LimitState,
    OrderReason,
    OrderType,
    Phase,
    Side,
    TimeInForce,
)
from tidegate_common.events.orders import SubmitOrder
from tidegate_common.market.cage import cage_reference_e4, price_cage
from tidegate_common.market.lots import lot_rule, price_tick_e4
from tidegate_common.market.order_types import takes_market_order
from tidegate_common.market.sessions import can_cancel
from tidegate_execution.engine.orders import is_immediate

_HELD_PHASES = frozenset({Phase.PAUSE, Phase.LUNCH})
_CLOSED_PHASES = frozenset({Phase.CLOSED, Phase.AFTER_HOURS})


class Listing(NamedTuple):
    """An instrument on arrival of an order.

    has_limits : whether anybody knows the day's price limits.
    limit_down_e4, limit_up_e4 : as wide as can be without a limit.
    phase : of its last quote; None before the first.
    bid_e4, ask_e4, last_e4, prev_close_e4 : 1/10,000 CNY, 0 for none.
    """

    exchange: Exchange
    board: Board
    trade_date: int
    is_suspended: bool
    has_limits: bool
    limit_down_e4: int
    limit_up_e4: int
    phase: Phase | None
    bid_e4: int
    ask_e4: int
    last_e4: int
    prev_close_e4: int


def admit(submit: SubmitOrder, listing: Listing) -> int | OrderReason:
    """Return the worst price that an order may trade at, or why it may not work.

    That is its limit price, or for a market order the day's price limit, until it takes a price of
    the book for its own. A price cannot be shown to be inside a limit or a cage that is UNKNOWN, so
    it counts as outside.
    """
    for check in (_check_state, _check_type, _check_quantity, _check_phase, _check_price):
        reason = check(submit, listing)
        if reason is not None:
            return reason
    if not listing.has_limits:
        return OrderReason.OUTSIDE_PRICE_LIMIT
    if submit.order_type.is_market:
        return listing.limit_up_e4 if submit.side is Side.BUY else listing.limit_down_e4
    if not listing.limit_down_e4 <= submit.price_e4 <= listing.limit_up_e4:
        return OrderReason.OUTSIDE_PRICE_LIMIT
    if not _is_in_cage(submit, listing):
        return OrderReason.OUTSIDE_PRICE_CAGE
    return submit.price_e4


def rests_on_arrival(submit: SubmitOrder, listing: Listing) -> bool:
    """Tell whether an order finds nobody to trade with, and so is in the book before the next beat.

    Whoever comes to its price from then on trades at its price, not at a better one.
    """
    if listing.phase is not Phase.CONTINUOUS or is_immediate(submit):
        return False
    if submit.order_type is not OrderType.LIMIT:
        return False
    if submit.side is Side.BUY:
        return listing.ask_e4 == 0 or submit.price_e4 < listing.ask_e4
    return listing.bid_e4 == 0 or submit.price_e4 > listing.bid_e4


def takes_cancel(submit: SubmitOrder, phase: Phase | None) -> bool:
    """Tell whether the exchange takes an order's cancel in the phase of the last quote.

    Not of an order of after-hours trading: no source says when it does (see `sessions.Session`).
    """
    if submit.order_type is OrderType.FIXED_PRICE:
        return False
    return phase is None or phase in _HELD_PHASES or can_cancel(phase)


def _check_state(submit: SubmitOrder, listing: Listing) -> OrderReason | None:
    del submit
    is_halted = listing.is_suspended or listing.phase is Phase.HALTED
    return OrderReason.SUSPENDED if is_halted else None


def _check_type(submit: SubmitOrder, listing: Listing) -> OrderReason | None:
    """Refuse a market order that the board does not know, or whose fill must be now after hours."""
    if submit.order_type is OrderType.FIXED_PRICE:
        is_good = submit.time_in_force is TimeInForce.DAY
    else:
        is_good = submit.order_type is OrderType.LIMIT or takes_market_order(
            submit.order_type,
            submit.time_in_force,
            exchange=listing.exchange,
            board=listing.board,
            trade_date=listing.trade_date,
        )
    return None if is_good else OrderReason.BAD_ORDER_TYPE


def _check_quantity(submit: SubmitOrder, listing: Listing) -> OrderReason | None:
    rule = lot_rule(listing.board, listing.trade_date)
    if submit.order_type is OrderType.FIXED_PRICE:
        most_shares = rule.max_fixed_price_shares
    elif submit.order_type is OrderType.LIMIT:
        most_shares = rule.max_limit_shares
    else:
        most_shares = rule.max_market_shares
    is_good = submit.quantity_shares <= most_shares
    return None if is_good else OrderReason.ABOVE_QUANTITY_MAX


def _check_phase(submit: SubmitOrder, listing: Listing) -> OrderReason | None:
    """Refuse what comes when the exchange is closed, and market orders in an auction."""
    phase = listing.phase
    if phase is None or phase is Phase.CONTINUOUS or phase in _HELD_PHASES:
        return None
    if submit.order_type is OrderType.FIXED_PRICE:
        is_open = phase is Phase.AFTER_HOURS
    else:
        is_open = phase not in _CLOSED_PHASES and not submit.order_type.is_market
    return None if is_open else OrderReason.MARKET_CLOSED


def _check_price(submit: SubmitOrder, listing: Listing) -> OrderReason | None:
    is_good = submit.price_e4 % price_tick_e4(listing.board) == 0
    return None if is_good else OrderReason.BAD_PRICE_TICK


def _is_in_cage(submit: SubmitOrder, listing: Listing) -> bool:
    """Tell whether a limit price is inside the cage; one that may wait outside is outside."""
    if listing.phase is not Phase.CONTINUOUS or submit.order_type is not OrderType.LIMIT:
        return True
    cage = price_cage(
        board=listing.board,
        trade_date=listing.trade_date,
        buy_reference_e4=_cage_reference_e4(Side.BUY, listing),
        sell_reference_e4=_cage_reference_e4(Side.SELL, listing),
    )
    if cage.state is not LimitState.LIMITED:
        return cage.state is LimitState.UNLIMITED
    if submit.side is Side.BUY:
        return submit.price_e4 <= cage.buy_cap_e4
    return submit.price_e4 >= cage.sell_floor_e4


def _cage_reference_e4(side: Side, listing: Listing) -> int:
    return cage_reference_e4(
        side=side,
        bid_e4=listing.bid_e4,
        ask_e4=listing.ask_e4,
        last_e4=listing.last_e4,
        prev_close_e4=listing.prev_close_e4,
    )
