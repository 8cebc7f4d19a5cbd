"""Portfolios as JSON, made once as long as Redis has the same bytes.

Books change once a beat at most, and desks ask more often: an unchanged portfolio costs a round
trip to Redis, and neither decoding nor rendering.
"""

from typing import Final, Protocol

from tidegate_common.errors import ContractError, TransientError
from tidegate_common.store.redis import portfolio_of
from tidegate_common.store.stamped import Stamped
from tidegate_gateway.schemas.base import json_of
from tidegate_gateway.schemas.portfolios import PortfolioView

# With fifty positions each, 15 kB an account: 15 MB.
ACCOUNTS_MAX: Final = 1_000


class StampedPortfolios(Protocol):
    """Where portfolios are as they are kept; `PortfolioCache` in production."""

    async def stamped(self, account_id: str) -> Stamped | None:
        """Return an account's portfolio as it is kept; TransientError when not to be had."""


class PortfolioTexts:
    """The JSON of the portfolios that were asked for last, and what it was made of.

    accounts_max : so many are kept.
    """

    def __init__(self, *, accounts_max: int = ACCOUNTS_MAX) -> None:
        self._accounts_max = accounts_max
        self._kept: dict[str, tuple[Stamped, bytes]] = {}

    async def of(self, now: StampedPortfolios, account_id: str) -> bytes | None:
        """Return the JSON of an account's portfolio of now, None if there is none.

        Raises
        ------
        TransientError
            If Redis does not answer in time, or holds something else there.
        """
        found = await now.stamped(account_id)
        if found is None:
            return None
        # Whoever is asked for last is the last in the order, so the first is the one to forget.
        kept = self._kept.pop(account_id, None)
        if kept is None or kept[0] != found:
            kept = (found, _json_of(found))
        self._kept[account_id] = kept
        if len(self._kept) > self._accounts_max:
            del self._kept[next(iter(self._kept))]
        return kept[1]


def _json_of(found: Stamped) -> bytes:
    try:
        return json_of(PortfolioView.of(portfolio_of(found), "redis"))
    except ContractError as error:
        message = f"expected an answer of Redis, found: {error}"
        raise TransientError(message) from error
