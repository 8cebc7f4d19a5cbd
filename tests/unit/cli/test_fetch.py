"""`tidegate fetch daily`: what it says, without a question to anybody."""

import json
from pathlib import Path

import pytest

from tidegate_cli.__main__ import run

FETCH = ["fetch", "daily", "--to", "2023-02-03", "--symbols", "600000.SH,000001.SZ"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "yesterday"], "--from must be a day such as 2023-02-01, was 'yesterday'"),
        (["--from", "2023-02-04"], "--to not before it"),
        (["--from", "2023-02-01", "--source", "tushare"], "must be one of baostock, akshare"),
        (["--from", "2023-02-01", "--symbols", "600000"], "symbol must look like 600519.SH"),
        (["--from", "2023-02-01", "--symbols", "sh1"], "symbol must look like"),
    ],
)
def test_fetch_daily_with_a_mistake_of_the_users_asks_nobody(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line, exit code 2."""
    assert run([*FETCH, *arguments]) == 2

    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert message in captured.err


@pytest.mark.parametrize("flag", ["--json", "--from=2023-02-01"])
def test_fetch_daily_of_files_that_are_there_asks_nobody(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    flag: str,
) -> None:
    """The second time the command is free; the source would be asked for each share without."""
    paths = [
        tmp_path / "baostock" / f"{symbol}_20230201_20230203.csv"
        for symbol in ("600000.SH", "000001.SZ")
    ]
    paths[0].parent.mkdir()
    for path in paths:
        path.write_text("there", encoding="utf-8")

    code = run([*FETCH, "--from", "2023-02-01", "--out", str(tmp_path), flag])

    said = capsys.readouterr().out
    assert code == 0
    if flag == "--json":
        expected = {"folder": str(tmp_path / "baostock"), "written": [], "failed": {}, "rows": 0}
        assert json.loads(said) == {**expected, "skipped": [str(path) for path in paths]}
    else:
        assert said.endswith("2 were there, 0 failed\n")
