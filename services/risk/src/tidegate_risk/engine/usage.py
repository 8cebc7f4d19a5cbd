"""How much of its limits an account uses, for people to see; no decision reads it."""

from collections import Counter

from tidegate_common.domain.enums import Layer
from tidegate_common.events.portfolio import LimitUsage
from tidegate_risk.engine.case import ratio_bps_up
from tidegate_risk.engine.portfolio import Account
from tidegate_risk.engine.state import UNKNOWN_SECTOR, Market


def usage_of(account: Account, market: Market) -> tuple[LimitUsage, ...]:
    """Return the use of every limit in bps, in the order of the layers.

    As the layers count: open buys at their worst price, a holding of unknown sector in every one.
    """
    ledger, limits = account.ledger, account.limits
    values = zip(ledger.instruments.tolist(), ledger.values_fen.tolist(), strict=True)
    exposures = Counter(dict(values))
    exposures.update(account.buying_fen)
    sectors: Counter[int] = Counter()
    for instrument, exposure_fen in exposures.items():
        sectors[market.sector_of(instrument)] += exposure_fen
    in_doubt_fen = sectors.pop(UNKNOWN_SECTOR, 0)
    position_fen = max(exposures.values(), default=0)
    sector_fen = max(sectors.values(), default=0) + in_doubt_fen
    nav_fen, opening_fen, high_fen = ledger.nav_fen, ledger.opening_nav_fen, ledger.high_water_fen
    loss_fen, fall_fen = max(0, opening_fen - nav_fen), high_fen - nav_fen
    gross_fen = exposures.total()
    return (
        _use(Layer.POSITION_SIZE, position_fen, nav_fen, limits.position_bps_max),
        _use(Layer.DAILY_LOSS, loss_fen, opening_fen, limits.daily_loss_bps_max),
        _use(Layer.DRAWDOWN, fall_fen, high_fen, limits.drawdown_bps_max),
        _use(Layer.SECTOR_CONCENTRATION, sector_fen, nav_fen, limits.sector_bps_max),
        _use(Layer.LEVERAGE, gross_fen, nav_fen, limits.leverage_bps_max),
    )


def _use(layer: Layer, part_fen: int, whole_fen: int, limit_bps: int) -> LimitUsage:
    return LimitUsage(layer, ratio_bps_up(part_fen, whole_fen), limit_bps)
