"""How large an order is and what it costs, in the kernels' numbers.

Cash and targets beyond `AMOUNT_MAX_FEN` count as that much: it only makes orders smaller.
"""

from tidegate_common.compiling import called, compiled, inlined
from tidegate_common.domain.units import Int64Array
from tidegate_risk.engine.layout import (
    AMOUNT_MAX_FEN,
    ANSWER,
    AS_ASKED,
    ASK,
    AVAILABLE,
    BID,
    BPS,
    BUY_DUTY,
    BUY_VALUE,
    CAGE,
    CAGE_BPS,
    CAGE_FLOOR,
    CAGE_LIMITED,
    CAGE_NONE,
    CAGE_UNKNOWN,
    CODE,
    COMMISSION,
    COMMISSION_MIN,
    E4_PER_FEN,
    FACE_FEN,
    HALF_BITS,
    HALF_MASK,
    HANDLING,
    HELD,
    INSIDE_BAND,
    INT64_MAX,
    IS_BUY,
    IS_HELD_TOO,
    IS_ON_FACE,
    IS_TICK_BEAT,
    LAST,
    LIMIT,
    LIMIT_DOWN,
    LIMIT_MAX,
    LIMIT_STATE,
    LIMIT_UP,
    LIMITED,
    LOT_MIN,
    LOT_STEP,
    MARK,
    MODE,
    OBSERVED,
    OFFSET_BPS,
    ORDER_PRICE,
    ORDER_QUANTITY,
    OVER_TURNOVER,
    PRICE,
    QUANTITY,
    RATE_SCALE,
    REGULATORY,
    RESERVE,
    SELL_HOLDING,
    SELLABLE,
    TARGET,
    TICK,
    TRADED,
    TRADED_MAX,
    TRANSFER,
)


@inlined
def is_answered(
    intent: Int64Array,
    listing: Int64Array,
    rule: Int64Array,
    state: Int64Array,
    edge_e4: int,
    verdict: Int64Array,
) -> bool:
    """Set price and quantity; tell whether the answer is that there is nothing to decide."""
    mode = intent[MODE]
    if mode == AS_ASKED:
        verdict[ORDER_PRICE] = intent[PRICE]
        verdict[ORDER_QUANTITY] = intent[QUANTITY]
        return False
    verdict[ORDER_PRICE] = _price_e4(intent, listing, rule, state, edge_e4)
    verdict[ORDER_QUANTITY] = 0
    if mode == ANSWER:
        return fail(verdict, intent[QUANTITY], intent[TARGET], 0)
    if mode == BUY_VALUE:
        return _size_buy(intent, rule, state, verdict)
    if mode == SELL_HOLDING:
        # At most the board's largest order.
        verdict[ORDER_QUANTITY] = min(intent[HELD], rule[LIMIT_MAX] or intent[HELD])
        return False
    wanted_shares, sellable_shares = intent[QUANTITY], intent[SELLABLE]
    shares = largest_sell_shares(wanted_shares, sellable_shares, rule)
    if shares == 0 and intent[IS_HELD_TOO] and wanted_shares <= sellable_shares:
        return fail(verdict, INSIDE_BAND, intent[TARGET], 0)
    # Where no lot can be sold a check says why.
    verdict[ORDER_QUANTITY] = shares or wanted_shares
    return False


