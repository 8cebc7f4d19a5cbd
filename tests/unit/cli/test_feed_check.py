"""`tidegate feed check` and `bench ingest`: what ingest makes of a file, in numbers."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidegate_cli.__main__ import run
from tidegate_cli.bench.ingest import TICKS_PER_S_GOAL
from tidegate_cli.bench.registry import find_bench
from tidegate_common.domain.ids import RunId
from tidegate_common.events.run import FeedSpec, RunSpec, SyntheticSpec
from tidegate_ingest.adapters.archive import write_archive
from tidegate_ingest.adapters.feed import open_feed

KEYS = ["file", "format", "rows_in", "rows_out", "rejected"]
KEYS += ["instruments", "first_time", "last_time"]
DAILY = "symbol,date,open,high,low,close,volume,amount\n"
MINUTES = "symbol,datetime,open,high,low,close,volume,amount\n"
LEVELS = tuple(
    f"{side}_{what}_{level}"
    for side in ("bid", "ask")
    for what in ("price", "volume")
    for level in range(1, 6)
)
SNAPSHOTS = "symbol,datetime,prev_close,open,high,low,last,volume,amount," + ",".join(LEVELS) + "\n"
BOOK = ",".join("9.9" if "bid_price" in name else "10" for name in LEVELS)


def _check(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert run(["feed", "check", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == KEYS
    assert found["rows_in"] == found["rows_out"] + sum(found["rejected"].values())
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            DAILY + "600519.SH,2023-02-01,10,10,10,10,100,1000\nx,2023-02-02,10,10,10,10,100,1\n",
            ("daily bars", 2, 1, {"bad_symbol": 1}, 1, "15:00:00.000"),
        ),
        (
            MINUTES + "600519,2023-02-01 09:31:00,10,10,10,10,100,1000\n"
            "000333,2023-02-01 09:31:00,10,10,10,10,100,1000\n",
            ("minute bars", 2, 2, {}, 2, "09:31:00.000"),
        ),
        (
            SNAPSHOTS + f"600519,2023-02-01T10:00:00.250,10,10,10,10,10,100,1000,{BOOK}\n",
            ("snapshot", 1, 1, {}, 1, "10:00:00.250"),
        ),
    ],
    ids=["daily", "minutes", "snapshots"],
)
def test_feed_check_of_a_feed_counts_rows_and_names_its_span(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    expected: tuple[str, int, int, dict[str, int], int, str],
) -> None:
    """Layout, rows in and out, reasons, shares, and Shanghai's times."""
    path = tmp_path / "file.csv"
    path.write_text(text, encoding="utf-8")

    found = _check(path, capsys)

    name, rows_in, rows_out, rejected, instruments, time = expected
    assert [found[key] for key in KEYS[:6]] == [
        *(str(path), name, rows_in, rows_out, rejected, instruments)
    ]
    assert found["first_time"] == found["last_time"] == f"2023-02-01T{time}+08:00"


