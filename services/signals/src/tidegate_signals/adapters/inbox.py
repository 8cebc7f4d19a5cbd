"""Frames that Faust brings, as a bus's reader: the door between the two machineries."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from tidegate_common.bus.base import Bus, NewTopic, Reader, TopicPartition
from tidegate_common.events.message import Message

# Frames are up to 250 KB: a shard holds 16 MB of them at most.
INBOX_MESSAGES_MAX = 64
_PAUSE_SECONDS = 0.005


class Inbox:
    """A bounded queue of one shard's messages; a full one holds the Faust agent back.

    Parameters
    ----------
    answered_ns : tells when the broker last answered who fills the queue.
    """

    def __init__(self, answered_ns: Callable[[], int] = int) -> None:
        self._answered_ns = answered_ns
        self._queue: asyncio.Queue[Message] = asyncio.Queue(INBOX_MESSAGES_MAX)
        self._is_closed = False
        self._is_paused = False

    async def put(self, message: Message) -> None:
        """Take a message, once there is room; after `close` it is let go."""
        if not self._is_closed:
            await self._queue.put(message)

    async def poll(self, timeout_seconds: float) -> list[Message]:
        """Return what has come, after waiting at most so long."""
        if self._is_paused:
            await asyncio.sleep(min(_PAUSE_SECONDS, timeout_seconds))
            return []
        try:
            async with asyncio.timeout(timeout_seconds):
                messages = [await self._queue.get()]
        except TimeoutError:
            return []
        messages.extend(self._drain())
        return messages

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Give nothing out; there is only one partition."""
        self._is_paused = bool(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Give out again."""
        self._is_paused = self._is_paused and not partitions

    def answered_ns(self) -> int:
        """Return when the broker last answered Faust, UTC epoch; 0 where it has not."""
        return self._answered_ns()

    async def close(self) -> None:
        """Let go of everything, so that nobody waits for room."""
        self._is_closed = True
        self._drain()

    def _drain(self) -> list[Message]:
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]


class InboxBus:
    """A bus whose one reader is an inbox; everything else is the real bus."""

    def __init__(self, bus: Bus, inbox: Inbox) -> None:
        self._bus = bus
        self._inbox = inbox

    async def start(self) -> None:
        """Do nothing: the real bus has its own owner."""

    async def close(self) -> None:
        """Do nothing: the real bus has its own owner."""

    async def create_topics(self, topics: Sequence[NewTopic]) -> None:
        """Create topics on the real bus."""
        await self._bus.create_topics(topics)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish on the real bus."""
        await self._bus.publish(messages)

    async def post(self, messages: Sequence[Message]) -> Awaitable[None]:
        """Hand messages to the real bus."""
        return await self._bus.post(messages)

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Ask the real bus."""
        return await self._bus.end_offsets(partitions)

    async def open_reader(
        self,
        positions: Mapping[TopicPartition, int],  # noqa: ARG002
        *,
        is_urgent: bool = False,  # noqa: ARG002
    ) -> Reader:
        """Return the inbox; Faust was sent to the positions before."""
        return self._inbox
