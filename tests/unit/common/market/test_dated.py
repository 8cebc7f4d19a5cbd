"""The form of the rule book: dated rows in order, each with its source."""

from itertools import pairwise

import pytest
from tests.unit.common.market.days import day_beside

from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence, DatedRow, row_on
from tidegate_common.market.sessions import shanghai_date, shanghai_ns
from tidegate_common.market.tables import RULE_TABLES, RuleTable

ROWS = (
    DatedRow(2020_01_01, 2020_06_30, "first", "test", Confidence.A),
    DatedRow(2020_08_01, LAST_DATE, "second", "test", Confidence.D),
)
EVERY_ROW = [(table, row) for table in RULE_TABLES for row in table.rows]
# Tables in which the rule book is silent between two rows, on purpose; their modules say why.
WITH_GAPS = {
    ("offering, by listing date", "MAIN"),
    ("price limit", "MAIN FIRST_DAYS"),
    ("price limit", "MAIN DELISTING_FIRST_DAY"),
}


def name_of(value: object) -> str:
    """Return how pytest shows a table or one of its rows."""
    if isinstance(value, RuleTable):
        return f"{value.rule} {value.segment}"
    assert isinstance(value, DatedRow)
    return f"{value.effective_from}-{value.effective_to}"


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


@pytest.mark.parametrize(("table", "row"), EVERY_ROW, ids=name_of)
def test_row_of_the_rule_book_answers_on_its_first_and_last_day_and_not_beside(
    table: RuleTable,
    row: DatedRow[object],
) -> None:
    """The day before a change and the day of it are where a rule book is wrong."""
    place = table.rows.index(row)
    before = table.rows[place - 1] if place > 0 else None
    after = table.rows[place + 1] if place + 1 < len(table.rows) else None

    assert row_on(table.rows, row.effective_from) is row
    assert row_on(table.rows, row.effective_to) is row
    if row.effective_from != FIRST_DATE:
        found = row_on(table.rows, day_beside(row.effective_from, -1))
        assert found is None or found is before
    if row.effective_to != LAST_DATE:
        found = row_on(table.rows, day_beside(row.effective_to, 1))
        assert found is None or found is after


@pytest.mark.parametrize("table", RULE_TABLES, ids=name_of)
def test_rows_of_each_table_follow_one_another(table: RuleTable) -> None:
    """A day in two rows, or an unmeant day between two, is a slip of the pen in a date."""
    gaps = [
        (row.effective_to, following.effective_from)
        for row, following in pairwise(table.rows)
        if following.effective_from != day_beside(row.effective_to, 1)
    ]

    assert bool(gaps) is ((table.rule, table.segment) in WITH_GAPS)
    assert all(ended < begun for ended, begun in gaps)
    assert all(row.effective_from <= row.effective_to for row in table.rows)
    assert table.rows[-1].effective_to == LAST_DATE or table.segment.split()[-1] == "FIRST_DAY_BAND"


@pytest.mark.parametrize(("table", "row"), EVERY_ROW, ids=name_of)
def test_row_of_the_rule_book_has_a_source_and_real_dates(
    table: RuleTable,
    row: DatedRow[object],
) -> None:
    """A fact without a source cannot be checked by a reader."""
    dates = [row.effective_from, row.effective_to]

    assert row.source.strip()
    assert all(date == FIRST_DATE or shanghai_date(shanghai_ns(date, 0)) == date for date in dates)
