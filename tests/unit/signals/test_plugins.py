"""Users' strategies: found by path and by entry point, pinned, and refused in one line."""

import hashlib
import sys
from pathlib import Path

import pytest

from tidegate_common.errors import ConfigError
from tidegate_common.events.run import StrategySpec
from tidegate_signals.adapters.plugins import (
    entry_point_names,
    is_path_kind,
    load_kinds,
    pin_spec,
)
from tidegate_signals.adapters.strategy_files import load_strategy
from tidegate_signals.engine.strategies.registry import STRATEGY_KINDS, make_strategy

HEAD = """\
import numpy as np
from tidegate_signals.engine.features.spec import Period
from tidegate_signals.engine.strategies.strategy import Opinions, Parameter, Strategy, View

"""
MINE = (
    HEAD
    + """\
class Mine(Strategy):
    PARAMETERS = (Parameter("window", default=5, minimum=1, maximum=9),)
    PERIODS = (Period.DAY, Period.BAR)

    def __init__(self, parameters):
        self.inputs = {"mean": f"SMA({parameters['window']})"}
        self.reasons = ("mean",)

    def score(self, view):
        return Opinions(view["mean"], {"mean": view["mean"]})
"""
)


def write(folder: Path, source: str, name: str = "mine.py") -> Path:
    """Return a file with a user's code."""
    path = folder / name
    path.write_text(source, encoding="utf-8")
    return path


def mine_with(old: str, new: str) -> str:
    """Return the working example with one change."""
    assert old in MINE
    return MINE.replace(old, new)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a package with the entry points `mine` and `twice` (of two packages)."""
    write(tmp_path, MINE, "my_package.py")
    offers = "[tidegate.strategies]\ntwice = my_package:Mine\n"
    for package, more in {
        "first": "mine = my_package:Mine\nlost = my_package:Lost\n",
        "second": "nothing = my_package:np\n",
    }.items():
        metadata = tmp_path / f"{package}-1.0.dist-info"
        metadata.mkdir()
        write(metadata, f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", "METADATA")
        write(metadata, offers + more, "entry_points.txt")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_package", raising=False)
    return tmp_path


def test_pinned_spec_of_a_file_names_all_that_its_scores_depend_on(tmp_path: Path) -> None:
    """Every process of a run, and a later verify, finds the same class in the same file."""
    path = write(tmp_path, MINE)

    spec = pin_spec(StrategySpec("mine", f"{path}:Mine"))

    sha256 = hashlib.sha256(MINE.encode()).hexdigest()
    assert spec == StrategySpec("mine", f"{path}:Mine", {"window": 5}, "1d", sha256)


def test_pinned_spec_loads_as_a_strategy(tmp_path: Path) -> None:
    """What was defined on one machine is made on another from the declaration alone."""
    spec = pin_spec(StrategySpec("mine", f"{write(tmp_path, MINE)}:Mine", {"window": 3}))

    kinds = load_kinds([spec, StrategySpec("cross", "ma_cross")])

    assert make_strategy(spec, kinds).inputs == {"mean": "SMA(3)"}
    assert kinds.keys() == {*STRATEGY_KINDS, spec.kind}


def test_shipped_kinds_need_no_file() -> None:
    """Most runs name no user's class at all."""
    spec = StrategySpec("cross", "ma_cross")

    assert load_kinds([spec]) == STRATEGY_KINDS
    assert pin_spec(spec).source_sha256 == ""


def test_file_that_changed_since_the_run_was_defined_is_refused(tmp_path: Path) -> None:
    """What was tested is what runs."""
    path = write(tmp_path, MINE)
    spec = pin_spec(StrategySpec("mine", f"{path}:Mine"))
    write(tmp_path, MINE + "# better\n")

    with pytest.raises(ConfigError, match=f"mine: the file of .* defined, {spec.source_sha256},"):
        load_kinds([spec])


def test_file_that_is_not_the_one_of_the_run_is_not_even_run(tmp_path: Path) -> None:
    """A declaration comes over the wire: it must not be able to run whatever lies at a path."""
    path = write(tmp_path, MINE + "open(__file__ + '.ran', 'w').close()\n")
    spec = StrategySpec("mine", f"{path}:Mine", source_sha256="0" * 64)

    with pytest.raises(ConfigError, match="SHA-256"):
        load_kinds([spec])

    assert not list(tmp_path.glob("*.ran"))


