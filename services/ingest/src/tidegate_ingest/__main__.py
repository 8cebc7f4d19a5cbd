"""Feed one run: `python -m tidegate_ingest`."""

import asyncio

from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.kafka import KafkaBus
from tidegate_common.codec import decode_event
from tidegate_common.errors import ConfigError, ContractError
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import PORTFOLIOS
from tidegate_common.runtime.service import Service, run
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_ingest.adapters.feed import Feed, open_feed
from tidegate_ingest.settings import IngestSettings
from tidegate_ingest.shell import Pacer, Progress, Publisher


async def serve(service: Service[IngestSettings]) -> None:
    """Open the feed of the run and send it."""
    settings = service.settings
    spec = _read_spec(settings)
    feed = await asyncio.to_thread(open_feed, spec)
    bus = KafkaBus(settings.kafka.config())
    await bus.start()
    clock = SystemClock()
    is_paced = settings.speed != "max"
    progress = None if is_paced else Progress(spec.run_id, settings.risk_partition_count)
    publisher = Publisher(
        bus=bus,
        run_id=spec.run_id,
        shard_count=settings.shard_count,
        pacer=Pacer(clock, float(settings.speed[:-1])) if is_paced else None,
        progress=progress,
        ahead_beats_max=settings.ahead_beats_max,
    )
    service.health.status = lambda: {
        "stage": "ingest-0",
        "run": spec.run_id,
        "next_beat": publisher.next_beat,
        "beat_count": feed.beat_count,
    }
    publisher.next_beat = await publisher.first_missing_beat()
    service.log.info("feed_started", run=spec.run_id, next_beat=publisher.next_beat)
    service.health.is_ready = True
    try:
        await _send(service, bus, publisher, progress, feed)
    finally:
        await bus.close()
    service.log.info("feed_ended", run=spec.run_id, next_beat=publisher.next_beat)


async def _send(
    service: Service[IngestSettings],
    bus: KafkaBus,
    publisher: Publisher,
    progress: Progress | None,
    feed: Feed,
) -> None:
    if progress is None:
        await publisher.publish(feed.frames(), service.stopping)
        return
    places = [
        TopicPartition(PORTFOLIOS.name, partition)
        for partition in range(service.settings.risk_partition_count)
    ]
    reader = await bus.open_reader(dict.fromkeys(places, 0))
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(progress.follow(reader, SystemClock()))
        sending = tasks.create_task(publisher.publish(feed.frames(), service.stopping))
        stopping = tasks.create_task(service.stopping.wait())
        await asyncio.wait({sending, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (following, stopping, sending):
            task.cancel()


def _read_spec(settings: IngestSettings) -> RunSpec:
    path = settings.run_spec_file
    try:
        return decode_event(RunSpec, path.read_bytes())
    except OSError as error:
        message = f"run_spec_file {path} cannot be read: {error.strerror}"
        raise ConfigError(message) from error
    except ContractError as error:
        message = f"run_spec_file {path}: {error}"
        raise ConfigError(message) from error


if __name__ == "__main__":
    run("ingest", IngestSettings, serve)
