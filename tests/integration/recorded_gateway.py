"""A gateway on real servers, and a run recorded for it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx

from tidegate_common.bus.memory import MemoryBus
from tidegate_common.store.postgres import migrate, open_pool
from tidegate_common.store.quotes import QuoteCache
from tidegate_common.store.reads import Reads
from tidegate_common.store.redis import PortfolioCache, RecommendationCache
from tidegate_common.testing.scripted_run import ScriptedRun, all_topics
from tidegate_gateway.app import create_app
from tidegate_gateway.archive import FrameArchive
from tidegate_gateway.frame_log import FrameLog
from tidegate_gateway.history import History
from tidegate_gateway.lineage import Lineages
from tidegate_gateway.quotes import QuoteBoard
from tidegate_gateway.resources import Resources
from tidegate_recorder.adapters.archive import Archive
from tidegate_recorder.adapters.quotes import QuoteCopies
from tidegate_recorder.adapters.tables import Tables
from tidegate_recorder.shell import Recorder, RecorderOptions

NOWHERE_POSTGRES = "postgresql://somebody@127.0.0.1:1/tidegate"
NOWHERE_REDIS = "redis://127.0.0.1:1/0"


async def record(
    dsn: str,
    *scripts: ScriptedRun,
    archive: Path | None = None,
    quotes: QuoteCopies | None = None,
) -> None:
    """Record runs whole, one after the other."""
    await migrate(dsn)
    shards = scripts[0].shard_count
    bus = MemoryBus()
    await bus.create_topics(all_topics(shard_count=shards))
    for script in scripts:
        await bus.publish(script.messages())
    pool = await open_pool(dsn, service="test")
    recorder = Recorder(
        bus=bus,
        tables=Tables(pool, log="main"),
        options=RecorderOptions(shard_count=shards, batch_seconds_max=0, idle_seconds=0.01),
        archive=Archive(archive, log="main", shard_count=shards) if archive else None,
        quotes=quotes,
    )
    await recorder.start()
    while await recorder.step():
        pass
    await recorder.close()
    await pool.close()


@contextmanager
def recorded_database(server: str, archive: Path, *scripts: ScriptedRun) -> Iterator[str]:
    """Record runs into a database of its own, for tests that only read."""
    name = f"tidegate_recorded_{scripts[0].run_id.replace('-', '_')}"

    async def execute(sql: str) -> None:
        admin = await asyncpg.connect(server)
        await admin.execute(sql)
        await admin.close()

    dsn = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    asyncio.run(execute(f"CREATE DATABASE {name}"))
    try:
        asyncio.run(record(dsn, *scripts, archive=archive))
        yield dsn
    finally:
        asyncio.run(execute(f"DROP DATABASE {name} WITH (FORCE)"))


@asynccontextmanager
async def gateway(
    dsn: str,
    redis_url: str,
    key_prefix: str = "",
    bus: MemoryBus | None = None,
    archive: Path | None = None,
    log: FrameLog | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve a gateway on servers."""
    pool = await open_pool(dsn, service="test")
    cache = PortfolioCache(redis_url, key_prefix=key_prefix)
    recommendations = RecommendationCache(redis_url, key_prefix=key_prefix)
    quotes = QuoteCache(redis_url, key_prefix=key_prefix)
    reads = Reads(pool, timeout_seconds=5)
    resources = Resources(
        publisher=bus or MemoryBus(),
        now=cache,
        recommendations=recommendations,
        quotes=QuoteBoard(quotes, fresh_seconds=0),
        then=History(reads),
        lineages=Lineages(
            reads, FrameArchive(archive, timeout_seconds=30) if archive else None, log
        ),
    )
    transport = httpx.ASGITransport(create_app(resources))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client
    await cache.close()
    await recommendations.close()
    await quotes.close()
    await pool.close()
