"""Feed one run: `python -m tidegate_ingest`."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.kafka import KafkaBus
from tidegate_common.codec import decode_event
from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ConfigError, ContractError
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import PORTFOLIOS
from tidegate_common.frames.codec import encode_frame
from tidegate_common.frames.frame import BeatStamp, Frame, empty_rows
from tidegate_common.runtime.service import EXIT_UNDONE, Service, run
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_ingest.adapters.feed import Feed, open_feed
from tidegate_ingest.adapters.lease_log import LEASE_FETCH_MS, LeaseLog
from tidegate_ingest.adapters.reject_log import RejectLog
from tidegate_ingest.engine.lease import Candidate
from tidegate_ingest.live_service import serve_live
from tidegate_ingest.metrics import FeedMeter, IngestMetrics, is_in_session
from tidegate_ingest.settings import IngestSettings
from tidegate_ingest.shell import PRODUCER, Cursor, Pacer, Progress, Publisher, Replay, Sequencer


async def serve(service: Service[IngestSettings]) -> None:
    """Open the feed of the run; send it, or stand by."""
    settings = service.settings
    spec = _read_spec(settings)
    if spec.feed.live is not None:
        await serve_live(service, spec, spec.feed.live)
        return
    feed = await asyncio.to_thread(open_feed, spec)
    await asyncio.to_thread(_warm_up, spec.run_id)
    config = settings.kafka.config()
    bus = KafkaBus(config)
    # Of their own: leases are not to wait behind frames, nor to be asked for as often.
    lease_bus = KafkaBus(replace(config, fetch_max_wait_ms=LEASE_FETCH_MS))
    try:
        await bus.start()
        await lease_bus.start()
        await _sequence(service, spec, feed, bus=bus, lease_bus=lease_bus)
    finally:
        await bus.close()
        await lease_bus.close()


def _warm_up(run_id: RunId) -> None:
    """Encode a frame: Arrow imports pandas for its first one, which no takeover is to wait for."""
    stamp = BeatStamp(run_id, 0, BeatKind.TICK, trade_date=0, ts_event_ns=0, is_last=False)
    encode_frame(Frame(stamp, 0, empty_rows(stamp.kind)))


async def _sequence(
    service: Service[IngestSettings],
    spec: RunSpec,
    feed: Feed,
    *,
    bus: KafkaBus,
    lease_bus: KafkaBus,
) -> None:
    settings, clock = service.settings, SystemClock()
    candidate = Candidate(spec.run_id, instance=settings.instance_name, started_ns=clock.now_ns())
    leases = LeaseLog(lease_bus, candidate, clock, next_beat=lambda: publisher.kept_to)
    is_paced = settings.speed != "max"
    metrics = IngestMetrics(service.metrics.registry)
    progress = None if is_paced else Progress(spec.run_id, settings.risk_partition_count)
    publisher = Publisher(
        bus=bus,
        run_id=spec.run_id,
        shard_count=settings.shard_count,
        pacer=Pacer(clock, float(settings.speed[:-1])) if is_paced else None,
        progress=progress,
        ahead_beats_max=settings.ahead_beats_max,
        permit=leases.permit,
        metrics=metrics,
        tracer=service.tracer,
    )
    meter = FeedMeter(metrics)
    metrics.in_session.set_function(
        lambda: candidate.is_active and is_in_session(publisher.ts_event_ns)
    )
    metrics.beat_number.set_function(lambda: publisher.next_beat)
    sequencer = Sequencer(
        candidate=candidate,
        leases=leases,
        duty=Replay(
            publisher,
            Cursor(feed.frames),
            lambda frames: _feed(
                lambda: _send(service, bus, publisher, progress, frames),
                feed,
                RejectLog(bus, spec.run_id),
                meter,
            ),
        ),
        metrics=metrics,
    )
    service.facts.tell = lambda: {
        "stage": PRODUCER,
        "run": spec.run_id,
        "beat": publisher.next_beat,
    }
    service.health.status = lambda: {
        "stage": "ingest-0",
        "run": spec.run_id,
        "role": "active" if candidate.is_active else "standby",
        "epoch": candidate.epoch,
        "next_beat": publisher.next_beat if candidate.is_active else candidate.next_beat,
        "beat_count": feed.beat_count,
    }
    service.health.is_ready = True
    if not await sequencer.run(service.stopping):
        service.exit_code = EXIT_UNDONE
    service.log.info("feed_ended", run=spec.run_id, next_beat=candidate.next_beat)


async def _feed(
    send: Callable[[], Awaitable[None]], feed: Feed, log: RejectLog, meter: FeedMeter
) -> None:
    """Send a feed's frames, and say what it refuses: beside them, or after them."""
    _count_rejected(feed, meter)
    async with asyncio.TaskGroup() as tasks:
        if feed.is_checked:
            tasks.create_task(log.say_replayed(feed.rejects()))
        await send()
    if not feed.is_checked:
        await log.say_replayed(feed.rejects())
    _count_rejected(feed, meter)


def _count_rejected(feed: Feed, meter: FeedMeter) -> None:
    meter.take_rows({reason.value: rows for reason, rows in feed.counts.rejected.items()})


async def _send(
    service: Service[IngestSettings],
    bus: KafkaBus,
    publisher: Publisher,
    progress: Progress | None,
    frames: Iterator[Frame],
) -> None:
    if progress is None:
        await publisher.publish(frames, service.stopping)
        return
    places = [
        TopicPartition(PORTFOLIOS.name, partition)
        for partition in range(service.settings.risk_partition_count)
    ]
    reader = await bus.open_reader(dict.fromkeys(places, 0))
    try:
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(progress.follow(reader, SystemClock()))
            await publisher.publish(frames, service.stopping)
            following.cancel()
    finally:
        await reader.close()


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
