"""Bench `rules`: what a day's rules cost for every A-share, as arrays and one by one."""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

import numpy as np

from tidegate_cli.bench.frame import BenchReport, Better, Metric, median_ns, with_goal
from tidegate_cli.bench.options import BenchOptions
from tidegate_common.domain.enums import Board, LimitState, ListingStage, ListingStatus, RiskWarning
from tidegate_common.domain.units import PRICE_SCALE, Int64Array
from tidegate_common.market.board import PREFIX_ROWS, board_of, boards_of
from tidegate_common.market.calendar import xshg_calendar
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence
from tidegate_common.market.instruments import InstrumentRow, InstrumentTable
from tidegate_common.market.listing import LISTED_LONG_AGO
from tidegate_common.market.price_limits import price_limit, price_limits
from tidegate_common.market.rulebook import RuleBook

# Every A-share, and what their limits may cost a beat.
INSTRUMENTS: Final = 5_500
LIMITS_GOAL_US: Final = 1_000.0
REPEATS: Final = 7
_CALLS_PER_REPEAT: Final = 20
_SEED: Final = 7
_DATE: Final = 2023_06_01
_NS_PER_US: Final = 1_000
_CENT: Final = Decimal("0.01")


def bench_rules(options: BenchOptions) -> BenchReport:
    """Measure limits and whole rule columns, beside a loop over exact decimals."""
    instruments, prev_close_e4 = _market()
    calendar = xshg_calendar()
    book = RuleBook(InstrumentTable(map(_row, instruments.tolist()), calendar), calendar)
    boards = boards_of(instruments)
    stages = np.full(INSTRUMENTS, ListingStage.ORDINARY, dtype=np.uint8)
    prices = prev_close_e4.tolist()
    first, first_price = int(instruments[0]), prices[0]

    def limits() -> object:
        return price_limits(
            boards=boards, stages=stages, prev_close_e4=prev_close_e4, trade_date=_DATE
        )

    def columns() -> object:
        return book.columns_on(instruments, _DATE, prev_close_e4=prev_close_e4)

    limits_us = _per_call_us(options, limits)
    columns_us = _per_call_us(options, columns)
    scalar_us = _per_call_us(options, lambda: book.on(first, _DATE, prev_close_e4=first_price))
    naive_us = _per_call_us(options, lambda: decimal_limits(boards.tolist(), prices), calls=1)
    results = (
        with_goal(
            f"limits_{INSTRUMENTS}_instruments",
            round(limits_us, 1),
            "us",
            goal=LIMITS_GOAL_US,
            better=Better.LESS,
        ),
        Metric(f"columns_{INSTRUMENTS}_instruments", round(columns_us, 1), "us"),
        Metric("rules_of_one_instrument", round(scalar_us, 2), "us"),
        Metric(f"decimal_loop_{INSTRUMENTS}_instruments", round(naive_us, 1), "us"),
    )
    ratios = {
        "limits_to_decimal_loop": round(limits_us / naive_us, 4),
        "columns_to_decimal_loop": round(columns_us / naive_us, 4),
    }
    return BenchReport("rules", results, ratios)


def decimal_limits(boards: list[int], prev_close_e4: list[int]) -> list[tuple[Decimal, Decimal]]:
    """Return the limits as one would first write them: a share at a time, in decimals."""
    rates = {board: _rate(board) for board in set(boards)}
    limits = []
    for board, price_e4 in zip(boards, prev_close_e4, strict=True):
        close, rate = Decimal(price_e4) / PRICE_SCALE, rates[board]
        up = (close * (1 + rate)).quantize(_CENT, rounding=ROUND_HALF_UP)
        down = (close * (1 - rate)).quantize(_CENT, rounding=ROUND_HALF_UP)
        limits.append((max(up, close + _CENT), max(min(down, close - _CENT), _CENT)))
    return limits


def _rate(board: int) -> Decimal:
    limit = price_limit(
        board=Board(board),
        stage=ListingStage.ORDINARY,
        prev_close_e4=PRICE_SCALE,
        trade_date=_DATE,
    )
    assert limit.state is LimitState.LIMITED
    return Decimal(limit.up_e4) / PRICE_SCALE - 1


def _market() -> tuple[Int64Array, Int64Array]:
    """Return instruments and previous closes, always the same: every prefix has its share."""
    random = np.random.default_rng(_SEED)
    starts = [exchange * 1_000_000 + int(prefix.ljust(6, "0")) for exchange, prefix in PREFIX_ROWS]
    per_prefix = -(-INSTRUMENTS // len(starts))
    codes = np.array(starts)[:, None] + np.arange(per_prefix)
    prices_e4 = random.integers(100, 50_000, INSTRUMENTS) * 100
    return codes.ravel()[:INSTRUMENTS].astype(np.int64), prices_e4.astype(np.int64)


def _row(instrument: int) -> InstrumentRow:
    return InstrumentRow(
        instrument=instrument,
        effective_from=FIRST_DATE,
        effective_to=LAST_DATE,
        board=board_of(instrument),
        status=ListingStatus.LISTED,
        risk_warning=RiskWarning.NO,
        listed=LISTED_LONG_AGO,
        has_same_day_resale=False,
        source="bench",
        confidence=Confidence.D,
    )


def _per_call_us(
    options: BenchOptions,
    work: Callable[[], object],
    *,
    calls: int = _CALLS_PER_REPEAT,
) -> float:
    nanoseconds = median_ns(
        work,
        clock=options.clock,
        repeat_count=options.repeat_count or REPEATS,
        calls_per_repeat=calls,
    )
    return nanoseconds / _NS_PER_US
