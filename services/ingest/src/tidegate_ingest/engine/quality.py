"""Row checks: each rejected row has one reason, and every reason is counted.

The checks come in two steps. The first looks at one row, or at the rows of one file in the file's
order; the second at the merged rows of a day. A row that an earlier check rejected is not seen by
a later one, so it can neither hide nor condemn another row.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum, unique
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Board, LimitState, Phase
from tidegate_common.domain.units import (
    FEN_PER_YUAN,
    BoolArray,
    Float64Array,
    Int64Array,
)
from tidegate_common.frames.rows import ReferenceRows
from tidegate_common.market.board import boards_of
from tidegate_ingest.engine.columns import (
    BarColumns,
    Columns,
    RawBars,
    RawSnapshots,
    SnapshotColumns,
)
from tidegate_ingest.engine.normalizer import PHASE_UNKNOWN

ReasonArray = NDArray[np.uint8]
AnyColumns = TypeVar("AnyColumns", bound=Columns)

# A share has never cost a million CNY, nor traded 10^12 shares or 10^13 CNY in a day. Up to
# there every sum and product in the platform fits an int64.
PRICE_MAX = 1_000_000
VOLUME_MAX = 1_000_000_000_000
AMOUNT_MAX = 10_000_000_000_000
# Float noise is some 10^-8 of a fen; an adjusted price is off by any part of one.
_FEN_NOISE_MAX = 0.01


@unique
class RejectReason(StrEnum):
    """Why a row of a feed was rejected; a row with several faults has the first one here."""

    BAD_TIME = "bad_time"
    BAD_SYMBOL = "bad_symbol"
    NOT_A_SHARE = "not_a_share"
    UNKNOWN_PHASE = "unknown_phase"
    NOT_FINITE = "not_finite"
    NEGATIVE = "negative"
    TOO_LARGE = "too_large"
    OFF_TICK = "off_tick"
    IMPOSSIBLE_RANGE = "impossible_range"
    CROSSED_BOOK = "crossed_book"
    OUT_OF_ORDER = "out_of_order"
    DUPLICATE = "duplicate"
    BEYOND_LIMIT = "beyond_limit"
    FALLING_VOLUME = "falling_volume"
    FALLING_AMOUNT = "falling_amount"


# In a reason array 0 is "accepted" and k is the k-th reason.
ACCEPTED = 0
_CODE = {reason: code for code, reason in enumerate(RejectReason, start=1)}


@dataclass(frozen=True, slots=True)
class FeedCounts:
    """What became of a feed's rows; rows_in = rows_out + all rejected.

    rejected : rows by reason, in the order of `RejectReason`, without zeros.
    limits_contradicted : instrument-days whose prices lie outside the day's limits, so that
        their limit state is UNKNOWN.
    """

    rows_in: int = 0
    rows_out: int = 0
    rejected: dict[RejectReason, int] = field(default_factory=dict)
    limits_contradicted: int = 0


def count_rows(reasons: ReasonArray, limits_contradicted: int) -> FeedCounts:
    """Return the counts of a reason array (n,)."""
    by_code = np.bincount(reasons, minlength=len(_CODE) + 1).tolist()
    return FeedCounts(
        rows_in=len(reasons),
        rows_out=by_code[ACCEPTED],
        rejected={reason: by_code[code] for reason, code in _CODE.items() if by_code[code]},
        limits_contradicted=limits_contradicted,
    )


def check_snapshots(raw: RawSnapshots, columns: SnapshotColumns) -> ReasonArray:
    """Return the reason of each row of one file, 0 where it may stay."""
    prices = (raw.prev_close, raw.open, raw.high, raw.low, raw.last, raw.bid_price, raw.ask_price)
    volumes = (raw.volume, raw.bid_shares, raw.ask_shares)
    reasons = _first_reasons(
        {
            **_text_faults(columns, columns.ts_event_ns < 0),
            RejectReason.UNKNOWN_PHASE: columns.phase == PHASE_UNKNOWN,
            **_number_faults(prices, volumes, raw.amount, tick_prices=prices[1:]),
            RejectReason.IMPOSSIBLE_RANGE: (columns.volume_shares > 0)
            & _is_impossible(
                # SSE's first snapshot after the opening call has no opening price yet.
                np.where(columns.open_e4 == 0, columns.last_e4, columns.open_e4),
                columns.high_e4,
                columns.low_e4,
                columns.last_e4,
            ),
            RejectReason.CROSSED_BOOK: _is_crossed(columns),
        },
    )
    return _apply(
        reasons,
        columns,
        (RejectReason.OUT_OF_ORDER, lambda rows: _is_earlier(rows.ts_event_ns, rows.instrument)),
    )


def check_bars(raw: RawBars, columns: BarColumns) -> ReasonArray:
    """Return the reason of each row of one file, 0 where it may stay."""
    volume = raw.volume * raw.volume_shares_per_unit
    amount = raw.amount * (raw.amount_fen_per_unit / FEN_PER_YUAN)
    prices = (raw.prev_close, raw.open, raw.high, raw.low, raw.close)
    return _first_reasons(
        {
            **_text_faults(columns, columns.trade_date == 0),
            **_number_faults(prices, (volume,), amount, tick_prices=prices[1:]),
            RejectReason.IMPOSSIBLE_RANGE: _is_impossible(
                columns.open_e4, columns.high_e4, columns.low_e4, columns.close_e4
            ),
        },
    )


def check_merged_bars(columns: BarColumns) -> ReasonArray:
    """Return the reason of each row, sorted by (trade_date, instrument): the first bar stays."""
    repeated = np.zeros(len(columns), dtype=np.bool_)
    repeated[1:] = (np.diff(columns.trade_date) == 0) & (np.diff(columns.instrument) == 0)
    return _first_reasons({RejectReason.DUPLICATE: repeated})


def check_merged_snapshots(columns: SnapshotColumns, reference: ReferenceRows) -> ReasonArray:
    """Return the reason of each row of one day, sorted by time.

    Parameters
    ----------
    reference : of that day, with every instrument of the rows.
    """
    return _apply(
        np.zeros(len(columns), dtype=np.uint8),
        columns,
        (RejectReason.DUPLICATE, _is_repeat),
        (RejectReason.BEYOND_LIMIT, lambda rows: _is_beyond_limit(rows, reference)),
        (
            RejectReason.FALLING_VOLUME,
            lambda rows: _is_earlier(rows.volume_shares, rows.instrument),
        ),
        (RejectReason.FALLING_AMOUNT, lambda rows: _is_earlier(rows.amount_fen, rows.instrument)),
    )


def _first_reasons(faults: dict[RejectReason, BoolArray]) -> ReasonArray:
    codes = [_CODE[reason] for reason in faults]
    assert codes == sorted(codes), "faults must come in the order of RejectReason"
    return np.select(list(faults.values()), codes, ACCEPTED).astype(np.uint8)


def _apply(
    reasons: ReasonArray,
    columns: AnyColumns,
    *checks: tuple[RejectReason, Callable[[AnyColumns], BoolArray]],
) -> ReasonArray:
    """Return the reasons after checks that compare rows, each on the rows that are left."""
    reasons = reasons.copy()
    for reason, is_faulty in checks:
        left = np.flatnonzero(reasons == ACCEPTED)
        reasons[left[is_faulty(columns.take(left))]] = _CODE[reason]
    return reasons


def _text_faults(columns: Columns, is_bad_time: BoolArray) -> dict[RejectReason, BoolArray]:
    return {
        RejectReason.BAD_TIME: is_bad_time,
        RejectReason.BAD_SYMBOL: columns.instrument == 0,
        RejectReason.NOT_A_SHARE: boards_of(columns.instrument) == Board.UNKNOWN,
    }


def _number_faults(
    prices: Sequence[Float64Array],
    volumes: Sequence[Float64Array],
    amount: Float64Array,
    *,
    tick_prices: Sequence[Float64Array],
) -> dict[RejectReason, BoolArray]:
    bounded = (
        *((price, PRICE_MAX) for price in prices),
        *((volume, VOLUME_MAX) for volume in volumes),
        (amount, AMOUNT_MAX),
    )
    return {
        RejectReason.NOT_FINITE: _any_row(~np.isfinite(numbers) for numbers, _ in bounded),
        RejectReason.NEGATIVE: _any_row(numbers < 0 for numbers, _ in bounded),
        RejectReason.TOO_LARGE: _any_row(numbers > largest for numbers, largest in bounded),
        RejectReason.OFF_TICK: _any_row(_is_off_tick(price) for price in tick_prices),
    }


def _any_row(faults: Iterable[BoolArray]) -> BoolArray:
    """Return which rows have a fault in any of the columns, (n,) or (n, levels) each."""
    by_row = [fault if fault.ndim == 1 else fault.any(axis=1) for fault in faults]
    is_faulty: BoolArray = np.logical_or.reduce(by_row)
    return is_faulty


def _is_off_tick(price: Float64Array) -> BoolArray:
    fen = np.where(np.isfinite(price), price, 0.0) * FEN_PER_YUAN
    noise: Float64Array = np.abs(fen - np.rint(fen))
    return noise > _FEN_NOISE_MAX


def _is_impossible(
    open_e4: Int64Array,
    high_e4: Int64Array,
    low_e4: Int64Array,
    last_e4: Int64Array,
) -> BoolArray:
    """Tell where a traded share has no price, or one outside its own low and high."""
    smallest, largest = np.minimum(open_e4, last_e4), np.maximum(open_e4, last_e4)
    return (low_e4 <= 0) | (low_e4 > smallest) | (high_e4 < largest)


def _is_crossed(rows: SnapshotColumns) -> BoolArray:
    """Tell where best bid and ask meet in continuous trading; in a call auction they do."""
    bid, ask = rows.bid_price_e4[:, 0], rows.ask_price_e4[:, 0]
    is_crossed: BoolArray = (rows.phase == Phase.CONTINUOUS) & (bid > 0) & (ask > 0) & (bid >= ask)
    return is_crossed


def _is_repeat(rows: SnapshotColumns) -> BoolArray:
    """Tell which rows say exactly what their instrument's row before them said."""
    order = np.argsort(rows.instrument, kind="stable")
    is_same = np.ones(max(len(rows) - 1, 0), dtype=np.bool_)
    for name in (item.name for item in fields(rows)):
        column = getattr(rows, name)[order]
        equal = column[1:] == column[:-1]
        is_same &= equal if equal.ndim == 1 else equal.all(axis=1)
    repeat = np.zeros(len(rows), dtype=np.bool_)
    repeat[order[1:]] = is_same
    return repeat


