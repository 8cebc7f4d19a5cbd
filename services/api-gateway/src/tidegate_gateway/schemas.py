"""What the gateway says and takes over HTTP.

Prices and money are decimal strings in CNY, instruments are symbols such as 600519.SH.
"""

from decimal import Decimal
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tidegate_common.domain.enums import (
    AccountState,
    CauseKind,
    Layer,
    Liquidity,
    OrderReason,
    OrderStatus,
    OrderType,
    Outcome,
    PriceSource,
    Reason,
    Side,
    TimeInForce,
    Unit,
)
from tidegate_common.domain.ids import (
    AccountId,
    RequestId,
    format_symbol,
    is_account_id,
    parse_symbol,
)
from tidegate_common.domain.units import FEN_PER_YUAN, PRICE_SCALE
from tidegate_common.events.execution import Fill
from tidegate_common.events.orders import OrderRequest, SubmitOrder
from tidegate_common.events.portfolio import PortfolioState, PositionState
from tidegate_common.events.recommendations import RecommendationEntry, StrategyRecommendations
from tidegate_common.events.risk import Decision
from tidegate_common.store.redis import CachedRecommendations

Source = Literal["redis", "postgres"]
Item = TypeVar("Item", bound=BaseModel)

# More than any price or quantity of the market, less than 64 bits when they are multiplied.
PRICE_CNY_MAX = Decimal(1_000_000)
QUANTITY_SHARES_MAX = 100_000_000


def price_text(price_e4: int) -> str:
    """Return a price in yuan, two decimals or more: "1800.00", "0.0345"."""
    text = f"{Decimal(price_e4) / PRICE_SCALE:.4f}"
    return text.removesuffix("00") if text.endswith("00") else text.removesuffix("0")


def money_text(fen: int) -> str:
    """Return an amount in yuan with its two decimals."""
    return f"{Decimal(fen) / FEN_PER_YUAN:.2f}"


def millionths_text(number_e6: int) -> str:
    """Return a number with its six decimals: "0.400000"."""
    return f"{Decimal(number_e6).scaleb(-6):f}"


def _checked_symbol(text: str) -> str:
    parse_symbol(text)
    return text


def _checked_account(text: str) -> str:
    if not is_account_id(text):
        message = f"account must be letters, digits and _, at most 32, was {text!r}"
        raise ValueError(message)
    return text


SymbolText = Annotated[str, AfterValidator(_checked_symbol)]
AccountText = Annotated[str, AfterValidator(_checked_account)]
RequestText = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Page(_Model, Generic[Item]):
    """Some items in order, and where the next page begins.

    next : pass it as `after`; null on the last page.
    """

    run_id: str | None = Field(examples=["20230201-a1b2"])
    items: list[Item]
    next: str | None = Field(examples=["12.A1.0"])


class RunView(_Model):
    """A run."""

    run_id: str = Field(examples=["20230201-a1b2"])
    trade_date: int = Field(description="Shanghai date of its first beat", examples=[20230201])
    last_beat: int | None = Field(description="greatest recorded beat", examples=[4801])
    is_complete: bool = Field(description="whether it is recorded to its end")


class PositionView(_Model):
    """A holding."""

    symbol: str = Field(examples=["600519.SH"])
    quantity_shares: int = Field(examples=[200])
    sellable_shares: int = Field(description="may be sold today (T+1)", examples=[0])
    cost_cny: str = Field(description="what the shares cost, fees excluded", examples=["360000.00"])
    mark_cny: str = Field(description="price that it is valued at", examples=["1801.50"])
    value_cny: str = Field(examples=["360300.00"])

    @classmethod
    def of(cls, position: PositionState) -> "PositionView":
        """Return the view of a holding."""
        return cls(
            symbol=format_symbol(position.instrument),
            quantity_shares=position.quantity_shares,
            sellable_shares=position.sellable_shares,
            cost_cny=money_text(position.cost_fen),
            mark_cny=price_text(position.mark_e4),
            value_cny=money_text(position.value_fen),
        )


