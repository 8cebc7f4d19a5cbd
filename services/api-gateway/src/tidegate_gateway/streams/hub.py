"""Reads the log once for all clients of this process, and only while there are any.

The newest part of the log is read first, so that a client that comes from another gateway, or from
this one before its restart, is told what it missed.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from tidegate_common.bus.base import Bus, Reader, TopicPartition
from tidegate_common.errors import TransientError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import TICKS
from tidegate_common.runtime.logging import get_logger
from tidegate_gateway.streams.log import LOG_TOPICS, LiveLog, Topology
from tidegate_gateway.streams.quotes import QuoteBoard
from tidegate_gateway.streams.session import Session

_POLL_SECONDS: Final = 0.25
_READY_SECONDS_MAX: Final = 10.0
# Of quotes a client wants the newest: each instrument has spoken in the last minute.
_QUOTE_BEATS: Final = 20


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bounds of the stream.

    clients_max : clients at once.
    replay_beats : so much of the log's end is read when the first client comes; an hour of 3 s.
    entries_max, characters_max : events that are kept for clients that come again.
    lag_entries_max : a client may be so far behind; less than is kept, so that it can go on.
    heartbeat_seconds : between heartbeats.
    idle_seconds : a client without a subscription is let go after so long.
    message_characters_max : of what a client says.
    farewell_seconds : a client that does not read gets so long for the last words.
    """

    clients_max: int = 256
    replay_beats: int = 1_200
    entries_max: int = 50_000
    characters_max: int = 50_000_000
    lag_entries_max: int = 20_000
    heartbeat_seconds: float = 10.0
    idle_seconds: float = 60.0
    message_characters_max: int = 16_384
    farewell_seconds: float = 2.0


class StreamMetrics:
    """What the stream counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.clients = Gauge(
            "tidegate_gateway_stream_clients",
            "Clients of the live stream.",
            registry=registry,
        )
        self.messages = Counter(
            "tidegate_gateway_stream_messages_total",
            "Messages sent to clients of the live stream.",
            registry=registry,
        )
        self.ends = Counter(
            "tidegate_gateway_stream_ends_total",
            "Clients whose stream ended: left, overrun, refused, unavailable, idle.",
            ["outcome"],
            registry=registry,
        )
        # What happens seldom is 0 before, not missing: a rate over it sees its first time.
        for outcome in ("left", "overrun", "refused", "unavailable", "idle"):
            self.ends.labels(outcome)


class Taker(Protocol):
    """What is made of messages."""

    def take(self, messages: Sequence[Message], *, is_settled: bool) -> bool:
        """Take messages, in the order of each partition; tell whether they are news."""


class Tap:
    """Reads partitions of the bus into a taker while somebody listens.

    Parameters
    ----------
    begin : makes what is read into, anew whenever reading begins.
    tail : how many messages of a partition's end to begin with.
    tell : is called after news, and when the bus went away.
    """

    def __init__(
        self,
        bus: Bus,
        places: Sequence[TopicPartition],
        *,
        begin: Callable[[], Taker],
        tail: Callable[[TopicPartition], int],
        tell: Callable[[], None],
    ) -> None:
        self._bus = bus
        self._places = places
        self._begin = begin
        self._tail = tail
        self._tell = tell
        self._listeners = 0
        self._wanted = asyncio.Event()
        self._ready = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self.failure: TransientError | None = None

    async def run(self) -> None:
        """Read whenever somebody listens, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                if self._listeners:
                    await self._read()
            except TransientError as error:
                get_logger().warning("stream_interrupted", error=str(error))
                self.failure = error
                self._ready.set()
                self._tell()
                # Nobody is left with a log that nothing is added to any more.
                await self._empty.wait()
                self._ready.clear()
                self.failure = None

    async def join(self) -> None:
        """Listen; return when the newest part of the log has been read.

        Raises
        ------
        TransientError
            If that is not to be had in time.
        """
        self._listeners += 1
        self._empty.clear()
        self._wanted.set()
        try:
            async with asyncio.timeout(_READY_SECONDS_MAX):
                await self._ready.wait()
            if self.failure:
                raise self.failure
        except TimeoutError as error:
            self.leave()
            message = f"expected the log's end within {_READY_SECONDS_MAX:g} s, it did not come"
            raise TransientError(message) from error
        except TransientError:
            self.leave()
            raise

    def leave(self) -> None:
        """Listen no more."""
        self._listeners -= 1
        if not self._listeners:
            self._empty.set()

    async def _read(self) -> None:
        ends = await self._bus.end_offsets(self._places)
        starts = {place: max(0, end - self._tail(place)) for place, end in ends.items()}
        reader = await self._bus.open_reader(starts)
        try:
            taker = self._begin()
            await self._read_tail(reader, taker, ends)
            self._ready.set()
            while self._listeners:
                messages = await reader.poll(_POLL_SECONDS)
                if taker.take(messages, is_settled=not messages):
                    self._tell()
        finally:
            # Before anything else: who comes now waits for the next reading.
            self._ready.clear()
            await reader.close()

    async def _read_tail(
        self,
        reader: Reader,
        taker: Taker,
        ends: dict[TopicPartition, int],
    ) -> None:
        missing = {place for place, end in ends.items() if end}
        while missing:
            messages = await reader.poll(_POLL_SECONDS)
            taker.take(messages, is_settled=False)
            for message in messages:
                place = TopicPartition(message.topic, message.partition)
                if message.offset >= ends[place] - 1:
                    missing.discard(place)
            if not messages:
                # A log that says of itself that it is longer than it is; what comes, comes.
                break
        taker.take([], is_settled=True)


