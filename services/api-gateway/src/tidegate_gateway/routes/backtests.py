"""Backtests: asked for here, run by a worker elsewhere."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Query

from tidegate_common.codec import encode_event
from tidegate_gateway.problems import ProblemError
from tidegate_gateway.resources import Given
from tidegate_gateway.schemas.backtests import (
    BacktestBody,
    BacktestResultView,
    BacktestView,
    JobView,
)
from tidegate_gateway.schemas.base import Page
from tidegate_gateway.security import Role, require
from tidegate_gateway.writes import Writing

_LISTED_MAX = 100
_JOB_PATTERN = r"^bt-[0-9a-f]{20}$"

JobPath = Annotated[str, Path(pattern=_JOB_PATTERN, examples=["bt-0123456789abcdef0123"])]

router = APIRouter(prefix="/v1", tags=["backtests"])


@router.post("/backtests", status_code=HTTPStatus.ACCEPTED)
async def request_backtest(body: BacktestBody, write: Writing, given: Given) -> JobView:
    """Ask for a backtest; the same Idempotency-Key is the same backtest."""
    job = body.job(
        write.job_id,
        requested_by=write.caller.name,
        requested_ns=given.clock.now_ns(),
    )
    # When it was asked for is no part of what was asked for.
    content = encode_event(msgspec.structs.replace(job, requested_ns=0))
    await write.send_job(job, content)
    return JobView(job_id=job.job_id)


@router.get("/backtests", dependencies=[Depends(require(Role.READ))])
async def list_backtests(
    given: Given,
    after: Annotated[
        str | None,
        Query(
            pattern=_JOB_PATTERN,
            description="`next` of the page before",
            examples=["bt-0123456789abcdef0123"],
        ),
    ] = None,
    limit: Annotated[
        int,
        Query(ge=1, le=_LISTED_MAX, description="most items of a page", examples=[20]),
    ] = 20,
) -> Page[BacktestView]:
    """Return the backtests, the last that was asked for first."""
    return await given.records.backtests(after=after, limit=limit)


@router.get("/backtests/{job_id}", dependencies=[Depends(require(Role.READ))])
async def get_backtest(job_id: JobPath, given: Given) -> BacktestResultView:
    """Return a backtest and what it came to."""
    found = await given.records.backtest(job_id)
    if found:
        return found
    # No worker has seen it yet, or nobody asked for it.
    job = await given.memory.job(job_id)
    if job is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"backtest {job_id} is not known")
    return BacktestResultView.queued(job)
