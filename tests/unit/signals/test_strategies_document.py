"""docs/strategies.md tells the truth: its tables are the code's, its example runs."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tidegate_common.domain.enums import BeatKind
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import StrategySpec
from tidegate_common.frames.frame import Frame
from tidegate_common.testing.builders import make_bar_rows, make_run_spec, make_stamp
from tidegate_signals.adapters.plugins import load_kinds
from tidegate_signals.adapters.strategy_files import load_strategy
from tidegate_signals.engine import SignalsEngine
from tidegate_signals.engine.features.averages import Macd
from tidegate_signals.engine.features.bands import Bollinger
from tidegate_signals.engine.features.catalogue import CATALOGUE, check_input
from tidegate_signals.engine.features.ranges import Donchian
from tidegate_signals.engine.features.spec import Field, Period, parse_input
from tidegate_signals.engine.strategies.registry import STRATEGY_KINDS, make_strategy
from tidegate_signals.engine.strategies.strategy import Day, Opinions, View

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "strategies.md").read_text(encoding="utf-8")


def cells(line: str) -> list[str]:
    """Return the cells of a table's row, without code marks."""
    return [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]


def rows_after(heading: str) -> list[list[str]]:
    """Return the rows of the table that begins with a heading, without its first two lines."""
    lines = PAGE[PAGE.index(heading) :].splitlines()[2:]
    count = next(number for number, line in enumerate(lines) if not line.startswith("|"))
    return [cells(line) for line in lines[:count]]


def ask_dip(path: Path, *, close: list[float], trend: list[float], index: list[float]) -> Opinions:
    """Return what the page's example says, loaded as a user loads it."""
    spec = load_strategy(f"{path}:Dip", path.parent)
    strategy = make_strategy(spec, load_kinds([spec]))
    columns = {"close": close, "trend": trend, "index": index}
    values = {name: np.array(column) for name, column in columns.items()}
    return strategy.score(View(Day(20230201, is_month_start=True), values))


@pytest.fixture
def dip(tmp_path: Path) -> Path:
    """Return the page's example, saved as it says."""
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "dip.py"
    path.write_text(source, encoding="utf-8")
    return path


def test_example_of_the_page_scores_as_it_says(dip: Path) -> None:
    """A walk-through that does not work is worse than none."""
    opinions = ask_dip(
        dip,
        close=[110.0, 110.0, 110.0, 90.0],
        trend=[100.0] * 4,
        index=[0.0, 5.0, 50.0, 0.0],
    )

    np.testing.assert_allclose(opinions.score, [1.0, 0.5, 0.0, -1.0])
    np.testing.assert_allclose(opinions.reasons["rsi"], [0.0, 5.0, 50.0, 0.0])
    np.testing.assert_allclose(opinions.reasons["above_trend"], [0.1, 0.1, 0.1, -0.1])


def test_example_of_the_page_has_no_opinion_of_what_is_unknown(dip: Path) -> None:
    """The very mistake that the page warns of."""
    nan = float("nan")

    opinions = ask_dip(dip, close=[110.0] * 2, trend=[100.0, nan], index=[nan, 5.0])

    assert np.isnan(opinions.score).all()


def test_example_of_the_page_runs_in_the_engine(dip: Path) -> None:
    """From 10.00 down to 8.00 and up to 8.20: an RSI(2) of 100/11, above the mean of the two."""
    text = "name: dip\nkind: dip.py:Dip\nversion: 1\nparameters: {trend: 2}\n"
    (dip.parent / "dip.yaml").write_text(text, encoding="utf-8")
    spec = replace(make_run_spec(), strategies=(load_strategy("dip", dip.parent),))
    engine = SignalsEngine(spec, load_kinds(spec.strategies))

    for beat, close_e4 in enumerate((100_000, 80_000, 82_000)):
        close = np.full(1, close_e4)
        rows = replace(
            make_bar_rows(1),
            open_e4=close,
            high_e4=close,
            low_e4=close,
            close_e4=close,
            volume_shares=np.full(1, 100),
        )
        scores = engine.on_beat(Frame(make_stamp(beat, kind=BeatKind.CLOSE), 0, rows)).scores

    assert scores.strategies == ("dip",)
    assert scores.reason_names == (("rsi", "above_trend"),)
    assert scores.score_e6.tolist() == [round(1e6 * (1 - 10 / 11))]
    assert scores.reason_e6[0, :2].tolist() == [round(1e8 / 11), round(1e6 / 81)]


