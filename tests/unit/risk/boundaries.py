"""Scenes on both sides of each reason's boundary, and what is said of the one beyond."""

from dataclasses import replace
from typing import TypedDict

from tests.unit.risk.scenario import (
    APPLIANCE,
    BANK,
    LOOSE,
    Quote,
    Reference,
)
from tests.unit.risk.scenes import FEES, Boundary, Scene, sell

from tidegate_common.domain.enums import (
    Layer,
    LimitState,
    OrderType,
    Phase,
    Reason,
    Unit,
)

# A tenth of an average day.
THIN = replace(LOOSE, adv_bps_max=1_000)
ONE_SECTOR = replace(LOOSE, sector_bps_max=4_000)


class Market(TypedDict):
    """What scenes share."""

    reference: Reference
    second: Reference


UNCLASSIFIED: Market = {
    "reference": Reference(sector=""),
    "second": Reference(APPLIANCE, sector=""),
}

BOUNDARIES = (
    Boundary(Reason.UNKNOWN_INSTRUMENT, Scene(), Scene(request={"instrument": BANK + 1})),
    Boundary(
        Reason.UNKNOWN_ACCOUNT,
        Scene(request={"account_id": "alpha"}),
        Scene(request={"account_id": "alphb"}),
    ),
    Boundary(Reason.SUSPENDED, Scene(), Scene(reference=Reference(is_suspended=True))),
    Boundary(
        Reason.MISSING_MARK,
        Scene(reference=Reference(prev_close_e4=1), quote=Quote(last_e4=0, ask_e4=40_000)),
        Scene(reference=Reference(prev_close_e4=0), quote=Quote(last_e4=0, ask_e4=40_000)),
        observed=0,
        limit=1,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.STALE_MARK,
        # The request comes a beat after the idle ones: 99 + 1 and 100 + 1 beats.
        Scene(idle_beats=99),
        Scene(idle_beats=100),
        observed=101,
        limit=100,
        unit=Unit.BEATS,
    ),
    Boundary(
        Reason.STALE_MARK,
        Scene(stale=(APPLIANCE,)),
        Scene(stale=(BANK, BANK + 1)),
        observed=1,
        limit=0,
        unit=Unit.BEATS,
    ),
    Boundary(
        Reason.UNKNOWN_PRICE_LIMIT,
        Scene(reference=Reference(limit_state=LimitState.UNLIMITED)),
        Scene(reference=Reference(limit_state=LimitState.UNKNOWN)),
    ),
    Boundary(
        Reason.UNKNOWN_PRICE_LIMIT,
        Scene(request={"order_type": OrderType.MARKET, "price_e4": 0}),
        Scene(
            request={"order_type": OrderType.MARKET, "price_e4": 0},
            reference=Reference(limit_state=LimitState.UNLIMITED),
        ),
    ),
    Boundary(
        Reason.BAD_PRICE_TICK,
        Scene(request={"price_e4": 40_100}),
        Scene(request={"price_e4": 40_001}),
        observed=40_001,
        limit=100,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.BAD_PRICE_TICK,
        Scene(request={"price_e4": 36_000}),
        Scene(request={"price_e4": 0}),
        observed=0,
        limit=100,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.BAD_PRICE_TICK,
        Scene(request={"order_type": OrderType.MARKET, "price_e4": 0}),
        Scene(request={"order_type": OrderType.MARKET, "price_e4": 100}),
        observed=100,
        limit=0,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.OUTSIDE_PRICE_LIMIT,
        Scene(request={"price_e4": 44_000}, quote=Quote(ask_e4=44_000)),
        Scene(request={"price_e4": 44_100}, quote=Quote(ask_e4=44_000)),
        observed=44_100,
        limit=44_000,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.OUTSIDE_PRICE_LIMIT,
        Scene(request={"price_e4": 36_000}),
        Scene(request={"price_e4": 35_900}),
        observed=35_900,
        limit=36_000,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.OUTSIDE_PRICE_LIMIT,
        Scene(request={"order_type": OrderType.MARKET, "price_e4": 0}),
        Scene(
            request={"order_type": OrderType.MARKET, "price_e4": 0},
            reference=Reference(limit_up_e4=10**12 + 100),
        ),
        observed=10**12 + 100,
        limit=10**12,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        # A hundred million CNY a share: beyond it the kernels' numbers have no room.
        Reason.OUTSIDE_PRICE_LIMIT,
        Scene(request={"price_e4": 36_000}, reference=Reference(limit_state=LimitState.UNLIMITED)),
        Scene(
            request={"price_e4": 10**12 + 100},
            reference=Reference(limit_state=LimitState.UNLIMITED),
        ),
        observed=10**12 + 100,
        limit=10**12,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.BAD_LOT,
        Scene(request={"quantity_shares": 100}),
        Scene(request={"quantity_shares": 99}),
        observed=99,
        limit=100,
        unit=Unit.SHARES,
    ),
    Boundary(
        Reason.BAD_LOT,
        Scene(request={"quantity_shares": 1_000_000}, cash_fen=10**10),
        Scene(request={"quantity_shares": 1_000_001}, cash_fen=10**10),
        observed=1_000_001,
        limit=1_000_000,
        unit=Unit.SHARES,
    ),
    Boundary(
        Reason.BAD_LOT,
        Scene(request=sell(100), held_shares=100),
        Scene(request=sell(99), held_shares=100),
        observed=99,
        limit=100,
        unit=Unit.SHARES,
    ),
    Boundary(
        Reason.NOT_SELLABLE,
        Scene(request=sell(100), held_shares=100),
        Scene(request=sell(101), held_shares=100),
        observed=100,
        limit=101,
        unit=Unit.SHARES,
    ),
    Boundary(
        Reason.NOT_ENOUGH_CASH,
        # 40,000 fen of shares, 500 of commission; the transfer fee of 0.4 fen is none.
        Scene(cash_fen=40_500, commission=FEES),
        Scene(cash_fen=40_499, commission=FEES),
        observed=40_500,
        limit=40_499,
        unit=Unit.FEN,
    ),
    Boundary(
        Reason.MARKET_CLOSED,
        Scene(seconds=34_200),
        Scene(seconds=34_199),
        layer=Layer.MARKET_HOURS,
        observed=Phase.PAUSE,
    ),
    Boundary(
        Reason.MARKET_CLOSED,
        Scene(seconds=41_399, request=sell(100), held_shares=100),
        Scene(seconds=41_400, request=sell(100), held_shares=100),
        layer=Layer.MARKET_HOURS,
        observed=Phase.LUNCH,
    ),
    Boundary(
        Reason.MARKET_CLOSED,
        Scene(quote=Quote(phase=Phase.CONTINUOUS)),
        Scene(quote=Quote(phase=Phase.HALTED)),
        layer=Layer.MARKET_HOURS,
        observed=Phase.HALTED,
    ),
    Boundary(
        Reason.MARKET_CLOSED,
        Scene(request={"order_type": OrderType.MARKET, "price_e4": 0}, seconds=53_819),
        Scene(request={"order_type": OrderType.MARKET, "price_e4": 0}, seconds=53_820),
        layer=Layer.MARKET_HOURS,
        observed=Phase.CLOSE_CALL,
    ),
    Boundary(
        Reason.POSITION_LIMIT,
        Scene(limits=replace(LOOSE, position_bps_max=4_000)),
        # 40,000 of 99,999 fen are 4,000.04 bps, which is too much, and 4,001 rounded up.
        Scene(limits=replace(LOOSE, position_bps_max=4_000), cash_fen=99_999),
        layer=Layer.POSITION_SIZE,
        observed=4_001,
        limit=4_000,
        unit=Unit.BPS,
    ),
    Boundary(
        Reason.POSITION_LIMIT,
        Scene(limits=replace(LOOSE, position_bps_max=8_000), held_shares=100),
        Scene(limits=replace(LOOSE, position_bps_max=7_999), held_shares=100),
        layer=Layer.POSITION_SIZE,
        observed=8_000,
        limit=7_999,
        unit=Unit.BPS,
    ),
    Boundary(
        Reason.UNKNOWN_ADV,
        Scene(limits=THIN, volumes_shares=(10_000,)),
        Scene(limits=THIN),
        layer=Layer.POSITION_SIZE,
    ),
    Boundary(
        Reason.ADV_LIMIT,
        # 1,000 of 10,000 shares, and of 9,999.
        Scene({"quantity_shares": 1_000}, limits=THIN, cash_fen=10**8, volumes_shares=(10_000,)),
        Scene({"quantity_shares": 1_000}, limits=THIN, cash_fen=10**8, volumes_shares=(9_999,)),
        layer=Layer.POSITION_SIZE,
        observed=1_001,
        limit=1_000,
        unit=Unit.BPS,
    ),
    Boundary(
        Reason.ADV_LIMIT,
        # Half of it in an open buy; an average of 9,999.5 shares counts as 9,999.
        Scene(
            {"quantity_shares": 500},
            before=({"quantity_shares": 500},),
            limits=THIN,
            cash_fen=10**8,
            volumes_shares=(9_999, 10_001),
        ),
        Scene(
            {"quantity_shares": 500},
            before=({"quantity_shares": 500},),
            limits=THIN,
            cash_fen=10**8,
            volumes_shares=(9_999, 10_000),
        ),
        layer=Layer.POSITION_SIZE,
        observed=1_001,
        limit=1_000,
        unit=Unit.BPS,
    ),
    Boundary(
        Reason.ADV_LIMIT,
        # One day without trades, of two and of one.
        Scene(limits=THIN, volumes_shares=(2_000, 0)),
        Scene(limits=THIN, volumes_shares=(0,)),
        layer=Layer.POSITION_SIZE,
        observed=0,
        limit=1_000,
        unit=Unit.BPS,
    ),
    Boundary(
        Reason.DAILY_LOSS_LIMIT,
        # 100 shares lose 30 fen each, 3,000 of 100,000; then 31.
        Scene(
            limits=replace(LOOSE, daily_loss_bps_max=300),
            held_shares=100,
            quote=Quote(last_e4=37_000, ask_e4=40_000),
        ),
        Scene(
            limits=replace(LOOSE, daily_loss_bps_max=300),
            held_shares=100,
            quote=Quote(last_e4=36_900, ask_e4=40_000),
        ),
        layer=Layer.DAILY_LOSS,
        observed=310,
        limit=300,
        unit=Unit.BPS,
    ),
    Boundary(
        Reason.DRAWDOWN_LIMIT,
        Scene(
            limits=replace(LOOSE, drawdown_bps_max=300),
            held_shares=100,
            quote=Quote(last_e4=37_000, ask_e4=40_000),
        ),
        Scene(
            limits=replace(LOOSE, drawdown_bps_max=300),
            held_shares=100,
            quote=Quote(last_e4=36_900, ask_e4=40_000),
        ),
        layer=Layer.DRAWDOWN,
        observed=310,
        limit=300,
        unit=Unit.BPS,
    ),
    Boundary(
        Reason.UNKNOWN_SECTOR,
        Scene(reference=Reference(sector="finance")),
        Scene(reference=Reference(sector="")),
        layer=Layer.SECTOR_CONCENTRATION,
    ),
    Boundary(
        Reason.SECTOR_LIMIT,
        # Where nothing has a sector, all of the market is one.
        Scene(limits=ONE_SECTOR, **UNCLASSIFIED),
        Scene(request={"price_e4": 40_100}, limits=ONE_SECTOR, **UNCLASSIFIED),
        layer=Layer.SECTOR_CONCENTRATION,
        observed=4_010,
        limit=4_000,
        unit=Unit.BPS,
    ),
    Boundary(
        Reason.SECTOR_LIMIT,
        Scene(
            request={"instrument": APPLIANCE},
            limits=replace(LOOSE, sector_bps_max=8_000),
            held_shares=100,
        ),
        Scene(
            request={"instrument": APPLIANCE},
            limits=replace(LOOSE, sector_bps_max=7_999),
            held_shares=100,
        ),
        layer=Layer.SECTOR_CONCENTRATION,
        observed=8_000,
        limit=7_999,
        unit=Unit.BPS,
    ),
    Boundary(
        Reason.LEVERAGE_LIMIT,
        Scene(
            request={"instrument": APPLIANCE},
            limits=replace(LOOSE, leverage_bps_max=8_000),
            held_shares=100,
        ),
        Scene(
            request={"instrument": APPLIANCE},
            limits=replace(LOOSE, leverage_bps_max=7_999),
            held_shares=100,
        ),
        layer=Layer.LEVERAGE,
        observed=8_000,
        limit=7_999,
        unit=Unit.BPS,
    ),
)
