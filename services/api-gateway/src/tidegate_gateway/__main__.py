"""Entry point of the gateway."""

import asyncio
import socket
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import uvicorn
from fastapi import FastAPI
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tidegate_common.bus.kafka import KafkaBus
from tidegate_common.clock import Clock
from tidegate_common.errors import ConfigError
from tidegate_common.runtime.service import Service, run
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.store.postgres import Pool, open_pool
from tidegate_common.store.quotes import QuoteCache
from tidegate_common.store.reads import Reads, Replica
from tidegate_common.store.redis import PortfolioCache, RecommendationCache
from tidegate_common.store.stamped import StampedCache
from tidegate_gateway.app import create_app
from tidegate_gateway.archive import FrameArchive
from tidegate_gateway.frame_log import FrameLog
from tidegate_gateway.history import History
from tidegate_gateway.lineage import Lineages
from tidegate_gateway.quotes import QuoteBoard
from tidegate_gateway.records import Records
from tidegate_gateway.resources import Resources
from tidegate_gateway.security import Security
from tidegate_gateway.security.gate import is_loopback
from tidegate_gateway.security.keys import KeyRing, KeyStore
from tidegate_gateway.security.limiter import Limiter, LocalLimiter, Rate, RedisLimiter
from tidegate_gateway.security.memory import RedisMemory
from tidegate_gateway.server import OPTIONS, Server, listen_at
from tidegate_gateway.settings import GatewaySettings
from tidegate_gateway.streams.hub import StreamHub, StreamMetrics
from tidegate_gateway.streams.log import Topology

NAME = "gateway"
Cache = TypeVar("Cache", bound=StampedCache)
Client = TypeVar("Client", bound="_Client")

# Reads take milliseconds: so many connections carry thousands of them a second.
_POOL_SIZE_MAX = 8

# A person mistypes a key now and then; a program with a wrong one is told to slow down.
FAILURES_RATE = Rate(per_second=1.0, burst=20)


class _Client(Protocol):
    """What asks a server through a circuit breaker."""

    @property
    def is_left_alone(self) -> bool:
        """Whether the server failed so often that it is not asked, but for a try now and then."""


@dataclass(frozen=True, slots=True)
class _Servers:
    """What is open, and let go of when the stack ends."""

    bus: KafkaBus
    redis: Redis
    replica: Replica | None
    reads: Reads
    ring: KeyRing | None
    clock: Clock
    stack: AsyncExitStack


async def serve(service: Service[GatewaySettings]) -> None:
    """Answer requests until told to stop."""
    settings = service.settings
    settings.check(is_loopback=is_loopback(settings.api_host))
    listener = listen_at(settings.api_host, settings.api_port)
    async with AsyncExitStack() as stack:
        # The last that is entered ends first.
        stack.callback(listener.close)
        servers = await _open(settings, stack)
        streams = StreamHub(
            servers.bus,
            Topology(
                settings.shard_count,
                settings.risk_partition_count,
                settings.stripe_count,
            ),
            metrics=StreamMetrics(service.metrics.registry),
        )
        resources = _resources(service, servers, streams)
        stack.callback(setattr, service.health, "is_ready", False)  # noqa: FBT003  # its value
        await servers.bus.start()
        async with asyncio.TaskGroup() as tasks:
            replica = servers.replica
            watching = tasks.create_task(replica.watch()) if replica else None
            await _answer(service, create_app(resources), listener, servers.ring, streams)
            if watching:
                watching.cancel()


async def _open(settings: GatewaySettings, stack: AsyncExitStack) -> _Servers:
    async def pool_of(address: str) -> Pool:
        pool = await open_pool(
            address,
            service=NAME,
            size_max=_POOL_SIZE_MAX,
            command_timeout_seconds=settings.read_timeout_seconds,
            # Every statement of the gateway is whole in itself.
            has_session_state=False,
        )
        # Not `close`, which waits for connections that a stalled server holds.
        stack.callback(pool.terminate)
        return pool

    clock = SystemClock()
    bus = KafkaBus(settings.kafka.config())
    stack.push_async_callback(bus.close)
    redis = open_redis(settings.redis.address(), timeout_seconds=settings.redis.timeout_seconds)
    stack.push_async_callback(redis.aclose)
    primary = await pool_of(settings.postgres.address())
    read_address = settings.postgres.read_address()
    replica = None
    if read_address:
        replica = Replica(
            await pool_of(read_address),
            primary=primary,
            lag_seconds_max=settings.postgres.read_lag_seconds_max,
            clock=clock,
        )
    return _Servers(
        bus=bus,
        redis=redis,
        replica=replica,
        reads=Reads(primary, timeout_seconds=settings.read_timeout_seconds, replica=replica),
        ring=KeyRing(KeyStore(primary).live, clock) if settings.auth == "on" else None,
        clock=clock,
        stack=stack,
    )


