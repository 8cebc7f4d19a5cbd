"""Decisions, orders and fills: what the document says of them, and the rows that are said.

Rows are plain and become JSON as they are: nothing needs to be checked that was just made, and
pages have many. A test holds rows and models together.
"""

from pydantic import Field

from tidegate_common.domain.enums import (
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
from tidegate_common.domain.ids import format_symbol
from tidegate_common.events.execution import Fill
from tidegate_common.events.orders import SubmitOrder
from tidegate_common.events.risk import Decision
from tidegate_gateway.schemas.base import Model, Row
from tidegate_gateway.schemas.texts import money_text, price_text


class OrderView(Model):
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


def order_row(
    order: SubmitOrder,
    *,
    status: str,
    status_reason: str,
    status_beat: int,
    cumulative_shares: int,
    leaves_shares: int,
) -> Row:
    """Return an `OrderView`."""
    return {
        "order_id": order.order_id,
        "decision_id": order.decision_id,
        "beat": order.beat,
        "account_id": order.account_id,
        "symbol": format_symbol(order.instrument),
        "side": order.side,
        "order_type": order.order_type,
        "time_in_force": order.time_in_force,
        "price_cny": None if order.order_type.is_market else price_text(order.price_e4),
        "quantity_shares": order.quantity_shares,
        "status": status,
        "status_reason": status_reason,
        "status_beat": status_beat,
        "cumulative_shares": cumulative_shares,
        "leaves_shares": leaves_shares,
        "ts_event_ns": order.ts_event_ns,
    }


class FillView(Model):
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


def fill_row(fill: Fill) -> Row:
    """Return a `FillView`."""
    return {
        "fill_id": fill.fill_id,
        "order_id": fill.order_id,
        "decision_id": fill.decision_id,
        "beat": fill.beat,
        "account_id": fill.account_id,
        "symbol": format_symbol(fill.instrument),
        "side": fill.side,
        "price_cny": price_text(fill.price_e4),
        "quantity_shares": fill.quantity_shares,
        "amount_cny": money_text(fill.amount_fen),
        "commission_cny": money_text(fill.commission_fen),
        "stamp_duty_cny": money_text(fill.stamp_duty_fen),
        "transfer_fee_cny": money_text(fill.transfer_fee_fen),
        "handling_fee_cny": money_text(fill.handling_fee_fen),
        "regulatory_fee_cny": money_text(fill.regulatory_fee_fen),
        "source": fill.source,
        "liquidity": fill.liquidity,
        "ts_event_ns": fill.ts_event_ns,
    }


class DecisionView(Model):
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


def decision_row(decision: Decision) -> Row:
    """Return a `DecisionView`."""
    return {
        "decision_id": decision.decision_id,
        "order_id": decision.order_id or None,
        "beat": decision.beat,
        "account_id": decision.account_id,
        "symbol": format_symbol(decision.instrument),
        "side": decision.side,
        "order_type": decision.order_type,
        "price_cny": None if decision.order_type.is_market else price_text(decision.price_e4),
        "quantity_shares": decision.quantity_shares,
        "outcome": decision.outcome,
        "layer": decision.layer,
        "reason": decision.reason,
        "observed": decision.observed,
        "limit": decision.limit,
        "unit": decision.unit,
        "nav_cny": money_text(decision.nav_fen),
        "cause_kind": decision.cause_kind,
        "cause": decision.cause,
        "score_e6": decision.score_e6,
        "score_beat": decision.score_beat,
        "ts_event_ns": decision.ts_event_ns,
    }
