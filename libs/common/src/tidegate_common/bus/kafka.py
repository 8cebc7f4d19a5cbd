"""Kafka behind the `Bus` protocol, with aiokafka.

One record a batch and no lingering: our messages are large and rare, each is wanted at once, and
the embedded broker's end offsets are right only so. Partitions are assigned, never balanced by a
group: a stage's snapshot says where it reads on.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Generator, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin import NewTopic as KafkaTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.structs import ConsumerRecord

from tidegate_common.bus.base import NewTopic, Reader, TopicPartition
from tidegate_common.bus.holes import HoleWatch
from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import COMPACTED_TOPICS

# A whole-market frame is about 250 KB and a snapshot chunk 512 KB; twice the larger is room enough.
MESSAGE_BYTES_MAX = 1_048_576
_POLL_MESSAGES_MAX = 500
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class KafkaConfig:
    """How to reach Kafka.

    topic_prefix : put before every topic's name, so that deployments can share a broker.
    fetch_max_wait_ms, urgent_fetch_max_wait_ms : how long the broker may hold an empty fetch, of
        most readers and of those that a stage stands still for. The embedded broker sleeps half of
        it; a real one answers as soon as there is a message.
    connect_timeout_seconds : how long `start` waits for a broker.
    ca_file : certificates that the brokers' are checked by; "" for the system's.
    """

    bootstrap_servers: str
    topic_prefix: str = ""
    fetch_max_wait_ms: int = 100
    urgent_fetch_max_wait_ms: int = 100
    connect_timeout_seconds: float = 15.0
    request_timeout_ms: int = 15_000
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = None
    ca_file: str = ""

    def tls_context(self) -> ssl.SSLContext | None:
        """Return what TLS connections are checked by; None where there is no TLS.

        Raises
        ------
        ConfigError
            If the CA's certificates cannot be read.
        """
        if not self.security_protocol.endswith("SSL"):
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except (OSError, ssl.SSLError) as error:
            message = f"CA certificates of Kafka in {self.ca_file} cannot be read: {error.strerror}"
            raise ConfigError(message) from error


class KafkaBus:
    """A connection to Kafka."""

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config
        self._producer: AIOKafkaProducer | None = None
        self._readers: list[_KafkaReader] = []

    async def start(self) -> None:
        """Connect; raise ConfigError when no broker answers in time."""
        config = self._config
        producer: AIOKafkaProducer | None = None
        try:
            producer = self._new_producer()
            async with asyncio.timeout(config.connect_timeout_seconds):
                await _start_patiently(producer)
            self._producer = producer
        except (TimeoutError, KafkaError) as error:
            message = (
                f"no Kafka broker answers at {config.bootstrap_servers} "
                f"(waited {config.connect_timeout_seconds:g} s)"
            )
            raise ConfigError(message) from error
        except ValueError as error:
            message = f"the settings of Kafka at {config.bootstrap_servers} are wrong: {error}"
            raise ConfigError(message) from error
        finally:
            # Also when a stop cancels the wait.
            if producer and not self._producer:
                await producer.stop()

    async def close(self) -> None:
        """Flush and let go of all connections."""
        for reader in list(self._readers):
            await reader.close()
        if self._producer:
            await self._producer.stop()
            self._producer = None

    async def create_topics(self, topics: Sequence[NewTopic]) -> None:
        """Create topics that do not exist yet; check the partitions of those that do."""
        admin = AIOKafkaAdminClient(**self._connection())
        try:
            await admin.start()
            existing = set(await admin.list_topics())
            missing = [
                KafkaTopic(
                    name=self._full(topic.name),
                    num_partitions=topic.partition_count,
                    replication_factor=topic.replica_count,
                    topic_configs={"cleanup.policy": "compact"} if topic.is_compacted else {},
                )
                for topic in topics
                if self._full(topic.name) not in existing
            ]
            if missing:
                await _create(admin, missing)
            found = await admin.describe_topics([self._full(topic.name) for topic in topics])
        except KafkaError as error:
            message = f"topics could not be created at {self._config.bootstrap_servers}: {error}"
            raise TransientError(message) from error
        finally:
            await admin.close()
        self._check_partitions(topics, {item["topic"]: len(item["partitions"]) for item in found})

    def _check_partitions(self, topics: Sequence[NewTopic], found: Mapping[str, int]) -> None:
        for topic in topics:
            count = found.get(self._full(topic.name), 0)
            if count not in (0, topic.partition_count):
                message = (
                    f"topic {self._full(topic.name)} must have {topic.partition_count} "
                    f"partitions, has {count}: use the old number or another topic prefix"
                )
                raise ConfigError(message)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish messages in order and wait until all are kept."""
        await (await self.post(messages))

    async def post(self, messages: Sequence[Message]) -> Awaitable[None]:
        """Hand messages over; the awaitable ends when all are kept."""
        assert self._producer is not None, "the bus is not started"
        try:
            kept = [
                await self._producer.send(
                    self._full(message.topic),
                    value=message.value,
                    key=message.key,
                    partition=message.partition,
                    # aiokafka's compiled half takes a list and nothing else.
                    headers=list(message.headers),
                )
                for message in messages
            ]
        except (KafkaError, ValueError, AssertionError) as error:
            text = f"a message could not be handed to Kafka: {error}"
            raise TransientError(text) from error
        return _Kept(kept)

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset that the next message of each partition will get."""
        consumer = self._consumer(self._config.fetch_max_wait_ms)
        wanted = {self._kafka_partition(place): place for place in partitions}
        try:
            await consumer.start()
            consumer.assign(list(wanted))
            ends = await consumer.end_offsets(list(wanted))
        except KafkaError as error:
            text = f"end offsets are not to be had: {error}"
            raise TransientError(text) from error
        finally:
            await consumer.stop()
        return {place: ends[partition] for partition, place in wanted.items()}

    async def open_reader(
        self,
        positions: Mapping[TopicPartition, int],
        *,
        is_urgent: bool = False,
    ) -> Reader:
        """Return a reader that starts at the given offsets."""
        config = self._config
        wait_ms = config.urgent_fetch_max_wait_ms if is_urgent else config.fetch_max_wait_ms
        consumer = self._consumer(wait_ms)
        try:
            await consumer.start()
            consumer.assign([self._kafka_partition(place) for place in positions])
            for place, offset in positions.items():
                consumer.seek(self._kafka_partition(place), offset)
        except KafkaError as error:
            await consumer.stop()
            text = f"topics cannot be read: {error}"
            raise TransientError(text) from error
        holes = HoleWatch(
            {
                place: offset
                for place, offset in positions.items()
                if place.topic not in COMPACTED_TOPICS
            },
        )
        reader = _KafkaReader(consumer, self._config.topic_prefix, self._readers, holes)
        self._readers.append(reader)
        return reader

    def _new_producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **self._connection(),
            acks="all",
            linger_ms=0,
            max_batch_size=1,
            max_request_size=2 * MESSAGE_BYTES_MAX,
        )

    def _consumer(self, fetch_max_wait_ms: int) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **self._connection(),
            group_id=None,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            check_crcs=False,
            fetch_max_wait_ms=fetch_max_wait_ms,
            max_partition_fetch_bytes=2 * MESSAGE_BYTES_MAX,
        )

    def _connection(self) -> dict[str, object]:
        config = self._config
        return {
            "bootstrap_servers": config.bootstrap_servers,
            "request_timeout_ms": config.request_timeout_ms,
            "security_protocol": config.security_protocol,
            "ssl_context": config.tls_context(),
            "sasl_mechanism": config.sasl_mechanism,
            "sasl_plain_username": config.sasl_username,
            "sasl_plain_password": config.sasl_password,
        }

    def _full(self, topic: str) -> str:
        return self._config.topic_prefix + topic

    def _kafka_partition(self, place: TopicPartition) -> KafkaPartition:
        return KafkaPartition(self._full(place.topic), place.partition)


class _KafkaReader:
    """Reads assigned partitions of one consumer."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        topic_prefix: str,
        siblings: list["_KafkaReader"],
        holes: HoleWatch,
    ) -> None:
        self._consumer = consumer
        self._prefix = topic_prefix
        self._siblings = siblings
        self._holes = holes

    async def poll(self, timeout_seconds: float) -> list[Message]:
        """Return what has come, after waiting at most so long."""
        try:
            batches = await self._consumer.getmany(
                timeout_ms=max(1, round(timeout_seconds * 1000)),
                max_records=_POLL_MESSAGES_MAX,
            )
        except KafkaError as error:
            text = f"reading from Kafka failed: {error}"
            raise TransientError(text) from error
        return [
            Message(
                topic=place.topic,
                partition=place.partition,
                value=record.value or b"",
                key=record.key,
                # Kafka knows null headers; for us they are empty ones.
                headers=tuple((name, value or b"") for name, value in record.headers),
                offset=record.offset,
                sent_ms=max(record.timestamp or 0, 0),
            )
            for partition, records in batches.items()
            for place in [TopicPartition(partition.topic[len(self._prefix) :], partition.partition)]
            for record in self._readable(place, records)
        ]

    def _readable(
        self,
        place: TopicPartition,
        records: Sequence[ConsumerRecord[bytes, bytes]],
    ) -> Sequence[ConsumerRecord[bytes, bytes]]:
        """Return the records before the first hole, and go back to it if there is one."""
        now_seconds = asyncio.get_running_loop().time()
        offsets = [record.offset for record in records]
        count = self._holes.count_readable(place, offsets, now_seconds=now_seconds)
        if count < len(records):
            (partition,) = self._kafka_partitions([place])
            self._consumer.seek(partition, self._holes.next_offset(place))
        return records[:count]

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Stop fetching partitions."""
        self._consumer.pause(*self._kafka_partitions(partitions))

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Fetch paused partitions again."""
        self._consumer.resume(*self._kafka_partitions(partitions))

    def answered_ns(self) -> int:
        """Return when the broker last answered a fetch; 0 while nothing is fetched."""
        return answered_ns(self._consumer)

    def _kafka_partitions(self, partitions: Sequence[TopicPartition]) -> list[KafkaPartition]:
        return [KafkaPartition(self._prefix + place.topic, place.partition) for place in partitions]

    async def close(self) -> None:
        """Let go of the connection."""
        if self in self._siblings:
            self._siblings.remove(self)
            # A task of the consumer that has not begun yet would hand us its cancellation.
            await asyncio.sleep(0)
            await self._consumer.stop()


