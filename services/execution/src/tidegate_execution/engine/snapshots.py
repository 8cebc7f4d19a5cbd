"""One instrument's quote, as the matching reads it, and what we took of its display."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tidegate_common.domain.enums import Phase
from tidegate_common.domain.units import Int64Array
from tidegate_common.frames.rows import LEVELS

_CALLS = frozenset({Phase.OPEN_CALL, Phase.OPEN_CALL_LOCKED, Phase.CLOSE_CALL})
_BREAKS = frozenset({Phase.PAUSE, Phase.LUNCH})
_AFTER_CALLS = _BREAKS | {Phase.CLOSED, Phase.AFTER_HOURS}


@dataclass(frozen=True, slots=True)
class Ladder:
    """Displayed levels of one side, best first: pairs of price and shares, both above 0."""

    is_bid: bool
    levels: tuple[tuple[int, int], ...]

    @property
    def best_e4(self) -> int | None:
        """The best price, None without a level."""
        return self.levels[0][0] if self.levels else None

    def shares_at(self, price_e4: int) -> int | None:
        """Return the shares displayed at a price, None where the five levels do not reach it."""
        for level_e4, shares in self.levels:
            if level_e4 == price_e4:
                return shares
        if len(self.levels) < LEVELS:
            return 0
        last_e4 = self.levels[-1][0]
        is_beyond = price_e4 < last_e4 if self.is_bid else price_e4 > last_e4
        return None if is_beyond else 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A quote of one instrument, and what happened since the one before.

    phase, phase_before : of this quote and the one before; `UNSEEN` before the first.
    traded_shares : since the quote before, 0 at the first. A cumulative volume that falls is a
        fault of the feed: nothing traded, and it counts again once it is above the highest one.
    """

    phase: int
    phase_before: int
    last_e4: int
    traded_shares: int
    bids: Ladder
    asks: Ladder

    @property
    def is_continuous(self) -> bool:
        """Whether orders are matched one by one."""
        return self.phase == Phase.CONTINUOUS

    @property
    def is_call(self) -> bool:
        """Whether a call auction gathers orders."""
        return self.phase in _CALLS

    @property
    def is_after_hours(self) -> bool:
        """Whether something traded after hours since the quote before."""
        has_traded = self.traded_shares > 0 and self.last_e4 > 0
        return self.phase_before == Phase.AFTER_HOURS and has_traded

    @property
    def is_auction_end(self) -> bool:
        """Whether a call auction was matched since the quote before.

        Where continuous trading was reached already, nobody can tell the volume of the two apart.
        """
        is_match = self.phase_before in _CALLS and self.phase in _AFTER_CALLS
        return is_match and self.traded_shares > 0 and self.last_e4 > 0

    @property
    def queue_shares(self) -> int:
        """Shares traded since the quote before that resting orders may have been part of."""
        was_continuous = self.phase_before == Phase.CONTINUOUS
        has_begun = self.is_continuous and self.phase_before in _BREAKS
        return self.traded_shares if was_continuous or has_begun else 0


@dataclass(slots=True)
class TakenLevels:
    """What we took of the displayed shares of one side.

    A recorded market does not react to us: the shares that we took stay on display. They count
    as gone until the displayed quantity at their price changes.

    by_price : price -> (shares displayed when we took, shares that we took).
    """

    by_price: dict[int, tuple[int, int]] = field(default_factory=dict)

    def refresh(self, ladder: Ladder) -> None:
        """Forget prices at which the display changed; out of sight is not changed."""
        if not self.by_price:
            return
        self.by_price = {
            price_e4: taken
            for price_e4, taken in self.by_price.items()
            if ladder.shares_at(price_e4) in {None, taken[0]}
        }

    def free_shares(self, ladder: Ladder, limit_e4: int) -> int:
        """Return how many shares are free up to a limit price."""
        copy = TakenLevels(dict(self.by_price))
        displayed_shares = sum(shares for _, shares in ladder.levels)
        trades = copy.take(ladder, limit_e4=limit_e4, wanted_shares=displayed_shares)
        return sum(shares for _, shares in trades)

    def take(
        self,
        ladder: Ladder,
        *,
        limit_e4: int,
        wanted_shares: int,
    ) -> list[tuple[int, int]]:
        """Take what is free, best level first and up to a limit price.

        Returns
        -------
        Pairs of level price and shares taken there, > 0; their sum is at most `wanted_shares`.
        """
        trades = []
        for price_e4, displayed_shares in ladder.levels:
            is_beyond = price_e4 < limit_e4 if ladder.is_bid else price_e4 > limit_e4
            if is_beyond or wanted_shares == 0:
                break
            gone_shares = self.by_price.get(price_e4, (0, 0))[1]
            taken_shares = min(displayed_shares - gone_shares, wanted_shares)
            if taken_shares > 0:
                self.by_price[price_e4] = (displayed_shares, gone_shares + taken_shares)
                wanted_shares -= taken_shares
                trades.append((price_e4, taken_shares))
        return trades


@dataclass(slots=True)
class BookMemory:
    """What we took of the two sides of an instrument."""

    taken_bids: TakenLevels = field(default_factory=TakenLevels)
    taken_asks: TakenLevels = field(default_factory=TakenLevels)

    @property
    def has_taken(self) -> bool:
        """Whether some displayed shares count as gone."""
        return bool(self.taken_bids.by_price or self.taken_asks.by_price)

    def refresh(self, snapshot: Snapshot) -> None:
        """Take in a quote; one of an auction shows what would trade, not what is left."""
        if snapshot.is_continuous:
            self.taken_bids.refresh(snapshot.bids)
            self.taken_asks.refresh(snapshot.asks)


def find_rows(instrument: Int64Array, wanted: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (instrument, row) of the wanted instruments that a frame has, in their order.

    Parameters
    ----------
    instrument : (n,) int64, sorted.
    """
    if not wanted or not len(instrument):
        return
    rows = np.searchsorted(instrument, wanted).tolist()
    for number, row in zip(wanted, rows, strict=True):
        if row < len(instrument) and int(instrument[row]) == number:
            yield number, row


def levels_of(prices_e4: list[int], shares: list[int]) -> tuple[tuple[int, int], ...]:
    """Return the levels that are there, of columns with 0 for none."""
    pairs = zip(prices_e4, shares, strict=True)
    return tuple(pair for pair in pairs if pair[0] > 0 and pair[1] > 0)
