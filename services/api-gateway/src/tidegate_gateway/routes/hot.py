"""The way of the reads that come most: past FastAPI, which takes longer than they do.

Their routes stay what the document says; each is asked for what it answers well here, with the
same checks of its caller. What a way does not understand goes on to the route.
"""

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate_common.domain.ids import is_account_id
from tidegate_common.errors import TransientError
from tidegate_gateway.problems import ProblemError, response_of
from tidegate_gateway.resources import Resources
from tidegate_gateway.routes.portfolios import portfolio_json
from tidegate_gateway.security import Role

_PORTFOLIOS = "/v1/portfolios/"


class HotReads:
    """Answers `GET /v1/portfolios/{account}`, and leaves all else to the application."""

    def __init__(self, app: ASGIApp, resources: Resources) -> None:
        self._app = app
        self._resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        account = _account_of(scope)
        if account is None:
            await self._app(scope, receive, send)
            return
        response: Response
        try:
            await self._resources.security.admit(HTTPConnection(scope), Role.READ)
            text = await portfolio_json(self._resources, account)
            response = Response(text, media_type="application/json")
        except (ProblemError, TransientError) as error:
            response = response_of(error)
        await response(scope, receive, send)


def _account_of(scope: Scope) -> str | None:
    """Return whose portfolio is asked for, None if something else is."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    path: str = scope["path"]
    account = path.removeprefix(_PORTFOLIOS)
    return account if account != path and is_account_id(account) else None
