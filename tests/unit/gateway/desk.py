"""A gateway on fakes of its servers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from tidegate_common.codec import decode_event, encode_event
from tidegate_common.errors import TransientError
from tidegate_common.events.audit import AuditRecord
from tidegate_common.events.message import Message
from tidegate_common.events.portfolio import AccountBooks
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import AUDITS
from tidegate_common.frames.frame import Frame
from tidegate_common.store.redis import CachedPortfolio, CachedRecommendations
from tidegate_common.store.stamped import Stamped
from tidegate_common.testing.scripted_run import ScriptedRun
from tidegate_gateway.app import create_app
from tidegate_gateway.lineage import OrderKey
from tidegate_gateway.pages import PageQuery
from tidegate_gateway.quotes import QuoteBoard
from tidegate_gateway.resources import Resources
from tidegate_gateway.schemas.base import Page, page_json
from tidegate_gateway.schemas.lineage import LineageView
from tidegate_gateway.schemas.market import BarView, InstrumentView, ScoreView
from tidegate_gateway.schemas.orders import decision_row
from tidegate_gateway.schemas.portfolios import BookingView, EquityInterval, EquityView
from tidegate_gateway.schemas.runs import RunView

SCRIPT = ScriptedRun()


@dataclass
class FakePublisher:
    """Keeps what is published, audits apart, or is away."""

    messages: list[Message] = field(default_factory=list)
    audits: list[AuditRecord] = field(default_factory=list)
    is_away: bool = False
    is_audit_away: bool = False

    async def publish(self, messages: Sequence[Message]) -> None:
        if self.is_away:
            message = "expected an answer of Kafka, found: nothing"
            raise TransientError(message)
        for one in messages:
            if one.topic == AUDITS.name and self.is_audit_away:
                message = "expected an answer of Kafka, found: nothing"
                raise TransientError(message)
            if one.topic == AUDITS.name:
                self.audits.append(decode_event(AuditRecord, one.value))
            else:
                self.messages.append(one)


@dataclass
class FakeNow:
    """Holds portfolios, or is away."""

    portfolios: dict[str, CachedPortfolio] = field(default_factory=dict)
    is_away: bool = False

    async def stamped(self, account_id: str) -> Stamped | None:
        await self.ping()
        found = self.portfolios.get(account_id)
        return stamped(found) if found else None

    async def get_many(self, account_ids: Sequence[str]) -> list[CachedPortfolio]:
        await self.ping()
        return [self.portfolios[each] for each in account_ids if each in self.portfolios]

    async def accounts(self) -> list[str]:
        await self.ping()
        return sorted(self.portfolios)

    async def ping(self) -> None:
        if self.is_away:
            message = "expected an answer of Redis, found: nothing"
            raise TransientError(message)


@dataclass
class FakeRecommendations:
    """Holds recommendations, or is away."""

    newest: CachedRecommendations | None = None
    is_away: bool = False

    async def get(self) -> CachedRecommendations | None:
        if self.is_away:
            message = "expected an answer of Redis, found: nothing"
            raise TransientError(message)
        return self.newest


@dataclass
class FakeQuotes:
    """Holds frames of quotes, or is away; counts how often it is asked."""

    frames: list[Frame] = field(default_factory=list)
    is_away: bool = False
    gets: int = 0

    async def get(self) -> list[Frame]:
        self.gets += 1
        if self.is_away:
            message = "expected an answer of Redis, found: nothing"
            raise TransientError(message)
        return self.frames


@dataclass
class FakeLineages:
    """Has no chain, and notes what is asked."""

    keys: list[OrderKey] = field(default_factory=list)

    async def find(self, key: OrderKey) -> LineageView | None:
        self.keys.append(key)
        return None


@dataclass
class FakeThen:
    """Has what it was given, notes what is asked, or is away."""

    is_on_replica: bool | None = None
    run_spec: RunSpec | None = None
    scores: list[ScoreView] = field(default_factory=list)
    reference_of_day: InstrumentView | None = None
    asked: list[object] = field(default_factory=list)
    recorded: list[CachedPortfolio] = field(default_factory=list)
    queries: list[PageQuery] = field(default_factory=list)
    is_away: bool = False

    async def ping(self) -> None:
        if self.is_away:
            message = "expected an answer of PostgreSQL, found: nothing"
            raise TransientError(message)

    async def runs(self, *, after: str | None, limit: int) -> Page[RunView]:
        await self.ping()
        return Page(run_id=None, items=[], next=None)

    async def spec(self, run_id: str | None) -> tuple[str, RunSpec] | None:
        await self.ping()
        return (run_id or "run-1", self.run_spec) if self.run_spec else None

    async def decisions(self, query: PageQuery) -> bytes:
        await self._note(query)
        return page_json("run-1", [decision_row(SCRIPT.decision("A1", 3, is_accepted=False))], None)

    async def orders(self, query: PageQuery) -> bytes:
        await self._note(query)
        return page_json("run-1", [], None)

    async def fills(self, query: PageQuery) -> bytes:
        await self._note(query)
        return page_json("run-1", [], None)

    async def equity(self, query: PageQuery, interval: EquityInterval) -> Page[EquityView]:
        await self._note(query)
        return Page(run_id=interval, items=[], next=None)

    async def bookings(self, query: PageQuery) -> Page[BookingView]:
        await self._note(query)
        return Page(run_id="run-1", items=[], next=None)

    async def bars(self, query: PageQuery) -> Page[BarView]:
        await self._note(query)
        return Page(run_id="run-1", items=[], next=None)

    async def score_changes(self, query: PageQuery) -> Page[ScoreView]:
        await self._note(query)
        return Page(run_id="run-1", items=[], next=None)

    async def latest_scores(
        self,
        *,
        run_id: str,
        strategy: str,
        instruments: tuple[int, int],
        at_ns: int,
        limit: int,
    ) -> list[ScoreView]:
        await self.ping()
        self.asked.append((run_id, strategy, instruments, at_ns, limit))
        return self.scores[:limit]

    async def instruments(self, query: PageQuery, trade_date: int) -> Page[InstrumentView]:
        await self._note(query)
        self.asked.append(trade_date)
        return Page(run_id="run-1", items=[], next=None)

    async def reference(
        self,
        *,
        run_id: str | None,
        instrument: int,
        trade_date: int,
    ) -> InstrumentView | None:
        await self.ping()
        self.asked.append((run_id, instrument, trade_date))
        return self.reference_of_day

    async def portfolios(
        self,
        accounts: Sequence[str] | None,
        *,
        after: str,
        limit: int,
    ) -> list[CachedPortfolio]:
        await self.ping()
        rest = [
            one
            for one in self.recorded
            if one.portfolio.account_id > after
            and (accounts is None or one.portfolio.account_id in accounts)
        ]
        return rest[:limit]

    async def portfolio(self, account_id: str) -> CachedPortfolio | None:
        await self.ping()
        found = [one for one in self.recorded if one.portfolio.account_id == account_id]
        return found[0] if found else None

    async def _note(self, query: PageQuery) -> None:
        await self.ping()
        self.queries.append(query)


def cached(account: str, beat: int) -> CachedPortfolio:
    """Return a portfolio as a cache has it."""
    return CachedPortfolio("run-1", beat, SCRIPT.portfolio(account, beat))


def stamped(found: CachedPortfolio) -> Stamped:
    """Return a portfolio as Redis keeps it."""
    books = AccountBooks(found.portfolio, found.open_orders)
    key = f"portfolio:{found.portfolio.account_id}"
    return Stamped(key, found.run_id, found.beat, encode_event(books))


@dataclass
class Desk:
    """A client of a gateway, and the fakes behind it."""

    client: httpx.AsyncClient
    publisher: FakePublisher
    now: FakeNow
    recommendations: FakeRecommendations
    then: FakeThen
    quotes: FakeQuotes
    lineages: FakeLineages


def make_resources(then: FakeThen | None = None) -> Resources:
    """Return fakes of all servers."""
    return Resources(
        publisher=FakePublisher(),
        now=FakeNow(),
        recommendations=FakeRecommendations(),
        then=then or FakeThen(),
        quotes=QuoteBoard(FakeQuotes()),
        lineages=FakeLineages(),
    )


def client_of(resources: Resources, host: str = "127.0.0.1") -> httpx.AsyncClient:
    """Return a client that calls from an address."""
    transport = httpx.ASGITransport(
        create_app(resources),
        raise_app_exceptions=False,
        client=(host, 50_000),
    )
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


def assert_problem(response: httpx.Response, status: int) -> str:
    """Check that an answer is a problem and return its detail."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["type"], problem["status"]) == ("about:blank", status)
    assert ("retry-after" in response.headers) is (status in {429, 503})
    assert problem["title"]
    detail: str = problem["detail"]
    return detail
