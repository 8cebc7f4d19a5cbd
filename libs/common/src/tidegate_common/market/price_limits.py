"""Daily price limits in three states, from the ex-rights reference price.

Rows are in `price_limit_rows`, the stage of a listing comes from `listing`. UNLIMITED is a day
that has no limit, UNKNOWN a day whose limit the rule book does not know; both have the prices 0.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Board, LimitState, ListingStage
from tidegate_common.domain.units import BPS, Int64Array
from tidegate_common.errors import InvariantError
from tidegate_common.market.dated import row_on
from tidegate_common.market.lots import price_tick_e4
from tidegate_common.market.price_limit_rows import LIMIT_ROWS, LimitRow, LimitRule

__all__ = [
    "LIMIT_ROWS",
    "LimitRule",
    "PriceLimit",
    "PriceLimits",
    "price_limit",
    "price_limits",
]

# A board and a stage travel as uint8: every value of them has an answer, known or not.
_BYTE_VALUES = 256
# The tables of so many days are kept, about 600 KB each: a day and the next, some lookbacks.
_TABLES_MAX = 16
# Three months in a YYYYMMDD date, and what makes up for them a year earlier.
_THREE_MONTHS = 3_00
_NINE_MONTHS_OF_LAST_YEAR = 1_00_00 - 9_00


@dataclass(frozen=True, slots=True)
class PriceLimit:
    """A day's price limit of one instrument.

    up_e4, down_e4 : the highest and the lowest price; 0 unless LIMITED.
    rule : the row that says so, None where the rule book is silent.
    """

    state: LimitState
    up_e4: int
    down_e4: int
    rule: LimitRow | None


@dataclass(frozen=True, slots=True)
class PriceLimits:
    """A day's price limits, one row an instrument.

    state : (n,) uint8, `LimitState`.
    up_e4, down_e4 : (n,) int64, the highest and the lowest price; 0 unless LIMITED.
    """

    state: NDArray[np.uint8]
    up_e4: Int64Array
    down_e4: Int64Array


@dataclass(frozen=True, slots=True)
class _Table:
    """Rules as columns: a day's by board x 256 + stage, or those of the rows asked for."""

    state: NDArray[np.uint8]
    up_bps: NDArray[np.int32]
    down_bps: NDArray[np.int32]


