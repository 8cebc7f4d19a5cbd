"""How often somebody may ask: a rate with a burst (GCRA), in Redis, so that all gateways count.

Redis keeps one number a name: when the bucket would be full again if nobody asked any more. Where
Redis is away each gateway counts for itself: a limit that stops everything would make Redis a
server that nobody can do without, one that stops nothing would be none.
"""

import asyncio
import math
from dataclasses import dataclass
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tidegate_common.clock import Clock
from tidegate_common.store.stamped import CircuitBreaker

TIMEOUT_SECONDS = 0.05
# Who is not known any more has a full bucket; ten thousand names are a megabyte.
_NAMES_MAX = 10_000
_US_PER_SECOND = 1_000_000

# A gateway takes a block from Redis and serves it out for at most so long: one round trip for many
# requests. What it does not serve out is lost to the name, at most one block a gateway.
_BLOCK_PARTS = 20
_BLOCK_SECONDS = 1.0

# KEYS: the name. ARGV: time between two requests at the rate and of a whole burst, both in us, and
# how many are wanted. Answers how many there are, how many are left, and when there is one, in us.
_TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') or 0, now)
local free = math.floor((burst - (full - now)) / interval)
local count = math.min(tonumber(ARGV[3]), free)
if count < 1 then return {0, 0, full - now + interval - burst} end
full = full + count * interval
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return {count, free - count, 0}
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests a second, and so many at once."""

    per_second: float
    burst: int

    @property
    def interval_us(self) -> int:
        """Time between two requests at the rate."""
        return max(1, round(_US_PER_SECOND / self.per_second))

    @property
    def burst_us(self) -> int:
        """Time that a whole burst stands for."""
        return self.interval_us * self.burst


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether a request is within the rate.

    remaining : how many more would be now.
    retry_seconds : when the next one is, whole and rounded up; 0 if this one was.
    """

    is_allowed: bool
    remaining: int = 0
    retry_seconds: int = 0


class Limiter(Protocol):
    """Counts requests by name."""

    @property
    def rate(self) -> Rate:
        """The rate that it holds."""

    async def take(self, name: str) -> Taken:
        """Count a request; never raises."""


class LocalLimiter:
    """Counts in this process."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self.rate = rate
        self._clock = clock
        self._full_us: dict[str, int] = {}

    async def take(self, name: str) -> Taken:
        """Count a request."""
        now = round(self._clock.monotonic_seconds() * _US_PER_SECOND)
        rate = self.rate
        full = max(self._full_us.pop(name, 0), now) + rate.interval_us
        ahead = full - now
        is_allowed = ahead <= rate.burst_us
        # The last that asked is the last in the order, so the first is the one to forget.
        self._full_us[name] = full if is_allowed else full - rate.interval_us
        if len(self._full_us) > _NAMES_MAX:
            del self._full_us[next(iter(self._full_us))]
        if not is_allowed:
            return Taken(is_allowed=False, retry_seconds=_whole_seconds(ahead - rate.burst_us))
        return Taken(is_allowed=True, remaining=(rate.burst_us - ahead) // rate.interval_us)


@dataclass(slots=True)
class _Block:
    """Requests that Redis has granted and nobody has made yet."""

    count: int
    remaining: int
    until: float


class RedisLimiter:
    """Counts in Redis, and in this process while that is away.

    key_prefix : put before every name.
    """

    def __init__(
        self,
        redis: Redis,
        local: LocalLimiter,
        *,
        key_prefix: str,
        clock: Clock,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._redis = redis
        self._timeout_seconds = timeout_seconds
        self._local = local
        self._prefix = key_prefix
        self._clock = clock
        self._breaker = CircuitBreaker(clock.monotonic_seconds)
        self._blocks: dict[str, _Block] = {}
        self._block_count = max(1, local.rate.burst // _BLOCK_PARTS)

    @property
    def rate(self) -> Rate:
        """The rate that it holds."""
        return self._local.rate

    @property
    def is_left_alone(self) -> bool:
        """Whether Redis failed so often that it is not asked, but for a try now and then."""
        return self._breaker.is_open

    async def take(self, name: str) -> Taken:
        """Count a request."""
        block = self._blocks.get(name)
        if block is not None and block.count and self._clock.monotonic_seconds() < block.until:
            return _serve(block)
        if not self._breaker.lets_through():
            return await self._local.take(name)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                count, remaining, retry_us = await self._ask(name)
        except (RedisError, OSError, TimeoutError):
            self._breaker.failed()
            return await self._local.take(name)
        self._breaker.succeeded()
        if not count:
            return Taken(is_allowed=False, retry_seconds=_whole_seconds(retry_us))
        until = self._clock.monotonic_seconds() + _BLOCK_SECONDS
        block = _Block(count, remaining, until)
        self._blocks.pop(name, None)
        self._blocks[name] = block
        if len(self._blocks) > _NAMES_MAX:
            del self._blocks[next(iter(self._blocks))]
        return _serve(block)

    async def _ask(self, name: str) -> tuple[int, int, int]:
        rate = self.rate
        arguments = (str(rate.interval_us), str(rate.burst_us), str(self._block_count))
        # The client's types know a blocking one too.
        count, remaining, retry_us = await self._redis.eval(
            _TAKE, 1, f"{self._prefix}{name}", *arguments
        )
        return int(count), int(remaining), int(retry_us)


def _serve(block: _Block) -> Taken:
    block.count -= 1
    return Taken(is_allowed=True, remaining=block.count + block.remaining)


def _whole_seconds(us: int) -> int:
    return math.ceil(us / _US_PER_SECOND)
