"""Values in Redis (or Valkey) that are stamped with run and beat: caches that may vanish any time.

Nothing waits for them and nothing fails with them: a write that does not come through in its time
is given up, and after a few of them the server is left alone for a moment (circuit breaker). What
is found there that is not ours, or broken, counts as nothing and is written over.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tidegate_common.errors import ConfigError, ContractError, TransientError

Answer = TypeVar("Answer")

# A put is one round trip on a local network, well under a millisecond; fifty are an outage.
PUT_TIMEOUT_SECONDS = 0.05
GET_TIMEOUT_SECONDS = 0.5
FAILURES_MAX = 3
OPEN_SECONDS = 1.0
# Whoever writes or checks a server tries at least so often.
_OPEN_KNOWN_SECONDS = 30.0

# A run that was replaced may not come back; so many are remembered, newest first.
_PAST_RUNS_MAX = 32
_FIELDS = ("run", "beat", "value")
# KEYS: what is stamped. ARGV: run, beat, value, how many past runs to remember.
# Within a run no earlier beat is taken; the same beat is written again, because it has the same
# value unless somebody broke it. Another run is taken unless it was replaced before. A key of
# another type, or without a number for its beat, is none of ours and goes.
_PUT = """
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' then redis.call('DEL', KEYS[1]) end
local run, beat, past = unpack(redis.call('HMGET', KEYS[1], 'run', 'beat', 'past'))
beat = tonumber(beat or '')
past = beat and past or ''
if not beat then
    redis.call('DEL', KEYS[1])
elseif run == ARGV[1] then
    if tonumber(ARGV[2]) < beat then return 0 end
elseif run then
    if string.find(past, ',' .. ARGV[1] .. ',', 1, true) then return 0 end
    local kept = {}
    for name in string.gmatch(',' .. run .. past, '[^,]+') do
        if #kept < tonumber(ARGV[4]) then kept[#kept + 1] = name end
    end
    past = ',' .. table.concat(kept, ',') .. ','
