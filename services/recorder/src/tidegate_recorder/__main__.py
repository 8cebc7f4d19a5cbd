"""Entry point of the recorder."""

from tidegate_common.bus.kafka import KafkaBus
from tidegate_common.runtime.service import Service, run
from tidegate_common.store.postgres import migrate, open_pool
from tidegate_recorder.adapters.tables import Tables
from tidegate_recorder.metrics import RecorderMetrics
from tidegate_recorder.settings import RecorderSettings
from tidegate_recorder.shell import Recorder, RecorderOptions

NAME = "recorder"


async def serve(service: Service[RecorderSettings]) -> None:
    """Record until told to stop."""
    settings = service.settings
    dsn = settings.postgres.url.get_secret_value()
    await migrate(dsn)
    pool = await open_pool(
        dsn,
        service=NAME,
        size_max=2,
        command_timeout_seconds=settings.postgres.timeout_seconds,
        # The log is the truth: what the server forgets in a crash is read again, because the
        # positions are forgotten with it. Then no commit waits for a disk.
        settings={"synchronous_commit": "off"},
    )
    bus = KafkaBus(settings.kafka.config())
    recorder = Recorder(
        bus=bus,
        tables=Tables(pool, log=settings.log_name),
        options=RecorderOptions(
            shard_count=settings.shard_count,
            risk_partition_count=settings.risk_partition_count,
            batch_messages_max=settings.batch_messages_max,
            stripe_count=settings.stripe_count,
            batch_seconds_max=settings.batch_seconds_max,
            outage_seconds_max=settings.outage_seconds_max,
        ),
        metrics=RecorderMetrics(service.metrics.registry),
        report_ready=lambda is_ready: setattr(service.health, "is_ready", is_ready),
    )
    service.health.status = recorder.status
    try:
        await bus.start()
        await recorder.run(service.stopping)
    finally:
        await bus.close()
        await pool.close()


def main() -> None:
    """Run the recorder."""
    run(NAME, RecorderSettings, serve)


if __name__ == "__main__":
    main()
