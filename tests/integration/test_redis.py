"""The caches on a real Redis: never backwards, never in the way."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from tidegate_common.domain.enums import Side
from tidegate_common.domain.ids import OrderId
from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.events.portfolio import AccountBooks, OpenOrderState
from tidegate_common.events.recommendations import RecommendationEntry, StrategyRecommendations
from tidegate_common.store.redis import (
    SNAPSHOT_BYTES_MAX,
    CachedPortfolio,
    CachedRecommendations,
    PortfolioCache,
    RecommendationCache,
    SnapshotCache,
)
from tidegate_common.store.stamped import CircuitBreaker, PutOutcome
from tidegate_common.testing.builders import make_stamp
from tidegate_common.testing.scripted_run import ScriptedRun

SCRIPT = ScriptedRun()
# Far more than a round trip takes on a busy machine.
PATIENT_SECONDS = 5.0
NOWHERE = "redis://127.0.0.1:1/0"


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


def books_of(account: str, beat: int) -> AccountBooks:
    """Return an account's books of a beat, with an open order."""
    order = OpenOrderState(
        order_id=OrderId(f"run-1.{beat}.{account}.0"),
        beat=beat,
        instrument=1_600_519,
        side=Side.BUY,
        bound_price_e4=18_000_000,
        quantity_shares=200,
        filled_shares=100,
        strategy="cross",
        cancel_beat=-1,
    )
    return AccountBooks(SCRIPT.portfolio(account, beat), (order,))


async def put(cache: PortfolioCache, run_id: str, beat: int, account: str = "A1") -> bool:
    """Put an account's books of a beat."""
    return await cache.put(run_id, [books_of(account, beat)])


async def beat_of(cache: PortfolioCache, account: str = "A1") -> tuple[str, int] | None:
    """Return the stamp of an account's books."""
    found = await cache.get(account)
    return (found.run_id, found.beat) if found else None


async def test_cache_returns_what_was_put(cache: PortfolioCache) -> None:
    """The gateway decodes the same books that risk encoded."""
    assert await put(cache, "run-1", 7)

    books = books_of("A1", 7)
    found = CachedPortfolio("run-1", 7, books.portfolio, books.open_orders)
    assert await cache.get("A1") == found
    assert await cache.get("A2") is None


async def test_cache_lists_accounts_sorted(cache: PortfolioCache) -> None:
    """Redis keeps a set."""
    await cache.put("run-1", [books_of(account, 1) for account in ("B1", "A1", "C1")])

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
    told: list[PutOutcome] = []
    cache = PortfolioCache(NOWHERE, key_prefix="", tell=lambda outcome, _: told.append(outcome))

    assert await cache.put("run-1", [])
    assert told == []


async def test_cache_without_a_server_put_is_false_and_get_is_transient() -> None:
    """Risk goes on; the gateway falls back."""
    told: list[tuple[PutOutcome, str]] = []
    cache = PortfolioCache(NOWHERE, key_prefix="", tell=lambda *it: told.append(it))

    assert not await put(cache, "run-1", 1)

    ((outcome, reason),) = told
    assert outcome is PutOutcome.FAILED
    assert reason.startswith("ConnectionError ")
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
    told: list[str] = []
    cache = PortfolioCache(
        NOWHERE,
        key_prefix="",
        breaker=breaker,
        tell=lambda outcome, _: told.append(outcome),
    )

    assert not PortfolioCache(NOWHERE, key_prefix="").is_left_alone
    for beat in range(5):
        await put(cache, "run-1", beat)
    assert cache.is_left_alone
    clock.now = 1.0
    await put(cache, "run-1", 5)
    await put(cache, "run-1", 6)

    assert told == ["failed", "failed", "failed", "skipped", "skipped", "failed", "skipped"]


def test_breaker_after_a_success_counts_from_nothing() -> None:
    """Only failures in a row open it."""
    breaker = CircuitBreaker(HandClock(), failures_max=2)
    breaker.failed()
    breaker.succeeded()
    breaker.failed()

    assert breaker.lets_through()