def _is_beyond_limit(rows: SnapshotColumns, reference: ReferenceRows) -> BoolArray:
    """Tell where the last price or a level lies outside the day's limits."""
    place = np.searchsorted(reference.instrument, rows.instrument)
    up, down = reference.limit_up_e4[place, None], reference.limit_down_e4[place, None]
    price = np.column_stack((rows.last_e4, rows.bid_price_e4, rows.ask_price_e4))
    is_wrong = (price > 0) & ((price > up) | (price < down))
    is_limited: BoolArray = reference.limit_state[place] == LimitState.LIMITED
    is_beyond: BoolArray = np.logical_or.reduce(is_wrong, axis=1)
    return is_limited & is_beyond


def _is_earlier(values: Int64Array, instrument: Int64Array) -> BoolArray:
    """Tell which values are below an earlier value of the same instrument.

    Ranks stand for the values, so that a rank plus the instrument's number times n never
    overflows and one running maximum serves all instruments.
    """
    order = np.argsort(instrument, kind="stable")
    _, rank = np.unique(values, return_inverse=True)
    _, number = np.unique(instrument[order], return_inverse=True)
    height = number * len(values) + rank[order]
    earlier = np.zeros(len(values), dtype=np.bool_)
    earlier[order] = height < np.maximum.accumulate(height)
    return earlier
