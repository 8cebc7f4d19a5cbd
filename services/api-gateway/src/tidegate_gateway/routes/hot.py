"""The way of the reads that come most: past FastAPI, which takes longer than they do.

Their routes stay what the document says; each is asked for what it answers well here, with the
same checks of its caller. What a way does not understand goes on to the route.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate_common.domain.ids import is_account_id
from tidegate_common.errors import TransientError
from tidegate_gateway.pages import PageQuery
from tidegate_gateway.problems import ProblemError, response_of
from tidegate_gateway.resources import Resources, Then
from tidegate_gateway.routes.answers import json_answer
from tidegate_gateway.routes.portfolios import portfolio_json
from tidegate_gateway.security import Caller, Role

_PORTFOLIOS: Final = "/v1/portfolios/"


_LISTINGS: Final[Mapping[str, Callable[[Then, PageQuery], Awaitable[bytes]]]] = {
    "/v1/orders": lambda then, query: then.orders(query),
    "/v1/fills": lambda then, query: then.fills(query),
    "/v1/decisions": lambda then, query: then.decisions(query),
}


class HotReads:
    """Answers `GET /v1/portfolios/{account}`, and pages of orders, fills and decisions again."""

    def __init__(self, app: ASGIApp, resources: Resources) -> None:
        self._app = app
        self._resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        is_read = scope["type"] == "http" and scope["method"] == "GET"
        answer: ASGIApp
        try:
            text = await self._text(scope) if is_read else None
            answer = self._app if text is None else json_answer(text)
        except (ProblemError, TransientError) as error:
            answer = response_of(error)
        await answer(scope, receive, send)

    async def _text(self, scope: Scope) -> bytes | None:
        """Return an answer, None if its route has to."""
        given = self._resources
        path: str = scope["path"]
        account = path.removeprefix(_PORTFOLIOS)
        if account != path and is_account_id(account):
            return await portfolio_json(given, await self._admit(scope), account)
        read = _LISTINGS.get(path)
        if read is None:
            return None
        query = given.pages.find(scope, await self._admit(scope))
        return None if query is None else await read(given.then, query)

    async def _admit(self, scope: Scope) -> Caller:
        return await self._resources.security.admit(HTTPConnection(scope), Role.READ)
