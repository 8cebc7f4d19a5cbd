"""The questions that risk must ask of every order, in their order, by the issue and risk's README.

Reckoned in `Decimal` yuan, with the rules of `oracle_rules`; no code of the engine is asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil

from tests.property.risk.oracle_books import OracleAccount, Wish
from tests.property.risk.oracle_market import NOTHING, Instrument, OracleMarket
from tests.property.risk.oracle_rules import (
    LOTS,
    fees_of,
    most_after_hours,
    st_cap,
    takes_at_market,
    thresholds_on,
    tick,
    to_fen,
)

from tidegate_common.domain.enums import (
    AccountState,
    Layer,
    LimitState,
    Phase,
    Reason,
    Side,
    TimeInForce,
    Unit,
)
from tidegate_common.events.run import RunSpec
from tidegate_common.market.sessions import NS_PER_SECOND


@dataclass(frozen=True)
class Verdict:
    """What decides an order, in the units of the wire."""

    layer: Layer = Layer.VALIDITY
    reason: Reason = Reason.NONE
    observed: int = 0
    limit: int = 0
    unit: Unit = Unit.NONE


@dataclass(frozen=True)
class Case:
    """A wish of an account before the market of a beat."""

    wish: Wish
    account: OracleAccount
    market: OracleMarket
    spec: RunSpec

    @property
    def listing(self) -> Instrument:
        """What is known of the instrument."""
        return self.market.find(self.wish.instrument)

    @property
    def day(self) -> int:
        """The trading day."""
        return self.market.stamp.trade_date

    @property
    def worst(self) -> Decimal:
        """The worst price for us; a market order's is the day's limit, at least one step."""
        if not self.wish.is_market:
            return self.wish.price
        if self.wish.is_buy:
            return self.listing.up
        return max(self.listing.down, tick(self.listing.board))

    @property
    def value(self) -> Decimal:
        """Turnover at the worst price."""
        return to_fen(self.worst * self.wish.quantity)

    @property
    def needed(self) -> Decimal:
        """Cash to hold back: a buy's cost, what a sell's fees exceed its least proceeds by."""
        is_buy = self.wish.is_buy
        amount = self.value if is_buy else to_fen(self.worst)
        fees = fees_of(
            amount,
            is_buy=is_buy,
            exchange=self.listing.exchange,
            board=self.listing.board,
            day=self.day,
            contract=self.spec.commission,
        )
        return amount + fees if is_buy else max(NOTHING, fees - amount)

    @property
    def sellable(self) -> int:
        """Shares that the account may sell; after the close those of tomorrow."""
        return self.account.sellable(
            self.wish.instrument,
            is_for_tomorrow=self.market.is_after_close,
        )


CALLS = frozenset({Phase.OPEN_CALL, Phase.OPEN_CALL_LOCKED, Phase.CLOSE_CALL})
Question = Callable[[Case], Verdict | None]


def judge(case: Case) -> Verdict:
    """Return the first refusal, or a verdict without a reason."""
    for question in QUESTIONS[case.wish.side]:
        verdict = question(case)
        if verdict is not None:
            return verdict
    return Verdict()


# --- validity -------------------------------------------------------------------------------------


def ask_state(case: Case) -> Verdict | None:
    """Refuse what a halted account asks for."""
    is_halted = case.account.state is AccountState.HALTED
    return Verdict(reason=Reason.ACCOUNT_HALTED) if is_halted else None


def ask_rates(case: Case) -> Verdict | None:
    """Refuse to make a high-frequency trader, by the second or by the day."""
    thresholds = thresholds_on(case.day, case.spec.programme_trading)
    if thresholds is None:
        return None
    second = case.market.stamp.ts_event_ns // NS_PER_SECOND
    messages = case.account.messages
    counts = messages.count(second) + 1, len(messages) + 1
    reasons = Reason.ORDER_RATE_LIMIT, Reason.DAILY_ORDER_LIMIT
    for reason, count, threshold in zip(reasons, counts, thresholds, strict=True):
        if count >= threshold:
            return Verdict(Layer.VALIDITY, reason, count, threshold - 1, Unit.MESSAGES)
    return None


def ask_listing(case: Case) -> Verdict | None:
    """Refuse what the morning did not name, and what is suspended."""
    if not case.listing.is_listed:
        return Verdict(reason=Reason.UNKNOWN_INSTRUMENT)
    return Verdict(reason=Reason.SUSPENDED) if case.listing.is_suspended else None


def ask_mark(case: Case) -> Verdict | None:
    """Refuse where there is no price, or an old one."""
    listing = case.listing
    if not listing.mark:
        return Verdict(Layer.VALIDITY, Reason.MISSING_MARK, 0, 1, Unit.PRICE_E4)
    age = case.market.stamp.beat - listing.heard
    most = 0 if listing.is_silent else case.account.limits.stale_beats_max
    if listing.is_silent or (case.market.has_ticks and age > most):
        return Verdict(Layer.VALIDITY, Reason.STALE_MARK, age, most, Unit.BEATS)
    return None


def ask_type(case: Case) -> Verdict | None:
    """Refuse a kind of order that the board does not know."""
    wish, listing = case.wish, case.listing
    is_good = True
    if wish.is_fixed:
        is_for_day = wish.time_in_force is TimeInForce.DAY
        is_good = is_for_day and most_after_hours(listing.board, case.day) > 0
    elif wish.is_market:
        is_good = takes_at_market(
            wish.order_type,
            is_fill_or_kill=wish.time_in_force is TimeInForce.FOK,
            exchange=listing.exchange,
            board=listing.board,
            day=case.day,
        )
    return None if is_good else Verdict(reason=Reason.BAD_ORDER_TYPE)


def ask_limit_state(case: Case) -> Verdict | None:
    """Refuse a day of unknown limit, and a market buy that nothing bounds."""
    state, wish = case.listing.limit_state, case.wish
    is_boundless = wish.is_market and wish.is_buy and state is not LimitState.LIMITED
    if state is LimitState.UNKNOWN or is_boundless:
        return Verdict(reason=Reason.UNKNOWN_PRICE_LIMIT)
    return None


def ask_tick(case: Case) -> Verdict | None:
    """Refuse a limit price off the step, and any price of a market order."""
    wish = case.wish
    step = NOTHING if wish.is_market else tick(case.listing.board)
    is_good = wish.price > 0 and wish.price % step == 0 if step else wish.price == 0
    return None if is_good else _price_verdict(Reason.BAD_PRICE_TICK, wish.price, step)


def ask_limits(case: Case) -> Verdict | None:
    """Refuse a limit price beyond the day's limits."""
    listing, wish = case.listing, case.wish
    if wish.is_market or listing.limit_state is not LimitState.LIMITED:
        return None
    if wish.price > listing.up:
        return _price_verdict(Reason.OUTSIDE_PRICE_LIMIT, wish.price, listing.up)
    if wish.price < listing.down:
        return _price_verdict(Reason.OUTSIDE_PRICE_LIMIT, wish.price, listing.down)
    return None


