"""Users' strategies at work: what is wrong with one is said in one line, on any beat."""

import re
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from tidegate_common.domain.units import Float64Array
from tidegate_common.errors import ConfigError
from tidegate_signals.adapters.guard import UserFile, check_class, guarded
from tidegate_signals.engine.features.spec import Period
from tidegate_signals.engine.strategies.strategy import Day, Opinions, Parameter, Strategy, View

KIND = "mine.py:Mine"
HERE = UserFile(str(Path(__file__)))


class Mine(Strategy):
    """A strategy of two inputs."""

    def __init__(self, parameters: dict[str, int]) -> None:
        """Read a close, and a mean of it."""
        self.inputs = {"close": "CLOSE", "mean": f"SMA({parameters['window']})"}
        self.reasons = ("mean",)

    def score(self, view: View) -> Opinions:
        """Score the close itself."""
        return Opinions(view["close"], {"mean": view["mean"]})


class Raising(Mine):
    """Fails once there are prices."""

    def score(self, view: View) -> Opinions:
        """Refuse a price."""
        if view["close"][0] > 0:
            raise ValueError("two\nlines")  # noqa: TRY003, EM101  # as users write it
        return super().score(view)


class Leaving(Mine):
    """A script that ends itself."""

    def score(self, _view: View) -> Opinions:
        """Leave without a word."""
        raise SystemExit


class Writing(Mine):
    """Changes what it is shown."""

    def score(self, view: View) -> Opinions:
        """Take the close away from everybody else."""
        view["close"][:] = 0.0
        return super().score(view)


class Counting(Mine):
    """Remembers how often it was asked."""

    count = 0

    def score(self, view: View) -> Opinions:
        """Count."""
        self.count += 1
        return super().score(view)


class Printing(Mine):
    """Says what it does."""

    def score(self, view: View) -> Opinions:
        """Print as one does while looking for a mistake."""
        print("scored")  # noqa: T201  # what is tested
        return super().score(view)


def make(found: type[Strategy]) -> Strategy:
    """Return a guarded strategy."""
    return guarded(KIND, HERE, found)({"window": 5})


def view_of(close: float) -> View:
    """Return a view of one instrument."""
    values = {"close": np.array([close]), "mean": np.array([2.0])}
    return View(Day(20230201, is_month_start=True), values)


def answering(answer: object) -> type[Strategy]:
    """Return a strategy that answers so."""

    class Answering(Mine):
        def score(self, _view: View) -> Opinions:
            return cast("Opinions", answer)

    return Answering


def opinions_of(score: object, reasons: object) -> Opinions:
    """Return opinions that break their types."""
    return Opinions(cast("Float64Array", score), cast("dict[str, Float64Array]", reasons))


def declaring(**attributes: object) -> type[Strategy]:
    """Return a strategy that declares so."""

    class Declaring(Mine):
        def __init__(self, parameters: dict[str, int]) -> None:
            super().__init__(parameters)
            vars(self).update(attributes)

    return Declaring


def test_guarded_strategy_answers_as_the_users_does() -> None:
    """The guard is no part of a strategy."""
    strategy = make(Mine)

    opinions = strategy.score(view_of(3.0))

    assert strategy.inputs == {"close": "CLOSE", "mean": "SMA(5)"}
    np.testing.assert_array_equal(opinions.score, [3.0])
    np.testing.assert_array_equal(opinions.reasons["mean"], [2.0])
    assert (type(strategy).__name__, type(strategy).__module__) == ("Mine", __name__)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (Raising, r"line \d+: ValueError: two lines$"),
        (Leaving, r"line \d+: SystemExit$"),
        (Writing, r"line \d+: ValueError: assignment destination is read-only$"),
        (answering(None), "score must return Opinions, was None$"),
        (answering(opinions_of([1.0], {})), r"score must be a numpy array, was \[1.0\]$"),
        (answering(opinions_of(np.zeros(1), [1])), r"reasons of Opinions .*, was \[1\]$"),
        (answering(opinions_of(np.zeros(1), {"mean": 2})), "mean must be a numpy array, was 2$"),
        (Counting, "score must keep no state, it has set count$"),
    ],
)
def test_guarded_score_says_what_is_wrong_in_one_line(
    found: type[Strategy],
    message: str,
) -> None:
    """What shows in the middle of a day ends the run with a line, not with a traceback."""
    strategy = make(found)

    with pytest.raises(ConfigError, match=rf"^{re.escape(KIND)}: {message}"):
        strategy.score(view_of(3.0))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (declaring(inputs=["CLOSE"]), r"inputs must be a mapping such as .*, was \['CLOSE'\]$"),
        (declaring(inputs={"close": 5}), r"inputs must be a mapping such as .*, was {'close': 5}$"),
        (declaring(reasons="mean"), r"reasons must be a tuple such as \(\"rsi\",\), was 'mean'$"),
        (declaring(reasons=(1,)), r"reasons must be a tuple such as .*, was \(1,\)$"),
    ],
)
def test_guarded_class_says_what_it_declares_wrongly(found: type[Strategy], message: str) -> None:
    """A declaration of the wrong type is named with an example of a right one."""
    with pytest.raises(ConfigError, match=rf"^{re.escape(KIND)}: {message}"):
        make(found)


@pytest.mark.parametrize(
    ("attribute", "value", "is_right"),
    [
        ("PARAMETERS", (Parameter("n", 1, 1, 1)), False),
        ("PARAMETERS", ("n",), False),
        ("PARAMETERS", (Parameter("n", 1, 1, 1),), True),
        ("PERIODS", (), False),
        ("PERIODS", "1d", False),
        ("PERIODS", ("1d",), False),
        ("PERIODS", (Period.DAY,), True),
        ("IS_RANKED", 1, False),
        ("IS_RANKED", True, True),
    ],
)
def test_class_attributes_must_have_their_types(
    attribute: str,
    value: object,
    *,
    is_right: bool,
) -> None:
    """A missing comma makes no tuple, and a text is no period."""
    found = type("Mine", (Mine,), {attribute: value})

    if is_right:
        assert check_class(KIND, found) is found
    else:
        with pytest.raises(ConfigError, match=f"^{re.escape(KIND)}: {attribute} must be "):
            check_class(KIND, found)


def test_prints_of_a_strategy_stay_out_of_our_output(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output is one JSON object for a program."""
    make(Printing).score(view_of(1.0))

    assert capsys.readouterr() == ("", "scored\n")
