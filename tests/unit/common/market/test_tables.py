"""The list of all tables: nothing is missing, and every value reads as text."""

import pkgutil
from importlib import import_module

import pytest

import tidegate_common.market
from tidegate_common.domain.enums import LimitState
from tidegate_common.market.cage import CageRule
from tidegate_common.market.dated import DatedRow
from tidegate_common.market.lots import LotRule
from tidegate_common.market.price_limits import LimitRule
from tidegate_common.market.tables import (
    RULE_TABLES,
    clock_text,
    describe_cage,
    describe_limit,
    describe_lot,
    describe_tick,
)

# Dates of the specification at which a rule begins, by rule, without those of `FIRST_DATE`.
BEGINNINGS = {
    "sessions": {2018_08_20, 2019_07_22, 2020_08_24, 2021_11_15, 2026_07_06},
    "board by prefix": {2019_07_22, 2021_11_15, 2024_04_22},
    "offering, by listing date": {2014_06_13, 2019_07_22, 2020_08_24, 2021_11_15, 2023_04_10},
    "price limit": {
        *(1996_12_16, 2014_06_13, 2019_07_22, 2020_08_24, 2021_11_15, 2023_04_10, 2026_07_06),
    },
    "price cage": {2019_07_22, 2020_08_24, 2023_04_10},
    "market orders": {2019_07_22, 2023_04_10},
    "ST buy cap": {2013_01_01, 2026_08_31},
    "stamp duty": {2007_05_30, 2008_04_24, 2008_09_19, 2023_08_28},
    "transfer fee": {2012_06_01, 2012_09_01, 2015_08_01, 2022_04_29},
    "handling fee": {2015_08_01, 2023_08_28},
    "regulatory fee": {2012_01_01},
    "dividend tax, by record date": {2013_01_01, 2015_09_08},
    "programme trading": {2025_07_07},
}


def rows_in(value: object) -> set[object]:
    """Return the dated rows that a module's constant holds."""
    if isinstance(value, DatedRow):
        return {value}
    if isinstance(value, dict):
        return {found for each in value.values() for found in rows_in(each)}
    if isinstance(value, tuple):
        return {found for each in value for found in rows_in(each)}
    return set()


def test_rule_tables_hold_every_table_of_the_market() -> None:
    """A table that is not listed is neither documented nor tested at its boundaries."""
    listed = {row for table in RULE_TABLES for row in table.rows}

    forgotten = [
        f"{module.name}.{name}"
        for module in pkgutil.iter_modules(tidegate_common.market.__path__)
        for name, value in vars(import_module(f"tidegate_common.market.{module.name}")).items()
        if name.endswith("_ROWS") and not name.startswith("_") and not rows_in(value) <= listed
    ]

    assert forgotten == []


@pytest.mark.parametrize(("rule", "dates"), BEGINNINGS.items(), ids=BEGINNINGS)
def test_rule_tables_change_on_the_dates_of_the_specification(rule: str, dates: set[int]) -> None:
    """A date that was lost takes a rule with it."""
    begun = {
        row.effective_from for table in RULE_TABLES if table.rule == rule for row in table.rows
    }

    assert dates <= begun


def test_rule_tables_texts_stand_beside_their_rows() -> None:
    """A document pairs them; an empty text would say nothing."""
    assert all(len(table.rows) == len(table.texts) for table in RULE_TABLES)
    assert all(text for table in RULE_TABLES for text in table.texts)
    assert all(table.rows and table.segment for table in RULE_TABLES)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (LimitRule(LimitState.LIMITED, 1_000, -1_000), "-10% to +10%"),
        (LimitRule(LimitState.LIMITED, 4_400, -3_600), "-36% to +44%"),
        (LimitRule(LimitState.UNLIMITED, 0, 0), "none"),
    ],
)
def test_describe_limit_tells_both_sides(rule: LimitRule, text: str) -> None:
    """The band of a first day is not the same up and down."""
    assert describe_limit(rule) == text


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (CageRule(LimitState.UNLIMITED), "none"),
        (CageRule(LimitState.LIMITED, 200), "2%"),
        (CageRule(LimitState.LIMITED, 200, 10), "2%, at least 10 ticks"),
        (CageRule(LimitState.LIMITED, 200, is_dormant=True), "2%; orders outside wait"),
    ],
)
def test_describe_cage_tells_what_widens_it_and_what_becomes_of_orders(
    rule: CageRule,
    text: str,
) -> None:
    """ChiNext's orders outside waited, others are refused."""
    assert describe_cage(rule) == text


def test_describe_lot_without_a_maximum_says_none() -> None:
    """At most 0 shares would read as a rule; what nobody knows is refused."""
    text = describe_lot(LotRule(100, 1, 1_000_000, 0))

    assert text == (
        "from 100 by 1; at most 1,000,000 in a limit order, none in a market order, "
        "none after hours"
    )


def test_describe_tick_and_clock_are_as_people_write_them() -> None:
    """Nobody reads seconds of the day or 1/10,000 CNY."""
    assert describe_tick(10) == "0.001 CNY"
    assert clock_text(9 * 3_600 + 15 * 60) == "09:15"
