"""Run one shard of execution: `python -m tidegate_execution`."""

from tidegate_common.bus.beats import StageCore
from tidegate_common.bus.kafka import KafkaBus
from tidegate_common.bus.snapshots import SnapshotStore
from tidegate_common.errors import ConfigError
from tidegate_common.events.topics import EXECUTION_SNAPSHOTS, ORDERS
from tidegate_common.runtime.service import Service, run
from tidegate_common.runtime.stage import StageHooks, StageRunner, serve_stage
from tidegate_execution.metrics import ExecutionMetrics
from tidegate_execution.settings import ExecutionSettings
from tidegate_execution.shell import ExecutionProcessor


async def serve(service: Service[ExecutionSettings]) -> None:
    """Compose the stage and run it."""
    settings = service.settings
    if settings.shard >= settings.shard_count:
        message = f"shard must be below shard_count {settings.shard_count}, was {settings.shard}"
        raise ConfigError(message)
    bus = KafkaBus(settings.kafka.config())
    await bus.start()
    processor = ExecutionProcessor(
        settings.shard,
        settings.shard_count,
        settings.risk_partition_count,
    )
    core = StageCore(processor, stripe_count=settings.stripe_count)
    metrics = ExecutionMetrics(service.metrics.registry)
    metrics.open_orders.set_function(lambda: processor.open_order_count)
    runner = StageRunner(
        bus=bus,
        core=core,
        snapshots=SnapshotStore(bus, EXECUTION_SNAPSHOTS, settings.shard),
        metrics=service.metrics,
        snapshot_every_beats=settings.snapshot_every_beats,
        hooks=StageHooks(after_beat=lambda _: metrics.take(processor.report)),
        # Orders close the loop with risk: they must not queue behind frames.
        urgent_topics=frozenset({ORDERS.name}),
        tracer=service.tracer,
    )
    await serve_stage(service, bus, runner, core)


if __name__ == "__main__":
    run("execution", ExecutionSettings, serve)