@inlined
def _size_buy(
    intent: Int64Array,
    rule: Int64Array,
    state: Int64Array,
    verdict: Int64Array,
) -> bool:
    """Buy lots of a value, or of what the cash above the reserve and the day's turnover leave.

    Where the cash pays not even one lot, the value's comes back: the cash check then says why.
    """
    price_e4 = verdict[ORDER_PRICE]
    shares = _payable_shares(price_e4, intent, rule, state)
    if shares == 0:
        return intent[IS_HELD_TOO] and fail(verdict, INSIDE_BAND, intent[TARGET], 0)
    verdict[ORDER_QUANTITY] = shares
    left_e4 = min(max(0, state[TRADED_MAX] - state[TRADED]), AMOUNT_MAX_FEN) * E4_PER_FEN
    # Multiplied where it can be: most orders need no division, which is slow.
    if shares * price_e4 <= left_e4:
        return False
    verdict[ORDER_QUANTITY] = whole_shares(left_e4 // price_e4, rule)
    if verdict[ORDER_QUANTITY]:
        return False
    return fail(verdict, OVER_TURNOVER, state[TRADED] + value_of_fen(price_e4, shares), 0)


@inlined
def _payable_shares(price_e4: int, intent: Int64Array, rule: Int64Array, state: Int64Array) -> int:
    if price_e4 <= 0:
        return 0
    target_e4 = min(intent[TARGET], AMOUNT_MAX_FEN) * E4_PER_FEN
    wanted_shares = whole_shares(target_e4 // price_e4, rule)
    cash_fen = min(max(0, state[AVAILABLE] - intent[RESERVE]), AMOUNT_MAX_FEN)
    # Fees grow with the amount and the shares, so those of the whole cash, and of a share more
    # than it pays, bound those of what it pays.
    most_shares = cash_fen * E4_PER_FEN // price_e4 + 1 if rule[IS_ON_FACE] else 1
    fees_fen = order_fees_fen(cash_fen, most_shares, rule[BUY_DUTY], rule)
    payable_e4 = (cash_fen - fees_fen) * E4_PER_FEN
    if wanted_shares * price_e4 <= payable_e4:
        return wanted_shares
    bought_shares = whole_shares(payable_e4 // price_e4, rule)
    return bought_shares or wanted_shares


@inlined
def _price_e4(
    intent: Int64Array,
    listing: Int64Array,
    rule: Int64Array,
    state: Int64Array,
    edge_e4: int,
) -> int:
    """Return a strategy's limit price, moved into the cage.

    In tick runs the best price of the other side, else the mark; in bar runs the mark moved against
    us, rounded on outwards to the tick, within the limits.
    """
    is_buy, mark_e4 = intent[IS_BUY], listing[MARK]
    if state[IS_TICK_BEAT]:
        price_e4 = (listing[ASK] if is_buy else listing[BID]) or mark_e4
    else:
        tick_e4 = rule[TICK]
        scale = BPS * tick_e4
        if is_buy:
            price_e4 = -(-mark_e4 * (BPS + state[OFFSET_BPS]) // scale) * tick_e4
        else:
            price_e4 = mark_e4 * (BPS - state[OFFSET_BPS]) // scale * tick_e4
        if listing[LIMIT_STATE] == LIMITED:
            price_e4 = min(max(price_e4, listing[LIMIT_DOWN]), listing[LIMIT_UP])
    return nearest_e4(price_e4, is_buy, edge_e4)


@compiled
def whole_shares(quantity_shares: int, rule: Int64Array) -> int:
    """Return the largest valid limit buy of not more shares, 0 where none is."""
    return whole_part(min(quantity_shares, rule[LIMIT_MAX]), rule)


@compiled
def whole_part(shares: int, rule: Int64Array) -> int:
    """Return the largest of so many shares that is a whole lot, the order's maximum aside."""
    least_shares: int = rule[LOT_MIN]
    if shares < least_shares:
        return 0
    over_shares: int = (shares - least_shares) % rule[LOT_STEP]
    return shares - over_shares


@compiled
def largest_sell_shares(wanted_shares: int, sellable_shares: int, rule: Int64Array) -> int:
    """Return the largest valid sell of not more than wanted, 0 where none is.

    `sellable_shares` is all that the account can sell; what is odd in it goes in one order.
    """
    most = min(wanted_shares, sellable_shares)
    odd = sellable_shares - whole_shares(sellable_shares, rule)
    without, with_odd = whole_shares(most, rule), odd + whole_shares(most - odd, rule)
    if with_odd > without and with_odd <= most and is_sell_lot(with_odd, sellable_shares, rule):
        return with_odd
    return without if is_sell_lot(without, sellable_shares, rule) else 0


@compiled
def is_sell_part(quantity_shares: int, sellable_shares: int, rule: Int64Array) -> bool:
    """Tell whether so much can be sold: whole lots, with or without all that is odd."""
    if quantity_shares <= 0 or quantity_shares > sellable_shares:
        return False
    if whole_part(quantity_shares, rule) == quantity_shares:
        return True
    rest = quantity_shares - (sellable_shares - whole_part(sellable_shares, rule))
    return rest >= 0 and whole_part(rest, rule) == rest


@compiled
def is_sell_lot(quantity_shares: int, sellable_shares: int, rule: Int64Array) -> bool:
    """Tell whether a limit sell may have this quantity."""
    return quantity_shares <= rule[LIMIT_MAX] and is_sell_part(
        quantity_shares, sellable_shares, rule
    )


@compiled
def order_fees_fen(amount_fen: int, shares: int, duty_e8: int, rule: Int64Array) -> int:
    """Return an order's fees, as `FeeSchedule.order_fees` does; `shares` > 0."""
    base_fen = shares * FACE_FEN if rule[IS_ON_FACE] else amount_fen
    commission_fen: int = max(_part_fen(amount_fen, rule[COMMISSION]), rule[COMMISSION_MIN])
    return (
        commission_fen
        + _part_fen(amount_fen, duty_e8)
        + _part_fen(base_fen, rule[TRANSFER])
        + _part_fen(amount_fen, rule[HANDLING])
        + _part_fen(amount_fen, rule[REGULATORY])
    )


@compiled
def _part_fen(amount_fen: int, rate_e8: int) -> int:
    if rate_e8 == 0:
        return 0
    # The whole multiples apart: their product with a rate needs no division, the rest no 64 bits.
    wholes = amount_fen // RATE_SCALE
    rest = amount_fen - wholes * RATE_SCALE
    return wholes * rate_e8 + (2 * rest * rate_e8 + RATE_SCALE) // (2 * RATE_SCALE)


@compiled
def value_of_fen(price_e4: int, shares: int) -> int:
    """Return price x quantity in fen, rounded half up, as `notional_fen` does; both >= 0."""
    return (2 * price_e4 * shares + E4_PER_FEN) // (2 * E4_PER_FEN)


@compiled
def nearest_e4(price_e4: int, is_buy: int, edge_e4: int) -> int:
    """Return the price nearest to a limit order's that a cage lets in; its own in doubt."""
    if edge_e4 < 0:
        return price_e4
    return min(price_e4, edge_e4) if is_buy else max(price_e4, edge_e4)


@inlined
def cage_edge_e4(is_buy: int, listing: Int64Array, rule: Int64Array) -> int:
    """Return the highest price of a buy or the lowest of a sell, as `price_cage` does.

    The price farthest away where nothing is refused, -1 where nobody knows. The reference is the
    best price of the other side, else of the own side, else the last trade.
    """
    kind: int = rule[CAGE]
    other_e4, own_e4 = (listing[ASK], listing[BID]) if is_buy else (listing[BID], listing[ASK])
    reference_e4: int = other_e4 or own_e4 or listing[LAST]
    if kind == CAGE_UNKNOWN or (kind != CAGE_NONE and reference_e4 == 0):
        return -1
    if kind != CAGE_LIMITED:
        return INT64_MAX if is_buy else 0
    tick_e4: int = rule[TICK]
    unit = 2 * BPS * tick_e4
    distance: int = max(reference_e4 * rule[CAGE_BPS], rule[CAGE_FLOOR] * BPS)
    edge = reference_e4 * BPS + (distance if is_buy else -distance)
    ticks = (2 * edge + unit // 2) // unit
    return tick_e4 * (ticks if is_buy else max(ticks, 1))


@compiled
def exceeds(part: int, whole: int, limit_bps: int) -> bool:
    """Tell exactly whether a part is more than so many basis points of a whole.

    As `ratios.exceeds_bps`, in halves of 32 bits, because the products need more than 64.
    """
    low, other_low = (part & HALF_MASK) * BPS, (whole & HALF_MASK) * limit_bps
    high = (part >> HALF_BITS) * BPS + (low >> HALF_BITS)
    other_high = (whole >> HALF_BITS) * limit_bps + (other_low >> HALF_BITS)
    if high != other_high:
        return high > other_high
    return (low & HALF_MASK) > (other_low & HALF_MASK)


@called
def fail(verdict: Int64Array, code: int, observed: int, limit: int) -> bool:
    """Write down which check failed, and on what; return True."""
    verdict[CODE] = code
    verdict[OBSERVED] = observed
    verdict[LIMIT] = limit
    return True
