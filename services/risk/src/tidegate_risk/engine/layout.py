"""What the columns of the kernels' arrays are, and the codes in them; all int64.

A compiled function holds these numbers fixed.
"""

# A market's row: one instrument. A price is 0 where there is none, ADV -1 before the first close.
(LISTED, ST, SUSPENDED, STALE, LIMIT_STATE, PHASE, SEGMENT, SECTOR) = range(8)
(LIMIT_UP, LIMIT_DOWN, MARK, BID, ASK, LAST, NEWS_BEAT, ADV) = range(8, 16)
MARKET_COLUMNS = 16

# A segment's row: the rules of one exchange and board in the beat. ST_CAP is -1 without one.
(SESSION, CAN_SUBMIT, TICK, LOT_MIN, LOT_STEP, LIMIT_MAX, MARKET_MAX, ST_CAP) = range(8)
(CAGE, CAGE_BPS, CAGE_FLOOR, COMMISSION, COMMISSION_MIN, BUY_DUTY, SELL_DUTY) = range(8, 15)
(TRANSFER, IS_ON_FACE, HANDLING, REGULATORY) = range(15, 19)
# KINDS are those of orders that the segment takes, as bits; FIXED_... of orders at the fixed price
# after hours.
(KINDS, FIXED_MAX, CAN_SUBMIT_FIXED) = range(19, 22)
RULE_COLUMNS = 22

# An account in a beat; what is reserved changes it.
(BEAT, IS_TICK_BEAT, IS_TICK_RUN, IS_AFTER_CLOSE, IS_CLASSIFIED, OFFSET_BPS) = range(6)
(IS_HALTED, IS_REDUCING, IS_LOSS_LATCHED, IS_FALL_LATCHED) = range(6, 10)
(SECOND_COUNT, SECOND_LIMIT, DAY_COUNT, DAY_LIMIT) = range(10, 14)
(AVAILABLE, NAV, OPENING_NAV, HIGH_WATER, EXPOSURE, TRADED, TRADED_MAX) = range(14, 21)
(STALE_MAX, POSITION_MAX, ADV_MAX, LOSS_MAX, FALL_MAX, SECTOR_MAX, LEVERAGE_MAX) = range(21, 28)
STATE_COLUMNS = 28

# An intent: what is asked, and what the account has in that instrument. OPPOSITE is the nearest
# price of its own open orders of the other side, 0 without one.
(AT, MODE, IS_BUY, IS_MARKET, PRICE, QUANTITY, TARGET, IS_HELD_TOO, RESERVE) = range(9)
(HELD, SELLABLE, BUYING, OPPOSITE, OPEN_BUYS, BOUGHT) = range(9, 15)
# The bit of its kind of order, 0 for a limit order, which every segment takes.
KIND = 15
INTENT_COLUMNS = 16

# What becomes of it: BOUND is the worst price, VALUE the order's at it, NEEDED the cash it holds.
(CODE, ORDER_PRICE, ORDER_QUANTITY, BOUND, VALUE, NEEDED, OBSERVED, LIMIT) = range(8)
VERDICT_COLUMNS = 8

# How an intent is sized: as it stands; of so much value; the whole holding; towards a target; not
# at all, as its QUANTITY is the code of an answer that was found before.
(AS_ASKED, BUY_VALUE, SELL_HOLDING, SELL_TOWARDS, ANSWER) = range(5)

# Kinds of order that are neither limit nor market orders; those of market orders are higher bits.
FIXED_KIND, NO_KIND = 1, 2

# Kinds of cage; a dormant one refuses nothing, but is in doubt where there is no price.
(CAGE_UNKNOWN, CAGE_LIMITED, CAGE_NONE, CAGE_DORMANT) = range(4)

# Codes of verdicts, in the order of `desk.VERDICTS`.
(ACCEPTED, HALTED, ORDER_RATE, DAILY_ORDERS, UNKNOWN_INSTRUMENT, IS_SUSPENDED) = range(6)
(NO_MARK, STALE_MARK, UNKNOWN_LIMIT, BAD_TICK, OUTSIDE_LIMIT, UNKNOWN_CAGE) = range(6, 12)
(OUTSIDE_CAGE, SELF_TRADE, BAD_LOT, OVER_ST_CAP, NOT_SELLABLE, NO_CASH) = range(12, 18)
(REDUCING, CLOSED, OVER_POSITION, UNKNOWN_ADV, OVER_ADV, OVER_LOSS) = range(18, 24)
(LOSS_LATCHED, OVER_FALL, FALL_LATCHED, NO_SECTOR, OVER_SECTOR) = range(24, 29)
(OVER_LEVERAGE, BAD_TYPE, INSIDE_BAND, OVER_TURNOVER, NO_VOLATILITY) = range(29, 34)
# From here on: why a strategy leaves an instrument alone, an answer once a day.
FIRST_ANSWER = INSIDE_BAND

# Values of common's enums and units, which a test compares: a compiled function holds them fixed.
LIMIT_UNKNOWN, LIMITED = 0, 1
PHASE_CLOSED, OPEN_CALL, CONTINUOUS, PHASE_HALTED, LOCKED, AFTER_HOURS = 0, 1, 3, 6, 7, 8
BPS = 10_000
E4_PER_FEN = 100
FACE_FEN = 100
RATE_SCALE = 100_000_000

# A million shares, the largest order, at this price are 10**18: twice that is below 2**63.
PRICE_MAX_E4 = 10**12
# Shares for so much at the least price, at a face value of 100 fen each, are below 2**63.
AMOUNT_MAX_FEN = 9 * 10**14
INT64_MAX = 2**63 - 1
HALF_BITS = 32
HALF_MASK = 2**32 - 1
