"""Users' strategies: classes found by path or by entry point, and pinned by their file's content.

A kind such as `path/to/file.py:Name` is the class `Name` of that file; any other kind that does
not ship is an entry point of the group `tidegate.strategies`. A run's declaration carries the
SHA-256 of the file, and another content is refused: what was tested is what runs.

Only that one file is pinned. What it imports must be installed, for its own folder is not searched.
"""

import hashlib
import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Final

import numpy as np

from tidegate_common.errors import ConfigError
from tidegate_common.events.run import StrategySpec
from tidegate_signals.adapters.guard import UserFile, check_class, guarded, reporting
from tidegate_signals.engine.features.board import FeatureBoard
from tidegate_signals.engine.features.observations import Observations
from tidegate_signals.engine.features.spec import Field
from tidegate_signals.engine.seats import Seat
from tidegate_signals.engine.strategies.registry import STRATEGY_KINDS, complete_spec
from tidegate_signals.engine.strategies.strategy import Day, Strategy

ENTRY_POINT_GROUP: Final = "tidegate.strategies"
_PYTHON_SUFFIX: Final = ".py"
_PATH_KIND: Final = re.compile(r"(?P<path>.+\.py):(?P<name>[A-Za-z_][A-Za-z0-9_]*)")
_ROWS_OF_TRIAL: Final = 2


def load_kinds(specs: Iterable[StrategySpec]) -> Mapping[str, type[Strategy]]:
    """Return the classes by kind: those that ship, and those of users that a run asks for.

    Raises
    ------
    ConfigError
        If a class cannot be loaded, or its file is not the one that the run was defined with.
    """
    kinds = dict(STRATEGY_KINDS)
    for spec in specs:
        if spec.kind in STRATEGY_KINDS:
            continue
        path, name = _split(spec.kind)
        if path is None:
            found = _load_entry_point(name)
            path = _file_of(found)
            _require_same(spec, _read(path))
        else:
            source = _read(path)
            # Before it is run: a declaration may come from elsewhere.
            _require_same(spec, source)
            found = _load_file(path, source, name)
        kinds[spec.kind] = guarded(spec.kind, UserFile(str(path)), found)
    return kinds


def pin_spec(spec: StrategySpec, directory: Path | None = None) -> StrategySpec:
    """Return a declaration with everything written out, a user's class loaded and tried once.

    Parameters
    ----------
    directory : where a relative path of the kind is looked for before the working directory.

    Raises
    ------
    ConfigError
        If there is no such strategy, it cannot be loaded, or it fails when it is tried.
    """
    if spec.kind in STRATEGY_KINDS:
        return complete_spec(spec)
    kind = _absolute(spec.kind, directory)
    path, name = _split(kind)
    file = path or _file_of(_load_entry_point(name))
    pinned = replace(spec, kind=kind, source_sha256=_sha256(_read(file)))
    kinds = load_kinds([pinned])
    with reporting(kind, UserFile(str(file))):
        _try(pinned, kinds)
        return complete_spec(pinned, kinds)


def is_path_kind(text: str) -> bool:
    """Return whether a text looks like `path/to/file.py:Name`."""
    return _PATH_KIND.fullmatch(text) is not None


def class_name_of(kind: str) -> str:
    """Return the name of the class in a kind such as `path/to/file.py:Name`."""
    return kind.rpartition(":")[2]


def entry_point_names() -> list[str]:
    """Return the kinds that installed packages add, sorted."""
    return sorted({each.name for each in entry_points(group=ENTRY_POINT_GROUP)})


def _absolute(kind: str, directory: Path | None) -> str:
    """Return a path kind with its path absolute, so that every process of a run finds it."""
    match = _PATH_KIND.fullmatch(kind)
    if match is None:
        return kind
    folders = [Path.cwd()] if directory is None else [directory, Path.cwd()]
    candidates = [(folder / Path(match["path"]).expanduser()).absolute() for folder in folders]
    path = next((path for path in candidates if path.is_file()), candidates[0])
    return f"{path}:{match['name']}"


def _split(kind: str) -> tuple[Path | None, str]:
    """Return the file of a kind, None if it is an entry point, and the name of the class in it."""
    match = _PATH_KIND.fullmatch(kind)
    if match is not None:
        return Path(match["path"]), match["name"]
    if kind.endswith(_PYTHON_SUFFIX):
        message = f"a strategy's file must be followed by its class, {kind}:Name, was {kind}"
        raise ConfigError(message)
    return None, kind


def _require_same(spec: StrategySpec, source: bytes) -> None:
    if _sha256(source) != spec.source_sha256:
        message = (
            f"{spec.name}: the file of {spec.kind} must have the SHA-256 with which the run was "
            f"defined, {spec.source_sha256 or 'none'}, was {_sha256(source)}"
        )
        raise ConfigError(message)


def _load_file(path: Path, source: bytes, name: str) -> type[Strategy]:
    module = _module_of(path, source)
    found = getattr(module, name, None)
    if found is None:
        known = ", ".join(_strategies_in(module)) or "none"
        message = f"{path} must have a class {name}, its strategies are: {known}"
        raise ConfigError(message)
    return check_class(f"{path}:{name}", found)


def _load_entry_point(name: str) -> type[Strategy]:
    entry_point = _entry_point(name)
    with reporting(f"entry point {name} = {entry_point.value}", None):
        found = entry_point.load()
    return check_class(name, found)


def _entry_point(kind: str) -> EntryPoint:
    found = list(entry_points(group=ENTRY_POINT_GROUP, name=kind))
    if not found:
        known = ", ".join([*STRATEGY_KINDS, *entry_point_names()])
        message = f"kind must be path/to/file.py:Name or one of {known}, was {kind}"
        raise ConfigError(message)
    if len(found) > 1:
        values = ", ".join(sorted(each.value for each in found))
        message = f"one installed package may offer kind {kind}, found {values}"
        raise ConfigError(message)
    return found[0]


def _file_of(installed: type[Strategy]) -> Path:
    """Return the file that an installed class is in."""
    return Path(inspect.getfile(installed))


def _sha256(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"strategy file {path} cannot be read: {error.strerror}"
        raise ConfigError(message) from error


def _module_of(path: Path, source: bytes) -> ModuleType:
    """Return the module of a file, run once a content.

    The bytes that were hashed are the ones that run; an import by path would read the file again.
    """
    name = f"tidegate_user_strategy_{_sha256(str(path).encode() + source)[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = str(path)
    with reporting(str(path), UserFile(str(path))):
        code = compile(source, str(path), "exec", dont_inherit=True)
        # Dataclasses look their own module up while it is being run.
        sys.modules[name] = module
        try:
            exec(code, module.__dict__)  # noqa: S102  # to run this file is what the user asks for
        except BaseException:
            del sys.modules[name]
            raise
    return module


def _strategies_in(module: ModuleType) -> list[str]:
    return sorted(
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Strategy) and value is not Strategy
    )


def _try(spec: StrategySpec, kinds: Mapping[str, type[Strategy]]) -> None:
    """Ask a strategy about instruments of which nothing is known yet, as every run begins.

    A slip of the pen shows here, and not in the middle of a trading day.
    """
    seat = Seat.take(0, spec, kinds)
    board = FeatureBoard(each.indicator for each in seat.indicators.values())
    board.grow(_ROWS_OF_TRIAL)
    unknown = np.full(_ROWS_OF_TRIAL, np.nan)
    observations = Observations(slice(None), dict.fromkeys(Field, unknown))
    seat.ask(Day(19_901_219, is_month_start=True), board, observations)
