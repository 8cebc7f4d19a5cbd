"""Strategies as users name them: a strategy file, a class in a Python file, an installed kind.

A strategy file is YAML with `name`, `kind`, `version` and, where wanted, `period` and `parameters`.
"""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from tidegate_common.errors import ConfigError
from tidegate_common.events.run import StrategySpec
from tidegate_signals.adapters.plugins import (
    class_name_of,
    entry_point_names,
    is_path_kind,
    pin_spec,
)

_SUFFIXES = (".yaml", ".yml")
_KEYS = ("name", "kind", "version", "period", "parameters")
VERSION = 1
# Letters of any script: it is shown to people, and asked for in addresses.
_NAME = re.compile(r"[\w.-]{1,63}")


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice; usually the last one would win in silence."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002  # as PyYAML calls it
    ) -> dict[Hashable, Any]:
        """Return a mapping as it stands."""
        keys = [key.value for key, _ in node.value]
        for number, (key, _) in enumerate(node.value):
            if key.value in keys[:number]:
                problem = f"found {key.value} twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        return super().construct_mapping(node, deep)


def load_strategy(name_or_path: str, directory: Path) -> StrategySpec:
    """Return the strategy that a user names, with its period and every parameter written out.

    Parameters
    ----------
    name_or_path : the name of a file in `directory` without its suffix; a path to such a file
        (anything with a `/` or ending in .yaml or .yml); a class as `path/to/file.py:Name`; or
        the name of an entry point, see `plugins`. The last two take the default parameters.

    Raises
    ------
    ConfigError
        If there is no such file or class, or what is in it is not a strategy.
    """
    if is_path_kind(name_or_path):
        return pin_spec(StrategySpec(class_name_of(name_or_path), name_or_path))
    if name_or_path.endswith(".py"):
        message = f"strategy must name a class, {name_or_path}:Name, was {name_or_path!r}"
        raise ConfigError(message)
    path = _find(name_or_path, directory)
    if path is None:
        return pin_spec(StrategySpec(name_or_path, name_or_path))
    return _load_file(path)


def strategy_names(directory: Path) -> list[str]:
    """Return the names under which a directory's strategies can be loaded, sorted."""
    if not directory.is_dir():
        return []
    return sorted(path.stem for path in directory.iterdir() if path.suffix in _SUFFIXES)


def _find(name_or_path: str, directory: Path) -> Path | None:
    """Return the strategy file of a name or path; None for the name of an entry point."""
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
    installed = entry_point_names()
    if name_or_path in installed:
        return None
    known = ", ".join([*strategy_names(directory), *installed]) or "none"
    message = (
        f"strategy must be a file's path, path/to/file.py:Name or one of {directory} ({known}), "
        f"was {name_or_path!r}"
    )
    raise ConfigError(message)


def _load_file(path: Path) -> StrategySpec:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  # a safe one
    except (OSError, UnicodeDecodeError) as error:
        message = f"strategy file {path} cannot be read: {error}"
        raise ConfigError(message) from error
    except yaml.YAMLError as error:
        message = f"strategy file {path} must be YAML, found: {' '.join(str(error).split())}"
        raise ConfigError(message) from error
    try:
        return pin_spec(_spec_of(document), path.parent)
    except ConfigError as error:
        message = f"strategy file {path}: {error}"
        raise ConfigError(message) from error


def _spec_of(document: object) -> StrategySpec:
    if not isinstance(document, dict):
        message = f"expected a mapping with {', '.join(_KEYS)}, found {document!r:.60}"
        raise ConfigError(message)
    unknown = [str(key) for key in document if key not in _KEYS]
    if unknown:
        message = f"keys must be {', '.join(_KEYS)}, found {', '.join(unknown)}"
        raise ConfigError(message)
    name, kind, version = (document.get(key) for key in ("name", "kind", "version"))
    if not isinstance(name, str) or not isinstance(kind, str):
        message = f"name and kind must be texts, were {name!r} and {kind!r}"
        raise ConfigError(message)
    if _NAME.fullmatch(name) is None:
        message = f"name must be letters, digits, _, - and ., at most 63, was {name!r:.80}"
        raise ConfigError(message)
    if version != VERSION or isinstance(version, bool):
        message = f"version must be {VERSION}, was {version!r}"
        raise ConfigError(message)
    parameters = document.get("parameters")
    parameters = {} if parameters is None else parameters
    if not isinstance(parameters, dict) or not all(isinstance(key, str) for key in parameters):
        message = f"parameters must be a mapping of names to whole numbers, was {parameters!r:.60}"
        raise ConfigError(message)
    period = document.get("period", "")
    if not isinstance(period, str):
        message = f"period must be a text such as 1d, was {period!r}"
        raise ConfigError(message)
    return StrategySpec(name, kind, parameters, period)
