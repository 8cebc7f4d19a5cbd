"""What the routes work with; the composition root puts it together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from tidegate_common.events.message import Message
from tidegate_common.store.redis import CachedPortfolio, CachedRecommendations
from tidegate_gateway.history import PageQuery
from tidegate_gateway.schemas import (
    DecisionView,
    EquityView,
    FillView,
    OrderView,
    Page,
    RunView,
)


class Publisher(Protocol):
    """The part of the bus that the gateway uses."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish messages and wait until all are kept; TransientError if not."""


class Now(Protocol):
    """The portfolios of now; `PortfolioCache` in production. TransientError when it is away."""

    async def get(self, account_id: str) -> CachedPortfolio | None:
        """Return an account's portfolio."""

    async def accounts(self) -> list[str]:
        """Return the accounts that have one, sorted."""

    async def ping(self) -> None:
        """Raise if there is no answer."""


class Recommendations(Protocol):
    """The newest recommendations; `RecommendationCache` in production."""

    async def get(self) -> CachedRecommendations | None:
        """Return those of the newest run; TransientError when they are not to be had."""


class Then(Protocol):
    """What was recorded; `History` in production. TransientError when it is away."""

    async def ping(self) -> None:
        """Raise if there is no answer."""

    async def runs(self, *, after: str | None, limit: int) -> Page[RunView]:
        """Return runs, the last recorded first."""

    async def decisions(self, query: PageQuery) -> Page[DecisionView]:
        """Return verdicts of risk."""

    async def orders(self, query: PageQuery) -> Page[OrderView]:
        """Return orders."""

    async def fills(self, query: PageQuery) -> Page[FillView]:
        """Return trades."""

    async def equity(self, query: PageQuery) -> Page[EquityView]:
        """Return what accounts were worth."""

    async def portfolios(self, account_id: str | None = None) -> list[CachedPortfolio]:
        """Return last recorded portfolios."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Servers and switches of a gateway.

    allow_requests : whether order and cancel requests are taken, from this machine only.
    """

    publisher: Publisher
    now: Now
    recommendations: Recommendations
    then: Then
    risk_partition_count: int = 1
    allow_requests: bool = True
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)


def resources_of(request: Request) -> Resources:
    """Return the resources of the app that serves a request."""
    resources: Resources = request.app.state.resources
    return resources


Given = Annotated[Resources, Depends(resources_of)]
