"""Recorded days of the real market as feeds: nothing lost, nothing made up."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tidegate_common.domain.enums import BeatKind, LimitState, Phase
from tidegate_common.domain.ids import RunId
from tidegate_common.events.run import FeedSpec, RunSpec
from tidegate_common.frames.checks import check_rows
from tidegate_common.frames.codec import decode_frame, encode_frame
from tidegate_common.frames.frame import Frame
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_ingest.adapters.feed import Feed, describe_files, open_feed
from tidegate_ingest.adapters.file_check import check_file
from tidegate_ingest.engine.normalizer import date_of, instrument_of

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MOUTAI = "l2/sse_600519_snapshot_20230201.parquet"
MIDEA = "l2/szse_000333_snapshot_20230201.parquet"
SHENZHEN_2022 = "l2/szse_snapshot_20220601.parquet"
SHANGHAI_2021 = "l2/sse_snapshot_20211201_0915_1030.parquet"
CSI300 = "daily/baostock_csi300_2020_2025.parquet"
# What the two exchanges' status words tell; the finer phases are the session table's.
FEED_PHASES = {
    Phase.CLOSED,
    Phase.OPEN_CALL,
    Phase.PAUSE,
    Phase.CONTINUOUS,
    Phase.LUNCH,
    Phase.CLOSE_CALL,
}

pytestmark = pytest.mark.data


def _open(*names: str, day_count_max: int = 0) -> Feed:
    files = describe_files([DATA / name for name in names])
    feed = FeedSpec(files=files, day_count_max=day_count_max)
    return open_feed(RunSpec(run_id=RunId("real"), accounts=(), strategies=(), feed=feed))


def _check(feed: Feed) -> list[Frame]:
    """Return a feed's frames after checking what holds for all of them."""
    frames = list(feed.frames())
    assert len(frames) == feed.beat_count
    assert [frame.stamp.beat for frame in frames] == list(range(len(frames)))
    assert [frame.stamp.is_last for frame in frames].index(True) == len(frames) - 1
    times = [frame.stamp.ts_event_ns for frame in frames]
    assert times == sorted(times)
    for frame in frames:
        check_rows(frame.rows)
        if isinstance(frame.rows, QuoteRows):
            assert frame.stamp.ts_event_ns == frame.rows.ts_event_ns.max()
    return frames


def _rows_out(frames: list[Frame]) -> int:
    """Return the rows that came out: ticks, or the day bars of a run without ticks."""
    ticks = sum(len(frame.rows) for frame in frames if frame.stamp.kind is BeatKind.TICK)
    return ticks or sum(len(frame.rows) for frame in frames if isinstance(frame.rows, BarRows))


@pytest.mark.parametrize(
    ("name", "duplicates"),
    [
        (MOUTAI, 1),
        ("l2/sse_600519_snapshot_20230202.parquet", 1),
        (MIDEA, 0),
        ("l2/szse_000333_snapshot_20230202.parquet", 0),
        (SHENZHEN_2022, 0),
        (SHANGHAI_2021, 0),
    ],
)
def test_snapshot_file_comes_out_whole(name: str, duplicates: int) -> None:
    """Every row of a clean recording is in a beat; SSE repeats one word for word."""
    feed = _open(name)

    frames = _check(feed)

    row_count = pq.ParquetFile(DATA / name).metadata.num_rows
    assert feed.counts.rows_in == row_count
    assert feed.counts.rows_out == _rows_out(frames) == row_count - duplicates
    assert sum(feed.counts.rejected.values()) == duplicates
    assert feed.counts.limits_contradicted == 0


@pytest.mark.parametrize(
    "name",
    [CSI300, "daily/tushare_raw_2019_2020.parquet", "daily/600519_tushare_raw_2010_2020.csv"],
)
def test_daily_file_comes_out_whole_in_its_first_days(name: str) -> None:
    """Every row of the first twenty days is a bar."""
    feed = _open(name, day_count_max=20)

    frames = _check(feed)

    assert feed.beat_count == 40
    assert feed.counts.rows_in == feed.counts.rows_out == _rows_out(frames)
    assert feed.counts.rejected == {}


