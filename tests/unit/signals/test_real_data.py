"""Strategies on real days: the engine against pandas on adjusted closes, and books that trade."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tidegate_common.domain.enums import BeatKind, Phase
from tidegate_common.domain.ids import AccountId, RunId, parse_symbol
from tidegate_common.domain.units import Int64Array
from tidegate_common.events.run import AccountSpec, RunSpec, StrategySpec
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows, unknown_figures
from tidegate_signals.engine import SignalsEngine

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
DAY_COUNT = 300
# Among them are ex-rights days with bonus shares (002475), and a long suspension (000792).
CODES = ("sh.600519", "sz.000333", "sz.300750", "sz.002475", "sz.000792", "sz.002415")

pytestmark = pytest.mark.data


def make_spec(strategy: StrategySpec) -> RunSpec:
    """Return a run of one strategy."""
    return RunSpec(RunId("run-1"), (AccountSpec(AccountId("a"), 1),), (strategy,))


def daily_bars() -> pd.DataFrame:
    """Return the first days of some stocks, with ids, and prices in 1/10,000 CNY."""
    table = pd.read_parquet(
        DATA / "daily" / "baostock_csi300_2020_2025.parquet",
        filters=[("code", "in", CODES)],
    )
    days = sorted(table["date"].astype(str).unique())[:DAY_COUNT]
    table = table[table["date"].astype(str).isin(days)].copy()
    table["instrument"] = [parse_symbol(f"{code[3:]}.{code[:2].upper()}") for code in table["code"]]
    for name in ("close", "preclose"):
        table[f"{name}_e4"] = np.rint(table[name].astype(float) * 10_000).astype(np.int64)
    table["volume"] = pd.to_numeric(table["volume"], errors="coerce").fillna(0).astype(np.int64)
    return table.sort_values(["date", "instrument"])


def beats_of(table: pd.DataFrame) -> list[Frame]:
    """Return an OPEN and a CLOSE beat for every day."""
    frames: list[Frame] = []
    for day, group in table.groupby(table["date"].astype(str)):
        trade_date = int(str(day)[:10].replace("-", ""))
        instrument = group["instrument"].to_numpy(np.int64)
        zeros = np.zeros(len(group), np.int64)
        flags, small = np.zeros(len(group), np.bool_), np.zeros(len(group), np.uint8)
        reference = ReferenceRows(
            instrument=instrument,
            board=small,
            limit_state=small,
            is_st=flags,
            is_suspended=flags,
            prev_close_e4=group["preclose_e4"].to_numpy(np.int64),
            limit_up_e4=zeros,
            limit_down_e4=zeros,
            open_e4=zeros,
            sector=np.array([""] * len(group), np.object_),
            **unknown_figures(len(group)),
        )
        close = group["close_e4"].to_numpy(np.int64)
        volume = group["volume"].to_numpy(np.int64)
        bars = BarRows(instrument, close, close, close, close, volume, zeros)
        for kind, rows in ((BeatKind.OPEN, reference), (BeatKind.CLOSE, bars)):
            stamp = BeatStamp(RunId("run-1"), len(frames), kind, trade_date, 0)
            frames.append(Frame(stamp, 0, rows))
    return frames


def adjusted_closes(table: pd.DataFrame, instrument: int) -> "pd.Series[float]":
    """Return the closes of traded days, as total returns from the first, by date."""
    rows = table[table["instrument"] == instrument]
    growth = rows["close_e4"] / rows["preclose_e4"]
    series = pd.Series(growth.cumprod().to_numpy(), rows["date"].astype(str).str[:10])
    return series[(rows["volume"] > 0).to_numpy()]


def scores_by_day(frames: list[Frame], spec: RunSpec) -> dict[tuple[int, int], int]:
    """Return the scores by instrument and trade date."""
    engine = SignalsEngine(spec)
    return {
        (int(instrument), frame.stamp.trade_date): int(score)
        for frame in frames
        for batch in [engine.on_beat(frame).scores]
        for instrument, score in zip(batch.instrument, batch.score_e6, strict=True)
    }


def test_ma_cross_on_real_days_equals_pandas_on_adjusted_closes() -> None:
    """Dividends, splits and suspensions in the raw prices must make no signal."""
    table = daily_bars()
    strategy = StrategySpec("cross", "ma_cross", {"fast": 5, "slow": 20, "full_scale_bps": 2_000})

    found = scores_by_day(beats_of(table), make_spec(strategy))

    expected: dict[tuple[int, int], float] = {}
    for instrument in table["instrument"].unique():
        close = adjusted_closes(table, instrument)
        score = close.rolling(5).mean() / close.rolling(20).mean() - 1
        expected |= {
            (int(instrument), int(str(day).replace("-", ""))): value * 5e6
            for day, value in score.dropna().clip(-0.2, 0.2).items()
        }
    assert len(expected) > 1_000
    assert found.keys() == expected.keys()
    # A millionth for rounding, and no more for the path that the factors took.
    assert max(abs(score - expected[key]) for key, score in found.items()) <= 1


def test_rsi_reversal_on_real_days_speaks_both_ways() -> None:
    """A strategy that never trades shows nothing."""
    found = scores_by_day(
        beats_of(daily_bars()),
        make_spec(StrategySpec("reversal", "rsi_reversal")),
    )

    scores = list(found.values())
    assert min(scores) <= -500_000
    assert max(scores) >= 500_000
    assert sum(score == 0 for score in scores) > len(scores) / 2


def level_columns(table: pd.DataFrame, name: str) -> Int64Array:
    """Return the first five levels of a column family, (n, 5)."""
    return table[[f"{name}{level}" for level in range(1, 6)]].fillna(0).to_numpy(np.int64)


def test_book_imbalance_on_a_real_day_turns_a_few_times() -> None:
    """Often enough to be seen, seldom enough to be paid for: not the hundreds of one raw book."""
    table = pd.read_parquet(DATA / "l2" / "sse_600519_snapshot_20230201.parquet")
    bid, ask = level_columns(table, "BidVolume"), level_columns(table, "AskVolume")
    is_trading = (table["InstruStatus"].astype(str).str.strip() == "TRADE").to_numpy()
    engine = SignalsEngine(make_spec(StrategySpec("book", "book_imbalance")))
    one = np.zeros(1, np.int64)

    scores: list[int] = []
    for row, trading in enumerate(is_trading):
        quotes = QuoteRows(
            instrument=one + 1_600_519,
            ts_event_ns=one,
            phase=np.array([Phase.CONTINUOUS if trading else Phase.OPEN_CALL], np.uint8),
            last_e4=one + 18_000_000,
            volume_shares=one,
            amount_fen=one,
            bid_price_e4=bid[row : row + 1],
            bid_shares=bid[row : row + 1],
            ask_price_e4=ask[row : row + 1],
            ask_shares=ask[row : row + 1],
        )
        stamp = BeatStamp(RunId("run-1"), row, BeatKind.TICK, 20230201, 0)
        scores.extend(engine.on_beat(Frame(stamp, 0, quotes)).scores.score_e6.tolist())

    strong = [score > 0 for score in scores if abs(score) >= 300_000]
    turns = sum(one != other for one, other in pairwise(strong))
    assert len(scores) > 4_000
    assert 5 <= turns <= 60
