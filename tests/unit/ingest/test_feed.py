"""Files and specs become feeds; what the user got wrong is said in one line."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from tests.unit.ingest.file_rows import (
    Row,
    baostock_row,
    exchange_minutes_row,
    plain_daily_row,
    plain_minutes_row,
    plain_snapshot_row,
    sse_dated_row,
    sse_row,
    szse_dated_row,
    szse_row,
    tushare_row,
)

from tidegate_common.codec import decode_event
from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import FeedSpec, InputFile, RunSpec, SyntheticSpec
from tidegate_common.frames.codec import encode_frame
from tidegate_common.market.sessions import shanghai_ns
from tidegate_ingest.adapters.daily_bars import BAR_LAYOUTS
from tidegate_ingest.adapters.feed import Feed, RejectReason, describe_files, open_feed
from tidegate_ingest.adapters.layouts import shorten


def _spec(feed: FeedSpec) -> RunSpec:
    return RunSpec(run_id=RunId("r1"), accounts=(), strategies=(), feed=feed)


def _open(*paths: Path) -> Feed:
    return open_feed(_spec(FeedSpec(files=describe_files(paths))))


def _write(path: Path, rows: Sequence[Row]) -> Path:
    table = pa.Table.from_pylist([dict(row) for row in rows])
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        pa_csv.write_csv(table, path)
    return path


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("name", "row", "instrument", "trade_date"),
    [
        ("sse_20230201", sse_row(), 1600519, 20230201),
        ("szse_20230201", szse_row(), 2000333, 20230201),
        ("anything", sse_dated_row(), 1688378, 20211201),
        ("anything", szse_dated_row(), 2300122, 20220601),
        ("daily", baostock_row(), 1600519, 20230201),
        ("daily", tushare_row(), 2000333, 20230201),
        ("anything", plain_snapshot_row(), 1600519, 20230201),
        (
            "anything",
            plain_snapshot_row(phase="T0", limit_up=11.0, limit_down=9.0),
            1600519,
            20230201,
        ),
        ("anything", plain_daily_row(), 1600519, 20230201),
        ("anything", plain_daily_row(prev_close=10.0, is_st=1, is_suspended=0), 1600519, 20230201),
        ("anything", plain_minutes_row(), 1600519, 20230201),
        ("anything", exchange_minutes_row(), 2000001, 20230201),
    ],
    ids=[
        *("sse", "szse", "sse-dated", "szse-dated", "baostock", "tushare"),
        *("snapshot", "snapshot-full", "daily", "daily-full", "minutes", "minutes-exchange"),
    ],
)
def test_open_feed_of_each_layout_reads_its_row(
    tmp_path: Path,
    suffix: str,
    name: str,
    row: Row,
    instrument: int,
    trade_date: int,
) -> None:
    """Every layout, in Parquet and in CSV with its leading zeros."""
    feed = _open(_write(tmp_path / f"{name}.{suffix}", [row]))

    frames = list(feed.frames())

    assert feed.counts.rows_in == feed.counts.rows_out == 1
    assert len(frames) == feed.beat_count
    assert {frame.stamp.trade_date for frame in frames} == {trade_date}
    assert all(frame.rows.instrument.tolist() == [instrument] for frame in frames)


def test_open_feed_of_a_snapshot_keeps_every_value(tmp_path: Path) -> None:
    """The exchange's time to the millisecond, empty levels as zeros."""
    feed = _open(_write(tmp_path / "sse_20230201.parquet", [sse_row()]))

    tick = next(frame for frame in feed.frames() if frame.stamp.kind is BeatKind.TICK)

    rows = tick.rows
    assert tick.stamp.ts_event_ns == shanghai_ns(20230201, 36_000) + 250_000_000
    assert getattr(rows, "bid_price_e4").tolist() == [[99_900, 0, 0, 0, 0]]  # noqa: B009
    assert getattr(rows, "ask_shares").tolist() == [[700, 0, 0, 0, 0]]  # noqa: B009
    assert getattr(rows, "amount_fen").tolist() == [1_000_000]  # noqa: B009


