"""Limits files."""

from pathlib import Path

import pytest

from tidegate_cli.limits import load_limits
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import (
    CommissionSpec,
    ConstructionSpec,
    ExecutionSpec,
    RiskLimits,
)

CONFIG = Path(__file__).resolve().parents[3] / "config" / "limits"


def write(folder: Path, text: str) -> str:
    """Return the path of a limits file with a text."""
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_load_limits_default_file_says_the_defaults_of_the_contracts() -> None:
    """What people read in the file is what a run without a file would do."""
    limits = load_limits("default", CONFIG)

    assert limits.construction == ConstructionSpec()
    assert limits.limits == RiskLimits()
    assert limits.commission == CommissionSpec()
    assert limits.execution == ExecutionSpec()


def test_load_limits_part_of_a_section_keeps_the_other_defaults(tmp_path: Path) -> None:
    """A file says only what it changes."""
    path = write(tmp_path, "version: 1\nlimits: {position_bps_max: 500}\n")

    limits = load_limits(path, CONFIG)

    assert limits.limits == RiskLimits(position_bps_max=500)
    assert limits.commission == CommissionSpec()


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
        ("version: 1\nlimits: 7\n", "limits must be a mapping.*was 7"),
        ("version: 2\n", "version must be 1, was 2"),
        ("limits: {}\n", "version must be 1, was None"),
        ("version: 1\nconstruction: {enter_score_e6: -1, exit_score_e6: 0}\n", "must be below"),
        ("a: b: c", "must be YAML"),
        ("[1]", r"must be a mapping.*was \[1\]"),
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