class PortfolioView(_Model):
    """An account's books after a beat, and where they were read."""

    source: Source = Field(description="redis: now; postgres: as last recorded")
    run_id: str = Field(examples=["20230201-a1b2"])
    beat: int = Field(examples=[4801])
    account_id: str = Field(examples=["A1"])
    trade_date: int = Field(examples=[20230201])
    state: AccountState
    cash_cny: str = Field(examples=["639994.82"])
    frozen_cny: str = Field(description="held for open buy orders", examples=["0.00"])
    nav_cny: str = Field(examples=["1000294.82"])
    opening_nav_cny: str = Field(examples=["1000000.00"])
    high_water_cny: str = Field(examples=["1000500.00"])
    day_pnl_cny: str = Field(examples=["294.82"])
    realised_pnl_cny: str = Field(description="of all sells, before fees", examples=["0.00"])
    fees_cny: str = Field(examples=["5.18"])
    positions: list[PositionView]

    @classmethod
    def of(
        cls,
        portfolio: PortfolioState,
        *,
        source: Source,
        run_id: str,
        beat: int,
    ) -> "PortfolioView":
        """Return the view of an account's books."""
        return cls(
            source=source,
            run_id=run_id,
            beat=beat,
            account_id=portfolio.account_id,
            trade_date=portfolio.trade_date,
            state=portfolio.state,
            cash_cny=money_text(portfolio.cash_fen),
            frozen_cny=money_text(portfolio.frozen_fen),
            nav_cny=money_text(portfolio.nav_fen),
            opening_nav_cny=money_text(portfolio.opening_nav_fen),
            high_water_cny=money_text(portfolio.high_water_fen),
            day_pnl_cny=money_text(portfolio.day_pnl_fen),
            realised_pnl_cny=money_text(portfolio.realised_pnl_fen),
            fees_cny=money_text(portfolio.fees_fen),
            positions=[PositionView.of(position) for position in portfolio.positions],
        )


class PortfoliosView(_Model):
    """The portfolios of all accounts, sorted by account."""

    source: Source
    items: list[PortfolioView]


class OrderView(_Model):
    """An order and its latest state."""

    order_id: str = Field(examples=["20230201-a1b2.12.A1.0"])
    decision_id: str = Field(examples=["20230201-a1b2.12.A1.0"])
    beat: int = Field(examples=[12])
    account_id: str = Field(examples=["A1"])
    symbol: str = Field(examples=["600519.SH"])
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    price_cny: str | None = Field(description="null for a market order", examples=["1800.00"])
    quantity_shares: int = Field(examples=[200])
    status: OrderStatus
    status_reason: OrderReason
    status_beat: int = Field(description="beat of the latest state", examples=[14])
    cumulative_shares: int = Field(examples=[200])
    leaves_shares: int = Field(examples=[0])
    ts_event_ns: int = Field(examples=[1675215000000000000])

    @classmethod
    def of(
        cls,
        order: SubmitOrder,
        *,
        status: str,
        status_reason: str,
        status_beat: int,
        cumulative_shares: int,
        leaves_shares: int,
    ) -> "OrderView":
        """Return the view of an order."""
        has_price = not order.order_type.is_market
        return cls(
            order_id=order.order_id,
            decision_id=order.decision_id,
            beat=order.beat,
            account_id=order.account_id,
            symbol=format_symbol(order.instrument),
            side=order.side,
            order_type=order.order_type,
            time_in_force=order.time_in_force,
            price_cny=price_text(order.price_e4) if has_price else None,
            quantity_shares=order.quantity_shares,
            status=OrderStatus(status),
            status_reason=OrderReason(status_reason),
            status_beat=status_beat,
            cumulative_shares=cumulative_shares,
            leaves_shares=leaves_shares,
            ts_event_ns=order.ts_event_ns,
        )


