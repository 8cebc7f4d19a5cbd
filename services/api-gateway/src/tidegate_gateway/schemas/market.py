"""Quotes, bars, scores and reference data."""

import asyncpg
from pydantic import Field

from tidegate_common.domain.enums import Board, LimitState, Phase
from tidegate_common.domain.ids import format_symbol
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.frames.rows import LEVELS, BarRows, QuoteRows
from tidegate_gateway.schemas.base import Model
from tidegate_gateway.schemas.texts import millionths_text, money_text, price_text, time_text


class LevelView(Model):
    """A price level of the book; null where there is none."""

    price_cny: str = Field(examples=["1799.98"])
    shares: int = Field(examples=[300])


class QuoteView(Model):
    """The newest quote of an instrument."""

    symbol: str = Field(examples=["600519.SH"])
    ts_event_ns: int = Field(description="exchange time", examples=[1675215003000000000])
    time: str = Field(examples=["2023-02-01T09:30:03+08:00"])
    phase: str = Field(description="trading phase", examples=["continuous"])
    last_cny: str | None = Field(description="null before the first trade", examples=["1800.00"])
    volume_shares: int = Field(description="of the day so far", examples=[120000])
    amount_cny: str = Field(description="of the day so far", examples=["216000000.00"])
    bids: list[LevelView] = Field(description="best first")
    asks: list[LevelView] = Field(description="best first")

    @classmethod
    def of(cls, rows: QuoteRows, row: int) -> "QuoteView":
        """Return the view of a row."""
        last_e4, ts_event_ns = int(rows.last_e4[row]), int(rows.ts_event_ns[row])
        return cls(
            symbol=format_symbol(int(rows.instrument[row])),
            ts_event_ns=ts_event_ns,
            time=time_text(ts_event_ns),
            phase=Phase(rows.phase[row]).name.lower(),
            last_cny=price_text(last_e4) if last_e4 else None,
            volume_shares=int(rows.volume_shares[row]),
            amount_cny=money_text(int(rows.amount_fen[row])),
            bids=_levels(rows.bid_price_e4[row].tolist(), rows.bid_shares[row].tolist()),
            asks=_levels(rows.ask_price_e4[row].tolist(), rows.ask_shares[row].tolist()),
        )


class QuotesView(Model):
    """Newest quotes, by instrument, and as of when no newer ones are known.

    beat, ts_event_ns, time : of the last beat that all of it has; null before there are quotes.
    next : pass it as `after`; null on the last page.
    """

    run_id: str | None = Field(examples=["20230201-a1b2"])
    beat: int | None = Field(examples=[12])
    ts_event_ns: int | None = Field(examples=[1675215003000000000])
    time: str | None = Field(examples=["2023-02-01T09:30:03+08:00"])
    items: list[QuoteView]
    next: str | None = Field(examples=["600519.SH"])


class BarView(Model):
    """A bar."""

    symbol: str = Field(examples=["600519.SH"])
    period_seconds: int | None = Field(description="null out of a frame", examples=[60])
    ts_end_ns: int = Field(description="end of the period", examples=[1675215060000000000])
    end_time: str = Field(examples=["2023-02-01T09:31:00+08:00"])
    trade_date: int = Field(examples=[20230201])
    beat: int = Field(description="in which it was complete", examples=[20])
    open_cny: str = Field(examples=["1800.00"])
    high_cny: str = Field(examples=["1801.00"])
    low_cny: str = Field(examples=["1799.50"])
    close_cny: str = Field(examples=["1800.50"])
    volume_shares: int = Field(examples=[12000])
    amount_cny: str = Field(examples=["21600000.00"])

    @classmethod
    def of(cls, row: asyncpg.Record) -> "BarView":
        """Return the view of a row of bars."""
        return cls(
            symbol=format_symbol(row["instrument"]),
            period_seconds=row["period_seconds"],
            ts_end_ns=row["ts_end_ns"],
            end_time=time_text(row["ts_end_ns"]),
            trade_date=row["trade_date"],
            beat=row["beat"],
            open_cny=price_text(row["open_e4"]),
            high_cny=price_text(row["high_e4"]),
            low_cny=price_text(row["low_e4"]),
            close_cny=price_text(row["close_e4"]),
            volume_shares=row["volume_shares"],
            amount_cny=money_text(row["amount_fen"]),
        )

    @classmethod
    def of_frame(cls, rows: BarRows, row: int, stamp: BeatStamp) -> "BarView":
        """Return the view of a row of a frame, which does not say its period."""
        return cls(
            symbol=format_symbol(int(rows.instrument[row])),
            period_seconds=None,
            ts_end_ns=stamp.ts_event_ns,
            end_time=time_text(stamp.ts_event_ns),
            trade_date=stamp.trade_date,
            beat=stamp.beat,
            open_cny=price_text(int(rows.open_e4[row])),
            high_cny=price_text(int(rows.high_e4[row])),
            low_cny=price_text(int(rows.low_e4[row])),
            close_cny=price_text(int(rows.close_e4[row])),
            volume_shares=int(rows.volume_shares[row]),
            amount_cny=money_text(int(rows.amount_fen[row])),
        )


