"""Bars of recorded days: nothing lost, and a vendor's own minutes met to the share."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tidegate_common.domain.enums import BeatKind, Phase
from tidegate_common.domain.ids import RunId
from tidegate_common.domain.units import Int64Array
from tidegate_common.events.run import FeedSpec, RunSpec
from tidegate_common.frames.rows import LEVELS, BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.sessions import NS_PER_SECOND, shanghai_ns
from tidegate_ingest.adapters.feed import describe_files, open_feed
from tidegate_signals.engine.bars import BarBuilder, CompletedBars

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
WHOLE_DAYS = [
    "l2/sse_600519_snapshot_20230201.parquet",
    "l2/sse_600519_snapshot_20230202.parquet",
    "l2/szse_000333_snapshot_20230201.parquet",
    "l2/szse_000333_snapshot_20230202.parquet",
    "l2/szse_snapshot_20220601.parquet",
]
COLUMNS = ["open_e4", "high_e4", "low_e4", "close_e4", "volume_shares", "amount_fen"]
MINUTE_NS = 60 * NS_PER_SECOND
LENGTHS = {"1m": 1, "5m": 5, "15m": 15}

pytestmark = pytest.mark.data


def table_of(completed: list[CompletedBars], instruments: Int64Array) -> pd.DataFrame:
    """Return completed bars, one row a bar."""
    counts = [len(part.rows) for part in completed]
    table = pd.DataFrame(
        {name: np.concatenate([getattr(part, name) for part in completed]) for name in COLUMNS},
    )
    return table.assign(
        period=np.repeat([str(part.period) for part in completed], counts),
        end_ns=np.repeat([part.ts_end_ns for part in completed], counts),
        instrument=instruments[np.concatenate([part.rows for part in completed])],
    )


@cache
def tell_file(name: str) -> tuple[pd.DataFrame, pd.DataFrame, BarRows]:
    """Return a recorded day's bars, its quotes, and the bars of the whole day."""
    spec = FeedSpec(files=describe_files([DATA / name]))
    builder = BarBuilder()
    completed: list[CompletedBars] = []
    quotes: list[pd.DataFrame] = []
    instruments: Int64Array = np.zeros(0, np.int64)
    for frame in open_feed(RunSpec(RunId("real"), (), (), feed=spec)).frames():
        match frame.rows:
            case ReferenceRows() as reference:
                instruments = reference.instrument
                builder.grow(len(reference))
                builder.begin_day()
            case QuoteRows() as rows:
                positions = np.searchsorted(instruments, rows.instrument)
                completed += builder.take_quotes(frame.stamp.ts_event_ns, positions, rows)
                names = ["instrument", "ts_event_ns", "last_e4"]
                quotes.append(pd.DataFrame({column: getattr(rows, column) for column in names}))
            case BarRows() as day:
                assert frame.stamp.kind is BeatKind.CLOSE
                completed += builder.close_day()
    return table_of(completed, instruments), pd.concat(quotes), day


@pytest.mark.parametrize("name", WHOLE_DAYS)
def test_bars_of_a_recorded_day_add_up_to_its_totals(name: str) -> None:
    """Volume and amount to the share and the fen, of every period; prices within the day's."""
    bars, _, day = tell_file(name)

    assert set(bars["period"]) == set(LENGTHS)
    for place, instrument in enumerate(day.instrument):
        mine = bars[bars["instrument"] == instrument]
        totals = mine.groupby("period")[["volume_shares", "amount_fen"]].sum()
        expected = [day.volume_shares[place], day.amount_fen[place]]
        assert totals.to_numpy().tolist() == [expected] * 3
        assert mine["high_e4"].max() <= day.high_e4[place]
        assert mine["low_e4"].min() >= day.low_e4[place]
        by_period = mine.groupby("period")
        assert set(by_period["open_e4"].first()) == {day.open_e4[place]}
        assert set(by_period["close_e4"].last()) == {day.close_e4[place]}


@pytest.mark.parametrize("name", WHOLE_DAYS)
def test_bars_of_a_recorded_day_close_with_the_last_quote_before_their_end(name: str) -> None:
    """A price is the last one that the exchange said by then, also in longer bars."""
    bars, quotes, _ = tell_file(name)
    midnight_ns = bars["end_ns"].max() - 15 * 60 * MINUTE_NS
    # What is said after 15:00 belongs to the last bar.
    quotes = quotes.assign(
        said_ns=quotes["ts_event_ns"].clip(upper=midnight_ns + 15 * 60 * MINUTE_NS),
    )

    said = pd.merge_asof(
        bars.sort_values("end_ns"),
        quotes.sort_values("said_ns", kind="stable"),
        left_on="end_ns",
        right_on="said_ns",
        by="instrument",
    )

    # A liquid share trades in nearly every minute: all but the closing call's two, of 240.
    assert len(said) > 250 * said["instrument"].nunique()
    assert said["close_e4"].tolist() == said["last_e4"].tolist()


