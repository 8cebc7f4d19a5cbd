"""As `boundaries`: what depends on the book, on an account's own orders and on its day so far."""

from typing import TypedDict

from tests.unit.risk.scenario import APPLIANCE, STAR, Quote, Reference
from tests.unit.risk.scenes import Boundary, Options, Scene, sell

from tidegate_common.domain.enums import Layer, OrderType, Phase, Reason, TimeInForce, Unit
from tidegate_common.events.run import ProgrammeTradingSpec


class Situation(TypedDict):
    """What scenes share."""

    reference: Reference
    quote: Quote


# Three messages, of a second and of a day, are high frequency.
SLOW = ProgrammeTradingSpec(3, 100, 20240601, 20240630, "none, a test")
FEW = ProgrammeTradingSpec(100, 3, 20240601, 20240630, "none, a test")
RISKY = Reference(is_st=True)
LISTED_STAR = Reference(STAR)
AFTER_HOURS: Situation = {
    "reference": LISTED_STAR,
    "quote": Quote(STAR, phase=Phase.AFTER_HOURS),
}
DEAR = Reference(prev_close_e4=1_000_100, limit_up_e4=1_100_100, limit_down_e4=900_100)
DEAR_QUOTE = Quote(last_e4=1_000_100)
MARKET: Options = {"order_type": OrderType.MARKET, "price_e4": 0}
FILL_OR_KILL: Options = {"time_in_force": TimeInForce.FOK}
OWN_BEST: Options = {"order_type": OrderType.OWN_BEST, "price_e4": 0}
FIXED: Options = {
    "instrument": STAR,
    "order_type": OrderType.FIXED_PRICE,
    "quantity_shares": 200,
}
LADDER: tuple[Options, ...] = ({"price_e4": 39_000}, {"price_e4": 40_000})

