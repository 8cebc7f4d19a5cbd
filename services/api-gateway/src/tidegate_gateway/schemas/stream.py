"""What the live stream says beside the models of the pages."""

from pydantic import Field

from tidegate_common.domain.enums import OrderReason, OrderStatus, Phase, Side
from tidegate_common.domain.ids import format_symbol
from tidegate_common.events.execution import OrderUpdate
from tidegate_common.events.orders import CancelOrder
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.frames.rows import LEVELS, QuoteRows
from tidegate_gateway.schemas.base import Model, Row
from tidegate_gateway.schemas.texts import money_text, price_text


class OrderUpdateView(Model):
    """What the exchange said about an order."""

    order_id: str = Field(examples=["20230201-a1b2.12.A1.0"])
    beat: int = Field(examples=[14])
    account_id: str = Field(examples=["A1"])
    symbol: str = Field(examples=["600519.SH"])
    side: Side
    status: OrderStatus
    status_reason: OrderReason
    cumulative_shares: int = Field(examples=[200])
    leaves_shares: int = Field(examples=[0])
    ts_event_ns: int = Field(examples=[1675215000000000000])


def order_update_row(update: OrderUpdate) -> Row:
    """Return an `OrderUpdateView`."""
    return {
        "order_id": update.order_id,
        "beat": update.beat,
        "account_id": update.account_id,
        "symbol": format_symbol(update.instrument),
        "side": update.side,
        "status": update.status,
        "status_reason": update.reason,
        "cumulative_shares": update.cumulative_shares,
        "leaves_shares": update.leaves_shares,
        "ts_event_ns": update.ts_event_ns,
    }


class CancelView(Model):
    """A cancel on its way to the exchange."""

    order_id: str = Field(examples=["20230201-a1b2.12.A1.0"])
    beat: int = Field(examples=[13])
    account_id: str = Field(examples=["A1"])
    symbol: str = Field(examples=["600519.SH"])
    ts_event_ns: int = Field(examples=[1675215000000000000])


def cancel_row(cancel: CancelOrder) -> Row:
    """Return a `CancelView`."""
    return {
        "order_id": cancel.order_id,
        "beat": cancel.beat,
        "account_id": cancel.account_id,
        "symbol": format_symbol(cancel.instrument),
        "ts_event_ns": cancel.ts_event_ns,
    }


class LevelView(Model):
    """A level of an order book."""

    price_cny: str = Field(examples=["1799.98"])
    quantity_shares: int = Field(examples=[300])


class StreamedQuoteView(Model):
    """An instrument's newest quote."""

    symbol: str = Field(examples=["600519.SH"])
    run_id: str = Field(examples=["20230201-a1b2"])
    beat: int = Field(examples=[12])
    ts_event_ns: int = Field(examples=[1675215000000000000])
    phase: str = Field(examples=["continuous"])
    last_cny: str | None = Field(description="null before the first trade", examples=["1800.00"])
    volume_shares: int = Field(description="of the day", examples=[120000])
    amount_cny: str = Field(description="of the day", examples=["216000000.00"])
    bids: list[LevelView] = Field(description="best first, at most five")
    asks: list[LevelView] = Field(description="best first, at most five")

    @classmethod
    def of(cls, stamp: BeatStamp, rows: QuoteRows, row: int) -> "StreamedQuoteView":
        """Return the view of one row of a frame."""
        last_e4 = int(rows.last_e4[row])
        return cls(
            symbol=format_symbol(int(rows.instrument[row])),
            run_id=stamp.run_id,
            beat=stamp.beat,
            ts_event_ns=int(rows.ts_event_ns[row]),
            phase=Phase(int(rows.phase[row])).name.lower(),
            last_cny=price_text(last_e4) if last_e4 else None,
            volume_shares=int(rows.volume_shares[row]),
            amount_cny=money_text(int(rows.amount_fen[row])),
            bids=_levels(rows.bid_price_e4[row].tolist(), rows.bid_shares[row].tolist()),
            asks=_levels(rows.ask_price_e4[row].tolist(), rows.ask_shares[row].tolist()),
        )


def _levels(prices_e4: list[int], shares: list[int]) -> list[LevelView]:
    return [
        LevelView(price_cny=price_text(prices_e4[level]), quantity_shares=shares[level])
        for level in range(LEVELS)
        if prices_e4[level]
    ]
