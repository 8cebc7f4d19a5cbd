"""The FastAPI application."""

import time
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Counter, Histogram

from tidegate_gateway.problems import MEDIA_TYPE, Problem, add_problem_handlers
from tidegate_gateway.resources import Resources
from tidegate_gateway.routes import health, portfolios, reads, recommendations, requests

_DESCRIPTION = """Portfolios, recommendations, orders, fills and decisions of Tidegate runs.

Money and prices are decimal strings in CNY; instruments are symbols such as 600519.SH. Errors are
`application/problem+json` (RFC 9457). When a server behind the gateway is away, the answer is 503
with `Retry-After`."""
_PROBLEMS: dict[int | str, dict[str, object]] = {
    status: {"content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}, "description": text}
    for status, text in {
        422: "The request is not understood",
        503: "A server behind the gateway is away; see Retry-After",
    }.items()
}
_SERVER_ERROR = 500


def create_app(resources: Resources) -> FastAPI:
    """Return the application on given servers; it starts and ends none of them."""
    app = FastAPI(
        title="Tidegate",
        version="1",
        description=_DESCRIPTION,
        default_response_class=JSONResponse,
    )
    app.state.resources = resources
    add_problem_handlers(app)
    for module in (portfolios, recommendations, reads, requests):
        app.include_router(module.router, responses=_PROBLEMS)
    app.include_router(health.router)
    app.middleware("http")(_Measure(resources.registry))
    return app


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

    async def __call__(
        self,
        request: Request,
        call_next: Callable[[Request], Awaitable[Response]],
    ) -> Response:
        """Answer a request and count it."""
        started = time.perf_counter()
        status = _SERVER_ERROR
        try:
            response = await call_next(request)
            status = response.status_code
        finally:
            self._requests.labels(f"{status // 100}xx").inc()
            self._seconds.observe(time.perf_counter() - started)
        return response
