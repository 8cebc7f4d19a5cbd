"""What the gateway reads of a recorded run: bars, scores, instruments, chains of orders, quotes."""

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from tests.integration.recorded_gateway import (
    NOWHERE_POSTGRES,
    NOWHERE_REDIS,
    gateway,
    record,
    recorded_database,
)

from tidegate_common.bus.base import NewTopic
from tidegate_common.bus.kafka import KafkaBus, KafkaConfig
from tidegate_common.clock import ManualClock
from tidegate_common.domain.ids import RunId
from tidegate_common.events.topics import TICKS
from tidegate_common.store.postgres import open_pool
from tidegate_common.store.quotes import QuoteCache
from tidegate_common.store.reads import Reads
from tidegate_common.testing.scripted_run import ScriptedRun
from tidegate_gateway.frame_log import FrameLog
from tidegate_gateway.history import History
from tidegate_gateway.pages import PageQuery
from tidegate_gateway.schemas.portfolios import EquityInterval
from tidegate_recorder.adapters.quotes import QuoteCopies

# Ends with the last orders half filled.
SCRIPT = ScriptedRun(run_id=RunId("reads"), beat_count=8)
# Of the same day, accounts and instruments: nothing of it may show where nobody asks for it.
BEFORE = ScriptedRun(run_id=RunId("before"), beat_count=12, accounts=("A0", "A1", "A2"))
OPENS, BEAT_3 = "2023-02-01T09:30:00+08:00", "2023-02-01T09:30:09+08:00"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the frames are archived."""
    return tmp_path_factory.mktemp("archive")


@pytest.fixture(scope="module")
def recorded_dsn(postgres_server: str, archive: Path) -> Iterator[str]:
    """Record the run once for all tests."""
    with recorded_database(postgres_server, archive, BEFORE, SCRIPT) as dsn:
        yield dsn


@pytest.fixture
async def client(recorded_dsn: str, archive: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Serve a gateway whose Redis is away."""
    async with gateway(recorded_dsn, NOWHERE_REDIS, archive=archive) as client:
        yield client


async def get(client: httpx.AsyncClient, path: str, **parameters: object) -> dict[str, object]:
    """Return an answer."""
    names = {name.removesuffix("_"): value for name, value in parameters.items()}
    response = await client.get(path, params=names)  # type: ignore[arg-type]  # plain values
    assert response.status_code == 200, response.text
    body: dict[str, object] = response.json()
    return body


async def column(
    client: httpx.AsyncClient, path: str, name: str, **parameters: object
) -> list[object]:
    """Return a field of all pages of a listing, two items a page."""
    found: list[object] = []
    after: dict[str, object] = {}
    while True:
        page = await get(client, path, limit=2, **parameters, **after)
        items = page["items"]
        assert isinstance(items, list)
        found += [item[name] for item in items]
        if page["next"] is None:
            return found
        after = {"after": page["next"]}


async def test_bars_are_those_of_the_period_and_the_time(client: httpx.AsyncClient) -> None:
    """Of their end."""
    every = await column(client, "/v1/bars", "beat", symbol="600519.SH", interval=12)
    later = await get(client, "/v1/bars", symbol="600519.SH", interval=12, from_=BEAT_3)
    earlier = await column(client, "/v1/bars", "beat", symbol="600519.SH", interval=12, to=BEAT_3)

    assert (every, earlier) == ([0, 4], [0])
    assert later["items"] == [
        {
            "symbol": "600519.SH",
            "period_seconds": 12,
            "ts_end_ns": 1_675_215_012_000_000_000,
            "end_time": "2023-02-01T09:30:12+08:00",
            "trade_date": 20230201,
            "beat": 4,
            "open_cny": "1800.00",
            "high_cny": "1800.0004",
            "low_cny": "1800.00",
            "close_cny": "1800.00",
            "volume_shares": 200,
            "amount_cny": "180000.00",
        },
    ]
    assert await column(client, "/v1/bars", "beat", symbol="600519.SH", interval=60) == []


