"""Daily price limits by board and listing stage, as dated rows.

What is UNKNOWN, because a day has no row here, and why:

- anything before 1996-12-16, and ST shares of the main board before 2012;
- the first day of a delisting period before 2023-04-10, but for the main board until
  2020-12-30: new delisting rules came on 2020-12-31, periods under the old ones went on beside
  them, and no source here says which of the two a share was under;
- a relisting before the first one that the data show;
- a share that may be ST or not, on days when that makes a difference.
"""

from dataclasses import dataclass

from tidegate_common.domain.enums import Board, LimitState, ListingStage
from tidegate_common.market.dated import LAST_DATE, Confidence, DatedRow


@dataclass(frozen=True, slots=True)
class LimitRule:
    """A day's limits in basis points of the reference price, with their sign: +1000, -1000.

    0, 0 where the state is UNLIMITED.
    """

    state: LimitState
    up_bps: int
    down_bps: int


Segment = tuple[Board, ListingStage]
LimitRow = DatedRow[LimitRule]
LimitRows = tuple[LimitRow, ...]

_SHARES_2023 = "SSE 2023 No. 32, SZSE 2023 No. 98, effective 2023-04-10"
_SHARES_2026 = "SSE 2026 No. 41, SZSE 2026 No. 551, published 2026-04-24, effective 2026-07-06"
_CHINEXT_2020 = "SZSE 2020 No. 515 and No. 620, effective 2020-08-24"
# The first listings, which the exchanges' lists of shares show too.
_CHINEXT_2009 = "SZSE Trading Rules, since ChiNext's first trading day 2009-10-30"
_STAR_2019 = "SSE STAR Market Trading Rules, effective 2019-07-22"
_BSE_2021 = "BSE Trading Rules, trial 2021-11-15; BSE 2026 No. 17, effective 2026-07-06"
_BAND_2014 = (
    "SSE 2014 No. 37, SZSE 2014 No. 54, effective 2014-06-13: a band of valid orders around the "
    "issue price, no limit on the price; until shares list under registration"
)
_FUNDS = "10% for funds, 20% for those that track STAR or ChiNext: one file"

_UNLIMITED = LimitRule(LimitState.UNLIMITED, 0, 0)


def _within(percent: int) -> LimitRule:
    return LimitRule(LimitState.LIMITED, percent * 100, -percent * 100)


def _row(
    value: LimitRule,
    effective_from: int,
    source: str,
    confidence: Confidence,
    *,
    effective_to: int = LAST_DATE,
) -> LimitRow:
    return DatedRow(effective_from, effective_to, value, source, confidence)


_STAR: LimitRows = (_row(_within(20), 2019_07_22, _STAR_2019, Confidence.A),)
_BSE: LimitRows = (_row(_within(30), 2021_11_15, _BSE_2021, Confidence.A),)
_UNLIMITED_SINCE_2023: LimitRows = (
    # The rule is A; that it began no later than this edition of the trading rules is B.
    _row(_UNLIMITED, 2023_04_10, _SHARES_2023, Confidence.B),
)
_BSE_UNLIMITED: LimitRows = (_row(_UNLIMITED, 2021_11_15, _BSE_2021, Confidence.B),)