def test_declaration_without_a_sha256_is_refused(tmp_path: Path) -> None:
    """A run that came from elsewhere does not run whatever lies at a path."""
    spec = StrategySpec("mine", f"{write(tmp_path, MINE)}:Mine")

    with pytest.raises(ConfigError, match=r"which the run was defined, none, was [0-9a-f]{64}"):
        load_kinds([spec])


def test_file_edited_between_two_loads_is_loaded_anew(tmp_path: Path) -> None:
    """A notebook or a server that stays up must not go on with old code."""
    kind = f"{write(tmp_path, MINE)}:Mine"
    before = pin_spec(StrategySpec("mine", kind))
    write(tmp_path, mine_with("default=5", "default=6"))

    after = pin_spec(StrategySpec("mine", kind))

    assert (before.parameters, after.parameters) == ({"window": 5}, {"window": 6})
    assert before.source_sha256 != after.source_sha256


def test_class_is_one_and_the_same_when_loaded_twice(tmp_path: Path) -> None:
    """Two strategies of one file share what the file makes once."""
    spec = pin_spec(StrategySpec("mine", f"{write(tmp_path, MINE)}:Mine"))

    assert load_kinds([spec])[spec.kind] is load_kinds([spec])[spec.kind]


def test_file_may_define_dataclasses(tmp_path: Path) -> None:
    """They look for their own module while it is being run."""
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n\n"
        "@dataclass\nclass Memo:\n    number: int = 1\n\n" + MINE
    )

    assert pin_spec(StrategySpec("mine", f"{write(tmp_path, source)}:Mine")).period == "1d"


def test_relative_path_is_looked_for_beside_the_strategy_file_first(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A folder with a strategy can be moved whole; else the working directory counts."""
    beside, here = tmp_path / "beside", tmp_path / "here"
    for folder in (beside, here):
        folder.mkdir()
        write(folder, MINE)
    write(here, MINE, "other.py")
    monkeypatch.chdir(here)

    found = [
        pin_spec(StrategySpec("mine", kind), beside).kind
        for kind in ("mine.py:Mine", "other.py:Mine")
    ]

    assert found == [f"{beside / 'mine.py'}:Mine", f"{here / 'other.py'}:Mine"]


def test_strategy_option_takes_a_class_of_a_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`--strategy path/to/file.py:Name` needs no strategy file; the class's name is the name."""
    path = write(tmp_path, MINE)
    monkeypatch.chdir(tmp_path)

    spec = load_strategy("mine.py:Mine", tmp_path / "nowhere")

    assert (spec.name, spec.kind, spec.parameters) == ("Mine", f"{path}:Mine", {"window": 5})


def test_strategy_file_may_name_a_class_of_a_file_beside_it(tmp_path: Path) -> None:
    """So parameters and period of a user's own strategy live in versioned YAML too."""
    path = write(tmp_path, MINE)
    text = "name: m\nkind: mine.py:Mine\nversion: 1\nperiod: bar\nparameters: {window: 2}\n"
    write(tmp_path, text, "mine.yaml")

    spec = load_strategy("mine", tmp_path)

    assert (spec.name, spec.kind, spec.period) == ("m", f"{path}:Mine", "bar")
    assert spec.parameters == {"window": 2}


def test_installed_strategy_is_found_by_its_entry_point(installed: Path) -> None:
    """A package can offer strategies to every user of the machine."""
    spec = load_strategy("mine", installed / "nowhere")

    sha256 = hashlib.sha256(MINE.encode()).hexdigest()
    assert spec == StrategySpec("mine", "mine", {"window": 5}, "1d", sha256)
    assert load_kinds([spec])["mine"].__name__ == "Mine"
    assert {"lost", "mine", "nothing", "twice"} <= set(entry_point_names())


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("lost", "entry point lost = my_package:Lost: AttributeError: .*Lost"),
        ("nothing", "nothing must be a subclass of .*Strategy, was <module 'numpy'"),
        ("twice", "one installed package may offer kind twice, found my_package:Mine, my_pack"),
        ("gone", "kind must be path/to/file.py:Name or one of .*, vwap_reversion, .*mine, .* gone"),
    ],
)
def test_wrong_entry_point_is_refused(installed: Path, kind: str, message: str) -> None:
    """A broken package is named, not traced back."""
    with pytest.raises(ConfigError, match=message):
        pin_spec(StrategySpec("mine", kind))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "must have a class Mine, its strategies are: none"),
        (MINE.replace("class Mine", "class Yours"), "must have a class Mine, .* are: Yours"),
        (MINE + "class Mine:\n    pass\n", "Mine must be a subclass of .*Strategy, was <class"),
        (MINE + "Mine = 3\n", "Mine must be a subclass of .*Strategy, was 3"),
        (mine_with("def score", "def scores"), "Mine must define score"),
        (HEAD + "Mine = Strategy\n", "Mine must define __init__, score"),
        ("import tidegate_gone\n", "line 1: ModuleNotFoundError: No module named 'tidegate_gone'"),
        (HEAD + "\nlog = 1 / 0\n", "line 6: ZeroDivisionError: division by zero"),
        (HEAD + "class Mine(Strategy)\n", "line 5: SyntaxError: expected ':'"),
        ("\0", "mine.py: (Syntax|Value)Error: source code string cannot contain null bytes"),
        (MINE + "raise SystemExit(3)\n", "line 15: SystemExit: 3"),
        (mine_with("default=5", "default=10"), "mine: window must be 1 to 9, was 10"),
        (mine_with("SMA(", "SMMA("), r"mine: input mean = 'SMMA\(5\)': "),
        (
            mine_with("        self.inputs =", "        inputs ="),
            "inputs must be a mapping .* None",
        ),
        (mine_with("['window']", "['windows']"), "line 10: KeyError: 'windows'"),
        (mine_with('view["mean"], {', 'view["means"], {'), "line 14: KeyError: 'means'"),
        (mine_with('{"mean": view["mean"]}', "{}"), "reasons must be .'mean',., were "),
        (
            mine_with('Opinions(view["mean"],', "Opinions(np.zeros(1),"),
            "score must be .*float64",
        ),
    ],
)
def test_wrong_class_is_refused_in_one_line_when_the_run_is_defined(
    tmp_path: Path,
    source: str,
    message: str,
) -> None:
    """A slip of the pen shows before the first beat, with the place in the user's file."""
    path = write(tmp_path, source)

    with pytest.raises(ConfigError, match=message) as caught:
        pin_spec(StrategySpec("mine", f"{path}:Mine"))

    assert "\n" not in str(caught.value)


