"""The form of the rule book: dated rows in order, each with its source."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from tidegate_common.market.board import PREFIX_ROWS
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence, DatedRow, row_on
from tidegate_common.market.fees import STAMP_DUTY_ROWS, TRANSFER_FEE_ROWS
from tidegate_common.market.lots import LOT_ROWS, TICK_ROWS
from tidegate_common.market.price_limits import LIMIT_ROWS
from tidegate_common.market.sessions import SESSION_ROWS, shanghai_date, shanghai_ns

ROWS = (
    DatedRow(2020_01_01, 2020_06_30, "first", "test", Confidence.A),
    DatedRow(2020_08_01, LAST_DATE, "second", "test", Confidence.D),
)
TABLES: dict[str, Sequence[DatedRow[object]]] = {
    "stamp duty": STAMP_DUTY_ROWS,
    "transfer fee": TRANSFER_FEE_ROWS,
    **{f"limit {key}": rows for key, rows in LIMIT_ROWS.items()},
    **{f"sessions {key}": rows for key, rows in SESSION_ROWS.items()},
    **{f"prefix {key}": (row,) for key, row in PREFIX_ROWS.items()},
    **{f"lots {key}": (row,) for key, row in LOT_ROWS.items()},
    **{f"tick {key}": (row,) for key, row in TICK_ROWS.items()},
}
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


@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES.keys())
def test_rows_of_each_table_follow_one_another_without_gap(
    rows: Sequence[DatedRow[object]],
) -> None:
    """A day between two rows, or in both, would be a slip of the pen in a date."""
    for row, following in pairwise(rows):
        day_after = shanghai_date(shanghai_ns(row.effective_to, 0) + NS_PER_DAY)

        assert following.effective_from == day_after
    assert rows[-1].effective_to == LAST_DATE
    assert all(row.effective_from <= row.effective_to for row in rows)


@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES.keys())
def test_rows_of_each_table_have_a_source_and_real_dates(
    rows: Sequence[DatedRow[object]],
) -> None:
    """A fact without a source cannot be checked by a reader."""
    dates = [date for row in rows for date in (row.effective_from, row.effective_to)]

    assert all(row.source for row in rows)
    assert all(date == FIRST_DATE or shanghai_date(shanghai_ns(date, 0)) == date for date in dates)