async def test_scores_are_the_last_ones_now_and_then(client: httpx.AsyncClient) -> None:
    """The table has changes only."""
    now = await get(client, "/v1/scores", strategy="cross")
    then = await get(client, "/v1/scores", strategy="cross", at=BEAT_3, symbol="600519.SH")
    pages = await get(client, "/v1/scores", strategy="cross", limit=1)
    rest = await get(client, "/v1/scores", strategy="cross", after=pages["next"])
    changes = await column(
        client, "/v1/scores/changes", "score", strategy="cross", newest_first=True
    )

    assert [(one["symbol"], one["score"], one["beat"]) for one in items_of(now)] == [
        ("600519.SH", "0.400003", 6),
        ("000001.SZ", "-0.400000", 0),
    ]
    assert [(one["score"], one["beat"]) for one in items_of(then)] == [("0.400001", 2)]
    assert [one["symbol"] for one in items_of(pages)] == ["600519.SH"]
    assert [one["symbol"] for one in items_of(rest)] == ["000001.SZ"]
    assert changes == ["-0.400000", "0.400003", "0.400002", "0.400001", "0.400000"]


def items_of(page: dict[str, object]) -> list[dict[str, object]]:
    """Return the items of a page."""
    items = page["items"]
    assert isinstance(items, list)
    return items


@pytest.mark.parametrize(
    ("filters", "symbols"),
    [
        ({}, ["600519.SH", "000001.SZ"]),
        ({"symbol": "600"}, ["600519.SH"]),
        ({"symbol": "000001.S"}, ["000001.SZ"]),
        ({"board": "main", "st": "true"}, ["000001.SZ"]),
        ({"sector": "food"}, ["600519.SH"]),
        ({"suspended": "true"}, []),
        ({"date": "2023-01-31"}, []),
        ({"date": "2024-01-01", "st": "false"}, ["600519.SH"]),
        ({"run": "another"}, []),
    ],
)
async def test_instruments_are_searched(
    client: httpx.AsyncClient,
    filters: dict[str, object],
    symbols: list[str],
) -> None:
    """As the last OPEN up to the date told it."""
    assert await column(client, "/v1/instruments", "symbol", **filters) == symbols


async def test_rules_of_a_recorded_instrument_have_its_limits(client: httpx.AsyncClient) -> None:
    """The rule book and the frame say the same."""
    (recorded,) = items_of(await get(client, "/v1/instruments", symbol="600519"))
    rules = await get(client, "/v1/rules/600519.SH")

    assert rules["date"] == "2023-02-01"
    assert rules["limit_up"] == recorded["limit_up_cny"] == "1980.00"
    assert recorded["sector"] == "food"


async def test_strategies_are_the_runs(client: httpx.AsyncClient) -> None:
    """Of a run that there is."""
    body = await get(client, "/v1/strategies", run="reads")

    assert [one["name"] for one in items_of(body)] == ["cross"]
    assert items_of(await get(client, "/v1/strategies", run="another")) == []


async def test_orders_that_may_still_trade_are_told_apart(client: httpx.AsyncClient) -> None:
    """Half filled is open."""
    found = await column(client, "/v1/orders", "order_id", account="A1", open="true")

    assert found == ["reads.6.A1.0"]


@pytest.mark.parametrize("path", ["orders", "fills", "decisions"])
async def test_listing_by_strategy_and_time_is_what_it_caused_then(
    client: httpx.AsyncClient,
    path: str,
) -> None:
    """From a time on, before another, and nothing of a strategy that said nothing."""
    of_cross = await column(
        client,
        f"/v1/{path}",
        "beat",
        strategy="cross",
        account="A1",
        from_=OPENS,
        to=BEAT_3,
    )
    later = await column(client, f"/v1/{path}", "beat", account="A1", from_=BEAT_3)

    expected = {"orders": [0], "fills": [1, 2], "decisions": [0, 0]}
    rest = {"orders": [3, 6], "fills": [4, 5, 7], "decisions": [3, 3, 6, 6]}
    assert (of_cross, later) == (expected[path], rest[path])
    assert await column(client, f"/v1/{path}", "beat", strategy="luck") == []
    assert await column(client, f"/v1/{path}", "beat", from_="2023-02-02T00:00:00Z") == []


async def test_decisions_of_a_request_are_not_a_strategys(client: httpx.AsyncClient) -> None:
    """A request may have the name of a strategy."""
    assert await column(client, "/v1/decisions", "cause", request_id="cross") == []
    accepted = await column(client, "/v1/decisions", "decision_id", outcome="accepted")
    assert accepted == [f"reads.{beat}.{name}.0" for beat in (0, 3, 6) for name in ("A1", "A2")]


