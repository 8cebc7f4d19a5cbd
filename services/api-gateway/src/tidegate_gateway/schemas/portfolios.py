"""Portfolios and what accounts are worth."""

from decimal import Decimal
from enum import StrEnum

import asyncpg
from pydantic import Field

from tidegate_common.domain.enums import AccountState, BookingKind, Layer, Side
from tidegate_common.domain.ids import format_symbol
from tidegate_common.events.portfolio import Booking, LimitUsage, OpenOrderState, PositionState
from tidegate_common.store.redis import CachedPortfolio
from tidegate_gateway.schemas.base import Model, Source
from tidegate_gateway.schemas.texts import money_text, price_text


class PositionView(Model):
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


class LimitUsageView(Model):
    """How much of a limit is used; open buys count as if filled at their worst price."""

    layer: Layer
    observed_bps: int = Field(examples=[1250])
    limit_bps: int = Field(examples=[2000])
    used_percent: str | None = Field(
        description="of the limit; null of a limit of 0",
        examples=["62.50"],
    )

    @classmethod
    def of(cls, usage: LimitUsage) -> "LimitUsageView":
        """Return the view of a limit's use."""
        observed, limit = usage.observed_bps, usage.limit_bps
        percent = f"{Decimal(100 * observed) / limit:.2f}" if limit else None
        return cls(
            layer=usage.layer,
            observed_bps=observed,
            limit_bps=limit,
            used_percent=percent,
        )


class OpenOrderView(Model):
    """An order that may still trade."""

    order_id: str = Field(examples=["20230201-a1b2.12.A1.0"])
    beat: int = Field(examples=[12])
    symbol: str = Field(examples=["600519.SH"])
    side: Side
    bound_price_cny: str = Field(description="worst price it can trade at", examples=["1800.00"])
    quantity_shares: int = Field(examples=[200])
    filled_shares: int = Field(examples=[100])
    strategy: str | None = Field(description="null where a request made it", examples=["ma_cross"])
    cancel_beat: int | None = Field(description="of the last cancel sent for it", examples=[None])

    @classmethod
    def of(cls, order: OpenOrderState) -> "OpenOrderView":
        """Return the view of an open order."""
        return cls(
            order_id=order.order_id,
            beat=order.beat,
            symbol=format_symbol(order.instrument),
            side=order.side,
            bound_price_cny=price_text(order.bound_price_e4),
            quantity_shares=order.quantity_shares,
            filled_shares=order.filled_shares,
            strategy=order.strategy or None,
            cancel_beat=order.cancel_beat if order.cancel_beat >= 0 else None,
        )


class PortfolioView(Model):
    """An account's books after a beat, and where they were read."""

    source: Source = Field(description="redis: now; postgres: as last recorded")
    run_id: str = Field(examples=["20230201-a1b2"])
    beat: int = Field(examples=[4801])
    account_id: str = Field(examples=["A1"])
    trade_date: int = Field(examples=[20230201])
    state: AccountState
    cash_cny: str = Field(examples=["639994.82"])
    frozen_cny: str = Field(description="held for open buy orders", examples=["0.00"])
    receivable_cny: str = Field(
        description="dividends between ex-date and pay date, part of the NAV",
        examples=["0.00"],
    )
    nav_cny: str = Field(examples=["1000294.82"])
    opening_nav_cny: str = Field(examples=["1000000.00"])
    high_water_cny: str = Field(examples=["1000500.00"])
    day_pnl_cny: str = Field(examples=["294.82"])
    realised_pnl_cny: str = Field(description="of all sells, before fees", examples=["0.00"])
    fees_cny: str = Field(examples=["5.18"])
    positions: list[PositionView]
    limits: list[LimitUsageView] = Field(description="of every layer with a limit in bps")
    open_order_count: int = Field(examples=[1])
    open_orders: list[OpenOrderView] | None = Field(
        description="null as last recorded: see /v1/orders with open=true",
    )

    @classmethod
    def of(cls, cached: CachedPortfolio, source: Source) -> "PortfolioView":
        """Return the view of an account's books."""
        portfolio = cached.portfolio
        is_now = source == "redis"
        return cls(
            source=source,
            run_id=cached.run_id,
            beat=cached.beat,
            account_id=portfolio.account_id,
            trade_date=portfolio.trade_date,
            state=portfolio.state,
            cash_cny=money_text(portfolio.cash_fen),
            frozen_cny=money_text(portfolio.frozen_fen),
            receivable_cny=money_text(portfolio.receivable_fen or 0),
            nav_cny=money_text(portfolio.nav_fen),
            opening_nav_cny=money_text(portfolio.opening_nav_fen),
            high_water_cny=money_text(portfolio.high_water_fen),
            day_pnl_cny=money_text(portfolio.day_pnl_fen),
            realised_pnl_cny=money_text(portfolio.realised_pnl_fen),
            fees_cny=money_text(portfolio.fees_fen),
            positions=[PositionView.of(position) for position in portfolio.positions],
            limits=[LimitUsageView.of(usage) for usage in portfolio.usage],
            open_order_count=portfolio.open_order_count,
            open_orders=[OpenOrderView.of(one) for one in cached.open_orders] if is_now else None,
        )


