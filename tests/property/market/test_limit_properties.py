"""What holds of boards, stages and price limits for every instrument, price and day."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate_common.domain.enums import (
    Board,
    LimitState,
    ListingStage,
    ListingStatus,
    RiskWarning,
)
from tidegate_common.market.board import board_of, boards_of
from tidegate_common.market.calendar import xshg_calendar
from tidegate_common.market.dated import Confidence
from tidegate_common.market.instruments import InstrumentRow, InstrumentTable
from tidegate_common.market.listing import IPO_ROWS, LISTED_LONG_AGO, stage_of, stages_of
from tidegate_common.market.lots import price_tick_e4
from tidegate_common.market.price_limits import LIMIT_ROWS, price_limit, price_limits

ANY_DAY = st.dates().map(lambda day: day.year * 10_000 + day.month * 100 + day.day)
# Days on which something changes, and their neighbours as numbers.
TURNS = sorted(
    {
        day + step
        for rows in (*LIMIT_ROWS.values(), *IPO_ROWS.values())
        for row in rows
        for day in (row.effective_from, row.effective_to)
        for step in (-1, 0, 1)
    },
)
DAYS = ANY_DAY | st.sampled_from(TURNS)
PRICES_E4 = st.integers(-1_000, 10**9)
TICK_PRICES_E4 = st.integers(1, 10**7).map(lambda ticks: ticks * 100)
COVERED_DAYS = st.sampled_from(xshg_calendar().sessions.tolist())
INSTRUMENTS = st.integers(1_600_000, 1_600_004)


@dataclass(frozen=True, slots=True)
class Segment:
    """A percentage in force on the oracle's day, written down a second time."""

    board: Board
    stage: ListingStage
    up_percent: int
    down_percent: int


ORACLE_DAY = 2024_05_06
SEGMENTS = [
    Segment(Board.MAIN, ListingStage.ORDINARY, 10, 10),
    Segment(Board.MAIN, ListingStage.RISK_WARNING, 5, 5),
    Segment(Board.MAIN, ListingStage.DELISTING, 10, 10),
    Segment(Board.CHINEXT, ListingStage.ORDINARY, 20, 20),
    Segment(Board.CHINEXT, ListingStage.RISK_WARNING_IN_DOUBT, 20, 20),
    Segment(Board.STAR, ListingStage.RISK_WARNING, 20, 20),
    Segment(Board.BSE, ListingStage.ORDINARY, 30, 30),
    Segment(Board.ETF, ListingStage.ORDINARY, 10, 10),
    Segment(Board.ETF_GROWTH, ListingStage.ORDINARY, 20, 20),
]
BAND = Segment(Board.MAIN, ListingStage.FIRST_DAY_BAND, 44, 36)
BAND_DAY = 2019_01_17


@st.composite
def instrument_rows(draw: st.DrawFn) -> list[InstrumentRow]:
    """Return rows of some instruments that share no day."""
    rows = []
    for instrument in draw(st.sets(INSTRUMENTS)):
        ends = sorted(draw(st.sets(st.sampled_from(TURNS) | COVERED_DAYS, max_size=8)))
        for first, last in zip(ends[::2], ends[1::2], strict=False):
            listed = draw(st.sampled_from([0, LISTED_LONG_AGO, first]) | COVERED_DAYS)
            rows.append(
                InstrumentRow(
                    instrument=instrument,
                    effective_from=first,
                    effective_to=last,
                    board=draw(st.sampled_from(Board)),
                    status=draw(st.sampled_from(ListingStatus)),
                    risk_warning=draw(st.sampled_from(RiskWarning)),
                    listed=listed,
                    has_same_day_resale=draw(st.booleans()),
                    source="drawn",
                    confidence=Confidence.D,
                ),
            )
    return rows


def round_to(price: Decimal, tick: Decimal, rounding: str) -> Decimal:
    """Return a price in whole ticks, as decimal arithmetic rounds it."""
    return (price / tick).quantize(Decimal(1), rounding) * tick


@given(st.lists(st.integers(-(2**62), 2**62) | st.integers(0, 4_000_000)))
def test_boards_of_any_instruments_equal_scalar(instruments: list[int]) -> None:
    """The array form and the scalar form are one rule."""
    boards = boards_of(np.array(instruments, np.int64))

    assert boards.tolist() == [board_of(instrument) for instrument in instruments]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Board),
            st.sampled_from(RiskWarning),
            st.sampled_from(ListingStatus),
            st.sampled_from([0, LISTED_LONG_AGO]) | DAYS,
            st.integers(0, 8),
            st.integers(0, 3),
        ),
    ),
)
def test_stages_of_any_listings_equal_scalar(
    rows: list[tuple[Board, RiskWarning, ListingStatus, int, int, int]],
) -> None:
    """Engines and persons must see the same first day."""
    columns = [np.array([row[place] for row in rows], np.int64) for place in range(6)]

    stages = stages_of(
        boards=columns[0].astype(np.uint8),
        risk_warning=columns[1].astype(np.uint8),
        status=columns[2].astype(np.uint8),
        listed=columns[3],
        listing_day=columns[4],
        status_day=columns[5],
    )

    assert stages.tolist() == [
        stage_of(
            board=board,
            risk_warning=risk_warning,
            status=status,
            listed=listed,
            listing_day=listing_day,
            status_day=status_day,
        )
        for board, risk_warning, status, listed, listing_day, status_day in rows
    ]