def _resources(
    service: Service[GatewaySettings],
    servers: _Servers,
    streams: StreamHub,
) -> Resources:
    settings = service.settings
    redis, seconds = settings.redis, settings.read_timeout_seconds
    breakers, replica = service.metrics.breaker_open, servers.replica
    breakers.probe(lambda: servers.reads.is_primary_left_alone, NAME, "postgres")
    if replica:
        breakers.probe(lambda: not replica.is_usable, NAME, "replica")

    def watched(client: Client, server: str = "redis") -> Client:
        breakers.probe(lambda: client.is_left_alone, NAME, server)
        return client

    def cache_of(kind: type[Cache]) -> Cache:
        cache = kind(
            redis.address(),
            key_prefix=redis.key_prefix,
            get_timeout_seconds=redis.timeout_seconds,
        )
        servers.stack.push_async_callback(cache.close)
        return watched(cache)

    def limiter(rate: Rate) -> Limiter:
        local, prefix = LocalLimiter(rate, servers.clock), f"{redis.key_prefix}rate:"
        return watched(
            RedisLimiter(servers.redis, local, key_prefix=prefix, clock=servers.clock),
        )

    directory = Path(settings.archive_dir) if settings.archive_dir else None
    archive = FrameArchive(directory, timeout_seconds=seconds) if directory else None
    log = FrameLog(servers.bus, shard_count=settings.shard_count, timeout_seconds=seconds)
    memory = RedisMemory(
        servers.redis,
        key_prefix=redis.key_prefix,
        seconds=settings.idempotency_seconds,
        clock=servers.clock,
    )
    return Resources(
        publisher=servers.bus,
        now=cache_of(PortfolioCache),
        recommendations=cache_of(RecommendationCache),
        quotes=QuoteBoard(cache_of(QuoteCache)),
        then=History(servers.reads),
        lineages=Lineages(servers.reads, archive, watched(log, "kafka")),
        risk_partition_count=settings.risk_partition_count,
        allow_requests=settings.allow_requests,
        registry=service.metrics.registry,
        clock=servers.clock,
        security=Security(
            keys=servers.ring,
            limiter=limiter(Rate(settings.rate_per_second, settings.rate_burst)),
            failures=limiter(FAILURES_RATE),
            origins=settings.origins,
        ),
        memory=watched(memory),
        records=Records(servers.reads),
        body_bytes_max=settings.body_bytes_max,
        streams=streams,
        tracer=service.tracer,
    )


async def _answer(
    service: Service[GatewaySettings],
    app: FastAPI,
    listener: socket.socket,
    ring: KeyRing | None,
    streams: StreamHub,
) -> None:
    host, port = listener.getsockname()[:2]
    settings = service.settings
    server = Server(server_config(app, settings))
    service.health.status = lambda: {"api_host": host, "api_port": port, "auth": settings.auth}
    if ring is not None:
        # The first callers do not have to come again.
        await ring.refresh()
    service.health.is_ready = True
    service.log.info("api_listens", host=host, port=port, auth=settings.auth)
    async with asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(ring.keep_fresh()) if ring is not None else None
        reading = tasks.create_task(streams.run())
        serving = tasks.create_task(server.serve(sockets=[listener]))
        await service.stopping.wait()
        server.should_exit = True
        await serving
        reading.cancel()
        if keeping is not None:
            keeping.cancel()


def server_config(app: FastAPI, settings: GatewaySettings) -> uvicorn.Config:
    """Return how the HTTP server runs.

    Raises
    ------
    ConfigError
        If the certificate or its key cannot be used.
    """
    proxies = settings.trusted_proxies
    config = uvicorn.Config(
        app,
        **OPTIONS,
        # Who may say on whose behalf he comes; else a caller could name himself.
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies or None,
        ssl_certfile=settings.api_tls_cert_file or None,
        ssl_keyfile=settings.api_tls_key_file or None,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        message = (
            f"the API's certificate {settings.api_tls_cert_file} and key "
            f"{settings.api_tls_key_file} cannot be used: {error.strerror or error}"
        )
        raise ConfigError(message) from error
    return config


def open_redis(address: str, *, timeout_seconds: float) -> Redis:
    """Return a client that waits no longer than told and does not try again."""
    return Redis.from_url(
        address,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=timeout_seconds,
        socket_timeout=timeout_seconds,
        max_connections=16,
    )


def main() -> None:
    """Run the gateway."""
    run(NAME, GatewaySettings, serve)


if __name__ == "__main__":
    main()