async def test_equity_of_minutes_and_days_is_the_last_of_each(client: httpx.AsyncClient) -> None:
    """Eight beats are one minute and one day."""
    beats = await column(client, "/v1/equity", "beat", account="A1", newest_first="true")
    minutes = await get(client, "/v1/equity", interval="minute")
    days = await get(client, "/v1/equity", interval="day")

    assert beats == list(range(7, -1, -1))
    told = [(one["account_id"], one["beat"], one["nav_cny"]) for one in items_of(minutes)]
    assert told == [("A1", 7, "999999.93"), ("A2", 7, "999999.93")]
    assert [one["ts_event_ns"] for one in items_of(minutes)] == [1_675_215_000_000_000_000] * 2
    assert [(one["trade_date"], one["ts_event_ns"]) for one in items_of(days)] == [
        (20230201, None),
        (20230201, None),
    ]


async def test_bookings_are_what_changed_books_without_a_trade(client: httpx.AsyncClient) -> None:
    """Why there is more cash than the fills say."""
    page = await get(client, "/v1/bookings", symbol="600519.SH", kind="dividend_paid")
    of_one = await column(client, "/v1/bookings", "beat", account="A2", from_=OPENS)

    told = [(one["account_id"], one["beat"], one["effective_date"]) for one in items_of(page)]
    assert told == [("A1", 1, None), ("A2", 1, None)]
    assert of_one == [1]
    assert await column(client, "/v1/bookings", "beat", kind="dividend_tax") == []


async def test_portfolios_as_recorded_are_paged_by_account(client: httpx.AsyncClient) -> None:
    """One probe an account, and what is open is not known there."""
    first = await get(client, "/v1/portfolios", limit=1)
    rest = await get(client, "/v1/portfolios", limit=1, after=first["next"])

    assert (first["source"], first["next"]) == ("postgres", "A1")
    assert [(one["account_id"], one["beat"]) for one in items_of(rest)] == [("A2", 7)]
    assert items_of(rest)[0]["open_orders"] is None
    assert rest["next"] is None


async def test_lineage_of_an_order_is_frame_score_decision_states_and_fills(
    client: httpx.AsyncClient,
) -> None:
    """The chain of names."""
    chain = (await client.get("/v1/lineage/reads.3.A1.0")).json()

    frame, score = chain["frame"], chain["score"]
    assert (frame["beat"], frame["source"], frame["quote_beat"]) == (3, "archive", 3)
    assert frame["time"] == BEAT_3
    assert (frame["quote"]["symbol"], frame["quote"]["volume_shares"]) == ("600519.SH", 300)
    assert frame["instrument"]["sector"] == "food"
    assert (score["strategy"], score["score"], score["said_since_beat"]) == ("cross", "0.400000", 2)
    assert score["reasons"] == {}
    assert chain["decision"]["order_id"] == chain["order"]["order_id"] == "reads.3.A1.0"
    assert [layer["status"] for layer in chain["layers"]] == ["passed"] * 7
    assert [state["status"] for state in chain["states"]] == ["partially_filled", "filled"]
    assert [fill["fill_id"] for fill in chain["fills"]] == ["reads.3.A1.0.0", "reads.3.A1.0.1"]
    assert chain["fills"][0]["transfer_fee_cny"] == "0.18"


async def test_lineage_of_a_rejected_intent_ends_with_its_decision(
    client: httpx.AsyncClient,
) -> None:
    """Why something was not ordered: its instrument had no quote, and no place in the lists."""
    chain = (await client.get("/v1/lineage/reads.3.A1.1")).json()
    unknown = await client.get("/v1/lineage/reads.4.A1.0")

    assert (chain["order"], chain["states"], chain["fills"]) == (None, [], [])
    assert chain["decision"]["reason"] == "position_limit"
    assert [layer["status"] for layer in chain["layers"][1:4]] == [
        "passed",
        "failed",
        "not_reached",
    ]
    assert (chain["layers"][2]["observed"], chain["layers"][2]["limit"]) == (2_500, 2_000)
    assert (chain["frame"]["source"], chain["frame"]["quote"]) == ("recorded", None)
    assert chain["score"]["reasons"] is None
    assert unknown.status_code == 404