@given(instrument_rows(), COVERED_DAYS, st.lists(INSTRUMENTS | st.integers(-(2**62), 2**62)))
def test_statuses_of_any_instruments_equal_scalar(
    rows: list[InstrumentRow],
    trade_date: int,
    instruments: list[int],
) -> None:
    """One search over all rows finds what a search for each instrument finds."""
    table = InstrumentTable(rows, xshg_calendar())

    columns = table.statuses_on(np.array(instruments, np.int64), trade_date)

    for place, instrument in enumerate(instruments):
        one = table.status_on(instrument, trade_date)
        covering = [
            row
            for row in rows
            if row.instrument == instrument and row.effective_from <= trade_date <= row.effective_to
        ]

        assert ([one.row] if one.row is not None else []) == covering
        for name in ("board", "stage", "status", "risk_warning", "listed", "listing_day"):
            assert getattr(columns, name)[place] == getattr(one, name)
        for name in ("status_from", "status_day", "has_same_day_resale"):
            assert getattr(columns, name)[place] == getattr(one, name)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Board),
            st.sampled_from(ListingStage),
            PRICES_E4,
            st.just(0) | DAYS,
        ),
    ),
    DAYS,
)
def test_price_limits_of_any_instruments_equal_scalar_and_enclose_the_reference(
    rows: list[tuple[Board, ListingStage, int, int]],
    trade_date: int,
) -> None:
    """A band never misses its reference, never reaches 0, and has no number unless LIMITED."""
    columns = [np.array([row[place] for row in rows], np.int64) for place in range(4)]

    limits = price_limits(
        boards=columns[0].astype(np.uint8),
        stages=columns[1].astype(np.uint8),
        prev_close_e4=columns[2],
        trade_date=trade_date,
        status_from=columns[3],
    )

    for place, (board, stage, prev_close_e4, status_from) in enumerate(rows):
        one = price_limit(
            board=board,
            stage=stage,
            prev_close_e4=prev_close_e4,
            trade_date=trade_date,
            status_from=status_from,
        )
        tick_e4 = price_tick_e4(board)

        assert (one.state, one.up_e4, one.down_e4) == (
            limits.state[place],
            limits.up_e4[place],
            limits.down_e4[place],
        )
        if one.state is LimitState.LIMITED:
            assert one.up_e4 > prev_close_e4 > 0
            assert tick_e4 <= one.down_e4 <= max(prev_close_e4, tick_e4)
            assert one.up_e4 % tick_e4 == one.down_e4 % tick_e4 == 0
        else:
            assert (one.up_e4, one.down_e4) == (0, 0)


@given(st.sampled_from(SEGMENTS), TICK_PRICES_E4)
@example(SEGMENTS[1], 17_000)
@example(SEGMENTS[6], 846_300)
@example(SEGMENTS[6], 300)
@example(BAND, 194_400)
def test_price_limits_match_decimal_oracle(segment: Segment, prev_close_e4: int) -> None:
    """Integer arithmetic gives what decimal rounding to the tick gives."""
    is_cut = segment.board is Board.BSE
    is_fund = segment.board in {Board.ETF, Board.ETF_GROWTH}
    tick = Decimal("0.001") if is_fund else Decimal("0.01")
    prev_close = Decimal(prev_close_e4) / 10_000
    up = prev_close * (100 + segment.up_percent) / 100
    down = prev_close * (100 - segment.down_percent) / 100
    up = round_to(up, tick, ROUND_FLOOR if is_cut else ROUND_HALF_UP)
    down = round_to(down, tick, ROUND_CEILING if is_cut else ROUND_HALF_UP)
    up = up if up != prev_close else up + tick
    down = max(down if down != prev_close else down - tick, tick)

    limit = price_limit(
        board=segment.board,
        stage=segment.stage,
        prev_close_e4=prev_close_e4,
        trade_date=BAND_DAY if segment is BAND else ORACLE_DAY,
    )

    assert (limit.state, limit.up_e4, limit.down_e4) == (
        LimitState.LIMITED,
        int(up * 10_000),
        int(down * 10_000),
    )
