"""Risk on a real Redis that vanishes, stalls, lies and comes back: it goes on and decides the same.

Each test plays a whole run of the platform on the memory bus, with the copies that risk keeps in a
server of the test's own. Something happens to the server at one beat and is over at another; the
log must be that of the backtester's loop, and what the server holds at the end the run's last.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from structlog.testing import capture_logs
from tests.parity.shells import Outcome, Platform, loop_outcome

from tidegate_cli.servers import EmbeddedValkey, choose_port
from tidegate_common.bus.beats import BeatResult, StageCore
from tidegate_common.bus.snapshots import SnapshotStore
from tidegate_common.codec import encode_event
from tidegate_common.domain.ids import AccountId, RunId
from tidegate_common.errors import TransientError
from tidegate_common.events.portfolio import AccountBooks
from tidegate_common.events.run import (
    AccountSpec,
    FeedSpec,
    RunSpec,
    StrategySpec,
    SyntheticSpec,
)
from tidegate_common.events.topics import RISK_SNAPSHOTS, Topic
from tidegate_common.runtime.metrics import StageMetrics
from tidegate_common.runtime.settings import RedisSettings
from tidegate_common.runtime.stage import StageHooks, StageRunner
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.store.redis import PortfolioCache
from tidegate_common.store.stamped import FAILURES_MAX
from tidegate_ingest.adapters.feed import open_feed
from tidegate_risk.adapters.copies import RedisCopies
from tidegate_risk.settings import RiskSettings
from tidegate_risk.shell import RiskProcessor

# A run takes three seconds where nobody else works, and far longer where many do.
PATIENCE_SECONDS = 100.0
ACCOUNTS = [AccountId(f"A{number:03d}") for number in (1, 2, 3)]
SPEC = RunSpec(
    run_id=RunId("trouble"),
    accounts=tuple(AccountSpec(account, 500_000_000) for account in ACCOUNTS),
    strategies=(StrategySpec("book_imbalance", "book_imbalance"),),
    feed=FeedSpec(
        synthetic=SyntheticSpec(seed=11, instrument_count=12, day_count=1, beats_per_day=150),
    ),
)
BREAKS_AT = 60
MENDS_AT = 110
PREFIX = "tidegate:"
NEWER_VERSION = b'\x1d\x00\x00\x00\x00\x00\x00\x00{"format_version":2147483647}'
MEGABYTES = 1024**2
POLLS = SystemClock()


class Server:
    """A Valkey that keeps its address while it goes and comes."""

    def __init__(self, folder: Path) -> None:
        self._valkey = EmbeddedValkey(folder, port=choose_port(26_379))
        self._process_id = 0
        self.url = ""

    async def start(self) -> None:
        await self._valkey.start()
        self.url = self._valkey.url

    async def stop(self) -> None:
        await self._valkey.stop()

    async def do(self, work: Callable[[Redis], Awaitable[object]]) -> None:
        """Do something as another client."""
        async with Redis.from_url(self.url) as redis:
            await work(redis)

    async def break_keys(self, value: bytes) -> None:
        """Put other bytes in the place of every value."""

        async def work(redis: Redis) -> None:
            async for key in redis.scan_iter(f"{PREFIX}*"):
                if await redis.type(key) == b"hash":
                    await redis.hset(key, "value", value)

        await self.do(work)

    async def retype_keys(self) -> None:
        """Put keys of other types in the place of ours; a hash is one too."""

        async def work(redis: Redis) -> None:
            async for key in redis.scan_iter(f"{PREFIX}*"):
                was = await redis.type(key)
                await redis.delete(key)
                if was == b"hash":
                    await redis.rpush(key, "not ours")
                else:
                    await redis.hset(key, "not", "ours")

        await self.do(work)

    async def garble_stamps(self) -> None:
        """Put words in the place of the beats."""

        async def work(redis: Redis) -> None:
            async for key in redis.scan_iter(f"{PREFIX}*"):
                if await redis.type(key) == b"hash":
                    await redis.hset(key, "beat", "soon")

        await self.do(work)

    async def limit_memory(self, size_bytes: int) -> None:
        """Refuse writes beyond a size."""
        await self.do(lambda redis: redis.config_set("maxmemory", size_bytes))

    async def flush(self) -> None:
        await self.do(lambda redis: redis.flushall())

    async def stall(self) -> None:
        """Let it take connections and say nothing."""

        async def work(redis: Redis) -> None:
            self._process_id = int((await redis.info("server"))["process_id"])

        await self.do(work)
        os.kill(self._process_id, signal.SIGSTOP)

    async def go_on(self) -> None:
        os.kill(self._process_id, signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to the server.

    is_missed : whether writes fail until it is mended.
    """

    breaks: Callable[[Server], Awaitable[None]]
    mends: Callable[[Server], Awaitable[None]] | None = None
    is_missed: bool = True


