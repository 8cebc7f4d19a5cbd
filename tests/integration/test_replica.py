"""Reads of a real streaming replica of PostgreSQL: followed, lagging, stuck, lost and back."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tidegate_cli.servers.files import write_secret
from tidegate_cli.servers.postgres import INITDB_TIMEOUT_S, EmbeddedPostgres, _make_empty
from tidegate_cli.servers.process import run_to_end
from tidegate_common.clock import ManualClock
from tidegate_common.errors import TransientError
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.store.postgres import Pool, open_pool
from tidegate_common.store.reads import Reads, Replica

LAG_SECONDS_MAX = 5.0
# A replica follows within milliseconds; a busy machine takes longer.
PATIENT_SECONDS = 60
POLLS = SystemClock()


class EmbeddedReplica(EmbeddedPostgres):
    """A copy of another embedded PostgreSQL that follows it."""

    def __init__(self, data_dir: Path, primary: EmbeddedPostgres) -> None:
        super().__init__(data_dir)
        self._primary = primary

    async def _make_cluster(self) -> None:
        copied = self._home / "data.unfinished"
        _make_empty(copied)
        self._give_away(copied)
        command = (
            *(str(self._programs / "pg_basebackup"), "--pgdata", str(copied)),
            *("--dbname", self._primary.url, "--write-recovery-conf", "--checkpoint", "fast"),
        )
        log = self._log.with_name("postgres-basebackup.log")
        await run_to_end("pg_basebackup", self._run(command), log=log, timeout=INITDB_TIMEOUT_S)
        write_secret(self._home / "password", self._primary._password)  # the same
        copied.rename(self._data)


@dataclass
class Pair:
    """A primary and its replica, a value that is written to the one and read of either."""

    primary: EmbeddedPostgres
    replica: EmbeddedReplica
    writer: Pool
    replica_pool: Pool
    clock: ManualClock
    watched: Replica
    reads: Reads

    async def write(self, value: int) -> None:
        await self.writer.execute("UPDATE told SET value = $1", value)

    async def read(self) -> tuple[int, bool]:
        """Return the value, and whether it is the replica's."""
        row = await self.reads.run(
            lambda one: one.fetchrow("SELECT value, pg_is_in_recovery() AS is_copy FROM told"),
        )
        assert row is not None
        return row["value"], row["is_copy"]

    async def check_until(self, is_done: Callable[[], Awaitable[bool] | bool]) -> None:
        """Check again and again until something holds."""
        async with asyncio.timeout(PATIENT_SECONDS):
            while True:
                await self.watched.check()
                done = is_done()
                if done if isinstance(done, bool) else await done:
                    return
                await POLLS.sleep(0.05)


@asynccontextmanager
async def pair_in(folder: Path) -> AsyncIterator[Pair]:
    """Start a primary with a table and a replica of it."""
    async with AsyncExitStack() as stack:
        primary = EmbeddedPostgres(folder / "primary")
        await primary.start()
        stack.push_async_callback(primary.stop)
        replica = EmbeddedReplica(folder / "replica", primary)
        await replica.start()
        stack.push_async_callback(replica.stop)
        pools = []
        for url in (primary.url, replica.url, primary.url):
            pools.append(await open_pool(url, service="test", size_max=1))
            stack.callback(pools[-1].terminate)
        writer, replica_pool, reader = pools
        await writer.execute("CREATE TABLE told AS SELECT 1 AS value")
        clock = ManualClock()
        watched = Replica(
            replica_pool,
            primary=reader,
            lag_seconds_max=LAG_SECONDS_MAX,
            clock=clock,
        )
        reads = Reads(reader, timeout_seconds=4, replica=watched)
        yield Pair(primary, replica, writer, replica_pool, clock, watched, reads)


async def test_replica_is_read_while_it_keeps_up_and_the_primary_when_not(tmp_path: Path) -> None:
    """One pair of servers for its whole life: starting one takes seconds."""
    async with pair_in(tmp_path) as pair:
        await pair.check_until(lambda: pair.watched.is_usable)
        assert await pair.read() == (1, True)

        # It lags: what it shows is older than the bound.
        await pair.replica_pool.execute("SELECT pg_wal_replay_pause()")
        await pair.write(2)
        await pair.watched.check()
        assert await pair.read() == (1, True)
        pair.clock.advance(LAG_SECONDS_MAX + 1)
        await pair.watched.check()
        assert await pair.read() == (2, False)

        # It catches up.
        await pair.replica_pool.execute("SELECT pg_wal_replay_resume()")
        await pair.check_until(lambda: pair.watched.is_usable)
        assert await pair.read() == (2, True)

        # Its one connection hangs: the reader waits half of its time, then has its answer.
        backend = await pair.replica_pool.fetchval("SELECT pg_backend_pid()")
        os.kill(backend, signal.SIGSTOP)
        try:
            async with asyncio.timeout(PATIENT_SECONDS):
                assert await pair.read() == (2, False)
        finally:
            os.kill(backend, signal.SIGCONT)
        await pair.check_until(lambda: pair.watched.is_usable)
        assert await pair.read() == (2, True)

        # The primary goes: what it said last is there to be read, in its time.
        await pair.write(3)
        await pair.check_until(_is(pair, (3, True)))
        await pair.primary.stop()
        await pair.watched.check()
        assert await pair.read() == (3, True)

        # Both are gone.
        await pair.replica.stop()
        with pytest.raises(TransientError, match="expected an answer of PostgreSQL"):
            await pair.read()
        assert not pair.watched.is_usable


def _is(pair: Pair, expected: tuple[int, bool]) -> Callable[[], Awaitable[bool]]:
    async def is_read() -> bool:
        return await pair.read() == expected

    return is_read
