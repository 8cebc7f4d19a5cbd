"""The portfolios of now, from Redis; as last recorded where Redis does not know."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from tidegate_common.errors import TransientError
from tidegate_common.store.redis import CachedPortfolio
from tidegate_gateway.problems import ProblemError
from tidegate_gateway.resources import Given, Resources
from tidegate_gateway.routes.answers import answer, json_answer
from tidegate_gateway.routes.asked import LimitParameter
from tidegate_gateway.schemas.base import Source, json_of
from tidegate_gateway.schemas.portfolios import PortfoliosView, PortfolioView
from tidegate_gateway.schemas.texts import AccountText
from tidegate_gateway.security import Caller, Reader, check_account

router = APIRouter(prefix="/v1", tags=["portfolios"])

AccountPath = Annotated[AccountText, Path(examples=["A1"])]
AfterAccount = Annotated[
    AccountText | None,
    Query(description="`next` of the page before", examples=["A0"]),
]


@router.get("/portfolios", response_model=PortfoliosView)
async def list_portfolios(
    given: Given,
    caller: Reader,
    after: AfterAccount = None,
    limit: LimitParameter = 100,
) -> Response:
    """Return the portfolios of all accounts that are for the caller, by account."""
    # One more than a page tells whether there is another.
    found = await _now(given, caller, after or "", limit + 1)
    source: Source = "redis" if found is not None else "postgres"
    if found is None:
        accounts = sorted(caller.accounts) or None
        found = await given.then.portfolios(accounts, after=after or "", limit=limit + 1)
    following = found[limit - 1].portfolio.account_id if len(found) > limit else None
    items = [PortfolioView.of(one, source) for one in found[:limit]]
    return answer(PortfoliosView(source=source, items=items, next=following))


@router.get("/portfolios/{account}", response_model=PortfolioView)
async def get_portfolio(account: AccountPath, given: Given, caller: Reader) -> Response:
    """Return an account's positions, cash, worth, use of limits and open orders."""
    return json_answer(await portfolio_json(given, caller, account))


async def portfolio_json(given: Resources, caller: Caller, account: str) -> bytes:
    """Return the JSON of an account's books.

    Raises
    ------
    ProblemError
        404 if nobody knows the account, 403 if it is not for the caller.
    TransientError
        If neither Redis nor PostgreSQL answers.
    """
    check_account(caller, account)
    try:
        text = await given.texts.of(given.now, account)
    except TransientError:
        text = None
    if text is not None:
        return text
    # Redis is away, or empty after a restart: the last recorded books are the next best answer.
    recorded = await given.then.portfolio(account)
    if recorded is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no portfolio of account {account}")
    return json_of(PortfolioView.of(recorded, "postgres"))


async def _now(
    given: Resources,
    caller: Caller,
    after: str,
    limit: int,
) -> list[CachedPortfolio] | None:
    """Return portfolios of now, None when Redis is away or has none."""
    try:
        accounts = await given.now.accounts()
        wanted = [one for one in accounts if one > after and caller.is_for(one)][:limit]
        return await given.now.get_many(wanted) if accounts else None
    except TransientError:
        return None
