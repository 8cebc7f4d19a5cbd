"""Compilation of the kernels, and a cache that knows all of their text."""

from collections.abc import Callable
from hashlib import sha256
from types import ModuleType
from typing import Any, TypeVar, cast

import numba
from numba.core import types
from numba.core.dispatcher import Dispatcher

_Function = TypeVar("_Function", bound=Callable[..., object])

# Nothing counts references: the kernels look at rows and never keep one. No stub knows that option.
_OPTIONS = {"error_model": "numpy", "_nrt": False}
# What only kernels call needs no door for Python, nor one for C; each would have to be compiled.
_NO_DOORS = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_njit = cast("Callable[..., Callable[[object], object]]", numba.njit)

# What each kernel is, by its name.
_texts: dict[str, str] = {}


def compiled(function: _Function) -> _Function:
    """Compile a function at its first call, and keep the result beside its file.

    numba looks for changes at that file alone. What is kept counts only for the kernels of its
    package that were decorated before, too: those that it calls.
    """
    _read(function)
    dispatcher = _njit(cache=True, **_OPTIONS)(function)
    if isinstance(dispatcher, Dispatcher):
        _ignore_literals(dispatcher)
        file = cast("Any", dispatcher)._cache._cache_file  # noqa: SLF001  # there is no other way
        file._source_stamp = (file._source_stamp, _digest(function))  # noqa: SLF001
    return cast("_Function", dispatcher)


def called(function: _Function) -> _Function:
    """Compile a function once for all kernels that call it, each of which keeps a copy.

    Python cannot call it.
    """
    _read(function)
    dispatcher = _njit(**_NO_DOORS, **_OPTIONS)(function)
    if isinstance(dispatcher, Dispatcher):
        _ignore_literals(dispatcher)
    return cast("_Function", dispatcher)


def inlined(function: _Function) -> _Function:
    """Compile a function as a part of those that call it: handing it five rows costs more than it.

    With this and without counts of references the kernels take a twentieth of the time.
    """
    _read(function)
    return cast("_Function", _njit(inline="always", **_OPTIONS)(function))


def _ignore_literals(dispatcher: Dispatcher) -> None:
    """Let calls that differ in a number written in the code share one compilation.

    Otherwise each such number makes another function: a check that is failed with thirty codes is
    compiled thirty times, which is a third of what a first start takes.
    """
    kept = cast("Any", dispatcher)
    find, plain = kept.get_call_template, cast("Any", types).unliteral

    def find_for_any_number(arguments: tuple[Any, ...], named: dict[str, Any]) -> object:
        kinds = {name: plain(kind) for name, kind in named.items()}
        return find(tuple(map(plain, arguments)), kinds)

    kept.get_call_template = find_for_any_number


def _read(function: Callable[..., object]) -> None:
    """Remember a function's code, and the numbers that it finds in its module, or rows of them."""
    code, module = function.__code__, function.__globals__
    found = [(name, module[name]) for name in code.co_names if name in module]
    numbers = [pair for pair in found if not (callable(pair[1]) or isinstance(pair[1], ModuleType))]
    text = repr((code.co_code, code.co_consts, code.co_names, numbers))
    _texts[f"{function.__module__}.{function.__qualname__}"] = text


def _digest(function: Callable[..., object]) -> str:
    package = function.__module__.partition(".")[0]
    texts = sorted(item for item in _texts.items() if item[0].startswith(f"{package}."))
    return sha256(repr(texts).encode()).hexdigest()
