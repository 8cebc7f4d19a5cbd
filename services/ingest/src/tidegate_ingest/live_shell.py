"""Sends the living market: answers come in, beats go out, and the log says where to go on.

A live feed cannot be asked again for what was. So a restart reads its own frames back from the
log, fills up the shards that lack the last beats, and goes on with the next number (ADR 17).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tidegate_common.bus.base import Bus, TopicPartition
from tidegate_common.bus.headers import frame_message, run_spec_of, stamp_of
from tidegate_common.domain.ids import shards_of
from tidegate_common.errors import ContractError, InvariantError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import TICKS
from tidegate_common.frames.codec import decode_frame
from tidegate_common.frames.frame import Frame, empty_rows, split_frame
from tidegate_common.runtime.logging import get_logger
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.runtime.tracing import FeedTracer, Tracer
from tidegate_ingest.adapters.live_log import LiveLog
from tidegate_ingest.adapters.reject_log import RejectLog
from tidegate_ingest.adapters.tick_echo import TickEcho
from tidegate_ingest.engine.live_sequencer import LiveSequencer
from tidegate_ingest.engine.quote_text import ParsedPayload
from tidegate_ingest.metrics import IngestMetrics
from tidegate_ingest.shell import PRODUCER, UNKEPT_FRAMES_MAX


class QuoteFeed(Protocol):
    """Whoever has quotes."""

    async def next_quotes(
        self, is_wanted: Callable[[int], bool]
    ) -> tuple[Sequence[ParsedPayload], int]:
        """Return the next answers, possibly none, and the market's time then.

        is_wanted : tells of a time whether quotes are any use then.
        """

    @property
    def is_patient(self) -> bool:
        """Whether the next answers can wait where the log is slow."""


@dataclass(frozen=True, slots=True)
class Lead:
    """What a sequencer has of the lease that it leads under.

    permit : returns when the next beat may be sent.
    epoch : of the lease.
    rejects : keeps what is refused. changed : called after each round of quotes.
    """

    permit: Callable[[], Awaitable[None]]
    epoch: int
    rejects: RejectLog
    changed: Callable[[], None]


class LivePublisher:
    """Sends one live run.

    Parameters
    ----------
    lead : None for a sequencer that is alone, and whose refused rows nobody keeps.
    conflated : how often a beat was not made because the one before was still on its way. What
        had come waits, newest row first, and is in the next one: nothing piles up.
    unwanted : answers of a time when no day can be open; they are dropped.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        sequencer: LiveSequencer,
        run_id: str,
        shard_count: int,
        lead: Lead | None = None,
        metrics: IngestMetrics | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._bus = bus
        self._metrics = metrics or IngestMetrics()
        self._tracer = FeedTracer(tracer, SystemClock(), producer=PRODUCER)
        self._sequencer = sequencer
        self._lead = lead
        self._echo = TickEcho(bus, run_id=run_id, producer=PRODUCER)
        self._echo_start = 0
        self._has_rejects = asyncio.Event()
        self._is_over = False
        self._run_id = run_id
        self._shard_count = shard_count
        self._logger = get_logger()
        self._unkept: deque[Awaitable[None]] = deque()
        self.conflated = 0
        self.unwanted = 0

    @property
    def kept_to(self) -> int:
        """Return the first beat that is not known to be kept, as far as beats are under way."""
        return self._sequencer.next_beat - len(self._unkept)

    async def recover(self) -> None:
        """Go on after what the log has of the run.

        Raises
        ------
        TimeoutError
            If the log cannot be read in time.
        InvariantError
            If a beat is missing in it.
        """
        arbiter = TopicPartition(TICKS.name, 0)
        self._echo_start = (await self._bus.end_offsets([arbiter]))[arbiter]
        log = LiveLog(
            self._bus,
            run_id=self._run_id,
            producer=PRODUCER,
            shard_count=self._shard_count,
        )
        missing: list[Message] = []
        async for beat, messages in log.beats():
            if beat != self._sequencer.next_beat:
                message = (
                    f"the log of run {self._run_id} must have beat {self._sequencer.next_beat}, "
                    f"found: {beat}"
                )
                raise InvariantError(message)
            for said in messages:
                self._sequencer.take(_decode(said))
            missing += self._missing(messages)
        if missing:
            self._logger.warning("shards_filled_up", messages=len(missing))
            await self._bus.publish(missing)

    async def publish(self, feed: QuoteFeed) -> None:
        """Send beats until the run's last day is closed.

        Raises
        ------
        OvertakenError
            In a group, if another sequencer of the run has said a beat first.
        """
        async with asyncio.TaskGroup() as tasks:
            beat = self._sequencer.next_beat
            following = tasks.create_task(self._echo.follow(self._echo_start, beat))
            tasks.create_task(self._say_rejects())
            await self._publish(feed, tasks)
            following.cancel()
            # Not cancelled: what it is about to say would be lost.
            self._is_over = True
            self._has_rejects.set()

    async def _publish(self, feed: QuoteFeed, tasks: asyncio.TaskGroup) -> None:
        sequencer = self._sequencer
        sending: asyncio.Task[None] | None = None
        while not sequencer.is_ended:
            answers, now_ns = await feed.next_quotes(sequencer.wants_quotes)
            if sequencer.wants_quotes(now_ns):
                for answer in answers:
                    sequencer.offer(answer, now_ns)
            else:
                self.unwanted += len(answers)
            self._tell_news()
            if sending is not None and not sending.done():
                self.conflated += 1
                continue
            frames = sequencer.beats(now_ns)
            if frames:
                unkept_max = UNKEPT_FRAMES_MAX if feed.is_patient else 0
                sending = tasks.create_task(self._send(frames, unkept_max))
            if sending is not None and feed.is_patient:
                await sending
        if sending is not None:
            await sending
        await self._settle(0)
        self._tell_news()

    async def _send(self, frames: Sequence[Frame], unkept_max: int) -> None:
        """Say beats, shard 0 first: its first message of a beat tells all what the beat is."""
        for frame in frames:
            beat, messages = frame.stamp.beat, self._split(frame)
            if self._lead is not None:
                await self._lead.permit()
            first, *others = self._tracer.carry(frame.stamp, messages)
            self._echo.expect(beat, first)
            self._unkept.append(await self._bus.post([first]))
            if others:
                await self._settle(0)
                await self._echo.until_heard(beat)
                await self._bus.publish(others)
            self._tracer.tell(frame, message_count=len(messages))
            self._metrics.sent(frame)
            # What is not read back yet is in memory.
            await self._echo.until_heard(beat - UNKEPT_FRAMES_MAX)
        await self._settle(unkept_max)

    def _tell_news(self) -> None:
        if self._sequencer.gate.rejects:
            self._has_rejects.set()
        if self._lead is not None:
            self._lead.changed()

    async def _say_rejects(self) -> None:
        """Say what was refused, beside the beats, to the end of the run."""
        while not self._is_over:
            await self._has_rejects.wait()
            self._has_rejects.clear()
            if self._lead is not None:
                await self._lead.rejects.say_waiting(
                    self._sequencer.gate.rejects,
                    epoch=self._lead.epoch,
                    ts_event_ns=self._sequencer.ts_event_ns,
                )

    async def _settle(self, allowed: int) -> None:
        """Wait until at most so many frames are not kept yet."""
        while len(self._unkept) > allowed:
            await self._unkept.popleft()

    def _missing(self, said: Sequence[Message]) -> list[Message]:
        """Return an empty frame of a beat for each shard that has not said it."""
        shards = set(range(self._shard_count)) - {message.partition for message in said}
        stamp, run_spec = stamp_of(said[0]), run_spec_of(said[0])
        frames = [Frame(stamp, shard, empty_rows(stamp.kind), run_spec) for shard in sorted(shards)]
        return [frame_message(frame, PRODUCER) for frame in frames]

    def _split(self, frame: Frame) -> Sequence[Message]:
        if self._shard_count == 1:
            return [frame_message(frame, PRODUCER)]
        shard = shards_of(frame.rows.instrument, self._shard_count)
        return [
            frame_message(part, PRODUCER) for part in split_frame(frame, shard, self._shard_count)
        ]


def _decode(message: Message) -> Frame:
    """Return a frame of the log; one that is broken was a beat all the same, without rows."""
    try:
        return decode_frame(message.value)
    except ContractError:
        # The stages put it aside.
        stamp = stamp_of(message)
        return Frame(stamp, message.partition, empty_rows(stamp.kind))
