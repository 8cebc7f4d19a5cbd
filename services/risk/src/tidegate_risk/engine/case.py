"""All that a check may look at."""

from collections.abc import Callable
from dataclasses import dataclass

from tidegate_common.domain.enums import Exchange, OrderType, Side
from tidegate_common.domain.ids import EXCHANGE_STEP
from tidegate_common.domain.units import BPS, notional_fen
from tidegate_common.events.run import RiskLimits
from tidegate_common.market.dated import DatedRow
from tidegate_common.market.fees import FeeSchedule
from tidegate_common.market.lots import price_tick_e4
from tidegate_common.market.programme_trading import ProgrammeTradingThresholds, thresholds_on
from tidegate_risk.engine.intent import Intent, Refusal
from tidegate_risk.engine.portfolio import Account
from tidegate_risk.engine.state import Listing, Market


@dataclass(frozen=True, slots=True)
class Case:
    """An intent of an account before the market of a beat.

    own_thresholds : the run's own programme-trading thresholds, before the rule book's.
    """

    intent: Intent
    account: Account
    listing: Listing
    market: Market
    limits: RiskLimits
    fees: FeeSchedule
    trade_date: int
    ts_event_ns: int
    own_thresholds: DatedRow[ProgrammeTradingThresholds] | None = None

    @property
    def bound_price_e4(self) -> int:
        """Worst price for us: the limit price, or the day's limit for a market order."""
        if self.intent.order_type is OrderType.LIMIT:
            return self.intent.price_e4
        if self.intent.side is Side.BUY:
            return self.listing.limit_up_e4
        return max(self.listing.limit_down_e4, price_tick_e4(self.listing.board))

    @property
    def thresholds(self) -> ProgrammeTradingThresholds | None:
        """From how many messages on an account counts as a high-frequency trader today."""
        row = thresholds_on(self.trade_date, self.own_thresholds)
        return row.value if row is not None else None

    @property
    def exchange(self) -> Exchange:
        """Venue of the instrument."""
        return Exchange(self.intent.instrument // EXCHANGE_STEP)

    @property
    def value_fen(self) -> int:
        """Turnover at the worst price."""
        return notional_fen(self.bound_price_e4, self.intent.quantity_shares)

    @property
    def needed_fen(self) -> int:
        """Cash to hold back: a buy's cost, or what a sell's fees can exceed its proceeds by.

        Fees exceed proceeds most on the least fill, one share: it pays the minimum commission.
        """
        if self.intent.side is Side.BUY:
            return self.fees.buy_cost_bound_fen(
                amount_fen=self.value_fen,
                quantity_shares=self.intent.quantity_shares,
                exchange=self.exchange,
                board=self.listing.board,
                trade_date=self.trade_date,
            )
        least_fen = notional_fen(self.bound_price_e4, 1)
        fees = self.fees.order_fees(
            side=Side.SELL,
            amount_fen=least_fen,
            quantity_shares=1,
            exchange=self.exchange,
            board=self.listing.board,
            trade_date=self.trade_date,
        )
        return max(0, fees.total_fen - least_fen)


Check = Callable[[Case], Refusal | None]


def exceeds_bps(part_fen: int, whole_fen: int, limit_bps: int) -> bool:
    """Tell exactly whether a part is more than so many basis points of a whole.

    Any positive part is too much of a whole that is not positive.
    """
    return part_fen * BPS > limit_bps * whole_fen


def ratio_bps_up(part_fen: int, whole_fen: int) -> int:
    """Return a part in basis points of a whole, rounded up; 0 of a whole that is not positive."""
    return -(-part_fen * BPS // whole_fen) if whole_fen > 0 else 0
