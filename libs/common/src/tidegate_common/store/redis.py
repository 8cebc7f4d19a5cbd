"""What of the platform's present is in Redis: portfolios, recommendations, snapshots of risk.

All are caches with stamps; their rules are in `tidegate_common.store.stamped`.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from tidegate_common.codec import decode_event, encode_event
from tidegate_common.errors import ContractError, TransientError
from tidegate_common.events.portfolio import AccountBooks, OpenOrderState, PortfolioState
from tidegate_common.events.recommendations import StrategyRecommendations
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.store.stamped import (
    PUT_TIMEOUT_SECONDS,
    Stamped,
    StampedCache,
    errors_translated,
)

# A thousand accounts with fifty positions each take 2.3 MB, compressed; seven times as much.
SNAPSHOT_BYTES_MAX = 16 * 1024**2
# Ten times as many as an ordinary put: up to a hundred thousand times as many bytes.
SNAPSHOT_TIMEOUT_SECONDS = 10 * PUT_TIMEOUT_SECONDS

# A set of names, also where somebody's key of another type has its name.
_ADD = """
if redis.call('TYPE', KEYS[1]).ok ~= 'set' then redis.call('DEL', KEYS[1]) end
return redis.call('SADD', KEYS[1], unpack(ARGV))
"""
# With fifty positions each, 2 ms of work here and 5 ms until they are stored; a beat may wait so
# long.
_PART_ACCOUNTS = 50


@dataclass(frozen=True, slots=True)
class CachedPortfolio:
    """A portfolio, and the run and beat that it is of.

    open_orders : that may still trade, as far as they are known where the portfolio is from.
    """

    run_id: str
    beat: int
    portfolio: PortfolioState
    open_orders: tuple[OpenOrderState, ...] = ()


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


class PortfolioCache(StampedCache):
    """The last books of every account."""

    async def put(self, run_id: str, books: Iterable[AccountBooks]) -> bool:
        """Store books of a run; tell whether Redis has them or newer ones.

        Never raises. Takes them in parts, between which others get their turn, and waits for none
        longer than its timeout; after one that does not come through it leaves the rest.
        """
        rest = iter(books)
        while part := tuple(islice(rest, _PART_ACCOUNTS)):
            if not await self._put_part(run_id, part):
                return False
        return True

    async def _put_part(self, run_id: str, books: Sequence[AccountBooks]) -> bool:
        portfolios = [one.portfolio for one in books]
        values = [
            Stamped(self._key(portfolio.account_id), run_id, portfolio.beat, encode_event(one))
            for portfolio, one in zip(portfolios, books, strict=True)
        ]
        names = [portfolio.account_id for portfolio in portfolios]
        return await self._put(
            values,
            lambda pipeline: pipeline.eval(_ADD, 1, self._accounts_key(), *names),
        )

    async def get(self, account_id: str) -> CachedPortfolio | None:
        """Return an account's portfolio, None if there is none.

        Raises
        ------
        TransientError
            If Redis does not answer in time, or holds something else there.
        """
        found = await self.get_many([account_id])
        return found[0] if found else None

    async def stamped(self, account_id: str) -> Stamped | None:
        """Return an account's portfolio as Redis has it, which `portfolio_of` reads; None if none.

        Raises
        ------
        TransientError
            If Redis does not answer in time, or holds something else there.
        """
        with errors_translated():
            (found,) = await self._get(self._key(account_id))
            return found

    async def get_many(self, account_ids: Sequence[str]) -> list[CachedPortfolio]:
        """Return the portfolios of those accounts that have one, in the same order.

        Raises
        ------
        TransientError
            If Redis does not answer in time, or holds something else there.
        """
        with errors_translated():
            found = await self._get(*map(self._key, account_ids))
            return [portfolio_of(one) for one in found if one is not None]

    async def accounts(self) -> list[str]:
        """Return the accounts that have a portfolio, sorted.

        Raises
        ------
        TransientError
            If Redis does not answer in time, or holds something else there.
        """
        with errors_translated():
            names = await self._ask(lambda: self._redis.smembers(self._accounts_key()))
            # We ask for bytes; the client's types know both.
            return sorted(name if isinstance(name, str) else name.decode() for name in names)

    def _key(self, account_id: str) -> str:
        return f"{self._prefix}portfolio:{account_id}"

    def _accounts_key(self) -> str:
        return f"{self._prefix}accounts"


def portfolio_of(found: Stamped) -> CachedPortfolio:
    """Return the portfolio that a value of the cache holds; ContractError if it holds none."""
    books = decode_event(AccountBooks, found.value)
    return CachedPortfolio(found.run_id, found.beat, books.portfolio, books.open_orders)


class RecommendationCache(StampedCache):
    """The last recommendations of every strategy of the newest run.

    One key says which run is the newest and what strategies it has; one key a strategy holds its
    recommendations, which count if they are of that run.
    """

    async def put(self, newest: CachedRecommendations) -> bool:
        """Store the recommendations of a run; tell whether Redis has them or newer ones.

        Never raises and never waits longer than its timeout.
        """
        names = json.dumps(newest.strategies).encode()
        values = [
            Stamped(self._key(one.strategy), newest.run_id, one.beat, encode_event(one))
            for one in newest.recommendations
        ]
        run = Stamped(self._run_key(), newest.run_id, newest.beat, names)
        return await self._put([run, *values])

    async def get(self) -> CachedRecommendations | None:
        """Return the recommendations of the newest run, None if there is none.

        Raises
        ------
        TransientError
            If Redis does not answer in time, or holds something else there.
        """
        with errors_translated():
            (run,) = await self._get(self._run_key())
            if run is None:
                return None
            strategies = _names(run.value)
            found = await self._get(*map(self._key, strategies))
            return CachedRecommendations(
                run_id=run.run_id,
                beat=run.beat,
                strategies=strategies,
                recommendations=tuple(
                    decode_event(StrategyRecommendations, one.value)
                    for one in found
                    if one is not None and one.run_id == run.run_id
                ),
            )

    def _key(self, strategy: str) -> str:
        return f"{self._prefix}recommendations:{strategy}"

    def _run_key(self) -> str:
        return f"{self._prefix}recommendations"


def _names(text: bytes) -> tuple[str, ...]:
    names = json.loads(text)
    if not isinstance(names, list):
        message = f"expected a list of strategies, found {type(names).__name__}"
        raise ContractError(message)
    return tuple(map(str, names))


class SnapshotCache(StampedCache):
    """A copy of the newest snapshot of every stage instance that keeps one here.

    What it holds is no authority: `tidegate_common.bus.snapshots` takes a copy for what it is only
    where the log itself names its checksum.
    """

    async def put(self, producer: str, stamp: BeatStamp, packed: bytes) -> bool:
        """Store a packed snapshot as of a beat; tell whether there is nothing more to be done.

        One that is larger than SNAPSHOT_BYTES_MAX is left out: the topic has it. Never raises and
        never waits longer than its timeout.
        """
        if len(packed) > SNAPSHOT_BYTES_MAX:
            return True
        return await self._put([Stamped(self._key(producer), stamp.run_id, stamp.beat, packed)])

    async def get(self, producer: str) -> bytes | None:
        """Return the packed snapshot of a producer, None if it is not to be had; never raises."""
        try:
            with errors_translated():
                (found,) = await self._get(self._key(producer))
        except TransientError:
            return None
        return found.value if found else None

    def _key(self, producer: str) -> str:
        return f"{self._prefix}snapshot:{producer}"