async def test_lineage_without_the_archive_shows_the_last_recorded_bar(recorded_dsn: str) -> None:
    """A gateway on another machine, or a day that is not over."""
    async with gateway(recorded_dsn, NOWHERE_REDIS) as client:
        frame = (await client.get("/v1/lineage/reads.3.A1.0")).json()["frame"]

    assert (frame["source"], frame["quote"], frame["quote_beat"]) == ("recorded", None, 0)
    assert frame["bar"]["close_cny"] == "1800.00"


async def test_lineage_of_the_day_shows_the_quote_out_of_the_log(
    recorded_dsn: str,
    kafka_address: str,
    topic_prefix: str,
) -> None:
    """Before the archive has the day; with the broker gone it says what is recorded."""
    bus = KafkaBus(KafkaConfig(kafka_address, topic_prefix=topic_prefix))
    await bus.start()
    await bus.create_topics([NewTopic(TICKS.name, 1)])
    frames = [message for message in SCRIPT.messages() if message.topic == TICKS.name]
    await bus.publish([*frames[:6], *frames[4:]])
    log = FrameLog(bus, shard_count=1, timeout_seconds=30)
    nowhere = KafkaBus(KafkaConfig("127.0.0.1:1"))
    gone = FrameLog(nowhere, shard_count=1, timeout_seconds=30)

    found = []
    for one in (log, gone):
        async with gateway(recorded_dsn, NOWHERE_REDIS, log=one) as client:
            answer = await client.get("/v1/lineage/reads.3.A1.0")
            found.append(answer.json()["frame"])
    await bus.close()

    assert (found[0]["source"], found[0]["beat"], found[0]["quote_beat"]) == ("log", 3, 3)
    assert (found[0]["quote"]["symbol"], found[0]["quote"]["volume_shares"]) == ("600519.SH", 300)
    assert (found[1]["source"], found[1]["quote"]) == ("recorded", None)


async def test_portfolios_of_some_accounts_are_as_recorded(recorded_dsn: str) -> None:
    """Those of a key, in pages; who has no books is not there."""
    pool = await open_pool(recorded_dsn, service="test")
    history = History(Reads(pool, timeout_seconds=30))

    found = [
        await history.portfolios(["A1", "A2", "A9"], after=after, limit=limit)
        for after, limit in (("", 10), ("", 1), ("A1", 10), ("A2", 10))
    ]
    of_both = await history.equity(
        PageQuery(filters={"account_id": ("A2", "A9")}), EquityInterval.DAY
    )
    every = await history.portfolios()
    await pool.close()

    names = [[one.portfolio.account_id for one in page] for page in found]
    assert names == [["A1", "A2"], ["A1"], ["A2"], []]
    assert found[0] == every
    assert [one.account_id for one in of_both.items] == ["A2"]


async def test_quotes_are_those_that_the_recorder_saw_last(
    postgres_dsn: str,
    redis_url: str,
) -> None:
    """Of all shards, as of the last beat; and a recorder that starts anew keeps them."""
    prefix = f"test:{secrets.token_hex(6)}:"
    script = ScriptedRun(shard_count=2)

    def copies() -> QuoteCopies:
        cache = QuoteCache(redis_url, key_prefix=prefix, put_timeout_seconds=5)
        return QuoteCopies(cache, shard_count=2, every_seconds=1, clock=ManualClock())

    quotes = copies()
    await quotes.start()
    await record(postgres_dsn, script, quotes=quotes)
    await quotes.close()
    again = copies()
    await again.start()
    for message in script.beat_messages(8)[:2]:
        again.take(message)
    await again.close()

    async with gateway(NOWHERE_POSTGRES, redis_url, prefix) as client:
        body = await get(client, "/v1/quotes")
    async with gateway(NOWHERE_POSTGRES, NOWHERE_REDIS) as client:
        away = await client.get("/v1/quotes")

    assert (body["run_id"], body["beat"]) == ("run-1", 8)
    assert [(one["symbol"], one["volume_shares"]) for one in items_of(body)] == [("600519.SH", 800)]
    assert away.status_code == 503
    assert "retry-after" in away.headers
