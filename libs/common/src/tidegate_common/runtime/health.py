"""The small HTTP server of a service: alive, ready, metrics, status."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from tidegate_common.errors import ConfigError

StatusFunction = Callable[[], dict[str, object]]


class Health:
    """What a service says of itself.

    is_ready : whether it has recovered and does its work.
    status : JSON-ready facts for the local stack, such as the beat it is at.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.is_ready = False
        self.status: StatusFunction = dict
        self._registry = registry
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one, told by `port` afterwards."""
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/status", self._status)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            message = f"cannot listen on {host}:{port} for health and metrics: {error.strerror}"
            raise ConfigError(message) from error
        self.port = int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        if self._runner:
            await self._runner.cleanup()

    async def _livez(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {"status": "ready" if self.is_ready else "starting"},
            status=200 if self.is_ready else 503,
        )

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self._registry),
            headers={"Content-Type": CONTENT_TYPE_LATEST},
        )

    async def _status(self, _request: web.Request) -> web.Response:
        return web.json_response(self.status())
