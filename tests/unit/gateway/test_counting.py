"""Rates and repeats where Redis answers now and then."""

from typing import cast

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from tidegate_common.clock import ManualClock
from tidegate_common.store.stamped import FAILURES_MAX
from tidegate_gateway.security.limiter import LocalLimiter, Rate, RedisLimiter
from tidegate_gateway.security.memory import RedisMemory

RATE = Rate(per_second=100, burst=200)


class FakeRedis:
    """Grants whole blocks and knows no name, or is away; notes what it is asked."""

    def __init__(self) -> None:
        self.is_away = False
        self.asked: list[str] = []

    async def eval(self, _script: str, _count: int, key: str, *_arguments: str) -> list[int]:
        self._note(key)
        return [10, 190, 0]

    async def set(self, key: str, _value: bytes, **_options: object) -> None:
        self._note(key)

    def _note(self, key: str) -> None:
        self.asked.append(key)
        if self.is_away:
            raise RedisConnectionError


def limiter_on(redis: FakeRedis, clock: ManualClock) -> RedisLimiter:
    """Return a limiter."""
    local = LocalLimiter(RATE, clock)
    return RedisLimiter(cast("Redis", redis), local, key_prefix="", clock=clock)


async def test_redis_that_fails_now_and_then_is_asked_on() -> None:
    """It is left alone after failures in a row only."""
    redis, clock = FakeRedis(), ManualClock()
    limiter = limiter_on(redis, clock)
    memory = RedisMemory(cast("Redis", redis), key_prefix="", seconds=60, clock=clock)

    for number in range(FAILURES_MAX + 1):
        for is_away in (True, False):
            redis.is_away = is_away
            await limiter.take(f"n{number}")
            await memory.begin("A1:q1", "d1")

    assert len(redis.asked) == 4 * (FAILURES_MAX + 1)
    assert not limiter.is_left_alone
    assert not memory.is_left_alone


async def test_limiter_forgets_the_block_that_was_granted_longest_ago() -> None:
    """Names without end do not fill the memory; whose block is gone gets another."""
    redis = FakeRedis()
    limiter = limiter_on(redis, ManualClock())
    for number in range(10_001):
        await limiter.take(f"n{number}")

    await limiter.take("n1")
    await limiter.take("n0")

    assert redis.asked[10_001:] == ["n0"]
