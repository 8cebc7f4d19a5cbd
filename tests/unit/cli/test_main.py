"""Command lines in, exit codes and one line of complaint out."""

import json
from pathlib import Path

import pytest

from tidegate_cli.__main__ import run
from tidegate_cli.stack_file import StackFile, read_stack_file, write_stack_file

NO_PROCESS = 2**22 + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "No such command 'nope'"),
        (["up", "--nope"], "No such option: --nope"),
        (["up", "--shards", "0"], "--shards"),
        (["up", "--seed", "x"], "--seed"),
        (["up", "--speed", "fast"], "--speed must be max"),
        (["up", "--gateway-port", "70000", "--data-dir", "{tmp}"], "--gateway-port must be 1"),
        (["backtest", "--data", "none.parquet"], "none.parquet"),
        (["backtest", "--config-dir", "{tmp}/none"], "does not exist"),
        (["verify", "latest", "--data-dir", "{tmp}"], "there is no recording in"),
        (["bench", "nope"], "bench must be one of"),
        (["verify"], "Missing argument"),
    ],
)
def test_run_users_mistake_is_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No traceback for what the user can mend."""
    code = run([argument.format(tmp=tmp_path) for argument in arguments])

    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert captured.err.startswith("tidegate: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_run_backtest_json_prints_one_object_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The summary is for programs to read."""
    code = run(["backtest", "--instruments", "3", "--run-id", "one", "--json"])

    captured = capsys.readouterr()
    assert code == 0
    assert captured.err == ""
    document = json.loads(captured.out)
    assert list(document) == [
        *("run_id", "beats", "ticks", "scores", "decisions_accepted", "decisions_rejected"),
        *("orders", "fills", "fees_fen", "final_nav_fen", "dead_letters", "wall_s"),
        *("beats_per_s", "outcome_sha256"),
    ]
    assert document["run_id"] == "one"


def test_run_backtest_twice_has_one_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    """Same settings, same outcome, whatever the run is called."""
    hashes = set()
    for name in ("one", "two"):
        run(["backtest", "--instruments", "3", "--run-id", name, "--json"])
        hashes.add(json.loads(capsys.readouterr().out)["outcome_sha256"])

    assert len(hashes) == 1


def test_run_version_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The first thing that a bug report wants."""
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tidegate 0.")


def test_run_status_of_nothing_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scripts ask whether a stack runs."""
    assert run(["status", "--data-dir", str(tmp_path)]) == 1
    assert "no stack runs in" in capsys.readouterr().err


def test_stack_file_of_a_dead_stack_counts_as_none(tmp_path: Path) -> None:
    """A stack that was killed leaves its file behind."""
    write_stack_file(tmp_path, StackFile(pid=NO_PROCESS, run_id="r", addresses={}, urls={}))

    assert read_stack_file(tmp_path) is None


def test_stack_file_holds_passwords_for_its_owner_only(tmp_path: Path) -> None:
    """It has the addresses of the servers, passwords included."""
    write_stack_file(tmp_path, StackFile(pid=1, run_id="r", addresses={}, urls={}))

    assert (tmp_path / "stack.json").stat().st_mode & 0o777 == 0o600
    found = read_stack_file(tmp_path)
    assert found is not None
    assert found.run_id == "r"