class FillView(_Model):
    """A trade."""

    fill_id: str = Field(examples=["20230201-a1b2.12.A1.0.0"])
    order_id: str = Field(examples=["20230201-a1b2.12.A1.0"])
    decision_id: str = Field(examples=["20230201-a1b2.12.A1.0"])
    beat: int = Field(examples=[13])
    account_id: str = Field(examples=["A1"])
    symbol: str = Field(examples=["600519.SH"])
    side: Side
    price_cny: str = Field(examples=["1799.98"])
    quantity_shares: int = Field(examples=[100])
    amount_cny: str = Field(examples=["179998.00"])
    commission_cny: str = Field(examples=["5.00"])
    stamp_duty_cny: str = Field(examples=["0.00"])
    transfer_fee_cny: str = Field(examples=["0.18"])
    handling_fee_cny: str = Field(
        description="0.00 where the commission includes it",
        examples=["0.00"],
    )
    regulatory_fee_cny: str = Field(
        description="0.00 where the commission includes it",
        examples=["0.00"],
    )
    source: PriceSource
    liquidity: Liquidity
    ts_event_ns: int = Field(examples=[1675215003000000000])

    @classmethod
    def of(cls, fill: Fill) -> "FillView":
        """Return the view of a trade."""
        return cls(
            fill_id=fill.fill_id,
            order_id=fill.order_id,
            decision_id=fill.decision_id,
            beat=fill.beat,
            account_id=fill.account_id,
            symbol=format_symbol(fill.instrument),
            side=fill.side,
            price_cny=price_text(fill.price_e4),
            quantity_shares=fill.quantity_shares,
            amount_cny=money_text(fill.amount_fen),
            commission_cny=money_text(fill.commission_fen),
            stamp_duty_cny=money_text(fill.stamp_duty_fen),
            transfer_fee_cny=money_text(fill.transfer_fee_fen),
            handling_fee_cny=money_text(fill.handling_fee_fen),
            regulatory_fee_cny=money_text(fill.regulatory_fee_fen),
            source=fill.source,
            liquidity=fill.liquidity,
            ts_event_ns=fill.ts_event_ns,
        )


class DecisionView(_Model):
    """Why an order was (not) sent."""

    decision_id: str = Field(examples=["20230201-a1b2.12.A1.0"])
    order_id: str | None = Field(description="null when rejected")
    beat: int = Field(examples=[12])
    account_id: str = Field(examples=["A1"])
    symbol: str = Field(examples=["600519.SH"])
    side: Side
    order_type: OrderType
    price_cny: str | None = Field(description="null for a market order", examples=["1800.00"])
    quantity_shares: int = Field(examples=[200])
    outcome: Outcome
    layer: Layer
    reason: Reason
    observed: int = Field(description="what was found, in `unit`", examples=[2500])
    limit: int = Field(description="what was allowed, in `unit`", examples=[2000])
    unit: Unit
    nav_cny: str = Field(examples=["1000000.00"])
    cause_kind: CauseKind
    cause: str = Field(description="strategy or request id", examples=["ma_cross"])
    score_e6: int = Field(description="millionths", examples=[400000])
    score_beat: int = Field(examples=[12])
    ts_event_ns: int = Field(examples=[1675215000000000000])

    @classmethod
    def of(cls, decision: Decision) -> "DecisionView":
        """Return the view of a verdict."""
        has_price = not decision.order_type.is_market
        return cls(
            decision_id=decision.decision_id,
            order_id=decision.order_id or None,
            beat=decision.beat,
            account_id=decision.account_id,
            symbol=format_symbol(decision.instrument),
            side=decision.side,
            order_type=decision.order_type,
            price_cny=price_text(decision.price_e4) if has_price else None,
            quantity_shares=decision.quantity_shares,
            outcome=decision.outcome,
            layer=decision.layer,
            reason=decision.reason,
            observed=decision.observed,
            limit=decision.limit,
            unit=decision.unit,
            nav_cny=money_text(decision.nav_fen),
            cause_kind=decision.cause_kind,
            cause=decision.cause,
            score_e6=decision.score_e6,
            score_beat=decision.score_beat,
            ts_event_ns=decision.ts_event_ns,
        )


class EquityView(_Model):
    """An account's worth after a beat."""

    beat: int = Field(examples=[12])
    ts_event_ns: int = Field(examples=[1675215000000000000])
    account_id: str = Field(examples=["A1"])
    cash_cny: str = Field(examples=["639994.82"])
    nav_cny: str = Field(examples=["1000294.82"])