TROUBLES = {
    "down": Trouble(Server.stop, Server.start),
    "stalled": Trouble(Server.stall, Server.go_on),
    "out-of-memory": Trouble(
        lambda server: server.limit_memory(1),
        lambda server: server.limit_memory(1_024 * MEGABYTES),
    ),
    "flushed": Trouble(Server.flush, is_missed=False),
    "corrupt": Trouble(lambda server: server.break_keys(b"\xff{"), is_missed=False),
    "newer-version": Trouble(lambda server: server.break_keys(NEWER_VERSION), is_missed=False),
    "wrong-types": Trouble(Server.retype_keys, is_missed=False),
    "garbled-stamps": Trouble(Server.garble_stamps, is_missed=False),
}


class CachedPlatform(Platform):
    """The platform with risk's copies in Redis.

    before_beat : called before risk takes a beat.
    """

    def __init__(self, server: Server, before_beat: Callable[[int], Awaitable[None]]) -> None:
        super().__init__()
        self.metrics = StageMetrics()
        self._server = server
        self._before_beat = before_beat
        self._processor: RiskProcessor | None = None
        settings = RiskSettings(
            redis=RedisSettings(url=SecretStr(server.url), key_prefix=PREFIX),
            cache_every_seconds=0.005,
        )
        self._copies = RedisCopies(settings, self.metrics, SystemClock(), books=self._books)

    async def play(self, after_run: Callable[[Server], Awaitable[None]] | None = None) -> Outcome:
        """Play the run; return once Redis holds its end, and again after something happened."""
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(self._copies.run())
            await self.run(open_feed(SPEC).frames(), SPEC.run_id)
            await self._until_filled()
            if after_run:
                await after_run(self._server)
                await self._until_filled()
            writing.cancel()
        await self._copies.close()
        return self.outcome()

    async def until_written(self, outcome: str, times: int) -> None:
        """Return when more writes than so many have come out so."""
        while self.writes(outcome) <= times:
            await POLLS.sleep(0.005)

    def writes(self, outcome: str) -> int:
        """Return how many writes to Redis came out so."""
        labels = {"stage": "risk", "outcome": outcome}
        name = "tidegate_stage_cache_writes_total"
        return int(self.metrics.registry.get_sample_value(name, labels) or 0)

    def _books(self) -> tuple[str, Iterable[AccountBooks]]:
        return self._processor.current_books() if self._processor else ("", ())

    def _runner(
        self, core: StageCore, topic: Topic, partition: int, hooks: StageHooks
    ) -> StageRunner:
        if topic is not RISK_SNAPSHOTS:
            return super()._runner(core, topic, partition, hooks)
        assert isinstance(core.processor, RiskProcessor)
        self._processor = core.processor

        async def before_beat() -> None:
            await self._before_beat(core.next_beat)
            assert hooks.before_beat is not None
            await hooks.before_beat()

        def after_beat(result: BeatResult) -> None:
            self._copies.beat_taken(result.stamp)
            assert hooks.after_beat is not None
            hooks.after_beat(result)

        return StageRunner(
            bus=self.bus,
            core=core,
            snapshots=SnapshotStore(self.bus, topic, partition),
            metrics=self.metrics,
            snapshot_every_beats=20,
            hooks=replace(
                hooks,
                before_beat=before_beat,
                after_beat=after_beat,
                after_snapshot=self._copies.snapshot_saved,
            ),
        )

    async def _until_filled(self) -> None:
        """Return when Redis has every account's last books, and the last snapshot."""
        portfolios = PortfolioCache(self._server.url, key_prefix=PREFIX)
        wanted = [encode_event(books) for books in self._books()[1]]
        *chunks, _manifest = self._last_snapshot()
        found: list[bytes] = []
        while found != wanted:
            await POLLS.sleep(0.01)
            with suppress(TransientError):
                cached = [await portfolios.get(account) for account in ACCOUNTS]
                books = [AccountBooks(one.portfolio, one.open_orders) for one in cached if one]
                found = [encode_event(one) for one in books]
        while await self._copies.newest_snapshot() != b"".join(chunks):
            await POLLS.sleep(0.01)
        await portfolios.close()

    def _last_snapshot(self) -> list[bytes]:
        """Return the values of the last snapshot's messages."""
        values: list[bytes] = []
        for message in self.bus.log(RISK_SNAPSHOTS.name, 0):
            # A manifest ends a snapshot.
            is_end = bool(values) and values[-1].startswith(b'{"key_set"')
            values = [message.value] if is_end else [*values, message.value]
        return values