@dataclass(frozen=True, slots=True)
class Seat:
    """A client's place, and the sign that it is lost because the client is too slow."""

    session: Session
    is_lost: asyncio.Event


class StreamHub:
    """The live stream of this process."""

    def __init__(
        self,
        bus: Bus,
        topology: Topology,
        *,
        limits: StreamLimits | None = None,
        metrics: StreamMetrics | None = None,
    ) -> None:
        self.limits = limits or StreamLimits()
        self.metrics = metrics or StreamMetrics(CollectorRegistry())
        self._topology = topology
        self._news = asyncio.Event()
        self._seats: list[Seat] = []
        self._clients = 0
        self._quotes = QuoteBoard()
        self._log = self._begin_log()
        beats = self.limits.replay_beats
        self._log_tap = Tap(
            bus,
            topology.places(LOG_TOPICS),
            begin=self._begin_log,
            tail=lambda place: topology.tail(place, beats),
            tell=self.tell,
        )
        self._quote_tap = Tap(
            bus,
            topology.places((TICKS,)),
            begin=lambda: self._quotes,
            tail=lambda _: _QUOTE_BEATS,
            tell=self.tell,
        )

    async def run(self) -> None:
        """Read while there are clients, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._log_tap.run())
            tasks.create_task(self._quote_tap.run())

    @asynccontextmanager
    async def seat(self, accounts: frozenset[str] = frozenset()) -> AsyncIterator[Seat]:
        """Give a client its place in the stream.

        accounts : the only ones that it may hear of; empty for all.

        Raises
        ------
        TransientError
            If the log cannot be read, or there are as many clients as the stream takes.
        """
        if self._clients >= self.limits.clients_max:
            message = f"the stream takes {self.limits.clients_max} clients at once, and has them"
            raise TransientError(message)
        self._clients += 1
        self.metrics.clients.set(self._clients)
        try:
            await self._log_tap.join()
            lag = self.limits.lag_entries_max
            session = Session(self._log, self._quotes, lag_entries_max=lag, accounts=accounts)
            seat = Seat(session, asyncio.Event())
            self._seats.append(seat)
            try:
                yield seat
            finally:
                self._seats.remove(seat)
                self._log_tap.leave()
        finally:
            self._clients -= 1
            self.metrics.clients.set(self._clients)

    @asynccontextmanager
    async def quotes(self) -> AsyncIterator[None]:
        """Read quotes, too, for as long as somebody wants them; TransientError if that fails."""
        await self._quote_tap.join()
        try:
            yield
        finally:
            self._quote_tap.leave()

    def tell(self) -> None:
        """Wake all clients, and let those go that are too slow."""
        for seat in self._seats:
            if seat.session.is_overrun:
                seat.is_lost.set()
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def texts(self, session: Session) -> AsyncGenerator[str, None]:
        """Yield what a client is to be told, for ever.

        Raises
        ------
        TransientError
            If the log cannot be read any more.
        """
        loop = asyncio.get_running_loop()
        heartbeat_at = loop.time() + self.limits.heartbeat_seconds
        while True:
            news = self._news
            for text in session.news():
                if text is None:
                    await asyncio.sleep(0)
                else:
                    yield text
                    self.metrics.messages.inc()
            failure = self._log_tap.failure or self._quote_tap.failure
            if failure:
                raise failure
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(heartbeat_at):
                    await news.wait()
            if loop.time() >= heartbeat_at:
                yield session.heartbeat()
                heartbeat_at = loop.time() + self.limits.heartbeat_seconds

    def _begin_log(self) -> LiveLog:
        limits = self.limits
        self._log = LiveLog(
            self._topology,
            entries_max=limits.entries_max,
            characters_max=limits.characters_max,
        )
        return self._log
