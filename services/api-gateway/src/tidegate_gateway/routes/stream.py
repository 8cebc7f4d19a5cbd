"""The live stream: a WebSocket, and the same as server-sent events."""

from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Query, WebSocket
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from tidegate_common.errors import TransientError
from tidegate_gateway.problems import ProblemError
from tidegate_gateway.resources import Given, Resources
from tidegate_gateway.schemas.texts import AccountText, SymbolText
from tidegate_gateway.security import Caller, Reader, check_account
from tidegate_gateway.streams.hub import StreamHub
from tidegate_gateway.streams.request import (
    AFTER_CHARACTERS_MAX,
    NAMES_MAX,
    ChannelName,
    Subscribe,
    Wanted,
)
from tidegate_gateway.streams.serving import EventsClient, SocketClient
from tidegate_gateway.streams.session import SubscriptionError

PROTOCOL = "tidegate.v1"

router = APIRouter(prefix="/v1", tags=["stream"])

AccountsParameter = Annotated[list[AccountText], Query(max_length=NAMES_MAX, examples=[["A1"]])]
SymbolsParameter = Annotated[
    list[SymbolText],
    Query(max_length=NAMES_MAX, examples=[["600519.SH"]]),
]


@router.websocket("/stream")
async def stream(socket: WebSocket, given: Given, caller: Reader) -> None:
    """Tell a client what it subscribes to."""
    hub = _hub_of(given)
    async with AsyncExitStack() as stack:
        seat = await stack.enter_async_context(hub.seat(caller.accounts))
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(PROTOCOL if PROTOCOL in offered else None)
        client = SocketClient(hub, seat, stack, lambda: given.security.is_good(caller))
        await client.serve(socket)


class EventStream(Response):
    """The response that never ends."""

    media_type = "text/event-stream"

    def __init__(self, given: Resources, caller: Caller, request: Subscribe) -> None:
        super().__init__()
        self._given = given
        self._caller = caller
        self._request = request

    async def __call__(
        self,
        scope: Scope,  # noqa: ARG002  # ASGI has three
        receive: Receive,
        send: Send,
    ) -> None:
        """Tell a client what it subscribed to; ProblemError, TransientError before it begins."""
        given, caller = self._given, self._caller
        hub = _hub_of(given)
        async with AsyncExitStack() as stack:
            seat = await stack.enter_async_context(hub.seat(caller.accounts))
            client = EventsClient(hub, seat, stack, lambda: given.security.is_good(caller))
            try:
                await client.subscribe(self._request)
            except SubscriptionError as error:
                raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
            await client.serve(receive, send)


@router.get("/events", status_code=HTTPStatus.OK, response_class=EventStream)
async def events(
    given: Given,
    caller: Reader,
    channel: Annotated[list[ChannelName], Query(min_length=1, max_length=5, examples=[["orders"]])],
    account: AccountsParameter = [],  # noqa: B006  # FastAPI copies it
    symbol: SymbolsParameter = [],  # noqa: B006  # as above
    last_event_id: Annotated[
        str | None,
        Header(max_length=AFTER_CHARACTERS_MAX, description="`id` of the last event received"),
    ] = None,
) -> EventStream:
    """Tell what happens as server-sent events, for ever; see the document of the stream."""
    for one in account:
        check_account(caller, one)
    channels = {
        name: Wanted(
            accounts=[] if name == "quotes" else account,
            symbols=[] if name == "portfolios" else symbol,
        )
        for name in channel
    }
    request = Subscribe(op="subscribe", channels=channels, after=last_event_id)
    return EventStream(given, caller, request)


def _hub_of(given: Resources) -> StreamHub:
    if given.streams is None:
        message = "expected a live stream, found none: this gateway has no broker"
        raise TransientError(message)
    return given.streams
