"""Daily price limits of listed shares on ordinary days.

Days without a limit (the first days of a listing, a relisting, the first day of a delisting
period) and the wider band of a delisting period are the caller's case: nothing here knows them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Board, LimitState
from tidegate_common.domain.units import BPS, Int64Array
from tidegate_common.errors import InvariantError
from tidegate_common.market.dated import LAST_DATE, Confidence, DatedRow, row_on

LimitRows = tuple[DatedRow[int], ...]

_SHARES_2026 = "SSE 2026 No. 41, SZSE 2026 No. 551, published 2026-04-24, effective 2026-07-06"
_CHINEXT_2020 = "SZSE 2020 No. 515 and No. 620, effective 2020-08-24"
# The first listings, which `reference/stock_basic_baostock_2023.csv` shows too.
_CHINEXT_2009 = "SZSE Trading Rules, since ChiNext's first trading day 2009-10-30"

_STAR: LimitRows = (
    DatedRow(
        2019_07_22,
        LAST_DATE,
        2_000,
        "SSE STAR Market Trading Rules, effective 2019-07-22",
        Confidence.A,
    ),
)
_BSE: LimitRows = (
    DatedRow(
        2021_11_15,
        LAST_DATE,
        3_000,
        "BSE Trading Rules, trial 2021-11-15; BSE 2026 No. 17, effective 2026-07-06",
        Confidence.A,
    ),
)

# Daily limit in basis points of the previous close, by board and by whether the share is ST.
LIMIT_ROWS: dict[tuple[Board, bool], LimitRows] = {
    (Board.MAIN, False): (
        DatedRow(
            1996_12_16,
            LAST_DATE,
            1_000,
            "SSE and SZSE, 10% limit, effective 1996-12-16",
            Confidence.B,
        ),
    ),
    (Board.MAIN, True): (
        # One file says "2012" and no more; before it the rule book refuses rather than guesses.
        DatedRow(2012_01_01, 2012_12_31, 500, "5% for ST, one file: 2012", Confidence.C),
        DatedRow(
            2013_01_01,
            2026_07_05,
            500,
            "SSE 2023 No. 32, SZSE 2023 No. 98 and their predecessors, until 2026-07-05",
            Confidence.A,
        ),
        DatedRow(2026_07_06, LAST_DATE, 1_000, _SHARES_2026, Confidence.A),
    ),
    (Board.CHINEXT, False): (
        DatedRow(2009_10_30, 2020_08_23, 1_000, _CHINEXT_2009, Confidence.A),
        DatedRow(2020_08_24, LAST_DATE, 2_000, _CHINEXT_2020, Confidence.A),
    ),
    (Board.CHINEXT, True): (
        DatedRow(2009_10_30, 2020_08_23, 500, _CHINEXT_2009, Confidence.A),
        DatedRow(2020_08_24, LAST_DATE, 2_000, _CHINEXT_2020, Confidence.A),
    ),
    (Board.STAR, False): _STAR,
    (Board.STAR, True): _STAR,
    (Board.BSE, False): _BSE,
    (Board.BSE, True): _BSE,
}

# Limits are whole fen whatever the board: 0.01 CNY is 100 of 1/10,000 CNY.
_TICK_E4 = 100
# 1/10,000 CNY times basis points: so many of them are a tick.
_UNITS_PER_TICK = _TICK_E4 * BPS
# A board travels as uint8: every value of it has a row, known or not.
_BOARD_VALUES = 256


@dataclass(frozen=True, slots=True)
class PriceLimits:
    """A day's price limits, one row an instrument.

    state : (n,) uint8, `LimitState`; LIMITED or UNKNOWN here.
    up_e4, down_e4 : (n,) int64, the highest and the lowest price; 0 unless LIMITED.
    """

    state: NDArray[np.uint8]
    up_e4: Int64Array
    down_e4: Int64Array


def price_limits(
    *,
    boards: NDArray[np.uint8],
    is_st: NDArray[np.bool_],
    prev_close_e4: Int64Array,
    trade_date: int,
) -> PriceLimits:
    """Return the limits of listed shares on an ordinary day.

    Half up to 0.01 CNY on SSE and SZSE; on BSE both limits are cut towards the previous close.
    A limit that rounds to the previous close moves one tick away, but never below 0.01 CNY.

    Parameters
    ----------
    boards : (n,) uint8, `Board`.
    is_st : (n,) bool, under risk warning (ST or *ST) on the day.
    prev_close_e4 : (n,) int64, the ex-rights reference price, below 10^12.
    trade_date : YYYYMMDD, Shanghai.

    Returns
    -------
    UNKNOWN with 0, 0 where the board is unknown, the previous close is not positive, or the
    rule book has no row for the day.

    Raises
    ------
    InvariantError
        If the arrays differ in shape.

    Source: SSE 2026 No. 41, SZSE 2026 No. 551, BSE 2026 No. 17 of 2026-04-24 and predecessors,
    read 2026-11-21; half up A, the cut of BSE and the one-tick rule B.
    """
    if not boards.shape == is_st.shape == prev_close_e4.shape:
        message = (
            "boards, is_st and prev_close_e4 must have one shape, "
            f"were {boards.shape}, {is_st.shape}, {prev_close_e4.shape}"
        )
        raise InvariantError(message)
    limit_bps = _limit_bps_on(trade_date)[boards, is_st.astype(np.intp)]
    is_limited = (limit_bps > 0) & (prev_close_e4 > 0)
    is_cut = boards == Board.BSE
    up_ticks = _up_ticks(prev_close_e4, limit_bps, is_cut)
    down_ticks = _down_ticks(prev_close_e4, limit_bps, is_cut)
    return PriceLimits(
        state=np.where(is_limited, LimitState.LIMITED, LimitState.UNKNOWN).astype(np.uint8),
        up_e4=np.where(is_limited, up_ticks * _TICK_E4, 0),
        down_e4=np.where(is_limited, down_ticks * _TICK_E4, 0),
    )


def _limit_bps_on(trade_date: int) -> Int64Array:
    """Return the limit in force by board and ST flag, (256, 2); 0 where there is no row."""
    table = np.zeros((_BOARD_VALUES, 2), dtype=np.int64)
    for (board, is_st), rows in LIMIT_ROWS.items():
        row = row_on(rows, trade_date)
        if row is not None:
            table[board, int(is_st)] = row.value
    return table


def _up_ticks(
    prev_close_e4: Int64Array,
    limit_bps: Int64Array,
    is_cut: NDArray[np.bool_],
) -> Int64Array:
    exact = prev_close_e4 * (BPS + limit_bps)
    ticks = np.where(is_cut, exact // _UNITS_PER_TICK, _round_half_up(exact))
    return np.maximum(ticks, prev_close_e4 // _TICK_E4 + 1)


def _down_ticks(
    prev_close_e4: Int64Array,
    limit_bps: Int64Array,
    is_cut: NDArray[np.bool_],
) -> Int64Array:
    exact = prev_close_e4 * (BPS - limit_bps)
    # Minus twice: floor division of a negative number rounds up.
    ticks = np.where(is_cut, -(-exact // _UNITS_PER_TICK), _round_half_up(exact))
    return np.maximum(np.minimum(ticks, -(-prev_close_e4 // _TICK_E4) - 1), 1)


def _round_half_up(exact: Int64Array) -> Int64Array:
    return (2 * exact + _UNITS_PER_TICK) // (2 * _UNITS_PER_TICK)
