"""Entry point of the backtest worker."""

import asyncio

from tidegate_cli.backtest_jobs.settings import BacktestsSettings
from tidegate_cli.backtest_jobs.store import JobStore
from tidegate_cli.backtest_jobs.worker import Worker, WorkerOptions
from tidegate_common.bus.kafka import KafkaBus
from tidegate_common.runtime.service import Service, run
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.store.postgres import migrate, open_pool

NAME = "backtests"


async def serve(service: Service[BacktestsSettings]) -> None:
    """Run backtests until told to stop."""
    settings = service.settings
    dsn = settings.postgres.address()
    await migrate(dsn)
    pool = await open_pool(
        dsn,
        service=NAME,
        size_max=2,
        command_timeout_seconds=settings.postgres.timeout_seconds,
    )
    bus = KafkaBus(settings.kafka.config())
    options = WorkerOptions(
        feeds_dir=settings.feeds_dir,
        config_dir=settings.config_dir,
        job_seconds_max=settings.job_seconds_max,
        feed_bytes_max=settings.feed_bytes_max,
    )
    worker = Worker(bus, JobStore(pool), options, SystemClock())
    service.health.status = worker.status
    try:
        await bus.start()
        service.health.is_ready = True
        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(worker.run())
            await service.stopping.wait()
            work.cancel()
    finally:
        service.health.is_ready = False
        await bus.close()
        await pool.close()


def main() -> None:
    """Run the worker."""
    run(NAME, BacktestsSettings, serve)


if __name__ == "__main__":
    main()
