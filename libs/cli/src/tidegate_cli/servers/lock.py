"""One server a directory: a lock that lives as long as any process of the server does.

The descriptor is inherited by the server and by its own children, so the system frees the lock
when the last of them is gone, however it went. A lock that we get therefore proves that whatever
the directory says about a running server is stale.
"""

import asyncio
import fcntl
import os
import time
from pathlib import Path
from typing import Final, Self

from tidegate_cli.servers.errors import ServerConfigError

POLL_S: Final = 0.02
# A server whose starter was killed is given 8 s by its watchdog to stop.
ORPHAN_TIMEOUT_S: Final = 10.0
# The last processes of a crashed PostgreSQL notice within milliseconds that it is gone; a lock that
# is held for longer by a living program's server is held on purpose.
LIVING_TIMEOUT_S: Final = 1.0


class DirectoryLock:
    """The right to run the one server of a directory."""

    def __init__(self, file_descriptor: int) -> None:
        self.file_descriptor = file_descriptor

    @classmethod
    async def acquire(cls, directory: Path) -> Self:
        """Lock a directory.

        A holder whose starter is dead is on its way out and is waited for, up to 10 s; another one
        for 1 s.

        Raises
        ------
        ServerConfigError
            If a living program uses the directory.
        """
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            await _lock(descriptor, directory)
        except BaseException:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        return cls(descriptor)

    def close(self) -> None:
        """Let go of our copy; a server that was started with it keeps the lock."""
        os.close(self.file_descriptor)


async def _lock(descriptor: int, directory: Path) -> None:
    started = time.monotonic()
    while not _is_locked_now(descriptor):
        holder = _holder(descriptor)
        patience_s = LIVING_TIMEOUT_S if _is_alive(holder) else ORPHAN_TIMEOUT_S
        if time.monotonic() - started > patience_s:
            message = (
                f"{directory} is in use by process {holder}: choose another "
                "directory with --data-dir or stop that program"
            )
            raise ServerConfigError(message)
        await asyncio.sleep(POLL_S)


def _is_locked_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> int:
    """Return the process that started the holder; 0 when it has not said so yet."""
    return int(os.pread(descriptor, 20, 0) or b"0")


def _is_alive(process_id: int) -> bool:
    if process_id == 0:
        return False
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
