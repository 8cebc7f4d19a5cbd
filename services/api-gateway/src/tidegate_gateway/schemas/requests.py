"""What people and programs ask of risk."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

from tidegate_common.domain.enums import (
    AccountState,
    ControlCommand,
    OrderType,
    Outcome,
    Reason,
    Side,
    TimeInForce,
)
from tidegate_common.domain.ids import AccountId, RequestId, parse_symbol
from tidegate_common.domain.units import PRICE_SCALE
from tidegate_common.events.orders import OrderRequest
from tidegate_common.events.risk import ControlOutcome
from tidegate_common.events.run import RISK_LIMIT_RANGES, RiskLimits
from tidegate_gateway.schemas.base import Model
from tidegate_gateway.schemas.orders import DecisionView
from tidegate_gateway.schemas.texts import AccountText, SymbolText

# More than any price or quantity of the market, less than 64 bits when they are multiplied.
PRICE_CNY_MAX = Decimal(1_000_000)
QUANTITY_SHARES_MAX = 100_000_000


class OrderBody(Model):
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


class RequestView(Model):
    """A request that is on its way to risk; decisions name it as their cause."""

    request_id: str = Field(examples=["my-order-1"])


def _range(name: str) -> FieldInfo:
    """Return what a limit's value must be between."""
    least, greatest = RISK_LIMIT_RANGES[name]
    return FieldInfo(annotation=int, ge=least, le=greatest)


class LimitsBody(Model):
    """All limits of an account; they replace those that it has."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "position_bps_max": 2000,
                    "daily_loss_bps_max": 300,
                    "drawdown_bps_max": 1000,
                    "sector_bps_max": 4000,
                    "leverage_bps_max": 10000,
                    "stale_beats_max": 100,
                    "adv_bps_max": 0,
                },
            ],
        },
    )

    position_bps_max: Annotated[int, _range("position_bps_max")] = Field(
        description="value of one position / NAV, bps",
    )
    daily_loss_bps_max: Annotated[int, _range("daily_loss_bps_max")] = Field(
        description="loss since the day's opening NAV / that NAV, bps",
    )
    drawdown_bps_max: Annotated[int, _range("drawdown_bps_max")] = Field(
        description="fall from the high-water mark / that mark, bps",
    )
    sector_bps_max: Annotated[int, _range("sector_bps_max")] = Field(
        description="value of one sector / NAV, bps",
    )
    leverage_bps_max: Annotated[int, _range("leverage_bps_max")] = Field(
        description="gross exposure / NAV, bps",
    )
    stale_beats_max: Annotated[int, _range("stale_beats_max")] = Field(
        description="age of a mark that still counts, beats",
    )
    adv_bps_max: Annotated[int, _range("adv_bps_max")] = Field(
        description="shares / average daily volume, bps; 0 for no such limit",
    )

    def limits(self) -> RiskLimits:
        """Return them as risk has them."""
        return RiskLimits(**self.model_dump())


class KillSwitchBody(Model):
    """What an account, or every account, may do from now on, to the end of the run."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"command": "halt", "account_id": "A1"}]},
    )

    command: Literal["halt", "reduce", "resume"] = Field(
        description="halt: nothing, open orders are cancelled; reduce: sells only; resume",
    )
    account_id: AccountText | None = Field(description="null for all accounts")


class TakenView(Model):
    """A request as the gateway answered it."""

    ts_ns: int = Field(description="when, UTC epoch", examples=[1675215000000000000])
    caller: str = Field(examples=["desk-1"])
    method: str = Field(examples=["POST"])
    path: str = Field(examples=["/v1/orders"])
    status: int = Field(description="of the answer", examples=[202])


class CancelSentView(Model):
    """A cancel on its way to the exchange; the order's state says what came of it."""

    order_id: str = Field(examples=["20230201-a1b2.12.A1.0"])
    beat: int = Field(examples=[14])


class ControlView(Model):
    """What a control command did to an account."""

    account_id: str = Field(examples=["A1"])
    beat: int = Field(examples=[12])
    command: ControlCommand
    outcome: Outcome
    reason: Reason
    state_before: AccountState
    state_after: AccountState

    @classmethod
    def of(cls, told: ControlOutcome) -> "ControlView":
        """Return the view of an outcome."""
        return cls(
            account_id=told.account_id,
            beat=told.beat,
            command=told.command,
            outcome=told.outcome,
            reason=told.reason,
            state_before=told.state_before,
            state_after=told.state_after,
        )


class RequestStatusView(Model):
    """What became of a request, as far as it is recorded.

    state : `taken` is under way; `answered` by risk, as the lists say; `refused` by the gateway.
    """

    request_id: str = Field(examples=["my-order-1"])
    run_id: str | None = Field(examples=["20230201-a1b2"])
    state: Literal["taken", "answered", "refused"]
    taken: list[TakenView] = Field(description="each time that it came, oldest first")
    decisions: list[DecisionView]
    controls: list[ControlView]
    cancels: list[CancelSentView]