def price_limit(
    *,
    board: Board,
    stage: ListingStage,
    prev_close_e4: int,
    trade_date: int,
    status_from: int = 0,
) -> PriceLimit:
    """Return the limit of one instrument on a day, in plain integers.

    Half up to the tick (0.01 CNY, funds 0.001) on SSE and SZSE; on BSE both limits are cut towards
    the previous close. A limit that rounds to the previous close moves one tick away, but never
    below one tick. The first day's band of an offering is a band of valid orders, given as limits.

    Parameters
    ----------
    prev_close_e4 : the ex-rights reference price; on a listing day the issue price.
    trade_date : YYYYMMDD, Shanghai.
    status_from : first day of the delisting period, whose limit stays for all of it; 0 not known,
        which is enough where limits did not change within three months.

    Returns
    -------
    UNKNOWN with 0, 0 where the rule book has no row, or has limits but the previous close is not
    positive.

    Source: row by row in `LIMIT_ROWS`; rounding SSE 2026 No. 41, SZSE 2026 No. 551, BSE 2026
    No. 17 and predecessors, read 2026-11-21; half up A, the cut of BSE and the one-tick rule B.
    """
    row = _row_of(board, stage, trade_date=trade_date, status_from=status_from)
    if row is None:
        return PriceLimit(LimitState.UNKNOWN, 0, 0, None)
    if row.value.state is not LimitState.LIMITED:
        return PriceLimit(row.value.state, 0, 0, row)
    if prev_close_e4 <= 0:
        return PriceLimit(LimitState.UNKNOWN, 0, 0, row)
    tick_e4 = price_tick_e4(board)
    up = prev_close_e4 * (BPS + row.value.up_bps)
    down = prev_close_e4 * (BPS + row.value.down_bps)
    unit = tick_e4 * BPS
    if board is Board.BSE:
        up_ticks, down_ticks = up // unit, -(-down // unit)
    else:
        up_ticks, down_ticks = (2 * up + unit) // (2 * unit), (2 * down + unit) // (2 * unit)
    up_ticks = max(up_ticks, prev_close_e4 // tick_e4 + 1)
    # Minus twice: floor division of a negative number rounds up.
    down_ticks = max(min(down_ticks, -(-prev_close_e4 // tick_e4) - 1), 1)
    return PriceLimit(LimitState.LIMITED, up_ticks * tick_e4, down_ticks * tick_e4, row)


def price_limits(
    *,
    boards: NDArray[np.uint8],
    stages: NDArray[np.uint8],
    prev_close_e4: Int64Array,
    trade_date: int,
    status_from: Int64Array | None = None,
) -> PriceLimits:
    """Return the limits of many instruments on a day; equals `price_limit` elementwise.

    Parameters
    ----------
    boards, stages : (n,) uint8, `Board` and `ListingStage`.
    prev_close_e4 : (n,) int64, below 10^12, as of `price_limit`.
    trade_date : YYYYMMDD, Shanghai.
    status_from : (n,) int64, as of `price_limit`; None is 0 for all.

    Raises
    ------
    InvariantError
        If the arrays differ in shape.

    Source: as `price_limit`.
    """
    begun = np.zeros(boards.shape, np.int64) if status_from is None else status_from
    if not boards.shape == stages.shape == prev_close_e4.shape == begun.shape:
        message = (
            "boards, stages, prev_close_e4 and status_from must have one shape, "
            f"were {boards.shape}, {stages.shape}, {prev_close_e4.shape}, {begun.shape}"
        )
        raise InvariantError(message)
    table = _table_on(trade_date)
    index = boards.astype(np.intp) * _BYTE_VALUES + stages
    rules = _Table(table.state[index], table.up_bps[index], table.down_bps[index])
    if status_from is not None:
        is_dated = (stages == ListingStage.DELISTING) & (status_from > 0)
        _set_delisting(rules, np.flatnonzero(is_dated), boards, status_from, trade_date)
    is_limited = rules.state == LimitState.LIMITED
    is_priced = prev_close_e4 > 0
    rules.state[is_limited & ~is_priced] = LimitState.UNKNOWN
    is_limited &= is_priced
    up_e4, down_e4 = _limits_e4(prev_close_e4, rules, boards)
    return PriceLimits(
        state=rules.state,
        up_e4=np.where(is_limited, up_e4, 0),
        down_e4=np.where(is_limited, down_e4, 0),
    )


def _row_of(
    board: Board,
    stage: ListingStage,
    *,
    trade_date: int,
    status_from: int,
) -> LimitRow | None:
    rows = LIMIT_ROWS.get((board, stage), ())
    if stage is not ListingStage.DELISTING:
        return row_on(rows, trade_date)
    if status_from > trade_date:
        return None
    if status_from > 0:
        return row_on(rows, status_from)
    # The period began at most 30 trading days ago: three months are enough, of any year.
    row = row_on(rows, trade_date)
    return row if row is row_on(rows, _three_months_before(trade_date)) else None


def _three_months_before(date: int) -> int:
    """Return a date to compare with: the day may be one that its month does not have."""
    has_three_months = date // 100 % 100 > _THREE_MONTHS // 100
    return date - (_THREE_MONTHS if has_three_months else _NINE_MONTHS_OF_LAST_YEAR)


@lru_cache(maxsize=_TABLES_MAX)
def _table_on(trade_date: int) -> _Table:
    state = np.zeros(_BYTE_VALUES**2, dtype=np.uint8)
    up_bps, down_bps = np.zeros((2, _BYTE_VALUES**2), dtype=np.int32)
    for board, stage in LIMIT_ROWS:
        row = _row_of(board, stage, trade_date=trade_date, status_from=0)
        if row is not None:
            index = board * _BYTE_VALUES + stage
            state[index] = row.value.state
            up_bps[index], down_bps[index] = row.value.up_bps, row.value.down_bps
    for column in (state, up_bps, down_bps):
        column.setflags(write=False)
    return _Table(state=state, up_bps=up_bps, down_bps=down_bps)


def _set_delisting(
    rules: _Table,
    at: NDArray[np.intp],
    boards: NDArray[np.uint8],
    status_from: Int64Array,
    trade_date: int,
) -> None:
    """Write the rules of delisting periods whose first day is known, a handful of a market."""
    rules.state[at] = LimitState.UNKNOWN
    for (board, stage), rows in LIMIT_ROWS.items():
        if stage is not ListingStage.DELISTING:
            continue
        of_board = at[boards[at] == board]
        for row in rows:
            begun = status_from[of_board]
            last_date = min(row.effective_to, trade_date)
            of_row = of_board[(begun >= row.effective_from) & (begun <= last_date)]
            rules.state[of_row] = row.value.state
            rules.up_bps[of_row] = row.value.up_bps
            rules.down_bps[of_row] = row.value.down_bps


def _limits_e4(
    prev_close_e4: Int64Array,
    rules: _Table,
    boards: NDArray[np.uint8],
) -> tuple[Int64Array, Int64Array]:
    """Return upper and lower limits as if every row were LIMITED with a positive price."""
    tick_e4 = _TICK_E4[boards]
    unit: Int64Array = tick_e4 * BPS
    is_cut = boards == Board.BSE
    # What is added before a division decides how it rounds: nothing down, half a tick to the
    # nearer one, all but nothing of a tick up.
    half = unit // 2
    up = prev_close_e4 * (BPS + rules.up_bps) + np.where(is_cut, 0, half)
    down = prev_close_e4 * (BPS + rules.down_bps) + np.where(is_cut, unit - 1, half)
    above: Int64Array = prev_close_e4 // tick_e4 + 1
    below: Int64Array = -(-prev_close_e4 // tick_e4) - 1
    up_ticks = np.maximum(up // unit, above)
    down_ticks = np.maximum(np.minimum(down // unit, below), 1)
    return up_ticks * tick_e4, down_ticks * tick_e4


def _build_ticks() -> Int64Array:
    ticks = np.full(_BYTE_VALUES, price_tick_e4(Board.UNKNOWN), dtype=np.int64)
    for board in Board:
        ticks[board] = price_tick_e4(board)
    ticks.setflags(write=False)
    return ticks


_TICK_E4 = _build_ticks()
