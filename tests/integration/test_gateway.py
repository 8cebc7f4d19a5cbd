"""The gateway on real servers: pages over a recorded run, portfolios from Redis."""

import secrets
from collections.abc import AsyncIterator

import httpx
import pytest
from tests.integration.recorded_gateway import (
    NOWHERE_POSTGRES,
    NOWHERE_REDIS,
    gateway,
    record,
)

from tidegate_common.bus.memory import MemoryBus
from tidegate_common.events.portfolio import AccountBooks
from tidegate_common.events.recommendations import RecommendationEntry, StrategyRecommendations
from tidegate_common.events.topics import REQUESTS
from tidegate_common.store.postgres import migrate
from tidegate_common.store.redis import (
    CachedRecommendations,
    PortfolioCache,
    RecommendationCache,
)
from tidegate_common.testing.scripted_run import ScriptedRun, all_topics

SCRIPT = ScriptedRun()


@pytest.fixture
async def recorded_dsn(postgres_dsn: str) -> str:
    """Record a run and return where."""
    await record(postgres_dsn, SCRIPT)
    return postgres_dsn


@pytest.fixture
async def client(recorded_dsn: str) -> AsyncIterator[httpx.AsyncClient]:
    """Serve a gateway whose Redis is away."""
    async with gateway(recorded_dsn, NOWHERE_REDIS) as client:
        yield client


async def ids(client: httpx.AsyncClient, path: str, name: str, **parameters: object) -> list[str]:
    """Return the ids of all pages of a listing, two items a page."""
    found: list[str] = []
    after = None
    while True:
        query = {"limit": 2, **parameters} | ({"after": after} if after else {})
        response = await client.get(path, params=query)  # type: ignore[arg-type]  # plain values
        assert response.status_code == 200, response.text
        page = response.json()
        assert len(page["items"]) <= 2
        found += [item[name] for item in page["items"]]
        after = page["next"]
        if after is None:
            return found


async def test_decisions_pages_are_all_decisions_in_order(client: httpx.AsyncClient) -> None:
    """Keyset pages neither repeat nor skip."""
    found = await ids(client, "/v1/decisions", "decision_id")

    assert found == [
        f"run-1.{beat}.{account}.{sequence}"
        for beat in (0, 3, 6)
        for account in ("A1", "A2")
        for sequence in (0, 1)
    ]


async def test_decisions_newest_first_are_the_same_backwards(client: httpx.AsyncClient) -> None:
    """A person looks at the end first."""
    forwards = await ids(client, "/v1/decisions", "decision_id")

    assert await ids(client, "/v1/decisions", "decision_id", newest_first=True) == forwards[::-1]


async def test_decisions_filters_narrow(client: httpx.AsyncClient) -> None:
    """Why we did not trade this is one query."""
    rejected = await ids(client, "/v1/decisions", "decision_id", reason="position_limit")
    found = await ids(
        client,
        "/v1/decisions",
        "decision_id",
        account="A2",
        outcome="rejected",
        symbol="000001.SZ",
    )

    assert rejected == [
        f"run-1.{beat}.{account}.1" for beat in (0, 3, 6) for account in ("A1", "A2")
    ]
    assert found == ["run-1.0.A2.1", "run-1.3.A2.1", "run-1.6.A2.1"]


async def test_orders_show_their_latest_state(client: httpx.AsyncClient) -> None:
    """All of this run's orders were filled."""
    page = (await client.get("/v1/orders", params={"account": "A1"})).json()

    assert [order["status"] for order in page["items"]] == ["filled"] * 3
    assert page["items"][0]["price_cny"] == "1800.00"
    assert page["items"][0]["symbol"] == "600519.SH"


async def test_fills_pages_are_all_fills_in_order(client: httpx.AsyncClient) -> None:
    """Two halves of three orders of two accounts."""
    found = await ids(client, "/v1/fills", "fill_id", run="run-1")

    assert found == [
        f"run-1.{beat - beat % 3}.{account}.0.{beat % 3 - 1}"
        for beat in (1, 2, 4, 5, 7, 8)
        for account in ("A1", "A2")
    ]


async def test_equity_is_there_for_every_beat(client: httpx.AsyncClient) -> None:
    """A chart needs every point."""
    page = (await client.get("/v1/equity", params={"account": "A1"})).json()

    assert [point["beat"] for point in page["items"]] == list(range(9))
    assert page["items"][8]["nav_cny"] == "999999.92"


async def test_runs_say_whether_they_are_complete(client: httpx.AsyncClient) -> None:
    """A reader knows whether more is to come."""
    page = (await client.get("/v1/runs")).json()

    assert page["items"] == [
        {"run_id": "run-1", "trade_date": 20230201, "last_beat": 8, "is_complete": True},
    ]
    assert (await client.get("/v1/runs", params={"after": "run-1"})).json()["items"] == []


