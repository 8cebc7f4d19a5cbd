"""A user's own feed over a WebSocket: he connects, says quotes, and is told what became of them.

The protocol is in `docs/push-feed.md`. One client at a time; each message is a beat, and the next
one is read when its beat is in the log, so a slow broker slows the client and nothing piles up.
"""

import asyncio
import hmac
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from tidegate_common.errors import ConfigError, ContractError
from tidegate_common.runtime.logging import get_logger
from tidegate_ingest.engine.push_quotes import (
    MESSAGE_BYTES_MAX,
    PushMessage,
    parse_push_arrow,
    parse_push_json,
)
from tidegate_ingest.engine.quote_text import ParsedPayload

PUSH_PATH = "/v1/push"
PROTOCOL_VERSION = 1
# A client that answers no ping for so long is gone; another may come.
HEARTBEAT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class PushProgress:
    """How far a run is: its next beat, the market time of its last one, whether it is over."""

    next_beat: int
    ts_event_ns: int
    is_ended: bool


class LivePush:
    """Waits for a client, and gives what it says.

    counts : connections, and messages by what became of them.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        token: str,
        run_id: str,
        progress: Callable[[], PushProgress],
    ) -> None:
        """Take where to listen, and what a client must know.

        Parameters
        ----------
        port : 0 takes a free one.
        progress : tells how far the run is.
        """
        self.counts: Counter[str] = Counter()
        self.url = ""
        self._host, self._port = host, port
        self._token = token
        self._run_id = run_id
        self._progress = progress
        self._client: web.WebSocketResponse | None = None
        self._messages: asyncio.Queue[PushMessage] = asyncio.Queue(maxsize=1)
        self._is_owed = False
        self._ts_event_ns = 0
        self._runner: web.AppRunner | None = None
        self._log = get_logger()

    async def __aenter__(self) -> Self:
        """Listen.

        Raises
        ------
        ConfigError
            If the port is taken.
        """
        app = web.Application()
        app.router.add_get(PUSH_PATH, self._accept)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            message = f"cannot listen on {self._host}:{self._port} for pushed quotes: {error}"
            raise ConfigError(message) from error
        self.url = f"ws://{self._host}:{self._runner.addresses[0][1]}{PUSH_PATH}"
        self._log.info("push_feed_listens", url=self.url)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the client go."""
        if self._is_owed:
            await self._acknowledge()
        if self._client is not None:
            await self._client.close(code=WSCloseCode.GOING_AWAY, message=b"the run has ended")
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def has_client(self) -> bool:
        """Whether a client is connected."""
        return self._client is not None

    @property
    def is_patient(self) -> bool:
        """Whether quotes can wait: the client is told when."""
        return True

    async def next_quotes(
        self,
        is_wanted: Callable[[int], bool],  # noqa: ARG002  # the client's time is what counts
    ) -> tuple[Sequence[ParsedPayload], int]:
        """Say that the last message is a beat, and return the next one with its market time."""
        if self._is_owed:
            await self._acknowledge()
        message = await self._messages.get()
        self._is_owed = True
        return [] if message.quotes is None else [message.quotes], message.ts_event_ns

    async def _acknowledge(self) -> None:
        progress = self._progress()
        self._is_owed = False
        if self._client is not None and not self._client.closed:
            kind = "end" if progress.is_ended else "ack"
            await _say(self._client, {"type": kind, "next_beat": progress.next_beat})

    async def _accept(self, request: web.Request) -> web.StreamResponse:
        said = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(said, f"Bearer {self._token}".encode()):
            self.counts["refused"] += 1
            return web.Response(status=401, text="expected Authorization: Bearer TOKEN\n")
        if self._client is not None:
            self.counts["refused"] += 1
            return web.Response(status=409, text="another client is connected\n")
        client = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS, max_msg_size=MESSAGE_BYTES_MAX)
        self._client = client
        try:
            await client.prepare(request)
            self.counts["connections"] += 1
            self._log.info("push_client_connected")
            await self._converse(client)
        finally:
            self._client = None
            self._log.info("push_client_gone", code=client.close_code)
        return client

    async def _converse(self, client: web.WebSocketResponse) -> None:
        progress = self._progress()
        self._ts_event_ns = max(self._ts_event_ns, progress.ts_event_ns)
        await _say(
            client,
            {
                "type": "hello",
                "version": PROTOCOL_VERSION,
                "run": self._run_id,
                "next_beat": progress.next_beat,
                "resume_after_ns": progress.ts_event_ns,
            },
        )
        async for frame in client:
            try:
                message = self._parse(frame.type, frame.data)
            except ContractError as error:
                self.counts["refused_messages"] += 1
                await _say(client, {"type": "error", "reason": str(error)})
                await client.close(code=WSCloseCode.INVALID_TEXT, message=b"message refused")
                return
            self.counts["messages"] += 1
            await self._messages.put(message)

    def _parse(self, kind: WSMsgType, data: object) -> PushMessage:
        match kind, data:
            case WSMsgType.BINARY, bytes(stream):
                message = parse_push_arrow(stream)
            case WSMsgType.TEXT, str(text):
                message = parse_push_json(text)
            case _:
                reason = f"expected a text or a binary message, found {kind.name}"
                raise ContractError(reason)
        if message.ts_event_ns < self._ts_event_ns:
            reason = f"ts_event_ns must not go back, was {message.ts_event_ns}"
            raise ContractError(reason)
        self._ts_event_ns = message.ts_event_ns
        return message


async def _say(client: web.WebSocketResponse, message: dict[str, object]) -> None:
    try:
        await client.send_str(msgspec.json.encode(message).decode())
    except ConnectionError:
        # It went away while we spoke; its next connection is told where to go on.
        return
