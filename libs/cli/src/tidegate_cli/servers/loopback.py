"""The common half of the three servers: directory, lock, port, process and readiness."""

import asyncio
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Final

from tidegate_cli.servers.errors import ServerConfigError, ServerStartError
from tidegate_cli.servers.lock import DirectoryLock
from tidegate_cli.servers.ports import LOOPBACK, choose_port, is_port_free, require_port
from tidegate_cli.servers.process import POLL_S, ServerProcess, start_process
from tidegate_cli.servers.watchdog import Spec
from tidegate_common.errors import InvariantError

START_TIMEOUT_S: Final = 30.0
PROBE_TIMEOUT_S: Final = 2.0
# Between the check of a port and the server's bind another program may take it; then we take
# another. Three in a row would be no accident.
PORT_ATTEMPTS: Final = 3


class LoopbackServer(ABC):
    """A server that listens on one loopback port and keeps its files in one directory.

    Parameters
    ----------
    data_dir : the stack's data directory; the server's own is `data_dir/NAME`, its output goes to
        `data_dir/logs/NAME.log`.
    port : the port that the user asked for; None takes the usual one, or any free one.
    """

    name: ClassVar[str]
    port_preferred: ClassVar[int]
    port_option: ClassVar[str]

    def __init__(self, data_dir: Path, *, port: int | None = None) -> None:
        # Absolute, because the process starts in a directory of its own.
        self._home = data_dir.absolute() / self.name
        self._log = data_dir.absolute() / "logs" / f"{self.name}.log"
        self._port_wanted = port
        self._port: int | None = None
        self._process: ServerProcess | None = None

    @property
    def port(self) -> int:
        """The port that the server listens on, once it has started."""
        if self._port is None:
            message = f"{self.name} has no port before it has started"
            raise InvariantError(message)
        return self._port

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`; fit for a log line."""
        return f"{LOOPBACK}:{self.port}"

    @property
    @abstractmethod
    def url(self) -> str:
        """What a client is given; it may hold a password, so it is not for a log line."""

    async def start(self) -> None:
        """Start, and return once the server really answers, at most 30 s later.

        Raises
        ------
        ServerConfigError
            If the wanted port or the directory is in use, or the machine cannot run the server.
        ServerStartError
            If the server ends or does not answer; its last log lines are in the message.
        """
        if self._process is not None:
            message = f"{self.name} is already running"
            raise InvariantError(message)
        try:
            await self._start()
        except OSError as error:
            message = f"cannot start {self.name} in {self._home}: {error}"
            raise ServerConfigError(message) from error

    async def wait(self) -> int:
        """Wait until the server's process has ended and return its exit code."""
        if self._process is None:
            message = f"{self.name} is not running"
            raise InvariantError(message)
        return await self._process.wait()

    async def stop(self) -> None:
        """Stop within 10 s; does nothing when it is not running."""
        process, self._process = self._process, None
        if process is not None:
            await process.stop()

    async def _prepare(self) -> None:  # noqa: B027 - most servers need nothing
        """Do what the server needs once, before it starts."""

    @abstractmethod
    def _spec(self, port: int) -> Spec:
        """Return the command that serves on this port."""

    @abstractmethod
    async def _is_answering(self, port: int) -> bool:
        """Tell whether our own server, and not another one on this port, answers."""

    async def _start(self) -> None:
        for directory in (self._home, self._log.parent):
            directory.mkdir(parents=True, exist_ok=True)
        lock = await DirectoryLock.acquire(self._home)
        try:
            await self._prepare()
            await self._start_on_some_port(lock)
        finally:
            # The server holds the lock by its own copy of the descriptor.
            lock.close()

    async def _start_on_some_port(self, lock: DirectoryLock) -> None:
        for attempt in range(1, PORT_ATTEMPTS + 1):
            port = self._take_port()
            try:
                await self._start_on(port, lock)
            except ServerStartError:
                if is_port_free(port) or attempt == PORT_ATTEMPTS:
                    raise
                # Lost the race for the port. A port that the user asked for is refused on the
                # next turn, with the message that says so.
            else:
                return

    def _take_port(self) -> int:
        if self._port_wanted is None:
            return choose_port(self.port_preferred)
        return require_port(self._port_wanted, option=self.port_option)

    async def _start_on(self, port: int, lock: DirectoryLock) -> None:
        process = start_process(
            self.name, self._spec(port), log=self._log, lock=lock.file_descriptor
        )
        try:
            await self._wait_for_answer(process, port)
        except BaseException:
            await process.stop()
            raise
        self._process = process
        self._port = port

    async def _wait_for_answer(self, process: ServerProcess, port: int) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.exit_code is not None:
                message = (
                    f"{self.name} ended with exit code {process.exit_code} while it started: "
                    f"{process.last_words()} (log: {self._log})"
                )
                raise ServerStartError(message)
            try:
                if await asyncio.wait_for(self._is_answering(port), PROBE_TIMEOUT_S):
                    return
            except (OSError, EOFError):
                # Not listening yet, or closing on us; a timeout is an OSError too.
                pass
            await asyncio.sleep(POLL_S)
        message = (
            f"{self.name} did not answer on {LOOPBACK}:{port} within {START_TIMEOUT_S:.0f} s: "
            f"{process.last_words()} (log: {self._log})"
        )
        raise ServerStartError(message)
