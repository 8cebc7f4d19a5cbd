"""Entry point of the gateway."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from tidegate_common.bus.kafka import KafkaBus
from tidegate_common.errors import ConfigError
from tidegate_common.runtime.service import Service, run
from tidegate_common.store.postgres import open_pool
from tidegate_common.store.redis import PortfolioCache, RecommendationCache
from tidegate_gateway.app import create_app
from tidegate_gateway.history import History
from tidegate_gateway.resources import Resources
from tidegate_gateway.settings import GatewaySettings

NAME = "gateway"

# Requests that run when we are told to stop get so long to end.
_GRACE_SECONDS = 3
_BACKLOG = 128


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handlers: the service's bootstrap has them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


async def serve(service: Service[GatewaySettings]) -> None:
    """Answer requests until told to stop."""
    settings = service.settings
    listener = _listen(settings.api_host, settings.api_port)
    bus = KafkaBus(settings.kafka.config())
    pool = await open_pool(
        settings.postgres.url.get_secret_value(),
        service=NAME,
        size_max=8,
        command_timeout_seconds=settings.read_timeout_seconds,
    )
    redis = settings.redis
    address = redis.url.get_secret_value()
    portfolios = PortfolioCache(
        address,
        key_prefix=redis.key_prefix,
        get_timeout_seconds=redis.timeout_seconds,
    )
    recommendations = RecommendationCache(
        address,
        key_prefix=redis.key_prefix,
        get_timeout_seconds=redis.timeout_seconds,
    )
    resources = Resources(
        publisher=bus,
        now=portfolios,
        recommendations=recommendations,
        then=History(pool, timeout_seconds=settings.read_timeout_seconds),
        risk_partition_count=settings.risk_partition_count,
        allow_requests=settings.allow_requests,
        registry=service.metrics.registry,
    )
    try:
        await bus.start()
        await _answer(service, create_app(resources), listener)
    finally:
        service.health.is_ready = False
        await portfolios.close()
        await recommendations.close()
        await pool.close()
        await bus.close()
        listener.close()


async def _answer(service: Service[GatewaySettings], app: FastAPI, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _Server(config)
    service.health.status = lambda: {"api_host": host, "api_port": port}
    service.health.is_ready = True
    service.log.info("api_listens", host=host, port=port)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve(sockets=[listener]))
        await service.stopping.wait()
        server.should_exit = True


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
