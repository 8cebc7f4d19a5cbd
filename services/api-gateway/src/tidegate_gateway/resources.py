"""What the routes work with; the composition root puts it together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends
from prometheus_client import CollectorRegistry
from starlette.requests import HTTPConnection

from tidegate_common.clock import Clock
from tidegate_common.events.message import Message
from tidegate_common.events.run import RunSpec
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.runtime.tracing import Tracer
from tidegate_common.store.redis import CachedPortfolio, CachedRecommendations
from tidegate_common.store.stamped import Stamped
from tidegate_gateway.known_pages import KnownPages
from tidegate_gateway.lineage import OrderKey
from tidegate_gateway.pages import PageQuery
from tidegate_gateway.portfolio_texts import PortfolioTexts
from tidegate_gateway.quotes import QuoteBoard
from tidegate_gateway.records import NoRecords
from tidegate_gateway.schemas.backtests import BacktestResultView, BacktestView
from tidegate_gateway.schemas.base import Page
from tidegate_gateway.schemas.lineage import LineageView
from tidegate_gateway.schemas.market import BarView, InstrumentView, ScoreView
from tidegate_gateway.schemas.portfolios import BookingView, EquityInterval, EquityView
from tidegate_gateway.schemas.requests import RequestStatusView
from tidegate_gateway.schemas.runs import RunView
from tidegate_gateway.security.callers import Caller
from tidegate_gateway.security.gate import Security
from tidegate_gateway.security.guard import BODY_BYTES_MAX
from tidegate_gateway.security.memory import Memory, NoMemory
from tidegate_gateway.streams.hub import StreamHub


class Publisher(Protocol):
    """The part of the bus that the gateway uses."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish messages and wait until all are kept; TransientError if not."""


class Now(Protocol):
    """The portfolios of now; `PortfolioCache` in production. TransientError when it is away."""

    async def stamped(self, account_id: str) -> Stamped | None:
        """Return an account's portfolio as it is kept."""

    async def get_many(self, account_ids: Sequence[str]) -> list[CachedPortfolio]:
        """Return the portfolios of those that have one, in the same order."""

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

    @property
    def is_on_replica(self) -> bool | None:
        """Whether reads are of the replica now; None where there is none."""

    async def ping(self) -> None:
        """Raise if there is no answer."""

    async def runs(self, *, after: str | None, limit: int) -> Page[RunView]:
        """Return runs, the last recorded first."""

    async def spec(self, run_id: str | None) -> tuple[str, RunSpec] | None:
        """Return a run, the latest if None, and its settings."""

    async def decisions(self, query: PageQuery) -> bytes:
        """Return the JSON of a page of `DecisionView`."""

    async def orders(self, query: PageQuery) -> bytes:
        """Return the JSON of a page of `OrderView`."""

    async def fills(self, query: PageQuery) -> bytes:
        """Return the JSON of a page of `FillView`."""

    async def equity(self, query: PageQuery, interval: EquityInterval) -> Page[EquityView]:
        """Return what accounts were worth."""

    async def bookings(self, query: PageQuery) -> Page[BookingView]:
        """Return what changed books and is no trade."""

    async def bars(self, query: PageQuery) -> Page[BarView]:
        """Return an instrument's bars."""

    async def score_changes(self, query: PageQuery) -> Page[ScoreView]:
        """Return scores where they are another than before."""

    async def latest_scores(
        self,
        *,
        run_id: str,
        strategy: str,
        instruments: tuple[int, int],
        at_ns: int,
        limit: int,
    ) -> list[ScoreView]:
        """Return the last score of each instrument up to a time."""

    async def instruments(self, query: PageQuery, trade_date: int) -> Page[InstrumentView]:
        """Return reference data of a run's last day up to a date."""

    async def reference(
        self,
        *,
        run_id: str | None,
        instrument: int,
        trade_date: int,
    ) -> InstrumentView | None:
        """Return that of one instrument."""

    async def portfolios(
        self,
        accounts: Sequence[str] | None,
        *,
        after: str,
        limit: int,
    ) -> list[CachedPortfolio]:
        """Return last recorded portfolios, by account; of these accounts, None for all."""

    async def portfolio(self, account_id: str) -> CachedPortfolio | None:
        """Return an account's last recorded portfolio."""


class Chains(Protocol):
    """The chains of orders; `Lineages` in production. TransientError when it is away."""

    async def find(self, key: OrderKey) -> LineageView | None:
        """Return the chain of an order or of a rejected intent."""


class Records(Protocol):
    """What is recorded of requests and backtests. TransientError when it is away."""

    async def request(
        self,
        request_id: str,
        run_id: str | None,
        caller: Caller,
    ) -> RequestStatusView | None:
        """Return what became of a request, as far as it is for the caller."""

    async def backtests(self, *, after: str | None, limit: int) -> Page[BacktestView]:
        """Return backtests, the last that was asked for first."""

    async def backtest(self, job_id: str) -> BacktestResultView | None:
        """Return a backtest."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Servers and switches of a gateway.

    allow_requests : whether writes are taken.
    security : by default no keys are asked for, and this machine alone is served.
    tracer : None where traces are off.
    """

    publisher: Publisher
    now: Now
    recommendations: Recommendations
    then: Then
    quotes: QuoteBoard
    lineages: Chains
    risk_partition_count: int = 1
    allow_requests: bool = True
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    clock: Clock = field(default_factory=SystemClock)
    security: Security = field(default_factory=Security)
    memory: Memory = field(default_factory=NoMemory)
    records: Records = field(default_factory=NoRecords)
    body_bytes_max: int = BODY_BYTES_MAX
    streams: StreamHub | None = None
    texts: PortfolioTexts = field(default_factory=PortfolioTexts)
    tracer: Tracer | None = None
    pages: KnownPages = field(default_factory=KnownPages)


async def resources_of(connection: HTTPConnection) -> Resources:
    """Return the resources of the app that serves a request or a WebSocket."""
    resources: Resources = connection.app.state.resources
    return resources


Given = Annotated[Resources, Depends(resources_of)]
