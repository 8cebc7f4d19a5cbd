"""Order validity, cheapest first: whether the exchange could take the order at all."""

from tidegate_common.compiling import inlined
from tidegate_common.domain.units import Int64Array
from tidegate_risk.engine.layout import (
    AVAILABLE,
    BAD_LOT,
    BAD_TICK,
    BAD_TYPE,
    BEAT,
    BOUGHT,
    BOUND,
    BUY_DUTY,
    DAILY_ORDERS,
    DAY_COUNT,
    DAY_LIMIT,
    FIXED_KIND,
    FIXED_MAX,
    HALTED,
    INT64_MAX,
    IS_AFTER_CLOSE,
    IS_BUY,
    IS_HALTED,
    IS_MARKET,
    IS_SUSPENDED,
    IS_TICK_RUN,
    KIND,
    KINDS,
    LIMIT_DOWN,
    LIMIT_MAX,
    LIMIT_STATE,
    LIMIT_UNKNOWN,
    LIMIT_UP,
    LIMITED,
    LISTED,
    LOT_MIN,
    MARK,
    MARKET_MAX,
    NEEDED,
    NEWS_BEAT,
    NO_CASH,
    NO_MARK,
    NOT_SELLABLE,
    OPEN_BUYS,
    OPPOSITE,
    ORDER_PRICE,
    ORDER_QUANTITY,
    ORDER_RATE,
    OUTSIDE_CAGE,
    OUTSIDE_LIMIT,
    OVER_ST_CAP,
    PRICE_MAX_E4,
    RESERVE,
    SECOND_COUNT,
    SECOND_LIMIT,
    SELF_TRADE,
    SELL_DUTY,
    SELLABLE,
    ST,
    ST_CAP,
    STALE,
    STALE_MARK,
    STALE_MAX,
    SUSPENDED,
    TICK,
    UNKNOWN_CAGE,
    UNKNOWN_INSTRUMENT,
    UNKNOWN_LIMIT,
)
from tidegate_risk.engine.sizing import (
    fail,
    is_sell_part,
    nearest_e4,
    order_fees_fen,
    value_of_fen,
    whole_part,
)


@inlined
def is_invalid(
    intent: Int64Array,
    listing: Int64Array,
    rule: Int64Array,
    state: Int64Array,
    edge_e4: int,
    verdict: Int64Array,
) -> bool:
    """Tell whether the exchange could not take the order at all, cash apart."""
    if (
        _is_barred(state, verdict)
        or _is_unpriced(listing, state, verdict)
        or _is_of_other_type(intent, rule, verdict)
        or _is_price_refused(intent, listing, rule, verdict)
        or _is_outside_cage(intent, edge_e4, verdict)
        or _is_self_trade(intent, verdict)
    ):
        return True
    if intent[IS_BUY]:
        return _is_buy_lot_refused(intent, listing, rule, state, verdict)
    return _is_sell_lot_refused(intent, rule, verdict)


@inlined
def _is_barred(state: Int64Array, verdict: Int64Array) -> bool:
    """Refuse all for a halted account, and who would become a high-frequency trader.

    Orders and cancels count; as many as the threshold says are high frequency already.
    """
    if state[IS_HALTED]:
        return fail(verdict, HALTED, 0, 0)
    if state[SECOND_COUNT] >= state[SECOND_LIMIT]:
        return fail(verdict, ORDER_RATE, state[SECOND_COUNT] + 1, state[SECOND_LIMIT])
    if state[DAY_COUNT] >= state[DAY_LIMIT]:
        return fail(verdict, DAILY_ORDERS, state[DAY_COUNT] + 1, state[DAY_LIMIT])
    return False


@inlined
def _is_unpriced(listing: Int64Array, state: Int64Array, verdict: Int64Array) -> bool:
    """Refuse what has no reference data today, is suspended, or has no mark or a stale one.

    Stale is a mark whose shard is silent, or in tick runs one that nothing confirmed for too long.
    """
    if not listing[LISTED]:
        return fail(verdict, UNKNOWN_INSTRUMENT, 0, 0)
    if listing[SUSPENDED]:
        return fail(verdict, IS_SUSPENDED, 0, 0)
    if listing[MARK] == 0:
        return fail(verdict, NO_MARK, 0, 1)
    age_beats = state[BEAT] - listing[NEWS_BEAT]
    if listing[STALE]:
        return fail(verdict, STALE_MARK, age_beats, 0)
    if state[IS_TICK_RUN] and age_beats > state[STALE_MAX]:
        return fail(verdict, STALE_MARK, age_beats, state[STALE_MAX])
    return False


@inlined
def _is_of_other_type(intent: Int64Array, rule: Int64Array, verdict: Int64Array) -> bool:
    """Refuse a kind of order that the board does not know, or that nobody wrote down."""
    kind = intent[KIND]
    if kind and not rule[KINDS] & kind:
        return fail(verdict, BAD_TYPE, 0, 0)
    return False


