"""`tidegate rules --csv`: the same answers for many rows, and nothing half done."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from tidegate_cli.__main__ import run
from tidegate_cli.rules.bulk import ADDED_COLUMNS, answer_file
from tidegate_cli.rules.command import RuleWords, ask
from tidegate_common.errors import ConfigError
from tidegate_common.market.answers import answer_json
from tidegate_common.market.calendar import xshg_calendar

FULL_HEADER = "instrument,date,prev_close,is_st,listed,status,status_since,note"
FULL_ROWS = (
    '600519.SH,2023-02-01,1800.00,0,2001-08-27,listed,,"a, b"',
    "000010.SZ,20260630,1.7,1,,,,",
    "000010.SZ,2026-07-06,1.87,true,,,,",
    "000010.SZ,2026-06-30,1.70,,,*ST,,",
    "688981.SH,2020-07-16,27.46,0,2020-07-16,,,",
    "688981.SH,2020-07-23,76.20,0,2020-07-16,,,",
    "688981.SH,2019-07-19,10,0,,,,",
    "000792.SZ,2021-08-10,8.84,0,1997-09-04,relisting,,",
    "000018.SZ,2019-11-26,0.74,1,,delisting,,",
    "300001.SZ,2020-08-27,1.00,0,,delisting,2020-08-03,",
    "300001.SZ,2023-06-01,1.00,0,,delisting_first_day,,",
    "920002.BJ,2024-07-01,84.63,0,,,,",
    "600000.SH,2011-03-01,10,1,,,,",
    "600000.SH,2023-06-01,10,0,,not_listed,,",
)


def write(path: Path, *lines: str) -> Path:
    """Write lines to a file."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file by column."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_answer_file_keeps_columns_and_order_and_adds_the_answers(tmp_path: Path) -> None:
    """What came in goes out unchanged, with the added columns behind it."""
    source = write(tmp_path / "in.csv", FULL_HEADER, *FULL_ROWS)

    count = answer_file(source, tmp_path / "out.csv", xshg_calendar())

    rows, asked = read(tmp_path / "out.csv"), read(source)
    assert count == len(FULL_ROWS)
    assert list(rows[0]) == [*FULL_HEADER.split(","), *ADDED_COLUMNS]
    assert [{name: row[name] for name in asked[0]} for row in rows] == asked


def test_answer_file_and_one_by_one_agree(tmp_path: Path) -> None:
    """Arrays answer the file, plain integers the person."""
    source = write(tmp_path / "in.csv", FULL_HEADER, *FULL_ROWS)

    answer_file(source, tmp_path / "out.csv", xshg_calendar())

    for row in read(tmp_path / "out.csv"):
        words = RuleWords(
            row["instrument"],
            row["date"],
            row["prev_close"],
            row["is_st"] in {"1", "true"},
            row["listed"],
            row["status"],
            row["status_since"],
        )
        document = answer_json(ask(words, xshg_calendar()).rules)
        expected = {name: document[name] for name in ADDED_COLUMNS}
        assert {name: row[name] for name in ADDED_COLUMNS} == {
            name: "" if value is None else str(value) for name, value in expected.items()
        }


