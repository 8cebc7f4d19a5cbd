"""The form of the rule book: dated rows in order, each with its source."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from tidegate_common.domain.enums import Board, ListingStage
from tidegate_common.market.board import PREFIX_ROWS
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence, DatedRow, row_on
from tidegate_common.market.dividend_tax import DIVIDEND_TAX_ROWS
from tidegate_common.market.fees import (
    FUND_HANDLING_FEE_ROWS,
    FUND_STAMP_DUTY_ROWS,
    FUND_TRANSFER_FEE_ROWS,
    HANDLING_FEE_ROWS,
    REGULATORY_FEE_ROWS,
    STAMP_DUTY_ROWS,
    TRANSFER_FEE_ROWS,
)
from tidegate_common.market.lots import LOT_ROWS, TICK_ROWS
from tidegate_common.market.price_limits import LIMIT_ROWS
from tidegate_common.market.sessions import SESSION_ROWS, shanghai_date, shanghai_ns

ROWS = (
    DatedRow(2020_01_01, 2020_06_30, "first", "test", Confidence.A),
    DatedRow(2020_08_01, LAST_DATE, "second", "test", Confidence.D),
)
TABLES: dict[str, Sequence[DatedRow[object]]] = {
    "stamp duty": STAMP_DUTY_ROWS,
    "fund stamp duty": FUND_STAMP_DUTY_ROWS,
    "fund transfer fee": FUND_TRANSFER_FEE_ROWS,
    "fund handling fee": FUND_HANDLING_FEE_ROWS,
    "regulatory fee": REGULATORY_FEE_ROWS,
    "dividend tax": DIVIDEND_TAX_ROWS,
    **{f"transfer fee {key.name}": rows for key, rows in TRANSFER_FEE_ROWS.items()},
    **{f"handling fee {key.name}": rows for key, rows in HANDLING_FEE_ROWS.items()},
    **{f"limit {key}": rows for key, rows in LIMIT_ROWS.items()},
    **{f"sessions {key}": rows for key, rows in SESSION_ROWS.items()},
    **{f"prefix {key}": (row,) for key, row in PREFIX_ROWS.items()},
    **{f"lots {key}": rows for key, rows in LOT_ROWS.items()},
    **{f"tick {key}": rows for key, rows in TICK_ROWS.items()},
}
# Rules that ended, or that no source gives for a while: price_limit_rows says why.
WITH_SILENCE = tuple(
    f"limit {key}"
    for key in (
        (Board.MAIN, ListingStage.FIRST_DAYS),
        (Board.MAIN, ListingStage.FIRST_DAY_BAND),
        (Board.MAIN, ListingStage.DELISTING_FIRST_DAY),
        (Board.CHINEXT, ListingStage.FIRST_DAY_BAND),
    )
)
WITHOUT_GAP = {name: rows for name, rows in TABLES.items() if name not in WITH_SILENCE}
NS_PER_DAY = 86_400 * 1_000_000_000


@pytest.mark.parametrize(
    ("trade_date", "expected"),
    [
        (2019_12_31, None),
        (2020_01_01, "first"),
        (2020_06_30, "first"),
        (2020_07_01, None),
        (2020_08_01, "second"),
        (LAST_DATE, "second"),
    ],
)
def test_row_on_boundary_day_includes_both_ends(trade_date: int, expected: str | None) -> None:
    """A rule holds on its first and last day, and silence is None, never a neighbour's value."""
    row = row_on(ROWS, trade_date)

    assert (row.value if row is not None else None) == expected


@pytest.mark.parametrize("rows", WITHOUT_GAP.values(), ids=WITHOUT_GAP.keys())
def test_rows_of_each_table_follow_one_another_without_gap(
    rows: Sequence[DatedRow[object]],
) -> None:
    """A day between two rows, or in both, would be a slip of the pen in a date."""
    for row, following in pairwise(rows):
        day_after = shanghai_date(shanghai_ns(row.effective_to, 0) + NS_PER_DAY)

        assert following.effective_from == day_after
    assert rows[-1].effective_to == LAST_DATE
    assert all(row.effective_from <= row.effective_to for row in rows)


@pytest.mark.parametrize("name", WITH_SILENCE)
def test_rows_of_a_table_with_silence_are_in_order_and_apart(name: str) -> None:
    """A day in two rows would have two answers."""
    rows = TABLES[name]

    assert all(row.effective_from <= row.effective_to for row in rows)
    assert all(row.effective_to < following.effective_from for row, following in pairwise(rows))


@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES.keys())
def test_rows_of_each_table_have_a_source_and_real_dates(
    rows: Sequence[DatedRow[object]],
) -> None:
    """A fact without a source cannot be checked by a reader."""
    dates = [date for row in rows for date in (row.effective_from, row.effective_to)]

    assert all(row.source for row in rows)
    assert all(date == FIRST_DATE or shanghai_date(shanghai_ns(date, 0)) == date for date in dates)
