"""Boards by exchange and code prefix.

A prefix tells the board of a code that trades today. For history it is not enough, a code may
have had another owner, and it tells no funds: `instruments.InstrumentTable` has validity dates.
"""

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Board, Exchange
from tidegate_common.domain.units import Int64Array
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence, DatedRow

BoardArray = NDArray[np.uint8]
# An exchange and a prefix of two or three digits.
Prefix = tuple[Exchange, str]

_LISTS = "code lists of SSE, SZSE and BSE, read 2026-11-21"


def _row(board: Board, effective_from: int = FIRST_DATE) -> DatedRow[Board]:
    return DatedRow(effective_from, LAST_DATE, board, _LISTS, Confidence.B)


# Codes of shares only: indices (000 in Shanghai), B shares (900, 200), funds and bonds stay
# UNKNOWN, and so do prefixes not seen yet. Boards are told by exchange first, so that 920 of
# Beijing is never taken for "9 = a Shanghai B share". A prefix answers on every day; its dates say
# since when it can be a share of that board.
PREFIX_ROWS: dict[Prefix, DatedRow[Board]] = {
    (Exchange.SH, "600"): _row(Board.MAIN),
    (Exchange.SH, "601"): _row(Board.MAIN),
    (Exchange.SH, "603"): _row(Board.MAIN),
    (Exchange.SH, "605"): _row(Board.MAIN),
    (Exchange.SH, "688"): _row(Board.STAR, 2019_07_22),
    # Depositary receipts trade by the rules of STAR shares.
    (Exchange.SH, "689"): _row(Board.STAR, 2019_07_22),
    (Exchange.SZ, "000"): _row(Board.MAIN),
    (Exchange.SZ, "001"): _row(Board.MAIN),
    (Exchange.SZ, "002"): _row(Board.MAIN),
    (Exchange.SZ, "003"): _row(Board.MAIN),
    (Exchange.SZ, "300"): _row(Board.CHINEXT, 2009_10_30),
    (Exchange.SZ, "301"): _row(Board.CHINEXT, 2009_10_30),
    (Exchange.SZ, "302"): _row(Board.CHINEXT, 2009_10_30),
    (Exchange.BJ, "43"): _row(Board.BSE, 2021_11_15),
    (Exchange.BJ, "83"): _row(Board.BSE, 2021_11_15),
    (Exchange.BJ, "87"): _row(Board.BSE, 2021_11_15),
    (Exchange.BJ, "88"): _row(Board.BSE, 2021_11_15),
    # New listings since 2024-04-22 (six sources; one says October 2024).
    (Exchange.BJ, "920"): _row(Board.BSE, 2024_04_22),
}

# The last three digits of a code number its shares: 600519 is share 519 of prefix 600. Exchanges
# are 1 to 3, so an exchange and a prefix of three digits index a table of 4,000.
_CODES_PER_PREFIX = 1_000
_PREFIXES_PER_EXCHANGE = 1_000
_PREFIX_DIGITS = 3
_TABLE_SIZE = (max(Exchange) + 1) * _PREFIXES_PER_EXCHANGE


def board_of(instrument: int) -> Board:
    """Return the board of an instrument id, `Board.UNKNOWN` where its prefix is not known.

    Source: code lists of the exchanges, read 2026-11-21 (B).
    """
    index = instrument // _CODES_PER_PREFIX
    return Board(int(_TABLE[index])) if 0 <= index < _TABLE_SIZE else Board.UNKNOWN


def boards_of(instruments: Int64Array) -> BoardArray:
    """Return the board of each instrument; equals `board_of` elementwise.

    Parameters
    ----------
    instruments : (n,) int64, instrument ids.

    Returns
    -------
    (n,) uint8, `Board` values.

    Source: code lists of the exchanges, read 2026-11-21 (B).
    """
    index = instruments // _CODES_PER_PREFIX
    is_inside = (index >= 0) & (index < _TABLE_SIZE)
    return np.where(is_inside, _TABLE[np.where(is_inside, index, 0)], _UNKNOWN)


def _build_table() -> BoardArray:
    table = np.full(_TABLE_SIZE, Board.UNKNOWN, dtype=np.uint8)
    for (exchange, prefix), row in PREFIX_ROWS.items():
        span = 10 ** (_PREFIX_DIGITS - len(prefix))
        start = exchange * _PREFIXES_PER_EXCHANGE + int(prefix) * span
        table[start : start + span] = row.value
    table.setflags(write=False)
    return table


_UNKNOWN = np.uint8(Board.UNKNOWN)
_TABLE = _build_table()
