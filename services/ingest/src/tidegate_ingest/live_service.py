"""Puts a live run together: services, sequencer, bus."""

import asyncio

import numpy as np

from tidegate_common.bus.kafka import KafkaBus
from tidegate_common.codec import encode_event
from tidegate_common.domain.ids import parse_symbol
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import LiveSpec, RunSpec
from tidegate_common.market.calendar import xshg_calendar
from tidegate_common.market.sessions import shanghai_date
from tidegate_common.runtime.service import Service
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_ingest.adapters.live_polling import LivePolling, PollingOptions
from tidegate_ingest.adapters.live_push import LivePush, PushProgress
from tidegate_ingest.adapters.quote_services import quote_services, service_code
from tidegate_ingest.adapters.reference_file import open_reference
from tidegate_ingest.engine.live_sequencer import LiveRun, LiveSequencer
from tidegate_ingest.engine.push_quotes import PUSH_SOURCE
from tidegate_ingest.engine.quote_text import QuoteSource
from tidegate_ingest.live_shell import LivePublisher
from tidegate_ingest.settings import IngestSettings, LiveSettings


async def serve_live(service: Service[IngestSettings], spec: RunSpec, live: LiveSpec) -> None:
    """Send the living market until the run's last day is closed, or the service is told to stop.

    Raises
    ------
    ConfigError
        If the spec names an unknown source or symbol, or none, or the trading calendar ends before
        today.
    """
    settings = service.settings
    run = live_run(spec, live)
    calendar = await asyncio.to_thread(xshg_calendar)
    if live.sources != (PUSH_SOURCE,):
        # Past the end of the calendar no day would ever open: say so now.
        calendar.is_trading_day(shanghai_date(SystemClock().now_ns()))
    reference = await asyncio.to_thread(open_reference, spec.feed.reference)
    sequencer = LiveSequencer(run, calendar, reference)
    feed = live_feed(spec, live, settings.live, sequencer)
    bus = KafkaBus(settings.kafka.config())
    publisher = LivePublisher(
        bus=bus,
        sequencer=sequencer,
        run_id=spec.run_id,
        shard_count=settings.shard_count,
    )
    service.health.status = lambda: {
        "stage": "ingest-0",
        "run": spec.run_id,
        "next_beat": sequencer.next_beat,
        "beat_count": None,
        "conflated": publisher.conflated,
        "unwanted": publisher.unwanted,
        "rows": dict(sequencer.gate.counts),
        "requests": dict(feed.counts),
        "push_url": feed.url if isinstance(feed, LivePush) else "",
    }
    await bus.start()
    try:
        await publisher.recover()
        service.log.info("live_feed_started", run=spec.run_id, next_beat=sequencer.next_beat)
        service.health.is_ready = True
        async with feed, asyncio.TaskGroup() as tasks:
            publishing = tasks.create_task(publisher.publish(feed))
            stopping = tasks.create_task(service.stopping.wait())
            await asyncio.wait({publishing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in (publishing, stopping):
                task.cancel()
    finally:
        await bus.close()
    service.log.info("live_feed_ended", run=spec.run_id, next_beat=sequencer.next_beat)


def live_run(spec: RunSpec, live: LiveSpec) -> LiveRun:
    """Return what the sequencer is told of a run.

    Raises
    ------
    ConfigError
        If a symbol is none, or there is none.
    """
    try:
        instruments = np.unique([parse_symbol(symbol) for symbol in live.symbols])
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if not len(instruments):
        message = "expected a live feed of at least one symbol, found none"
        raise ConfigError(message)
    return LiveRun(
        run_id=spec.run_id,
        run_spec=encode_event(spec).decode(),
        instruments=instruments.astype(np.int64),
        day_count=max(spec.feed.day_count_max, 1),
    )


def live_feed(
    spec: RunSpec,
    live: LiveSpec,
    settings: LiveSettings,
    sequencer: LiveSequencer,
) -> LivePolling | LivePush:
    """Return where a run's quotes come from.

    Raises
    ------
    ConfigError
        If a source is not known or there is none, or pushed quotes have no token.
    """
    if live.sources != (PUSH_SOURCE,):
        return live_polling(spec, live, settings)
    if settings.push_token is None or not settings.push_token.get_secret_value():
        message = "setting TIDEGATE_INGEST_LIVE__PUSH_TOKEN must be given: a client has to know it"
        raise ConfigError(message)
    return LivePush(
        host=settings.push_host,
        port=settings.push_port,
        token=settings.push_token.get_secret_value(),
        run_id=spec.run_id,
        progress=lambda: PushProgress(
            sequencer.next_beat, sequencer.ts_event_ns, sequencer.is_ended
        ),
    )


def live_polling(spec: RunSpec, live: LiveSpec, settings: LiveSettings) -> LivePolling:
    """Return the polling of a run's services.

    Raises
    ------
    ConfigError
        If a source is not known, or there is none.
    """
    services = quote_services(
        {
            QuoteSource.SINA: settings.sina_url,
            QuoteSource.TENCENT: settings.tencent_url,
            QuoteSource.EASTMONEY: settings.eastmoney_url,
        }
    )
    unknown = [source for source in live.sources if source not in set(QuoteSource)]
    if unknown or not live.sources:
        message = (
            f"expected live sources of {', '.join(QuoteSource)}, "
            f"found: {', '.join(unknown) or 'none'}"
        )
        raise ConfigError(message)
    return LivePolling(
        [services[QuoteSource(source)] for source in live.sources],
        [service_code(symbol) for symbol in live.symbols],
        clock=SystemClock(),
        options=PollingOptions(
            interval_ms=spec.feed.beat_interval_ms,
            timeout_seconds=settings.timeout_seconds,
            requests_per_second_max=settings.requests_per_second_max,
        ),
    )
