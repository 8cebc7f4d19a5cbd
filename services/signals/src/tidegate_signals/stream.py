"""The Faust shell of signals: an agent over raw frames, one stage runner an assigned shard.

Faust decides which shards this process has, and brings their frames. What it has at an assignment
is loaded from the shard's snapshot, and Faust is sent to the snapshot's offset. What it had is
dropped at a revocation: another process makes the same bytes out of the same frames.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import faust
from faust.types import TP
from faust.types.streams import StreamT
from mode import CrashingSupervisor

from tidegate_common.bus.base import Bus, TopicPartition
from tidegate_common.bus.beats import StageCore
from tidegate_common.bus.kafka import KafkaConfig
from tidegate_common.bus.snapshots import SnapshotStore
from tidegate_common.events.message import Message
from tidegate_common.events.topics import SIGNALS_SNAPSHOTS, TICKS
from tidegate_common.runtime.logging import get_logger
from tidegate_common.runtime.metrics import StageMetrics
from tidegate_common.runtime.stage import StageRunner
from tidegate_common.runtime.tracing import Tracer
from tidegate_signals.adapters.faust_transport import StreamApp, make_app
from tidegate_signals.adapters.inbox import Inbox, InboxBus
from tidegate_signals.stage import SignalsProcessor

GROUP = "signals.scores"
# Less than the runtime gives the whole service.
_STOP_SECONDS_MAX = 4.0


@dataclass(frozen=True, slots=True)
class _Shard:
    """An assigned shard at work."""

    core: StageCore
    inbox: Inbox
    stopping: asyncio.Event
    task: asyncio.Task[None]


class SignalsStream:
    """Scores every shard that Faust assigns to this process."""

    def __init__(
        self,
        *,
        bus: Bus,
        kafka: KafkaConfig,
        metrics: StageMetrics,
        snapshot_every_beats: int,
        tracer: Tracer | None = None,
    ) -> None:
        self._bus = bus
        self._kafka = kafka
        self._metrics = metrics
        self._snapshot_every_beats = snapshot_every_beats
        self._tracer = tracer
        self._shards: dict[int, _Shard] = {}
        self._assigning = asyncio.Lock()
        self._answered_ns: Callable[[], int] = int
        self._tasks: asyncio.TaskGroup | None = None
        self._log = get_logger().bind(stage="signals")
        self.assigned = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Score until told to stop; raise what stopped a shard or Faust."""
        app = self._make_app()
        self._answered_ns = app.answered_ns
        try:
            async with asyncio.TaskGroup() as self._tasks:
                await self._serve(app, self._tasks, stopping)
        except BaseExceptionGroup as group:
            # The group has one cause: what a shard or Faust raised first.
            raise group.exceptions[0] from group

    def status(self) -> dict[str, object]:
        """Return where each shard is."""
        return {
            "stage": "signals",
            "shards": {
                str(number): {
                    "run": shard.core.run.run_id if shard.core.run else None,
                    "next_beat": shard.core.next_beat,
                }
                for number, shard in sorted(self._shards.items())
            },
        }

    def facts(self) -> dict[str, object]:
        """Return what lines of the log say that are of no shard."""
        runs = {shard.core.run.run_id for shard in self._shards.values() if shard.core.run}
        return {"stage": "signals", "run": min(runs, default=None)}

    async def _serve(
        self,
        app: faust.App,
        tasks: asyncio.TaskGroup,
        stopping: asyncio.Event,
    ) -> None:
        # Joining the group takes seconds, and a stop must not wait for it.
        starting = tasks.create_task(app.start())
        asked = tasks.create_task(stopping.wait())
        try:
            await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
            if await app.wait_for_stopped(asked):
                raise app.crash_reason or RuntimeError("Faust stopped by itself")
        finally:
            starting.cancel()
            asked.cancel()
            await self._stop(app)

    async def _stop(self, app: faust.App) -> None:
        for shard in self._shards.values():
            shard.stopping.set()
        try:
            async with asyncio.timeout(_STOP_SECONDS_MAX):
                await app.stop()
        except TimeoutError:
            # Without a broker there is no leaving the group; it will miss our heartbeat.
            self._log.warning("faust_not_stopped", waited_seconds=_STOP_SECONDS_MAX)

    def _make_app(self) -> StreamApp:
        topic = self._kafka.topic_prefix + TICKS.name
        app = make_app(
            name=self._kafka.topic_prefix + GROUP,
            kafka=self._kafka,
            positions=self._take_up,
        )
        channel = app.topic(
            topic,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            acks=False,
        )
        # The usual supervisor would start the agent again without the frame it lost.
        app.agent(channel, name=GROUP, supervisor_strategy=CrashingSupervisor)(self._consume)
        app.on_partitions_revoked.connect(self._on_revoked)
        app.on_partitions_assigned.connect(self._on_assigned)
        return app

    async def _consume(self, stream: StreamT[bytes]) -> None:
        """Hand each frame to its shard; the agent."""
        async for event in stream.events():
            record = event.message
            shard = self._shards.get(record.partition)
            if shard:
                await shard.inbox.put(
                    Message(
                        topic=TICKS.name,
                        partition=record.partition,
                        value=record.value or b"",
                        key=record.key,
                        # Kafka knows null headers; for us they are empty ones.
                        headers=tuple((name, text or b"") for name, text in record.headers or ()),
                        offset=record.offset,
                        sent_ms=round((record.timestamp or 0) * 1_000),
                    ),
                )

    async def _take_up(self, numbers: Iterable[int]) -> Mapping[int, int]:
        """Have exactly these shards at work; return the offsets at which their memory ends."""
        async with self._assigning:
            wanted = list(numbers)
            await self._drop(number for number in list(self._shards) if number not in wanted)
            for number in wanted:
                if number not in self._shards:
                    self._shards[number] = await self._begin(number)
            self.assigned.set()
            return {
                number: self._shards[number].core.positions()[TopicPartition(TICKS.name, number)]
                for number in wanted
            }

    async def _begin(self, number: int) -> _Shard:
        core, stopping = StageCore(SignalsProcessor(number)), asyncio.Event()
        inbox = Inbox(self._answered_ns)
        runner = StageRunner(
            bus=InboxBus(self._bus, inbox),
            core=core,
            snapshots=SnapshotStore(self._bus, SIGNALS_SNAPSHOTS, number),
            metrics=self._metrics,
            snapshot_every_beats=self._snapshot_every_beats,
            tracer=self._tracer,
        )
        await runner.recover()
        assert self._tasks is not None, "shards are assigned only while running"
        return _Shard(core, inbox, stopping, self._tasks.create_task(runner.run(stopping)))

    async def _drop(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            shard = self._shards.pop(number)
            await shard.inbox.close()
            shard.task.cancel()
            self._log.info("shard_dropped", shard=number, next_beat=shard.core.next_beat)

    async def _on_revoked(self, _app: object, /, *revoked: set[TP], **_extra: object) -> None:
        async with self._assigning:
            numbers = {place.partition for places in revoked for place in places}
            await self._drop(number for number in list(self._shards) if number in numbers)

    async def _on_assigned(self, _app: object, /, *assigned: set[TP], **_extra: object) -> None:
        numbers = sorted(place.partition for places in assigned for place in places)
        self._log.info("shards_assigned", shards=numbers)
        if not numbers:
            # Faust asks for positions only when there are any.
            await self._take_up(())
