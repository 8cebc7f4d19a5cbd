"""The caches on a real Redis: never backwards, never in the way."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.events.recommendations import RecommendationEntry, StrategyRecommendations
from tidegate_common.store.redis import (
    CachedPortfolio,
    CachedRecommendations,
    CircuitBreaker,
    PortfolioCache,
    RecommendationCache,
)
from tidegate_common.testing.scripted_run import ScriptedRun

SCRIPT = ScriptedRun()
# Far more than a round trip takes on a busy machine.
PATIENT_SECONDS = 5.0


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def key_prefix() -> str:
    """Return a prefix that no other test has."""
    return f"test:{secrets.token_hex(6)}:"


@pytest.fixture
async def cache(redis_url: str, key_prefix: str) -> AsyncIterator[PortfolioCache]:
    """Open a patient cache."""
    cache = PortfolioCache(redis_url, key_prefix=key_prefix, put_timeout_seconds=PATIENT_SECONDS)
    yield cache
    await cache.close()


async def put(cache: PortfolioCache, run_id: str, beat: int, account: str = "A1") -> bool:
    """Put an account's books of a beat."""
    return await cache.put(run_id, beat, [SCRIPT.portfolio(account, beat)])


async def beat_of(cache: PortfolioCache, account: str = "A1") -> tuple[str, int] | None:
    """Return the stamp of an account's books."""
    found = await cache.get(account)
    return (found.run_id, found.beat) if found else None


async def test_cache_returns_what_was_put(cache: PortfolioCache) -> None:
    """The gateway decodes the same books that risk encoded."""
    assert await put(cache, "run-1", 7)

    assert await cache.get("A1") == CachedPortfolio("run-1", 7, SCRIPT.portfolio("A1", 7))
    assert await cache.get("A2") is None


async def test_cache_lists_accounts_sorted(cache: PortfolioCache) -> None:
    """Redis keeps a set."""
    states = [SCRIPT.portfolio(account, 1) for account in ("B1", "A1", "C1")]

    await cache.put("run-1", 1, states)

    assert await cache.accounts() == ["A1", "B1", "C1"]


async def test_cache_within_a_run_never_moves_backwards(cache: PortfolioCache) -> None:
    """A risk engine that recovers says old beats again."""
    for beat in (5, 3, 5, 4):
        assert await put(cache, "run-1", beat)

    assert await beat_of(cache) == ("run-1", 5)


async def test_cache_new_run_replaces_the_old_one_from_its_first_beat(
    cache: PortfolioCache,
) -> None:
    """A day begins at beat 0 again."""
    await put(cache, "run-1", 500)

    await put(cache, "run-2", 0)

    assert await beat_of(cache) == ("run-2", 0)


async def test_cache_run_that_was_replaced_does_not_come_back(cache: PortfolioCache) -> None:
    """A zombie of yesterday writes beats greater than today's."""
    for run_id in ("run-1", "run-2", "run-3"):
        await put(cache, run_id, 0)

    await put(cache, "run-1", 600)
    await put(cache, "run-2", 600)

    assert await beat_of(cache) == ("run-3", 0)


async def test_cache_many_runs_remember_a_bounded_past(
    cache: PortfolioCache,
    redis_url: str,
    key_prefix: str,
) -> None:
    """Everything has a limit, a key in Redis too."""
    for number in range(50):
        await put(cache, f"run-{number}", 0)

    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        past = str(await redis.hget(f"{key_prefix}portfolio:A1", "past"))
    assert [name for name in past.split(",") if name] == [f"run-{n}" for n in range(48, 16, -1)]


async def test_cache_nothing_to_put_asks_nothing() -> None:
    """Most beats change no books."""
    cache = PortfolioCache("redis://127.0.0.1:1/0", key_prefix="")

    assert await cache.put("run-1", 1, [])
    assert cache.failure_count == 0


async def test_cache_without_a_server_put_is_false_and_get_is_transient() -> None:
    """Risk goes on; the gateway falls back."""
    cache = PortfolioCache("redis://127.0.0.1:1/0", key_prefix="")

    assert not await put(cache, "run-1", 1)

    assert cache.failure_count == 1
    with pytest.raises(TransientError):
        await cache.get("A1")
    with pytest.raises(TransientError):
        await cache.accounts()
    with pytest.raises(TransientError):
        await cache.ping()


