"""The six layers, cheapest first; a sell is asked for the first one alone."""

from tidegate_common.compiling import inlined
from tidegate_common.domain.units import Int64Array
from tidegate_risk.engine.layout import (
    ADV,
    ADV_MAX,
    AFTER_HOURS,
    BUYING,
    CAN_SUBMIT,
    CAN_SUBMIT_FIXED,
    CLOSED,
    CONTINUOUS,
    EXPOSURE,
    FALL_LATCHED,
    FALL_MAX,
    FIXED_KIND,
    HELD,
    HIGH_WATER,
    IS_CLASSIFIED,
    IS_FALL_LATCHED,
    IS_LOSS_LATCHED,
    IS_MARKET,
    IS_REDUCING,
    IS_TICK_RUN,
    KIND,
    LEVERAGE_MAX,
    LOCKED,
    LOSS_LATCHED,
    LOSS_MAX,
    MARK,
    NAV,
    NO_SECTOR,
    OPEN_BUYS,
    OPEN_CALL,
    OPENING_NAV,
    ORDER_QUANTITY,
    OVER_ADV,
    OVER_FALL,
    OVER_LEVERAGE,
    OVER_LOSS,
    OVER_POSITION,
    OVER_SECTOR,
    PHASE,
    PHASE_CLOSED,
    PHASE_HALTED,
    POSITION_MAX,
    REDUCING,
    SECTOR,
    SECTOR_MAX,
    SESSION,
    UNKNOWN_ADV,
)
from tidegate_risk.engine.sizing import (
    exceeds,
    fail,
    value_of_fen,
)


@inlined
def is_buy_refused(
    intent: Int64Array,
    listing: Int64Array,
    rule: Int64Array,
    state: Int64Array,
    sectors_fen: Int64Array,
    value_fen: int,
    verdict: Int64Array,
) -> bool:
    """Tell whether people let the account reduce its risk only, or a layer refuses the buy."""
    if state[IS_REDUCING]:
        return fail(verdict, REDUCING, 0, 0)
    return (
        is_closed(intent, listing, rule, state, verdict)
        or _is_position_too_large(intent, listing, state, value_fen, verdict)
        or _is_volume_too_large(intent, listing, state, verdict)
        or _has_lost_too_much(state, verdict)
        or _is_book_too_large(listing, state, sectors_fen, value_fen, verdict)
    )


@inlined
def is_closed(
    intent: Int64Array,
    listing: Int64Array,
    rule: Int64Array,
    state: Int64Array,
    verdict: Int64Array,
) -> bool:
    """Layer 1: the session table and the instrument's own phase both let an order in.

    Market orders are for continuous trading only, and orders at the fixed price have hours of their
    own, in runs of ticks: bars say nothing of what trades after them. Refusals name the phase as
    feeds do, which know no locked part of the opening call; after hours any other order finds the
    market closed.
    """
    session, phase, is_fixed = rule[SESSION], listing[PHASE], intent[KIND] == FIXED_KIND
    if intent[IS_MARKET]:
        is_taken = session == CONTINUOUS
    else:
        is_taken = (rule[CAN_SUBMIT_FIXED] if is_fixed else rule[CAN_SUBMIT]) > 0
    is_over = phase == PHASE_CLOSED or (phase == AFTER_HOURS and not is_fixed)
    if not is_taken:
        closed = session
    elif state[IS_TICK_RUN] and (phase == PHASE_HALTED or is_over):
        closed = phase
    else:
        return False
    if closed == LOCKED:
        closed = OPEN_CALL
    elif closed == AFTER_HOURS:
        closed = PHASE_CLOSED
    return fail(verdict, CLOSED, closed, 0)


@inlined
def _is_position_too_large(
    intent: Int64Array,
    listing: Int64Array,
    state: Int64Array,
    value_fen: int,
    verdict: Int64Array,
) -> bool:
    """Layer 2: one position's share of NAV."""
    held_fen = value_of_fen(listing[MARK], intent[HELD])
    after_fen = held_fen + intent[BUYING] + value_fen
    if exceeds(after_fen, state[NAV], state[POSITION_MAX]):
        return fail(verdict, OVER_POSITION, after_fen, state[POSITION_MAX])
    return False


@inlined
def _is_volume_too_large(
    intent: Int64Array,
    listing: Int64Array,
    state: Int64Array,
    verdict: Int64Array,
) -> bool:
    """Layer 2 as well: shares against what the market trades on an average day, where it is asked.

    What other open buys may still add counts. Before the first close nobody knows: in doubt.
    """
    if state[ADV_MAX] == 0:
        return False
    if listing[ADV] < 0:
        return fail(verdict, UNKNOWN_ADV, 0, 0)
    shares = intent[OPEN_BUYS] + verdict[ORDER_QUANTITY]
    if exceeds(shares, listing[ADV], state[ADV_MAX]):
        return fail(verdict, OVER_ADV, shares, state[ADV_MAX])
    return False


@inlined
def _has_lost_too_much(state: Int64Array, verdict: Int64Array) -> bool:
    """Layers 3 and 4: loss since the day's opening NAV, fall from the high-water mark.

    Once breached, no buys until the next day, of a loss, or until a RESUME. It lifts the latch
    alone: as long as the limit is breached, nothing changes.
    """
    loss_fen = state[OPENING_NAV] - state[NAV]
    if exceeds(loss_fen, state[OPENING_NAV], state[LOSS_MAX]):
        return fail(verdict, OVER_LOSS, loss_fen, state[LOSS_MAX])
    if state[IS_LOSS_LATCHED]:
        return fail(verdict, LOSS_LATCHED, loss_fen, state[LOSS_MAX])
    fall_fen = state[HIGH_WATER] - state[NAV]
    if exceeds(fall_fen, state[HIGH_WATER], state[FALL_MAX]):
        return fail(verdict, OVER_FALL, fall_fen, state[FALL_MAX])
    if state[IS_FALL_LATCHED]:
        return fail(verdict, FALL_LATCHED, fall_fen, state[FALL_MAX])
    return False


@inlined
def _is_book_too_large(
    listing: Int64Array,
    state: Int64Array,
    sectors_fen: Int64Array,
    value_fen: int,
    verdict: Int64Array,
) -> bool:
    """Layers 5 and 6: one sector's share of NAV, then that of all that is held and being bought.

    A feed that classifies nothing makes the whole market one sector, the conservative bound; in
    one that does, an instrument without a sector is in doubt, and counts in every sector.
    """
    sector = listing[SECTOR]
    if sector == 0 and state[IS_CLASSIFIED]:
        return fail(verdict, NO_SECTOR, 0, 0)
    after_fen = sectors_fen[sector] + value_fen
    if sector:
        after_fen += sectors_fen[0]
    if exceeds(after_fen, state[NAV], state[SECTOR_MAX]):
        return fail(verdict, OVER_SECTOR, after_fen, state[SECTOR_MAX])
    after_fen = state[EXPOSURE] + value_fen
    if exceeds(after_fen, state[NAV], state[LEVERAGE_MAX]):
        return fail(verdict, OVER_LEVERAGE, after_fen, state[LEVERAGE_MAX])
    return False
