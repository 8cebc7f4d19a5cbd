"""The small HTTP server of a service: alive, ready, metrics, status.

It answers a GET and closes. A web framework would be a fifth of what a service imports, and so of
the time that a killed one takes to come back.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from tidegate_common.errors import ConfigError

StatusFunction = Callable[[], dict[str, object]]

# A probe sends a few hundred bytes at once; who takes longer is no probe.
_REQUEST_BYTES_MAX = 16 * 1024
_REQUEST_SECONDS_MAX = 2.0
_HEAD_END = b"\r\n\r\n"
_REQUEST_LINE_WORDS = 3
_JSON = "application/json; charset=utf-8"


class Health:
    """What a service says of itself.

    is_ready : whether it has recovered and does its work.
    status : JSON-ready facts for the local stack, such as the beat it is at.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.is_ready = False
        self.status: StatusFunction = dict
        self._registry = registry
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one, told by `port` afterwards."""
        try:
            self._server = await asyncio.start_server(
                self._serve,
                host,
                port,
                limit=_REQUEST_BYTES_MAX,
            )
        except OSError as error:
            message = f"cannot listen on {host}:{port} for health and metrics: {error.strerror}"
            raise ConfigError(message) from error
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # A client that says too much, too little or nothing, or goes away, gets no answer.
            with suppress(OSError, EOFError, asyncio.LimitOverrunError):
                async with asyncio.timeout(_REQUEST_SECONDS_MAX):
                    head = await reader.readuntil(_HEAD_END)
                    writer.write(self._answer(head))
                    await writer.drain()
        finally:
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != _REQUEST_LINE_WORDS or not words[2].startswith("HTTP/1."):
            return _response(HTTPStatus.BAD_REQUEST)
        if words[0] != "GET":
            return _response(HTTPStatus.METHOD_NOT_ALLOWED)
        match words[1].partition("?")[0]:
            case "/livez":
                return _json({"status": "alive"})
            case "/readyz" if self.is_ready:
                return _json({"status": "ready"})
            case "/readyz":
                return _json({"status": "starting"}, HTTPStatus.SERVICE_UNAVAILABLE)
            case "/metrics":
                body = generate_latest(self._registry)
                return _response(HTTPStatus.OK, CONTENT_TYPE_LATEST, body)
            case "/status":
                return _json(self.status())
        return _response(HTTPStatus.NOT_FOUND)


def _json(document: dict[str, object], status: HTTPStatus = HTTPStatus.OK) -> bytes:
    return _response(status, _JSON, json.dumps(document).encode())


def _response(
    status: HTTPStatus,
    content_type: str = "text/plain; charset=utf-8",
    body: bytes | None = None,
) -> bytes:
    if body is None:
        body = f"{status.value} {status.phrase}\n".encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body
