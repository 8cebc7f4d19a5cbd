"""Closed vocabularies that travel on the wire.

`IntEnum` members live in numpy columns, `StrEnum` members in JSON.
"""

from enum import IntEnum, StrEnum, unique


@unique
class Exchange(IntEnum):
    """Venue of an instrument; the number is the millions digit of an instrument id."""

    SH = 1
    SZ = 2
    BJ = 3


@unique
class Board(IntEnum):
    """Listing segment, which decides limits, lots, ticks and fees.

    ETF_GROWTH is a fund that tracks STAR or ChiNext and so has their price limit. No prefix tells
    funds: only an instrument table does.
    """

    UNKNOWN = 0
    MAIN = 1
    CHINEXT = 2
    STAR = 3
    BSE = 4
    ETF = 5
    ETF_GROWTH = 6


@unique
class ListingStatus(IntEnum):
    """What an exchange's notices say of an instrument on a day.

    RELISTING is the first day after a suspended listing; DELISTING the delisting period.
    """

    UNKNOWN = 0
    LISTED = 1
    RELISTING = 2
    DELISTING = 3
    NOT_LISTED = 4


@unique
class RiskWarning(IntEnum):
    """Whether a share is under risk warning (ST or *ST); its history has no free source."""

    NO = 0
    YES = 1
    UNKNOWN = 2


@unique
class ListingStage(IntEnum):
    """What of an instrument's life decides its price limit on a day.

    RISK_WARNING_IN_DOUBT : limited, but nobody knows whether as an ST share.
    FIRST_DAYS, FIRST_DAY_BAND : after an offering, without a limit or with the band of the first
        day around the issue price.
    """

    UNKNOWN = 0
    ORDINARY = 1
    RISK_WARNING = 2
    RISK_WARNING_IN_DOUBT = 3
    FIRST_DAYS = 4
    FIRST_DAY_BAND = 5
    RELISTING = 6
    DELISTING_FIRST_DAY = 7
    DELISTING = 8
    NOT_LISTED = 9


@unique
class LimitState(IntEnum):
    """Whether a day has a price limit. UNKNOWN is never quietly a number."""

    UNKNOWN = 0
    LIMITED = 1
    UNLIMITED = 2


@unique
class Phase(IntEnum):
    """Trading phase of an instrument, as its feed or the session table says.

    A feed says OPEN_CALL for all of the opening call; the session table tells its locked part,
    from 09:20, apart.
    """

    CLOSED = 0
    OPEN_CALL = 1
    PAUSE = 2
    CONTINUOUS = 3
    LUNCH = 4
    CLOSE_CALL = 5
    HALTED = 6
    OPEN_CALL_LOCKED = 7
    AFTER_HOURS = 8


@unique
class Matching(StrEnum):
    """How an exchange matches orders in a phase."""

    NONE = "none"
    CALL_AUCTION = "call_auction"
    CONTINUOUS = "continuous"
    FIXED_PRICE = "fixed_price"


@unique
class BeatKind(StrEnum):
    """What a beat carries."""

    OPEN = "open"
    TICK = "tick"
    BAR = "bar"
    CLOSE = "close"


@unique
class RunMode(StrEnum):
    """Whether a run reads history or the living market."""

    REPLAY = "replay"
    LIVE = "live"


@unique
class Side(StrEnum):
    """Side of an order (FIX tag 54)."""

    BUY = "buy"
    SELL = "sell"


@unique
class OrderType(StrEnum):
    """Type of an order (FIX tag 40).

    MARKET takes the five best levels of the other side, and what is left is cancelled.
    MARKET_TO_LIMIT does so too, and what is left works on at its last price, or without a fill at
        the best price of its own side.
    COUNTERPARTY_BEST, OWN_BEST are limit orders at the best price of the other or the own side.
    FIXED_PRICE trades after hours at the close, if its limit price accepts that.
    """

    LIMIT = "limit"
    MARKET = "market"
    MARKET_TO_LIMIT = "market_to_limit"
    COUNTERPARTY_BEST = "counterparty_best"
    OWN_BEST = "own_best"
    FIXED_PRICE = "fixed_price"

    @property
    def is_market(self) -> bool:
        """Whether the order names no price of its own."""
        return self not in _PRICED


# A tuple: most orders are the first, and the hash of a member is a call of its own.
_PRICED = (OrderType.LIMIT, OrderType.FIXED_PRICE)


@unique
class TimeInForce(StrEnum):
    """How long an order works (FIX tag 59)."""

    DAY = "day"
    IOC = "ioc"
    FOK = "fok"


@unique
class OrderStatus(StrEnum):
    """State of an order (FIX tag 39)."""

    PENDING_NEW = "pending_new"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def is_terminal(self) -> bool:
        """Tell whether no further change can come."""
        return self in _TERMINAL


_TERMINAL = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED},
)


@unique
class PriceSource(StrEnum):
    """Where the price of a fill came from."""

    LEVEL = "level"
    QUEUE = "queue"
    AUCTION = "auction"
    FIXED_PRICE = "fixed_price"
    BAR_OPEN = "bar_open"
    BAR = "bar"


@unique
class Liquidity(StrEnum):
    """Whether a fill took liquidity or gave it."""

    TAKER = "taker"
    MAKER = "maker"


