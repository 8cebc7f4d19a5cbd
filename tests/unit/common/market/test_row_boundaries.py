"""Every row of sessions, cages, lots, settlement and thresholds, the day before and the day of."""

from collections.abc import Callable
from functools import partial

import pytest
from tests.unit.common.market.days import day_beside

from tidegate_common.domain.enums import Board, Exchange
from tidegate_common.market.cage import CAGE_ROWS, cage_rule
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, DatedRow
from tidegate_common.market.lots import LOT_ROWS, ST_BUY_CAP_ROWS, lot_row, st_buy_cap_shares
from tidegate_common.market.programme_trading import THRESHOLD_ROWS, thresholds_on
from tidegate_common.market.sessions import SESSION_ROWS, sessions_on
from tidegate_common.market.settlement import SETTLEMENT_ROWS, settlement_rule

Ask = Callable[[int], object]


def ask_sessions(exchange: Exchange, board: Board, trade_date: int) -> object:
    """Return what the session table says of a day."""
    return sessions_on(exchange=exchange, board=board, trade_date=trade_date)


def ask_settlement(is_same_day: bool, trade_date: int) -> object:  # noqa: FBT001 - a key
    """Return what the settlement table says of a day."""
    return settlement_rule(has_same_day_resale=is_same_day, trade_date=trade_date)


TABLES: dict[str, tuple[tuple[DatedRow[object], ...], Ask]] = {
    **{
        f"sessions {exchange.name} {board.name}": (
            rows,
            partial(ask_sessions, exchange, board),
        )
        for (exchange, board), rows in SESSION_ROWS.items()
    },
    **{
        f"cage {board.name}": (rows, partial(cage_rule, board)) for board, rows in CAGE_ROWS.items()
    },
    **{f"lots {board.name}": (rows, partial(lot_row, board)) for board, rows in LOT_ROWS.items()},
    **{
        f"settlement {is_same_day}": (
            rows,
            partial(ask_settlement, is_same_day),
        )
        for is_same_day, rows in SETTLEMENT_ROWS.items()
    },
    "thresholds": (THRESHOLD_ROWS, thresholds_on),
}


@pytest.mark.parametrize("name", TABLES)
def test_each_row_answers_from_its_first_day_to_its_last(name: str) -> None:
    """The function gives the row itself, with its source, on both of its ends."""
    rows, ask = TABLES[name]

    assert [ask(row.effective_from) for row in rows] == list(rows)
    assert [ask(row.effective_to) for row in rows] == list(rows)
    assert rows[-1].effective_to == LAST_DATE


@pytest.mark.parametrize("name", TABLES)
def test_day_before_each_row_has_the_row_before_or_none(name: str) -> None:
    """A change happens on its day, neither a day early nor with a day of nothing between."""
    rows, ask = TABLES[name]
    before = [None, *rows[:-1]]

    answers = [
        ask(day_beside(row.effective_from, -1)) if row.effective_from != FIRST_DATE else None
        for row in rows
    ]

    assert answers == before


@pytest.mark.parametrize("board", ST_BUY_CAP_ROWS)
def test_buy_cap_begins_on_the_day_of_its_row(board: Board) -> None:
    """None the day before: a cap that is not in force refuses nobody."""
    (row,) = ST_BUY_CAP_ROWS[board]

    assert st_buy_cap_shares(board, day_beside(row.effective_from, -1)) is None
    assert st_buy_cap_shares(board, row.effective_from) == row.value
    assert st_buy_cap_shares(board, row.effective_to) == row.value
