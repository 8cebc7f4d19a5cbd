"""Where an order came from and what became of it."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Response

from tidegate_gateway.lineage import OrderKey
from tidegate_gateway.problems import ProblemError
from tidegate_gateway.resources import Given
from tidegate_gateway.routes.answers import answer
from tidegate_gateway.schemas.lineage import LineageView
from tidegate_gateway.schemas.texts import OrderText
from tidegate_gateway.security import Reader, check_account

router = APIRouter(prefix="/v1", tags=["history"])

OrderPath = Annotated[
    OrderText,
    Path(
        max_length=150,
        description="of an order, or of a decision that made none: they are named alike",
        examples=["run-1.0.A1.0"],
    ),
]


@router.get("/lineage/{order_id}", response_model=LineageView)
async def get_lineage(order_id: OrderPath, given: Given, caller: Reader) -> Response:
    """Return an order's frame, score, decision with all layers, states and fills."""
    key = OrderKey.parse(order_id)
    check_account(caller, key.account_id)
    found = await given.lineages.find(key)
    if found is None:
        detail = f"there is no decision {order_id}, or it is not recorded yet"
        raise ProblemError(HTTPStatus.NOT_FOUND, detail)
    return answer(found)
