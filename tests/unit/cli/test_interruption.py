"""Ctrl-C and SIGTERM."""

import asyncio
import os
import signal

import pytest

from tidegate_cli.interruption import InterruptedByUser, run_interruptible


def test_run_interruptible_without_a_signal_returns_the_result() -> None:
    """The usual end."""

    async def work() -> int:
        return 7

    assert run_interruptible(work()) == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_interruptible_second_signal_does_not_cut_the_clean_up(number: int) -> None:
    """An impatient Ctrl-C must not leave services behind."""
    steps: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), number)
            await asyncio.get_running_loop().run_in_executor(None, steps.append, "cleaned up")

    with pytest.raises(InterruptedByUser) as caught:
        run_interruptible(work())

    assert steps == ["cleaned up"]
    assert caught.value.exit_code == 128 + number
