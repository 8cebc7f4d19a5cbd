"""Strategy files: YAML with `name`, `kind`, `version` and `parameters`."""

from pathlib import Path

import yaml

from tidegate_common.errors import ConfigError
from tidegate_common.events.run import StrategySpec
from tidegate_signals.engine.strategies.registry import complete_spec

_SUFFIXES = (".yaml", ".yml")
_KEYS = ("name", "kind", "version", "parameters")
VERSION = 1


def load_strategy(name_or_path: str, directory: Path) -> StrategySpec:
    """Return the strategy of a file, with every parameter written out.

    Parameters
    ----------
    name_or_path : the name of a file in `directory` without its suffix, or a path to a file
        (anything with a `/` or ending in .yaml or .yml).

    Raises
    ------
    ConfigError
        If there is no such file, or what is in it is not a strategy.
    """
    path = _find(name_or_path, directory)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        message = f"strategy file {path} cannot be read: {error}"
        raise ConfigError(message) from error
    except yaml.YAMLError as error:
        message = f"strategy file {path} must be YAML, found: {' '.join(str(error).split())}"
        raise ConfigError(message) from error
    try:
        return complete_spec(_spec_of(document))
    except ConfigError as error:
        message = f"strategy file {path}: {error}"
        raise ConfigError(message) from error


def strategy_names(directory: Path) -> list[str]:
    """Return the names under which a directory's strategies can be loaded, sorted."""
    if not directory.is_dir():
        return []
    return sorted(path.stem for path in directory.iterdir() if path.suffix in _SUFFIXES)


def _find(name_or_path: str, directory: Path) -> Path:
    if "/" in name_or_path or name_or_path.endswith(_SUFFIXES):
        path = Path(name_or_path)
        if not path.is_file():
            message = f"strategy file must exist, there is none at {path}"
            raise ConfigError(message)
        return path
    for suffix in _SUFFIXES:
        path = directory / f"{name_or_path}{suffix}"
        if path.is_file():
            return path
    known = ", ".join(strategy_names(directory)) or "none"
    message = (
        f"strategy must be a file's path or one of {directory} ({known}), was {name_or_path!r}"
    )
    raise ConfigError(message)


def _spec_of(document: object) -> StrategySpec:
    if not isinstance(document, dict):
        message = f"expected a mapping with {', '.join(_KEYS)}, found {document!r:.60}"
        raise ConfigError(message)
    unknown = [str(key) for key in document if key not in _KEYS]
    if unknown:
        message = f"keys must be {', '.join(_KEYS)}, found {', '.join(unknown)}"
        raise ConfigError(message)
    name, kind, version = (document.get(key) for key in ("name", "kind", "version"))
    if not isinstance(name, str) or not name or not isinstance(kind, str):
        message = f"name and kind must be texts, were {name!r} and {kind!r}"
        raise ConfigError(message)
    if version != VERSION or isinstance(version, bool):
        message = f"version must be {VERSION}, was {version!r}"
        raise ConfigError(message)
    parameters = document.get("parameters") or {}
    if not isinstance(parameters, dict) or not all(isinstance(key, str) for key in parameters):
        message = f"parameters must be a mapping of names to whole numbers, was {parameters!r:.60}"
        raise ConfigError(message)
    return StrategySpec(name, kind, parameters)
