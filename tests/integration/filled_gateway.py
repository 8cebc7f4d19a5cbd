"""A gateway that listens, on real servers that know every kind of thing it can be asked for."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from tests.integration.recorded_gateway import recorded_database

from tidegate_cli.backtest_jobs.store import JobStore
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.clock import ManualClock
from tidegate_common.domain.ids import RunId
from tidegate_common.events.backtests import BacktestJob, BacktestResult, EquityClose
from tidegate_common.events.outcome import RunSummary
from tidegate_common.events.portfolio import AccountBooks
from tidegate_common.events.recommendations import RecommendationEntry, StrategyRecommendations
from tidegate_common.events.topics import TICKS
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.store.postgres import Pool, open_pool
from tidegate_common.store.quotes import QuoteCache
from tidegate_common.store.reads import Reads
from tidegate_common.store.redis import (
    CachedRecommendations,
    PortfolioCache,
    RecommendationCache,
)
from tidegate_common.testing.scripted_run import (
    INSTRUMENT,
    STRATEGY,
    TRADE_DATE,
    ScriptedRun,
    all_topics,
)
from tidegate_gateway.app import create_app
from tidegate_gateway.archive import FrameArchive
from tidegate_gateway.history import History
from tidegate_gateway.lineage import Lineages
from tidegate_gateway.quotes import QuoteBoard
from tidegate_gateway.records import Records
from tidegate_gateway.resources import Resources
from tidegate_gateway.security.callers import Role
from tidegate_gateway.security.gate import Security
from tidegate_gateway.security.keys import KeyRing, KeyStore, make_key
from tidegate_gateway.security.memory import RedisMemory
from tidegate_gateway.server import listen_at, server_of
from tidegate_recorder.adapters.quotes import QuoteCopies

SCRIPT = ScriptedRun(run_id=RunId("run-1"))
KEY_PREFIX = "filled:"
BACKTEST_ID = "bt-0123456789abcdef0123"
REQUEST_ID = "my-order-1"
TS_NS = 1_675_215_000_000_000_000
PATIENT_SECONDS = 5.0
_START_SECONDS_MAX = 60.0
_INSERT_AUDIT = """
INSERT INTO audits (
  audit_id, ts_ns, caller, method, path, request_id, status, key_id, role, peer, body
)
VALUES ('audit-1', $1, 'desk-1', 'POST', '/v1/orders', $2, 202, 'k1', 'trade', '127.0.0.1', '{}')
"""


@dataclass(frozen=True, slots=True)
class Served:
    """Where a gateway listens, and keys that open it."""

    url: str
    admin_key: str
    read_key: str


@contextmanager
def filled_gateway(postgres: str, redis_url: str, archive: Path) -> Iterator[Served]:
    """Serve a gateway beside the test, in a thread of its own."""
    with recorded_database(postgres, archive, SCRIPT) as dsn:
        ready: list[Served] = []
        is_up, stop = threading.Event(), threading.Event()

        def run() -> None:
            try:
                asyncio.run(_serve(dsn, redis_url, archive, ready, is_up, stop))
            finally:
                is_up.set()

        thread = threading.Thread(target=run, name="filled-gateway")
        thread.start()
        try:
            assert is_up.wait(_START_SECONDS_MAX)
            yield ready[0]
        finally:
            stop.set()
            thread.join(_START_SECONDS_MAX)


async def _serve(
    dsn: str,
    redis_url: str,
    archive: Path,
    ready: list[Served],
    is_up: threading.Event,
    stop: threading.Event,
) -> None:
    async with _resources(dsn, redis_url, archive) as (resources, admin_key, read_key):
        server = server_of(create_app(resources))
        listener = listen_at("127.0.0.1", 0)
        port = listener.getsockname()[1]
        ready.append(Served(f"http://127.0.0.1:{port}", admin_key, read_key))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve([listener]))
            # The socket listens already, so who connects now is served in a moment.
            is_up.set()
            await asyncio.to_thread(stop.wait)
            server.should_exit = True


@asynccontextmanager
async def _resources(
    dsn: str, redis_url: str, archive: Path
) -> AsyncIterator[tuple[Resources, str, str]]:
    pool = await open_pool(dsn, service="test")
    redis = Redis.from_url(redis_url)
    now = PortfolioCache(redis_url, key_prefix=KEY_PREFIX, put_timeout_seconds=PATIENT_SECONDS)
    recommendations = RecommendationCache(
        redis_url, key_prefix=KEY_PREFIX, put_timeout_seconds=PATIENT_SECONDS
    )
    quotes = QuoteCache(redis_url, key_prefix=KEY_PREFIX)
    bus = MemoryBus()
    await bus.create_topics(all_topics())
    await _fill_caches(now, recommendations, redis_url)
    await _fill_records(pool)
    store = KeyStore(pool)
    keys = [make_key(role.value, role, [], now_ns=TS_NS) for role in (Role.ADMIN, Role.READ)]
    for _, stored in keys:
        await store.add(stored)
    ring = KeyRing(store.live, SystemClock())
    await ring.refresh()
    reads = Reads(pool, timeout_seconds=5)
    async with asyncio.TaskGroup() as tasks:
        # Keys that nobody looks at again are good for five minutes, and a search takes longer.
        keeping = tasks.create_task(ring.keep_fresh())
        yield (
            Resources(
                publisher=bus,
                now=now,
                recommendations=recommendations,
                quotes=QuoteBoard(quotes, fresh_seconds=0),
                then=History(reads),
                lineages=Lineages(reads, FrameArchive(archive, timeout_seconds=30)),
                security=Security(keys=ring),
                memory=RedisMemory(
                    redis,
                    key_prefix=KEY_PREFIX,
                    seconds=60,
                    clock=SystemClock(),
                    timeout_seconds=PATIENT_SECONDS,
                ),
                records=Records(reads),
            ),
            keys[0][0],
            keys[1][0],
        )
        keeping.cancel()
    for cache in (now, recommendations, quotes):
        await cache.close()
    await redis.aclose()
    await pool.close()


async def _fill_caches(
    now: PortfolioCache, recommendations: RecommendationCache, redis_url: str
) -> None:
    """Put what the stages and the recorder would have put."""
    beat = SCRIPT.beat_count - 1
    accounts = SCRIPT.accounts
    states = [SCRIPT.portfolio(account, beat) for account in accounts]
    await now.put(SCRIPT.run_id, [AccountBooks(state, ()) for state in states])
    entry = RecommendationEntry(INSTRUMENT, 400_000, 1, 0, beat, {"fast_cny": 1_801_500_000})
    told = StrategyRecommendations(STRATEGY, beat, TRADE_DATE, TS_NS, 1, (entry,))
    await recommendations.put(CachedRecommendations(SCRIPT.run_id, beat, (STRATEGY,), (told,)))
    quotes = QuoteCache(redis_url, key_prefix=KEY_PREFIX, put_timeout_seconds=PATIENT_SECONDS)
    copies = QuoteCopies(quotes, shard_count=1, every_seconds=1, clock=ManualClock())
    await copies.start()
    for message in SCRIPT.messages():
        if message.topic == TICKS.name:
            copies.take(message)
    await copies.close()


async def _fill_records(pool: Pool) -> None:
    """Write down a request that risk is about to answer, and a backtest that is done."""
    await pool.execute(_INSERT_AUDIT, TS_NS, REQUEST_ID)
    jobs = JobStore(pool)
    await jobs.add(BacktestJob(BACKTEST_ID, "desk-1", TS_NS, instruments=20, beats=100))
    await jobs.start(BACKTEST_ID, TS_NS + 1)
    summary = RunSummary(
        run_id=RunId("backtest"),
        beats=100,
        ticks=2_000,
        scores=1_900,
        decisions_accepted=3,
        decisions_rejected={"position_limit": 1},
        orders=3,
        fills=3,
        fees_fen=1_250,
        final_nav_fen=500_001_250,
        dead_letters=0,
        wall_s=0.5,
        beats_per_s=200.0,
        outcome_sha256="0" * 64,
    )
    close = EquityClose(TRADE_DATE, "A001", 499_000_000, 500_001_250)
    await jobs.finish(BACKTEST_ID, BacktestResult(summary, (close,)), TS_NS + 2)
