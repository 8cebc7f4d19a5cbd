"""Strategies on recorded days: frames, indicators and scores against pandas on the raw files."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tidegate_common.domain.ids import RunId, parse_symbol
from tidegate_common.domain.units import Float64Array
from tidegate_common.events.run import FeedSpec, RunSpec, StrategySpec
from tidegate_ingest.adapters.feed import describe_files, open_feed
from tidegate_signals.engine import SignalsEngine

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
DAILY = "daily/baostock_csi300_2020_2025.parquet"
MOUTAI = "l2/sse_600519_snapshot_20230201.parquet"
DAY_COUNT = 400
# 09:31 and 15:00, in seconds of the day.
FIRST_END_S, CLOSE_S = 571 * 60, 900 * 60
OF_DAYS = ("bollinger_reversion", "donchian_breakout", "macd", "momentum", "value_quality")

pytestmark = pytest.mark.data


def run(name: str, kinds: tuple[str, ...], day_count_max: int = 0) -> pd.DataFrame:
    """Return all scores over a recording, with time and reasons."""
    feed = FeedSpec(describe_files([DATA / name]), day_count_max=day_count_max)
    strategies = tuple(StrategySpec(kind, kind) for kind in kinds)
    spec = RunSpec(RunId("real"), accounts=(), strategies=strategies, feed=feed)
    engine = SignalsEngine(spec)
    parts = []
    for frame in open_feed(spec).frames():
        scores = engine.on_beat(frame).scores
        columns = {
            "strategy": scores.strategy,
            "instrument": scores.instrument,
            "score_e6": scores.score_e6,
            "trade_date": frame.stamp.trade_date,
            "ts_event_ns": frame.stamp.ts_event_ns,
        }
        reasons = {f"reason_{place}": column for place, column in enumerate(scores.reason_e6.T)}
        parts.append(pd.DataFrame(columns | reasons))
    found = pd.concat(parts, ignore_index=True)
    found["strategy"] = np.array(kinds)[found["strategy"]]
    return found


@cache
def daily_scores() -> pd.DataFrame:
    """Return the scores of all strategies that live on days."""
    return run(DAILY, OF_DAYS, DAY_COUNT)


@cache
def daily_table() -> pd.DataFrame:
    """Return the recorded days, by instrument and date, with prices as total returns."""
    table = pd.read_parquet(DATA / DAILY)
    table["trade_date"] = table["date"].astype(str).str.replace("-", "").str[:8].astype(int)
    dates = sorted(table["trade_date"].unique())[:DAY_COUNT]
    table = table[table["trade_date"].isin(dates)].copy()
    ids = {code: parse_symbol(f"{code[3:]}.{code[:2].upper()}") for code in table["code"].unique()}
    table["instrument"] = table["code"].map(ids)
    table = table.sort_values(["instrument", "trade_date"], ignore_index=True)
    growth = (table["close"] / table["preclose"]).groupby(table["instrument"]).cumprod()
    # CNY of today's shares for one of the series.
    table["unit"] = table["close"] / growth
    table["is_traded"] = table["volume"].fillna(0) > 0
    for name in ("high", "low", "close"):
        table[f"{name}_growth"] = table[name] / table["unit"]
    return table


def traded() -> pd.DataFrame:
    """Return the days on which an instrument traded."""
    table = daily_table()
    return table[table["is_traded"]].copy()


def compare(kind: str, expected: pd.DataFrame) -> pd.DataFrame:
    """Return a strategy's scores beside a column `score`, with their `difference` in millionths."""
    found = daily_scores()[lambda scores: scores["strategy"] == kind]
    wanted = expected.dropna(subset="score")
    both = wanted.merge(found, on=["instrument", "trade_date"], how="outer", indicator=True)
    assert (both["_merge"] == "both").all()
    both["difference"] = (both["score"] * 1e6 - both["score_e6"]).abs()
    return both


def threshold(signal: "pd.Series[float]", low: float, full: float) -> Float64Array:
    """Return 0 below a threshold, a half at it, one from the full scale on."""
    values = signal.to_numpy(np.float64)
    beyond = np.clip((np.abs(values) - low) / (full - low), 0.0, 1.0)
    return np.where(np.abs(values) < low, 0.0, np.sign(values) * (0.5 + 0.5 * beyond))


def test_bollinger_reversion_on_real_days_equals_pandas() -> None:
    """Whole market, dividends and suspensions included."""
    table = traded()
    close = table.groupby("instrument")["close_growth"]
    mean = close.transform(lambda series: series.rolling(20).mean())
    deviation = close.transform(lambda series: series.rolling(20).std(ddof=0))
    is_moving = 2 * deviation * table["unit"] >= 0.01
    deviations = ((mean - table["close_growth"]) / deviation).where(is_moving)
    table["score"] = threshold(deviations, 2.0, 3.0)
    # 4 closes of one price after 16 of another lie at 2 exactly; there a last bit decides.
    table["is_edge"] = (deviations.abs() - 2.0).abs() < 1e-9

    both = compare("bollinger_reversion", table)

    assert len(both) > 50_000
    assert both["difference"][~both["is_edge"]].max() <= 1
    assert both["is_edge"].sum() < 10