_MAIN_ROWS: dict[ListingStage, LimitRows] = {
    ListingStage.ORDINARY: (
        _row(
            _within(10),
            1996_12_16,
            "SSE and SZSE, 10% limit, effective 1996-12-16",
            Confidence.B,
        ),
    ),
    ListingStage.RISK_WARNING: (
        # One file says "2012" and no more; before it the rule book refuses rather than guesses.
        DatedRow(2012_01_01, 2012_12_31, _within(5), "5% for ST, one file: 2012", Confidence.C),
        DatedRow(
            2013_01_01,
            2026_07_05,
            _within(5),
            "SSE 2023 No. 32, SZSE 2023 No. 98 and their predecessors, until 2026-07-05",
            Confidence.A,
        ),
        _row(_within(10), 2026_07_06, _SHARES_2026, Confidence.A),
    ),
    ListingStage.FIRST_DAYS: (
        DatedRow(
            1996_12_16,
            2013_12_12,
            _UNLIMITED,
            "seen in data: 600000.SH traded from 27.00 to 29.80 on 1999-11-10, issued at 10.00",
            Confidence.C,
        ),
        _row(_UNLIMITED, 2023_04_10, _SHARES_2023, Confidence.A),
    ),
    ListingStage.FIRST_DAY_BAND: (
        DatedRow(
            2014_06_13,
            2023_04_09,
            LimitRule(LimitState.LIMITED, 4_400, -3_600),
            _BAND_2014,
            Confidence.A,
        ),
    ),
    ListingStage.RELISTING: (
        DatedRow(
            2021_08_10,
            2023_04_09,
            _UNLIMITED,
            "seen in data: 000792.SZ traded from 32.41 to 43.90 on 2021-08-10, reference 8.84",
            Confidence.C,
        ),
        *_UNLIMITED_SINCE_2023,
    ),
    ListingStage.DELISTING_FIRST_DAY: (
        # Narrow is conservative: were there no limit, an order beyond 10% would be lost, not made.
        DatedRow(
            2013_01_01,
            2020_12_30,
            _within(10),
            "seen in data: 000018.SZ began its 30 trading days on 2019-11-25 at its 10% limit, "
            "0.74 after 0.82; new delisting rules from 2020-12-31",
            Confidence.C,
        ),
        *_UNLIMITED_SINCE_2023,
    ),
    ListingStage.DELISTING: (
        _row(
            _within(10),
            2013_01_01,
            "delisting period, 10% although ST had 5%; seen in data: 000018.SZ, 2019-11-25 on",
            Confidence.B,
        ),
    ),
}
_CHINEXT_ROWS: dict[ListingStage, LimitRows] = {
    ListingStage.ORDINARY: (
        _row(_within(10), 2009_10_30, _CHINEXT_2009, Confidence.A, effective_to=2020_08_23),
        _row(_within(20), 2020_08_24, _CHINEXT_2020, Confidence.A),
    ),
    ListingStage.RISK_WARNING: (
        _row(_within(5), 2009_10_30, _CHINEXT_2009, Confidence.A, effective_to=2020_08_23),
        _row(_within(20), 2020_08_24, _CHINEXT_2020, Confidence.A),
    ),
    ListingStage.FIRST_DAYS: (_row(_UNLIMITED, 2020_08_24, _CHINEXT_2020, Confidence.A),),
    ListingStage.FIRST_DAY_BAND: (
        DatedRow(
            2014_06_13,
            2020_08_23,
            LimitRule(LimitState.LIMITED, 4_400, -3_600),
            _BAND_2014,
            Confidence.A,
        ),
    ),
    ListingStage.RELISTING: _UNLIMITED_SINCE_2023,
    ListingStage.DELISTING_FIRST_DAY: _UNLIMITED_SINCE_2023,
    # Dated by the day on which the period began: three shares of August 2020 stayed at 10%.
    ListingStage.DELISTING: (
        _row(
            _within(10),
            2013_01_01,
            "delisting periods begun before 2020-08-24 kept 10%: three shares of August 2020",
            Confidence.B,
            effective_to=2020_08_23,
        ),
        _row(_within(20), 2020_08_24, _CHINEXT_2020, Confidence.B),
    ),
}
_STAR_ROWS: dict[ListingStage, LimitRows] = {
    ListingStage.ORDINARY: _STAR,
    ListingStage.RISK_WARNING: _STAR,
    ListingStage.FIRST_DAYS: (_row(_UNLIMITED, 2019_07_22, _STAR_2019, Confidence.A),),
    ListingStage.RELISTING: _UNLIMITED_SINCE_2023,
    ListingStage.DELISTING_FIRST_DAY: _UNLIMITED_SINCE_2023,
    ListingStage.DELISTING: (_row(_within(20), 2019_07_22, _STAR_2019, Confidence.B),),
}
_BSE_ROWS: dict[ListingStage, LimitRows] = {
    ListingStage.ORDINARY: _BSE,
    ListingStage.RISK_WARNING: _BSE,
    ListingStage.FIRST_DAYS: (_row(_UNLIMITED, 2021_11_15, _BSE_2021, Confidence.A),),
    ListingStage.RELISTING: _BSE_UNLIMITED,
    ListingStage.DELISTING_FIRST_DAY: _BSE_UNLIMITED,
    ListingStage.DELISTING: (_row(_within(30), 2021_11_15, _BSE_2021, Confidence.B),),
}
# Since the first listed fund, 510050.SH of 2005-02-23; earlier funds were of another kind.
_ETF_ROWS: dict[ListingStage, LimitRows] = {
    ListingStage.ORDINARY: (_row(_within(10), 2005_02_23, _FUNDS, Confidence.C),),
}
_ETF_GROWTH_ROWS: dict[ListingStage, LimitRows] = {
    ListingStage.ORDINARY: (
        _row(_within(10), 2009_10_30, _FUNDS, Confidence.C, effective_to=2020_08_23),
        _row(_within(20), 2020_08_24, _FUNDS, Confidence.C),
    ),
}

_BOARD_ROWS: dict[Board, dict[ListingStage, LimitRows]] = {
    Board.MAIN: _MAIN_ROWS,
    Board.CHINEXT: _CHINEXT_ROWS,
    Board.STAR: _STAR_ROWS,
    Board.BSE: _BSE_ROWS,
    Board.ETF: _ETF_ROWS,
    Board.ETF_GROWTH: _ETF_GROWTH_ROWS,
}


def rows_in_doubt(ordinary: LimitRows, risk_warning: LimitRows) -> LimitRows:
    """Return the rows on whose days it makes no difference whether a share is ST.

    As sure as the less sure of the two that agree.
    """
    return tuple(
        DatedRow(
            max(either.effective_from, other.effective_from),
            min(either.effective_to, other.effective_to),
            either.value,
            f"ST and other shares alike; {other.source}",
            max(either.confidence, other.confidence, key=lambda confidence: confidence.name),
        )
        for either in ordinary
        for other in risk_warning
        if either.value == other.value
        and either.effective_from <= other.effective_to
        and other.effective_from <= either.effective_to
    )


def _build_rows() -> dict[Segment, LimitRows]:
    rows = {
        (board, stage): stage_rows
        for board, by_stage in _BOARD_ROWS.items()
        for stage, stage_rows in by_stage.items()
    }
    for board, by_stage in _BOARD_ROWS.items():
        if ListingStage.RISK_WARNING in by_stage:
            rows[board, ListingStage.RISK_WARNING_IN_DOUBT] = rows_in_doubt(
                by_stage[ListingStage.ORDINARY],
                by_stage[ListingStage.RISK_WARNING],
            )
    return rows


# Dated by the trading day, but for DELISTING: there by the day on which the period began.
LIMIT_ROWS: dict[Segment, LimitRows] = _build_rows()