@pytest.mark.parametrize("key", ["portfolio:A1", "accounts"])
async def test_cache_key_of_another_type_is_written_over(
    cache: PortfolioCache,
    redis_url: str,
    key_prefix: str,
    key: str,
) -> None:
    """Someone else's key under our name must not keep the books from readers."""
    async with Redis.from_url(redis_url) as redis:
        await redis.lpush(f"{key_prefix}{key}", "nonsense")
    with pytest.raises(TransientError, match="WRONGTYPE"):
        await (cache.accounts() if key == "accounts" else cache.get("A1"))

    assert await put(cache, "run-1", 1)

    assert await beat_of(cache) == ("run-1", 1)
    assert await cache.accounts() == ["A1"]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("beat", "soon"),
        ("beat", ""),
        ("beat", b"\xff"),
        ("run", b"\xff"),
        ("value", b"\xff"),
        ("value", "{}"),
    ],
)
async def test_cache_broken_field_is_transient_for_readers_and_written_over(
    cache: PortfolioCache,
    redis_url: str,
    key_prefix: str,
    field: str,
    text: str | bytes,
) -> None:
    """Also by the same beat, as none may come after it."""
    await put(cache, "run-1", 5)
    async with Redis.from_url(redis_url) as redis:
        await redis.hset(f"{key_prefix}portfolio:A1", field, text)
    with pytest.raises(TransientError, match="expected an answer of Redis, found"):
        await cache.get("A1")

    assert await put(cache, "run-1", 5)

    assert await beat_of(cache) == ("run-1", 5)


async def test_cache_thousand_accounts_are_put_in_parts_with_turns_for_others(
    cache: PortfolioCache,
) -> None:
    """Beats share the loop; and the first part that fails is the last that is tried."""
    names = [f"A{number:04d}" for number in range(1_000)]
    turns: list[str] = []

    def books() -> Iterator[AccountBooks]:
        for name in names:
            asyncio.get_running_loop().call_soon(turns.append, name)
            yield books_of(name, len(turns))

    assert await cache.put("run-1", books())
    nowhere: list[PutOutcome] = []
    away = PortfolioCache(NOWHERE, key_prefix="", tell=lambda outcome, _: nowhere.append(outcome))
    is_put = await away.put("run-1", books())

    last = await beat_of(cache, names[-1])
    assert await cache.accounts() == names
    assert last is not None
    # All before the last part of fifty had their turns.
    assert last[1] == 950
    assert not is_put
    assert nowhere == [PutOutcome.FAILED]


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
    cache = RecommendationCache(NOWHERE, key_prefix="")

    assert not await cache.put(newest("run-1", 1, "cross"))

    with pytest.raises(TransientError):
        await cache.get()


@pytest.mark.parametrize("text", ["5", '{"cross": 1}', "[", b"\xff"])
async def test_recommendations_of_something_else_are_transient(
    recommendations: RecommendationCache,
    redis_url: str,
    key_prefix: str,
    text: str | bytes,
) -> None:
    """The gateway says 503, it does not fall."""
    await recommendations.put(newest("run-1", 1, "cross"))
    async with Redis.from_url(redis_url) as redis:
        await redis.hset(f"{key_prefix}recommendations", "value", text)

    with pytest.raises(TransientError):
        await recommendations.get()


@pytest.fixture
async def snapshots(redis_url: str, key_prefix: str) -> AsyncIterator[SnapshotCache]:
    """Open a patient cache."""
    cache = SnapshotCache(redis_url, key_prefix=key_prefix, put_timeout_seconds=PATIENT_SECONDS)
    yield cache
    await cache.close()


async def test_snapshots_are_kept_by_producer_and_never_move_backwards(
    snapshots: SnapshotCache,
) -> None:
    """Bytes that are no text come back as they are."""
    for beat, producer in ((5, "risk-0"), (3, "risk-0"), (4, "risk-1")):
        assert await snapshots.put(producer, make_stamp(beat), bytes([0, 255, beat]))

    found = [await snapshots.get(f"risk-{partition}") for partition in range(3)]

    assert found == [b"\x00\xff\x05", b"\x00\xff\x04", None]


async def test_snapshots_too_large_are_left_to_the_topic(snapshots: SnapshotCache) -> None:
    """A cache that holds everything is none."""
    largest = bytes(SNAPSHOT_BYTES_MAX)

    assert await snapshots.put("risk-0", make_stamp(1), largest)
    assert await snapshots.put("risk-0", make_stamp(2), largest + b"!")

    assert await snapshots.get("risk-0") == largest


async def test_snapshots_without_a_server_are_none() -> None:
    """Who recovers reads the topic."""
    snapshots = SnapshotCache(NOWHERE, key_prefix="")

    assert not await snapshots.put("risk-0", make_stamp(1), b"memory")
    assert await snapshots.get("risk-0") is None