@inlined
def _is_price_refused(
    intent: Int64Array,
    listing: Int64Array,
    rule: Int64Array,
    verdict: Int64Array,
) -> bool:
    """Refuse a price off the tick or beyond the day's limits, and limits that nobody knows.

    A market order has no price, and as a buy needs a limit that bounds it.
    """
    price_e4, limit_state, is_market = verdict[ORDER_PRICE], listing[LIMIT_STATE], intent[IS_MARKET]
    is_unbounded = is_market and intent[IS_BUY] and limit_state != LIMITED
    if limit_state == LIMIT_UNKNOWN or is_unbounded:
        return fail(verdict, UNKNOWN_LIMIT, 0, 0)
    if is_market and price_e4 != 0:
        return fail(verdict, BAD_TICK, price_e4, 0)
    if not is_market and (price_e4 <= 0 or price_e4 % rule[TICK]):
        return fail(verdict, BAD_TICK, price_e4, rule[TICK])
    if verdict[BOUND] > PRICE_MAX_E4:
        return fail(verdict, OUTSIDE_LIMIT, verdict[BOUND], PRICE_MAX_E4)
    if is_market or limit_state != LIMITED:
        return False
    inside_e4 = min(max(price_e4, listing[LIMIT_DOWN]), listing[LIMIT_UP])
    return inside_e4 != price_e4 and fail(verdict, OUTSIDE_LIMIT, price_e4, inside_e4)


@inlined
def _is_outside_cage(intent: Int64Array, edge_e4: int, verdict: Int64Array) -> bool:
    """Refuse a limit price too far from the market, and one of which nobody knows whether it is.

    What trades after hours at the fixed price has no cage.
    """
    if intent[IS_MARKET] or intent[KIND] == FIXED_KIND:
        return False
    if edge_e4 < 0:
        return fail(verdict, UNKNOWN_CAGE, 0, 0)
    price_e4 = verdict[ORDER_PRICE]
    inside_e4 = nearest_e4(price_e4, intent[IS_BUY], edge_e4)
    return inside_e4 != price_e4 and fail(verdict, OUTSIDE_CAGE, price_e4, inside_e4)


@inlined
def _is_self_trade(intent: Int64Array, verdict: Int64Array) -> bool:
    """Refuse an order that could trade with an open one of its own account.

    An order whose cancel is on its way is still open. An open market order counts at its worst
    price, which is the day's limit; a new one meets every open order of the other side.
    """
    opposite_e4, bound_e4 = intent[OPPOSITE], verdict[BOUND]
    if opposite_e4 == 0:
        return False
    is_crossing = bound_e4 >= opposite_e4 if intent[IS_BUY] else bound_e4 <= opposite_e4
    if intent[IS_MARKET] or is_crossing:
        return fail(verdict, SELF_TRADE, bound_e4, opposite_e4)
    return False


@inlined
def _is_buy_lot_refused(
    intent: Int64Array,
    listing: Int64Array,
    rule: Int64Array,
    state: Int64Array,
    verdict: Int64Array,
) -> bool:
    """Refuse a buy that is no whole lot, too large, or over the day's cap on a risk warning.

    What the day has filled and what open buys may still add count for the cap. An order after the
    close trades on the next day, on which nothing is bought yet.
    """
    shares = verdict[ORDER_QUANTITY]
    if _is_too_large(intent, rule, verdict):
        return True
    if shares <= 0 or whole_part(shares, rule) != shares:
        return fail(verdict, BAD_LOT, shares, rule[LOT_MIN])
    if listing[ST] == 0 or rule[ST_CAP] < 0:
        return False
    before_shares = 0 if state[IS_AFTER_CLOSE] else intent[BOUGHT]
    after_shares = before_shares + intent[OPEN_BUYS] + shares
    return after_shares > rule[ST_CAP] and fail(verdict, OVER_ST_CAP, after_shares, rule[ST_CAP])


@inlined
def _is_sell_lot_refused(intent: Int64Array, rule: Int64Array, verdict: Int64Array) -> bool:
    """Refuse to sell what is not held, locked by T+1 or promised; a split odd lot; too much.

    What is sellable first, because which odd lots may be sold depends on it.
    """
    shares, sellable_shares = verdict[ORDER_QUANTITY], intent[SELLABLE]
    if shares > sellable_shares:
        return fail(verdict, NOT_SELLABLE, sellable_shares, shares)
    if _is_too_large(intent, rule, verdict):
        return True
    if not is_sell_part(shares, sellable_shares, rule):
        return fail(verdict, BAD_LOT, shares, rule[LOT_MIN])
    return False


@inlined
def _is_too_large(intent: Int64Array, rule: Int64Array, verdict: Int64Array) -> bool:
    shares = verdict[ORDER_QUANTITY]
    if intent[KIND] == FIXED_KIND:
        largest_shares = rule[FIXED_MAX]
    else:
        largest_shares = rule[MARKET_MAX] if intent[IS_MARKET] else rule[LIMIT_MAX]
    return shares > largest_shares and fail(verdict, BAD_LOT, shares, largest_shares)


@inlined
def is_too_dear(
    intent: Int64Array,
    rule: Int64Array,
    state: Int64Array,
    value_fen: int,
    verdict: Int64Array,
) -> bool:
    """Refuse what the free cash cannot pay: a buy with its fees, a sell's fees beyond its proceeds.

    Fees exceed proceeds most on the least fill, one share: it pays the minimum commission.
    """
    if intent[IS_BUY]:
        shares = verdict[ORDER_QUANTITY]
        needed_fen = value_fen + order_fees_fen(value_fen, shares, rule[BUY_DUTY], rule)
        # Nobody has as much: no cash pays what cannot be counted.
        needed_fen = needed_fen if value_fen < INT64_MAX else INT64_MAX
    else:
        least_fen = value_of_fen(verdict[BOUND], 1)
        needed_fen = max(0, order_fees_fen(least_fen, 1, rule[SELL_DUTY], rule) - least_fen)
    free_fen = state[AVAILABLE] - intent[RESERVE]
    # An order that needs nothing is good even where other orders hold back all cash.
    if needed_fen > max(0, free_fen):
        return fail(verdict, NO_CASH, needed_fen, free_fen)
    verdict[NEEDED] = needed_fen
    return False
