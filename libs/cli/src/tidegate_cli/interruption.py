"""Ctrl-C and SIGTERM: the work is cancelled once, and its way down is not disturbed."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Final, TypeVar

Result = TypeVar("Result")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_EXIT_SIGNAL_BASE: Final = 128


class InterruptedByUser(Exception):  # noqa: N818  # it is no error
    """The work was told to stop before its end.

    exit_code : 128 plus the signal's number, as shells have it.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = _EXIT_SIGNAL_BASE + number


def run_interruptible(work: Coroutine[None, None, Result]) -> Result:
    """Run to the end and return the result.

    Raises
    ------
    InterruptedByUser
        If a signal came; by then the work has cleaned up.
    """
    return asyncio.run(_guard(work))


async def _guard(work: Coroutine[None, None, Result]) -> Result:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    received: list[int] = []

    def stop(number: int) -> None:
        # Once: a second Ctrl-C must not cut the clean-up short, which is bounded anyway.
        if not received:
            task.cancel()
        received.append(number)

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        return await work
    except asyncio.CancelledError:
        if received:
            raise InterruptedByUser(received[0]) from None
        raise
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
