"""Limits files: `config/limits/*.yaml` into the specs of a run, every value checked."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from tidegate_common.errors import ConfigError
from tidegate_common.events.run import (
    CommissionSpec,
    ConstructionSpec,
    ExecutionSpec,
    RiskLimits,
)

SUFFIXES: Final = (".yaml", ".yml")
VERSION: Final = 1

_BPS_MAX: Final = 10_000
_SCORE_MAX: Final = 1_000_000
# Ten times equity: beyond what any broker lends on A-shares.
_LEVERAGE_BPS_MAX: Final = 100_000
_BEATS_MAX: Final = 1_000_000
# Three per cent of turnover; the law's own bound is three per mille.
_RATE_E6_MAX: Final = 30_000
_MINIMUM_FEN_MAX: Final = 100_000

# Least and greatest value of each key.
_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "enter_score_e6": (-_SCORE_MAX, _SCORE_MAX),
    "exit_score_e6": (-_SCORE_MAX, _SCORE_MAX),
    "target_weight_bps": (0, _BPS_MAX),
    "cash_buffer_bps": (0, _BPS_MAX),
    "cooldown_beats": (0, _BEATS_MAX),
    "price_offset_bps": (0, _BPS_MAX),
    "position_bps_max": (0, _LEVERAGE_BPS_MAX),
    "daily_loss_bps_max": (0, _BPS_MAX),
    "drawdown_bps_max": (0, _BPS_MAX),
    "sector_bps_max": (0, _LEVERAGE_BPS_MAX),
    "leverage_bps_max": (0, _LEVERAGE_BPS_MAX),
    "stale_beats_max": (0, _BEATS_MAX),
    "rate_e6": (0, _RATE_E6_MAX),
    "minimum_fen": (0, _MINIMUM_FEN_MAX),
    "participation_bps_max": (0, _BPS_MAX),
    "slippage_bps": (0, _BPS_MAX),
}

# Keys that are true or false.
_FLAGS: Final = frozenset({"is_bundled"})

Section = TypeVar("Section", ConstructionSpec, RiskLimits, CommissionSpec, ExecutionSpec)


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What a limits file says; its sections have the names of these fields."""

    construction: ConstructionSpec
    limits: RiskLimits
    commission: CommissionSpec
    execution: ExecutionSpec


def load_limits(name_or_path: str, directory: Path) -> RunLimits:
    """Return the limits of a file in `directory`, by name, or of a file by its path.

    Raises
    ------
    ConfigError
        If there is no such file, or it holds an unknown key or a number out of its range.
    """
    path = _find(name_or_path, directory)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"limits {path} cannot be read: {error.strerror}"
        raise ConfigError(message) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = str(error).replace("\n", " ")
        message = f"limits {path} must be YAML: {reason}"
        raise ConfigError(message) from error
    return _parse(path.name, document)


def _find(name_or_path: str, directory: Path) -> Path:
    if name_or_path.endswith(SUFFIXES) or "/" in name_or_path:
        path = Path(name_or_path)
        if path.is_file():
            return path
        message = f"limits file {name_or_path} does not exist"
        raise ConfigError(message)
    path = directory / f"{name_or_path}.yaml"
    if path.is_file():
        return path
    known = ", ".join(sorted(each.stem for each in directory.glob("*.yaml"))) or "none"
    message = f"limits must be one of {known}, or a .yaml file, was {name_or_path!r}"
    raise ConfigError(message)


def _parse(name: str, document: object) -> RunLimits:
    sections = _mapping(name, document)
    _refuse_unknown(name, sections, ["version", *(field.name for field in fields(RunLimits))])
    version = sections.get("version")
    if version != VERSION or isinstance(version, bool):
        message = f"{name}: version must be {VERSION}, was {version!r}"
        raise ConfigError(message)
    limits = RunLimits(
        construction=_section(name, sections, "construction", ConstructionSpec()),
        limits=_section(name, sections, "limits", RiskLimits()),
        commission=_section(name, sections, "commission", CommissionSpec()),
        execution=_section(name, sections, "execution", ExecutionSpec()),
    )
    construction = limits.construction
    if construction.exit_score_e6 >= construction.enter_score_e6:
        message = (
            f"{name}: construction.exit_score_e6 must be below enter_score_e6 "
            f"({construction.enter_score_e6}), was {construction.exit_score_e6}"
        )
        raise ConfigError(message)
    return limits


def _section(name: str, sections: Mapping[str, object], key: str, defaults: Section) -> Section:
    """Return a section's spec; what the file does not say keeps its default."""
    if key not in sections:
        return defaults
    where = f"{name}: {key}"
    values = _mapping(where, sections[key])
    _refuse_unknown(where, values, [field.name for field in fields(defaults)])
    # Of its field's type, as its check has seen.
    checked: dict[str, Any] = {
        field: _flag(f"{where}.{field}", value)
        if field in _FLAGS
        else _number(f"{where}.{field}", field, value)
        for field, value in values.items()
    }
    return type(defaults)(**checked)


def _number(where: str, field: str, value: object) -> int:
    least, greatest = _RANGES[field]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= greatest:
        message = f"{where} must be a whole number from {least} to {greatest}, was {value!r}"
        raise ConfigError(message)
    return value


def _flag(where: str, value: object) -> bool:
    if not isinstance(value, bool):
        message = f"{where} must be true or false, was {value!r}"
        raise ConfigError(message)
    return value


def _mapping(where: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        message = f"{where} must be a mapping of names to values, was {value!r}"
        raise ConfigError(message)
    return value


def _refuse_unknown(where: str, found: Mapping[str, object], known: list[str]) -> None:
    for key in found:
        if key not in known:
            message = f"{where}: {key} is not known; known are {', '.join(known)}"
            raise ConfigError(message)
