"""The shares of a synthetic market: codes, boards, sectors, and when they come and go."""

from dataclasses import dataclass
from itertools import count as counting
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Board
from tidegate_common.domain.ids import InstrumentId, parse_symbol
from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.market.board import boards_of
from tidegate_ingest.engine.synthetic.chance import Chance, Purpose

INSTRUMENT_COUNT_MAX: Final = 5_500

# Twenty shares are about what the boards are to one another: eleven of the main board, five of
# ChiNext, three of STAR, one of Beijing. Codes are shared with real shares; the names are not.
_TURNS: Final = (
    *("SH600", "SZ000", "SZ300", "SH688", "SH601", "SZ002", "SZ301", "SH603", "SZ001", "SZ300"),
    *("SH605", "SH688", "SZ003", "SZ301", "SH600", "SZ002", "BJ920", "SZ302", "SH601", "SH688"),
)
_FIRST_CODE: Final = 101
# Thirteen has no divisor in common with twenty: every board has every sector.
SECTORS: Final = (
    *("bank", "liquor", "electronics", "pharma", "energy", "power", "chemicals"),
    *("machinery", "automobiles", "property", "software", "media", "steel"),
)

# Of every so many shares this one is under risk warning at first, is not yet listed, or leaves.
_ST_EVERY, _ST_REST = 40, 8
_NEWCOMER_EVERY, _NEWCOMER_REST = 50, 31
_LEAVER_EVERY, _LEAVER_REST = 100, 58
# The first ones come and go on these days, so that a short run sees it; the others in the first
# year of trading days.
_FIRST_NEWCOMER_DAYS: Final = (-2, 1)
_FIRST_LEAVER_DAYS: Final = (-14, 1)
_YEAR_DAYS: Final = 250
# The delisting period: SSE 2023 No. 32 and SZSE 2023 No. 98 give fifteen trading days.
DELISTING_DAYS: Final = 15
_LONG_AGO_DAY: Final = -1_000_000
_NEVER_DAY: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class SyntheticShares:
    """All shares that a market ever has, sorted by instrument; (n,) each.

    instrument, sector : int64; `sector` indexes `SECTORS`.
    board : uint8, `Board`.
    names : for people.
    is_st : under risk warning when the market begins.
    listing_day : number of the day on which it lists, below 0 before the market begins.
    delisting_day : number of the first day of its delisting period.
    """

    instrument: Int64Array
    board: NDArray[np.uint8]
    sector: Int64Array
    names: tuple[str, ...]
    is_st: BoolArray
    listing_day: Int64Array
    delisting_day: Int64Array

    def __len__(self) -> int:
        """Return the number of shares."""
        return len(self.instrument)

    @property
    def is_old(self) -> BoolArray:
        """Tell which were listed long before the market begins."""
        old: BoolArray = self.listing_day == _LONG_AGO_DAY
        return old

    @property
    def is_leaver(self) -> BoolArray:
        """Tell which leave the exchange one day."""
        leaver: BoolArray = self.delisting_day != _NEVER_DAY
        return leaver


def make_shares(count: int, seed: int) -> SyntheticShares:
    """Return `count` shares over the boards and sectors; the first of them whatever the count."""
    codes = {prefix: counting(_FIRST_CODE) for prefix in _TURNS}
    instrument = np.array(
        [_next_code(_TURNS[number % len(_TURNS)], codes) for number in range(count)],
        dtype=np.int64,
    )
    number = np.arange(count)
    is_newcomer = number % _NEWCOMER_EVERY == _NEWCOMER_REST
    is_leaver = number % _LEAVER_EVERY == _LEAVER_REST
    is_st = (number % _ST_EVERY == _ST_REST) | is_leaver
    chance = Chance(seed, Purpose.LIVES)
    listing_day = _days(is_newcomer, _FIRST_NEWCOMER_DAYS, chance, otherwise=_LONG_AGO_DAY)
    delisting_day = _days(is_leaver, _FIRST_LEAVER_DAYS, chance, otherwise=_NEVER_DAY)
    board = boards_of(instrument)
    order = np.argsort(instrument)
    names = [f"Synthetic {SECTORS[each % len(SECTORS)]} {each + 1}" for each in order.tolist()]
    return SyntheticShares(
        instrument=instrument[order],
        board=board[order],
        sector=(number % len(SECTORS))[order],
        names=tuple(names),
        is_st=(is_st & (board != Board.BSE))[order],
        listing_day=listing_day[order],
        delisting_day=delisting_day[order],
    )


def _next_code(prefix: str, codes: dict[str, "counting[int]"]) -> InstrumentId:
    return parse_symbol(f"{prefix[2:]}{next(codes[prefix]):03d}.{prefix[:2]}")


def _days(
    chosen: BoolArray,
    first_days: tuple[int, ...],
    chance: Chance,
    *,
    otherwise: int,
) -> Int64Array:
    """Return a day for each of the chosen, `otherwise` for the others."""
    # Drawn for the largest market, so that a share's day is the same in every size of it.
    drawn = chance.between(0, _YEAR_DAYS, INSTRUMENT_COUNT_MAX)[: len(chosen)]
    days = np.where(chosen, drawn, otherwise)
    first = np.flatnonzero(chosen)[: len(first_days)]
    days[first] = first_days[: len(first)]
    return days
