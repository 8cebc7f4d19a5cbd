"""From how many messages on an account counts as a high-frequency trader.

The CSRC's rules, in force since 2024-10-08, name no numbers: no row. The exchanges' detailed
rules of 2025-04-03 do. Several files of 2026 claim a tightening from 2026-04-07 (15 messages a
second, a 15 % cancel ratio, orders that rest at least 50 microseconds): no official document was
found and their text looks copied, so those claims are not rows. Who has a document brings it as
an override, which carries its own source.
"""

from dataclasses import dataclass

from tidegate_common.market.dated import LAST_DATE, Confidence, DatedRow, row_on


@dataclass(frozen=True, slots=True)
class ProgrammeTradingThresholds:
    """Orders and cancels of one account together; this many or more are high frequency."""

    messages_per_second: int
    messages_per_day: int


THRESHOLD_ROWS: tuple[DatedRow[ProgrammeTradingThresholds], ...] = (
    DatedRow(
        2025_07_07,
        LAST_DATE,
        ProgrammeTradingThresholds(messages_per_second=300, messages_per_day=20_000),
        "detailed programme trading rules of the exchanges of 2025-04-03, effective 2025-07-07",
        Confidence.B,
    ),
)


def thresholds_on(
    trade_date: int,
    override: DatedRow[ProgrammeTradingThresholds] | None = None,
) -> DatedRow[ProgrammeTradingThresholds] | None:
    """Return the thresholds of a day, None where there are none.

    Parameters
    ----------
    trade_date : YYYYMMDD, Shanghai.
    override : a user's own row, with its own source, which comes first on the days it names.

    Source: row by row in `THRESHOLD_ROWS`, read 2026-11-21.
    """
    rows = THRESHOLD_ROWS if override is None else (override, *THRESHOLD_ROWS)
    return row_on(rows, trade_date)
