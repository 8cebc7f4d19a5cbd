"""Redis (or Valkey): portfolios and recommendations of now, a cache that may vanish at any time.

Nothing waits for it and nothing fails with it: a write that does not come through in its time is
given up, and after a few of them the cache is left alone for a moment (circuit breaker).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tidegate_common.codec import decode_event, encode_event
from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.events.portfolio import PortfolioState
from tidegate_common.events.recommendations import StrategyRecommendations

Answer = TypeVar("Answer")

# A put is one round trip on a local network, well under a millisecond; fifty are an outage.
PUT_TIMEOUT_SECONDS = 0.05
GET_TIMEOUT_SECONDS = 0.5
FAILURES_MAX = 3
OPEN_SECONDS = 1.0

# A run that was replaced may not come back; so many are remembered, newest first.
_PAST_RUNS_MAX = 32
# KEYS: what is stamped. ARGV: run, beat, JSON, how many past runs to remember.
# Within a run only a later beat is taken. Another run is taken unless it was replaced before.
_PUT = """
local run, beat, past = unpack(redis.call('HMGET', KEYS[1], 'run', 'beat', 'past'))
past = past or ''
if run == ARGV[1] then
    if tonumber(ARGV[2]) <= tonumber(beat) then return 0 end
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


@dataclass(frozen=True, slots=True)
class CachedPortfolio:
    """A portfolio, and the run and beat that it is of."""

    run_id: str
    beat: int
    portfolio: PortfolioState


@dataclass(frozen=True, slots=True)
class CachedRecommendations:
    """Recommendations of a run.

    beat : up to which they are the newest.
    strategies : all of the run, in its order, also those that have no recommendations yet.
    recommendations : those that there are, in the same order.
    """

    run_id: str
    beat: int
    strategies: tuple[str, ...]
    recommendations: tuple[StrategyRecommendations, ...]


@dataclass(frozen=True, slots=True)
class _Stamped:
    """The JSON under a key, and the run and beat that it is of."""

    key: str
    run_id: str
    beat: int
    text: str