class ScoreView(Model):
    """What a strategy said of an instrument, from a beat on until it said something else."""

    strategy: str = Field(examples=["ma_cross"])
    symbol: str = Field(examples=["600519.SH"])
    beat: int = Field(examples=[12])
    ts_event_ns: int = Field(examples=[1675215003000000000])
    trade_date: int = Field(examples=[20230201])
    score: str = Field(description="-1 to 1, positive to buy", examples=["0.400000"])
    is_raw: bool = Field(
        description="whether it is a number that becomes a rank among all instruments",
    )

    @classmethod
    def of(cls, row: asyncpg.Record) -> "ScoreView":
        """Return the view of a row of scores."""
        return cls(
            strategy=row["strategy"],
            symbol=format_symbol(row["instrument"]),
            beat=row["beat"],
            ts_event_ns=row["ts_event_ns"],
            trade_date=row["trade_date"],
            score=millionths_text(row["score_e6"]),
            is_raw=row["is_ranked"],
        )


class LatestScoresView(Model):
    """A strategy's last scores, by instrument.

    next : pass it as `after`; null on the last page.
    """

    run_id: str = Field(examples=["20230201-a1b2"])
    items: list[ScoreView]
    next: str | None = Field(examples=["600519.SH"])


class InstrumentView(Model):
    """What the run knew of an instrument when a day began."""

    symbol: str = Field(examples=["600519.SH"])
    trade_date: int = Field(examples=[20230201])
    beat: int = Field(description="OPEN of the day", examples=[0])
    board: str = Field(examples=["main"])
    sector: str | None = Field(description="null when unknown", examples=["food"])
    is_st: bool
    is_suspended: bool
    prev_close_cny: str | None = Field(
        description="ex-rights reference price; null when unknown",
        examples=["1790.00"],
    )
    limit_state: str = Field(examples=["limited"])
    limit_up_cny: str | None = Field(examples=["1969.00"])
    limit_down_cny: str | None = Field(examples=["1611.00"])

    @classmethod
    def of(cls, row: asyncpg.Record) -> "InstrumentView":
        """Return the view of a row of instruments."""
        is_limited = row["limit_state"] == LimitState.LIMITED
        return cls(
            symbol=row["symbol"],
            trade_date=row["trade_date"],
            beat=row["beat"],
            board=Board(row["board"]).name.lower(),
            sector=row["sector"] or None,
            is_st=row["is_st"],
            is_suspended=row["is_suspended"],
            prev_close_cny=price_text(row["prev_close_e4"]) if row["prev_close_e4"] else None,
            limit_state=LimitState(row["limit_state"]).name.lower(),
            limit_up_cny=price_text(row["limit_up_e4"]) if is_limited else None,
            limit_down_cny=price_text(row["limit_down_e4"]) if is_limited else None,
        )


def _levels(prices_e4: list[int], shares: list[int]) -> list[LevelView]:
    return [
        LevelView(price_cny=price_text(prices_e4[level]), shares=shares[level])
        for level in range(LEVELS)
        if prices_e4[level]
    ]
