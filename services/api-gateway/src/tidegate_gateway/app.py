"""The FastAPI application."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from tidegate_common.events.audit import AuditRecord
from tidegate_common.runtime.logging import get_logger
from tidegate_gateway.docs_page import add_docs_page
from tidegate_gateway.problems import MEDIA_TYPE, Problem, add_problem_handlers
from tidegate_gateway.resources import Resources
from tidegate_gateway.routes import (
    backtests,
    health,
    lineage,
    market,
    portfolios,
    reads,
    recommendations,
    requests,
    rulebook,
    stream,
)
from tidegate_gateway.routes.hot import HotReads
from tidegate_gateway.security import Role, require
from tidegate_gateway.security.guard import Guard, GuardOptions
from tidegate_gateway.writes import audit_message

_DESCRIPTION = """Portfolios, recommendations, orders, fills and decisions of Tidegate runs.

Callers bring an API key, `Authorization: Bearer tg_...`, unless the gateway was started without
authentication for its own machine. Money and prices are decimal strings in CNY; instruments are
symbols such as 600519.SH. Errors are `application/problem+json` (RFC 9457). When a server behind
the gateway is away, the answer is 503 with `Retry-After`."""
_TEXTS: Final = {
    401: "No API key, or none that is good",
    403: "The key is not good for this",
    422: "The request is not understood",
    429: "Too many requests; see Retry-After",
    431: "The headers are too large",
    503: "A server behind the gateway is away; see Retry-After",
}
_READ_TEXTS: Final = _TEXTS | {404: "There is no such thing"}
_WRITE_TEXTS: Final = _READ_TEXTS | {
    400: "The body is no JSON",
    409: "The Idempotency-Key was used for another request",
    413: "The body is too large",
}

# Routers whose every route reads.
_READ_ROUTERS: Final[Sequence[APIRouter]] = (
    portfolios.router,
    recommendations.router,
    market.router,
    rulebook.router,
    reads.router,
    lineage.router,
    stream.router,
)
# Routers whose routes say themselves which role they ask for.
_WRITE_ROUTERS: Final[Sequence[APIRouter]] = (requests.router, backtests.router)
# What a page of another origin may send, and what it may see of an answer.
_CORS_METHODS: Final = ("GET", "POST", "PUT")
_CORS_SENT: Final = ("Authorization", "Content-Type", "Idempotency-Key")
_CORS_SHOWN: Final = ("RateLimit", "RateLimit-Policy", "Retry-After")


class _Gateway(FastAPI):
    """FastAPI inside of the guard, so that its answers to faults are guarded too."""

    guard_options: GuardOptions

    def build_middleware_stack(self) -> ASGIApp:
        """Return the application, from the outside in."""
        return Guard(super().build_middleware_stack(), self.guard_options)


def create_app(resources: Resources) -> FastAPI:
    """Return the application on given servers; it starts and ends none of them."""
    app = _Gateway(
        title="Tidegate",
        version="1",
        description=_DESCRIPTION,
        default_response_class=JSONResponse,
        docs_url=None,
        redoc_url=None,
    )

    async def audit(record: AuditRecord) -> None:
        await resources.publisher.publish([audit_message(record)])

    app.guard_options = GuardOptions(
        audit=audit,
        clock=resources.clock,
        log=get_logger(),
        measure=_Measure(resources.registry).take,
        body_bytes_max=resources.body_bytes_max,
    )
    app.state.resources = resources
    add_problem_handlers(app)
    reading = [Depends(require(Role.READ))]
    for router in _READ_ROUTERS:
        app.include_router(router, dependencies=reading, responses=_problems(_READ_TEXTS))
    for router in _WRITE_ROUTERS:
        app.include_router(router, responses=_problems(_WRITE_TEXTS))
    app.include_router(health.router)
    add_docs_page(app)
    # Inside of CORS, which is added later.
    app.add_middleware(HotReads, resources=resources)
    if resources.security.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=resources.security.origins,
            allow_methods=_CORS_METHODS,
            allow_headers=_CORS_SENT,
            expose_headers=_CORS_SHOWN,
        )
    return app


def _problems(texts: dict[int, str]) -> dict[int | str, dict[str, object]]:
    """Return what the document says of errors."""
    schema = Problem.model_json_schema()
    # The document has another root than the model's own, where a reference would lead nowhere.
    schema["properties"]["errors"]["items"] = schema.pop("$defs")["FieldProblem"]
    content = {MEDIA_TYPE: {"schema": schema}}
    return {status: {"content": content, "description": texts[status]} for status in sorted(texts)}


class _Measure:
    """Counts requests by outcome and their time."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "tidegate_gateway_requests_total",
            "HTTP requests.",
            ["outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "tidegate_gateway_request_seconds",
            "Time to answer an HTTP request.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5),
            registry=registry,
        )
        # What happens seldom is 0 before, not missing: a rate over it sees its first time.
        for outcome in ("2xx", "4xx", "5xx"):
            self._requests.labels(outcome)

    def take(self, status: int, seconds: float) -> None:
        """Count an answer, and the time to its first byte."""
        self._requests.labels(f"{status // 100}xx").inc()
        self._seconds.observe(seconds)
