"""Compilation of the kernels."""

from collections.abc import Callable
from typing import Any, cast

import numba

from tidegate_common.compiling import called


@called
def added(first: int, second: int) -> int:
    """Return a sum."""
    return first + second


def sums(number: int) -> int:
    """Call with numbers of the code and with others."""
    return added(number, 1) + added(number, 2) + added(3, number) + added(number, second=number)


def test_called_function_is_compiled_once_whatever_numbers_callers_write() -> None:
    """Each would cost a first start as much as the first one."""
    kernel = cast("Callable[[int], int]", numba.njit(sums))

    found = kernel(10)

    assert found == 11 + 12 + 13 + 20
    assert len(cast("Any", added).signatures) == 1
