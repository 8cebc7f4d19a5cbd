"""What was recorded: runs, orders, fills, decisions, equity."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from tidegate_common.domain.enums import Outcome, Reason
from tidegate_common.domain.ids import parse_symbol
from tidegate_gateway.history import (
    DECISIONS,
    EQUITY,
    FILLS,
    ORDERS,
    Listing,
    PageQuery,
    Value,
    parse_cursor,
)
from tidegate_gateway.problems import ProblemError
from tidegate_gateway.resources import Given
from tidegate_gateway.schemas.base import Page
from tidegate_gateway.schemas.orders import DecisionView, FillView, OrderView
from tidegate_gateway.schemas.portfolios import EquityView
from tidegate_gateway.schemas.runs import RunView
from tidegate_gateway.schemas.texts import AccountText, SymbolText

ROWS_MAX = 1_000

router = APIRouter(prefix="/v1", tags=["history"])

RunParameter = Annotated[
    str | None,
    Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$", description="a run; the latest if none"),
]
AccountParameter = Annotated[AccountText | None, Query(examples=["A1"])]
SymbolParameter = Annotated[SymbolText | None, Query(examples=["600519.SH"])]
AfterParameter = Annotated[
    str | None,
    Query(max_length=200, description="`next` of the page before", examples=["12.A1.0"]),
]
LimitParameter = Annotated[int, Query(ge=1, le=ROWS_MAX, description="most items of a page")]
NewestParameter = Annotated[bool, Query(description="last beat first")]


class _Asked:
    """The parameters that all listings share."""

    def __init__(
        self,
        run: RunParameter = None,
        account: AccountParameter = None,
        after: AfterParameter = None,
        limit: LimitParameter = 100,
        *,
        newest_first: NewestParameter = False,
    ) -> None:
        self.run = run
        self.account = account
        self.after = after
        self.limit = limit
        self.newest_first = newest_first

    def query(self, listing: Listing, **filters: Value | None) -> PageQuery:
        """Return the query of a page.

        Raises
        ------
        ProblemError
            If the cursor is not one of this listing.
        """
        wanted = {"account_id": self.account, **filters}
        try:
            after = None if self.after is None else parse_cursor(listing, self.after)
        except ValueError as error:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        return PageQuery(
            run_id=self.run,
            filters={name: value for name, value in wanted.items() if value is not None},
            after=after,
            limit=self.limit,
            is_newest_first=self.newest_first,
        )


Asked = Annotated[_Asked, Depends()]


@router.get("/runs")
async def list_runs(
    given: Given,
    after: Annotated[str | None, Query(max_length=63)] = None,
    limit: LimitParameter = 100,
) -> Page[RunView]:
    """Return the runs, the last recorded first."""
    return await given.then.runs(after=after, limit=limit)


@router.get("/orders")
async def list_orders(
    given: Given,
    asked: Asked,
    symbol: SymbolParameter = None,
) -> Page[OrderView]:
    """Return a run's orders with their latest states."""
    return await given.then.orders(asked.query(ORDERS, instrument=_instrument(symbol)))


@router.get("/fills")
async def list_fills(
    given: Given,
    asked: Asked,
    symbol: SymbolParameter = None,
) -> Page[FillView]:
    """Return a run's trades."""
    return await given.then.fills(asked.query(FILLS, instrument=_instrument(symbol)))


@router.get("/decisions")
async def list_decisions(
    given: Given,
    asked: Asked,
    symbol: SymbolParameter = None,
    outcome: Outcome | None = None,
    reason: Reason | None = None,
) -> Page[DecisionView]:
    """Return why intents became orders or not."""
    query = asked.query(
        DECISIONS,
        instrument=_instrument(symbol),
        outcome=outcome,
        reason=reason,
    )
    return await given.then.decisions(query)


@router.get("/equity")
async def list_equity(given: Given, asked: Asked) -> Page[EquityView]:
    """Return what accounts were worth, beat by beat."""
    return await given.then.equity(asked.query(EQUITY))


def _instrument(symbol: str | None) -> int | None:
    return None if symbol is None else parse_symbol(symbol)