def ask_cage(case: Case) -> Verdict | None:
    """Refuse a limit price too far from the market."""
    wish = case.wish
    if wish.is_market or wish.is_fixed:
        return None
    edge = case.market.cage_edge(case.listing, is_buy=wish.is_buy)
    if edge is LimitState.UNKNOWN:
        return Verdict(reason=Reason.UNKNOWN_PRICE_CAGE)
    if isinstance(edge, LimitState):
        return None
    is_beyond = wish.price > edge if wish.is_buy else wish.price < edge
    return _price_verdict(Reason.OUTSIDE_PRICE_CAGE, wish.price, edge) if is_beyond else None


def ask_own_orders(case: Case) -> Verdict | None:
    """Refuse an order that could trade with an open one of the account."""
    wish = case.wish
    other = Side.SELL if wish.is_buy else Side.BUY
    others = sorted(order.worst for order in case.account.open_in(wish.instrument, other))
    if not others:
        return None
    nearest = others[0] if wish.is_buy else others[-1]
    is_apart = case.worst < nearest if wish.is_buy else case.worst > nearest
    if is_apart and not wish.is_market:
        return None
    return _price_verdict(Reason.SELF_TRADE, case.worst, nearest)


def ask_sellable(case: Case) -> Verdict | None:
    """Refuse to sell what is not there, was bought today or is promised."""
    wanted, sellable = case.wish.quantity, case.sellable
    if wanted <= sellable:
        return None
    return Verdict(Layer.VALIDITY, Reason.NOT_SELLABLE, sellable, wanted, Unit.SHARES)