CONDUCT_BOUNDARIES = (
    Boundary(
        Reason.OUTSIDE_PRICE_CAGE,
        # Ten ticks are more than 2% of 4.00.
        Scene(request={"price_e4": 41_000}),
        Scene(request={"price_e4": 41_100}),
        observed=41_100,
        limit=41_000,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.OUTSIDE_PRICE_CAGE,
        # 2% of 100.01, cut at the fen: 102.01 and 0.0002 more.
        Scene(request={"price_e4": 1_020_100}, reference=DEAR, quote=DEAR_QUOTE, cash_fen=10**8),
        Scene(request={"price_e4": 1_020_200}, reference=DEAR, quote=DEAR_QUOTE, cash_fen=10**8),
        observed=1_020_200,
        limit=1_020_100,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.OUTSIDE_PRICE_CAGE,
        # From the best ask of 4.20, wherever the last trade was.
        Scene(request={"price_e4": 43_000}, quote=Quote(bid_e4=39_000, ask_e4=42_000)),
        Scene(request={"price_e4": 43_100}, quote=Quote(bid_e4=39_000, ask_e4=42_000)),
        observed=43_100,
        limit=43_000,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.OUTSIDE_PRICE_CAGE,
        # From the best bid of 3.90, as nobody sells.
        Scene(request={"price_e4": 40_000}, quote=Quote(bid_e4=39_000)),
        Scene(request={"price_e4": 40_100}, quote=Quote(bid_e4=39_000)),
        observed=40_100,
        limit=40_000,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.OUTSIDE_PRICE_CAGE,
        Scene(request=sell(100, price_e4=39_000), held_shares=100),
        Scene(request=sell(100, price_e4=38_900), held_shares=100),
        observed=38_900,
        limit=39_000,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.OUTSIDE_PRICE_CAGE,
        Scene(
            request=sell(100, price_e4=38_000),
            held_shares=100,
            quote=Quote(bid_e4=39_000, ask_e4=42_000),
        ),
        Scene(
            request=sell(100, price_e4=37_900),
            held_shares=100,
            quote=Quote(bid_e4=39_000, ask_e4=42_000),
        ),
        observed=37_900,
        limit=38_000,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.UNKNOWN_PRICE_CAGE,
        # The mark is yesterday's: it values what is held, and says nothing of today's market.
        Scene(quote=Quote(last_e4=0), held_shares=100),
        Scene(
            reference=Reference(prev_close_e4=0),
            quote=Quote(last_e4=0),
            held_shares=100,
        ),
    ),
    Boundary(
        Reason.BAD_ORDER_TYPE,
        # Shanghai has no market order that fills at once or not at all, Shenzhen has one.
        Scene(request=MARKET | FILL_OR_KILL | {"instrument": APPLIANCE}),
        Scene(request=MARKET | FILL_OR_KILL),
    ),
    Boundary(
        Reason.BAD_ORDER_TYPE,
        Scene(request=OWN_BEST),
        Scene(request=OWN_BEST | FILL_OR_KILL),
    ),
    Boundary(
        Reason.BAD_ORDER_TYPE,
        Scene(request=FIXED, reference=LISTED_STAR, quote=Quote(STAR)),
        Scene(request=FIXED | FILL_OR_KILL, reference=LISTED_STAR, quote=Quote(STAR)),
    ),
    Boundary(
        Reason.BAD_ORDER_TYPE,
        # The main board has no trading after hours before 2026-07-06.
        Scene(request=FIXED, reference=LISTED_STAR, quote=Quote(STAR)),
        Scene(request=FIXED | {"instrument": APPLIANCE}),
    ),
    Boundary(
        Reason.BAD_LOT,
        # Ten times as large as a limit order may be.
        Scene(
            request=FIXED | {"quantity_shares": 1_000_000},
            reference=LISTED_STAR,
            quote=Quote(STAR),
            cash_fen=10**10,
        ),
        Scene(
            request=FIXED | {"quantity_shares": 1_000_001},
            reference=LISTED_STAR,
            quote=Quote(STAR),
            cash_fen=10**10,
        ),
        observed=1_000_001,
        limit=1_000_000,
        unit=Unit.SHARES,
    ),
    Boundary(
        Reason.MARKET_CLOSED,
        # Trading after hours is from 15:05 to 15:30, and no cage holds there.
        Scene(request=FIXED | {"price_e4": 44_000}, seconds=55_799, **AFTER_HOURS),
        Scene(request=FIXED | {"price_e4": 44_000}, seconds=55_800, **AFTER_HOURS),
        layer=Layer.MARKET_HOURS,
        observed=Phase.CLOSED,
    ),
    Boundary(
        Reason.MARKET_CLOSED,
        # An order of another type finds the market closed.
        Scene(request=FIXED, seconds=55_000, **AFTER_HOURS),
        Scene(request=FIXED | {"order_type": OrderType.LIMIT}, seconds=55_000, **AFTER_HOURS),
        layer=Layer.MARKET_HOURS,
        observed=Phase.CLOSED,
    ),
    Boundary(
        Reason.MARKET_CLOSED,
        # Shanghai takes them from 09:30.
        Scene(request=FIXED, seconds=34_200, reference=LISTED_STAR, quote=Quote(STAR)),
        Scene(request=FIXED, seconds=34_199, reference=LISTED_STAR, quote=Quote(STAR)),
        layer=Layer.MARKET_HOURS,
        observed=Phase.PAUSE,
    ),
    Boundary(
        Reason.SELF_TRADE,
        Scene(before=(sell(100, price_e4=40_100),), held_shares=100),
        Scene(before=(sell(100, price_e4=40_000),), held_shares=100),
        observed=40_000,
        limit=40_000,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.SELF_TRADE,
        # The best of its own buys, of which there are two.
        Scene(
            request=sell(100, price_e4=40_100),
            before=LADDER,
            held_shares=100,
            cash_fen=200_000,
        ),
        Scene(
            request=sell(100, price_e4=40_000),
            before=LADDER,
            held_shares=100,
            cash_fen=200_000,
        ),
        observed=40_000,
        limit=40_000,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.SELF_TRADE,
        # A market buy could pay 4.40, and a sell at the upper limit is one that it could meet.
        Scene(request=MARKET, held_shares=100),
        Scene(request=MARKET, before=(sell(100, price_e4=44_000),), held_shares=100),
        observed=44_000,
        limit=44_000,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.SELF_TRADE,
        Scene(request=sell(100) | MARKET, before=({"instrument": APPLIANCE},), held_shares=100),
        Scene(request=sell(100) | MARKET, before=({"price_e4": 36_000},), held_shares=100),
        observed=36_000,
        limit=36_000,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.SELF_TRADE,
        # An open market order trades at any price of the day.
        Scene(before=(MARKET,)),
        Scene(request=sell(100, price_e4=44_000), before=(MARKET,), held_shares=100),
        observed=44_000,
        limit=44_000,
        unit=Unit.PRICE_E4,
    ),
    Boundary(
        Reason.ST_BUY_CAP,
        Scene(request={"quantity_shares": 500_000}, reference=RISKY, cash_fen=10**10),
        Scene(request={"quantity_shares": 500_100}, reference=RISKY, cash_fen=10**10),
        observed=500_100,
        limit=500_000,
        unit=Unit.SHARES,
    ),
    Boundary(
        Reason.ST_BUY_CAP,
        # What another order may still buy counts.
        Scene(before=({"quantity_shares": 499_900},), reference=RISKY, cash_fen=10**10),
        Scene(before=({"quantity_shares": 500_000},), reference=RISKY, cash_fen=10**10),
        observed=500_100,
        limit=500_000,
        unit=Unit.SHARES,
    ),
    Boundary(
        Reason.ORDER_RATE_LIMIT,
        Scene(before=({},), thresholds=SLOW),
        Scene(before=({}, {}), thresholds=SLOW),
        observed=3,
        limit=2,
        unit=Unit.MESSAGES,
    ),
    Boundary(
        Reason.DAILY_ORDER_LIMIT,
        Scene(before=({},), thresholds=FEW),
        Scene(before=({}, {}), thresholds=FEW),
        observed=3,
        limit=2,
        unit=Unit.MESSAGES,
    ),
)
