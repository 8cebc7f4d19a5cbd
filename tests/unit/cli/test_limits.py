"""Limits files."""

import json
from pathlib import Path

import pytest

from tidegate_cli.limits import load_limits
from tidegate_common.domain.enums import ConstructionMethod, QueueCancels
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import (
    CommissionSpec,
    ConstructionSpec,
    ExecutionSpec,
    ProgrammeTradingSpec,
    RiskLimits,
)

CONFIG = Path(__file__).resolve().parents[3] / "config" / "limits"


def write(folder: Path, text: str) -> str:
    """Return the path of a limits file with a text."""
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def thresholds(**changes: object) -> str:
    """Return a file with programme-trading thresholds of its own; None leaves a key out."""
    values: dict[str, object] = {
        "messages_per_second": 15,
        "messages_per_day": 2000,
        "effective_from": 20260407,
        "effective_to": 99991231,
        "source": "ours",
    }
    said = {key: value for key, value in (values | changes).items() if value is not None}
    return f"version: 1\nprogramme_trading: {json.dumps(said)}\n"


def test_load_limits_default_file_says_the_defaults_of_the_contracts() -> None:
    """What people read in the file is what a run without a file would do."""
    limits = load_limits("default", CONFIG)

    assert limits.construction == ConstructionSpec()
    assert limits.limits == RiskLimits()
    assert limits.accounts == {}
    assert limits.commission == CommissionSpec()
    assert limits.execution == ExecutionSpec()
    assert limits.programme_trading is None


def test_load_limits_part_of_a_section_keeps_the_other_defaults(tmp_path: Path) -> None:
    """A file says only what it changes."""
    path = write(tmp_path, "version: 1\nlimits: {position_bps_max: 500}\n")

    limits = load_limits(path, CONFIG)

    assert limits.limits == RiskLimits(position_bps_max=500)
    assert limits.commission == CommissionSpec()


def test_load_limits_of_an_account_stand_on_those_of_all(tmp_path: Path) -> None:
    """An entry says only what is different for its account."""
    text = (
        "version: 1\naccounts: {A002: {drawdown_bps_max: 50}, A003: {}}\n"
        "limits: {position_bps_max: 500}\n"
    )

    limits = load_limits(write(tmp_path, text), CONFIG)

    assert limits.accounts == {
        "A002": RiskLimits(position_bps_max=500, drawdown_bps_max=50),
        "A003": RiskLimits(position_bps_max=500),
    }


def test_load_limits_own_programme_trading_thresholds_are_taken(tmp_path: Path) -> None:
    """A tightening that the rule book does not know yet."""
    limits = load_limits(write(tmp_path, thresholds()), CONFIG)

    assert limits.programme_trading == ProgrammeTradingSpec(15, 2000, 20260407, 99991231, "ours")


def test_load_limits_execution_is_taken(tmp_path: Path) -> None:
    """Every key of the simulated exchange."""
    text = (
        "{participation_bps_max: 500, slippage_bps: 1, slippage_ticks: 2, impact_bps: 3, "
        "latency_beats: 4, queue_cancels: proportional}"
    )
    path = write(tmp_path, f"version: 1\nexecution: {text}\n")

    limits = load_limits(path, tmp_path)

    assert limits.execution == ExecutionSpec(
        participation_bps_max=500,
        slippage_bps=1,
        slippage_ticks=2,
        impact_bps=3,
        latency_beats=4,
        queue_cancels=QueueCancels.PROPORTIONAL,
    )


def test_load_limits_method_and_fractions_are_taken(tmp_path: Path) -> None:
    """A run may make target positions, and share an account between strategies."""
    text = "{method: score_weighted, top_n: 3, capital_bps: {macd: 6000, momentum: 4000}}"
    path = write(tmp_path, f"version: 1\nconstruction: {text}\n")

    limits = load_limits(path, CONFIG)

    assert limits.construction == ConstructionSpec(
        method=ConstructionMethod.SCORE_WEIGHTED,
        top_n=3,
        capital_bps={"macd": 6_000, "momentum": 4_000},
    )


