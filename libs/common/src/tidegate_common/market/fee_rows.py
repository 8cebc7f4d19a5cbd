"""Rates of the fees by date: stamp duty, transfer, handling and regulatory fees.

Rates are `_e8`, 1/100,000,000 of what they are charged on, because 0.00341% is 3,410 of them. Both
sides pay each item unless its row says otherwise. Where a rate is unverified (D) the row holds an
upper bound: a fee that is too high refuses an order, one that is too low spends cash that is not
there.
"""

from dataclasses import dataclass
from functools import lru_cache

from tidegate_common.domain.enums import Board, Exchange
from tidegate_common.errors import InvariantError
from tidegate_common.market.dated import (
    FIRST_DATE,
    LAST_DATE,
    Confidence,
    DatedRow,
    Value,
    row_on,
)

RATE_SCALE = 100_000_000


@dataclass(frozen=True, slots=True)
class StampDuty:
    """Stamp duty of each side, in 1/100,000,000 of the turnover."""

    buy_rate_e8: int
    sell_rate_e8: int


@dataclass(frozen=True, slots=True)
class TransferFee:
    """Transfer fee in 1/100,000,000 of the turnover, or of the face value of the shares."""

    rate_e8: int
    is_on_face_value: bool = False


STAMP_DUTY_ROWS: tuple[DatedRow[StampDuty], ...] = (
    # The rule book starts on 2007-05-30. Before it the rate changed often; the conservative reading
    # is the highest one remembered since 1992, on both sides.
    DatedRow(
        FIRST_DATE,
        2007_05_29,
        StampDuty(500_000, 500_000),
        "no source: an upper bound for 1992 to 2007",
        Confidence.D,
    ),
    DatedRow(
        2007_05_30,
        2008_04_23,
        StampDuty(300_000, 300_000),
        "Ministry of Finance, effective 2007-05-30",
        Confidence.B,
    ),
    DatedRow(
        2008_04_24,
        2008_09_18,
        StampDuty(100_000, 100_000),
        "Ministry of Finance, effective 2008-04-24",
        Confidence.B,
    ),
    DatedRow(
        2008_09_19,
        2023_08_27,
        StampDuty(0, 100_000),
        "Ministry of Finance, effective 2008-09-19: sellers only",
        Confidence.A,
    ),
    DatedRow(
        2023_08_28,
        LAST_DATE,
        StampDuty(0, 50_000),
        "MOF and STA 2023 No. 39, effective 2023-08-28",
        Confidence.A,
    ),
)

_FACE_VALUE = "SSE, on the face value of 1 CNY a share, "
_TURNOVER_2015 = "ChinaClear, 0.002% of turnover in both markets, effective 2015-08-01"
_TURNOVER_2022 = "ChinaClear, 0.001% of turnover, effective 2022-04-29"

# Few shares have a face value below 1 CNY, and none a higher one: 1 CNY bounds the fee.
TRANSFER_FEE_ROWS: dict[Exchange, tuple[DatedRow[TransferFee], ...]] = {
    Exchange.SH: (
        DatedRow(
            FIRST_DATE,
            2012_05_31,
            TransferFee(50_000, is_on_face_value=True),
            _FACE_VALUE + "until 2012-05-31",
            Confidence.C,
        ),
        DatedRow(
            2012_06_01,
            2012_08_31,
            TransferFee(37_500, is_on_face_value=True),
            _FACE_VALUE + "effective 2012-06-01",
            Confidence.C,
        ),
        DatedRow(
            2012_09_01,
            2015_07_31,
            TransferFee(30_000, is_on_face_value=True),
            _FACE_VALUE + "effective 2012-09-01",
            Confidence.C,
        ),
        DatedRow(2015_08_01, 2022_04_28, TransferFee(2_000), _TURNOVER_2015, Confidence.B),
        DatedRow(2022_04_29, LAST_DATE, TransferFee(1_000), _TURNOVER_2022, Confidence.A),
    ),
    Exchange.SZ: (
        DatedRow(
            FIRST_DATE,
            2015_07_31,
            TransferFee(2_550),
            "SZSE, 0.00255% of turnover, until 2015-07-31",
            Confidence.C,
        ),
        DatedRow(2015_08_01, 2022_04_28, TransferFee(2_000), _TURNOVER_2015, Confidence.B),
        DatedRow(2022_04_29, LAST_DATE, TransferFee(1_000), _TURNOVER_2022, Confidence.A),
    ),
    Exchange.BJ: (
        # Nothing trades there before it opens. A label, rather than no answer: reading old data
        # must not crash an engine whose checks refuse the order anyway.
        DatedRow(
            FIRST_DATE,
            2021_11_14,
            TransferFee(2_550),
            "no source: BSE opened on 2021-11-15; an upper bound",
            Confidence.D,
        ),
        DatedRow(
            2021_11_15,
            2022_04_28,
            TransferFee(2_000),
            "BSE taken to charge as SSE and SZSE since it opened on 2021-11-15",
            Confidence.D,
        ),
        DatedRow(
            2022_04_29,
            LAST_DATE,
            TransferFee(1_000),
            "ChinaClear, 0.001% of turnover, effective 2022-04-29; one source for BSE",
            Confidence.C,
        ),
    ),
}