def answered_ns(consumer: AIOKafkaConsumer) -> int:
    """Return when a consumer's newest answer to a fetch came, UTC epoch.

    An answer without a record counts: the broker is there and the consumer asks it. 0 while it
    fetches nothing.
    """
    fetched = consumer.assignment() - consumer.paused()
    answers_ms = (consumer.last_poll_timestamp(partition) or 0 for partition in fetched)
    return max(answers_ms, default=0) * _NS_PER_MS


async def _start_patiently(producer: AIOKafkaProducer) -> None:
    """Start a producer, trying again while the broker is not there."""
    while True:
        try:
            await producer.start()
        except KafkaError:
            # The wait is bounded by the caller's timeout.
            await asyncio.sleep(0.2)
        else:
            return


async def _create(admin: AIOKafkaAdminClient, topics: list[KafkaTopic]) -> None:
    try:
        answer = await admin.create_topics(topics)
    except TopicAlreadyExistsError:
        return
    for name, code, *_ in answer.topic_errors:
        error = for_code(code)
        # Somebody else created it between our look and now: as good as our own.
        if code and error is not TopicAlreadyExistsError:
            text = f"topic {name} could not be created: {error.__name__}"
            raise TransientError(text)


class _Kept(Awaitable[None]):
    """Ends when messages are kept; who crashes before may leave it alone."""

    def __init__(self, futures: list[asyncio.Future[object]]) -> None:
        self._futures = futures

    def __await__(self) -> Generator[object, None, None]:
        return self._all().__await__()

    async def _all(self) -> None:
        try:
            for future in self._futures:
                await future
        except KafkaError as error:
            text = f"Kafka did not keep a message: {error}"
            raise TransientError(text) from error
