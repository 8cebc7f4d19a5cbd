"""Builders of raw rows, one fixture each: good rows by default, faults by argument."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tidegate_common.domain.enums import Exchange
from tidegate_common.domain.units import Float64Array
from tidegate_common.market.sessions import NS_PER_SECOND, shanghai_ns
from tidegate_ingest.engine.columns import RawBars, RawMinuteBars, RawSnapshots, TextColumn

TRADE_DATE = 20230201
BAR_FIGURES = ("turn", "pe_ttm", "pb_mrq", "ps_ttm", "pcf_ttm")
NINE_THIRTY_SECONDS = 34_200

MakeSnapshots = Callable[..., RawSnapshots]
MakeBars = Callable[..., RawBars]
MakeMinutes = Callable[..., RawMinuteBars]


def _texts(words: Sequence[str]) -> TextColumn:
    vocabulary = tuple(dict.fromkeys(words))
    return TextColumn(vocabulary, np.array([vocabulary.index(word) for word in words], np.int64))


def _spread(value: object, count: int) -> Float64Array:
    return np.array(np.broadcast_to(np.asarray(value, dtype=np.float64), (count,)))


def _levels(value: object, count: int) -> Float64Array:
    first = np.broadcast_to(np.asarray(value, dtype=np.float64), (count,))
    return np.column_stack((first, np.zeros((count, 4))))


@pytest.fixture
def make_snapshots() -> MakeSnapshots:
    """Return a builder of snapshot rows, 3 seconds apart from 09:30 on, 100 shares a row."""

    def build(
        codes: Sequence[str] = ("600519",),
        *,
        seconds: Sequence[float] | None = None,
        trade_date: int = TRADE_DATE,
        phases: Sequence[str] | str = "TRADE",
        exchange: Exchange | None = Exchange.SH,
        **numbers: object,
    ) -> RawSnapshots:
        count = len(codes)
        offsets = [3.0 * row for row in range(count)] if seconds is None else seconds
        start_ns = shanghai_ns(trade_date, NINE_THIRTY_SECONDS)
        volume = _spread(numbers.get("volume", 100.0 * np.arange(1, count + 1)), count)
        last = _spread(numbers.get("last", 10.0), count)
        return RawSnapshots(
            exchange=exchange,
            code=_texts(codes),
            phase=_texts([phases] * count if isinstance(phases, str) else phases),
            ts_event_ns=np.array(
                [start_ns + int(item * NS_PER_SECOND) for item in offsets], np.int64
            ),
            prev_close=_spread(numbers.get("prev_close", 10.0), count),
            open=_spread(numbers.get("open", last), count),
            high=_spread(numbers.get("high", last), count),
            low=_spread(numbers.get("low", last), count),
            last=last,
            volume=volume,
            amount=_spread(numbers.get("amount", volume * 10.0), count),
            limit_up=_spread(numbers.get("limit_up", 0.0), count),
            limit_down=_spread(numbers.get("limit_down", 0.0), count),
            bid_price=_levels(numbers.get("bid", last), count),
            bid_shares=_levels(numbers.get("bid_shares", 300.0), count),
            ask_price=_levels(numbers.get("ask", last + 0.01), count),
            ask_shares=_levels(numbers.get("ask_shares", 200.0), count),
        )

    return build


@pytest.fixture
def make_minutes() -> MakeMinutes:
    """Return a builder of bars: 10.00 all the time, 1,000 shares, 10,000 CNY, ends at 09:31."""

    def build(
        codes: Sequence[str] = ("600519",),
        *,
        minutes: Sequence[int] | int = 1,
        trade_date: int = TRADE_DATE,
        **numbers: object,
    ) -> RawMinuteBars:
        count = len(codes)
        start_ns = shanghai_ns(trade_date, NINE_THIRTY_SECONDS)
        after = np.broadcast_to(np.asarray(minutes, dtype=np.int64), (count,))
        return RawMinuteBars(
            code=_texts(codes),
            ts_end_ns=start_ns + after * 60 * NS_PER_SECOND,
            open=_spread(numbers.get("open", 10.0), count),
            high=_spread(numbers.get("high", 10.0), count),
            low=_spread(numbers.get("low", 10.0), count),
            close=_spread(numbers.get("close", 10.0), count),
            volume=_spread(numbers.get("volume", 1_000.0), count),
            amount=_spread(numbers.get("amount", 10_000.0), count),
        )

    return build


@pytest.fixture
def make_bars() -> MakeBars:
    """Return a builder of daily bars: 10.00 all day, 1,000 shares, 10,000 CNY."""

    def build(
        codes: Sequence[str] = ("sh.600519",),
        *,
        dates: Sequence[str] | str = "2023-02-01",
        is_st: bool = False,
        suspended: Sequence[bool] | bool = False,
        **numbers: object,
    ) -> RawBars:
        count = len(codes)
        return RawBars(
            code=_texts(codes),
            date=_texts([dates] * count if isinstance(dates, str) else dates),
            prev_close=_spread(numbers.get("prev_close", 10.0), count),
            open=_spread(numbers.get("open", 10.0), count),
            high=_spread(numbers.get("high", 10.0), count),
            low=_spread(numbers.get("low", 10.0), count),
            close=_spread(numbers.get("close", 10.0), count),
            volume=_spread(numbers.get("volume", 1_000.0), count),
            amount=_spread(numbers.get("amount", 10_000.0), count),
            is_st=np.full(count, is_st),
            is_suspended=np.array(np.broadcast_to(suspended, (count,))),
            **{name: _spread(numbers.get(name, np.nan), count) for name in BAR_FIGURES},
            volume_shares_per_unit=1,
            amount_fen_per_unit=100,
        )

    return build
