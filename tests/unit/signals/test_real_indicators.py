"""Every indicator on recorded markets, all instruments and days: TA-Lib, or a plain pandas formula.

The engine's side sees raw prices beat by beat, and on an ex-rights day a factor. The reference
sees each instrument's whole history at once, adjusted. The two share nothing but the prices.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import talib

from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_signals.engine.features.board import FeatureBoard
from tidegate_signals.engine.features.observations import Observations
from tidegate_signals.engine.features.spec import Field, Period, parse_input
from tidegate_signals.engine.kernels import book_imbalance, microprice_e4

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
PRICES = ("open", "high", "low", "close")

pytestmark = pytest.mark.data


@dataclass(frozen=True, slots=True)
class Past:
    """One instrument's observations, oldest first.

    table : open, high, low, close, amount in CNY, of the shares of the first day; volume in
        shares of their days; float_shares, day.
    """

    table: pd.DataFrame

    def __getitem__(self, name: str) -> Float64Array:
        """Return a column."""
        return self.table[name].to_numpy(np.float64)

    def of_window(self, name: str, window: int, statistic: str) -> Float64Array:
        """Return a statistic of each window of a column."""
        return self.table[name].rolling(window).agg(statistic).to_numpy()

    def of_day(self, name: str) -> Float64Array:
        """Return the sum of a column over the day so far."""
        return self.table.groupby("day")[name].cumsum().to_numpy()


def deviation(past: Past, window: int) -> Float64Array:
    """Return the deviation of each window, computed twice over as the textbook says.

    TA-Lib takes the mean of squares less the square of the mean: good to 1e-7 here, no more.
    """
    views = np.lib.stride_tricks.sliding_window_view(past["close"], window)
    return np.concatenate([np.full(window - 1, np.nan), views.std(axis=1)])


def band(past: Past, place: int) -> Float64Array:
    """Return one of TA-Lib's bands of 20 observations and two deviations: upper, middle, lower."""
    bands = talib.BBANDS(past["close"], timeperiod=20, nbdevup=2.0, nbdevdn=2.0)
    return np.asarray(bands[place])


def macd(past: Past, place: int) -> Float64Array:
    """Return TA-Lib's MACD, signal or histogram."""
    return np.asarray(talib.MACD(past["close"], 12, 26, 9)[place])


def rsi(past: Past) -> Float64Array:
    """Return TA-Lib's index, but 50 for its 0 where no close differs from any before."""
    index = np.asarray(talib.RSI(past["close"], 14))
    is_flat = (past.table["close"].diff().abs().fillna(0.0) < 1e-9).cummin().to_numpy(np.bool_)
    return np.where(is_flat & ~np.isnan(index), 50.0, index)


def balance(past: Past) -> Float64Array:
    """Return TA-Lib's on-balance volume; what an adjustment's last bits moved did not move."""
    return np.asarray(talib.OBV(np.round(past["close"], 10), past["volume"]))


def previous(past: Past, name: str, statistic: str) -> Float64Array:
    """Return a statistic of the 20 observations before each."""
    return past.table[name].shift(1).rolling(20).agg(statistic).to_numpy()


def rolling_vwap(past: Past) -> Float64Array:
    """Return amount over volume of 20 observations."""
    return past.of_window("amount", 20, "sum") / past.of_window("volume", 20, "sum")