def test_donchian_breakout_on_real_days_equals_pandas() -> None:
    """Edges in today's shares, to 1/10,000 CNY; of which half a unit is 50 millionths at 5 CNY."""
    table = traded()
    groups = table.groupby("instrument")
    upper = groups["high_growth"].transform(lambda series: series.rolling(20).max().shift())
    lower = groups["low_growth"].transform(lambda series: series.rolling(10).min().shift())
    above = (table["close"] / (upper * table["unit"]).round(4) - 1).clip(lower=0)
    below = (table["close"] / (lower * table["unit"]).round(4) - 1).clip(upper=0)
    table["score"] = threshold((above + below) * 10_000, 0.0, 500.0)

    both = compare("donchian_breakout", table)

    assert len(both) > 50_000
    assert both["difference"].max() <= 100


def test_macd_on_real_days_equals_pandas_once_its_start_is_forgotten() -> None:
    """The averages begin otherwise in pandas; after 200 days that is below a millionth."""
    table = traded()
    close = table.groupby("instrument")["close_growth"]

    def average(series: "pd.Series[float]", span: int) -> "pd.Series[float]":
        groups = series.groupby(table["instrument"])
        return groups.transform(lambda each: each.ewm(span=span, adjust=False).mean())

    line = average(table["close_growth"], 12) - average(table["close_growth"], 26)
    histogram = (line - average(line, 9)) / table["close_growth"]
    table["expected"] = (histogram * 50).clip(-1, 1)
    table["place"] = close.cumcount()
    found = daily_scores()[lambda scores: scores["strategy"] == "macd"]
    both = table.merge(found, on=["instrument", "trade_date"])
    late = both[both["place"] > 250]

    assert len(late) > 25_000
    assert both["place"].min() == 33
    assert (late["expected"] * 1e6 - late["score_e6"]).abs().max() <= 1


def test_momentum_on_real_days_equals_pandas() -> None:
    """Half a year's return less the last month's, in total returns."""
    table = traded()
    close = table.groupby("instrument")["close_growth"]
    table["score"] = close.shift(20) / close.shift(120) - 1

    both = compare("momentum", table)

    assert len(both) > 50_000
    assert both["difference"].max() <= 1


def test_value_quality_on_real_days_uses_what_was_known_the_day_before() -> None:
    """A figure of the very day would be a look ahead: its price is that day's close."""
    table = daily_table().copy()
    table["turn"] = pd.to_numeric(table["turn"], errors="coerce").where(table["is_traded"])
    groups = table.groupby("instrument")
    table["turn"] = groups["turn"].ffill() / 100
    names = ["peTTM", "pbMRQ", "psTTM", "pcfNcfTTM", "turn"]
    known = table.groupby("instrument")[names].shift()
    known[names[:4]] = known[names[:4]].replace(0, np.nan)
    terms = {"peTTM": (40, 0.2), "pbMRQ": (20, 1.5), "psTTM": (10, 3.0), "pcfNcfTTM": (10, 0.2)}
    score = sum(
        (1 / known[name].where(known[name] > 0)).fillna(0).clip(upper=cap) / cap * weight
        for name, (weight, cap) in terms.items()
    )
    return_on_equity = known["pbMRQ"] / known["peTTM"].where(known["peTTM"] > 0)
    score += return_on_equity.fillna(0).clip(0, 0.3) / 0.3 * 20
    score -= (known["turn"] / 0.05).fillna(1).clip(upper=1) * 10
    table["score"] = (score / 110).where(known[names[:4]].notna().sum(axis=1) >= 3)
    days = pd.Series(sorted(table["trade_date"].unique()))
    starts = days[(days // 100).diff() != 0]
    asked = table[table["is_traded"] & table["trade_date"].isin(starts)]

    both = compare("value_quality", asked)

    # The first day of the recording is a month's first too, but no figure is known before it.
    assert both["trade_date"].nunique() == len(starts) - 1 == 19
    assert len(both) > 3_000
    assert both["difference"].max() <= 1


def test_vwap_reversion_on_a_real_day_equals_the_file() -> None:
    """At the end of each minute: the last trade's price against the day's turnover over volume."""
    table = pd.read_parquet(DATA / MOUTAI)
    seconds = pd.to_timedelta(table["UpdateTime"].astype(str)).dt.total_seconds()
    is_new = (table["TradVolume"].diff() > 0) & (seconds <= CLOSE_S + 10)
    # A quote counts to the minute that ends at or after it; the opening auction to the first one.
    minute = np.ceil(seconds[is_new].clip(FIRST_END_S, CLOSE_S) / 60)
    minutes = table[is_new].groupby(minute).last()
    vwap = minutes["Turnover"] / minutes["TradVolume"]
    distance_bps = (minutes["LastPrice"] / vwap - 1) * 10_000

    found = run(MOUTAI, ("vwap_reversion",))

    # 240 less the two of the closing call in which nothing trades.
    assert len(found) == len(minutes) == 238
    np.testing.assert_allclose(found["reason_0"] / 1e6, minutes["LastPrice"])
    np.testing.assert_allclose(found["reason_1"] / 1e6, vwap, rtol=1e-8)
    np.testing.assert_allclose(found["reason_2"] / 1e6, distance_bps, atol=1e-5)
    expected = threshold(-distance_bps, 100.0, 300.0) * 1e6
    np.testing.assert_allclose(found["score_e6"], expected, atol=1)
