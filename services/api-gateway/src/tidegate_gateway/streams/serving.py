"""One client of the stream, over a WebSocket or as server-sent events."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from enum import IntEnum, StrEnum

from pydantic import ValidationError
from starlette.types import Receive, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from tidegate_common.errors import TransientError
from tidegate_gateway.streams.hub import Seat, StreamHub
from tidegate_gateway.streams.request import REQUEST, Ping, Subscribe, Unsubscribe
from tidegate_gateway.streams.session import SubscriptionError

Say = Callable[[str], Awaitable[None]]

_ERRORS_SHOWN_MAX = 3


class CloseCode(IntEnum):
    """Why the gateway closed a WebSocket: RFC 6455, from 4000 on our own."""

    IDLE = 1000
    NO_TEXT = 1003
    TOO_BIG = 1009
    UNAVAILABLE = 1013
    OVERRUN = 4001
    REVOKED = 4003


class Outcome(StrEnum):
    """How a client's stream ended."""

    LEFT = "left"
    IDLE = "idle"
    OVERRUN = "overrun"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


class EndError(Exception):
    """Ends a client's stream.

    code : None where the client left. text : the last words.
    """

    def __init__(self, outcome: Outcome, code: CloseCode | None = None, text: str = "") -> None:
        super().__init__(outcome)
        self.outcome = outcome
        self.code = code
        self.text = text


class _Client:
    """What both kinds of clients do.

    stack : what is let go of with the client.
    is_welcome : whether its key is still good; TransientError where nobody knows.
    """

    def __init__(
        self,
        hub: StreamHub,
        seat: Seat,
        stack: AsyncExitStack,
        is_welcome: Callable[[], bool],
    ) -> None:
        self._hub = hub
        self._session = seat.session
        self._is_lost = seat.is_lost
        self._stack = stack
        self._is_welcome = is_welcome
        self._has_quotes = False

    async def subscribe(self, request: Subscribe) -> None:
        """Begin to hear channels; SubscriptionError or TransientError if that cannot be."""
        if "quotes" in request.channels and not self._has_quotes:
            await self._stack.enter_async_context(self._hub.quotes())
            self._has_quotes = True
        self._session.subscribe(request)

    async def _until_end(self, listening: Awaitable[None], say: Say) -> EndError:
        """Listen and tell until one of them ends."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_awaited(listening))
                tasks.create_task(self._tell(say))
                tasks.create_task(self._watch())
        except* EndError as group:
            end = group.exceptions[0]
        assert isinstance(end, EndError)
        self._hub.metrics.ends.labels(end.outcome).inc()
        return end

    async def _tell(self, say: Say) -> None:
        try:
            async with aclosing(self._hub.texts(self._session)) as texts:
                async for text in texts:
                    await say(text)
        except TransientError as error:
            raise EndError(Outcome.UNAVAILABLE, CloseCode.UNAVAILABLE) from error
        except (WebSocketDisconnect, OSError) as error:
            raise EndError(Outcome.LEFT) from error

    async def _watch(self) -> None:
        while not self._is_lost.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._hub.limits.heartbeat_seconds):
                    await self._is_lost.wait()
            try:
                if not self._is_welcome():
                    raise EndError(Outcome.REFUSED, CloseCode.REVOKED)
            except TransientError as error:
                raise EndError(Outcome.UNAVAILABLE, CloseCode.UNAVAILABLE) from error
        raise EndError(Outcome.OVERRUN, CloseCode.OVERRUN, self._session.overrun())


class SocketClient(_Client):
    """A client that asks and is told over a WebSocket."""

    async def serve(self, socket: WebSocket) -> None:
        """Serve an accepted WebSocket to its end."""
        end = await self._until_end(self._listen(socket), socket.send_text)
        if end.code is None:
            return
        # It may be closed already, and one that does not read hears no last words.
        with contextlib.suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(self._hub.limits.farewell_seconds):
                if end.text:
                    await socket.send_text(end.text)
                await socket.close(end.code, end.outcome)

    async def _listen(self, socket: WebSocket) -> None:
        limits = self._hub.limits
        while True:
            patience = None if self._session.has_channels else limits.idle_seconds
            try:
                async with asyncio.timeout(patience):
                    text = await socket.receive_text()
            except TimeoutError as error:
                raise EndError(Outcome.IDLE, CloseCode.IDLE) from error
            except WebSocketDisconnect as error:
                raise EndError(Outcome.LEFT) from error
            except KeyError as error:
                # A message of bytes, which has no text.
                raise EndError(Outcome.REFUSED, CloseCode.NO_TEXT) from error
            if len(text) > limits.message_characters_max:
                raise EndError(Outcome.REFUSED, CloseCode.TOO_BIG)
            await self._answer(text)

    async def _answer(self, text: str) -> None:
        try:
            match REQUEST.validate_json(text):
                case Subscribe() as request:
                    await self.subscribe(request)
                case Unsubscribe() as request:
                    self._session.unsubscribe(request)
                case Ping():
                    self._session.say(self._session.heartbeat())
        except (ValidationError, SubscriptionError) as error:
            self._session.say(json.dumps({"type": "error", "detail": _detail(error)}))
        except TransientError as error:
            raise EndError(Outcome.UNAVAILABLE, CloseCode.UNAVAILABLE) from error
        self._hub.tell()


class EventsClient(_Client):
    """A client that is told by server-sent events."""

    async def serve(self, receive: Receive, send: Send) -> None:
        """Send events until the client is gone or the stream ends."""

        async def say(text: str) -> None:
            await send({"type": "http.response.body", "body": _as_event(text), "more_body": True})

        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            # A proxy that gathers events makes them late.
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        end = await self._until_end(_gone(receive), say)
        # One that does not read hears no last words.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._hub.limits.farewell_seconds):
                if end.text:
                    await say(end.text)
                await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _awaited(work: Awaitable[None]) -> None:
    await work


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise EndError(Outcome.LEFT)


def _as_event(text: str) -> bytes:
    """Return a message as a server-sent event; its id is what `Last-Event-ID` says later."""
    message = json.loads(text)
    name = message.get("channel", message["type"])
    identity = f"id: {message['seq']}\n" if "seq" in message else ""
    return f"{identity}event: {name}\ndata: {text}\n\n".encode()


def _detail(error: ValidationError | SubscriptionError) -> str:
    if isinstance(error, SubscriptionError):
        return str(error)
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{'.'.join(str(part) for part in one['loc']) or 'message'}: "
        + one["msg"].removeprefix("Value error, ")
        for one in problems[:_ERRORS_SHOWN_MAX]
    )
