"""What the routes work with; the composition root puts it together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends
from prometheus_client import CollectorRegistry
from starlette.requests import HTTPConnection

from tidegate_common.clock import Clock
from tidegate_common.events.message import Message
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.store.redis import CachedPortfolio, CachedRecommendations
from tidegate_gateway.history import PageQuery
from tidegate_gateway.records import NoRecords
from tidegate_gateway.schemas.backtests import BacktestResultView, BacktestView
from tidegate_gateway.schemas.base import Page
from tidegate_gateway.schemas.orders import DecisionView, FillView, OrderView
from tidegate_gateway.schemas.portfolios import EquityView
from tidegate_gateway.schemas.requests import RequestStatusView
from tidegate_gateway.schemas.runs import RunView
from tidegate_gateway.security.gate import Security
from tidegate_gateway.security.guard import BODY_BYTES_MAX
from tidegate_gateway.security.memory import Memory, NoMemory


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


class Records(Protocol):
    """What is recorded of requests and backtests. TransientError when it is away."""

    async def request(self, request_id: str, run_id: str | None) -> RequestStatusView | None:
        """Return what became of a request."""

    async def backtests(self, *, after: str | None, limit: int) -> Page[BacktestView]:
        """Return backtests, the last that was asked for first."""

    async def backtest(self, job_id: str) -> BacktestResultView | None:
        """Return a backtest."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Servers and switches of a gateway.

    allow_requests : whether writes are taken.
    security : by default no keys are asked for, and this machine alone is served.
    """

    publisher: Publisher
    now: Now
    recommendations: Recommendations
    then: Then
    risk_partition_count: int = 1
    allow_requests: bool = True
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    clock: Clock = field(default_factory=SystemClock)
    security: Security = field(default_factory=Security)
    memory: Memory = field(default_factory=NoMemory)
    records: Records = field(default_factory=NoRecords)
    body_bytes_max: int = BODY_BYTES_MAX


async def resources_of(connection: HTTPConnection) -> Resources:
    """Return the resources of the app that serves a request or a WebSocket."""
    resources: Resources = connection.app.state.resources
    return resources


Given = Annotated[Resources, Depends(resources_of)]
