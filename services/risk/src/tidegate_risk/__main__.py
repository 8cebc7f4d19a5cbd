"""Run one partition of risk: `python -m tidegate_risk`."""

import asyncio

from tidegate_common.bus.beats import BeatResult, StageCore
from tidegate_common.bus.journal import JournalFold
from tidegate_common.bus.kafka import KafkaBus
from tidegate_common.bus.snapshots import SnapshotStore
from tidegate_common.errors import ConfigError
from tidegate_common.events.topics import FILLS, RISK_SNAPSHOTS
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.runtime.service import Service, run
from tidegate_common.runtime.stage import (
    StageHooks,
    StageRunner,
    dead_letter_message,
    serve_stage,
)
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.store.cache_writer import CacheWriter
from tidegate_common.store.redis import PortfolioCache
from tidegate_risk.adapters.journal import JournalKeeper
from tidegate_risk.settings import RiskSettings
from tidegate_risk.shell import RiskProcessor


async def serve(service: Service[RiskSettings]) -> None:
    """Compose the stage and run it."""
    settings = service.settings
    if settings.partition >= settings.risk_partition_count:
        message = (
            f"partition must be below risk_partition_count {settings.risk_partition_count}, "
            f"was {settings.partition}"
        )
        raise ConfigError(message)
    # First what can refuse the settings, then what has to be closed again.
    cache = PortfolioCache(
        settings.redis.url.get_secret_value(),
        key_prefix=settings.redis.key_prefix,
    )
    bus = KafkaBus(settings.kafka.config())
    await bus.start()
    processor = RiskProcessor(
        settings.partition,
        shard_count=settings.shard_count,
        risk_partition_count=settings.risk_partition_count,
    )
    fold = JournalFold()
    core = StageCore(processor, fold, stripe_count=settings.stripe_count)
    keeper = JournalKeeper(
        bus,
        fold,
        SystemClock(),
        partition=settings.partition,
        partition_count=settings.risk_partition_count,
    )

    async def put(stamp: BeatStamp) -> bool:
        return await cache.put(stamp.run_id, stamp.beat, processor.current_portfolios())

    writer = CacheWriter(put, every_seconds=settings.cache_every_seconds, clock=SystemClock())
    runner = StageRunner(
        bus=bus,
        core=core,
        snapshots=SnapshotStore(bus, RISK_SNAPSHOTS, settings.partition),
        metrics=service.metrics,
        snapshot_every_beats=settings.snapshot_every_beats,
        hooks=_hooks(bus, core, keeper, writer),
        # Fills close the loop with execution: they must not queue behind frames and scores.
        urgent_topics=frozenset({FILLS.name}),
    )
    async with asyncio.TaskGroup() as tasks:
        caching = tasks.create_task(writer.run())
        await serve_stage(service, bus, runner, core)
        caching.cancel()
    await writer.flush()
    await cache.close()


def _hooks(
    bus: KafkaBus,
    core: StageCore,
    keeper: JournalKeeper,
    writer: CacheWriter,
) -> StageHooks:
    async def before_beat() -> None:
        await keeper.write_if_due(core)
        letters = keeper.take_dead_letters()
        if letters:
            await bus.publish([dead_letter_message(letter) for letter in letters])

    def after_beat(result: BeatResult) -> None:
        keeper.beat_taken()
        writer.beat_taken(result.stamp)

    return StageHooks(
        side_inputs={
            keeper.journal_place: keeper.take_entry,
            keeper.requests_place: keeper.take_request,
        },
        side_positions=keeper.positions,
        before_beat=before_beat,
        after_beat=after_beat,
    )


if __name__ == "__main__":
    run("risk", RiskSettings, serve)
