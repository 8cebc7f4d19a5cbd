"""Puts a live run together: services, sequencer, bus."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import numpy as np

from tidegate_common.bus.base import Bus
from tidegate_common.bus.kafka import KafkaBus
from tidegate_common.clock import Clock
from tidegate_common.codec import encode_event
from tidegate_common.domain.ids import parse_symbol
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import LiveSpec, RunSpec
from tidegate_common.market.calendar import TradingCalendar, xshg_calendar
from tidegate_common.market.sessions import NS_PER_SECOND, shanghai_date
from tidegate_common.runtime.logging import get_logger
from tidegate_common.runtime.service import EXIT_UNDONE, Service
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.runtime.tracing import Tracer
from tidegate_ingest.adapters.lease_log import LEASE_FETCH_MS, LeaseLog
from tidegate_ingest.adapters.live_polling import LivePolling, PollingOptions
from tidegate_ingest.adapters.live_push import LivePush, PushProgress
from tidegate_ingest.adapters.quote_services import quote_services, service_code
from tidegate_ingest.adapters.reference_file import open_reference
from tidegate_ingest.adapters.rehearsal_clock import market_clock
from tidegate_ingest.adapters.reject_log import RejectLog
from tidegate_ingest.adapters.tick_echo import OvertakenError
from tidegate_ingest.engine.lease import Candidate
from tidegate_ingest.engine.live_sequencer import LiveRun, LiveSequencer
from tidegate_ingest.engine.push_quotes import PUSH_SOURCE
from tidegate_ingest.engine.quote_text import QuoteSource
from tidegate_ingest.engine.reference_days import NO_REFERENCE, ReferenceTable
from tidegate_ingest.live_shell import Lead, LivePublisher
from tidegate_ingest.metrics import FeedMeter, IngestMetrics, is_in_session
from tidegate_ingest.settings import IngestSettings, LiveSettings
from tidegate_ingest.shell import PRODUCER, Sequencer


async def serve_live(service: Service[IngestSettings], spec: RunSpec, live: LiveSpec) -> None:
    """Send the living market until the run's last day is closed, or stand by while another does.

    Raises
    ------
    ConfigError
        If the spec names an unknown source or symbol, or none, or the trading calendar ends before
        today.
    """
    settings, clock = service.settings, SystemClock()
    calendar = await asyncio.to_thread(xshg_calendar)
    market = market_clock(clock, settings.live.rehearsal)
    if live.sources != (PUSH_SOURCE,):
        # Past the end of the calendar no day would ever open: say so now.
        calendar.is_trading_day(shanghai_date(market.now_ns()))
    reference = await asyncio.to_thread(open_reference, spec.feed.reference)
    config = settings.kafka.config()
    bus, lease_bus = KafkaBus(config), KafkaBus(replace(config, fetch_max_wait_ms=LEASE_FETCH_MS))
    candidate = Candidate(spec.run_id, instance=settings.instance_name, started_ns=clock.now_ns())
    leases = LeaseLog(lease_bus, candidate, clock, next_beat=lambda: duty.parts.publisher.kept_to)
    metrics = IngestMetrics(service.metrics.registry)
    duty = LiveDuty(
        LiveRole(spec, live, settings, calendar, market, reference),
        bus=bus,
        candidate=candidate,
        permit=leases.permit,
        metrics=metrics,
        tracer=service.tracer,
    )
    metrics.newest_quote.set_function(lambda: duty.quote_age_seconds(market.now_ns()))
    metrics.in_session.set_function(lambda: duty.is_in_session(market.now_ns()))
    metrics.beat_number.set_function(lambda: duty.parts.sequencer.next_beat)
    service.facts.tell = lambda: {
        "stage": PRODUCER,
        "run": spec.run_id,
        "beat": duty.parts.sequencer.next_beat,
    }
    service.health.status = duty.status
    try:
        await bus.start()
        await lease_bus.start()
        service.health.is_ready = True
        sequencer = Sequencer(candidate=candidate, leases=leases, duty=duty, metrics=metrics)
        if not await sequencer.run(service.stopping):
            service.exit_code = EXIT_UNDONE
    finally:
        await bus.close()
        await lease_bus.close()
    service.log.info("live_feed_ended", run=spec.run_id, next_beat=candidate.next_beat)


@dataclass(frozen=True, slots=True)
class LiveRole:
    """What a process is told of the live run that it feeds.

    market : the clock by which quotes are asked for.
    reference : what the user says of its shares.
    """

    spec: RunSpec
    live: LiveSpec
    settings: IngestSettings
    calendar: TradingCalendar
    market: Clock
    reference: ReferenceTable = NO_REFERENCE


@dataclass(frozen=True, slots=True)
class LiveParts:
    """What feeds a live run, from one takeover to the next."""

    sequencer: LiveSequencer
    feed: LivePolling | LivePush
    publisher: LivePublisher


class LiveDuty:
    """Feeds a live run from where its log ends, each time that the lease is held.

    parts : of the lease that is held, or was last; before the first one they do nothing.
    """

    def __init__(
        self,
        role: LiveRole,
        *,
        bus: Bus,
        candidate: Candidate,
        permit: Callable[[], Awaitable[None]],
        metrics: IngestMetrics,
        tracer: Tracer | None = None,
    ) -> None:
        """Find out whether the settings make a feed.

        Raises
        ------
        ConfigError
            If they do not.
        """
        self._role = role
        self._bus = bus
        self._candidate = candidate
        self._permit = permit
        self._metrics = metrics
        self._tracer = tracer
        self._meter = FeedMeter(metrics)
        self._rejects = RejectLog(bus, role.spec.run_id)
        self._log = get_logger()
        self.parts = self._make()

    async def keep_up(self, beat: int) -> None:
        """Do nothing: what was said is read when the lease is held."""

    async def feed(self) -> None:
        """Go on after what is in the log; return when the run's last day is closed."""
        is_over = False
        while not is_over:
            self.parts = self._make()
            try:
                await self._feed(self.parts)
                is_over = True
            except* OvertakenError as group:
                self._log.warning("live_feed_overtaken", reason=str(group.exceptions[0]))

    async def _feed(self, parts: LiveParts) -> None:
        await parts.publisher.recover()
        next_beat = parts.sequencer.next_beat
        self._log.info("live_feed_started", run=self._role.spec.run_id, next_beat=next_beat)
        async with parts.feed:
            await parts.publisher.publish(parts.feed)

    def status(self) -> dict[str, object]:
        """Return what `/status` says."""
        parts, candidate = self.parts, self._candidate
        feed, is_active = parts.feed, candidate.is_active
        return {
            "stage": "ingest-0",
            "run": self._role.spec.run_id,
            "role": "active" if is_active else "standby",
            "epoch": candidate.epoch,
            "next_beat": parts.sequencer.next_beat if is_active else candidate.next_beat,
            "beat_count": None,
            "conflated": parts.publisher.conflated,
            "unwanted": parts.publisher.unwanted,
            "rows": dict(parts.sequencer.gate.counts),
            "requests": dict(feed.counts),
            "push_url": feed.url if is_active and isinstance(feed, LivePush) else "",
        }

    def quote_age_seconds(self, now_ns: int) -> float:
        """Return how long ago the newest row was true, 0 before the first."""
        newest_ns = self.parts.sequencer.gate.newest_ns
        return (now_ns - newest_ns) / NS_PER_SECOND if newest_ns else 0.0

    def is_in_session(self, now_ns: int) -> bool:
        """Tell whether the market of the run trades now."""
        return self.parts.sequencer.wants_quotes(now_ns) and is_in_session(now_ns)

    def _make(self) -> LiveParts:
        role = self._role
        self._meter.begin()
        sequencer = LiveSequencer(live_run(role.spec, role.live), role.calendar, role.reference)
        publisher = LivePublisher(
            bus=self._bus,
            sequencer=sequencer,
            run_id=role.spec.run_id,
            shard_count=role.settings.shard_count,
            lead=Lead(self._permit, self._candidate.epoch, self._rejects, self._measure),
            metrics=self._metrics,
            tracer=self._tracer,
        )
        feed = live_feed(role.spec, role.settings.live, sequencer, role.market)
        return LiveParts(sequencer, feed, publisher)

    def _measure(self) -> None:
        parts, gate = self.parts, self.parts.sequencer.gate
        self._meter.take_rows(gate.counts)
        self._meter.take_requests(parts.feed.counts)
        self._meter.take_beats(
            conflated=parts.publisher.conflated, lost_rejects=gate.rejects.lost_total
        )
        is_pushed = isinstance(parts.feed, LivePush) and parts.feed.has_client
        self._metrics.push_clients.set(int(is_pushed))


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
    settings: LiveSettings,
    sequencer: LiveSequencer,
    market: Clock,
) -> LivePolling | LivePush:
    """Return where a run's quotes come from.

    Raises
    ------
    ConfigError
        If a source is not known or there is none, or pushed quotes have no token.
    """
    live = spec.feed.live
    assert live is not None, "the run is a live one"
    if live.sources != (PUSH_SOURCE,):
        return live_polling(spec, live, settings, market)
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


def live_polling(
    spec: RunSpec, live: LiveSpec, settings: LiveSettings, market: Clock
) -> LivePolling:
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
        clock=market,
        options=PollingOptions(
            interval_ms=spec.feed.beat_interval_ms,
            timeout_seconds=settings.timeout_seconds,
            requests_per_second_max=settings.requests_per_second_max,
        ),
    )
