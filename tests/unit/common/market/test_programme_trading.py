"""From how many messages on trading is high frequency, and a user's own numbers."""

import pytest

from tidegate_common.market.dated import LAST_DATE, Confidence, DatedRow
from tidegate_common.market.programme_trading import ProgrammeTradingThresholds, thresholds_on

OVERRIDE = DatedRow(
    2026_04_07,
    2026_04_30,
    ProgrammeTradingThresholds(messages_per_second=15, messages_per_day=1_000),
    "a test",
    Confidence.D,
)


@pytest.mark.parametrize(
    ("trade_date", "expected"),
    [
        (2024_10_08, None),
        (2025_07_06, None),
        (2025_07_07, ProgrammeTradingThresholds(300, 20_000)),
        # A tightening from this day is claimed and not documented.
        (2026_04_07, ProgrammeTradingThresholds(300, 20_000)),
        (LAST_DATE, ProgrammeTradingThresholds(300, 20_000)),
    ],
)
def test_thresholds_of_day_are_the_exchanges(
    trade_date: int,
    expected: ProgrammeTradingThresholds | None,
) -> None:
    """None before the exchanges' rules; nothing of the unverified claims of 2026."""
    row = thresholds_on(trade_date)

    assert (row.value if row is not None else None) == expected


@pytest.mark.parametrize(
    ("trade_date", "is_override"),
    [(2026_04_06, False), (2026_04_07, True), (2026_04_30, True), (2026_05_01, False)],
)
def test_thresholds_with_override_are_its_own_on_its_days(
    trade_date: int,
    is_override: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    """An override comes with its source, and only on the days that it names."""
    row = thresholds_on(trade_date, OVERRIDE)

    assert (row is OVERRIDE) is is_override
    assert row is not None
    assert row.value.messages_per_second == (15 if is_override else 300)
