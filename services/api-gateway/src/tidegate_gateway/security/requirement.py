"""`require(role)`: what a route asks of its caller, as FastAPI and its document know it."""

from functools import cache
from typing import Annotated

from fastapi import Depends
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from tidegate_gateway.security.callers import Caller, Role
from tidegate_gateway.security.gate import Security


class Requirement(SecurityBase):
    """Lets callers of a role in; a dependency of HTTP and of WebSocket routes."""

    def __init__(self, role: Role) -> None:
        self._role = role
        self.scheme_name = "ApiKey"
        self.model = HTTPBearer(description="an API key, `tg_...`; `tidegate api-key create`")

    async def __call__(self, connection: HTTPConnection) -> Caller:
        """Return who asks; ProblemError or TransientError where nobody is let in."""
        security: Security = connection.app.state.resources.security
        known: Caller | None = getattr(connection.state, "caller", None)
        if known is not None and known.role.covers(self._role):
            # Another dependency of the route has asked and counted already.
            return known
        return await security.admit(connection, self._role)


@cache
def require(role: Role) -> Requirement:
    """Return the dependency that lets callers of a role in."""
    return Requirement(role)


# Who reads: for routes that show accounts.
Reader = Annotated[Caller, Depends(require(Role.READ))]
