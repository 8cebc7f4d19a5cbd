"""What the columns of the kernels' arrays are, and the codes in them; all int64.

A compiled function holds these numbers fixed.
"""

from typing import NamedTuple

from tidegate_common.domain.enums import Liquidity, OrderReason, OrderType, Phase, PriceSource
from tidegate_common.domain.units import Int64Array
from tidegate_common.frames.rows import LEVELS

# The two sides of a market, and of our orders: bids are buys, asks sells.
BUY, SELL = range(2)
# What orders of one instrument stand in: the two sides, and those of after-hours trading.
QUEUES = 3
FIXED_PRICE_QUEUE = 2
# No row comes after this one, or there is none.
NOBODY = -1
# Not a phase: no quote of the instrument was seen today.
UNSEEN = 255
# Not a number of shares: the price is out of sight, or an auction hides it.
UNTOLD = -1

# An order's row. LISTING is its instrument's row, NEXT the order behind it in its queue. ACCOUNT
# sorts as its name does. AHEAD and SHOWN: see `WorkingOrder`. END is why it was cancelled.
(LISTING, QUEUE, SIDE, LIMIT, LEAVES, AHEAD, SHOWN, IS_PLACED) = range(8)
(KIND, IS_IMMEDIATE, IS_FILL_OR_KILL, BEAT, ACCOUNT, SEQUENCE, END, NEXT) = range(8, 16)
ORDER_COLUMNS = 16

# An instrument's row: its last quote of the day, what our orders got at the last open, the day's
# price limits, the first orders of its queues, and the first rows of what we took of each side;
# then what only an order that arrives asks for.
(INSTRUMENT, PHASE, VOLUME, BID, ASK, LAST, OPEN_SHARES, LIMIT_DOWN, LIMIT_UP) = range(9)
FIRST_ORDER = 9
FIRST_TAKEN = FIRST_ORDER + QUEUES
BOARD = FIRST_TAKEN + 2
IS_SUSPENDED, LIMIT_STATE, PREV_CLOSE = range(BOARD + 1, BOARD + 4)
LISTING_COLUMNS = BOARD + 4

# What we took of the shares displayed at a price; TAKEN_NEXT is another price of that side.
(TAKEN_PRICE, DISPLAYED, GONE, TAKEN_NEXT) = range(4)
TAKEN_COLUMNS = 4

# One side of a quote: how many levels are there, their prices, best first, and their shares.
COUNT = 0
PRICES = 1
SHARES = PRICES + LEVELS
BOOK_COLUMNS = SHARES + LEVELS

# A quote: TRADED since the one before, QUEUE_VOLUME of it where our orders may have been part of
# it; CAP and TAPE are what is left of it for our orders, of all and of one side.
(AT, PHASE_NOW, PHASE_BEFORE, LAST_NOW, TRADED, QUEUE_VOLUME, CAP, TAPE) = range(8)
QUOTE_COLUMNS = 8

# A fill: VOLUME_AT_OPEN is what the slippage is reckoned with.
(FILL_SLOT, FILL_PRICE, FILL_SHARES, SOURCE, VOLUME_AT_OPEN) = range(5)
FILL_COLUMNS = 5
# At most as many fills has an order in a beat: five levels, or one of the queue and one of those.
FILLS_MAX = LEVELS

# Counts of fills and ended orders; taken rows that were ever used, and the first of those that are
# free again; whether an order of the instrument in hand ended, or took another price.
(FILLS, ENDS, TAKEN_TOP, TAKEN_FREE, HAS_ENDED, HAS_REPRICED) = range(6)
TALLY_COLUMNS = 6

# How the run wants it.
(PARTICIPATION_BPS, IS_PROPORTIONAL) = range(2)
RULE_COLUMNS = 2

# Sources of fills.
(LEVEL_MADE, LEVEL_TAKEN, QUEUED, AUCTION, FIXED_PRICE, AT_OPEN, INSIDE_BAR) = range(7)
SOURCES = (
    (PriceSource.LEVEL, Liquidity.MAKER),
    (PriceSource.LEVEL, Liquidity.TAKER),
    (PriceSource.QUEUE, Liquidity.MAKER),
    # Where all meet at once, ours count as those that took.
    (PriceSource.AUCTION, Liquidity.TAKER),
    (PriceSource.FIXED_PRICE, Liquidity.TAKER),
    (PriceSource.BAR_OPEN, Liquidity.TAKER),
    (PriceSource.BAR, Liquidity.MAKER),
)

# Why an order ends that is not filled.
(WORKING, IMMEDIATE_REST, KILLED, NO_PRICE) = range(4)
END_REASONS = (
    OrderReason.NONE,
    OrderReason.IOC_REMAINDER,
    OrderReason.FOK_NOT_FILLED,
    OrderReason.NO_BEST_PRICE,
)

# Kinds of orders.
KINDS = tuple(OrderType)
KIND_LIMIT = KINDS.index(OrderType.LIMIT)
KIND_TO_LIMIT = KINDS.index(OrderType.MARKET_TO_LIMIT)
KIND_COUNTERPARTY_BEST = KINDS.index(OrderType.COUNTERPARTY_BEST)
KIND_OWN_BEST = KINDS.index(OrderType.OWN_BEST)
KIND_FIXED_PRICE = KINDS.index(OrderType.FIXED_PRICE)

# Phases, as plain numbers: a compiled function knows no enum.
CLOSED = int(Phase.CLOSED)
OPEN_CALL = int(Phase.OPEN_CALL)
PAUSE = int(Phase.PAUSE)
CONTINUOUS = int(Phase.CONTINUOUS)
LUNCH = int(Phase.LUNCH)
CLOSE_CALL = int(Phase.CLOSE_CALL)
OPEN_CALL_LOCKED = int(Phase.OPEN_CALL_LOCKED)
AFTER_HOURS = int(Phase.AFTER_HOURS)
BPS = 10_000
INT64_MAX = 2**63 - 1
# A price above a hundred million CNY is a fault of the feed, and counts as none. A day without
# limits has wide ones. A million shares, the largest order, at this price are 10**16 fen.
PRICE_MAX_E4 = 10**12


class Tables(NamedTuple):
    """What the kernels read and write.

    orders : (m, ORDER_COLUMNS). listings : (n, LISTING_COLUMNS), sorted by INSTRUMENT.
    taken : (k, TAKEN_COLUMNS). fills : (m * FILLS_MAX, FILL_COLUMNS). tally : (TALLY_COLUMNS,).
    ended : (m,), rows of orders that were filled or cancelled, and stand in no queue any more.
    book : (2, BOOK_COLUMNS). quote : (QUOTE_COLUMNS,). Both of the instrument in hand.
    rules : (RULE_COLUMNS,).
    """

    orders: Int64Array
    listings: Int64Array
    taken: Int64Array
    fills: Int64Array
    ended: Int64Array
    tally: Int64Array
    book: Int64Array
    quote: Int64Array
    rules: Int64Array
