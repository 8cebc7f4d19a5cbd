"""Limits files: `config/limits/*.yaml` into the specs of a run, every value checked."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from tidegate_common.domain.enums import ConstructionMethod, QueueCancels
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import (
    RISK_LIMIT_RANGES,
    CommissionSpec,
    ConstructionSpec,
    ExecutionSpec,
    ProgrammeTradingSpec,
    RiskLimits,
)
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE

SUFFIXES: Final = (".yaml", ".yml")
VERSION: Final = 1

_BPS_MAX: Final = 10_000
_SCORE_MAX: Final = 1_000_000
_BEATS_MAX: Final = 1_000_000
# Three per cent of turnover; the law's own bound is three per mille.
_RATE_E6_MAX: Final = 30_000
_MINIMUM_FEN_MAX: Final = 100_000
_MESSAGES_MAX: Final = 1_000_000
# More positions than the market has shares are not wanted.
_TOP_MAX: Final = 10_000
# More than a day's price limits hold for most shares.
_TICKS_MAX: Final = 1_000
# Ten times the capital in a day.
_TURNOVER_BPS_MAX: Final = 100_000

# Least and greatest value of each key.
_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "enter_score_e6": (-_SCORE_MAX, _SCORE_MAX),
    "exit_score_e6": (-_SCORE_MAX, _SCORE_MAX),
    "target_weight_bps": (0, _BPS_MAX),
    "cash_buffer_bps": (0, _BPS_MAX),
    "cooldown_beats": (0, _BEATS_MAX),
    "price_offset_bps": (0, _BPS_MAX),
    "top_n": (1, _TOP_MAX),
    "rebalance_band_bps": (0, _BPS_MAX),
    "turnover_bps_max": (0, _TURNOVER_BPS_MAX),
    **RISK_LIMIT_RANGES,
    "rate_e6": (0, _RATE_E6_MAX),
    "minimum_fen": (0, _MINIMUM_FEN_MAX),
    "participation_bps_max": (0, _BPS_MAX),
    "slippage_bps": (0, _BPS_MAX),
    "slippage_ticks": (0, _TICKS_MAX),
    "impact_bps": (0, _BPS_MAX),
    "latency_beats": (0, _BEATS_MAX),
    "messages_per_second": (1, _MESSAGES_MAX),
    "messages_per_day": (1, _MESSAGES_MAX),
    "effective_from": (FIRST_DATE, LAST_DATE),
    "effective_to": (FIRST_DATE, LAST_DATE),
}

# Keys that are true or false.
_FLAGS: Final = frozenset({"is_bundled"})
# Keys that are one of a list of words.
_CHOICES: Final[Mapping[str, type[StrEnum]]] = {
    "method": ConstructionMethod,
    "queue_cancels": QueueCancels,
}
# A key with a check of its own.
_FRACTIONS: Final = "capital_bps"
# Keys that are words.
_WORDS: Final = frozenset({"source"})

Section = TypeVar("Section", ConstructionSpec, RiskLimits, CommissionSpec, ExecutionSpec)


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What a limits file says; its sections have the names of these fields.

    accounts : limits of accounts that have their own, by id; what an account's entry does not say
        is as in `limits`.
    programme_trading : None where the rule book's thresholds hold on every day.
    """

    construction: ConstructionSpec
    limits: RiskLimits
    accounts: Mapping[str, RiskLimits]
    commission: CommissionSpec
    execution: ExecutionSpec
    programme_trading: ProgrammeTradingSpec | None


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
    of_all = _section(name, sections, "limits", RiskLimits())
    limits = RunLimits(
        construction=_section(name, sections, "construction", ConstructionSpec()),
        limits=of_all,
        accounts=_accounts(name, sections.get("accounts", {}), of_all),
        commission=_section(name, sections, "commission", CommissionSpec()),
        execution=_section(name, sections, "execution", ExecutionSpec()),
        programme_trading=_thresholds(name, sections),
    )
    construction = limits.construction
    if construction.exit_score_e6 >= construction.enter_score_e6:
        message = (
            f"{name}: construction.exit_score_e6 must be below enter_score_e6 "
            f"({construction.enter_score_e6}), was {construction.exit_score_e6}"
        )
        raise ConfigError(message)
    return limits


def _accounts(name: str, entries: object, of_all: RiskLimits) -> dict[str, RiskLimits]:
    where = f"{name}: accounts"
    accounts = _mapping(where, entries)
    return {account: _section(where, accounts, account, of_all) for account in accounts}


def _section(name: str, sections: Mapping[str, object], key: str, defaults: Section) -> Section:
    """Return a section's spec; what the file does not say keeps its default."""
    if key not in sections:
        return defaults
    where = f"{name}: {key}"
    values = _mapping(where, sections[key])
    _refuse_unknown(where, values, [field.name for field in fields(defaults)])
    return replace(defaults, **_checked(where, values))


def _thresholds(name: str, sections: Mapping[str, object]) -> ProgrammeTradingSpec | None:
    """Return a user's own thresholds; who brings some says all of them, and where they stand."""
    key = "programme_trading"
    if key not in sections:
        return None
    where = f"{name}: {key}"
    values = _mapping(where, sections[key])
    known = [field.name for field in fields(ProgrammeTradingSpec)]
    _refuse_unknown(where, values, known)
    for field in known:
        if field not in values:
            message = f"{where}: {field} is missing"
            raise ConfigError(message)
    thresholds = ProgrammeTradingSpec(**_checked(where, values))
    if thresholds.effective_from > thresholds.effective_to:
        message = (
            f"{where}.effective_from must not be after effective_to "
            f"({thresholds.effective_to}), was {thresholds.effective_from}"
        )
        raise ConfigError(message)
    return thresholds


def _checked(where: str, values: Mapping[str, object]) -> dict[str, Any]:
    """Return values, each of its field's type, as its check has seen."""
    return {field: _check(f"{where}.{field}", field, value) for field, value in values.items()}


def _check(where: str, field: str, value: object) -> int | str | dict[str, int]:
    if field in _CHOICES:
        return _choice(where, value, _CHOICES[field])
    if field == _FRACTIONS:
        return _fractions(where, value)
    if field in _FLAGS:
        return _flag(where, value)
    return _word(where, value) if field in _WORDS else _number(where, field, value)


def _number(where: str, field: str, value: object) -> int:
    least, greatest = _RANGES[field]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= greatest:
        message = f"{where} must be a whole number from {least} to {greatest}, was {value!r}"
        raise ConfigError(message)
    return value


def _word(where: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        message = f"{where} must be words, was {value!r}"
        raise ConfigError(message)
    return value


def _choice(where: str, value: object, known: type[StrEnum]) -> StrEnum:
    if not isinstance(value, str) or value not in list(known):
        message = f"{where} must be one of {', '.join(known)}, was {value!r}"
        raise ConfigError(message)
    return known(value)


def _fractions(where: str, value: object) -> dict[str, int]:
    """Return parts of an account by strategy; together they are no more than the whole."""
    parts = {
        name: _number(f"{where}.{name}", "target_weight_bps", part)
        for name, part in _mapping(where, value).items()
    }
    if sum(parts.values()) > _BPS_MAX:
        message = f"{where} must add up to at most {_BPS_MAX}, was {sum(parts.values())}"
        raise ConfigError(message)
    return parts


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
