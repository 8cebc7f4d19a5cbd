"""How much of its limits an account uses, for people to see; no decision reads it."""

from tidegate_common.domain.enums import Layer
from tidegate_common.events.portfolio import LimitUsage
from tidegate_risk.engine.portfolio import Account
from tidegate_risk.engine.ratios import ratio_bps_up
from tidegate_risk.engine.state import UNKNOWN_SECTOR, Market


def usage_of(account: Account, market: Market) -> tuple[LimitUsage, ...]:
    """Return the use of every limit in bps, in the order of the layers.

    As the layers count: open buys at their worst price, a holding of unknown sector in every one.
    """
    ledger, limits = account.ledger, account.limits
    sectors_fen: list[int] = account.sectors_fen(market).tolist()
    in_doubt_fen, known_fen = sectors_fen[UNKNOWN_SECTOR], sectors_fen[UNKNOWN_SECTOR + 1 :]
    sector_fen = max(known_fen, default=0) + in_doubt_fen
    values_fen: list[int] = ledger.values_fen.tolist()
    buying_fen = account.buying_fen
    exposures_fen = [*values_fen, *buying_fen.values()]
    grown = buying_fen.keys() & ledger.known_instruments
    if grown:
        held_fen = dict(zip(ledger.instruments.tolist(), values_fen, strict=True))
        exposures_fen += [buying_fen[each] + held_fen.get(each, 0) for each in grown]
    position_fen = max(exposures_fen, default=0)
    nav_fen, opening_fen, high_fen = ledger.nav_fen, ledger.opening_nav_fen, ledger.high_water_fen
    loss_fen, fall_fen = max(0, opening_fen - nav_fen), high_fen - nav_fen
    gross_fen = sum(sectors_fen)
    return (
        _use(Layer.POSITION_SIZE, position_fen, nav_fen, limits.position_bps_max),
        _use(Layer.DAILY_LOSS, loss_fen, opening_fen, limits.daily_loss_bps_max),
        _use(Layer.DRAWDOWN, fall_fen, high_fen, limits.drawdown_bps_max),
        _use(Layer.SECTOR_CONCENTRATION, sector_fen, nav_fen, limits.sector_bps_max),
        _use(Layer.LEVERAGE, gross_fen, nav_fen, limits.leverage_bps_max),
    )


def _use(layer: Layer, part_fen: int, whole_fen: int, limit_bps: int) -> LimitUsage:
    return LimitUsage(layer, ratio_bps_up(part_fen, whole_fen), limit_bps)