def test_merged_day_of_two_exchanges_is_the_same_bytes_twice() -> None:
    """A replay replays; and the frames survive the wire."""
    feed = _open(MOUTAI, MIDEA)

    first = [encode_frame(frame) for frame in feed.frames()]
    second = [encode_frame(frame) for frame in feed.frames()]

    assert first == second
    assert all(encode_frame(decode_frame(data)) == data for data in first[::50])
    assert feed.counts.rows_out == 10_119


def test_merged_day_of_two_exchanges_ignores_the_order_of_the_files() -> None:
    """Market time orders the beats."""
    forth, back = _open(MOUTAI, MIDEA).frames(), _open(MIDEA, MOUTAI).frames()

    for left, right in zip(forth, back, strict=True):
        assert left.stamp == right.stamp
        assert np.array_equal(left.rows.instrument, right.rows.instrument)


def test_snapshot_day_closes_with_the_published_bar() -> None:
    """Volume, amount and prices of 2023-02-01 as the exchanges published them."""
    frames = _check(_open(MOUTAI, MIDEA))

    opening, bars = frames[0].rows, frames[-1].rows
    assert isinstance(opening, ReferenceRows)
    assert isinstance(bars, BarRows)
    assert opening.prev_close_e4.tolist() == [18_457_600, 552_000]
    assert opening.limit_up_e4.tolist() == [20_303_400, 607_200]
    assert opening.limit_down_e4.tolist() == [16_611_800, 496_800]
    assert opening.limit_state.tolist() == [LimitState.LIMITED] * 2
    assert bars.open_e4.tolist() == [18_549_800, 552_900]
    assert bars.high_e4.tolist() == [18_590_000, 559_900]
    assert bars.low_e4.tolist() == [18_114_000, 544_500]
    assert bars.close_e4.tolist() == [18_449_700, 555_000]
    assert bars.volume_shares.tolist() == [3_397_389, 26_724_709]


def test_snapshot_phases_follow_the_day() -> None:
    """Each phase of the day is there, none out of its hours, on both exchanges."""
    for name, share_count in ((MOUTAI, 1), (SHENZHEN_2022, 3)):
        phases: list[int] = []
        for frame in _open(name).frames():
            if isinstance(frame.rows, QuoteRows):
                phases += frame.rows.phase.tolist()

        assert set(phases) == FEED_PHASES
        assert 4_000 < phases.count(Phase.CONTINUOUS) / share_count < 4_900


def test_snapshot_bar_of_a_morning_is_its_last_snapshot() -> None:
    """The file stops at 10:30; its totals are those of the last rows."""
    bars = list(_open(SHANGHAI_2021).frames())[-1].rows

    assert isinstance(bars, BarRows)
    last = pq.read_table(DATA / SHANGHAI_2021).to_pandas().groupby("SecurityID").last()
    assert bars.volume_shares.tolist() == last["TotalVolumeTrade"].tolist()
    assert bars.close_e4.tolist() == (last["LastPx"] * 10_000).round().astype(int).tolist()


def test_daily_bars_of_two_sources_agree_where_they_overlap() -> None:
    """One source counts shares and CNY, the other lots and thousands of CNY: one bar."""
    ours = {
        frame.stamp.trade_date: frame.rows
        for frame in _open(CSI300, day_count_max=60).frames()
        if frame.stamp.kind is BeatKind.CLOSE
    }
    compared = 0
    for frame in _open("daily/600519_tushare_raw_2010_2020.csv").frames():
        other = frame.rows
        if frame.stamp.trade_date not in ours or not isinstance(other, BarRows):
            continue
        rows = ours[frame.stamp.trade_date]
        assert isinstance(rows, BarRows)
        mine = rows.take(rows.instrument == 1_600_519)
        for name in ("open_e4", "high_e4", "low_e4", "close_e4", "volume_shares"):
            assert getattr(mine, name).tolist() == getattr(other, name).tolist()
        compared += 1
    assert compared == 60


def test_daily_bars_of_250_days_contradict_few_limits() -> None:
    """First days and relistings have other limits; ordinary days keep to ours."""
    feed = _open(CSI300, day_count_max=250)

    frames = list(feed.frames())

    unknown = sum(
        int((frame.rows.limit_state == LimitState.UNKNOWN).sum())
        for frame in frames
        if isinstance(frame.rows, ReferenceRows)
    )
    assert len(frames) == 500
    assert feed.counts.rows_out > 50_000
    assert feed.counts.rejected == {}
    assert feed.counts.limits_contradicted == 11
    assert unknown >= feed.counts.limits_contradicted