@pytest.mark.parametrize("symbol", ["SZ000001", "SZ000004"])
def test_bars_of_trade_prints_are_the_vendors_minutes(symbol: str) -> None:
    """Another program's minutes of the same day: the calls and lunch lie where it puts them."""
    prints = read_hikyuu("hikyuu_trades_201902.parquet", symbol)
    minutes = read_hikyuu("hikyuu_1min_price_201812_201902.parquet", symbol)
    ts_ns = times_ns(prints["datetime"].to_numpy(np.int64))
    volume = 100 * prints["vol"].to_numpy(np.int64)
    price = 10 * prints["price"].to_numpy(np.int64)
    builder = BarBuilder()
    builder.grow(1)
    completed: list[CompletedBars] = []

    quotes = zip(ts_ns, price, np.cumsum(volume), np.cumsum(volume * price // 100), strict=True)
    for quote in quotes:
        completed += builder.take_quotes(int(quote[0]), slice(None), one_quote(*quote))
    completed += builder.close_day()

    bars = table_of(completed, np.zeros(1, np.int64))
    bars = bars[bars["period"] == "1m"].set_index("end_ns")
    # The vendor's minutes are stamped by their start, and have rows without a trade.
    ends = times_ns(100 * minutes["datetime"].to_numpy(np.int64)) + MINUTE_NS
    vendor = minutes.assign(end_ns=ends).set_index("end_ns").astype({"price": int, "vol": int})
    vendor = vendor[vendor["vol"] > 0]
    assert bars.index.tolist() == vendor.index.tolist()
    assert bars["volume_shares"].tolist() == (100 * vendor["vol"]).tolist()
    assert bars["close_e4"].tolist() == (10 * vendor["price"]).tolist()


def test_longer_bars_of_recorded_minutes_are_those_of_pandas() -> None:
    """Fifteen days of 240 minutes; the one of the closing call without a trade makes no bar."""
    table = pd.read_csv(DATA / "minute" / "000001_1min_201801.csv.gz")
    for name in COLUMNS[:4]:
        table[name] = np.rint(table[name.removesuffix("_e4")] * 10_000).astype(np.int64)
    table["volume_shares"] = table["volume"]
    table["amount_fen"] = np.rint(table["turnover"] * 100).astype(np.int64)
    dates = table["tradingDay"].to_numpy(np.int64)
    table["end_ns"] = times_ns(dates * 1_000_000 + table["time"].to_numpy(np.int64) // 1_000)
    builder = BarBuilder()
    builder.grow(1)
    completed: list[CompletedBars] = []

    for _, day in table.groupby("tradingDay"):
        builder.begin_day()
        for end_ns, *figures in day[["end_ns", *COLUMNS]].to_numpy(np.int64).tolist():
            columns = np.array([[2_000_001], *([figure] for figure in figures)], np.int64)
            completed += builder.take_bars(end_ns, slice(None), BarRows(*columns))
        completed += builder.close_day()

    bars = table_of(completed, np.array([2_000_001], np.int64))
    traded = table[table["volume_shares"] > 0]
    assert len(table) - len(traded) == table["tradingDay"].nunique() == 15
    for period, length in LENGTHS.items():
        expected = longer_by_pandas(traded, length)
        mine = bars[bars["period"] == period].set_index("end_ns")
        assert len(mine) == len(expected)
        for name in COLUMNS:
            assert mine[name].to_dict() == expected[name].to_dict()


def longer_by_pandas(minutes: pd.DataFrame, length: int) -> pd.DataFrame:
    """Return minutes made longer, by their end."""
    length_ns = length * MINUTE_NS
    ends = -(-minutes["end_ns"] // length_ns) * length_ns
    return minutes.groupby(ends).agg(
        open_e4=("open_e4", "first"),
        high_e4=("high_e4", "max"),
        low_e4=("low_e4", "min"),
        close_e4=("close_e4", "last"),
        volume_shares=("volume_shares", "sum"),
        amount_fen=("amount_fen", "sum"),
    )


def read_hikyuu(name: str, symbol: str) -> pd.DataFrame:
    """Return a share's rows of 2019-02-01; prices are CNY x 1000, volumes lots of 100."""
    table = pd.read_parquet(DATA / "minute" / name, filters=[("symbol", "==", symbol)])
    return table.loc[table["datetime"].astype(str).str.startswith("20190201")]


def times_ns(written: Int64Array) -> Int64Array:
    """Return the epoch times of Shanghai's times, written YYYYMMDDhhmmss."""
    dates, clock = written // 1_000_000, written % 1_000_000
    seconds = clock // 10_000 * 3_600 + clock // 100 % 100 * 60 + clock % 100
    midnight_ns = {date: shanghai_ns(date, 0) for date in np.unique(dates).tolist()}
    starts = np.array([midnight_ns[date] for date in dates.tolist()], np.int64)
    return starts + seconds * NS_PER_SECOND


def one_quote(ts_event_ns: int, last_e4: int, volume_shares: int, amount_fen: int) -> QuoteRows:
    """Return the quote of one share without a book."""
    figures = np.array([ts_event_ns, last_e4, volume_shares, amount_fen], np.int64).reshape(4, 1)
    ts, last, volume, amount = figures
    levels = np.zeros((1, LEVELS), np.int64)
    phase = np.full(1, Phase.CONTINUOUS, np.uint8)
    instrument = np.zeros(1, np.int64)
    return QuoteRows(instrument, ts, phase, last, volume, amount, levels, levels, levels, levels)
