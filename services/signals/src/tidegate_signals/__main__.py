"""Run one role of signals: `python -m tidegate_signals`.

Scores are made for the shards that Faust assigns, by as many processes as one likes;
recommendations by one process, out of the scores of all shards.
"""

import asyncio
from typing import TYPE_CHECKING

from tidegate_common.bus.beats import BeatResult, StageCore
from tidegate_common.bus.kafka import KafkaBus
from tidegate_common.bus.snapshots import SnapshotStore
from tidegate_common.events.topics import RECOMMENDATIONS_SNAPSHOTS
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.runtime.cache_report import CacheReport
from tidegate_common.runtime.service import Service, run
from tidegate_common.runtime.stage import StageHooks, StageRunner, serve_stage
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.store.cache_writer import CacheWriter
from tidegate_common.store.redis import RecommendationCache
from tidegate_signals.settings import SignalsSettings
from tidegate_signals.shell import RecommendationProcessor

if TYPE_CHECKING:
    from tidegate_signals.stream import SignalsStream


async def serve(service: Service[SignalsSettings]) -> None:
    """Compose the role that the settings name and run it."""
    if service.settings.role == "scores":
        await _serve_scores(service)
    else:
        await _serve_recommendations(service)


async def _serve_scores(service: Service[SignalsSettings]) -> None:
    # Faust costs a second and 30 MB, which the other role shall not pay.
    from tidegate_signals.stream import SignalsStream  # noqa: PLC0415

    kafka = service.settings.kafka.config()
    bus = KafkaBus(kafka)
    await bus.start()
    stream = SignalsStream(
        bus=bus,
        kafka=kafka,
        metrics=service.metrics,
        snapshot_every_beats=service.settings.snapshot_every_beats,
        tracer=service.tracer,
    )
    service.health.status = stream.status
    service.facts.tell = stream.facts
    try:
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(_say_when_ready(service, stream))
            await stream.run(service.stopping)
            watch.cancel()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from group
    finally:
        service.health.is_ready = False
        await bus.close()


async def _say_when_ready(service: Service[SignalsSettings], stream: "SignalsStream") -> None:
    await stream.assigned.wait()
    service.health.is_ready = True


async def _serve_recommendations(service: Service[SignalsSettings]) -> None:
    settings = service.settings
    # First what can refuse the settings, then what has to be closed again.
    cache = RecommendationCache(
        settings.redis.address(),
        key_prefix=settings.redis.key_prefix,
        tell=CacheReport(service.metrics, stage="recommendations", cache="recommendations").tell,
    )
    service.metrics.breaker_open.probe(lambda: cache.is_left_alone, "recommendations", "redis")
    bus = KafkaBus(settings.kafka.config())
    await bus.start()
    processor = RecommendationProcessor(settings.shard_count)
    core = StageCore(processor)

    async def put(stamp: BeatStamp) -> bool:
        newest = processor.newest(stamp)
        # When the next run has begun, its first beat is about to be written.
        return newest is None or await cache.put(newest)

    writer = CacheWriter(put, every_seconds=settings.cache_every_seconds, clock=SystemClock())

    def after_beat(result: BeatResult) -> None:
        writer.beat_taken(result.stamp)

    runner = StageRunner(
        bus=bus,
        core=core,
        snapshots=SnapshotStore(bus, RECOMMENDATIONS_SNAPSHOTS, 0),
        metrics=service.metrics,
        snapshot_every_beats=settings.snapshot_every_beats,
        hooks=StageHooks(after_beat=after_beat),
        tracer=service.tracer,
    )
    async with asyncio.TaskGroup() as tasks:
        caching = tasks.create_task(writer.run())
        await serve_stage(service, bus, runner, core)
        caching.cancel()
    await writer.flush()
    await cache.close()


if __name__ == "__main__":
    run("signals", SignalsSettings, serve)