# What the engine is asked, and what the reference says. A price (True) is in the shares of the
# first day in the reference and must be put into those of its day.
CASES: dict[str, tuple[bool, Callable[[Past], Float64Array]]] = {
    "SMA(20)": (True, lambda past: talib.SMA(past["close"], 20)),
    "SMA(volume,20)": (False, lambda past: talib.SMA(past["volume"], 20)),
    "WMA(20)": (True, lambda past: talib.WMA(past["close"], 20)),
    "EMA(20)": (True, lambda past: talib.EMA(past["close"], 20)),
    "MACD(12,26,9).macd": (True, lambda past: macd(past, 0)),
    "MACD(12,26,9).signal": (True, lambda past: macd(past, 1)),
    "MACD(12,26,9).histogram": (True, lambda past: macd(past, 2)),
    "RSI(14)": (False, rsi),
    "MOMENTUM(10)": (True, lambda past: talib.MOM(past["close"], 10)),
    "ROC(10)": (False, lambda past: talib.ROC(past["close"], 10) / 100),
    "MAX(20)": (True, lambda past: talib.MAX(past["close"], 20)),
    "MIN(open,20)": (True, lambda past: talib.MIN(past["open"], 20)),
    "STDDEV(20)": (True, lambda past: deviation(past, 20)),
    "BOLLINGER(20,20).upper": (True, lambda past: band(past, 0)),
    "BOLLINGER(20,20).middle": (True, lambda past: band(past, 1)),
    "BOLLINGER(20,20).lower": (True, lambda past: band(past, 2)),
    "BOLLINGER(20,20).width": (
        False,
        lambda past: 4 * deviation(past, 20) / talib.SMA(past["close"], 20),
    ),
    "DONCHIAN(20).upper": (True, lambda past: talib.MAX(past["high"], 20)),
    "DONCHIAN(20).lower": (True, lambda past: talib.MIN(past["low"], 20)),
    "DONCHIAN(20).middle": (True, lambda past: talib.MIDPRICE(past["high"], past["low"], 20)),
    "DONCHIAN(20).previous_upper": (
        True,
        lambda past: previous(past, "high", "max"),
    ),
    "DONCHIAN(20).previous_lower": (
        True,
        lambda past: previous(past, "low", "min"),
    ),
    "ATR(14)": (True, lambda past: talib.ATR(past["high"], past["low"], past["close"], 14)),
    "VWAP": (True, lambda past: past.of_day("amount") / past.of_day("volume")),
    "VWAP(20)": (True, rolling_vwap),
    "OBV": (False, balance),
    "TURNOVER": (False, lambda past: past.of_day("volume") / past["float_shares"]),
}


def daily_table() -> pd.DataFrame:
    """Return every day of every stock; a suspended one has no volume."""
    table = pd.read_parquet(DATA / "daily" / "baostock_csi300_2020_2025.parquet")
    is_traded = table["tradestatus"] == 1
    table["volume"] = table["volume"].astype("Float64").where(is_traded, 0.0).astype(float)
    table["float_shares"] = table["volume"] / table["turn"] * 100
    table["symbol"] = table["code"].str[3:]
    return with_factors(table.assign(time=table["date"], day=table["date"]))


def quarter_hour_table() -> pd.DataFrame:
    """Return every bar of every stock; ex-rights days are those of the daily file."""
    table = pd.read_parquet(DATA / "minute" / "bars_15min_2025_2026.parquet")
    table = table.assign(time=table["datetime"], day=table["date"], float_shares=1e9)
    table = table.sort_values(["symbol", "time"], ignore_index=True)
    by_day = daily_table().set_index(["symbol", "day"])["factor"]
    factor = by_day.reindex([table["symbol"], table["day"]]).fillna(1.0).to_numpy()
    is_first = table["day"] != table.groupby("symbol")["day"].shift(1)
    return table.assign(factor=np.where(is_first, factor, 1.0))


