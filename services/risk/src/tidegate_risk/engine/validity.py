"""Order validity, cheapest first: whether the exchange could take the order at all."""

from tidegate_common.domain.enums import Layer, LimitState, OrderType, Reason, Side, Unit
from tidegate_common.market.lots import (
    is_valid_buy,
    is_valid_sell,
    lot_rule,
    price_tick_e4,
    st_buy_cap_shares,
)
from tidegate_risk.engine.case import Case, Check
from tidegate_risk.engine.intent import Refusal
from tidegate_risk.engine.state import nearest_price_e4


def check_account(case: Case) -> Refusal | None:
    """Refuse everything for a halted account."""
    if case.account.standing.is_halted:
        return _refuse(Reason.ACCOUNT_HALTED)
    return None


def check_order_rate(case: Case) -> Refusal | None:
    """Refuse an order that would make the account a high-frequency trader by its rate.

    Orders and cancels of the beat's second of market time count; cancels are never refused.
    """
    thresholds = case.thresholds
    if thresholds is None:
        return None
    count = case.account.activity.messages_in_second(case.ts_event_ns) + 1
    return _check_messages(Reason.ORDER_RATE_LIMIT, count, thresholds.messages_per_second)


def check_daily_orders(case: Case) -> Refusal | None:
    """Refuse an order that would make the account a high-frequency trader by its day's count."""
    thresholds = case.thresholds
    if thresholds is None:
        return None
    count = case.account.activity.day_count + 1
    return _check_messages(Reason.DAILY_ORDER_LIMIT, count, thresholds.messages_per_day)


def check_instrument(case: Case) -> Refusal | None:
    """Refuse an instrument without reference data today."""
    if not case.listing.is_listed:
        return _refuse(Reason.UNKNOWN_INSTRUMENT)
    return None


def check_suspension(case: Case) -> Refusal | None:
    """Refuse an instrument that is suspended today."""
    if case.listing.is_suspended:
        return _refuse(Reason.SUSPENDED)
    return None


def check_mark(case: Case) -> Refusal | None:
    """Refuse an instrument without a price."""
    if not case.listing.mark_e4:
        return _refuse(Reason.MISSING_MARK, observed=0, limit=1, unit=Unit.PRICE_E4)
    return None


def check_mark_age(case: Case) -> Refusal | None:
    """Refuse a mark whose shard is silent, or that no tick confirmed for too long."""
    listing = case.listing
    limit = 0 if listing.is_stale else case.limits.stale_beats_max
    if listing.is_stale or (listing.is_ticking and listing.age_beats > limit):
        return _refuse(
            Reason.STALE_MARK,
            observed=listing.age_beats,
            limit=limit,
            unit=Unit.BEATS,
        )
    return None


def check_limit_state(case: Case) -> Refusal | None:
    """Refuse a day whose price limit is in doubt, and a market buy that nothing bounds."""
    state = case.listing.limit_state
    intent = case.intent
    is_unbounded = (
        intent.order_type is OrderType.MARKET
        and intent.side is Side.BUY
        and state is not LimitState.LIMITED
    )
    if state is LimitState.UNKNOWN or is_unbounded:
        return _refuse(Reason.UNKNOWN_PRICE_LIMIT)
    return None


def check_price_tick(case: Case) -> Refusal | None:
    """Refuse a limit price off the tick, and any price on a market order."""
    price_e4 = case.intent.price_e4
    if case.intent.order_type is OrderType.MARKET:
        tick_e4, is_good = 0, price_e4 == 0
    else:
        tick_e4 = price_tick_e4(case.listing.board)
        is_good = price_e4 > 0 and price_e4 % tick_e4 == 0
    if is_good:
        return None
    return _refuse(
        Reason.BAD_PRICE_TICK,
        observed=price_e4,
        limit=tick_e4,
        unit=Unit.PRICE_E4,
    )


def check_price_limit(case: Case) -> Refusal | None:
    """Refuse a limit price beyond the day's limits."""
    listing, price_e4 = case.listing, case.intent.price_e4
    is_free = listing.limit_state is not LimitState.LIMITED
    if is_free or case.intent.order_type is OrderType.MARKET:
        return None
    nearest_e4 = min(max(price_e4, listing.limit_down_e4), listing.limit_up_e4)
    if nearest_e4 == price_e4:
        return None
    return _refuse(
        Reason.OUTSIDE_PRICE_LIMIT,
        observed=price_e4,
        limit=nearest_e4,
        unit=Unit.PRICE_E4,
    )


def check_price_cage(case: Case) -> Refusal | None:
    """Refuse a limit price too far from the market, and one of which nobody knows whether it is."""
    intent = case.intent
    if intent.order_type is OrderType.MARKET:
        return None
    cage = case.market.price_cage(intent.instrument)
    if cage.state is LimitState.UNKNOWN:
        return _refuse(Reason.UNKNOWN_PRICE_CAGE)
    nearest_e4 = nearest_price_e4(cage, intent.side, intent.price_e4)
    if nearest_e4 == intent.price_e4:
        return None
    return _refuse(
        Reason.OUTSIDE_PRICE_CAGE,
        observed=intent.price_e4,
        limit=nearest_e4,
        unit=Unit.PRICE_E4,
    )