def test_rules_csv_without_optional_columns_answers_and_says_how_many(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Three columns are enough; a byte order mark and blank lines are no rows."""
    source = tmp_path / "in.csv"
    source.write_text(
        "\ufeffprev_close,instrument,date\n1800,600519.SH,2023-02-01\n\n3.14,000001.SZ,20230201\n",
        encoding="utf-8",
    )
    target = tmp_path / "out.csv"

    code = run(["rules", "--csv", str(source), "--out", str(target)])

    assert code == 0
    assert capsys.readouterr().out.startswith("2 rows answered in ")
    assert [row["limit_up"] for row in read(target)] == ["1980.00", "3.45"]


def test_rules_csv_with_json_prints_an_object_as_every_command_does(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A program reads the last line, whichever way it asked."""
    source = write(tmp_path / "in.csv", "instrument,date,prev_close", "600519.SH,2023-02-01,1800")
    target = tmp_path / "out.csv"

    code = run(["rules", "--csv", str(source), "--out", str(target), "--json"])

    assert code == 0
    assert json.loads(capsys.readouterr().out) == {"rows": 1, "out": str(target)}


def test_answer_file_without_rows_has_a_header_and_no_answers(tmp_path: Path) -> None:
    """A day without questions is no mistake."""
    source = write(tmp_path / "in.csv", "instrument,date,prev_close")

    count = answer_file(source, tmp_path / "out.csv", xshg_calendar())

    assert count == 0
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == (
        f"instrument,date,prev_close,{','.join(ADDED_COLUMNS)}\n"
    )


def test_answer_file_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    """Who shares a file under two names finds the answers under both."""
    source = write(tmp_path / "in.csv", "instrument,date,prev_close", "600519.SH,2023-02-01,1800")
    (tmp_path / "link.csv").symlink_to(tmp_path / "out.csv")

    answer_file(source, tmp_path / "link.csv", xshg_calendar())

    assert (tmp_path / "link.csv").is_symlink()
    assert read(tmp_path / "out.csv")[0]["limit_up"] == "1980.00"


def test_answer_file_may_overwrite_its_own_source(tmp_path: Path) -> None:
    """The file is read whole before it is replaced."""
    source = write(tmp_path / "in.csv", "instrument,date,prev_close", "600519.SH,2023-02-01,1800")

    answer_file(source, source, xshg_calendar())

    assert read(source)[0]["limit_down"] == "1620.00"
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_answer_file_of_a_whole_market_has_every_row(tmp_path: Path) -> None:
    """Rows of many days come back in the order of the file, whatever that is."""
    random = np.random.default_rng(3)
    days = random.permutation(np.repeat(xshg_calendar().sessions[-40:-20], 50)).tolist()
    lines = [f"{600_000 + i % 50}.SH,{day},{10 + i / 100:.2f}" for i, day in enumerate(days)]
    source = write(tmp_path / "in.csv", "instrument,date,prev_close", *lines)

    answer_file(source, tmp_path / "out.csv", xshg_calendar())

    rows = read(tmp_path / "out.csv")
    assert [f"{row['instrument']},{row['date']},{row['prev_close']}" for row in rows] == lines
    assert {row["limit_state"] for row in rows} == {"LIMITED"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["instrument,date", "600519.SH,2023-02-01"], "missing: prev_close"),
        (["", ""], "found: nothing"),
        (["instrument,date,prev_close,board", "600519.SH,2023-02-01,1,x"], "found: board"),
        (["instrument,date,prev_close,a,a", "600519.SH,2023-02-01,1,x,y"], "found again: 'a'"),
        (["instrument, date,prev_close", "600519.SH,2023-02-01,1"], "found: 'instrument', ' date'"),
        (
            ["instrument,date,prev_close", "600519.SH,2023-02-01,1", "600519.SH,2023-02-01"],
            "expected 3 fields, found 2 ({tmp}/in.csv, line 3)",
        ),
        (
            ["instrument,date,prev_close", "", "abc,2023-02-01,1"],
            "must look like 600519.SH, 000001.SZ or 430047.BJ, was 'abc' ({tmp}/in.csv, line 3)",
        ),
        (
            ["instrument,date,prev_close", "900901.SH,2023-02-01,1"],
            "board is unknown (a fund is asked one by one, with --board) ({tmp}/in.csv, line 2)",
        ),
        (
            ["instrument,date,prev_close", "600519.SH,2023-02-04,1", "600519.SH,2023-01-21,1"],
            "2023-02-04; nearest: 2023-02-03 and 2023-02-06 ({tmp}/in.csv, line 2)",
        ),
        (["instrument,date,prev_close", "600519.SH,2027-02-01,1"], "is not in the trading cal"),
        (["instrument,date,prev_close", "600519.SH,2023-02-01,-1"], "prev_close must be a price"),
        (
            ["instrument,date,prev_close,is_st", "600519.SH,2023-02-01,1,x"],
            "is_st must be 0, 1, true, false, unknown or empty, was 'x'",
        ),
        (
            ["instrument,date,prev_close,status", "600519.SH,2023-02-01,1,x"],
            "status must be one of listed, normal",
        ),
        (
            ["instrument,date,prev_close,listed", "600519.SH,2023-02-01,1,2023-02-02"],
            "listed must not be after 2023-02-01, was 2023-02-02 ({tmp}/in.csv, line 2)",
        ),
        (
            ["instrument,date,prev_close,status_since", "600519.SH,2023-02-01,1,2023-02-02"],
            "status_since must not be after 2023-02-01",
        ),
    ],
)
def test_rules_csv_mistake_is_one_line_with_its_place_and_writes_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    lines: list[str],
    message: str,
) -> None:
    """Half a file of answers is worse than none."""
    source = write(tmp_path / "in.csv", *lines)

    code = run(["rules", "--csv", str(source), "--out", str(tmp_path / "out.csv")])

    captured = capsys.readouterr()
    assert code == 2
    assert captured.err.count("\n") == 1
    assert message.format(tmp=tmp_path) in captured.err
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_answer_file_of_what_is_no_text_or_not_there_raises(
    tmp_path: Path,
    content: bytes | None,
) -> None:
    """A spreadsheet under the name of a CSV file, or a slip in the name."""
    source = tmp_path / "in.csv"
    if content is not None:
        source.write_bytes(content)

    with pytest.raises(ConfigError, match="expected a CSV file in UTF-8, found: "):
        answer_file(source, tmp_path / "out.csv", xshg_calendar())


@pytest.mark.parametrize(
    "target", ["none/out.csv", "../in.csv/out.csv", ".", "..", "/", "pipe", "a" * 300]
)
def test_answer_file_to_where_nothing_can_be_written_raises(tmp_path: Path, target: str) -> None:
    """The user's mistake, told as one."""
    source = write(tmp_path / "in.csv", "instrument,date,prev_close", "600519.SH,2023-02-01,1800")
    (tmp_path / "sub").mkdir()
    os.mkfifo(tmp_path / "sub" / "pipe")

    with pytest.raises(ConfigError, match="--out must be a file that can be written"):
        answer_file(source, tmp_path / "sub" / target, xshg_calendar())