class RecommendationView(_Model):
    """What a strategy thinks of an instrument; numbers are decimal strings."""

    symbol: str = Field(examples=["600519.SH"])
    score: str = Field(description="-1 to 1, positive to buy", examples=["0.400000"])
    rank: int = Field(description="1 for the highest score", examples=[1])
    previous_rank: int | None = Field(description="null when new", examples=[3])
    rank_change: int | None = Field(description="positive: rose; null when new", examples=[2])
    score_beat: int = Field(description="beat of the score", examples=[12])
    reasons: dict[str, str] = Field(
        description="the numbers that made the score",
        examples=[{"fast_cny": "1801.500000", "slow_cny": "1790.250000"}],
    )

    @classmethod
    def of(cls, entry: RecommendationEntry) -> "RecommendationView":
        """Return the view of a listed instrument."""
        return cls(
            symbol=format_symbol(entry.instrument),
            score=millionths_text(entry.score_e6),
            rank=entry.rank,
            previous_rank=entry.previous_rank or None,
            rank_change=entry.rank_change,
            score_beat=entry.score_beat,
            reasons={name: millionths_text(e6) for name, e6 in entry.reasons_e6.items()},
        )


class StrategyRecommendationsView(_Model):
    """A strategy's best and worst instruments, as of the beat that last changed them."""

    strategy: str = Field(examples=["ma_cross"])
    beat: int = Field(examples=[12])
    trade_date: int = Field(examples=[20230201])
    ts_event_ns: int = Field(examples=[1675215000000000000])
    instrument_count: int = Field(description="rank of the lowest score", examples=[5100])
    top: list[RecommendationView] = Field(description="highest score first")
    bottom: list[RecommendationView] = Field(description="lowest score first, none of the top")

    @classmethod
    def of(cls, told: StrategyRecommendations) -> "StrategyRecommendationsView":
        """Return the view of a strategy's recommendations."""
        return cls(
            strategy=told.strategy,
            beat=told.beat,
            trade_date=told.trade_date,
            ts_event_ns=told.ts_event_ns,
            instrument_count=told.instrument_count,
            top=[RecommendationView.of(entry) for entry in told.top],
            bottom=[RecommendationView.of(entry) for entry in told.bottom],
        )


class RecommendationsView(_Model):
    """The recommendations of the newest run, by strategy in the run's order."""

    run_id: str | None = Field(description="null before any run", examples=["20230201-a1b2"])
    beat: int | None = Field(description="they hold as of this beat", examples=[14])
    items: list[StrategyRecommendationsView]

    @classmethod
    def of(cls, newest: CachedRecommendations, strategy: str | None) -> "RecommendationsView":
        """Return the view of one strategy's recommendations, or of all."""
        told = [one for one in newest.recommendations if strategy in {None, one.strategy}]
        return cls(
            run_id=newest.run_id,
            beat=newest.beat,
            items=[StrategyRecommendationsView.of(one) for one in told],
        )


class OrderBody(_Model):
    """An order that somebody asks for; risk decides."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "account_id": "A1",
                    "symbol": "600519.SH",
                    "side": "buy",
                    "order_type": "limit",
                    "price_cny": "1800.00",
                    "quantity_shares": 100,
                },
            ],
        },
    )

    account_id: AccountText
    symbol: SymbolText
    side: Side
    order_type: OrderType = OrderType.LIMIT
    price_cny: Decimal | None = Field(
        None,
        gt=0,
        le=PRICE_CNY_MAX,
        decimal_places=4,
        description="limit price as a decimal string; none for a market order",
    )
    quantity_shares: int = Field(gt=0, le=QUANTITY_SHARES_MAX)
    time_in_force: TimeInForce = TimeInForce.DAY

    @model_validator(mode="after")
    def _check_price(self) -> "OrderBody":
        if (self.price_cny is None) is not self.order_type.is_market:
            message = "price_cny must be given for a limit order, and for no market order"
            raise ValueError(message)
        return self

    def request(self, request_id: str) -> OrderRequest:
        """Return what is asked of risk."""
        return OrderRequest(
            request_id=RequestId(request_id),
            account_id=AccountId(self.account_id),
            instrument=parse_symbol(self.symbol),
            side=self.side,
            order_type=self.order_type,
            price_e4=int(self.price_cny * PRICE_SCALE) if self.price_cny else 0,
            quantity_shares=self.quantity_shares,
            time_in_force=self.time_in_force,
        )


class RequestView(_Model):
    """A request that is on its way to risk; decisions name it as their cause."""

    request_id: str = Field(examples=["my-order-1"])


class HealthView(_Model):
    """Whether the gateway and its servers answer."""

    status: Literal["ready", "starting", "alive"]
    redis: bool | None = None
    postgres: bool | None = None