def test_load_limits_unbundled_commission_is_taken(tmp_path: Path) -> None:
    """A contract may charge the exchange's and the regulator's fees beside the commission."""
    path = write(tmp_path, "version: 1\ncommission: {rate_e6: 100, is_bundled: false}\n")

    limits = load_limits(path, CONFIG)

    assert limits.commission == CommissionSpec(100, 500, is_bundled=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\nlimit: {}\n", "limit is not known; known are version, construction"),
        ("version: 1\nlimits: {foo: 1}\n", "limits: foo is not known; known are position_bps_max"),
        ("version: 1\nlimits: {drawdown_bps_max: 10001}\n", "from 0 to 10000, was 10001"),
        ("version: 1\nlimits: {drawdown_bps_max: true}\n", "whole number.*was True"),
        ("version: 1\nlimits: {drawdown_bps_max: 1.5}\n", "whole number.*was 1.5"),
        ("version: 1\ncommission: {is_bundled: 1}\n", "is_bundled must be true or false, was 1"),
        ("version: 1\ncommission: {rate_e6: true}\n", "whole number.*was True"),
        ("version: 1\naccounts: [A1]\n", "accounts must be a mapping"),
        ("version: 1\naccounts: {A1: 7}\n", "accounts: A1 must be a mapping.*was 7"),
        ("version: 1\naccounts: {A1: {foo: 1}}\n", "accounts: A1: foo is not known"),
        (
            "version: 1\naccounts: {A1: {position_bps_max: -1}}\n",
            "accounts: A1.position_bps_max must be a whole number from 0 to 100000, was -1",
        ),
        ("version: 1\nlimits: 7\n", "limits must be a mapping.*was 7"),
        ("version: 2\n", "version must be 1, was 2"),
        ("limits: {}\n", "version must be 1, was None"),
        ("version: 1\nconstruction: {enter_score_e6: -1, exit_score_e6: 0}\n", "must be below"),
        ("version: 1\nconstruction: {method: equal}\n", "method must be one of threshold, equal_w"),
        ("version: 1\nconstruction: {method: 1}\n", "method must be one of.*was 1"),
        ("version: 1\nexecution: {queue_cancels: ahead}\n", "one of behind, proportional, was"),
        ("version: 1\nexecution: {latency_beats: -1}\n", "from 0 to"),
        ("version: 1\nconstruction: {top_n: 0}\n", "top_n must be a whole number from 1"),
        ("version: 1\nconstruction: {capital_bps: 1}\n", "capital_bps must be a mapping"),
        ("version: 1\nconstruction: {capital_bps: {a: -1}}\n", "capital_bps.a must be a whole"),
        (
            "version: 1\nconstruction: {capital_bps: {a: 6000, b: 4001}}\n",
            "capital_bps must add up to at most 10000, was 10001",
        ),
        ("a: b: c", "must be YAML"),
        ("[1]", r"must be a mapping.*was \[1\]"),
        (thresholds(source=None), "programme_trading: source is missing"),
        (thresholds(source=""), "programme_trading.source must be words, was ''"),
        (thresholds(source=1), "programme_trading.source must be words, was 1"),
        (thresholds(messages_per_second=0), "messages_per_second must be a whole number from 1"),
        (thresholds(ratio=1), "programme_trading: ratio is not known"),
        (
            thresholds(effective_from=20260408, effective_to=20260407),
            r"effective_from must not be after effective_to \(20260407\), was 20260408",
        ),
    ],
)
def test_load_limits_wrong_content_says_what_is_wrong(
    tmp_path: Path, text: str, message: str
) -> None:
    """A limit that is silently not applied costs money."""
    with pytest.raises(ConfigError, match=message):
        load_limits(write(tmp_path, text), CONFIG)


def test_load_limits_unknown_name_lists_the_known_ones() -> None:
    """The user learns what there is."""
    with pytest.raises(ConfigError, match=r"one of default, or a \.yaml file, was 'strict'"):
        load_limits("strict", CONFIG)


def test_load_limits_missing_file_is_refused(tmp_path: Path) -> None:
    """A path is not looked up as a name."""
    with pytest.raises(ConfigError, match="does not exist"):
        load_limits(str(tmp_path / "none.yaml"), CONFIG)