def test_open_feed_of_tushare_bars_scales_lots_and_thousands(tmp_path: Path) -> None:
    """Volume in lots of 100 shares, amounts in 1,000 CNY."""
    feed = _open(_write(tmp_path / "daily.parquet", [tushare_row()]))

    close = list(feed.frames())[-1]

    assert getattr(close.rows, "volume_shares").tolist() == [2_443_823]  # noqa: B009
    assert getattr(close.rows, "amount_fen").tolist() == [4_035_489_300]  # noqa: B009


def test_open_feed_of_a_suspended_baostock_row_accepts_its_empty_volume(tmp_path: Path) -> None:
    """Part of the suspended rows leave volume and amount empty."""
    rows = [baostock_row(tradestatus=0, volume=None, amount=None), baostock_row(code="sh.600000")]

    feed = _open(_write(tmp_path / "daily.parquet", rows))

    assert feed.counts.rows_out == 2


def test_open_feed_of_a_bad_time_counts_the_row(tmp_path: Path) -> None:
    """One row without a time does not spoil the file."""
    rows = [sse_row(), sse_row(UpdateTime="25:00:00.000"), sse_row(UpdateTime=None)]

    feed = _open(_write(tmp_path / "sse_20230201.parquet", rows))

    assert feed.counts.rejected == {RejectReason.BAD_TIME: 2}


def test_feed_frames_read_twice_are_the_same_bytes(tmp_path: Path) -> None:
    """A restarted sequencer says what it said before."""
    rows = [sse_row(), sse_row(SecurityID="600000"), sse_row(UpdateTime="10:00:03.250")]
    feed = _open(_write(tmp_path / "sse_20230201.parquet", rows))

    first, second = ([encode_frame(frame) for frame in feed.frames()] for _ in range(2))

    assert first == second


def test_feed_frames_carry_the_spec_on_the_first_beat_only() -> None:
    """A stage has the settings exactly when it has the first beat."""
    spec = _spec(FeedSpec(synthetic=SyntheticSpec(beats_per_day=5, instrument_count=3)))

    frames = list(open_feed(spec).frames())

    assert decode_event(RunSpec, frames[0].run_spec) == spec
    assert all(frame.run_spec == "" for frame in frames[1:])
    assert [frame.stamp.beat for frame in frames] == list(range(7))


def test_open_feed_of_a_synthetic_market_keeps_to_the_days_asked_for() -> None:
    """`day_count_max` holds for every source."""
    market = SyntheticSpec(day_count=3, beats_per_day=5, instrument_count=3)

    feed = open_feed(_spec(FeedSpec(synthetic=market, day_count_max=2)))

    assert feed.beat_count == 14
    assert [frame.stamp.is_last for frame in feed.frames()].index(True) == 13


@pytest.mark.parametrize(
    ("market", "complaint"),
    [
        (SyntheticSpec(instrument_count=0), "instrument_count must be in 1..5500, was 0"),
        (SyntheticSpec(day_count=0), "day_count must be in 1..10000, was 0"),
        (SyntheticSpec(beats_per_day=100_001), "beats_per_day must be in 1..100000, was 100001"),
        (SyntheticSpec(seed=-1), "seed must be in"),
    ],
)
def test_open_feed_of_an_impossible_market_is_a_config_error(
    market: SyntheticSpec,
    complaint: str,
) -> None:
    """Limits on everything."""
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        open_feed(_spec(FeedSpec(synthetic=market)))


@pytest.mark.parametrize(
    ("feed", "found"),
    [
        (FeedSpec(), "neither"),
        (FeedSpec(files=(InputFile("x", "y"),), synthetic=SyntheticSpec()), "both"),
    ],
)
def test_open_feed_without_one_source_is_a_config_error(feed: FeedSpec, found: str) -> None:
    """A run has one source."""
    with pytest.raises(ConfigError, match=f"found: {found}"):
        open_feed(_spec(feed))


