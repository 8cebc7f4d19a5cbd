"""The HTTP server of the gateway: how it listens, and what it bounds."""

import contextlib
import os
import socket
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from tidegate_common.errors import ConfigError
from tidegate_gateway.security.guard import HEADER_BYTES_MAX

# Requests that run when we are told to stop get so long to end.
_GRACE_SECONDS: Final = 3
_BACKLOG: Final = 1_024
# A subscription has at most 16,384 characters, of four bytes at most.
_SOCKET_MESSAGE_BYTES_MAX: Final = 65_536
# A client that does not read is noticed after so much, rather than the megabytes that a system
# gives by itself; and it is let go of when it has taken nothing for so long.
_SEND_BUFFER_BYTES: Final = 131_072
_STALLED_MS_MAX: Final = 30_000


class BoundedHttp(HttpToolsProtocol):
    """Uvicorn's fast parser, which by itself keeps headers of any size.

    What comes before the end of the headers is counted as it comes: the guard's limit is for those
    that are whole, this one for those that never end.
    """

    _head_bytes = 0
    _is_in_head = True

    def data_received(self, data: bytes) -> None:
        """Take bytes; refuse what is too long for headers."""
        if self._is_in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > 2 * HEADER_BYTES_MAX:
            self.send_400_response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE.phrase)
            self._is_in_head = False

    def on_headers_complete(self) -> None:
        """Count no more: the body has a limit of its own."""
        self._is_in_head, self._head_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Count the next request's headers."""
        self._is_in_head = True
        super().on_message_complete()


class QuietSockets(WebSocketsSansIOProtocol):
    """Uvicorn's WebSockets, without a line of the log for each that the application refuses.

    Uvicorn itself takes a whole denial response for an application that returned too early.
    """

    async def send(self, message: ASGISendEvent) -> None:
        """Send; a refusal that is whole ends the handshake."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True


OPTIONS: Final[Mapping[str, Any]] = {
    "log_config": None,
    "access_log": False,
    "lifespan": "off",
    "http": BoundedHttp,
    "ws": QuietSockets,
    "ws_max_size": _SOCKET_MESSAGE_BYTES_MAX,
    # Messages are small, and each client would have its own compressor to feed.
    "ws_per_message_deflate": False,
    "server_header": False,
    "timeout_graceful_shutdown": _GRACE_SECONDS,
}


class Server(uvicorn.Server):
    """Uvicorn without its own signal handlers: the service's bootstrap has them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def server_of(app: FastAPI) -> Server:
    """Return the server of an application, with no other settings."""
    return Server(uvicorn.Config(app, **OPTIONS))


def listen_at(host: str, port: int) -> socket.socket:
    """Return a listening socket for the API, or say in one line why there is none."""
    try:
        listener = socket.create_server((host, port), backlog=_BACKLOG)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        # An answer is two writes: without it the second waits 40 ms for a delayed ACK. asyncio sets
        # it only on sockets that name their protocol, which this one does not.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALLED_MS_MAX)
    except OSError as error:
        message = f"cannot listen on {host}:{port} for the API: {os.strerror(error.errno or 0)}"
        raise ConfigError(message) from error
    return listener
