"""Errors over HTTP: application/problem+json (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from tidegate_common.errors import TransientError

MEDIA_TYPE = "application/problem+json"
# A server that was restarted is there again after a few seconds.
RETRY_AFTER_SECONDS = 2

_ERRORS_SHOWN_MAX = 10


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(examples=["body.symbol"])
    message: str = Field(examples=["symbol must look like 600519.SH, was 'abc'"])


class Problem(BaseModel):
    """What went wrong; `title` belongs to the status, `detail` to this one case."""

    type: str = Field("about:blank", examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no portfolio of account A9"])
    errors: list[FieldProblem] = []


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error of an app with a problem."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(TransientError, _on_transient)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_bug)


def problem_response(
    status: HTTPStatus,
    detail: str,
    *,
    errors: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return a problem as an answer."""
    problem = Problem(
        type="about:blank",
        title=status.phrase,
        status=status.value,
        detail=detail,
        errors=list(errors),
    )
    is_away = status is HTTPStatus.SERVICE_UNAVAILABLE
    away = {"Retry-After": str(RETRY_AFTER_SECONDS)} if is_away else {}
    content = problem.model_dump(exclude_defaults=True) | {"type": problem.type}
    return JSONResponse(content, status.value, away | dict(headers or {}), MEDIA_TYPE)


def response_of(error: ProblemError | TransientError) -> JSONResponse:
    """Return the answer to an error that ends a request."""
    if isinstance(error, ProblemError):
        return problem_response(error.status, error.detail, headers=error.headers)
    return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, str(error))


# These two refuse WebSockets too. No plain functions: those run in a thread of their own.
async def _on_problem(_connection: Request | WebSocket, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)
    return response_of(error)


async def _on_transient(_connection: Request | WebSocket, error: Exception) -> JSONResponse:
    assert isinstance(error, TransientError)
    return response_of(error)


def _on_invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = [
        FieldProblem(
            field=".".join(str(part) for part in one["loc"]),
            message=one["msg"].removeprefix("Value error, "),
        )
        for one in error.errors()[:_ERRORS_SHOWN_MAX]
    ]
    detail = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
    return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=problems)


def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status, headers = HTTPStatus(error.status_code), error.headers
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"Allow": ", ".join(_methods_at(request))}
    return problem_response(status, str(error.detail), headers=headers)


def _methods_at(request: Request) -> list[str]:
    """Return what may be done at a path; the router knows only the first of its routes."""
    scope = {**request.scope}
    found = set()
    for method in ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"):
        scope["method"] = method
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes):
            found.add(method)
    return sorted(found)


def _on_bug(_request: Request, _error: Exception) -> JSONResponse:
    # The server logs it; what it says is not for the outside.
    detail = "the gateway has a fault; its log says more"
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, detail)
