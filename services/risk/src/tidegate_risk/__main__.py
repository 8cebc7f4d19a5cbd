"""Run one partition of risk: `python -m tidegate_risk`."""

import asyncio
from collections.abc import Callable

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
from tidegate_risk.adapters.copies import RedisCopies
from tidegate_risk.adapters.journal import JournalKeeper
from tidegate_risk.metrics import RiskMeter, RiskMetrics
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
    processor = RiskProcessor(
        settings.partition,
        shard_count=settings.shard_count,
        risk_partition_count=settings.risk_partition_count,
    )
    # First what can refuse the settings, then what has to be closed again.
    copies = RedisCopies(
        settings,
        service.metrics,
        SystemClock(),
        books=processor.current_books,
    )
    bus = KafkaBus(settings.kafka.config())
    await bus.start()
    fold = JournalFold()
    core = StageCore(processor, fold, stripe_count=settings.stripe_count)
    keeper = JournalKeeper(
        bus,
        fold,
        SystemClock(),
        partition=settings.partition,
        partition_count=settings.risk_partition_count,
    )

    snapshots = SnapshotStore(
        bus,
        RISK_SNAPSHOTS,
        settings.partition,
        find_copy=copies.newest_snapshot,
    )
    metrics = RiskMetrics(service.metrics.registry)
    metrics.journal_lag.set_function(lambda: keeper.waiting_count)
    meter = RiskMeter(metrics, SystemClock(), figures=processor.figures)

    def taken(stamp: BeatStamp) -> None:
        copies.beat_taken(stamp)
        meter.take(processor.decided)

    runner = StageRunner(
        bus=bus,
        core=core,
        snapshots=snapshots,
        metrics=service.metrics,
        snapshot_every_beats=settings.snapshot_every_beats,
        hooks=_hooks(bus, core, keeper, taken=taken, after_snapshot=copies.snapshot_saved),
        # Fills close the loop with execution: they must not queue behind frames and scores.
        urgent_topics=frozenset({FILLS.name}),
        tracer=service.tracer,
    )
    async with asyncio.TaskGroup() as tasks:
        aside = [tasks.create_task(copies.run()), tasks.create_task(meter.run())]
        await serve_stage(service, bus, runner, core)
        for task in aside:
            task.cancel()
    await copies.close()


def _hooks(
    bus: KafkaBus,
    core: StageCore,
    keeper: JournalKeeper,
    *,
    taken: Callable[[BeatStamp], None],
    after_snapshot: Callable[[BeatStamp, bytes], None],
) -> StageHooks:
    async def before_beat() -> float | None:
        wait_seconds = await keeper.write_if_due(core)
        letters = keeper.take_dead_letters()
        if letters:
            await bus.publish([dead_letter_message(letter) for letter in letters])
        return wait_seconds

    def after_beat(result: BeatResult) -> None:
        keeper.beat_taken()
        taken(result.stamp)

    return StageHooks(
        side_inputs={
            keeper.journal_place: keeper.take_entry,
            keeper.requests_place: keeper.take_request,
        },
        side_positions=keeper.positions,
        before_beat=before_beat,
        after_beat=after_beat,
        after_snapshot=after_snapshot,
    )


if __name__ == "__main__":
    run("risk", RiskSettings, serve)
