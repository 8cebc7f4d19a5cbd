"""Order quantities and price ticks, by board and date.

A row is as sure as the least sure of its facts; where they differ its source says which.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Board
from tidegate_common.domain.units import Int64Array
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence, DatedRow, row_on


@dataclass(frozen=True, slots=True)
class LotRule:
    """What quantities an order may have, in shares.

    A buy is `min_shares` plus a multiple of `step_shares`, at most `max_limit_shares` in a limit
    order, `max_market_shares` in a market order and `max_fixed_price_shares` in an order of
    after-hours trading. A maximum of 0 refuses every quantity.
    """

    min_shares: int
    step_shares: int
    max_limit_shares: int
    max_market_shares: int
    max_fixed_price_shares: int = 0


@dataclass(frozen=True, slots=True)
class LotColumns:
    """The lot rules of a day, one row an instrument.

    All (n,) int64. The maxima are 0 where no rule is known; tick_e4 is the price step.
    """

    min_shares: Int64Array
    step_shares: Int64Array
    max_limit_shares: Int64Array
    max_market_shares: Int64Array
    max_fixed_price_shares: Int64Array
    tick_e4: Int64Array


_REFUSE_ALL = LotRule(100, 100, 0, 0)

_WHOLE_LOTS = "SSE Trading Rules 3.3.8, 3.3.9; SZSE Trading Rules 3.3.8, 3.3.10 (2023)"
_AFTER_HOURS_2026 = "maximum of after-hours orders since 2026-07-06 unverified"

# What trades in lots of 100 up to a million: main board shares, and funds (their maximum C).
_MAIN = (
    DatedRow(
        FIRST_DATE,
        2026_07_05,
        LotRule(100, 100, 1_000_000, 1_000_000),
        _WHOLE_LOTS,
        Confidence.B,
    ),
    DatedRow(
        2026_07_06,
        LAST_DATE,
        LotRule(100, 100, 1_000_000, 1_000_000, 1_000_000),
        f"{_WHOLE_LOTS} (B); {_AFTER_HOURS_2026}",
        Confidence.D,
    ),
)
_FUNDS = (
    DatedRow(
        FIRST_DATE,
        2026_07_05,
        LotRule(100, 100, 1_000_000, 1_000_000),
        f"{_WHOLE_LOTS}, one rule for shares and funds",
        Confidence.C,
    ),
    DatedRow(
        2026_07_06,
        LAST_DATE,
        LotRule(100, 100, 1_000_000, 1_000_000, 1_000_000),
        f"{_WHOLE_LOTS}, one rule for shares and funds (C); {_AFTER_HOURS_2026}",
        Confidence.D,
    ),
)

# No row for `Board.UNKNOWN`: no board, no rule.
LOT_ROWS: dict[Board, tuple[DatedRow[LotRule], ...]] = {
    Board.MAIN: _MAIN,
    Board.CHINEXT: (
        DatedRow(
            2009_10_30,
            2020_08_23,
            LotRule(100, 100, 1_000_000, 1_000_000),
            "SZSE Trading Rules, quantities of the main board (B); unverified for ChiNext",
            Confidence.D,
        ),
        DatedRow(
            2020_08_24,
            LAST_DATE,
            LotRule(100, 100, 300_000, 150_000, 1_000_000),
            "SZSE ChiNext Trading Special Rules 2.8, effective 2020-08-24",
            Confidence.B,
        ),
    ),
    Board.STAR: (
        DatedRow(
            2019_07_22,
            LAST_DATE,
            LotRule(200, 1, 100_000, 50_000, 1_000_000),
            "SSE STAR Market Trading Rules, effective 2019-07-22",
            Confidence.B,
        ),
    ),
    Board.BSE: (
        DatedRow(
            2021_11_15,
            LAST_DATE,
            # No source gives the market order's maximum: the conservative reading refuses market
            # orders.
            LotRule(100, 1, 1_000_000, 0),
            "BSE Trading Rules, trial 2021-11-15; BSE 2026 No. 17, effective 2026-07-06: "
            "100 and 1 (A), maximum of limit orders unverified, of market orders not known",
            Confidence.D,
        ),
    ),
    Board.ETF: _FUNDS,
    Board.ETF_GROWTH: _FUNDS,
}

_SHARE_TICK = (
    DatedRow(
        FIRST_DATE,
        LAST_DATE,
        100,
        "SSE, SZSE and BSE Trading Rules: 0.01 CNY for A shares, read 2026-11-21",
        Confidence.B,
    ),
)
_FUND_TICK = (
    DatedRow(
        FIRST_DATE,
        LAST_DATE,
        10,
        "SSE and SZSE Trading Rules: 0.001 CNY for funds, read 2026-11-21",
        Confidence.B,
    ),
)

# Price steps in 1/10,000 CNY. UNKNOWN has the coarse one: what may be no fund is not given a
# fund's prices.
TICK_ROWS: dict[Board, tuple[DatedRow[int], ...]] = {
    **dict.fromkeys(Board, _SHARE_TICK),
    Board.ETF: _FUND_TICK,
    Board.ETF_GROWTH: _FUND_TICK,
}

# How many shares of one name under risk warning an account may buy in a day. STAR and ChiNext
# have no such cap.
ST_BUY_CAP_ROWS: dict[Board, tuple[DatedRow[int], ...]] = {
    Board.MAIN: (
        DatedRow(
            2013_01_01,
            LAST_DATE,
            500_000,
            "SSE risk-warning board, auction and block trades, since 2013-01-01 (B); "
            "SZSE the same by one file (C)",
            Confidence.C,
        ),
    ),
    Board.BSE: (
        DatedRow(
            2026_08_31,
            LAST_DATE,
            200_000,
            "BSE, risk-warning shares, effective 2026-08-31",
            Confidence.C,
        ),
    ),
}

# A board travels as uint8: every value of it has a row, known or not.
_BOARD_VALUES = 256


def lot_row(board: Board, trade_date: int) -> DatedRow[LotRule] | None:
    """Return the row of the quantities on a board and day, None where there is no rule.

    Source: trading rules of the exchanges, row by row in `LOT_ROWS`, read 2026-11-21.
    """
    return row_on(LOT_ROWS.get(board, ()), trade_date)


def lot_rule(board: Board, trade_date: int) -> LotRule:
    """Return the quantities that orders may have; a rule that refuses all where there is none.

    Source: as `lot_row`.
    """
    row = lot_row(board, trade_date)
    return row.value if row is not None else _REFUSE_ALL


def price_tick_e4(board: Board) -> int:
    """Return the price step on a board: 0.01 CNY for shares, 0.001 CNY for funds.

    Source: trading rules of the exchanges, read 2026-11-21 (B).
    """
    return TICK_ROWS[board][0].value


def lot_columns(boards: NDArray[np.uint8], trade_date: int) -> LotColumns:
    """Return `lot_rule` and `price_tick_e4` elementwise.

    Parameters
    ----------
    boards : (n,) uint8, `Board`; a number that is none counts as UNKNOWN.
    trade_date : YYYYMMDD, Shanghai.

    Source: as `lot_row`.
    """
    return LotColumns(*_columns_by_board(trade_date).take(boards, axis=1))


def st_buy_cap_shares(board: Board, trade_date: int) -> int | None:
    """Return how many shares of a name under risk warning an account may buy in a day.

    None where there is no cap.

    Source: as the rows of `ST_BUY_CAP_ROWS` say (C).
    """
    row = row_on(ST_BUY_CAP_ROWS.get(board, ()), trade_date)
    return row.value if row is not None else None


def round_down_buy(quantity_shares: int, board: Board, *, trade_date: int) -> int:
    """Return the largest valid quantity of a limit buy that is not above the one given.

    0 where none is. A quantity above the board's maximum comes back as the maximum.

    Source: as `lot_row`.
    """
    rule = lot_rule(board, trade_date)
    return _whole_part(min(quantity_shares, rule.max_limit_shares), rule)


def is_valid_buy(quantity_shares: int, board: Board, *, trade_date: int) -> bool:
    """Tell whether a limit buy may have this quantity.

    Source: as `lot_row`.
    """
    rounded_shares = round_down_buy(quantity_shares, board, trade_date=trade_date)
    return quantity_shares > 0 and rounded_shares == quantity_shares


def is_valid_sell(
    *,
    quantity_shares: int,
    sellable_shares: int,
    board: Board,
    trade_date: int,
) -> bool:
    """Tell whether a limit sell may have this quantity, given what can be sold.

    What is left of a holding after its whole lots (on the main board and ChiNext under 100
    shares, elsewhere a holding under the minimum) goes in one order: all of it or none. It may
    go alone or with whole lots: of 250 shares on the main board 50, 100, 150, 200 and 250 are
    valid.

    Source: SSE Trading Rules 3.3.8, SZSE 3.3.8 (2023), STAR and BSE rules; read 2026-11-21 (B).
    """
    rule = lot_rule(board, trade_date)
    if not 0 < quantity_shares <= min(sellable_shares, rule.max_limit_shares):
        return False
    odd_shares = sellable_shares - _whole_part(sellable_shares, rule)
    return any(
        _whole_part(whole_shares, rule) == whole_shares
        for whole_shares in (quantity_shares, quantity_shares - odd_shares)
        if whole_shares >= 0
    )


def _whole_part(quantity_shares: int, rule: LotRule) -> int:
    """Return the largest minimum-plus-steps not above a quantity, 0 where none is."""
    if quantity_shares < rule.min_shares:
        return 0
    steps = (quantity_shares - rule.min_shares) // rule.step_shares
    return rule.min_shares + steps * rule.step_shares


def _columns_by_board(trade_date: int) -> Int64Array:
    """Return the fields of `LotColumns` by board, (6, 256)."""
    unknown = _row_of_columns(Board.UNKNOWN, trade_date)
    table = np.repeat(np.array(unknown, dtype=np.int64)[:, None], _BOARD_VALUES, axis=1)
    for board in Board:
        table[:, board] = _row_of_columns(board, trade_date)
    return table


def _row_of_columns(board: Board, trade_date: int) -> tuple[int, ...]:
    rule = lot_rule(board, trade_date)
    return (
        rule.min_shares,
        rule.step_shares,
        rule.max_limit_shares,
        rule.max_market_shares,
        rule.max_fixed_price_shares,
        price_tick_e4(board),
    )