async def test_unknown_run_has_empty_pages(client: httpx.AsyncClient) -> None:
    """It may begin in a moment."""
    page = (await client.get("/v1/fills", params={"run": "later"})).json()

    assert page == {"run_id": "later", "items": [], "next": None}


async def test_empty_database_has_empty_pages(postgres_dsn: str) -> None:
    """A platform that has just started answers."""
    await migrate(postgres_dsn)

    async with gateway(postgres_dsn, NOWHERE_REDIS) as client:
        page = (await client.get("/v1/orders")).json()
        portfolios = (await client.get("/v1/portfolios")).json()

    assert page == {"run_id": None, "items": [], "next": None}
    assert portfolios == {"source": "postgres", "items": [], "next": None}


async def test_portfolio_is_from_redis_and_without_it_from_postgres(
    recorded_dsn: str,
    redis_url: str,
) -> None:
    """Redis may vanish at any time."""
    prefix = f"test:{secrets.token_hex(6)}:"
    cache = PortfolioCache(redis_url, key_prefix=prefix, put_timeout_seconds=5)
    await cache.put("run-1", [AccountBooks(SCRIPT.portfolio("A1", 4))])
    await cache.close()

    async with gateway(recorded_dsn, redis_url, prefix) as client:
        now = (await client.get("/v1/portfolios/A1")).json()
        absent = (await client.get("/v1/portfolios/A2")).json()
    async with gateway(recorded_dsn, NOWHERE_REDIS, prefix) as client:
        then = (await client.get("/v1/portfolios/A1")).json()
        everyone = (await client.get("/v1/portfolios")).json()

    assert (now["source"], now["beat"]) == ("redis", 4)
    assert (absent["source"], absent["beat"]) == ("postgres", 8)
    assert (then["source"], then["beat"]) == ("postgres", 8)
    assert [item["account_id"] for item in everyone["items"]] == ["A1", "A2"]


async def test_recommendations_are_what_was_put(redis_url: str) -> None:
    """PostgreSQL is not asked."""
    prefix = f"test:{secrets.token_hex(6)}:"
    cache = RecommendationCache(redis_url, key_prefix=prefix, put_timeout_seconds=5)
    told = StrategyRecommendations(
        strategy="cross",
        beat=4,
        trade_date=20230201,
        ts_event_ns=1,
        instrument_count=1,
        top=(RecommendationEntry(1_600_519, 400_000, 1, 0, 4, {"fast": 2_500_000}),),
    )
    await cache.put(CachedRecommendations("run-1", 7, ("cross", "silent"), (told,)))
    await cache.close()

    async with gateway(NOWHERE_POSTGRES, redis_url, prefix) as client:
        found = (await client.get("/v1/recommendations", params={"strategy": "cross"})).json()
        unknown = await client.get("/v1/recommendations", params={"strategy": "luck"})

    assert (found["run_id"], found["beat"]) == ("run-1", 7)
    assert found["items"][0]["top"][0]["symbol"] == "600519.SH"
    assert found["items"][0]["top"][0]["reasons"] == {"fast": "2.500000"}
    assert unknown.status_code == 404


async def test_without_any_server_answers_are_503(redis_url: str) -> None:
    """The gateway itself starts and answers."""
    paths = ("/v1/runs", "/v1/portfolios/A1", "/v1/recommendations", "/readyz")
    async with gateway(NOWHERE_POSTGRES, NOWHERE_REDIS) as client:
        answers = [await client.get(path) for path in paths]

    assert [answer.status_code for answer in answers] == [503, 503, 503, 503]
    assert [("retry-after" in answer.headers) for answer in answers[:3]] == [True, True, True]


@pytest.mark.parametrize("database", [None, "no_such_database"])
async def test_database_not_made_yet_is_503(postgres_dsn: str, database: str | None) -> None:
    """The gateway may start before the recorder has migrated."""
    dsn = postgres_dsn.rpartition("/")[0] + f"/{database}" if database else postgres_dsn

    async with gateway(dsn, NOWHERE_REDIS) as client:
        answers = [await client.get(f"/v1/{name}") for name in ("runs", "fills", "portfolios")]

    assert [answer.status_code for answer in answers] == [503, 503, 503]


async def test_order_request_reaches_the_bus(recorded_dsn: str) -> None:
    """From there on it is risk's."""
    bus = MemoryBus()
    await bus.create_topics(all_topics())
    body = {
        "account_id": "A1",
        "symbol": "600519.SH",
        "side": "buy",
        "price_cny": "1800.00",
        "quantity_shares": 100,
    }

    async with gateway(recorded_dsn, NOWHERE_REDIS, bus=bus) as client:
        response = await client.post("/v1/orders", json=body, headers={"Idempotency-Key": "k-1"})

    assert response.status_code == 202
    assert dict(bus.log(REQUESTS.name)[0].headers)["ce_id"] == b"k-1"
