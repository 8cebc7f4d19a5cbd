"""Cost lots: shares that were bought together, what they cost, and when they may be sold.

A holding's lots stand in the order in which they were acquired. Functions return new lists: an
operation that fails half-way has changed nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tidegate_common.domain.units import divide_half_up


@dataclass(frozen=True, slots=True)
class Lot:
    """Shares of one fill, or of one corporate action.

    acquired : trading day, YYYYMMDD.
    sellable_from : first day of sale, to be compared only: T+1 is `acquired` + 1, which need
        be no day of the calendar.
    quantity_shares : > 0.
    cost_fen : what the shares amounted to, fees excluded.
    """

    acquired: int
    sellable_from: int
    quantity_shares: int
    cost_fen: int


def total_shares(lots: Iterable[Lot]) -> int:
    """Return the shares of all lots."""
    return sum(lot.quantity_shares for lot in lots)


def total_cost_fen(lots: Iterable[Lot]) -> int:
    """Return the cost of all lots."""
    return sum(lot.cost_fen for lot in lots)


def unlocked_shares(lots: Iterable[Lot], *, trade_date: int) -> int:
    """Return the shares that may be sold on a day."""
    return total_shares(lot for lot in lots if lot.sellable_from <= trade_date)


def split(lot: Lot, quantity_shares: int) -> tuple[Lot, Lot]:
    """Part a lot in two; the first has `quantity_shares` and its part of the cost.

    The first part's cost rounds half up to the fen and the second takes the rest, so that
    nothing is lost. `quantity_shares` is positive and less than the lot's.
    """
    cost_fen = divide_half_up(lot.cost_fen * quantity_shares, lot.quantity_shares)
    first = replace(lot, quantity_shares=quantity_shares, cost_fen=cost_fen)
    rest = replace(
        lot,
        quantity_shares=lot.quantity_shares - quantity_shares,
        cost_fen=lot.cost_fen - cost_fen,
    )
    return first, rest


def take(lots: Sequence[Lot], quantity_shares: int, *, trade_date: int) -> tuple[list[Lot], int]:
    """Sell shares, the oldest that may be sold first.

    Parameters
    ----------
    lots : in order of age.
    quantity_shares : at most what is unlocked on the day.
    trade_date : YYYYMMDD, the day of the sale.

    Returns
    -------
    lots, cost_fen : what is left, in order of age, and the cost of what is gone.
    """
    left: list[Lot] = []
    cost_fen = 0
    for lot in lots:
        if quantity_shares == 0 or lot.sellable_from > trade_date:
            left.append(lot)
        elif lot.quantity_shares <= quantity_shares:
            quantity_shares -= lot.quantity_shares
            cost_fen += lot.cost_fen
        else:
            sold, rest = split(lot, quantity_shares)
            quantity_shares = 0
            cost_fen += sold.cost_fen
            left.append(rest)
    return left, cost_fen


def spread(
    lots: Sequence[Lot],
    extra_shares: int,
    *,
    trade_date: int,
    listing_date: int,
) -> list[Lot]:
    """Give shares that cost nothing to the lots, in proportion to their size.

    Each lot gets the floor of its part, and the oldest lots one share more each until nothing is
    left to give. A lot's cost stays, so its shares become cheaper. Where the new shares may be sold
    later than the lot, they become a lot of their own behind it, with their part of the cost.

    Parameters
    ----------
    lots : in order of age, not empty unless `extra_shares` is 0.
    extra_shares : >= 0, all lots together.
    trade_date : YYYYMMDD, the day on which they are given.
    listing_date : YYYYMMDD, first day on which the new shares may be sold.
    """
    total = total_shares(lots)
    parts = [lot.quantity_shares * extra_shares // total for lot in lots]
    remainder = extra_shares - sum(parts)
    grown: list[Lot] = []
    for index, (lot, part) in enumerate(zip(lots, parts, strict=True)):
        extra = part + (index < remainder)
        is_one_lot = extra == 0 or listing_date <= max(lot.sellable_from, trade_date)
        grown.extend(_grow(lot, extra, None if is_one_lot else listing_date))
    return grown


def _grow(lot: Lot, extra_shares: int, listing_date: int | None) -> tuple[Lot, ...]:
    larger = replace(lot, quantity_shares=lot.quantity_shares + extra_shares)
    if listing_date is None:
        return (larger,)
    old, new = split(larger, lot.quantity_shares)
    return old, replace(new, sellable_from=listing_date)