class CircuitBreaker:
    """Says whether to try: not for a while after several failures in a row.

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
        """Whether to leave the server alone; when its time is over, one try is let through."""
        has_failed = self._failures_in_a_row >= self._failures_max
        return has_failed and self._seconds() < self._closed_again_at

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

    failure_count, skipped_count : puts that did not come through, and that were not tried.
    """

    def __init__(
        self,
        url: str,
        *,
        key_prefix: str,
        put_timeout_seconds: float = PUT_TIMEOUT_SECONDS,
        get_timeout_seconds: float = GET_TIMEOUT_SECONDS,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        try:
            self._redis = Redis.from_url(
                url,
                # We wait no longer than our own timeouts and try again only when called again.
                retry=Retry(NoBackoff(), 0),
                socket_connect_timeout=get_timeout_seconds,
                socket_timeout=get_timeout_seconds,
                max_connections=16,
                decode_responses=True,
            )
        except ValueError as error:
            message = f"expected a redis:// address, found another: {error}"
            raise ConfigError(message) from error
        self._prefix = key_prefix
        self._put_timeout_seconds = put_timeout_seconds
        self._get_timeout_seconds = get_timeout_seconds
        self._breaker = breaker
        self.failure_count = 0
        self.skipped_count = 0

    async def ping(self) -> None:
        """Raise TransientError if Redis does not answer in time."""
        await self._ask(self._redis.ping())

    async def close(self) -> None:
        """Let go of all connections."""
        await self._redis.aclose()

    async def _put(
        self,
        values: Sequence[_Stamped],
        also: Callable[[Pipeline], object] | None = None,
    ) -> bool:
        """Store values, unless there are newer ones; tell whether Redis has them or newer ones.

        Never raises and never waits longer than its timeout.

        Parameters
        ----------
        also : what else to write in the same round trip.
        """
        breaker = self._breaker_of_loop()
        if breaker.is_open:
            self.skipped_count += 1
            return False
        try:
            async with asyncio.timeout(self._put_timeout_seconds):
                await self._write(values, also)
        except (RedisError, OSError, TimeoutError):
            breaker.failed()
            self.failure_count += 1
            return False
        breaker.succeeded()
        return True

    async def _write(
        self,
        values: Sequence[_Stamped],
        also: Callable[[Pipeline], object] | None,
    ) -> None:
        # No transaction: each value is stamped for itself, and in a cluster they are apart.
        async with self._redis.pipeline(transaction=False) as pipeline:
            for one in values:
                stamp = (one.run_id, str(one.beat))
                pipeline.eval(_PUT, 1, one.key, *stamp, one.text, str(_PAST_RUNS_MAX))
            if also:
                also(pipeline)
            await pipeline.execute()

    async def _get(self, *keys: str) -> list[_Stamped | None]:
        """Return what is under some keys, in one round trip."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hmget(key, ["run", "beat", "value"])
            answers = await self._ask(pipeline.execute())
        return [
            None if None in answer else _Stamped(key, str(answer[0]), int(answer[1]), answer[2])
            for key, answer in zip(keys, answers, strict=True)
        ]

    async def _ask(self, answer: Awaitable[Answer]) -> Answer:
        with _errors_translated():
            async with asyncio.timeout(self._get_timeout_seconds):
                return await answer

    def _breaker_of_loop(self) -> CircuitBreaker:
        if self._breaker is None:
            self._breaker = CircuitBreaker(asyncio.get_running_loop().time)
        return self._breaker


class PortfolioCache(StampedCache):
    """The last portfolio of every account."""

    async def put(self, run_id: str, beat: int, portfolios: Sequence[PortfolioState]) -> bool:
        """Store portfolios as of a beat; tell whether Redis has them or newer ones.

        Never raises and never waits longer than its timeout.
        """
        if not portfolios:
            return True
        names = [one.account_id for one in portfolios]
        values = [
            _Stamped(self._key(one.account_id), run_id, beat, encode_event(one).decode())
            for one in portfolios
        ]
        return await self._put(values, lambda added: added.sadd(self._accounts_key(), *names))

    async def get(self, account_id: str) -> CachedPortfolio | None:
        """Return an account's portfolio, None if there is none.

        Raises
        ------
        TransientError
            If Redis does not answer in time.
        """
        (found,) = await self._get(self._key(account_id))
        if found is None:
            return None
        portfolio = decode_event(PortfolioState, found.text)
        return CachedPortfolio(found.run_id, found.beat, portfolio)

    async def accounts(self) -> list[str]:
        """Return the accounts that have a portfolio, sorted.

        Raises
        ------
        TransientError
            If Redis does not answer in time.
        """
        names = await self._ask(self._redis.smembers(self._accounts_key()))
        return sorted(str(name) for name in names)

    def _key(self, account_id: str) -> str:
        return f"{self._prefix}portfolio:{account_id}"

    def _accounts_key(self) -> str:
        return f"{self._prefix}accounts"


class RecommendationCache(StampedCache):
    """The last recommendations of every strategy of the newest run.

    One key says which run is the newest and what strategies it has; one key a strategy holds its
    recommendations, which count if they are of that run.
    """

    async def put(self, newest: CachedRecommendations) -> bool:
        """Store the recommendations of a run; tell whether Redis has them or newer ones.

        Never raises and never waits longer than its timeout.
        """
        names = json.dumps(newest.strategies)
        values = [
            _Stamped(self._key(one.strategy), newest.run_id, one.beat, encode_event(one).decode())
            for one in newest.recommendations
        ]
        run = _Stamped(self._run_key(), newest.run_id, newest.beat, names)
        return await self._put([run, *values])

    async def get(self) -> CachedRecommendations | None:
        """Return the recommendations of the newest run, None if there is none.

        Raises
        ------
        TransientError
            If Redis does not answer in time.
        """
        (run,) = await self._get(self._run_key())
        if run is None:
            return None
        strategies = tuple(str(name) for name in json.loads(run.text))
        found = await self._get(*map(self._key, strategies))
        return CachedRecommendations(
            run_id=run.run_id,
            beat=run.beat,
            strategies=strategies,
            recommendations=tuple(
                decode_event(StrategyRecommendations, one.text)
                for one in found
                if one is not None and one.run_id == run.run_id
            ),
        )

    def _key(self, strategy: str) -> str:
        return f"{self._prefix}recommendations:{strategy}"

    def _run_key(self) -> str:
        return f"{self._prefix}recommendations"


@contextmanager
def _errors_translated() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        message = f"expected an answer of Redis, found: {type(error).__name__} {error}"
        raise TransientError(message) from error
