"""Whether the gateway lives and can answer, and what it counted."""

from collections.abc import Awaitable
from http import HTTPStatus

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from tidegate_common.errors import TransientError
from tidegate_gateway.resources import Given
from tidegate_gateway.schemas.health import HealthView

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> HealthView:
    """Tell that the process answers."""
    return HealthView(status="alive")


@router.get("/readyz", responses={HTTPStatus.SERVICE_UNAVAILABLE: {"model": HealthView}})
async def readyz(given: Given, response: Response) -> HealthView:
    """Tell which servers answer; one is enough, because each stands in for the other."""
    redis, postgres = await _answers(given.now.ping()), await _answers(given.then.ping())
    is_ready = redis or postgres
    if not is_ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return HealthView(
        status="ready" if is_ready else "starting",
        redis=redis,
        postgres=postgres,
        replica=given.then.is_on_replica,
    )


@router.get("/metrics", include_in_schema=False)
async def metrics(given: Given) -> Response:
    """Return the counters for Prometheus."""
    return Response(generate_latest(given.registry), media_type=CONTENT_TYPE_LATEST)


async def _answers(ping: Awaitable[None]) -> bool:
    try:
        await ping
    except TransientError:
        return False
    return True
