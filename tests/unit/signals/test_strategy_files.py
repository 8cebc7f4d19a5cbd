"""Strategy files: found by name or path, and refused in one line."""

from pathlib import Path

import pytest

from tidegate_common.errors import ConfigError
from tidegate_common.events.run import StrategySpec
from tidegate_signals.adapters.strategy_files import load_strategy, strategy_names

SHIPPED = Path(__file__).resolve().parents[3] / "config" / "strategies"


@pytest.mark.parametrize("name", ["book_imbalance", "ma_cross", "rsi_reversal"])
def test_shipped_strategy_loads_by_name(name: str) -> None:
    """What ships must work as it is."""
    spec = load_strategy(name, SHIPPED)

    assert spec.name == name
    assert spec.parameters


def test_shipped_strategies_are_listed() -> None:
    """The CLI shows what there is."""
    assert strategy_names(SHIPPED) == ["book_imbalance", "ma_cross", "rsi_reversal"]


def test_path_overrides_the_directory(tmp_path: Path) -> None:
    """A user's own file needs no place in the repository."""
    path = tmp_path / "mine.yml"
    path.write_text("name: mine\nkind: ma_cross\nversion: 1\nparameters: {fast: 3}\n")

    spec = load_strategy(str(path), SHIPPED)

    expected = {"fast": 3, "slow": 20, "full_scale_bps": 200}
    assert spec == StrategySpec("mine", "ma_cross", expected)


def test_file_without_parameters_takes_the_defaults(tmp_path: Path) -> None:
    """An empty `parameters:` is none, not an error."""
    (tmp_path / "mine.yml").write_text("name: m\nkind: rsi_reversal\nversion: 1\nparameters:\n")

    spec = load_strategy("mine", tmp_path)

    assert spec.parameters == {"window": 14, "oversold": 30, "overbought": 70}


def test_unknown_name_names_what_exists() -> None:
    """The message is the help."""
    with pytest.raises(ConfigError, match=r"book_imbalance, ma_cross, rsi_reversal\), was 'macd'"):
        load_strategy("macd", SHIPPED)


def test_name_without_a_directory_is_refused(tmp_path: Path) -> None:
    """A wrong directory is the user's error, not a crash."""
    with pytest.raises(ConfigError, match=r"\(none\), was 'ma_cross'"):
        load_strategy("ma_cross", tmp_path / "nowhere")


def test_path_to_nothing_is_refused(tmp_path: Path) -> None:
    """A path says that a file was meant."""
    with pytest.raises(ConfigError, match="strategy file must exist, there is none at"):
        load_strategy(str(tmp_path / "gone.yaml"), SHIPPED)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "must be YAML, found: "),
        ("- a", "expected a mapping with name, kind, version, parameters, found "),
        ("name: m\nkind: ma_cross\nversion: 1\nspeed: 2", "found speed"),
        ("kind: ma_cross\nversion: 1", "name and kind must be texts, were None and 'ma_cross'"),
        ("name: m\nkind: ma_cross\nversion: 2", "version must be 1, was 2"),
        ("name: m\nkind: ma_cross\nversion: true", "version must be 1, was True"),
        ("name: m\nkind: ma_cross\nversion: 1\nparameters: [1]", "parameters must be a mapping"),
        ("name: m\nkind: macd\nversion: 1", "m: kind must be one of "),
        ("name: m\nkind: ma_cross\nversion: 1\nparameters: {fast: a}", "fast must be a whole"),
        ("\xff", "cannot be read: .utf-8. codec"),
    ],
)
def test_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    """A traceback is no message."""
    path = tmp_path / "mine.yaml"
    path.write_bytes(text.encode("latin-1"))

    with pytest.raises(ConfigError, match=message) as caught:
        load_strategy(str(path), SHIPPED)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