def test_describe_files_of_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    """The commonest mistake of all."""
    with pytest.raises(ConfigError, match=r"found nothing at .*no\.parquet"):
        describe_files([tmp_path / "no.parquet"])


def test_describe_files_of_a_folder_is_a_config_error(tmp_path: Path) -> None:
    """A folder has no columns."""
    with pytest.raises(ConfigError, match="found something else"):
        describe_files([tmp_path])


def test_describe_files_without_permission_is_a_config_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Said before the run begins; root may read everything, so the refusal is played."""
    path = _write(tmp_path / "daily.csv", [baostock_row()])

    def refuse(*_args: object, **_kwargs: object) -> None:
        message = "permission denied"
        raise PermissionError(message)

    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(ConfigError, match="expected a file that can be read, found: permission"):
        describe_files([path])


def test_describe_files_of_another_format_is_a_config_error(tmp_path: Path) -> None:
    """Say what is understood."""
    path = tmp_path / "notes.txt"
    path.write_text("hello", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"expected a file named \.parquet, \.csv"):
        describe_files([path])


@pytest.mark.parametrize("name", ["x.parquet", "x.csv"])
def test_describe_files_of_a_broken_file_is_one_line(tmp_path: Path, name: str) -> None:
    """What the reader library says fits into our line."""
    path = tmp_path / name
    path.write_bytes(b"")

    with pytest.raises(ConfigError, match="expected a Parquet or CSV table in") as caught:
        describe_files([path])

    assert "\n" not in str(caught.value)


def test_describe_files_with_a_missing_column_names_it(tmp_path: Path) -> None:
    """The nearest layout tells what is missing."""
    row = {name: value for name, value in baostock_row().items() if name != "preclose"}

    with pytest.raises(ConfigError) as caught:
        describe_files([_write(tmp_path / "daily.csv", [row])])

    assert "expected columns of one of: SSE snapshot" in str(caught.value)
    assert "nearest is baostock daily, missing: preclose" in str(caught.value)
    assert "found: date, code, open" in str(caught.value)


def test_describe_files_without_a_date_is_a_config_error(tmp_path: Path) -> None:
    """Rows of this layout say the time of day only; the name must say the day."""
    path = _write(tmp_path / "moutai_20231399.parquet", [sse_row()])

    with pytest.raises(ConfigError, match="expected one as YYYYMMDD in the file's name"):
        describe_files([path])


def test_describe_files_given_the_same_content_twice_is_a_config_error(tmp_path: Path) -> None:
    """Every row would be a duplicate."""
    paths = [_write(tmp_path / name, [baostock_row()]) for name in ("a.csv", "b.csv")]

    with pytest.raises(ConfigError, match="expected each file once"):
        describe_files(paths)


def test_describe_files_of_both_kinds_is_a_config_error(tmp_path: Path) -> None:
    """A day of snapshots and a day of bars have different beats."""
    paths = [
        _write(tmp_path / "daily.csv", [baostock_row()]),
        _write(tmp_path / "sse_20230201.csv", [sse_row()]),
    ]

    with pytest.raises(ConfigError, match="expected files of one kind"):
        describe_files(paths)


def test_describe_files_moved_elsewhere_is_the_same_content(tmp_path: Path) -> None:
    """A file is what is in it, not where it lies."""
    here, there = (_write(tmp_path / name, [baostock_row()]) for name in ("a.csv", "b.csv"))

    assert describe_files([here])[0].sha256 == describe_files([there])[0].sha256


def test_open_feed_of_a_changed_file_is_a_config_error(tmp_path: Path) -> None:
    """Another input is another run."""
    path = _write(tmp_path / "daily.csv", [baostock_row()])
    files = describe_files([path])
    _write(path, [baostock_row(close=10.05)])

    with pytest.raises(ConfigError, match="has changed since the run was defined"):
        open_feed(_spec(FeedSpec(files=files)))


def test_open_feed_with_text_for_a_number_is_a_config_error(tmp_path: Path) -> None:
    """A column of words is not a price."""
    path = _write(tmp_path / "daily.parquet", [baostock_row(close="ten")])

    with pytest.raises(ConfigError, match="expected numbers in column close"):
        _open(path)


def test_open_feed_with_an_impossible_date_in_a_time_is_a_config_error(tmp_path: Path) -> None:
    """The 30th of February is no moment."""
    row = {**sse_dated_row(), "DateTime": "2021.02.30T10:00:00.000"}

    with pytest.raises(ConfigError, match="expected times in column DateTime"):
        _open(_write(tmp_path / "sse.parquet", [row]))


def test_open_feed_without_a_good_row_says_what_was_wrong(tmp_path: Path) -> None:
    """An empty run would end before it began."""
    path = _write(tmp_path / "daily.parquet", [baostock_row(code="sh.000300")])

    with pytest.raises(ConfigError, match="found: 1 rows, rejected: not_a_share 1"):
        _open(path)


@pytest.mark.parametrize("change", [{"beat_interval_ms": 0}, {"day_count_max": -1}])
def test_open_feed_with_a_wrong_number_is_a_config_error(
    tmp_path: Path,
    change: dict[str, int],
) -> None:
    """A beat has a length and a run has days."""
    files = describe_files([_write(tmp_path / "daily.csv", [baostock_row()])])

    with pytest.raises(ConfigError, match="beat_interval_ms must be > 0"):
        open_feed(_spec(replace(FeedSpec(files=files), **change)))  # type: ignore[arg-type]


def test_open_feed_of_bars_with_exchange_reads_their_clock(tmp_path: Path) -> None:
    """93100000 is 09:31:00.000; what is none is counted."""
    times = [93_100_000, 150_000_000, 96_000_000, 250_000_000, 93_160_000, 1.5, None]
    rows = [exchange_minutes_row(time=time) for time in times]
    rows.append(exchange_minutes_row(tradingDay="20230231"))

    feed = _open(_write(tmp_path / "minutes.parquet", rows))

    assert feed.counts.rejected == {RejectReason.BAD_TIME: 6}
    assert [frame.stamp.ts_event_ns for frame in feed.frames()][1:] == [
        shanghai_ns(20230201, 34_260),
        *[shanghai_ns(20230201, 54_000)] * 2,
    ]


def test_describe_files_of_an_order_stream_says_what_it_is(tmp_path: Path) -> None:
    """A known file that is no feed."""
    row = {"MDDate": "2023.07.11", "MDTime": "09:15:00", "OrderType": 2, "OrderPrice": 10.0}

    with pytest.raises(ConfigError, match="found: orders with date: an order stream, without"):
        describe_files([_write(tmp_path / "orders.parquet", [row])])


def test_open_feed_of_a_file_without_rows_is_a_config_error(tmp_path: Path) -> None:
    """Nothing to replay."""
    table = pa.Table.from_pylist([dict(plain_daily_row())]).slice(0, 0)
    pq.write_table(table, tmp_path / "daily.parquet")

    with pytest.raises(ConfigError, match="found: 0 rows, rejected: none"):
        _open(tmp_path / "daily.parquet")


def test_layout_read_of_a_file_without_rows_is_a_config_error(tmp_path: Path) -> None:
    """Who asks for all rows at once expects some."""
    table = pa.Table.from_pylist([dict(baostock_row())]).slice(0, 0)
    pq.write_table(table, tmp_path / "daily.parquet")

    with pytest.raises(ConfigError, match=r"expected rows in .*, found none"):
        BAR_LAYOUTS[0].read(tmp_path / "daily.parquet")


def test_shorten_of_many_names_says_how_many_more() -> None:
    """A Level-2 file has two hundred columns."""
    assert shorten(["a", "b"]) == "a, b"
    assert shorten([str(number) for number in np.arange(14)]).endswith("10, 11 and 2 more")


def test_shorten_of_damaged_names_is_one_short_line() -> None:
    """A quote that nobody closes makes the rest of a file the name of its last column."""
    assert shorten(["date", "a\nb", "x" * 1_000]) == f"date, 'a\\nb', {'x' * 40}"
