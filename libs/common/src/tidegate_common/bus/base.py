"""The bus, as the platform sees it: ordered partitions of messages, read from any offset.

At-least-once and ordered within a partition is all that is asked of it; beats do the rest.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tidegate_common.events.message import Message


@dataclass(frozen=True, slots=True, order=True)
class TopicPartition:
    """One ordered stream of the bus; the topic's name is without prefix."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class NewTopic:
    """A topic to create, always with explicit partitions.

    replica_count : brokers that keep it; a cluster must have as many.
    """

    name: str
    partition_count: int
    is_compacted: bool = False
    replica_count: int = 1


class Reader(Protocol):
    """Reads partitions from given offsets, in order within each."""

    async def poll(self, timeout_seconds: float) -> list[Message]:
        """Return what has come, after waiting at most so long; possibly nothing."""

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Stop fetching partitions, so that a slow stage holds a bounded backlog."""

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Fetch paused partitions again."""

    def answered_ns(self) -> int:
        """Return when the broker last answered, if only that there is nothing, UTC epoch.

        0 while nothing is asked of it (all is paused), and where that cannot be told.
        """

    async def close(self) -> None:
        """Let go of the connection."""


class Bus(Protocol):
    """Publishes messages and opens readers."""

    async def start(self) -> None:
        """Connect.

        Raises
        ------
        ConfigError
            If there is no broker at the address, within the bounded wait.
        """

    async def close(self) -> None:
        """Flush and let go of all connections."""

    async def create_topics(self, topics: Sequence[NewTopic]) -> None:
        """Create topics that do not exist yet.

        Raises
        ------
        ConfigError
            If one exists with another number of partitions.
        """

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish messages, in order within each partition, and wait until all are kept.

        Raises
        ------
        TransientError
            If the broker did not take them within the bounded retries.
        """

    async def post(self, messages: Sequence[Message]) -> Awaitable[None]:
        """Hand messages over, in order within each partition, without waiting.

        The awaitable ends when all are kept, or raises as `publish` does.
        """

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset that the next message of each partition will get."""

    async def open_reader(
        self,
        positions: Mapping[TopicPartition, int],
        *,
        is_urgent: bool = False,
    ) -> Reader:
        """Return a reader that starts at the given offsets (0 is the oldest kept).

        is_urgent : a stage stands still until the next message comes: spend more on fetching.
        """
