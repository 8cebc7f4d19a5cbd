"""The verdict on a row of intents: sized, checked in order, reserved, one after the other.

An accepted order changes what the next one may do, so this is a loop; compiled, because it is the
hottest of the platform. Rules and limits are numbers that come in: nothing here knows a market's.

- Everything is int64. Its columns are named in `layout.py`.
- The checks stand in the order in which they are asked, cheapest first: validity, then the six
  layers. The first that fails decides. Holdings are long only, so a sell only reduces risk: of the
  layers it passes market hours alone. Open buys count as if filled at their worst price.
- No product overflows: lots bound the shares, `PRICE_MAX_E4` the price, and shares of a whole are
  compared in halves.
"""

import numpy as np

from tidegate_common.compiling import compiled, inlined
from tidegate_common.domain.units import Int64Array
from tidegate_risk.engine.layers import (
    is_buy_refused,
    is_closed,
)
from tidegate_risk.engine.layout import (
    ACCEPTED,
    AT,
    AVAILABLE,
    BOUND,
    CODE,
    DAY_COUNT,
    EXPOSURE,
    IS_BUY,
    IS_MARKET,
    LIMIT,
    LIMIT_DOWN,
    LIMIT_UP,
    NEEDED,
    OBSERVED,
    ORDER_PRICE,
    ORDER_QUANTITY,
    SECOND_COUNT,
    SECTOR,
    SEGMENT,
    TICK,
    TRADED,
    VALUE,
)
from tidegate_risk.engine.sizing import (
    cage_edge_e4,
    is_answered,
    value_of_fen,
)
from tidegate_risk.engine.validity import (
    is_invalid,
    is_too_dear,
)


@compiled
def decide(
    intents: Int64Array,
    market: Int64Array,
    rules: Int64Array,
    state: Int64Array,
    sectors_fen: Int64Array,
    verdicts: Int64Array,
) -> None:
    """Size, check and reserve for one account's intents, in order.

    Parameters
    ----------
    intents : (n, INTENT_COLUMNS) int64; but for what is reserved they do not look at one another,
        so an instrument occurs once.
    market : (m, MARKET_COLUMNS) int64, by AT.
    rules : (s, RULE_COLUMNS) int64, by SEGMENT.
    state : (STATE_COLUMNS,) int64, changed by what is reserved.
    sectors_fen : (k,) int64, exposure by SECTOR, changed so too.
    verdicts : (n, VERDICT_COLUMNS) int64, written.
    """
    for row in range(len(intents)):
        intent, verdict = intents[row], verdicts[row]
        listing = market[intent[AT]]
        rule = rules[listing[SEGMENT]]
        edge_e4 = cage_edge_e4(intent[IS_BUY], listing, rule)
        verdict[CODE] = ACCEPTED
        verdict[OBSERVED] = 0
        verdict[LIMIT] = 0
        verdict[NEEDED] = 0
        if is_answered(intent, listing, rule, state, edge_e4, verdict):
            continue
        verdict[BOUND] = _bound_e4(intent, listing, rule, verdict)
        if is_invalid(intent, listing, rule, state, edge_e4, verdict):
            continue
        value_fen = value_of_fen(verdict[BOUND], verdict[ORDER_QUANTITY])
        verdict[VALUE] = value_fen
        if is_too_dear(intent, rule, state, value_fen, verdict):
            continue
        if intent[IS_BUY]:
            if is_buy_refused(intent, listing, rule, state, sectors_fen, value_fen, verdict):
                continue
            state[EXPOSURE] += value_fen
            sectors_fen[listing[SECTOR]] += value_fen
        elif is_closed(intent, listing, rule, state, verdict):
            continue
        state[AVAILABLE] -= verdict[NEEDED]
        state[TRADED] += value_fen
        state[SECOND_COUNT] += 1
        state[DAY_COUNT] += 1


def warm_up() -> None:
    """Compile what is compiled at its first call, or load it: that takes seconds, or one."""
    nothing = np.zeros(0, np.int64)
    rows = nothing.reshape(0, 1)
    decide(rows, rows, rows, nothing, nothing, rows)


@inlined
def _bound_e4(
    intent: Int64Array,
    listing: Int64Array,
    rule: Int64Array,
    verdict: Int64Array,
) -> int:
    """Return the worst price for us: the limit price, or the day's limit for a market order."""
    bound_e4: int = verdict[ORDER_PRICE]
    if intent[IS_MARKET]:
        bound_e4 = listing[LIMIT_UP] if intent[IS_BUY] else max(listing[LIMIT_DOWN], rule[TICK])
    return bound_e4