def test_feed_check_of_trades_says_that_they_are_no_feed(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A known layout without quotes is no mistake of the user's to look at."""
    path = tmp_path / "trades.csv"
    header = "TradTime,TradPrice,TradVolume,TradeBSFlag\n"
    path.write_text(header + "09:30:00.000,10,100,B\n" * 3, encoding="utf-8")

    found = _check(path, capsys)

    assert found["format"] == "SSE trades: a stream of trades, without quotes"
    assert found["rejected"] == {"not_a_quote": 3}
    assert (found["instruments"], found["first_time"], found["last_time"]) == (0, None, None)


def test_feed_check_of_an_empty_order_stream_counts_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No row, no reason."""
    path = tmp_path / "orders.parquet"
    names = ("MDDate", "MDTime", "OrderType", "OrderPrice")
    pq.write_table(pa.table({name: pa.array([], pa.string()) for name in names}), path)

    assert _check(path, capsys)["rejected"] == {}


def test_feed_check_of_a_file_without_a_good_row_has_no_span(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where a run would refuse the file, the check says why: here a book beyond the limits."""
    path = tmp_path / "snapshots.csv"
    row = f"600519,2023-02-01 10:00:00,10,10,10,10,10,100,1000,{BOOK.replace('9.9', '8.9')}\n"
    path.write_text(SNAPSHOTS + row, encoding="utf-8")

    found = _check(path, capsys)

    assert found["rejected"] == {"beyond_limit": 1}
    assert (found["instruments"], found["first_time"]) == (0, None)


def test_feed_check_of_an_archive_counts_the_rows_of_its_beats(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What the platform wrote, it takes whole."""
    market = SyntheticSpec(beats_per_day=4, instrument_count=5)
    spec = RunSpec(RunId("r"), (), (), feed=FeedSpec(synthetic=market))
    quotes, *_ = write_archive(open_feed(spec).frames(), tmp_path)

    found = _check(quotes, capsys)

    assert found["format"] == "tidegate archive"
    assert found["rows_in"] == found["rows_out"]
    assert found["instruments"] == 5


def test_feed_check_for_people_is_a_table_a_file(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every reason has its line."""
    path = tmp_path / "d.csv"
    path.write_text(DAILY + "x,2023-02-01,10,10,10,10,100,1000\n", encoding="utf-8")

    assert run(["feed", "check", str(path), str(path)]) == 0

    out = capsys.readouterr().out
    assert out.count("bad_symbol") == out.count("first time") == 2


def test_feed_check_of_a_payload_counts_its_lines(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An empty quote is a line that came in."""
    path = tmp_path / "quotes.txt"
    path.write_text('var hq_str_sh600000="";\n', encoding="utf-8")

    found = _check(path, capsys)

    assert found["format"] == "sina payload"
    assert (found["rows_in"], found["rows_out"]) == (1, 0)


@pytest.mark.parametrize("name", ["notes.txt", "none.txt"])
def test_feed_check_of_another_text_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    """No quote service wrote it, or it is not there."""
    (tmp_path / "notes.txt").write_text("hello\n", encoding="utf-8")

    assert run(["feed", "check", str(tmp_path / name)]) == 2

    assert capsys.readouterr().err.count("\n") == 1


def test_feed_check_of_an_unknown_layout_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Say what is understood, and what is missing."""
    path = tmp_path / "d.csv"
    path.write_text("symbol,open\n600519,10\n", encoding="utf-8")

    assert run(["feed", "check", str(path)]) == 2

    error = capsys.readouterr().err
    assert error.startswith("tidegate: expected columns of one of: SSE snapshot")
    assert error.count("\n") == 1


def test_bench_ingest_reports_its_goal(capsys: pytest.CaptureFixture[str]) -> None:
    """Programs compare runs by these names."""
    assert "on one\ncore" in find_bench("ingest").details
    code = run(
        ["bench", "ingest", "--instruments", "300", "--frames", "4", "--repeats", "1", "--json"]
    )

    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert {each["metric"]: each["goal"] for each in report["results"]} == {
        "archive_ticks_per_s": TICKS_PER_S_GOAL,
        "snapshots_ticks_per_s": None,
        "broker_ticks_per_s": None,
        "bytes_per_tick": None,
        "bytes_per_tick_zstd": None,
        "ticks": None,
    }
    assert all(each["value"] > 0 for each in report["results"])


def test_feed_check_with_a_reference_says_how_much_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A user sees that the file was read, and what a row of it is that is wrong."""
    bars, reference = tmp_path / "bars.csv", tmp_path / "reference.csv"
    row = "600519.SH,2023-02-01,10,10,10,10,100,1000\n"
    bars.write_text(DAILY + row, encoding="utf-8")
    reference.write_text("symbol,date,cash\n600519.SH,2023-02-01,0.5\n", encoding="utf-8")
    argv = ["feed", "check", str(bars), "--reference", str(reference)]

    codes = [run([*argv, "--json"]), run(argv)]
    as_json, as_table = capsys.readouterr().out.split("\n", 1)
    reference.write_text("symbol,date,cash\n600519.SH,2023-02-01,half\n", encoding="utf-8")
    codes.append(run(argv))

    assert codes == [0, 0, 2]
    assert json.loads(as_json)["reference_rows"] == 1
    assert "1 rows of 1 instruments, 1 corporate actions" in " ".join(as_table.split())
    assert "row 1: cash must be a number in 0..10000, was half" in capsys.readouterr().err


def test_feed_check_of_tencents_daily_bars_says_what_they_are(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They look like the service's quotes, and no row of them could be a quote."""
    path = tmp_path / "days.json"
    path.write_text('{"code":0,"data":{"sh600000":{"qfqday":[["2023-02-01","1"]]}}}', "utf-8")

    assert run(["feed", "check", str(path)]) == 2

    assert "found Tencent's daily bars, which say no amounts" in capsys.readouterr().err
