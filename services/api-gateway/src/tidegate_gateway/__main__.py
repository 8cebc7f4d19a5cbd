"""Entry point of the gateway."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Iterator

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
from tidegate_common.store.postgres import open_pool
from tidegate_common.store.redis import PortfolioCache, RecommendationCache
from tidegate_gateway.app import create_app
from tidegate_gateway.history import History
from tidegate_gateway.records import Records
from tidegate_gateway.resources import Resources
from tidegate_gateway.security import Security
from tidegate_gateway.security.gate import Keys, is_loopback
from tidegate_gateway.security.guard import HEADER_BYTES_MAX
from tidegate_gateway.security.keys import KeyRing, KeyStore
from tidegate_gateway.security.limiter import LocalLimiter, Rate, RedisLimiter
from tidegate_gateway.security.memory import RedisMemory
from tidegate_gateway.settings import GatewaySettings

NAME = "gateway"

# Requests that run when we are told to stop get so long to end.
_GRACE_SECONDS = 3
_BACKLOG = 128
# A person mistypes a key now and then; a program with a wrong one is told to slow down.
FAILURES_RATE = Rate(per_second=1.0, burst=20)


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handlers: the service's bootstrap has them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


async def serve(service: Service[GatewaySettings]) -> None:
    """Answer requests until told to stop."""
    settings = service.settings
    settings.check(is_loopback=is_loopback(settings.api_host))
    listener = _listen(settings.api_host, settings.api_port)
    bus = KafkaBus(settings.kafka.config())
    pool = await open_pool(
        settings.postgres.address(),
        service=NAME,
        size_max=8,
        command_timeout_seconds=settings.read_timeout_seconds,
    )
    address, prefix = settings.redis.address(), settings.redis.key_prefix
    timeout_seconds = settings.redis.timeout_seconds
    portfolios = PortfolioCache(address, key_prefix=prefix, get_timeout_seconds=timeout_seconds)
    recommendations = RecommendationCache(
        address,
        key_prefix=prefix,
        get_timeout_seconds=timeout_seconds,
    )
    redis = open_redis(address, timeout_seconds=timeout_seconds)
    clock = SystemClock()
    ring = KeyRing(KeyStore(pool).live, clock) if settings.auth == "on" else None
    resources = Resources(
        publisher=bus,
        now=portfolios,
        recommendations=recommendations,
        then=History(pool, timeout_seconds=settings.read_timeout_seconds),
        risk_partition_count=settings.risk_partition_count,
        allow_requests=settings.allow_requests,
        registry=service.metrics.registry,
        clock=clock,
        security=make_security(settings, ring, redis, clock),
        memory=RedisMemory(
            redis,
            key_prefix=prefix,
            seconds=settings.idempotency_seconds,
            clock=clock,
        ),
        records=Records(pool, timeout_seconds=settings.read_timeout_seconds),
        body_bytes_max=settings.body_bytes_max,
    )
    try:
        await bus.start()
        await _answer(service, create_app(resources), listener, ring)
    finally:
        service.health.is_ready = False
        await portfolios.close()
        await recommendations.close()
        await redis.aclose()
        await pool.close()
        await bus.close()
        listener.close()


async def _answer(
    service: Service[GatewaySettings],
    app: FastAPI,
    listener: socket.socket,
    ring: KeyRing | None,
) -> None:
    host, port = listener.getsockname()[:2]
    settings = service.settings
    server = _Server(server_config(app, settings))
    service.health.status = lambda: {"api_host": host, "api_port": port, "auth": settings.auth}
    if ring is not None:
        # The first callers do not have to come again.
        await ring.refresh()
    service.health.is_ready = True
    service.log.info("api_listens", host=host, port=port, auth=settings.auth)
    async with asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(ring.keep_fresh()) if ring is not None else None
        tasks.create_task(server.serve(sockets=[listener]))
        await service.stopping.wait()
        server.should_exit = True
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
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE_SECONDS,
        # It reads headers of a bounded size only.
        http="h11",
        h11_max_incomplete_event_size=HEADER_BYTES_MAX,
        server_header=False,
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


def make_security(
    settings: GatewaySettings,
    keys: Keys | None,
    redis: Redis,
    clock: Clock,
) -> Security:
    """Return what the gateway asks of its callers."""

    def limiter(rate: Rate) -> RedisLimiter:
        prefix = f"{settings.redis.key_prefix}rate:"
        return RedisLimiter(redis, LocalLimiter(rate, clock), key_prefix=prefix, clock=clock)

    return Security(
        keys=keys,
        limiter=limiter(Rate(settings.rate_per_second, settings.rate_burst)),
        failures=limiter(FAILURES_RATE),
        origins=settings.origins,
    )


def open_redis(address: str, *, timeout_seconds: float) -> Redis:
    """Return a client that waits no longer than told and does not try again."""
    return Redis.from_url(
        address,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=timeout_seconds,
        socket_timeout=timeout_seconds,
        max_connections=16,
    )


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, or say in one line why there is none."""
    try:
        return socket.create_server((host, port), backlog=_BACKLOG)
    except OSError as error:
        message = f"cannot listen on {host}:{port} for the API: {os.strerror(error.errno or 0)}"
        raise ConfigError(message) from error


def main() -> None:
    """Run the gateway."""
    run(NAME, GatewaySettings, serve)


if __name__ == "__main__":
    main()