def test_example_of_the_page_refuses_a_wrong_parameter(dip: Path) -> None:
    """Ranges hold for a user's class as for ours, and its file can be named in YAML."""
    text = "name: d\nkind: dip.py:Dip\nversion: 1\nparameters: {oversold: 51}\n"
    (dip.parent / "d.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match="d: oversold must be 1 to 50, was 51"):
        load_strategy("d", dip.parent)


def test_kinds_of_the_page_are_those_that_ship() -> None:
    """Each kind once, with its periods, the usual one first, and whether it is ranked."""
    rows = rows_after("| Kind | Idea |")

    assert sorted(row[0] for row in rows) == list(STRATEGY_KINDS)
    for kind, idea, _, periods in rows:
        strategy = STRATEGY_KINDS[kind]
        assert ("**ranked**" in idea) == strategy.IS_RANKED
        left_out = [period for period in Period if period not in strategy.PERIODS]
        everything = f"all but {' '.join(left_out)}" if left_out else "all"
        listed = " ".join(strategy.PERIODS)
        assert periods in {listed, f"{everything}, {strategy.PERIODS[0]} first"}


def test_parameters_of_the_page_are_those_of_the_classes() -> None:
    """Default and range in the page are what the checks use."""
    found: dict[str, list[list[str]]] = {}
    kind = ""
    for first, *row in rows_after("| Kind | Parameter |"):
        kind = first or kind
        found.setdefault(kind, []).append(row[:3])

    assert {kind: sorted(rows) for kind, rows in found.items()} == {
        kind: sorted(
            [each.name, str(each.default), f"{each.minimum} to {each.maximum}"]
            for each in strategy.PARAMETERS
        )
        for kind, strategy in STRATEGY_KINDS.items()
    }


def test_inputs_of_the_page_are_all_that_can_be_read() -> None:
    """Every indicator and every field is there, and each that is there can be declared."""
    texts = [text for row in rows_after("| Input | Value |") for text in row[0].split()]

    declared = [
        parse_input(text.replace("fast,slow,signal", "12,26,9").replace("n", "20"), Period.BEAT)
        for text in (each.replace("tenths", "20") for each in texts)
    ]
    assert {each.indicator.name for each in declared} == {*CATALOGUE, *Field.__members__}
    for each in declared:
        if each.indicator.name not in {"MACD", "BOLLINGER", "DONCHIAN"}:
            check_input(each)


def test_outputs_of_the_page_can_be_read() -> None:
    """An indicator with several values needs its output's name."""
    rows = {row[0]: row[1] for row in rows_after("| Input | Value |")}

    for name, indicator, numbers in (
        ("MACD", Macd, "12,26,9"),
        ("BOLLINGER", Bollinger, "20,20"),
        ("DONCHIAN", Donchian, "20"),
    ):
        ((outputs,),) = ([text] for given, text in rows.items() if given.startswith(name))
        named = re.findall(r"\.([a-z_]+)", outputs)
        assert sorted(named) == sorted(indicator.OUTPUTS)
        for output in named:
            check_input(parse_input(f"{name}({numbers}).{output}", Period.DAY))


def test_yaml_of_the_page_is_a_strategy_file(tmp_path: Path) -> None:
    """The first thing that a reader copies."""
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "slow_cross.yaml").write_text(text, encoding="utf-8")

    spec = load_strategy("slow_cross", tmp_path)

    expected = {"fast": 20, "slow": 60, "full_scale_bps": 200}
    assert spec == StrategySpec("slow_cross", "ma_cross", expected, "1d")
