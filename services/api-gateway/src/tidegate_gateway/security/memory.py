"""Which requests were taken before: names and digests in Redis, for a day, and backtests whole.

It spares risk what it would drop by itself. Where Redis is away nothing is remembered, and a
repeat is published again: risk takes a request's id once an account, and a backtest's id is made of
its name, so nothing happens twice either way.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import Enum, auto, unique
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tidegate_common.clock import Clock
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.errors import ContractError
from tidegate_common.events.backtests import BacktestJob
from tidegate_common.store.stamped import CircuitBreaker

TIMEOUT_SECONDS = 0.1
_KEPT = b":kept"


@unique
class Known(Enum):
    """What is known of a request's name."""

    NEW = auto()
    KEPT = auto()
    OTHER = auto()


class Memory(Protocol):
    """Remembers requests; no method raises."""

    async def begin(self, name: str, digest: str) -> Known:
        """Note that a request came; tell what its name stands for.

        NEW also where nobody knows whether it was published, KEPT where it was, OTHER where the
        name belongs to another request.
        """

    async def keep(self, name: str, digest: str) -> None:
        """Note that a request was published."""

    async def keep_job(self, job: BacktestJob) -> None:
        """Keep a backtest that was published, until its worker has seen it."""

    async def job(self, job_id: str) -> BacktestJob | None:
        """Return a backtest that was published."""


class NoMemory:
    """Remembers nothing."""

    async def begin(self, name: str, digest: str) -> Known:  # noqa: ARG002  # the protocol's
        """Say that it is new."""
        return Known.NEW

    async def keep(self, name: str, digest: str) -> None:
        """Do nothing."""

    async def keep_job(self, job: BacktestJob) -> None:
        """Do nothing."""

    async def job(self, job_id: str) -> BacktestJob | None:  # noqa: ARG002  # the protocol's
        """Return None."""
        return None


class RedisMemory:
    """Remembers in Redis; knows nothing while that is away."""

    def __init__(
        self,
        redis: Redis,
        *,
        key_prefix: str,
        seconds: int,
        clock: Clock,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._redis = redis
        self._timeout_seconds = timeout_seconds
        self._prefix = f"{key_prefix}request:"
        self._jobs_prefix = f"{key_prefix}job:"
        self._seconds = seconds
        self._breaker = CircuitBreaker(clock.monotonic_seconds)

    @property
    def is_left_alone(self) -> bool:
        """Whether Redis failed so often that it is not asked, but for a try now and then."""
        return self._breaker.is_open

    async def begin(self, name: str, digest: str) -> Known:
        """Note that a request came; tell what its name stands for."""
        found = await self._set(name, digest.encode(), is_new=True)
        if found is None or found == digest.encode():
            return Known.NEW
        return Known.KEPT if found == digest.encode() + _KEPT else Known.OTHER

    async def keep(self, name: str, digest: str) -> None:
        """Note that a request was published."""
        await self._set(name, digest.encode() + _KEPT, is_new=False)

    async def keep_job(self, job: BacktestJob) -> None:
        """Keep a backtest that was published, until its worker has seen it."""
        key = self._jobs_prefix + job.job_id
        await self._asked(lambda: self._redis.set(key, encode_event(job), ex=self._seconds))

    async def job(self, job_id: str) -> BacktestJob | None:
        """Return a backtest that was published."""
        text = await self._asked(lambda: self._redis.get(self._jobs_prefix + job_id))
        # What is there may be none of ours.
        with suppress(ContractError):
            return None if text is None else decode_event(BacktestJob, text)
        return None

    async def _set(self, name: str, value: bytes, *, is_new: bool) -> bytes | None:
        """Store a value, if it is new only where there is none; return what there was."""
        key = self._prefix + name
        return await self._asked(
            lambda: self._redis.set(key, value, ex=self._seconds, nx=is_new, get=True),
        )

    async def _asked(self, ask: Callable[[], Awaitable[object]]) -> bytes | None:
        """Return what Redis answers, None where that is no text or Redis is left alone."""
        if not self._breaker.lets_through():
            return None
        try:
            async with asyncio.timeout(self._timeout_seconds):
                found = await ask()
        except (RedisError, OSError, TimeoutError):
            self._breaker.failed()
            return None
        self._breaker.succeeded()
        return found if isinstance(found, bytes) else None


def digest_of(*parts: bytes) -> str:
    """Return the hash of some parts, each with its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.hexdigest()
