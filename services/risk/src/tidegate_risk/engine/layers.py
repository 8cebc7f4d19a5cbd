"""The six layers, cheapest first.

Holdings are long only, so a sell only reduces risk: it passes every layer but market hours. Open
buys count as if they were filled at their worst price.
"""

from tidegate_common.domain.enums import AccountState, Layer, OrderType, Phase, Reason, Unit
from tidegate_common.domain.units import notional_fen
from tidegate_common.market.sessions import can_match_continuously, can_submit
from tidegate_risk.engine.case import Case, Check, exceeds_bps, ratio_bps_up
from tidegate_risk.engine.intent import Refusal
from tidegate_risk.engine.portfolio import Account
from tidegate_risk.engine.state import UNKNOWN_SECTOR

# After hours an ordinary order finds the market as closed as at night. Refusals name the phase as
# feeds do, which know no locked part of the opening call.
_CLOSED_PHASES = frozenset({Phase.HALTED, Phase.CLOSED, Phase.AFTER_HOURS})
_OBSERVED = {Phase.OPEN_CALL_LOCKED: Phase.OPEN_CALL, Phase.AFTER_HOURS: Phase.CLOSED}


def check_command(case: Case) -> Refusal | None:
    """Before the layers: people let the account reduce its risk only."""
    if case.account.standing.has_command(AccountState.REDUCING):
        return Refusal(Layer.VALIDITY, Reason.ACCOUNT_REDUCING)
    return None


def check_market_hours(case: Case) -> Refusal | None:
    """Layer 1: the session table and the instrument's own phase both let an order in.

    Market orders are for continuous trading only.
    """
    session, phase = case.listing.session, case.listing.phase
    is_market = case.intent.order_type is OrderType.MARKET
    is_in_session = can_match_continuously(session) if is_market else can_submit(session)
    if not is_in_session:
        return _refuse_closed(session)
    if phase in _CLOSED_PHASES:
        return _refuse_closed(phase)
    return None


def check_position_size(case: Case) -> Refusal | None:
    """Layer 2: one position's share of NAV."""
    account, instrument = case.account, case.intent.instrument
    held_shares = account.ledger.quantity_shares(instrument)
    held_fen = notional_fen(case.listing.mark_e4, held_shares)
    after_fen = held_fen + account.buying_fen.get(instrument, 0) + case.value_fen
    return _check_share(
        Layer.POSITION_SIZE,
        Reason.POSITION_LIMIT,
        part_fen=after_fen,
        whole_fen=account.ledger.nav_fen,
        limit_bps=case.limits.position_bps_max,
    )


def check_daily_loss(case: Case) -> Refusal | None:
    """Layer 3: loss since the day's opening NAV; once breached, no buys until the next day.

    Or until a RESUME, where the loss is back within the limit.
    """
    ledger, limit_bps = case.account.ledger, case.limits.daily_loss_bps_max
    loss_fen = -ledger.day_pnl_fen
    if exceeds_bps(loss_fen, ledger.opening_nav_fen, limit_bps):
        reason = Reason.DAILY_LOSS_LIMIT
    elif case.account.standing.is_loss_latched:
        reason = Reason.ACCOUNT_REDUCING
    else:
        return None
    observed = ratio_bps_up(loss_fen, ledger.opening_nav_fen)
    return Refusal(Layer.DAILY_LOSS, reason, observed, limit_bps, Unit.BPS)


def check_drawdown(case: Case) -> Refusal | None:
    """Layer 4: fall from the high-water mark; once breached, no buys until a RESUME.

    It lifts the latch alone: as long as the fall is beyond the limit, nothing changes.
    """
    ledger, limit_bps = case.account.ledger, case.limits.drawdown_bps_max
    fall_fen = ledger.high_water_fen - ledger.nav_fen
    if exceeds_bps(fall_fen, ledger.high_water_fen, limit_bps):
        reason = Reason.DRAWDOWN_LIMIT
    elif case.account.standing.is_drawdown_latched:
        reason = Reason.ACCOUNT_REDUCING
    else:
        return None
    observed = ratio_bps_up(fall_fen, ledger.high_water_fen)
    return Refusal(Layer.DRAWDOWN, reason, observed, limit_bps, Unit.BPS)


def check_sector(case: Case) -> Refusal | None:
    """Layer 5: one sector's share of NAV.

    A feed that classifies nothing makes the whole market one sector, the conservative bound;
    in a feed that does classify, an instrument without a sector is in doubt.
    """
    sector = case.listing.sector
    if sector == UNKNOWN_SECTOR and case.market.is_classified:
        return Refusal(Layer.SECTOR_CONCENTRATION, Reason.UNKNOWN_SECTOR)
    return _check_share(
        Layer.SECTOR_CONCENTRATION,
        Reason.SECTOR_LIMIT,
        part_fen=case.account.sector_fen(sector, case.market) + case.value_fen,
        whole_fen=case.account.ledger.nav_fen,
        limit_bps=case.limits.sector_bps_max,
    )


def check_leverage(case: Case) -> Refusal | None:
    """Layer 6: everything held and being bought, as a share of NAV."""
    account = case.account
    return _check_share(
        Layer.LEVERAGE,
        Reason.LEVERAGE_LIMIT,
        part_fen=account.ledger.gross_fen + sum(account.buying_fen.values()) + case.value_fen,
        whole_fen=account.ledger.nav_fen,
        limit_bps=case.limits.leverage_bps_max,
    )


SELL_LAYERS: tuple[Check, ...] = (check_market_hours,)
BUY_LAYERS: tuple[Check, ...] = (
    check_command,
    check_market_hours,
    check_position_size,
    check_daily_loss,
    check_drawdown,
    check_sector,
    check_leverage,
)


def latch_breaches(account: Account) -> None:
    """Move an account that breaches its loss or drawdown limit to REDUCING."""
    ledger, limits, standing = account.ledger, account.limits, account.standing
    nav_fen, opening_fen, high_fen = ledger.nav_fen, ledger.opening_nav_fen, ledger.high_water_fen
    state = standing.state
    if exceeds_bps(opening_fen - nav_fen, opening_fen, limits.daily_loss_bps_max):
        standing.is_loss_latched = True
    if exceeds_bps(high_fen - nav_fen, high_fen, limits.drawdown_bps_max):
        standing.is_drawdown_latched = True
    # Readers of the portfolio see its state.
    if standing.state is not state:
        account.is_changed = True


def _refuse_closed(phase: Phase) -> Refusal:
    observed = _OBSERVED.get(phase, phase)
    return Refusal(Layer.MARKET_HOURS, Reason.MARKET_CLOSED, observed=observed)


def _check_share(
    layer: Layer,
    reason: Reason,
    *,
    part_fen: int,
    whole_fen: int,
    limit_bps: int,
) -> Refusal | None:
    if not exceeds_bps(part_fen, whole_fen, limit_bps):
        return None
    return Refusal(layer, reason, ratio_bps_up(part_fen, whole_fen), limit_bps, Unit.BPS)
