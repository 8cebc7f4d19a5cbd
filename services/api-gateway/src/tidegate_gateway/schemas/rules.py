"""What the rule book says of an instrument on a day."""

from pydantic import Field

from tidegate_gateway.schemas.base import Model


class SourceView(Model):
    """Where a rule was read, how sure that is (A to D), and the days it holds."""

    source: str
    confidence: str = Field(examples=["A"])
    effective_from: str | None = Field(examples=["2023-08-28"])
    effective_to: str | None = Field(examples=[None])


class FeeView(Model):
    """A fee: a part of what its basis names; the commission is the broker's."""

    rate: str | None = Field(examples=["0.0005"])
    basis: str = Field(examples=["turnover"])
    side: str = Field(examples=["sell"])
    source: str
    confidence: str | None = Field(examples=["A"])
    effective_from: str | None = Field(examples=["2023-08-28"])
    effective_to: str | None = Field(examples=[None])


class CageView(Model):
    """Between which prices an order is taken in continuous trading, from a reference price."""

    buy_cap: str = Field(examples=["1836.00"])
    sell_floor: str = Field(examples=["1764.00"])
    reference: str = Field(examples=["1800.00"])
    rate_bps: int = Field(examples=[200])
    floor_ticks: int = Field(examples=[10])
    is_dormant: bool


class SessionView(Model):
    """A trading phase of the day, Shanghai time."""

    phase: str = Field(examples=["CONTINUOUS"])
    start: str = Field(examples=["09:30"])
    end: str = Field(examples=["11:30"])
    can_submit: bool
    can_cancel: bool
    can_submit_fixed_price: bool
    matching: str = Field(examples=["continuous"])


class SettlementView(Model):
    """After how many trading days shares can be sold, and money used and withdrawn."""

    resale_days: int = Field(examples=[1])
    cash_use_days: int = Field(examples=[0])
    cash_withdraw_days: int = Field(examples=[1])


class ThresholdsView(Model):
    """From how many messages of an account on programme trading is watched."""

    messages_per_second: int = Field(examples=[300])
    messages_per_day: int = Field(examples=[20000])


class RulesView(Model):
    """The rules of an instrument on a day; null where the rule book has none, never a guess."""

    instrument: str = Field(examples=["600519.SH"])
    date: str = Field(examples=["2023-02-01"])
    prev_close: str | None = Field(description="null when unknown", examples=["1800.00"])
    board: str = Field(examples=["MAIN"])
    status: str = Field(examples=["LISTED"])
    stage: str = Field(examples=["ORDINARY"])
    risk_warning: str = Field(examples=["NO"])
    listed: str | None = Field(description="null when long ago", examples=[None])
    listing_day: int | None = Field(examples=[None])
    limit_state: str = Field(examples=["LIMITED"])
    limit_up: str | None = Field(examples=["1980.00"])
    limit_down: str | None = Field(examples=["1620.00"])
    lot_min: int | None = Field(examples=[100])
    lot_step: int | None = Field(examples=[100])
    max_limit_order: int | None = Field(examples=[1000000])
    max_market_order: int | None = Field(examples=[1000000])
    max_after_hours_order: int | None = Field(examples=[None])
    st_buy_cap: int | None = Field(examples=[None])
    price_tick: str = Field(examples=["0.01"])
    cage_state: str = Field(examples=["LIMITED"])
    cage: CageView | None
    sessions: list[SessionView] | None
    fees: dict[str, FeeView] | None
    settlement: SettlementView | None
    programme_trading: ThresholdsView | None
    assumptions: list[str] = Field(description="what the answer takes for granted")
    sources: dict[str, SourceView | None]
