"""Strategy files: found by name or path, and refused in one line."""

from pathlib import Path

import pytest
import yaml

from tidegate_common.errors import ConfigError
from tidegate_common.events.run import StrategySpec
from tidegate_signals.adapters.strategy_files import load_strategy, strategy_names
from tidegate_signals.engine.strategies.registry import STRATEGY_KINDS, complete_spec

SHIPPED = Path(__file__).resolve().parents[3] / "config" / "strategies"


@pytest.mark.parametrize("name", STRATEGY_KINDS)
def test_shipped_strategy_file_says_every_default(name: str) -> None:
    """What ships works as it is, and a reader sees everything that can be changed."""
    text = (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")

    spec = load_strategy(name, SHIPPED)

    assert spec == complete_spec(StrategySpec(name, name))
    assert set(yaml.safe_load(text)["parameters"]) == set(spec.parameters)


def test_shipped_strategies_are_listed() -> None:
    """The CLI shows what there is."""
    assert strategy_names(SHIPPED) == list(STRATEGY_KINDS)


def test_path_overrides_the_directory(tmp_path: Path) -> None:
    """A user's own file needs no place in the repository."""
    path = tmp_path / "mine.yml"
    path.write_text("name: mine\nkind: ma_cross\nversion: 1\nparameters: {fast: 3}\n")

    spec = load_strategy(str(path), SHIPPED)

    expected = {"fast": 3, "slow": 20, "full_scale_bps": 200}
    assert spec == StrategySpec("mine", "ma_cross", expected, "bar")


def test_file_may_say_its_period(tmp_path: Path) -> None:
    """The same strategy on minutes and on days is two files."""
    (tmp_path / "mine.yml").write_text("name: m\nkind: ma_cross\nversion: 1\nperiod: 15m\n")

    assert load_strategy("mine", tmp_path).period == "15m"


def test_file_without_parameters_takes_the_defaults(tmp_path: Path) -> None:
    """An empty `parameters:` is none, not an error."""
    (tmp_path / "mine.yml").write_text("name: m\nkind: rsi_reversal\nversion: 1\nparameters:\n")

    spec = load_strategy("mine", tmp_path)

    assert spec.parameters == {"window": 14, "oversold": 30, "overbought": 70}


def test_unknown_name_names_what_exists() -> None:
    """The message is the help."""
    with pytest.raises(ConfigError, match=r"bollinger_reversion, .*vwap.*\), was 'nope'"):
        load_strategy("nope", SHIPPED)


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
        ("- a", "expected a mapping with name, kind, version, period, parameters, "),
        ("name: m\nkind: ma_cross\nversion: 1\nspeed: 2", "found speed"),
        ("kind: ma_cross\nversion: 1", "name and kind must be texts, were None and 'ma_cross'"),
        ("name: m\nkind: ma_cross\nversion: 2", "version must be 1, was 2"),
        ("name: m\nkind: ma_cross\nversion: true", "version must be 1, was True"),
        ("name: m\nkind: ma_cross\nversion: 1\nparameters: [1]", "parameters must be a mapping"),
        ("name: m\nkind: cross\nversion: 1", "kind must be path/to/file.py:Name or one "),
        ("name: m\nkind: ma_cross\nversion: 1\nparameters: {fast: a}", "fast must be a whole"),
        (
            "name: m\nkind: ma_cross\nversion: 1\nperiod: 5",
            "period must be a text such as 1d, was 5",
        ),
        ("name: m\nkind: ma_cross\nversion: 1\nperiod: 2m", "m: period must be one of bar, beat"),
        (
            "name: m\nkind: ma_cross\nversion: 1\nparameters: {fast: 3, fast: 4}",
            'must be YAML, found: found fast twice in "<unicode string>", line 4, column 23',
        ),
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


@pytest.mark.parametrize("name", ["''", "two words", "a/b", "x" * 64, '"line\n\n  end"'])
def test_name_that_does_not_fit_an_address_is_refused(tmp_path: Path, name: str) -> None:
    """It is asked for in addresses, and stands in logs."""
    (tmp_path / "mine.yml").write_text(f"name: {name}\nkind: ma_cross\nversion: 1\n")

    with pytest.raises(ConfigError, match=r"mine\.yml: name must be letters, digits, _, - and \.,"):
        load_strategy("mine", tmp_path)


def test_name_may_be_of_any_script(tmp_path: Path) -> None:
    """People name strategies in their own language."""
    path = tmp_path / "mine.yml"
    path.write_text("name: 均线-5.20\nkind: ma_cross\nversion: 1\n", encoding="utf-8")

    assert load_strategy("mine", tmp_path).name == "均线-5.20"


def test_parameters_that_are_no_mapping_are_refused_also_when_they_are_nothing(
    tmp_path: Path,
) -> None:
    """A 0 in place of a mapping is a slip of the pen."""
    (tmp_path / "mine.yml").write_text("name: m\nkind: ma_cross\nversion: 1\nparameters: 0\n")

    with pytest.raises(ConfigError, match=r"parameters must be a mapping .*, was 0"):
        load_strategy("mine", tmp_path)
