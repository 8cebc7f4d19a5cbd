"""What every embedded server can do, and how several start and stop together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol


class EmbeddedServer(Protocol):
    """A server of the local stack, as a child process on loopback."""

    @property
    def name(self) -> str:
        """`kafka`, `valkey` or `postgres`."""

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`; fit for a log line."""

    @property
    def url(self) -> str:
        """What a client is given; it may hold a password, so it is not for a log line."""

    async def start(self) -> None:
        """Start, and return once the server really answers."""

    async def wait(self) -> int:
        """Wait until the server's process has ended and return its exit code."""

    async def stop(self) -> None:
        """Stop within 10 s; does nothing when it is not running."""


@asynccontextmanager
async def running(servers: Sequence[EmbeddedServer]) -> AsyncIterator[None]:
    """Start all servers at once, and stop all on the way out.

    Raises
    ------
    ServerStartError
        The first server's failure; the others are stopped before it is raised.
    """
    try:
        await _start_all(servers)
        yield
    finally:
        await asyncio.gather(*(server.stop() for server in servers))


async def _start_all(servers: Sequence[EmbeddedServer]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for server in servers:
                group.create_task(server.start())
    except BaseExceptionGroup as failures:
        # The user gets one line about one server; the others were only told to give up.
        raise failures.exceptions[0] from None