def ask_lot(case: Case) -> Verdict | None:
    """Refuse a quantity that is none of the board's, and to split an odd lot."""
    wish, lot = case.wish, LOTS[case.listing.board]
    most = lot.most_at_market if wish.is_market else lot.most
    if wish.is_fixed:
        most = most_after_hours(case.listing.board, case.day)
    if wish.quantity > most:
        return Verdict(Layer.VALIDITY, Reason.BAD_LOT, wish.quantity, most, Unit.SHARES)
    if wish.is_buy:
        is_good = wish.quantity > 0 and lot.is_whole(wish.quantity)
    else:
        is_good = lot.is_sale(wish.quantity, case.sellable)
    if is_good:
        return None
    return Verdict(Layer.VALIDITY, Reason.BAD_LOT, wish.quantity, lot.least, Unit.SHARES)


def ask_st_cap(case: Case) -> Verdict | None:
    """Refuse to buy more of an ST share in a day than an account may."""
    listing, number = case.listing, case.wish.instrument
    cap = st_cap(listing.board, case.day) if listing.is_st else None
    if cap is None:
        return None
    is_open = (order.left for order in case.account.open_in(number, Side.BUY))
    bought = 0 if case.market.is_after_close else case.account.bought[number]
    wanted = bought + sum(is_open) + case.wish.quantity
    if wanted <= cap:
        return None
    return Verdict(Layer.VALIDITY, Reason.ST_BUY_CAP, wanted, cap, Unit.SHARES)


def ask_cash(case: Case) -> Verdict | None:
    """Refuse what free cash does not pay; what needs none is good in any case."""
    needed, available = case.needed, case.account.available
    if needed == 0 or needed <= available:
        return None
    fen = int(needed * 100), int(available * 100)
    return Verdict(Layer.VALIDITY, Reason.NOT_ENOUGH_CASH, *fen, Unit.FEN)


def ask_command(case: Case) -> Verdict | None:
    """Refuse to buy where people let the account only sell."""
    is_reducing = case.account.commanded is AccountState.REDUCING
    return Verdict(reason=Reason.ACCOUNT_REDUCING) if is_reducing else None


# --- the six layers -------------------------------------------------------------------------------


def ask_hours(case: Case) -> Verdict | None:
    """Layer 1: refuse what the clock or the feed does not let in."""
    session = case.market.session(case.listing)
    is_taken, shut = session in CALLS | {Phase.CONTINUOUS}, {Phase.HALTED, Phase.CLOSED}
    if case.wish.is_fixed:
        is_taken = case.market.takes_fixed_price(case.listing)
    else:
        shut.add(Phase.AFTER_HOURS)
    if case.wish.is_market:
        is_taken = session is Phase.CONTINUOUS
    # The feed's last word on a call or on lunch may be old; its word on a halt stands.
    own = case.listing.phase if case.market.has_ticks else session
    if is_taken and own not in shut:
        return None
    closed = own if is_taken else session
    # In a feed's words, which know neither the locked call nor trading after hours.
    words = {Phase.OPEN_CALL_LOCKED: Phase.OPEN_CALL, Phase.AFTER_HOURS: Phase.CLOSED}
    return Verdict(Layer.MARKET_HOURS, Reason.MARKET_CLOSED, words.get(closed, closed))


def ask_position(case: Case) -> Verdict | None:
    """Layer 2: refuse too large a position."""
    values = case.account.exposures(case.market)
    return _share_verdict(
        (Layer.POSITION_SIZE, Reason.POSITION_LIMIT),
        values.get(case.wish.instrument, NOTHING) + case.value,
        case.account.nav,
        case.account.limits.position_bps_max,
    )


