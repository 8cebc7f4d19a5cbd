"""`--strategy`: a name, a strategy file, or a class in a user's file."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tidegate_cli.app import app
from tidegate_cli.argv import spread_values
from tidegate_cli.compose import RunOptions, compose_run
from tidegate_common.clock import ManualClock
from tidegate_common.errors import ConfigError

MINE = """\
from tidegate_signals.engine.strategies.strategy import Opinions, Strategy


class Mine(Strategy):
    def __init__(self, parameters):
        self.inputs = {"close": "CLOSE"}

    def score(self, view):
        return Opinions(view["close"] * 0.0)
"""


def test_strategy_option_takes_all_three_forms(tmp_path: Path) -> None:
    """They may stand beside one another in one run."""
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    named = tmp_path / "named.yaml"
    named.write_text("name: named\nkind: mine.py:Mine\nversion: 1\nperiod: 5m\n", encoding="utf-8")
    options = RunOptions(strategies=("macd", str(named), f"{tmp_path / 'mine.py'}:Mine"))

    strategies = compose_run(options, ManualClock()).strategies

    assert [each.name for each in strategies] == ["macd", "named", "Mine"]
    assert [each.period for each in strategies] == ["bar", "5m", "bar"]
    assert strategies[0].source_sha256 == ""
    assert strategies[1].source_sha256 == strategies[2].source_sha256 != ""


def test_strategy_option_of_an_edited_file_makes_another_run(tmp_path: Path) -> None:
    """The id tells the settings, and a user's code is one of them."""
    path = tmp_path / "mine.py"
    options = RunOptions(strategies=(f"{path}:Mine",))
    path.write_text(MINE, encoding="utf-8")
    before = compose_run(options, ManualClock())

    path.write_text(MINE + "# edited\n", encoding="utf-8")

    assert compose_run(options, ManualClock()).run_id != before.run_id


def test_strategy_option_names_the_mistake_in_a_users_file(tmp_path: Path) -> None:
    """One line with the place, before anything starts."""
    path = tmp_path / "mine.py"
    path.write_text(MINE + "oops\n", encoding="utf-8")
    options = RunOptions(strategies=(f"{path}:Mine",))

    with pytest.raises(ConfigError, match=r"mine\.py: line 10: NameError: name 'oops' is not def"):
        compose_run(options, ManualClock())


def test_strategy_option_spreads_over_several_values() -> None:
    """`--strategy a b` is how people write two."""
    given = spread_values(["backtest", "--strategy", "macd", "mine.py:Mine"])

    assert given == ["backtest", "--strategy", "macd", "--strategy", "mine.py:Mine"]


@pytest.mark.parametrize("command", ["up", "backtest"])
def test_help_of_the_strategy_option_tells_the_forms(command: str) -> None:
    """Who does not know the form `file.py:Name` cannot guess it."""
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})

    assert "path/to/file.py:Name" in result.stdout