@unique
class Outcome(StrEnum):
    """Verdict of risk on an intent."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


@unique
class Layer(StrEnum):
    """Check that decided: order validity, then the six layers, cheapest first."""

    VALIDITY = "validity"
    MARKET_HOURS = "market_hours"
    POSITION_SIZE = "position_size"
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    SECTOR_CONCENTRATION = "sector_concentration"
    LEVERAGE = "leverage"


@unique
class Reason(StrEnum):
    """Why an intent was rejected; NONE for an accepted one."""

    NONE = "none"
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_SECTOR = "unknown_sector"
    UNKNOWN_PRICE_LIMIT = "unknown_price_limit"
    UNKNOWN_PRICE_CAGE = "unknown_price_cage"
    UNKNOWN_ORDER = "unknown_order"
    DUPLICATE_REQUEST = "duplicate_request"
    SUSPENDED = "suspended"
    STALE_MARK = "stale_mark"
    MISSING_MARK = "missing_mark"
    BAD_ORDER_TYPE = "bad_order_type"
    BAD_PRICE_TICK = "bad_price_tick"
    OUTSIDE_PRICE_LIMIT = "outside_price_limit"
    OUTSIDE_PRICE_CAGE = "outside_price_cage"
    SELF_TRADE = "self_trade"
    BAD_LOT = "bad_lot"
    ST_BUY_CAP = "st_buy_cap"
    NOT_SELLABLE = "not_sellable"
    NOT_ENOUGH_CASH = "not_enough_cash"
    ORDER_RATE_LIMIT = "order_rate_limit"
    DAILY_ORDER_LIMIT = "daily_order_limit"
    ACCOUNT_HALTED = "account_halted"
    ACCOUNT_REDUCING = "account_reducing"
    MARKET_CLOSED = "market_closed"
    POSITION_LIMIT = "position_limit"
    UNKNOWN_ADV = "unknown_adv"
    ADV_LIMIT = "adv_limit"
    DAILY_LOSS_LIMIT = "daily_loss_limit"
    DRAWDOWN_LIMIT = "drawdown_limit"
    SECTOR_LIMIT = "sector_limit"
    LEVERAGE_LIMIT = "leverage_limit"
    BAD_LIMITS = "bad_limits"
    UNKNOWN_VOLATILITY = "unknown_volatility"
    INSIDE_BAND = "inside_band"
    TURNOVER_LIMIT = "turnover_limit"


@unique
class Unit(StrEnum):
    """Unit of a decision's observed value and limit."""

    NONE = "none"
    FEN = "fen"
    BPS = "bps"
    SHARES = "shares"
    PRICE_E4 = "price_e4"
    BEATS = "beats"
    MESSAGES = "messages"


@unique
class ConstructionMethod(StrEnum):
    """How scores become target positions."""

    THRESHOLD = "threshold"
    EQUAL_WEIGHT = "equal_weight"
    SCORE_WEIGHTED = "score_weighted"
    VOLATILITY_SCALED = "volatility_scaled"


@unique
class AccountState(StrEnum):
    """What an account may do."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


@unique
class ControlCommand(StrEnum):
    """What people may tell risk to do with an account."""

    HALT = "halt"
    REDUCE = "reduce"
    RESUME = "resume"
    SET_LIMITS = "set_limits"


@unique
class CauseKind(StrEnum):
    """What made risk look at an intent."""

    SCORE = "score"
    REQUEST = "request"


@unique
class OrderReason(StrEnum):
    """Why the exchange moved an order to its state."""

    NONE = "none"
    DAY_ENDED = "day_ended"
    IOC_REMAINDER = "ioc_remainder"
    REQUESTED = "requested"
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    SUSPENDED = "suspended"
    OUTSIDE_PRICE_LIMIT = "outside_price_limit"
    NOT_CANCELABLE = "not_cancelable"
    BAD_PRICE_TICK = "bad_price_tick"
    BAD_ORDER_TYPE = "bad_order_type"
    ABOVE_QUANTITY_MAX = "above_quantity_max"
    OUTSIDE_PRICE_CAGE = "outside_price_cage"
    MARKET_CLOSED = "market_closed"
    FOK_NOT_FILLED = "fok_not_filled"
    NO_BEST_PRICE = "no_best_price"


@unique
class BookingKind(StrEnum):
    """What a booking is that is no trade.

    DIVIDEND_CLAIM : an ex-date gave a claim to cash. DIVIDEND_PAID : it came. NEW_SHARES : bonus
    and transferred shares. RIGHTS_LAPSED : shares that could have been subscribed and were not.
    DIVIDEND_TAX : charged on the net sales of the day that ended.
    """

    DIVIDEND_CLAIM = "dividend_claim"
    DIVIDEND_PAID = "dividend_paid"
    NEW_SHARES = "new_shares"
    RIGHTS_LAPSED = "rights_lapsed"
    DIVIDEND_TAX = "dividend_tax"


@unique
class QueueCancels(StrEnum):
    """Whose shares leave a queue when its display shrinks by more than what traded.

    BEHIND : those behind us, as long as there are any: no order waits less than it does here.
    PROPORTIONAL : those ahead of us and behind us alike, by their shares.
    """

    BEHIND = "behind"
    PROPORTIONAL = "proportional"


@unique
class LeaseState(StrEnum):
    """What a sequencer says of its lease."""

    HELD = "held"
    RESIGNED = "resigned"
    DONE = "done"
