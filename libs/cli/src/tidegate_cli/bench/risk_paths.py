"""The ways of an order through risk, for bench `risk`: accepted, or rejected for one reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tidegate_common.domain.enums import (
    ControlCommand,
    LimitState,
    OrderType,
    Reason,
    Side,
    TimeInForce,
)
from tidegate_common.domain.ids import AccountId
from tidegate_common.events.run import ProgrammeTradingSpec

ACCOUNT: Final = AccountId("bench-0000")
# Two trading days in a row: what is bought on the first can be sold on the second.
DAYS: Final = (20_240_603, 20_240_604)
TEN_O_CLOCK: Final = 36_000
LUNCH: Final = 41_500
LOT_SHARES: Final = 100

# The largest limit order of the main board.
ORDER_SHARES_MAX: Final = 1_000_000
_WHOLE_BPS: Final = 10_000
# Instruments of Shenzhen that the market of the bench does not have.
_OTHER_EXCHANGE: Final = 1_000_000
_MANY: Final = 1_000_000_000


def _thresholds(*, per_second: int = _MANY, per_day: int = _MANY) -> ProgrammeTradingSpec:
    """Return thresholds of the second day, so that the first one's buys meet none."""
    return ProgrammeTradingSpec(per_second, per_day, DAYS[1], DAYS[1], "none, a benchmark")


@dataclass(frozen=True, slots=True)
class Path:
    """What the orders of a batch are and meet; all that is not said lets them pass.

    has_held_targets : they are for instruments that the account holds, else for others.
    price_bps, price_off_e4 : limit price, as a part of the best ask cut to the tick, and beside it.
    code_offset : what is added to the instrument.
    are_cancels : cancels of orders that do not exist, instead of orders.
    are_repeats : the same request ids in each beat.
    are_new : the instruments asked for are listed on the second day first.
    reference : columns of the second day's reference data, of the instruments asked for.
    is_quoted : the second day has quotes.
    last_bps : the second day's prices, as a part of the first's.
    is_stale : their shard is silent in the beats of the orders.
    limits : what a command makes of the account's limits.
    has_open_sells : each holding has a sell at the best ask.
    is_spent : earlier orders have taken all cash.
    """

    reason: Reason = Reason.NONE
    has_held_targets: bool = False
    account_id: AccountId = ACCOUNT
    side: Side = Side.BUY
    order_type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.DAY
    price_bps: int = _WHOLE_BPS
    price_off_e4: int = 0
    quantity_shares: int = 10 * LOT_SHARES
    code_offset: int = 0
    are_cancels: bool = False
    are_repeats: bool = False
    are_new: bool = False
    reference: Mapping[str, object] = field(default_factory=dict)
    is_quoted: bool = True
    last_bps: int = _WHOLE_BPS
    is_stale: bool = False
    seconds_of_day: int = TEN_O_CLOCK
    limits: Mapping[str, int] = field(default_factory=dict)
    command: ControlCommand | None = None
    has_open_sells: bool = False
    is_spent: bool = False
    thresholds: ProgrammeTradingSpec = field(default_factory=_thresholds)

    @property
    def name(self) -> str:
        """Return what its figures are called by."""
        return str(self.reason) if self.reason is not Reason.NONE else "accept"


ACCEPT: Final = Path()
_UNPRICED: Final = {"prev_close_e4": 0}

# In the order of the checks.
PATHS: Final = (
    ACCEPT,
    Path(Reason.UNKNOWN_ACCOUNT, account_id=AccountId("stranger")),
    Path(Reason.DUPLICATE_REQUEST, are_repeats=True),
    Path(Reason.UNKNOWN_ORDER, are_cancels=True),
    Path(Reason.ACCOUNT_HALTED, command=ControlCommand.HALT),
    Path(Reason.ORDER_RATE_LIMIT, thresholds=_thresholds(per_second=1)),
    Path(Reason.DAILY_ORDER_LIMIT, thresholds=_thresholds(per_day=1)),
    Path(Reason.UNKNOWN_INSTRUMENT, code_offset=_OTHER_EXCHANGE),
    Path(Reason.SUSPENDED, reference={"is_suspended": True}),
    Path(Reason.MISSING_MARK, are_new=True, reference=_UNPRICED, is_quoted=False),
    Path(Reason.STALE_MARK, is_stale=True),
    Path(
        Reason.BAD_ORDER_TYPE,
        order_type=OrderType.OWN_BEST,
        time_in_force=TimeInForce.FOK,
    ),
    Path(Reason.UNKNOWN_PRICE_LIMIT, reference={"limit_state": LimitState.UNKNOWN}),
    Path(Reason.BAD_PRICE_TICK, price_off_e4=1),
    Path(Reason.OUTSIDE_PRICE_LIMIT, price_bps=12_000),
    # A mark of the day before values a holding, and says nothing of today's market.
    Path(Reason.UNKNOWN_PRICE_CAGE, reference=_UNPRICED, is_quoted=False),
    Path(Reason.OUTSIDE_PRICE_CAGE, price_bps=10_500),
    Path(Reason.SELF_TRADE, has_held_targets=True, has_open_sells=True),
    Path(Reason.BAD_LOT, quantity_shares=LOT_SHARES + 1),
    Path(Reason.ST_BUY_CAP, reference={"is_st": True}, quantity_shares=500_100),
    Path(
        Reason.NOT_SELLABLE,
        has_held_targets=True,
        side=Side.SELL,
        quantity_shares=ORDER_SHARES_MAX,
    ),
    Path(Reason.NOT_ENOUGH_CASH, quantity_shares=ORDER_SHARES_MAX, is_spent=True),
    Path(Reason.ACCOUNT_REDUCING, command=ControlCommand.REDUCE),
    Path(Reason.MARKET_CLOSED, seconds_of_day=LUNCH),
    Path(Reason.POSITION_LIMIT, limits={"position_bps_max": 0}),
    Path(Reason.UNKNOWN_ADV, are_new=True),
    Path(Reason.ADV_LIMIT, limits={"adv_bps_max": 1}),
    Path(Reason.DAILY_LOSS_LIMIT, limits={"daily_loss_bps_max": 0}, last_bps=9_900),
    Path(Reason.DRAWDOWN_LIMIT, limits={"drawdown_bps_max": 0}, last_bps=9_900),
    Path(Reason.UNKNOWN_SECTOR, reference={"sector": ""}),
    Path(Reason.SECTOR_LIMIT, limits={"sector_bps_max": 0}),
    Path(Reason.LEVERAGE_LIMIT, limits={"leverage_bps_max": 0}),
)