@pytest.fixture(scope="module")
def undisturbed() -> Outcome:
    """Return what the loop makes of the run."""
    return loop_outcome(SPEC, open_feed(SPEC).frames())


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """Run a server of the test's own."""
    server = Server(tmp_path)
    await server.start()
    yield server
    await server.stop()


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
async def test_risk_redis_in_trouble_decides_the_same_and_fills_it_again(
    server: Server,
    undisturbed: Outcome,
    trouble: Trouble,
) -> None:
    """Beats are taken while it lasts; the metric and the log say so."""

    async def before_beat(beat: int) -> None:
        if beat == BREAKS_AT and not happened:
            happened.append("broken")
            await platform.until_written("written", 2)
            await trouble.breaks(server)
            if trouble.is_missed:
                await platform.until_written("skipped", 0)
        if beat == MENDS_AT and trouble.mends and happened == ["broken"]:
            happened.append("mended")
            await trouble.mends(server)

    happened: list[str] = []
    with capture_logs() as logs:
        platform = CachedPlatform(server, before_beat)
        async with asyncio.timeout(PATIENCE_SECONDS):
            outcome = await platform.play()

    events = {line["event"] for line in logs}
    assert outcome == undisturbed
    assert len(outcome.orders) > 0
    if trouble.is_missed:
        assert events >= {"cache_left_alone", "cache_refilled"}
        assert platform.writes("failed") >= FAILURES_MAX


async def test_risk_redis_down_from_the_start_decides_the_same_and_fills_it_at_last(
    server: Server,
    undisturbed: Outcome,
) -> None:
    """After some failures it is left alone for a while, and looked at again."""

    async def before_beat(beat: int) -> None:
        if beat == MENDS_AT and not mended:
            mended.append(beat)
            await platform.until_written("skipped", 0)
            await server.start()

    mended: list[int] = []
    await server.stop()
    with capture_logs() as logs:
        platform = CachedPlatform(server, before_beat)
        async with asyncio.timeout(PATIENCE_SECONDS):
            outcome = await platform.play()

    assert outcome == undisturbed
    events = [line["event"] for line in logs if line.get("cache") == "portfolios"]
    assert events[:2] == ["cache_left_alone", "cache_refilled"]
    assert platform.writes("failed") >= FAILURES_MAX


async def test_risk_redis_emptied_after_the_last_beat_is_filled_again(
    server: Server,
    undisturbed: Outcome,
) -> None:
    """No beat comes any more, but readers do."""

    async def before_beat(_beat: int) -> None:
        """Let it come as it may."""

    platform = CachedPlatform(server, before_beat)
    async with asyncio.timeout(PATIENCE_SECONDS):
        outcome = await platform.play(Server.flush)

    assert outcome == undisturbed
