"""`tidegate run`: a run's settings into a file, and its id back."""

from pathlib import Path

import pytest

from tidegate_cli.__main__ import run
from tidegate_cli.deployed_runs import awaited_run_id
from tidegate_common.codec import decode_event
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import RunSpec


def test_run_spec_writes_what_ingest_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The options of `tidegate up`, without a stack."""
    path = tmp_path / "run.json"

    code = run(
        [
            *("run", "spec", "--out", str(path), "--run-id", "one", "--instruments", "3"),
            *("--accounts", "2", "--strategy", "macd", "ma_cross"),
        ]
    )

    spec = decode_event(RunSpec, path.read_bytes())
    assert code == 0
    assert capsys.readouterr().out == f"run one is in {path}\n"
    assert spec.run_id == "one"
    assert [each.name for each in spec.strategies] == ["macd", "ma_cross"]
    assert len(spec.accounts) == 2
    assert spec.feed.synthetic is not None
    assert spec.feed.synthetic.instrument_count == 3
    assert list(tmp_path.iterdir()) == [path]


def test_run_spec_twice_says_the_same_bytes(tmp_path: Path) -> None:
    """Two pods that may feed one run write their files apart."""
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path in paths:
        run(["run", "spec", "--out", str(path), "--run-id", "one"])

    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_awaited_run_id_is_the_one_given_or_the_one_in_the_file(tmp_path: Path) -> None:
    """A container knows the file, a person the id."""
    path = tmp_path / "run.json"
    run(["run", "spec", "--out", str(path), "--run-id", "one"])

    assert awaited_run_id("two") == "two"
    assert awaited_run_id(str(path)) == "one"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("no id!", None, "RUN must be the id of a run or a .json file, was 'no id!'"),
        ("none.json", None, "none.json cannot be read: No such file"),
        ("bad.json", b"{}", "bad.json holds no run: "),
    ],
)
def test_awaited_run_id_of_anything_else_is_one_line(
    name: str, content: bytes | None, message: str, tmp_path: Path
) -> None:
    """Said before a database is asked."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=message.replace(".", r"\.").replace("!", r"\!")):
        awaited_run_id(str(path) if name.endswith(".json") else name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "spec", "--out", "{tmp}/none/run.json"], "cannot be written: No such file"),
        (["run", "spec", "--out", "{tmp}/r.json", "--max-wait-ms", "5"], "needs a paced run"),
        (["run", "spec"], "Missing option '--out'"),
        (["run", "wait", "a b"], "RUN must be the id of a run"),
        (["run", "wait", "one", "--stall-seconds", "-1"], "--stall-seconds"),
    ],
)
def test_run_mistakes_are_one_line_and_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback for what the user can mend."""
    code = run([argument.format(tmp=tmp_path) for argument in arguments])

    captured = capsys.readouterr()
    assert code == 2
    assert captured.err.count("\n") == 1
    assert message in captured.err