# The rates are B; that they began on 2015-08-01 is D.
_HANDLING_2015 = "SSE and SZSE, 0.00487% of turnover, until 2023-08-27; its first day is unverified"
_HANDLING_2023 = "SSE and SZSE, 0.00341% of turnover, effective 2023-08-28"
_SHANGHAI_AND_SHENZHEN: tuple[DatedRow[int], ...] = (
    DatedRow(
        FIRST_DATE,
        2015_07_31,
        14_750,
        "no source: an upper bound, the highest rate remembered of the years before 2015-08-01",
        Confidence.D,
    ),
    DatedRow(2015_08_01, 2023_08_27, 4_870, _HANDLING_2015, Confidence.B),
    DatedRow(2023_08_28, LAST_DATE, 3_410, _HANDLING_2023, Confidence.A),
)

# The exchange's handling fee in 1/100,000,000 of the turnover.
HANDLING_FEE_ROWS: dict[Exchange, tuple[DatedRow[int], ...]] = {
    Exchange.SH: _SHANGHAI_AND_SHENZHEN,
    Exchange.SZ: _SHANGHAI_AND_SHENZHEN,
    Exchange.BJ: (
        DatedRow(
            FIRST_DATE,
            2023_08_27,
            50_000,
            "no source: an upper bound, the highest rate remembered of BSE before 2023-08-28",
            Confidence.D,
        ),
        DatedRow(
            2023_08_28,
            LAST_DATE,
            12_500,
            "BSE, 0.0125% of turnover, effective 2023-08-28",
            Confidence.A,
        ),
    ),
}

# The securities commission's regulatory fee in 1/100,000,000 of the turnover.
REGULATORY_FEE_ROWS: tuple[DatedRow[int], ...] = (
    DatedRow(
        FIRST_DATE,
        2011_12_31,
        4_000,
        "no source: an upper bound, twice the rate of 2012",
        Confidence.D,
    ),
    DatedRow(2012_01_01, LAST_DATE, 2_000, "CSRC, 0.002% of turnover, since 2012", Confidence.B),
)

# Exchange-traded funds. What funds pay as handling fee is not in the rule book; the highest rate of
# shares since 2015 stands for it, so that it never falls below what a share pays.
FUND_STAMP_DUTY_ROWS: tuple[DatedRow[StampDuty], ...] = (
    DatedRow(FIRST_DATE, LAST_DATE, StampDuty(0, 0), "funds pay no stamp duty", Confidence.B),
)
FUND_TRANSFER_FEE_ROWS: tuple[DatedRow[TransferFee], ...] = (
    DatedRow(FIRST_DATE, LAST_DATE, TransferFee(0), "funds pay no transfer fee", Confidence.B),
)
FUND_HANDLING_FEE_ROWS: tuple[DatedRow[int], ...] = (
    DatedRow(FIRST_DATE, 2015_07_31, 14_750, "no source: the bound of shares", Confidence.D),
    DatedRow(2015_08_01, LAST_DATE, 4_870, "no source: the rate of shares in 2015", Confidence.D),
)

_FUNDS = frozenset({Board.ETF, Board.ETF_GROWTH})


@dataclass(frozen=True, slots=True)
class FeeRows:
    """The rows in force for one instrument on one day."""

    stamp_duty: DatedRow[StampDuty]
    transfer_fee: DatedRow[TransferFee]
    handling_fee: DatedRow[int]
    regulatory_fee: DatedRow[int]


# Every order of a beat asks; a run has few boards and one day at a time.
@lru_cache(maxsize=256)
def fee_rows_on(exchange: Exchange, board: Board, trade_date: int) -> FeeRows:
    """Return the fees of a day with their sources.

    An unknown board pays as a share does: the upper reading, since funds only pay less.

    Parameters
    ----------
    trade_date : YYYYMMDD, Shanghai.

    Raises
    ------
    InvariantError
        If the date is none.
    """
    is_fund = board in _FUNDS
    return FeeRows(
        stamp_duty=_row(FUND_STAMP_DUTY_ROWS if is_fund else STAMP_DUTY_ROWS, trade_date),
        transfer_fee=_row(
            FUND_TRANSFER_FEE_ROWS if is_fund else TRANSFER_FEE_ROWS[exchange],
            trade_date,
        ),
        handling_fee=_row(
            FUND_HANDLING_FEE_ROWS if is_fund else HANDLING_FEE_ROWS[exchange],
            trade_date,
        ),
        regulatory_fee=_row(REGULATORY_FEE_ROWS, trade_date),
    )


def _row(rows: tuple[DatedRow[Value], ...], trade_date: int) -> DatedRow[Value]:
    row = row_on(rows, trade_date)
    if row is None:
        message = f"trade_date must be YYYYMMDD, was {trade_date}"
        raise InvariantError(message)
    return row
