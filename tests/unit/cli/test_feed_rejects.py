"""`tidegate feed rejects`: what people and programs see of refused rows."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from tidegate_cli.__main__ import run
from tidegate_cli.feed_rejects import RejectPrinter
from tidegate_common.domain.ids import RunId
from tidegate_common.events.ingest import RejectBatch, RejectedRow

ROWS = (
    RejectedRow("/data/quotes.csv", 12, "off_tick", '{"symbol": "600519.SH",\n"last": "[10.001]"}'),
    RejectedRow("sina", 3, "stale", 'var hq_str_sh600000="浦发银行,9.28";'),
    RejectedRow("sina", 3, "stale", "x" * 500),
)
BATCH = RejectBatch(RunId("r1"), 0, 0, 0, ROWS, lost_count=1_200)


def print_all(*, as_json: bool) -> None:
    """Print a batch."""
    printer = RejectPrinter(Console(width=40), as_json=as_json)
    printer.take_lost(BATCH.lost_count)
    for row in BATCH.rows:
        printer.take(BATCH, row)
    printer.finish()


def test_reject_printer_shows_one_line_a_row_and_the_sums(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """However long a record is, and whatever brackets it has."""
    print_all(as_json=False)

    assert capsys.readouterr().out.splitlines() == [
        'off_tick  quotes.csv:12  {"symbol": "600519.SH", "last": "[10.001]"}',
        'stale  sina:3  var hq_str_sh600000="浦发银行,9.28";',
        f"stale  sina:3  {'x' * 500}",
        "3 rows were refused: 2 stale, 1 off_tick; 1,200 were not kept",
    ]


def test_reject_printer_as_json_shows_one_object_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: the record as it came, the source with its folder."""
    print_all(as_json=True)

    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(found) == 3
    assert found[0] == {
        "run_id": "r1",
        "source": "/data/quotes.csv",
        "row": 12,
        "reason": "off_tick",
        "record": ROWS[0].record,
    }


def test_reject_printer_without_rows_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A clean feed is worth a line."""
    RejectPrinter(Console(), as_json=False).finish()

    assert capsys.readouterr().out == "0 rows were refused: none\n"


def test_feed_rejects_without_a_stack_says_where_to_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 2."""
    code = run(["feed", "rejects", "--data-dir", str(tmp_path)])

    assert code == 2
    assert f"no stack runs in {tmp_path}: name one with --data-dir" in capsys.readouterr().err