end
redis.call('HSET', KEYS[1], 'run', ARGV[1], 'beat', ARGV[2], 'value', ARGV[3], 'past', past)
return 1
"""


class PutOutcome(StrEnum):
    """How a write to a cache went."""

    WRITTEN = "written"
    FAILED = "failed"
    SKIPPED = "skipped"


# Is told how each write went, and why it failed.
Tell = Callable[[PutOutcome, str], None]


@dataclass(frozen=True, slots=True)
class Stamped:
    """The value under a key, and the run and beat that it is of."""

    key: str
    run_id: str
    beat: int
    value: bytes


class CircuitBreaker:
    """Says whether to try: not for a while after several failures in a row, then once.

    seconds : a monotonic clock.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        *,
        failures_max: int = FAILURES_MAX,
        open_seconds: float = OPEN_SECONDS,
    ) -> None:
        self._seconds = seconds
        self._failures_max = failures_max
        self._open_seconds = open_seconds
        self._failures_in_a_row = 0
        self._closed_again_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the server is left alone, and failed when somebody tried not long ago.

        Where nobody asks any more, nobody knows whether it is back.
        """
        is_recent = self._seconds() < self._closed_again_at + _OPEN_KNOWN_SECONDS
        return self._failures_in_a_row >= self._failures_max and is_recent

    def lets_through(self) -> bool:
        """Tell whether to try now; who is told so tells how it went.

        When the time of leaving the server alone is over, one try is let through, and others wait
        for as long again to hear of it.
        """
        if self._failures_in_a_row < self._failures_max:
            return True
        now = self._seconds()
        is_over = now >= self._closed_again_at
        if is_over:
            self._closed_again_at = now + self._open_seconds
        return is_over

    def succeeded(self) -> None:
        """Note that the server answered."""
        self._failures_in_a_row = 0

    def failed(self) -> None:
        """Note that it did not."""
        self._failures_in_a_row += 1
        self._closed_again_at = self._seconds() + self._open_seconds


class StampedCache:
    """Values in Redis that are stamped with run and beat.

    Within a run a value never moves backwards; a new run replaces the one before it, and a run
    that was replaced does not come back (a zombie of yesterday).

    Parameters
    ----------
    tell : is told of every write that there was something to write for.
    """

    def __init__(
        self,
        url: str,
        *,
        key_prefix: str,
        put_timeout_seconds: float = PUT_TIMEOUT_SECONDS,
        get_timeout_seconds: float = GET_TIMEOUT_SECONDS,
        breaker: CircuitBreaker | None = None,
        tell: Tell | None = None,
    ) -> None:
        try:
            self._redis = Redis.from_url(
                url,
                # We wait no longer than our own timeouts and try again only when called again.
                retry=Retry(NoBackoff(), 0),
                socket_connect_timeout=get_timeout_seconds,
                socket_timeout=get_timeout_seconds,
                max_connections=16,
            )
        except ValueError as error:
            message = f"expected a redis:// address, found another: {error}"
            raise ConfigError(message) from error
        self._prefix = key_prefix
        self._put_timeout_seconds = put_timeout_seconds
        self._get_timeout_seconds = get_timeout_seconds
        self._breaker = breaker
        self._tell = tell or _tell_nobody

    @property
    def is_left_alone(self) -> bool:
        """Whether Redis failed so often that it is not asked, but for a try now and then."""
        return self._breaker is not None and self._breaker.is_open

    async def ping(self) -> None:
        """Raise TransientError if Redis does not answer in time."""
        with errors_translated():
            await self._ask(self._redis.ping)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._redis.aclose()

    async def _put(
        self,
        values: Sequence[Stamped],
        also: Callable[[Pipeline], object] | None = None,
    ) -> bool:
        """Store values, unless there are newer ones; tell whether Redis has them or newer ones.

        Never raises and never waits longer than its timeout.

        Parameters
        ----------
        also : what else to write in the same round trip.
        """
        breaker = self._breaker_of_loop()
        if not breaker.lets_through():
            self._tell(PutOutcome.SKIPPED, "")
            return False
        try:
            async with asyncio.timeout(self._put_timeout_seconds):
                await self._write(values, also)
        except (RedisError, OSError, TimeoutError) as error:
            breaker.failed()
            self._tell(PutOutcome.FAILED, f"{type(error).__name__} {error}".strip())
            return False
        breaker.succeeded()
        self._tell(PutOutcome.WRITTEN, "")
        return True

    async def _write(
        self,
        values: Sequence[Stamped],
        also: Callable[[Pipeline], object] | None,
    ) -> None:
        # No transaction: each value is stamped for itself, and in a cluster they are apart.
        async with self._redis.pipeline(transaction=False) as pipeline:
            for one in values:
                stamp = (one.run_id, str(one.beat))
                pipeline.eval(_PUT, 1, one.key, *stamp, one.value, str(_PAST_RUNS_MAX))
            if also:
                also(pipeline)
            await pipeline.execute()

    async def _get(self, *keys: str) -> list[Stamped | None]:
        """Return what is under some keys, in one round trip."""
        if len(keys) == 1:
            answers = [await self._ask(lambda: self._fields(keys[0]))]
        else:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.hmget(key, list(_FIELDS))
                answers = await self._ask(pipeline.execute)
        return [
            None
            if None in answer
            else Stamped(key, answer[0].decode(), int(answer[1]), bytes(answer[2]))
            for key, answer in zip(keys, answers, strict=True)
        ]

    async def _fields(self, key: str) -> list[Any]:
        """Return what is under one key, in less than half of a pipeline's time."""
        pool = self._redis.connection_pool
        connection = await pool.get_connection()  # type: ignore[no-untyped-call]  # the client's
        try:
            # Both close the connection if they do not come to their end.
            await connection.send_command("HMGET", key, *_FIELDS)
            found: list[Any] = await connection.read_response()
        finally:
            await pool.release(connection)
        return found

    async def _ask(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        breaker = self._breaker_of_loop()
        if not breaker.lets_through():
            message = "it failed and is left alone"
            raise RedisConnectionError(message)
        try:
            async with asyncio.timeout(self._get_timeout_seconds):
                answer = await ask()
        except (RedisConnectionError, RedisTimeoutError, OSError, TimeoutError):
            breaker.failed()
            raise
        breaker.succeeded()
        return answer

    def _breaker_of_loop(self) -> CircuitBreaker:
        if self._breaker is None:
            self._breaker = CircuitBreaker(asyncio.get_running_loop().time)
        return self._breaker


@contextmanager
def errors_translated() -> Iterator[None]:
    """Raise TransientError for an answer that did not come, or that cannot be ours."""
    try:
        yield
    except (RedisError, OSError, TimeoutError, ContractError, ValueError) as error:
        message = f"expected an answer of Redis, found: {type(error).__name__} {error}"
        raise TransientError(message) from error


def _tell_nobody(_outcome: PutOutcome, _reason: str) -> None:
    """Take what nobody wants to know."""