def check_self_trade(case: Case) -> Refusal | None:
    """Refuse an order that could trade with an open one of its own account.

    An order whose cancel is on its way is still open. An open market order counts at its worst
    price, which is the day's limit; a new one meets every open order of the other side.
    """
    account, intent = case.account, case.intent
    is_buy = intent.side is Side.BUY
    # Asked first, because to look through all open orders for each intent costs too much.
    if is_buy and not account.ledger.frozen_shares(intent.instrument):
        return None
    if not is_buy and intent.instrument not in account.buying_fen:
        return None
    opposite_e4 = [
        order.bound_price_e4
        for order in account.orders.values()
        if order.instrument == intent.instrument and order.side is not intent.side
    ]
    price_e4, nearest_e4 = case.bound_price_e4, (min if is_buy else max)(opposite_e4)
    is_crossing = price_e4 >= nearest_e4 if is_buy else price_e4 <= nearest_e4
    if intent.order_type is OrderType.LIMIT and not is_crossing:
        return None
    return _refuse(
        Reason.SELF_TRADE,
        observed=price_e4,
        limit=nearest_e4,
        unit=Unit.PRICE_E4,
    )


def check_buy_lot(case: Case) -> Refusal | None:
    """Refuse a buy that is no whole lot or beyond the order's maximum."""
    quantity_shares = case.intent.quantity_shares
    rule = lot_rule(case.listing.board, case.trade_date)
    is_market = case.intent.order_type is OrderType.MARKET
    largest_shares = rule.max_market_shares if is_market else rule.max_limit_shares
    if quantity_shares > largest_shares:
        return _refuse_lot(quantity_shares, largest_shares)
    if not is_valid_buy(quantity_shares, case.listing.board, trade_date=case.trade_date):
        return _refuse_lot(quantity_shares, rule.min_shares)
    return None


def check_st_buy_cap(case: Case) -> Refusal | None:
    """Refuse to buy more of one share under risk warning than an account may in a day.

    What the day has filled and what open buys may still add count. An order after the close trades
    on the next day, on which nothing is bought yet.
    """
    listing, account, intent = case.listing, case.account, case.intent
    cap_shares = st_buy_cap_shares(listing.board, case.trade_date) if listing.is_st else None
    if cap_shares is None:
        return None
    bought_shares = account.activity.bought_shares.get(intent.instrument, 0)
    open_shares = sum(
        order.leaves_shares
        for order in account.orders.values()
        if order.instrument == intent.instrument and order.side is Side.BUY
    )
    before_shares = 0 if case.market.is_after_close else bought_shares
    after_shares = before_shares + open_shares + intent.quantity_shares
    if after_shares <= cap_shares:
        return None
    return _refuse(
        Reason.ST_BUY_CAP,
        observed=after_shares,
        limit=cap_shares,
        unit=Unit.SHARES,
    )


def check_sellable(case: Case) -> Refusal | None:
    """Refuse to sell what is not held, is locked by T+1 or promised to other orders."""
    wanted_shares = case.intent.quantity_shares
    sellable_shares = _sellable_shares(case)
    if wanted_shares > sellable_shares:
        return _refuse(
            Reason.NOT_SELLABLE,
            observed=sellable_shares,
            limit=wanted_shares,
            unit=Unit.SHARES,
        )
    return None


def check_sell_lot(case: Case) -> Refusal | None:
    """Refuse a sell that splits an odd lot or is beyond the order's maximum."""
    quantity_shares = case.intent.quantity_shares
    rule = lot_rule(case.listing.board, case.trade_date)
    is_market = case.intent.order_type is OrderType.MARKET
    largest_shares = rule.max_market_shares if is_market else rule.max_limit_shares
    if quantity_shares > largest_shares:
        return _refuse_lot(quantity_shares, largest_shares)
    is_valid = is_valid_sell(
        quantity_shares=quantity_shares,
        sellable_shares=_sellable_shares(case),
        board=case.listing.board,
        trade_date=case.trade_date,
    )
    if not is_valid:
        return _refuse_lot(quantity_shares, rule.min_shares)
    return None


def check_cash(case: Case) -> Refusal | None:
    """Refuse what the free cash cannot pay, fees included."""
    needed_fen = case.needed_fen
    free_fen = case.account.ledger.available_fen - case.intent.cash_reserve_fen
    # An order that needs nothing is good even where other orders hold back all cash.
    if needed_fen > max(0, free_fen):
        return _refuse(
            Reason.NOT_ENOUGH_CASH,
            observed=needed_fen,
            limit=free_fen,
            unit=Unit.FEN,
        )
    return None


_COMMON: tuple[Check, ...] = (
    check_account,
    check_order_rate,
    check_daily_orders,
    check_instrument,
    check_suspension,
    check_mark,
    check_mark_age,
    check_limit_state,
    check_price_tick,
    check_price_limit,
    check_price_cage,
    check_self_trade,
)
BUY_CHECKS: tuple[Check, ...] = (*_COMMON, check_buy_lot, check_st_buy_cap, check_cash)
# Before the lot, because which odd lots may be sold depends on what is sellable.
SELL_CHECKS: tuple[Check, ...] = (*_COMMON, check_sellable, check_sell_lot, check_cash)


def _sellable_shares(case: Case) -> int:
    # After the close an order trades on the next day, when what today locks may be sold.
    return case.account.ledger.sellable_shares(
        case.intent.instrument,
        is_for_next_day=case.market.is_after_close,
    )


def _check_messages(reason: Reason, count: int, threshold: int) -> Refusal | None:
    """Refuse from the threshold on: as many as it says are high frequency already."""
    if count < threshold:
        return None
    return _refuse(reason, observed=count, limit=threshold - 1, unit=Unit.MESSAGES)


def _refuse_lot(quantity_shares: int, limit_shares: int) -> Refusal:
    return _refuse(
        Reason.BAD_LOT,
        observed=quantity_shares,
        limit=limit_shares,
        unit=Unit.SHARES,
    )


def _refuse(
    reason: Reason,
    *,
    observed: int = 0,
    limit: int = 0,
    unit: Unit = Unit.NONE,
) -> Refusal:
    return Refusal(Layer.VALIDITY, reason, observed, limit, unit)