def ask_volume(case: Case) -> Verdict | None:
    """Layer 2 as well: refuse too large a part of an average day's volume, where that is asked."""
    limit_bps, average = case.account.limits.adv_bps_max, case.listing.average_volume
    if limit_bps == 0:
        return None
    if average is None:
        return Verdict(Layer.POSITION_SIZE, Reason.UNKNOWN_ADV)
    is_open = (order.left for order in case.account.open_in(case.wish.instrument, Side.BUY))
    return _share_verdict(
        (Layer.POSITION_SIZE, Reason.ADV_LIMIT),
        Decimal(case.wish.quantity + sum(is_open)),
        Decimal(average),
        limit_bps,
    )


def ask_loss(case: Case) -> Verdict | None:
    """Layer 3: refuse after too large a loss of the day."""
    account = case.account
    return _fall_verdict(
        (Layer.DAILY_LOSS, Reason.DAILY_LOSS_LIMIT),
        (account.opening_nav, account.nav),
        account.limits.daily_loss_bps_max,
        is_latched=account.has_lost,
    )


def ask_drawdown(case: Case) -> Verdict | None:
    """Layer 4: refuse too far below the best."""
    account = case.account
    return _fall_verdict(
        (Layer.DRAWDOWN, Reason.DRAWDOWN_LIMIT),
        (account.high_water, account.nav),
        account.limits.drawdown_bps_max,
        is_latched=account.has_fallen,
    )


def ask_sector(case: Case) -> Verdict | None:
    """Layer 5: refuse too large a sector; a feed that knows none makes the market one."""
    sector = case.listing.sector
    if not sector and case.market.is_classified:
        return Verdict(Layer.SECTOR_CONCENTRATION, Reason.UNKNOWN_SECTOR)
    return _share_verdict(
        (Layer.SECTOR_CONCENTRATION, Reason.SECTOR_LIMIT),
        case.account.in_sector(sector, case.market) + case.value,
        case.account.nav,
        case.account.limits.sector_bps_max,
    )


def ask_leverage(case: Case) -> Verdict | None:
    """Layer 6: refuse too much of everything."""
    return _share_verdict(
        (Layer.LEVERAGE, Reason.LEVERAGE_LIMIT),
        sum(case.account.exposures(case.market).values(), case.value),
        case.account.nav,
        case.account.limits.leverage_bps_max,
    )


# The order is the law; a question that is added takes its place here.
_OF_ALL: tuple[Question, ...] = (
    ask_state,
    ask_rates,
    ask_listing,
    ask_mark,
    ask_type,
    ask_limit_state,
    ask_tick,
    ask_limits,
    ask_cage,
    ask_own_orders,
)
QUESTIONS: dict[Side, tuple[Question, ...]] = {
    Side.BUY: (
        *_OF_ALL,
        ask_lot,
        ask_st_cap,
        ask_cash,
        ask_command,
        ask_hours,
        ask_position,
        ask_volume,
        ask_loss,
        ask_drawdown,
        ask_sector,
        ask_leverage,
    ),
    Side.SELL: (*_OF_ALL, ask_sellable, ask_lot, ask_cash, ask_hours),
}


def _price_verdict(reason: Reason, observed: Decimal, limit: Decimal) -> Verdict:
    prices_e4 = int(observed * 10_000), int(limit * 10_000)
    return Verdict(Layer.VALIDITY, reason, *prices_e4, Unit.PRICE_E4)


def _share_verdict(
    kind: tuple[Layer, Reason],
    part: Decimal,
    whole: Decimal,
    limit_bps: int,
) -> Verdict | None:
    if part * 10_000 <= whole * limit_bps:
        return None
    return Verdict(*kind, _share_bps(part, whole), limit_bps, Unit.BPS)


def _fall_verdict(
    kind: tuple[Layer, Reason],
    values: tuple[Decimal, Decimal],
    limit_bps: int,
    *,
    is_latched: bool,
) -> Verdict | None:
    before, now = values
    fall = before - now
    if fall * 10_000 > before * limit_bps:
        return Verdict(*kind, _share_bps(fall, before), limit_bps, Unit.BPS)
    if is_latched:
        layer, observed = kind[0], _share_bps(fall, before)
        return Verdict(layer, Reason.ACCOUNT_REDUCING, observed, limit_bps, Unit.BPS)
    return None


def _share_bps(part: Decimal, whole: Decimal) -> int:
    """Return basis points, rounded up; 0 of nothing."""
    return ceil(Fraction(part) * 10_000 / Fraction(whole)) if whole > 0 else 0