def test_file_that_failed_leaves_no_module_behind(tmp_path: Path) -> None:
    """Half a module must not pass for a whole one at the next load."""
    path = write(tmp_path, MINE + "raise RuntimeError('late')\n")

    for _ in range(2):
        with pytest.raises(ConfigError, match="line 15: RuntimeError: late"):
            pin_spec(StrategySpec("mine", f"{path}:Mine"))


def test_own_config_error_is_passed_on(tmp_path: Path) -> None:
    """A user's class checks its parameters as ours do."""
    source = "from tidegate_common.errors import ConfigError\n" + mine_with(
        "        self.inputs", '        raise ConfigError("mine: too fast")\n        self.inputs'
    )

    with pytest.raises(ConfigError, match=r"^mine: too fast$"):
        pin_spec(StrategySpec("mine", f"{write(tmp_path, source)}:Mine"))


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """The path that was looked for is the message."""
    with pytest.raises(ConfigError, match=r"strategy file .*gone\.py cannot be read: No such file"):
        pin_spec(StrategySpec("mine", f"{tmp_path / 'gone.py'}:Mine"))


@pytest.mark.parametrize("form", ["{}", "./mine.py"])
def test_file_without_a_class_is_refused(tmp_path: Path, form: str) -> None:
    """A file may hold several classes, so a path alone says too little."""
    name = form.format(write(tmp_path, MINE))

    with pytest.raises(ConfigError, match=r"class.* .*mine\.py:Name, was"):
        load_strategy(name, tmp_path)
    with pytest.raises(ConfigError, match=r"class.* .*mine\.py:Name, was"):
        pin_spec(StrategySpec("mine", name))


@pytest.mark.parametrize("text", ["a.py:B", "/x/y z/a.py:_B1", "c:/a.py:B"])
def test_path_kind_is_recognised(text: str) -> None:
    """A path may have spaces and colons of its own."""
    assert is_path_kind(text)


@pytest.mark.parametrize("text", ["ma_cross", "a.py", "a.py:", "a.py:1B", "a.yaml:B", ".py:B"])
def test_other_text_is_no_path_kind(text: str) -> None:
    """What is not clearly a class in a file is a name."""
    assert not is_path_kind(text)
