"""Statistics of five-level quotes of 3 seconds, of a recorded or of a synthetic market alike."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Final

import numpy as np

from tidegate_cli.calibration.days import autocorrelation
from tidegate_common.domain.enums import Phase
from tidegate_common.domain.units import PRICE_E4_PER_FEN, PRICE_SCALE, BoolArray
from tidegate_common.frames.rows import QuoteRows

TICK_E4: Final = PRICE_E4_PER_FEN
# Books are compared with those of shares that cost about as much, in CNY: a tick is less of a dear
# share.
PRICE_GROUPS: Final = ((0, 10), (10, 50), (50, 10_000))
# A share with fewer quotes, of some 4,740 a day, says little.
QUOTES_MIN: Final = 400


@dataclass(frozen=True, slots=True)
class QuoteFigures:
    """What the books of the shares of a price group are like, medians over shares and days.

    spread_ticks : mean of best ask less best bid.
    gap_ticks : mean of the steps from level to level.
    depth : shares at a best price, by shares traded in 3 s; means of the day.
    deeper : shares at a deeper level, by those at a best one.
    trade_part : of the quotes, those since the one before which something traded.
    still_part : of the quotes, those whose middle is that of the one before.
    lean_memory : autocorrelation of the imbalance of the five levels from quote to quote.
    """

    count: int
    spread_ticks: float
    gap_ticks: float
    depth: float
    deeper: float
    trade_part: float
    still_part: float
    lean_memory: float


class QuoteTable:
    """Collects quotes of continuous trading by share and day."""

    def __init__(self) -> None:
        self._figures: list[tuple[float, QuoteFigures]] = []

    def add_day(self, beats: Iterable[QuoteRows]) -> None:
        """Take up all beats of a day."""
        # Sorted by instrument, and within one by beat.
        quotes = QuoteRows.concat([rows.take(_is_two_sided(rows)) for rows in beats])
        edges = np.flatnonzero(np.diff(quotes.instrument, prepend=0, append=0))
        for start, end in pairwise(edges.tolist()):
            if end - start >= QUOTES_MIN:
                self._figures.append(_share_figures(quotes.take(np.arange(start, end))))

    def figures(self) -> list[QuoteFigures | None]:
        """Return the figures by price group, None for a group without shares."""
        groups: list[list[QuoteFigures]] = [[] for _ in PRICE_GROUPS]
        for price_cny, figures in self._figures:
            groups[sum(price_cny >= most for _, most in PRICE_GROUPS[:-1])].append(figures)
        return [_middle(group) if group else None for group in groups]


def _is_two_sided(rows: QuoteRows) -> BoolArray:
    is_continuous: BoolArray = rows.phase == Phase.CONTINUOUS
    return is_continuous & (rows.bid_price_e4[:, 0] > 0) & (rows.ask_price_e4[:, 0] > 0)


def _share_figures(share: QuoteRows) -> tuple[float, QuoteFigures]:
    """Return the mean price of a share in CNY, and what its books are like."""
    bid, ask = share.bid_price_e4 / TICK_E4, share.ask_price_e4 / TICK_E4
    middle = (bid[:, 0] + ask[:, 0]) / 2
    traded = np.diff(share.volume_shares)
    gaps = np.concatenate((-np.diff(bid), np.diff(ask)))
    has_level = np.concatenate((bid[:, 1:], ask[:, 1:])) > 0
    sizes = np.concatenate((share.bid_shares, share.ask_shares)).astype(np.float64)
    bids, asks = share.bid_shares.sum(axis=1), share.ask_shares.sum(axis=1)
    best = sizes[:, 0].mean()
    figures = QuoteFigures(
        count=1,
        spread_ticks=float((ask[:, 0] - bid[:, 0]).mean()),
        gap_ticks=float(gaps[has_level].mean()),
        depth=float(best / max(traded.mean(), 1.0)),
        deeper=float(sizes[:, 1:].mean() / best),
        trade_part=float((traded > 0).mean()),
        still_part=float((np.diff(middle) == 0).mean()),
        lean_memory=autocorrelation((bids - asks) / (bids + asks), 1),
    )
    return float(middle.mean()) * TICK_E4 / PRICE_SCALE, figures


def _middle(group: Sequence[QuoteFigures]) -> QuoteFigures:
    medians = {
        item.name: float(np.median([getattr(each, item.name) for each in group]))
        for item in fields(QuoteFigures)
        if item.name != "count"
    }
    return QuoteFigures(count=len(group), **medians)
