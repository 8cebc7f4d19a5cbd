"""A bus inside one process, for tests and for parity with the real one."""

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace

from tidegate_common.bus.base import NewTopic, Reader, TopicPartition
from tidegate_common.clock import Clock
from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.events.message import Message

_POLL_MESSAGES_MAX = 500


class MemoryBus:
    """Keeps every partition as a list; readers of one bus see each other's messages.

    Parameters
    ----------
    clock : by which messages are sent; None leaves their time unsaid.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock
        self._logs: dict[TopicPartition, list[Message]] = {}
        self._partition_counts: dict[str, int] = {}
        self._grown = asyncio.Event()

    async def start(self) -> None:
        """Do nothing: there is nobody to connect to."""

    async def close(self) -> None:
        """Do nothing: other users of the bus go on."""

    async def create_topics(self, topics: Sequence[NewTopic]) -> None:
        """Create topics that do not exist yet."""
        for topic in topics:
            count = self._partition_counts.setdefault(topic.name, topic.partition_count)
            if count != topic.partition_count:
                message = (
                    f"topic {topic.name} must have {topic.partition_count} partitions, has {count}"
                )
                raise ConfigError(message)
            for partition in range(count):
                self._logs.setdefault(TopicPartition(topic.name, partition), [])

    async def publish(self, messages: Sequence[Message]) -> None:
        """Append messages to their partitions."""
        sent_ms = self._clock.now_ns() // 1_000_000 if self._clock else 0
        for message in messages:
            log = self._logs.get(TopicPartition(message.topic, message.partition))
            if log is None:
                text = f"topic {message.topic} has no partition {message.partition}"
                raise TransientError(text)
            log.append(replace(message, offset=len(log), sent_ms=sent_ms))
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def post(self, messages: Sequence[Message]) -> Awaitable[None]:
        """Append messages; what is returned is done already."""
        await self.publish(messages)
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the length of each partition."""
        return {partition: len(self._logs[partition]) for partition in partitions}

    async def open_reader(
        self,
        positions: Mapping[TopicPartition, int],
        *,
        is_urgent: bool = False,  # noqa: ARG002  # messages are here at once anyway
    ) -> Reader:
        """Return a reader that starts at the given offsets."""
        return _MemoryReader(self, dict(positions))

    def log(self, topic: str, partition: int = 0) -> list[Message]:
        """Return all messages of a partition, for tests."""
        return list(self._logs[TopicPartition(topic, partition)])

    async def wait_for_growth(self, timeout_seconds: float) -> None:
        """Return when a message was published, or after the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._grown.wait()

    def read(self, place: TopicPartition, offset: int) -> list[Message]:
        """Return some messages of a partition from an offset on."""
        return self._logs[place][offset : offset + _POLL_MESSAGES_MAX]


class _MemoryReader:
    """Reads partitions of a `MemoryBus`."""

    def __init__(self, bus: MemoryBus, positions: dict[TopicPartition, int]) -> None:
        self._bus = bus
        self._positions = positions
        self._paused: set[TopicPartition] = set()

    async def poll(self, timeout_seconds: float) -> list[Message]:
        """Return what has come, after waiting at most so long."""
        messages = self._take()
        if not messages:
            await self._bus.wait_for_growth(timeout_seconds)
            messages = self._take()
        return messages

    def _take(self) -> list[Message]:
        taken: list[Message] = []
        for place, offset in self._positions.items():
            if place not in self._paused:
                messages = self._bus.read(place, offset)
                self._positions[place] = offset + len(messages)
                taken.extend(messages)
        return taken

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Stop reading partitions."""
        self._paused.update(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Read paused partitions again."""
        self._paused.difference_update(partitions)

    def answered_ns(self) -> int:
        """Return 0: there is no broker."""
        return 0

    async def close(self) -> None:
        """Do nothing."""
