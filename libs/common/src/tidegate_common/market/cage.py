"""The price cage: how far from the market a limit order may be priced in continuous trading.

It is not asked in auctions, for market orders or after hours; whether an order is in such a case
is the caller's to know. A row's confidence is that of the least sure of its facts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Board, LimitState, Side
from tidegate_common.domain.units import BPS, Int64Array
from tidegate_common.errors import InvariantError
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence, DatedRow, row_on
from tidegate_common.market.lots import price_tick_e4


@dataclass(frozen=True, slots=True)
class CageRule:
    """How wide a board's cage is.

    state : UNLIMITED where there is none; never UNKNOWN, which is the lack of a row.
    rate_bps : distance from the reference, basis points of it.
    floor_ticks : the least distance, price ticks.
    is_dormant : an order outside waits in the system until the market comes near; otherwise it
        is rejected. Where no fill of such an order is assumed, both are the same.
    """

    state: LimitState
    rate_bps: int = 0
    floor_ticks: int = 0
    is_dormant: bool = False


CageRows = tuple[DatedRow[CageRule], ...]

_NO_CAGE = CageRule(LimitState.UNLIMITED)
_2_PERCENT_OR_10_TICKS = CageRule(LimitState.LIMITED, rate_bps=200, floor_ticks=10)
_SHARES_2023 = "SSE 2023 No. 32, SZSE 2023 No. 98, effective 2023-04-10"

_FUNDS: CageRows = (
    DatedRow(
        FIRST_DATE,
        LAST_DATE,
        _NO_CAGE,
        "SSE and SZSE Trading Rules, no cage for funds, read 2026-11-21",
        Confidence.B,
    ),
)

CAGE_ROWS: dict[Board, CageRows] = {
    Board.MAIN: (
        DatedRow(
            FIRST_DATE,
            2023_04_09,
            _NO_CAGE,
            f"no cage on the main board before {_SHARES_2023}",
            Confidence.A,
        ),
        DatedRow(2023_04_10, LAST_DATE, _2_PERCENT_OR_10_TICKS, _SHARES_2023, Confidence.A),
    ),
    Board.CHINEXT: (
        DatedRow(
            2009_10_30,
            2020_08_23,
            _NO_CAGE,
            "no cage on ChiNext before the Trading Special Rules, effective 2020-08-24",
            Confidence.B,
        ),
        DatedRow(
            2020_08_24,
            2023_04_09,
            CageRule(LimitState.LIMITED, rate_bps=200, is_dormant=True),
            "SZSE ChiNext Trading Special Rules, effective 2020-08-24",
            Confidence.B,
        ),
        DatedRow(
            2023_04_10,
            LAST_DATE,
            _2_PERCENT_OR_10_TICKS,
            "SZSE 2023 No. 98, effective 2023-04-10",
            Confidence.B,
        ),
    ),
    Board.STAR: (
        DatedRow(
            2019_07_22,
            LAST_DATE,
            # Two sources read the text of 2026 so; one says that ten ticks came on 2023-04-10.
            # Without them the cage is the narrower: the conservative reading.
            CageRule(LimitState.LIMITED, rate_bps=200),
            "SSE STAR Market Trading Rules, effective 2019-07-22; sources conflict on ten ticks",
            Confidence.B,
        ),
    ),
    Board.BSE: (
        DatedRow(
            2021_11_15,
            LAST_DATE,
            # One source says that there is no cage: the conservative reading is that there is.
            CageRule(LimitState.LIMITED, rate_bps=500, floor_ticks=10),
            "BSE Trading Rules, trial 2021-11-15; first date unverified, sources conflict",
            Confidence.C,
        ),
    ),
    Board.ETF: _FUNDS,
    Board.ETF_GROWTH: _FUNDS,
}

# A board travels as uint8: every value of it has a row, known or not.
_BOARD_VALUES = 256


@dataclass(frozen=True, slots=True)
class PriceCage:
    """The highest price of a buy and the lowest of a sell, and the rule that says so.

    buy_cap_e4, sell_floor_e4 : 0 unless LIMITED.
    rule : None where the rule book has no row.
    """

    state: LimitState
    buy_cap_e4: int
    sell_floor_e4: int
    rule: DatedRow[CageRule] | None


@dataclass(frozen=True, slots=True)
class PriceCages:
    """Price cages, one row an instrument.

    state : (n,) uint8, `LimitState`.
    buy_cap_e4, sell_floor_e4 : (n,) int64; 0 unless LIMITED.
    """

    state: NDArray[np.uint8]
    buy_cap_e4: Int64Array
    sell_floor_e4: Int64Array


def cage_rule(board: Board, trade_date: int) -> DatedRow[CageRule] | None:
    """Return the rule of a board on a day, None where the rule book has no row.

    Source: trading rules of the exchanges, row by row in `CAGE_ROWS`, read 2026-11-21.
    """
    return row_on(CAGE_ROWS.get(board, ()), trade_date)


def cage_reference_e4(
    *,
    side: Side,
    bid_e4: int,
    ask_e4: int,
    last_e4: int,
    prev_close_e4: int,
) -> int:
    """Return the price from which a cage is measured.

    The best price of the other side, else the own side's, else the last trade, else the previous
    close. A price that is not positive is none; 0 where there is no price at all.

    Source: SSE 2026 No. 41, SZSE 2026 No. 551 and predecessors, read 2026-11-21 (A).
    """
    other_e4, own_e4 = (ask_e4, bid_e4) if side is Side.BUY else (bid_e4, ask_e4)
    for price_e4 in (other_e4, own_e4, last_e4, prev_close_e4):
        if price_e4 > 0:
            return price_e4
    return 0


def price_cage(
    *,
    board: Board,
    trade_date: int,
    buy_reference_e4: int,
    sell_reference_e4: int,
) -> PriceCage:
    """Return the cage around two references, which `cage_reference_e4` tells.

    The wider of the percentage and the ticks, rounded half up to the price tick; a sell's lowest
    price is never below one tick.

    Parameters
    ----------
    buy_reference_e4, sell_reference_e4 : 1/10,000 CNY, below 10^12.

    Returns
    -------
    UNKNOWN where there is no row for the board and day; and where there is a cage, but not both
    references.

    Source: as `cage_rule`; rounding B.
    """
    row = cage_rule(board, trade_date)
    if row is None:
        return PriceCage(LimitState.UNKNOWN, 0, 0, None)
    rule = row.value
    if rule.state is LimitState.UNLIMITED:
        return PriceCage(LimitState.UNLIMITED, 0, 0, row)
    if buy_reference_e4 <= 0 or sell_reference_e4 <= 0:
        return PriceCage(LimitState.UNKNOWN, 0, 0, row)
    tick_e4 = price_tick_e4(board)
    floor_e4 = rule.floor_ticks * tick_e4
    cap = max(buy_reference_e4 * (BPS + rule.rate_bps), (buy_reference_e4 + floor_e4) * BPS)
    floor = min(sell_reference_e4 * (BPS - rule.rate_bps), (sell_reference_e4 - floor_e4) * BPS)
    unit = tick_e4 * BPS
    return PriceCage(
        state=LimitState.LIMITED,
        buy_cap_e4=(2 * cap + unit) // (2 * unit) * tick_e4,
        sell_floor_e4=max((2 * floor + unit) // (2 * unit), 1) * tick_e4,
        rule=row,
    )


def price_cages(
    *,
    boards: NDArray[np.uint8],
    trade_date: int,
    buy_reference_e4: Int64Array,
    sell_reference_e4: Int64Array,
) -> PriceCages:
    """Return `price_cage` elementwise, without the rules.

    Parameters
    ----------
    boards : (n,) uint8, `Board`; a number that is none is UNKNOWN.
    trade_date : YYYYMMDD, Shanghai.
    buy_reference_e4, sell_reference_e4 : (n,) int64, 1/10,000 CNY, below 10^12.

    Raises
    ------
    InvariantError
        If the arrays differ in shape.

    Source: as `price_cage`.
    """
    if not boards.shape == buy_reference_e4.shape == sell_reference_e4.shape:
        message = (
            "boards, buy_reference_e4 and sell_reference_e4 must have one shape, were "
            f"{boards.shape}, {buy_reference_e4.shape}, {sell_reference_e4.shape}"
        )
        raise InvariantError(message)
    state, rate_bps, floor_e4, tick_e4 = _rules_by_board(trade_date).take(boards, axis=1)
    has_references = (buy_reference_e4 > 0) & (sell_reference_e4 > 0)
    is_limited = (state == LimitState.LIMITED) & has_references
    cap = np.maximum(buy_reference_e4 * (BPS + rate_bps), (buy_reference_e4 + floor_e4) * BPS)
    floor = np.minimum(sell_reference_e4 * (BPS - rate_bps), (sell_reference_e4 - floor_e4) * BPS)
    unit = tick_e4 * BPS
    cap_ticks = (2 * cap + unit) // (2 * unit)
    floor_ticks = np.maximum((2 * floor + unit) // (2 * unit), 1)
    is_unlimited = state == LimitState.UNLIMITED
    return PriceCages(
        state=np.where(is_limited | is_unlimited, state, LimitState.UNKNOWN).astype(np.uint8),
        buy_cap_e4=np.where(is_limited, cap_ticks * tick_e4, 0),
        sell_floor_e4=np.where(is_limited, floor_ticks * tick_e4, 0),
    )


def _rules_by_board(trade_date: int) -> Int64Array:
    """Return state, rate, least distance and tick by board, (4, 256); UNKNOWN without a row."""
    table = np.zeros((4, _BOARD_VALUES), dtype=np.int64)
    table[3] = price_tick_e4(Board.UNKNOWN)
    for board in CAGE_ROWS:
        row = cage_rule(board, trade_date)
        if row is not None:
            rule, tick_e4 = row.value, price_tick_e4(board)
            table[:, board] = (rule.state, rule.rate_bps, rule.floor_ticks * tick_e4, tick_e4)
    return table