def with_factors(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with what each day's reference price is to the close before it."""
    table = table.sort_values(["symbol", "time"], ignore_index=True)
    last = table.groupby("symbol")["close"].shift(1).fillna(table["preclose"])
    # Whole numbers, as exchanges state them: their quotient is 1 where nothing happened.
    factor = np.rint(table["preclose"] * 10_000) / np.rint(last * 10_000)
    return table.assign(factor=factor)


def said_by_board(table: pd.DataFrame) -> dict[str, Float64Array]:
    """Return what the board says of each row of a table, NaN where nothing traded."""
    inputs = {text: parse_input(text, Period.BAR) for text in CASES}
    board = FeatureBoard(spec.indicator for spec in inputs.values())
    said = {text: np.full(len(table), np.nan) for text in CASES}
    columns, factors = columns_of(table), table["factor"].to_numpy()
    is_traded = table["volume"].to_numpy() > 0
    codes, days = pd.factorize(table["symbol"])[0], table["day"].to_numpy()
    row_by_code: Int64Array = np.full(codes.max() + 1, -1)
    day = ""
    for places in table.groupby("time").indices.values():
        new = codes[places][row_by_code[codes[places]] < 0]
        row_by_code[new] = row_by_code.max() + 1 + np.arange(len(new))
        board.grow(len(new))
        if days[places[0]] != day:
            day = days[places[0]]
            board.begin_day()
        changed = places[factors[places] != 1.0]
        board.scale(row_by_code[codes[changed]], factors[changed])
        seen = places[is_traded[places]]
        rows = row_by_code[codes[seen]]
        observed = {field: column[seen] for field, column in columns.items()}
        board.update(Period.BAR, Observations(rows, observed))
        for text, spec in inputs.items():
            said[text][seen] = board.read(spec, rows)
    return said


def columns_of(table: pd.DataFrame) -> dict[Field, Float64Array]:
    """Return a table as an engine gets it: prices in 1/10,000 CNY, amounts in fen."""
    columns = {Field(name): np.rint(table[name].to_numpy() * 10_000) for name in PRICES}
    columns[Field.VOLUME] = table["volume"].to_numpy(np.float64)
    columns[Field.AMOUNT] = np.rint(table["amount"].to_numpy() * 100)
    columns[Field.FLOAT_SHARES] = table["float_shares"].to_numpy()
    return columns


def told_by_reference(table: pd.DataFrame) -> dict[str, Float64Array]:
    """Return what the reference says of each row of a table, NaN where nothing traded."""
    told = {text: np.full(len(table), np.nan) for text in CASES}
    factors = table.groupby("symbol")["factor"].cumprod().to_numpy()
    adjusted = table.assign(
        **{name: table[name].astype(float) / factors for name in (*PRICES, "amount")},
        volume=table["volume"].astype(float),
    )
    is_traded = table["volume"].to_numpy() > 0
    for group in table.groupby("symbol").indices.values():
        places = np.asarray(group, np.int64)
        traded = places[is_traded[places]]
        past = Past(adjusted.take(traded))
        for text, (is_price, reference) in CASES.items():
            told[text][traded] = reference(past) * (10_000 * factors[traded] if is_price else 1.0)
    return told


def assert_equal(table: pd.DataFrame, *, count_min: int) -> None:
    """Assert that board and reference say the same of a table, and of how much they say it."""
    said, told = said_by_board(table), told_by_reference(table)
    # What a difference of prices near 0 may be off by: the last bits of the highest price.
    rounding = 1e-12 * 10_000 * table["close"].max()

    for text, (is_price, _) in CASES.items():
        tolerance = rounding if is_price else 1e-12
        np.testing.assert_allclose(said[text], told[text], rtol=1e-9, atol=tolerance, err_msg=text)
    assert min(np.count_nonzero(~np.isnan(values)) for values in said.values()) >= count_min


def test_indicators_on_five_years_of_days_equal_the_references() -> None:
    """227 stocks, 278,556 days, 1,146 of them ex-rights, 597 suspended: 7.4 million values."""
    table = daily_table()

    assert np.count_nonzero(table["factor"] != 1.0) == 1_146
    assert_equal(table, count_min=270_000)


def test_indicators_on_a_year_of_quarter_hours_equal_the_references() -> None:
    """115 stocks, 551,840 bars, 544 of them without a trade, 13 ex-rights days: 14.8 million."""
    table = quarter_hour_table()

    assert np.count_nonzero(table["factor"] != 1.0) == 13
    assert_equal(table, count_min=545_000)


def test_book_fields_on_a_recorded_day_equal_the_references() -> None:
    """Every snapshot of a day of 600519, one-sided ones of the calls among them."""
    table = pd.read_parquet(DATA / "l2" / "sse_600519_snapshot_20230201.parquet")
    names = ("BidPrice", "BidVolume", "AskPrice", "AskVolume")
    levels = {
        name: table[[f"{name}{level}" for level in range(1, 6)]].fillna(0).to_numpy(np.float64)
        for name in names
    }
    bid, ask = levels["BidVolume"], levels["AskVolume"]
    bid_price, ask_price = (np.rint(levels[name] * 10_000) for name in ("BidPrice", "AskPrice"))
    is_two_sided = (bid[:, 0] > 0) & (ask[:, 0] > 0)

    imbalance = book_imbalance(bid_shares=bid.astype(np.int64), ask_shares=ask.astype(np.int64))
    price_e4 = microprice_e4(
        bid_price_e4=bid_price[:, 0].astype(np.int64),
        bid_shares=bid[:, 0].astype(np.int64),
        ask_price_e4=ask_price[:, 0].astype(np.int64),
        ask_shares=ask[:, 0].astype(np.int64),
    )

    with np.errstate(invalid="ignore"):
        buyers, sellers = (sum((5 - k) * side[:, k] for k in range(5)) for side in (bid, ask))
        expected = np.where(is_two_sided, (buyers - sellers) / (buyers + sellers), np.nan)
        share = bid[:, 0] / (bid[:, 0] + ask[:, 0])
        middle = bid_price[:, 0] + share * (ask_price[:, 0] - bid_price[:, 0])
    np.testing.assert_allclose(imbalance, expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(price_e4, np.where(is_two_sided, middle, np.nan), rtol=1e-12)
    assert np.count_nonzero(is_two_sided) > 4_800
    assert not is_two_sided.all()