async def test_cache_server_that_says_nothing_holds_a_put_no_longer_than_its_timeout() -> None:
    """A stalled server is worse than none: only a timeout ends it."""
    done = asyncio.Event()

    async def stall(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    cache = PortfolioCache(
        f"redis://127.0.0.1:{port}/0",
        key_prefix="",
        put_timeout_seconds=0.05,
        get_timeout_seconds=0.05,
    )

    async with asyncio.timeout(PATIENT_SECONDS):
        assert not await put(cache, "run-1", 1)
        with pytest.raises(TransientError):
            await cache.get("A1")

    done.set()
    await cache.close()
    server.close()
    await server.wait_closed()


async def test_cache_after_failures_in_a_row_skips_until_its_time_is_over() -> None:
    """Three timeouts a beat would be a slow risk engine."""
    clock = HandClock()
    breaker = CircuitBreaker(clock, failures_max=3, open_seconds=1.0)
    cache = PortfolioCache("redis://127.0.0.1:1/0", key_prefix="", breaker=breaker)

    for beat in range(5):
        await put(cache, "run-1", beat)
    counts_open = (cache.failure_count, cache.skipped_count)
    clock.now = 1.0
    await put(cache, "run-1", 5)
    await put(cache, "run-1", 6)

    assert counts_open == (3, 2)
    assert (cache.failure_count, cache.skipped_count) == (4, 3)


def test_breaker_after_a_success_counts_from_nothing() -> None:
    """Only failures in a row open it."""
    breaker = CircuitBreaker(HandClock(), failures_max=2)
    breaker.failed()
    breaker.succeeded()
    breaker.failed()

    assert not breaker.is_open


async def test_cache_wrong_type_in_redis_is_a_failure_not_a_crash(
    cache: PortfolioCache,
    redis_url: str,
    key_prefix: str,
) -> None:
    """Someone else's key under our name must not stop risk."""
    async with Redis.from_url(redis_url) as redis:
        await redis.set(f"{key_prefix}portfolio:A1", "nonsense")

    assert not await put(cache, "run-1", 1)


def test_cache_address_of_something_else_is_a_config_error() -> None:
    """The user mends it."""
    with pytest.raises(ConfigError, match="redis://"):
        PortfolioCache("postgresql://127.0.0.1/", key_prefix="")


@pytest.fixture
async def recommendations(redis_url: str, key_prefix: str) -> AsyncIterator[RecommendationCache]:
    """Open a patient cache."""
    cache = RecommendationCache(
        redis_url,
        key_prefix=key_prefix,
        put_timeout_seconds=PATIENT_SECONDS,
    )
    yield cache
    await cache.close()


def newest(run_id: str, beat: int, *strategies: str) -> CachedRecommendations:
    """Return the recommendations of a beat in which these strategies changed theirs."""
    told = tuple(
        StrategyRecommendations(
            strategy=name,
            beat=beat,
            trade_date=20230201,
            ts_event_ns=beat,
            instrument_count=1,
            top=(RecommendationEntry(1_600_519, beat, 1, 0, beat, {"快线": -1}),),
        )
        for name in strategies
    )
    return CachedRecommendations(run_id, beat, ("cross", "reversal"), told)


async def test_recommendations_are_returned_as_they_were_put(
    recommendations: RecommendationCache,
) -> None:
    """The gateway decodes what the stage encoded; a strategy that was silent has none."""
    assert await recommendations.get() is None
    assert await recommendations.put(newest("run-1", 7, "reversal"))

    assert await recommendations.get() == newest("run-1", 7, "reversal")


async def test_recommendations_of_a_strategy_stay_until_it_has_newer_ones(
    recommendations: RecommendationCache,
) -> None:
    """Most beats change the lists of some strategies only."""
    await recommendations.put(newest("run-1", 7, "cross", "reversal"))

    await recommendations.put(newest("run-1", 8, "reversal"))

    found = await recommendations.get()
    assert found is not None
    assert [(told.strategy, told.beat) for told in found.recommendations] == [
        ("cross", 7),
        ("reversal", 8),
    ]
    assert found.beat == 8


async def test_recommendations_within_a_run_never_move_backwards(
    recommendations: RecommendationCache,
) -> None:
    """A stage that recovers says old beats again."""
    for beat in (5, 3, 4):
        assert await recommendations.put(newest("run-1", beat, "cross"))

    assert await recommendations.get() == newest("run-1", 5, "cross")


async def test_recommendations_of_the_run_before_do_not_show_in_a_new_one(
    recommendations: RecommendationCache,
) -> None:
    """What was recommended yesterday is nothing that today's run has said."""
    await recommendations.put(newest("run-1", 500, "cross", "reversal"))

    await recommendations.put(newest("run-2", 0, "cross"))
    await recommendations.put(newest("run-1", 501, "cross", "reversal"))

    assert await recommendations.get() == newest("run-2", 0, "cross")


async def test_recommendations_without_a_server_put_is_false_and_get_is_transient() -> None:
    """The stage goes on; the gateway says 503."""
    cache = RecommendationCache("redis://127.0.0.1:1/0", key_prefix="")

    assert not await cache.put(newest("run-1", 1, "cross"))

    with pytest.raises(TransientError):
        await cache.get()
