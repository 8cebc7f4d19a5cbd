"""What an order costs: the broker's commission, stamp duty and transfer fee.

Handling and regulatory fees are part of the commission rate of the contract.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tidegate_common.domain.enums import Side
from tidegate_common.domain.units import divide_half_up
from tidegate_common.errors import InvariantError
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence, DatedRow, Value, row_on

# Rates are millionths of the turnover: 0.05% is 500.
RATE_SCALE = 1_000_000


@dataclass(frozen=True, slots=True)
class StampDuty:
    """Stamp duty of each side, in millionths of the turnover."""

    buy_rate_e6: int
    sell_rate_e6: int


STAMP_DUTY_ROWS: tuple[DatedRow[StampDuty], ...] = (
    # The rule book starts on 2007-05-30. Before it the rate changed often; the conservative reading
    # is the highest one remembered since 1992, on both sides.
    DatedRow(
        FIRST_DATE,
        2007_05_29,
        StampDuty(5_000, 5_000),
        "no source: an upper bound for 1992 to 2007",
        Confidence.D,
    ),
    DatedRow(
        2007_05_30,
        2008_04_23,
        StampDuty(3_000, 3_000),
        "Ministry of Finance, effective 2007-05-30",
        Confidence.B,
    ),
    DatedRow(
        2008_04_24,
        2008_09_18,
        StampDuty(1_000, 1_000),
        "Ministry of Finance, effective 2008-04-24",
        Confidence.B,
    ),
    DatedRow(
        2008_09_19,
        2023_08_27,
        StampDuty(0, 1_000),
        "Ministry of Finance, effective 2008-09-19: sellers only",
        Confidence.A,
    ),
    DatedRow(
        2023_08_28,
        LAST_DATE,
        StampDuty(0, 500),
        "MOF and STA 2023 No. 39, effective 2023-08-28",
        Confidence.A,
    ),
)

# Until 2015-07-31 Shanghai charged by face value and Shenzhen 0.00255% of the turnover. An order's
# turnover tells neither its face value nor its exchange, so these rows charge Shanghai's rate on
# the turnover: at or above the true fee for every share that costs its face value of 1 CNY or more.
_FACE_VALUE = "SSE rate on face value, read as a rate on turnover (an upper bound); effective "

TRANSFER_FEE_ROWS: tuple[DatedRow[int], ...] = (
    DatedRow(FIRST_DATE, 2012_05_31, 500, _FACE_VALUE + "until 2012-05-31", Confidence.D),
    DatedRow(2012_06_01, 2012_08_31, 375, _FACE_VALUE + "2012-06-01", Confidence.D),
    DatedRow(2012_09_01, 2015_07_31, 300, _FACE_VALUE + "2012-09-01", Confidence.D),
    DatedRow(
        2015_08_01,
        2022_04_28,
        20,
        "ChinaClear, 0.002% of turnover in both markets, effective 2015-08-01",
        Confidence.B,
    ),
    DatedRow(
        2022_04_29,
        LAST_DATE,
        10,
        "ChinaClear, 0.001% of turnover, effective 2022-04-29",
        Confidence.A,
    ),
)


@dataclass(frozen=True, slots=True)
class Fees:
    """Fees of an order, each item in whole fen."""

    commission_fen: int
    stamp_duty_fen: int
    transfer_fee_fen: int

    @property
    def total_fen(self) -> int:
        """Return the sum of all items."""
        return self.commission_fen + self.stamp_duty_fen + self.transfer_fee_fen


class FeeSchedule:
    """Fees by side, turnover and day, under one broker's contract.

    Parameters
    ----------
    commission_rate_e6 : millionths of the turnover, handling and regulatory fees included.
    commission_minimum_fen : least commission of an order that has a fill.

    Raises
    ------
    InvariantError
        If either is negative.
    """

    def __init__(self, *, commission_rate_e6: int, commission_minimum_fen: int) -> None:
        if commission_rate_e6 < 0 or commission_minimum_fen < 0:
            message = (
                "commission_rate_e6 and commission_minimum_fen must be >= 0, "
                f"were {commission_rate_e6} and {commission_minimum_fen}"
            )
            raise InvariantError(message)
        self._commission_rate_e6 = commission_rate_e6
        self._commission_minimum_fen = commission_minimum_fen

    def order_fees(self, *, side: Side, amount_fen: int, trade_date: int) -> Fees:
        """Return the fees of an order whose fills so far amount to `amount_fen`.

        Each item is rounded half up to the fen for the order, not for the fill: a fill costs
        the order's fees after it less those before it, so the fills always add up and the
        minimum commission is charged once.

        Parameters
        ----------
        side : side of the order.
        amount_fen : turnover of its fills, >= 0; 0 costs nothing.
        trade_date : YYYYMMDD, Shanghai.

        Raises
        ------
        InvariantError
            If the amount is negative or the date is none.

        Source: MOF and STA 2023 No. 39 (A), ChinaClear 2022-04-29 (A), earlier rows as marked;
        the minimum is per order (contract); read 2026-11-21.
        """
        if amount_fen < 0:
            message = f"amount_fen must be >= 0, was {amount_fen}"
            raise InvariantError(message)
        if amount_fen == 0:
            return Fees(0, 0, 0)
        stamp_duty = _value_on(STAMP_DUTY_ROWS, trade_date)
        stamp_rate_e6 = stamp_duty.buy_rate_e6 if side is Side.BUY else stamp_duty.sell_rate_e6
        commission_fen = _share_fen(amount_fen, self._commission_rate_e6)
        return Fees(
            commission_fen=max(commission_fen, self._commission_minimum_fen),
            stamp_duty_fen=_share_fen(amount_fen, stamp_rate_e6),
            transfer_fee_fen=_share_fen(amount_fen, _value_on(TRANSFER_FEE_ROWS, trade_date)),
        )

    def buy_cost_bound_fen(self, amount_fen: int, trade_date: int) -> int:
        """Return the cash that a buy of up to `amount_fen` can cost: the amount and its fees.

        Fees never fall as the amount grows, so this bounds every partial fill too.
        """
        fees = self.order_fees(side=Side.BUY, amount_fen=amount_fen, trade_date=trade_date)
        return amount_fen + fees.total_fen


def _share_fen(amount_fen: int, rate_e6: int) -> int:
    return divide_half_up(amount_fen * rate_e6, RATE_SCALE)


def _value_on(rows: Iterable[DatedRow[Value]], trade_date: int) -> Value:
    row = row_on(rows, trade_date)
    if row is None:
        message = f"trade_date must be YYYYMMDD, was {trade_date}"
        raise InvariantError(message)
    return row.value
