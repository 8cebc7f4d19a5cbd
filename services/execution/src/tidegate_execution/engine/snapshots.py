"""One instrument's quote, as the matching reads it, and what is remembered between two quotes."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tidegate_common.domain.enums import Phase
from tidegate_common.domain.units import Int64Array
from tidegate_common.frames.rows import LEVELS, QuoteRows


@dataclass(frozen=True, slots=True)
class Ladder:
    """Displayed levels of one side, best first: pairs of price and shares, both above 0."""

    is_bid: bool
    levels: tuple[tuple[int, int], ...]

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
    """A quote of one instrument.

    volume_shares : traded since the day began.
    """

    phase: int
    last_e4: int
    volume_shares: int
    bids: Ladder
    asks: Ladder

    @classmethod
    def from_row(cls, rows: QuoteRows, row: int) -> "Snapshot":
        """Return the quote in one row of a frame."""
        return cls(
            phase=int(rows.phase[row]),
            last_e4=int(rows.last_e4[row]),
            volume_shares=int(rows.volume_shares[row]),
            bids=Ladder(is_bid=True, levels=_levels(rows.bid_price_e4[row], rows.bid_shares[row])),
            asks=Ladder(is_bid=False, levels=_levels(rows.ask_price_e4[row], rows.ask_shares[row])),
        )

    @property
    def is_continuous(self) -> bool:
        """Whether orders are matched one by one."""
        return self.phase == Phase.CONTINUOUS


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
        self.by_price = {
            price_e4: taken
            for price_e4, taken in self.by_price.items()
            if ladder.shares_at(price_e4) in {None, taken[0]}
        }

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
    """What the exchange remembers of an instrument between two of its quotes.

    volume_shares : traded on the day as of the last quote; None before the first.
    """

    volume_shares: int | None = None
    taken_bids: TakenLevels = field(default_factory=TakenLevels)
    taken_asks: TakenLevels = field(default_factory=TakenLevels)

    @property
    def has_taken(self) -> bool:
        """Whether some displayed shares count as gone."""
        return bool(self.taken_bids.by_price or self.taken_asks.by_price)

    def advance(self, snapshot: Snapshot) -> int:
        """Take in a quote and return the shares traded since the one before, 0 at the first.

        A cumulative volume that falls is a fault of the feed: nothing traded, and the volume
        counts again once it is above the highest one seen.
        """
        before_shares = self.volume_shares
        if before_shares is None:
            before_shares = snapshot.volume_shares
        self.volume_shares = max(before_shares, snapshot.volume_shares)
        if snapshot.is_continuous:
            # The levels of an auction show what would trade, not what is left.
            self.taken_bids.refresh(snapshot.bids)
            self.taken_asks.refresh(snapshot.asks)
        return self.volume_shares - before_shares


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


def _levels(prices: Int64Array, shares: Int64Array) -> tuple[tuple[int, int], ...]:
    pairs = zip(prices.tolist(), shares.tolist(), strict=True)
    return tuple(pair for pair in pairs if pair[0] > 0 and pair[1] > 0)
