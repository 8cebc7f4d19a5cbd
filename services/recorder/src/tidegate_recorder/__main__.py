"""Entry point of the recorder."""

import asyncio
import shutil
from pathlib import Path

from tidegate_common.bus.kafka import KafkaBus
from tidegate_common.runtime.service import Service, run
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.store.postgres import migrate, open_pool
from tidegate_common.store.quotes import QuoteCache
from tidegate_recorder.adapters.archive import Archive
from tidegate_recorder.adapters.quotes import QuoteCopies
from tidegate_recorder.adapters.retention import Retention, RetentionOptions
from tidegate_recorder.adapters.tables import Tables
from tidegate_recorder.beat_watch import BeatWatch
from tidegate_recorder.metrics import RecorderMetrics
from tidegate_recorder.settings import RecorderSettings
from tidegate_recorder.shell import Recorder, RecorderOptions

NAME = "recorder"


async def serve(service: Service[RecorderSettings]) -> None:
    """Record until told to stop."""
    settings = service.settings
    dsn = settings.postgres.address()
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
    quotes = QuoteCopies(
        QuoteCache(
            settings.redis.address(),
            key_prefix=settings.redis.key_prefix,
            put_timeout_seconds=settings.redis.timeout_seconds,
            get_timeout_seconds=settings.redis.timeout_seconds,
        ),
        shard_count=settings.shard_count,
        every_seconds=settings.quotes_every_seconds,
        clock=SystemClock(),
    )
    tables = Tables(pool, log=settings.log_name)
    bus = KafkaBus(settings.kafka.config())
    recorder = Recorder(
        bus=bus,
        tables=tables,
        options=RecorderOptions(
            shard_count=settings.shard_count,
            risk_partition_count=settings.risk_partition_count,
            batch_messages_max=settings.batch_messages_max,
            stripe_count=settings.stripe_count,
            batch_seconds_max=settings.batch_seconds_max,
            outage_seconds_max=settings.outage_seconds_max,
            equity_every_beats=settings.equity_every_beats,
        ),
        archive=_archive(settings),
        retention=_retention(settings, tables),
        quotes=quotes,
        metrics=_metrics(service),
        stage_metrics=service.metrics,
        beat_watch=BeatWatch(
            SystemClock(),
            service.metrics.latency_seconds.labels(NAME).observe,
            service.tracer,
        ),
        report_ready=lambda is_ready: setattr(service.health, "is_ready", is_ready),
    )
    service.health.status = recorder.status
    try:
        await bus.start()
        await quotes.start()
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(quotes.run())
            await recorder.run(service.stopping)
            writing.cancel()
    except BaseExceptionGroup as group:
        # The group has one cause: what stopped the recorder.
        raise group.exceptions[0] from group
    finally:
        await quotes.close()
        await bus.close()
        await pool.close()


def _metrics(service: Service[RecorderSettings]) -> RecorderMetrics:
    metrics, directory = RecorderMetrics(service.metrics.registry), service.settings.archive_dir
    if directory:
        metrics.archive_free.set_function(lambda: shutil.disk_usage(directory).free)
    return metrics


def _archive(settings: RecorderSettings) -> Archive | None:
    if not settings.archive_dir:
        return None
    return Archive(
        Path(settings.archive_dir),
        log=settings.log_name,
        shard_count=settings.shard_count,
    )


def _retention(settings: RecorderSettings, tables: Tables) -> Retention:
    options = RetentionOptions(
        tables_days=settings.retention_days,
        archive_days=settings.archive_retention_days,
        archive_dir=Path(settings.archive_dir) if settings.archive_dir else None,
    )
    return Retention(tables, options, SystemClock())


def main() -> None:
    """Run the recorder."""
    run(NAME, RecorderSettings, serve)


if __name__ == "__main__":
    main()
