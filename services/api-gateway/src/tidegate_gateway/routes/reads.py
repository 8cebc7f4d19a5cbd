"""What was recorded: runs, orders, fills, decisions, equity."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from tidegate_common.domain.enums import BookingKind, CauseKind, Outcome, Reason
from tidegate_gateway.pages import BOOKINGS, DECISIONS, EQUITY_LISTINGS, FILLS, ORDERS
from tidegate_gateway.problems import ProblemError
from tidegate_gateway.resources import Given
from tidegate_gateway.routes.answers import answer, json_answer
from tidegate_gateway.routes.asked import (
    AccountParameter,
    Asked,
    LimitParameter,
    StrategyParameter,
    SymbolParameter,
    instrument_of,
)
from tidegate_gateway.schemas.base import Page
from tidegate_gateway.schemas.orders import DecisionView, FillView, OrderView
from tidegate_gateway.schemas.portfolios import BookingView, EquityInterval, EquityView
from tidegate_gateway.schemas.runs import RunView
from tidegate_gateway.schemas.texts import RequestText

router = APIRouter(prefix="/v1", tags=["history"])

OpenParameter = Annotated[bool, Query(description="only those that may still trade; with account")]
RequestParameter = Annotated[
    RequestText | None,
    Query(description="what this request caused", examples=["my-order-1"]),
]
IntervalParameter = Annotated[
    EquityInterval,
    Query(description="of each recorded beat, or of the last one of each minute or day"),
]


@router.get("/runs")
async def list_runs(
    given: Given,
    after: Annotated[str | None, Query(max_length=63, pattern=r"^[^\x00]*$")] = None,
    limit: LimitParameter = 100,
) -> Page[RunView]:
    """Return the runs, the last recorded first."""
    return await given.then.runs(after=after, limit=limit)


@router.get("/orders", response_model=Page[OrderView])
async def list_orders(
    request: Request,
    given: Given,
    asked: Asked,
    account: AccountParameter = None,
    symbol: SymbolParameter = None,
    strategy: StrategyParameter = None,
    *,
    is_open: Annotated[OpenParameter, Query(alias="open")] = False,
) -> Response:
    """Return a run's orders with their latest states."""
    if is_open and account is None:
        detail = "query.open: expected account beside it, found none"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    query = asked.query(
        ORDERS,
        account_id=account,
        instrument=instrument_of(symbol),
        strategy=strategy,
        is_open=1 if is_open else None,
    )
    given.pages.keep(request.scope, asked.caller, query)
    return json_answer(await given.then.orders(query))


@router.get("/fills", response_model=Page[FillView])
async def list_fills(
    request: Request,
    given: Given,
    asked: Asked,
    account: AccountParameter = None,
    symbol: SymbolParameter = None,
    strategy: StrategyParameter = None,
) -> Response:
    """Return a run's trades."""
    query = asked.query(
        FILLS,
        account_id=account,
        instrument=instrument_of(symbol),
        strategy=strategy,
    )
    given.pages.keep(request.scope, asked.caller, query)
    return json_answer(await given.then.fills(query))


@router.get("/decisions", response_model=Page[DecisionView])
async def list_decisions(  # one a filter
    request: Request,
    given: Given,
    asked: Asked,
    account: AccountParameter = None,
    symbol: SymbolParameter = None,
    outcome: Outcome | None = None,
    reason: Reason | None = None,
    strategy: StrategyParameter = None,
    request_id: RequestParameter = None,
) -> Response:
    """Return why intents became orders or not."""
    if strategy is not None and request_id is not None:
        detail = "query.strategy: expected none beside request_id, as a decision has one cause"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    kind = CauseKind.SCORE if strategy is not None else CauseKind.REQUEST
    cause = strategy if strategy is not None else request_id
    if outcome is Outcome.ACCEPTED and reason is None:
        # The same, and there is an index by reason.
        reason = Reason.NONE
    query = asked.query(
        DECISIONS,
        account_id=account,
        instrument=instrument_of(symbol),
        outcome=outcome,
        reason=reason,
        cause=cause,
        cause_kind=kind if cause is not None else None,
    )
    given.pages.keep(request.scope, asked.caller, query)
    return json_answer(await given.then.decisions(query))


@router.get("/equity", response_model=Page[EquityView])
async def list_equity(
    given: Given,
    asked: Asked,
    account: AccountParameter = None,
    interval: IntervalParameter = EquityInterval.BEAT,
) -> Response:
    """Return what accounts were worth, account by account."""
    query = asked.query(EQUITY_LISTINGS[interval], account_id=account)
    return answer(await given.then.equity(query, interval))


@router.get("/bookings", response_model=Page[BookingView])
async def list_bookings(
    given: Given,
    asked: Asked,
    account: AccountParameter = None,
    symbol: SymbolParameter = None,
    kind: BookingKind | None = None,
) -> Response:
    """Return what changed books and is no trade, account by account."""
    query = asked.query(
        BOOKINGS,
        account_id=account,
        instrument=instrument_of(symbol),
        kind=kind,
    )
    return answer(await given.then.bookings(query))
