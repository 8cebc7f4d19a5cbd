"""What the strategies of the newest run recommend, from Redis."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from tidegate_gateway.problems import ProblemError
from tidegate_gateway.resources import Given
from tidegate_gateway.routes.answers import answer
from tidegate_gateway.schemas.recommendations import RecommendationsView

router = APIRouter(prefix="/v1", tags=["recommendations"])

StrategyParameter = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=100,
        description="a strategy of the run; all if none",
        examples=["ma_cross"],
    ),
]


@router.get("/recommendations", response_model=RecommendationsView)
async def list_recommendations(
    given: Given,
    strategy: StrategyParameter = None,
) -> Response:
    """Return the best and the worst instruments of each strategy; none before they were scored."""
    newest = await given.recommendations.get()
    known = newest.strategies if newest else ()
    if strategy is not None and strategy not in known:
        detail = f"there is no strategy {strategy}, there are: {', '.join(known) or 'none'}"
        raise ProblemError(HTTPStatus.NOT_FOUND, detail)
    if newest is None:
        return answer(RecommendationsView(run_id=None, beat=None, items=[]))
    return answer(RecommendationsView.of(newest, strategy))
