"""Reads of PostgreSQL: of a replica that keeps up, else of the primary, in a time that is bounded.

Rules
-----
- A replica is read while it answers and had, at the last check, replayed all that the primary had
  written not longer ago than its bound.
- One that fails a read, or lags, is left alone until a check finds it well: checks are its only
  probes. What it did not answer is asked of the primary in the time that is left.
- While the primary is away, the last verdict on the replica stays: nothing newer is recorded.
- A primary that failed several reads in a row is left alone for a moment; then one is let through.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tidegate_common.clock import Clock
from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.store.postgres import Connection, Pool, errors_translated
from tidegate_common.store.stamped import CircuitBreaker

Answer = TypeVar("Answer")
Work = Callable[[Connection], Awaitable[Answer]]

CHECK_SECONDS = 1.0

# What a replica may take of a read's time; the rest is the primary's.
_REPLICA_SHARE = 0.5
# Bytes of write-ahead log since the beginning of the world.
_WRITTEN = "SELECT (pg_current_wal_lsn() - '0/0')::bigint"
_REPLAYED = """
SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0')::bigint END
"""


class Replica:
    """A copy of the primary that may be read while it keeps up.

    Parameters
    ----------
    lag_seconds_max : it may show what was at most so long ago, give or take a check.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        primary: Pool,
        lag_seconds_max: float,
        clock: Clock,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        self.pool = pool
        self._primary = primary
        self._lag_seconds_max = lag_seconds_max
        self._clock = clock
        self._check_seconds = check_seconds
        # When the primary had written so many bytes that the replica has yet to replay.
        self._awaited: tuple[float, int] | None = None
        self._level_at = float("-inf")
        self._keeps_up = False
        self._answers = False

    @property
    def is_usable(self) -> bool:
        """Whether to read it."""
        return self._keeps_up and self._answers

    def lost(self) -> None:
        """Note that it did not answer a read."""
        self._answers = False

    async def watch(self) -> None:
        """Check it for ever."""
        while True:
            await self.check()
            await self._clock.sleep(self._check_seconds)

    async def check(self) -> None:
        """Find out whether it answers, and how far it is behind the primary; never raises."""
        now = self._clock.monotonic_seconds()
        written, _ = await self._ask(self._primary, _WRITTEN)
        replayed, self._answers = await self._ask(self.pool, _REPLAYED)
        if not self._answers or written is None:
            return
        if replayed is None:
            # A server that replays nothing is no replica of this primary (any more).
            self._keeps_up = False
            return
        if replayed >= written:
            self._level_at, self._awaited = now, None
        elif self._awaited is None:
            self._awaited = (now, written)
        elif replayed >= self._awaited[1]:
            self._level_at, self._awaited = self._awaited[0], (now, written)
        self._keeps_up = now - self._level_at <= self._lag_seconds_max

    async def _ask(self, pool: Pool, sql: str) -> tuple[int | None, bool]:
        """Return a number, and whether there was an answer."""
        try:
            return await _bounded(pool, lambda one: one.fetchval(sql), CHECK_SECONDS), True
        except TransientError:
            return None, False


class Reads:
    """Runs reads.

    Parameters
    ----------
    timeout_seconds : longest time of one, on whatever server.
    """

    def __init__(
        self,
        primary: Pool,
        *,
        timeout_seconds: float,
        replica: Replica | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self._primary = primary
        self._replica = replica
        self._timeout_seconds = timeout_seconds
        self._breaker = breaker

    @property
    def is_on_replica(self) -> bool | None:
        """Whether reads are of the replica now; None where there is none."""
        return self._replica.is_usable if self._replica else None

    @property
    def is_primary_left_alone(self) -> bool:
        """Whether the primary failed so often that it is not asked, but for a try now and then."""
        return self._breaker is not None and self._breaker.is_open

    async def run(self, work: Work[Answer]) -> Answer:
        """Return what a read of one connection gives; it may be run once on each server.

        Raises
        ------
        TransientError
            If no server answers in time.
        """
        started = asyncio.get_running_loop().time()
        replica = self._replica
        if replica and replica.is_usable:
            try:
                return await _bounded(replica.pool, work, self._timeout_seconds * _REPLICA_SHARE)
            except TransientError:
                replica.lost()
        spent = asyncio.get_running_loop().time() - started
        return await self._of_primary(work, self._timeout_seconds - spent)

    async def ping(self) -> None:
        """Raise TransientError if no server answers in time."""
        await self.run(lambda connection: connection.fetchval("SELECT 1"))

    async def _of_primary(self, work: Work[Answer], seconds: float) -> Answer:
        breaker = self._breaker_of_loop()
        if not breaker.lets_through():
            message = "expected an answer of PostgreSQL, found: it failed and is left alone"
            raise TransientError(message)
        try:
            answer = await _bounded(self._primary, work, seconds)
        except TransientError:
            breaker.failed()
            raise
        breaker.succeeded()
        return answer

    def _breaker_of_loop(self) -> CircuitBreaker:
        if self._breaker is None:
            self._breaker = CircuitBreaker(asyncio.get_running_loop().time)
        return self._breaker


async def _bounded(pool: Pool, work: Work[Answer], seconds: float) -> Answer:
    """Return what a read gives; raise TransientError if it does not in its time."""
    try:
        with errors_translated():
            async with asyncio.timeout(seconds), pool.acquire(timeout=seconds) as connection:
                try:
                    return await work(connection)
                except (asyncio.CancelledError, TimeoutError):
                    # The pool would wait until a server that is stuck takes back what was asked.
                    connection.terminate()
                    raise
    except ConfigError as error:
        # Others make the database; who reads waits for it and does not die of it.
        raise TransientError(str(error)) from error
