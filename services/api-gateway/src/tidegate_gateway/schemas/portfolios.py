"""Portfolios and what accounts are worth."""

from pydantic import Field

from tidegate_common.domain.enums import AccountState
from tidegate_common.domain.ids import format_symbol
from tidegate_common.events.portfolio import PortfolioState, PositionState
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


class PortfoliosView(Model):
    """The portfolios of all accounts, sorted by account."""

    source: Source
    items: list[PortfolioView]


class EquityView(Model):
    """An account's worth after a beat."""

    beat: int = Field(examples=[12])
    ts_event_ns: int = Field(examples=[1675215000000000000])
    account_id: str = Field(examples=["A1"])
    cash_cny: str = Field(examples=["639994.82"])
    nav_cny: str = Field(examples=["1000294.82"])
