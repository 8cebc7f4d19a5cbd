"""The portfolios of now, from Redis; as last recorded where Redis does not know."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path

from tidegate_common.errors import TransientError
from tidegate_common.store.redis import CachedPortfolio
from tidegate_gateway.problems import ProblemError
from tidegate_gateway.resources import Given, Resources
from tidegate_gateway.schemas.base import Source
from tidegate_gateway.schemas.portfolios import PortfoliosView, PortfolioView
from tidegate_gateway.schemas.texts import AccountText

router = APIRouter(prefix="/v1", tags=["portfolios"])

AccountPath = Annotated[AccountText, Path(examples=["A1"])]


@router.get("/portfolios")
async def list_portfolios(given: Given) -> PortfoliosView:
    """Return every account's portfolio."""
    found = await _all_now(given)
    source: Source = "redis" if found else "postgres"
    portfolios = found or await given.then.portfolios()
    items = [_view(portfolio, source) for portfolio in portfolios]
    return PortfoliosView(source=source, items=items)


@router.get("/portfolios/{account}")
async def get_portfolio(account: AccountPath, given: Given) -> PortfolioView:
    """Return an account's portfolio."""
    try:
        portfolio = await given.now.get(account)
    except TransientError:
        portfolio = None
    if portfolio is not None:
        return _view(portfolio, "redis")
    # Redis is away, or empty after a restart: the last recorded books are the next best answer.
    recorded = await given.then.portfolios(account)
    if not recorded:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no portfolio of account {account}")
    return _view(recorded[0], "postgres")


async def _all_now(given: Resources) -> list[CachedPortfolio]:
    """Return the portfolios of now, none when Redis is away."""
    try:
        found = [await given.now.get(account) for account in await given.now.accounts()]
    except TransientError:
        return []
    return [portfolio for portfolio in found if portfolio is not None]


def _view(portfolio: CachedPortfolio, source: Source) -> PortfolioView:
    return PortfolioView.of(
        portfolio.portfolio,
        source=source,
        run_id=portfolio.run_id,
        beat=portfolio.beat,
    )
