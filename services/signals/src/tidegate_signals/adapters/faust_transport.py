"""Faust's Kafka driver, taught to start where our snapshots end.

Faust starts an assigned partition at the group's committed offset. Here the memory of a shard
comes from a snapshot that knows its own offset, so that offset counts and nothing is committed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import ClassVar

import aiokafka
import faust
from faust.auth import SASLCredentials, SSLCredentials
from faust.transport.consumer import RecordMap
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP
from faust.types.auth import CredentialsT
from faust.types.transports import ConsumerT

from tidegate_common.bus.kafka import MESSAGE_BYTES_MAX, KafkaConfig, answered_ns

# Joining takes half of it on the embedded broker, and so long passes before a dead member's
# shards are given to another.
SESSION_TIMEOUT_SECONDS = 6.0
_HEARTBEAT_SECONDS = 2.0
# Frames between the broker and the agent; they are large, so few.
_BUFFER_MESSAGES = 64
# While frames come in bursts, so long they may gather between two fetches: a fetch costs the
# embedded broker milliseconds, however little it brings.
_GATHER_SECONDS = 0.03

Positions = Callable[[Iterable[int]], Awaitable[Mapping[int, int]]]


class StreamApp(faust.App):
    """A Faust app whose partitions start where `positions` says.

    positions : from assigned shards to the offsets at which to go on; awaited at every
        rebalance before the first message, and possibly again.
    fetch_max_wait_ms : how long the broker may hold an empty fetch.
    """

    positions: Positions
    fetch_max_wait_ms: int
    fetcher: aiokafka.AIOKafkaConsumer | None = None

    def answered_ns(self) -> int:
        """Return when the broker last answered, UTC epoch; 0 before there is a consumer."""
        return answered_ns(self.fetcher) if self.fetcher else 0

    def _create_directories(self) -> None:
        """Make none: there are no tables, and a container's file system may be read-only."""


def make_app(
    *,
    name: str,
    kafka: KafkaConfig,
    positions: Positions,
) -> StreamApp:
    """Return an app; it makes no topics, tables or web pages of its own.

    Parameters
    ----------
    name : the consumer group.
    """
    # Faust's services tell of each of their steps under the name of the module of their class.
    logging.getLogger(__name__).setLevel(logging.WARNING)
    app = StreamApp(
        name,
        broker=[f"kafka://{server}" for server in kafka.bootstrap_servers.split(",")],
        broker_credentials=_credentials(kafka),
        broker_session_timeout=SESSION_TIMEOUT_SECONDS,
        broker_heartbeat_interval=_HEARTBEAT_SECONDS,
        broker_rebalance_timeout=SESSION_TIMEOUT_SECONDS,
        broker_max_poll_records=_BUFFER_MESSAGES,
        broker_check_crcs=False,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=2 * MESSAGE_BYTES_MAX,
        producer_linger=0,
        producer_max_batch_size=1,
        store="memory://",
        stream_buffer_maxsize=_BUFFER_MESSAGES,
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        value_serializer="raw",
        web_enabled=False,
    )
    app.positions = positions
    app.fetch_max_wait_ms = kafka.fetch_max_wait_ms
    app.transport = _SnapshotTransport(app.conf.broker_consumer, app)
    return app


class _PromptThread(AIOKafkaConsumerThread):
    """Fetches without the 1.5 s that Faust allows an empty fetch."""

    def _create_worker_consumer(self, transport: Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        app = self.app
        assert isinstance(app, StreamApp)
        # Faust has no setting for it, and aiokafka reads it only when it starts.
        consumer._fetch_max_wait_ms = app.fetch_max_wait_ms  # noqa: SLF001
        app.fetcher = consumer
        return consumer

    async def getmany(self, active_partitions: set[TP] | None, timeout: float) -> RecordMap:
        """Return what has come; when that is much, let more gather for the next fetch."""
        records = await super().getmany(active_partitions, timeout)
        if sum(len(batch) for batch in records.values()) > 1:
            await asyncio.sleep(_GATHER_SECONDS)
        return records


class _SnapshotConsumer(Consumer):
    """Seeks to our own positions where Faust would seek to committed ones."""

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return _PromptThread(self, loop=self.loop, beacon=self.beacon)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek all partitions to where their memory ends."""
        app = self.app
        assert isinstance(app, StreamApp)
        assigned = {place.partition: place for place in self.assignment()}
        positions = await app.positions(sorted(assigned))
        offsets = {assigned[shard]: offset for shard, offset in positions.items()}
        if offsets:
            await self.seek_wait(offsets)
        return offsets

    def on_buffer_full(self, tp: TP) -> None:
        """Do nothing: the full buffer blocks, and Faust would stop fetching for a second."""


class _SnapshotTransport(Transport):
    """The transport with our consumer."""

    Consumer: ClassVar[type[ConsumerT]] = _SnapshotConsumer


def _credentials(kafka: KafkaConfig) -> CredentialsT | None:
    context = kafka.tls_context()
    if kafka.security_protocol.startswith("SASL"):
        return SASLCredentials(
            username=kafka.sasl_username,
            password=kafka.sasl_password,
            mechanism=kafka.sasl_mechanism,
            ssl_context=context,
        )
    return SSLCredentials(context) if context else None
