"""Reads of PostgreSQL on servers that are told what to answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import pytest

from tidegate_common.clock import ManualClock
from tidegate_common.errors import TransientError
from tidegate_common.store.postgres import Connection, Pool
from tidegate_common.store.reads import Reads, Replica
from tidegate_common.store.stamped import CircuitBreaker

LAG_SECONDS_MAX = 5.0


@dataclass
class Server:
    """A pool of one connection to a server that knows a place in the log, or is away or stuck."""

    name: str
    written: int | None = 0
    is_away: bool = False
    is_stuck: bool = False
    asked: int = 0

    @asynccontextmanager
    async def acquire(self, *, timeout: float) -> AsyncIterator["Server"]:  # the driver's
        assert timeout > 0
        self.asked += 1
        if self.is_away:
            raise ConnectionRefusedError
        if self.is_stuck:
            await asyncio.Event().wait()
        yield self

    async def fetchval(self, sql: str) -> object:
        return self.written if "lsn" in sql else self.name

    @property
    def pool(self) -> Pool:
        return cast("Pool", self)


@dataclass
class Pair:
    """A primary and its replica."""

    primary: Server
    replica: Server
    clock: ManualClock
    watched: Replica
    reads: Reads

    async def check_after(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.watched.check()

    async def answers(self) -> str:
        """Return the name of the server that a read is of."""
        return await self.reads.run(name_of)


async def name_of(connection: Connection) -> str:
    """Return the name of the server that a read is of."""
    return str(await connection.fetchval("SELECT name"))


@pytest.fixture
def pair() -> Pair:
    """Return a pair that was not checked yet."""
    primary, replica, clock = Server("primary"), Server("replica"), ManualClock()
    watched = Replica(
        replica.pool,
        primary=primary.pool,
        lag_seconds_max=LAG_SECONDS_MAX,
        clock=clock,
    )
    reads = Reads(
        primary.pool,
        timeout_seconds=1,
        replica=watched,
        breaker=CircuitBreaker(clock.monotonic_seconds, failures_max=2, open_seconds=1),
    )
    return Pair(primary, replica, clock, watched, reads)


async def test_replica_before_the_first_check_is_not_read(pair: Pair) -> None:
    """Nobody knows how old it is."""
    assert await pair.answers() == "primary"
    assert not pair.reads.is_on_replica


async def test_replica_that_is_level_is_read(pair: Pair) -> None:
    """Also a primary that writes nothing for hours is followed."""
    await pair.check_after(0)
    await pair.check_after(3_600)

    assert await pair.answers() == "replica"
    assert pair.reads.is_on_replica


async def test_replica_that_follows_at_a_distance_is_read_within_its_bound(pair: Pair) -> None:
    """What counts is how long ago the primary was where the replica is."""
    await pair.check_after(0)
    pair.primary.written = 10
    await pair.check_after(LAG_SECONDS_MAX)
    within = await pair.answers()
    await pair.check_after(0.1)
    beyond = await pair.answers()
    pair.primary.written, pair.replica.written = 20, 10
    await pair.check_after(1)

    assert (within, beyond) == ("replica", "primary")
    # It is where the primary was 1.1 s ago.
    assert await pair.answers() == "replica"


async def test_replica_that_never_comes_level_is_read_while_it_is_near(pair: Pair) -> None:
    """Under steady writing it is always a little behind."""
    await pair.check_after(0)
    found = []
    for second in range(1, 20):
        pair.primary.written, pair.replica.written = 10 * second, 10 * (second - 2)
        await pair.check_after(1)
        found.append(await pair.answers())

    assert set(found) == {"replica"}


async def test_replica_that_lagged_is_read_again_once_it_is_level(pair: Pair) -> None:
    """Back, without anybody doing anything."""
    await pair.check_after(0)
    pair.primary.written = 10
    await pair.check_after(60)
    lagging = await pair.answers()
    pair.replica.written = 10
    await pair.check_after(1)

    assert (lagging, await pair.answers()) == ("primary", "replica")


async def test_replica_that_stays_where_it_was_is_too_old_in_the_end(pair: Pair) -> None:
    """However the primary goes on: the first place that it did not reach is what counts."""
    await pair.check_after(0)
    for second in range(1, 12):
        pair.primary.written = 10 * second
        await pair.check_after(1)

    assert await pair.answers() == "primary"


async def test_replica_that_comes_to_a_place_late_is_as_old_as_that_place(pair: Pair) -> None:
    """Coming there now does not make it the news of now."""
    await pair.check_after(0)
    pair.primary.written = 10
    await pair.check_after(1)
    pair.primary.written, pair.replica.written = 20, 10
    await pair.check_after(LAG_SECONDS_MAX - 1)
    within = await pair.answers()
    await pair.check_after(1.5)

    assert (within, await pair.answers()) == ("replica", "primary")


def test_breaker_when_its_time_is_over_lets_one_try_through() -> None:
    """The others wait to hear of it, and one that is never heard of does not close it for ever."""
    clock = ManualClock()
    breaker = CircuitBreaker(clock.monotonic_seconds, failures_max=1, open_seconds=1)
    breaker.failed()
    clock.advance(1)

    tries = [breaker.lets_through(), breaker.lets_through()]
    clock.advance(1)

    assert tries == [True, False]
    assert breaker.lets_through()


def test_breaker_is_open_from_the_last_failure_until_nobody_knows_any_more() -> None:
    """A server that nobody asks again is not known to be away."""
    clock = ManualClock()
    breaker = CircuitBreaker(clock.monotonic_seconds, failures_max=2, open_seconds=1)
    seen = []
    for _ in range(2):
        breaker.failed()
        seen.append(breaker.is_open)
    clock.advance(30)
    seen.append(breaker.is_open)
    clock.advance(1)
    seen.append(breaker.is_open)
    breaker.failed()
    seen.append(breaker.is_open)
    breaker.succeeded()
    seen.append(breaker.is_open)

    assert seen == [False, True, True, False, True, False]


async def test_replica_that_replays_nothing_is_none(pair: Pair) -> None:
    """One that was made a primary goes its own way from there."""
    await pair.check_after(0)
    pair.replica.written = None
    await pair.check_after(1)

    assert await pair.answers() == "primary"


@pytest.mark.parametrize("trouble", ["is_away", "is_stuck"])
async def test_replica_lost_in_a_read_is_stood_in_for_by_the_primary(
    pair: Pair,
    trouble: str,
) -> None:
    """The reader notices nothing; the next ones do not try it until a check finds it well."""
    await pair.check_after(0)
    setattr(pair.replica, trouble, True)

    found = [await pair.answers(), await pair.answers()]
    tries = pair.replica.asked - 1
    setattr(pair.replica, trouble, False)
    before_check = await pair.answers()
    await pair.check_after(1)

    assert found == ["primary", "primary"]
    assert tries == 1
    assert (before_check, await pair.answers()) == ("primary", "replica")


async def test_replica_away_at_a_check_is_not_read(pair: Pair) -> None:
    """Nobody has to wait to find out."""
    await pair.check_after(0)
    pair.replica.is_away = True
    await pair.check_after(1)

    assert not pair.reads.is_on_replica


async def test_primary_away_replica_that_kept_up_is_read_on(pair: Pair) -> None:
    """Nothing newer is recorded meanwhile, however long that lasts."""
    await pair.check_after(0)
    pair.primary.is_away = True
    await pair.check_after(3_600)

    assert await pair.answers() == "replica"


async def test_primary_away_replica_that_lagged_is_not_read(pair: Pair) -> None:
    """It may lack what was recorded: no answer is better than that."""
    await pair.check_after(0)
    pair.primary.written = 10
    await pair.check_after(60)
    pair.primary.is_away = True
    await pair.check_after(1)

    with pytest.raises(TransientError):
        await pair.answers()


async def test_primary_that_failed_in_a_row_is_left_alone_then_tried_once(pair: Pair) -> None:
    """Many who ask at once do not all find out for themselves."""
    pair.primary.is_away = True
    for _ in range(4):
        with pytest.raises(TransientError):
            await pair.answers()
    tries, was_left_alone = pair.primary.asked, pair.reads.is_primary_left_alone
    pair.clock.advance(1)
    both = await asyncio.gather(pair.answers(), pair.answers(), return_exceptions=True)

    assert tries == 2
    assert pair.primary.asked == 3
    assert [str(one).endswith("is left alone") for one in both] == [False, True]
    pair.primary.is_away = False
    pair.clock.advance(1)
    assert [await pair.answers() for _ in range(3)] == ["primary"] * 3
    assert (was_left_alone, pair.reads.is_primary_left_alone) == (True, False)


async def test_primary_that_is_stuck_is_a_transient_error_in_time(pair: Pair) -> None:
    """Never a hang."""
    pair.primary.is_stuck = True

    async with asyncio.timeout(30):
        with pytest.raises(TransientError, match="expected an answer of PostgreSQL"):
            await pair.reads.ping()


async def test_watch_checks_again_and_again(pair: Pair) -> None:
    """From the start on."""

    class Counting(ManualClock):
        async def sleep(self, seconds: float) -> None:
            if self.now_ns() > 3e9:
                raise asyncio.CancelledError
            await super().sleep(seconds)

    watched = Replica(
        pair.replica.pool,
        primary=pair.primary.pool,
        lag_seconds_max=LAG_SECONDS_MAX,
        clock=Counting(),
    )

    with pytest.raises(asyncio.CancelledError):
        await watched.watch()

    assert pair.replica.asked == 5
    assert watched.is_usable


async def test_reads_without_a_replica_say_so() -> None:
    """Readiness shows null then."""
    reads = Reads(Server("primary").pool, timeout_seconds=1)

    assert reads.is_on_replica is None
    assert await reads.run(name_of) == "primary"