def test_daily_opens_carry_the_figures_of_the_row_before() -> None:
    """Read again with pandas: an instrument's figures of its last row, its last float."""
    table = pd.read_parquet(DATA / CSI300)
    table["instrument"] = table["code"].map(lambda code: instrument_of(code, None))
    table["trade_date"] = table["date"].map(date_of)
    table = table.sort_values(["instrument", "trade_date"])
    table["float_shares"] = (table["volume"] / (table["turn"] / 100)).round()
    rows_of = table.groupby("instrument")
    for name, column in (("pe_ttm", "peTTM"), ("pcf_ttm", "pcfNcfTTM")):
        table[name] = rows_of[column].shift().replace(0.0, np.nan)
    table["float_shares"] = rows_of["float_shares"].shift()
    table["float_shares"] = table.groupby("instrument")["float_shares"].ffill()
    by_date = dict(list(table.groupby("trade_date")))

    compared = 0
    for frame in _open(CSI300).frames():
        rows = frame.rows
        if not isinstance(rows, ReferenceRows):
            continue
        expected = by_date[frame.stamp.trade_date]
        assert rows.instrument.tolist() == expected["instrument"].tolist()
        for name in ("float_shares", "pe_ttm", "pcf_ttm"):
            want = expected[name].to_numpy(np.float64, na_value=np.nan)
            np.testing.assert_array_equal(getattr(rows, name), want)
        compared += len(rows)
    assert compared == len(table)


@pytest.mark.parametrize(
    ("name", "rejected", "instruments"),
    [
        ("minute/000001_1min_201801.csv.gz", {}, 1),
        ("minute/bars_15min_2025_2026.parquet", {"impossible_range": 544}, 115),
        ("minute/hikyuu_1min_price_201812_201902.parquet", {"not_a_quote": 51_600}, 0),
        ("minute/hikyuu_trades_201902.parquet", {"not_a_quote": 23_148}, 0),
        ("l2/sse_600519_orders_20230201.parquet", {"not_a_quote": 54_735}, 0),
        ("l2/sse_600519_trades_20230201.parquet", {"not_a_quote": 27_135}, 0),
        ("l2/sse_600519_trades_20230202.parquet", {"not_a_quote": 23_168}, 0),
        ("l2/sse_orders_20230711.parquet", {"not_a_quote": 75_120}, 0),
        ("l2/sse_trades_20230711.parquet", {"not_a_quote": 50_549}, 0),
        ("l2/szse_000001_trades_20230201.parquet", {"not_a_quote": 166_811}, 0),
        ("daily/tushare_raw_2019_2020.parquet", {}, 1_305),
        ("daily/sh.600000_baostock_1999_2023.csv", {}, 1),
    ],
)
def test_every_other_file_is_counted_to_its_last_row(
    name: str,
    rejected: dict[str, int],
    instruments: int,
) -> None:
    """Rows in are rows out and those counted out, in every recorded file."""
    check = check_file(DATA / name)

    assert check.rejected == rejected
    assert check.instruments == instruments
    assert check.rows_in == check.rows_out + sum(rejected.values()) > 0


def test_bars_of_one_minute_close_with_the_published_bar() -> None:
    """SZSE 000001 on 2018-01-02: the day's volume, and the close of the closing call."""
    frames = _check(_open("minute/000001_1min_201801.csv.gz", day_count_max=2))

    first, second = (frame.rows for frame in frames if frame.stamp.kind is BeatKind.CLOSE)
    assert isinstance(first, BarRows)
    assert first.close_e4.tolist() == [137_000]
    assert len(frames) == 2 * 242
    opening = frames[242].rows
    assert isinstance(opening, ReferenceRows)
    assert opening.prev_close_e4.tolist() == [137_000]
    assert opening.limit_up_e4.tolist() == [150_700]
    assert isinstance(second, BarRows)
    assert second.open_e4.tolist() == [137_300]
