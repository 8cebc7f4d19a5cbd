"""One server process under its watchdog: start, watch, stop, and what it last said."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tidegate_cli.servers import watchdog
from tidegate_cli.servers.errors import ServerStartError

POLL_S: Final = 0.01
# The watchdog gives the server 8 s and then kills it, so that stop() is over within 10 s.
GRACE_S: Final = 8.0
STOP_TIMEOUT_S: Final = 10.0
LOG_TAIL_BYTES: Final = 8_192
LOG_TAIL_LINES: Final = 5
LOG_TAIL_CHARACTERS: Final = 600
ANSI_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
# Servers see this and nothing else: an inherited PGPORT, STORAGE_ENGINE or LISTENER_URL would
# otherwise change what they do.
ENVIRONMENT: Final[Mapping[str, str]] = {"LC_ALL": "C", "NO_COLOR": "1", "PATH": "/usr/bin:/bin"}


class ServerProcess:
    """A running server; made by `start_process`."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def exit_code(self) -> int | None:
        """How the server ended, or None while it runs."""
        return self._process.poll()

    async def wait(self) -> int:
        """Wait until the server has ended and return its exit code."""
        # Polled, because asyncio's own child watching ties a process to one event loop.
        while (code := self._process.poll()) is None:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        return code

    async def stop(self) -> None:
        """Stop the server; within 10 s, by force if need be."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wait(), STOP_TIMEOUT_S)
        finally:
            if self._process.poll() is None:
                # The watchdog leads a group of its own with the server in it.
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def last_words(self) -> str:
        """Return the end of the log on one line, for an error message."""
        with self.log.open("rb") as stream:
            stream.seek(max(0, self.log.stat().st_size - LOG_TAIL_BYTES))
            text = ANSI_COLOUR.sub("", stream.read().decode(errors="replace"))
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " | ".join(lines[-LOG_TAIL_LINES:])[-LOG_TAIL_CHARACTERS:] or "it logged nothing"


def start_process(
    name: str, spec: watchdog.Spec, *, log: Path, lock: int | None = None
) -> ServerProcess:
    """Start a server under its watchdog.

    Parameters
    ----------
    name : for messages.
    spec : what to run.
    log : file for the server's output; the one of the start before is kept beside it.
    lock : a locked file descriptor that the server is to hold as long as it lives.
    """
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__, json.dumps(asdict(spec))],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
            pass_fds=() if lock is None else (lock,),
            # Its own session: the terminal's Ctrl-C reaches us, and we stop the servers in order.
            start_new_session=True,
        )
    return ServerProcess(name, process, log)


async def run_to_end(name: str, spec: watchdog.Spec, *, log: Path, timeout: float) -> None:
    """Run a command that ends by itself, such as initdb.

    Raises
    ------
    ServerStartError
        If it fails or takes longer than `timeout` seconds.
    """
    process = start_process(name, spec, log=log)
    started = time.monotonic()
    try:
        code = await asyncio.wait_for(process.wait(), timeout)
    except TimeoutError:
        took_s = time.monotonic() - started
        message = f"{name} took longer than {took_s:.0f} s: {process.last_words()} (log: {log})"
        raise ServerStartError(message) from None
    finally:
        await process.stop()
    if code != 0:
        message = f"{name} failed with exit code {code}: {process.last_words()} (log: {log})"
        raise ServerStartError(message)