class PortfoliosView(Model):
    """Portfolios by account.

    next : pass it as `after`; null on the last page.
    """

    source: Source
    items: list[PortfolioView]
    next: str | None = Field(examples=["A1"])


class BookingView(Model):
    """What changed an account's books and is no trade: corporate actions and dividends' tax."""

    account_id: str = Field(examples=["A1"])
    beat: int = Field(examples=[0])
    sequence: int = Field(description="within the account and beat", examples=[0])
    trade_date: int = Field(examples=[20230201])
    ts_event_ns: int = Field(examples=[1675215000000000000])
    kind: BookingKind
    symbol: str = Field(examples=["600519.SH"])
    cash_cny: str = Field(description="a claim, a payment or, negative, a tax", examples=["50.00"])
    quantity_shares: int = Field(description="new ones, or rights that lapsed", examples=[0])
    held_shares: int = Field(description="on which an action gave them", examples=[200])
    effective_date: int | None = Field(
        description="when a claim is paid or new shares may be sold; null of all else",
        examples=[20230208],
    )

    @classmethod
    def of(cls, booking: Booking) -> "BookingView":
        """Return the view of a booking."""
        return cls(
            account_id=booking.account_id,
            beat=booking.beat,
            sequence=booking.sequence,
            trade_date=booking.trade_date,
            ts_event_ns=booking.ts_event_ns,
            kind=booking.kind,
            symbol=format_symbol(booking.instrument),
            cash_cny=money_text(booking.cash_fen),
            quantity_shares=booking.quantity_shares,
            held_shares=booking.held_shares,
            effective_date=booking.effective_date or None,
        )


class EquityInterval(StrEnum):
    """At which beats an account's worth is told."""

    BEAT = "beat"
    MINUTE = "minute"
    DAY = "day"


class EquityView(Model):
    """An account's worth after a beat, or after the last one of a minute or of a day."""

    beat: int = Field(examples=[12])
    ts_event_ns: int | None = Field(
        description="of the beat, of the minute's begin; null of a day",
        examples=[1675215000000000000],
    )
    trade_date: int = Field(examples=[20230201])
    account_id: str = Field(examples=["A1"])
    cash_cny: str = Field(examples=["639994.82"])
    nav_cny: str = Field(examples=["1000294.82"])

    @classmethod
    def of(cls, row: asyncpg.Record) -> "EquityView":
        """Return the view of a row of one of the tables of equity."""
        return cls(
            beat=row["beat"],
            ts_event_ns=row["ts_event_ns"],
            trade_date=row["trade_date"],
            account_id=row["account_id"],
            cash_cny=money_text(row["cash_fen"]),
            nav_cny=money_text(row["nav_fen"]),
        )
