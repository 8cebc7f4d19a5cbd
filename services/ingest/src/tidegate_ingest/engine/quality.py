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
    MinuteColumns,
    RawBars,
    RawMinuteBars,
    RawSnapshots,
    SnapshotColumns,
)
from tidegate_ingest.engine.normalizer import PHASE_UNKNOWN, scaled

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
    NOT_A_QUOTE = "not_a_quote"


# In a reason array 0 is "accepted" and k is the k-th reason.
ACCEPTED = 0
_CODE = {reason: code for code, reason in enumerate(RejectReason, start=1)}
REASON_COUNT = len(_CODE) + 1


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


def count_reasons(reasons: ReasonArray) -> Int64Array:
    """Return how many rows have each reason code, (REASON_COUNT,) int64; the first are accepted."""
    return np.bincount(reasons, minlength=REASON_COUNT).astype(np.int64)


def rejected_by(reasons: ReasonArray) -> list[RejectReason]:
    """Return the reasons of rejected rows; none of the codes may be `ACCEPTED`."""
    by_code = tuple(RejectReason)
    return [by_code[code - 1] for code in reasons.tolist()]


def feed_counts(by_code: Int64Array, limits_contradicted: int) -> FeedCounts:
    """Return the counts of rows by reason code, as `count_reasons` returns them."""
    return FeedCounts(
        rows_in=int(by_code.sum()),
        rows_out=int(by_code[ACCEPTED]),
        rejected={reason: int(by_code[code]) for reason, code in _CODE.items() if by_code[code]},
        limits_contradicted=limits_contradicted,
    )


class Heights:
    """The largest value of each instrument so far."""

    def __init__(self) -> None:
        """Begin without any."""
        self._instrument: Int64Array = np.zeros(0, dtype=np.int64)
        self._height: Int64Array = np.zeros(0, dtype=np.int64)

    def are_above(self, values: Int64Array, instrument: Int64Array) -> BoolArray:
        """Tell which values are below an earlier one of their instrument, and learn them all."""
        count = len(self._instrument)
        instrument = np.concatenate((self._instrument, instrument))
        values = np.concatenate((self._height, values))
        is_below = _is_earlier(values, instrument)
        order = np.argsort(instrument, kind="stable")
        starts = np.flatnonzero(np.diff(instrument[order], prepend=0))
        if len(starts):
            self._instrument = instrument[order[starts]]
            self._height = np.maximum.reduceat(values[order], starts)
        return is_below[count:]


def check_snapshots(
    raw: RawSnapshots,
    columns: SnapshotColumns,
    latest: Heights | None = None,
) -> ReasonArray:
    """Return the reason of each row of one file, 0 where it may stay.

    Parameters
    ----------
    latest : times of the file's rows before these; None where these are its first.
    """
    latest = latest or Heights()
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
        (
            RejectReason.OUT_OF_ORDER,
            lambda rows: latest.are_above(rows.ts_event_ns, rows.instrument),
        ),
    )


def check_bars(raw: RawBars, columns: BarColumns) -> ReasonArray:
    """Return the reason of each row of one file, 0 where it may stay."""
    volume = scaled(raw.volume, raw.volume_shares_per_unit)
    amount = scaled(raw.amount, raw.amount_fen_per_unit / FEN_PER_YUAN)
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


def check_minute_bars(raw: RawMinuteBars, columns: MinuteColumns) -> ReasonArray:
    """Return the reason of each row of one file, 0 where it may stay."""
    prices = (raw.open, raw.high, raw.low, raw.close)
    return _first_reasons(
        {
            **_text_faults(columns, columns.ts_end_ns < 0),
            **_number_faults(prices, (raw.volume,), raw.amount, tick_prices=prices),
            RejectReason.IMPOSSIBLE_RANGE: _is_impossible(
                columns.open_e4, columns.high_e4, columns.low_e4, columns.close_e4
            ),
        },
    )


def check_merged_minute_bars(columns: MinuteColumns) -> ReasonArray:
    """Return the reason of each row, sorted by (ts_end_ns, instrument): the first bar stays."""
    repeated = np.zeros(len(columns), dtype=np.bool_)
    repeated[1:] = (np.diff(columns.ts_end_ns) == 0) & (np.diff(columns.instrument) == 0)
    return _first_reasons({RejectReason.DUPLICATE: repeated})


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
    return MergedChecks(reference).check(columns)


class MergedChecks:
    """The checks of a day's merged rows, span by span of time."""

    def __init__(self, reference: ReferenceRows) -> None:
        """Begin a day; its reference has every instrument of the rows."""
        self._reference = reference
        self._last: SnapshotColumns | None = None
        self._volumes = Heights()
        self._amounts = Heights()

    def check(self, columns: SnapshotColumns) -> ReasonArray:
        """Return the reason of each row of the next span, sorted by time."""
        return _apply(
            np.zeros(len(columns), dtype=np.uint8),
            columns,
            (RejectReason.DUPLICATE, self._are_repeats),
            (RejectReason.BEYOND_LIMIT, lambda rows: _is_beyond_limit(rows, self._reference)),
            (
                RejectReason.FALLING_VOLUME,
                lambda rows: self._volumes.are_above(rows.volume_shares, rows.instrument),
            ),
            (
                RejectReason.FALLING_AMOUNT,
                lambda rows: self._amounts.are_above(rows.amount_fen, rows.instrument),
            ),
        )

    def _are_repeats(self, rows: SnapshotColumns) -> BoolArray:
        count = 0
        if self._last is not None:
            count = len(self._last)
            rows = rows.concat([self._last, rows])
        self._last = rows.take(last_rows(rows.instrument))
        return _is_repeat(rows)[count:]


def last_rows(instrument: Int64Array) -> Int64Array:
    """Return the position of each instrument's last row, sorted by instrument."""
    _, from_end = np.unique(instrument[::-1], return_index=True)
    return len(instrument) - 1 - from_end


def _first_reasons(faults: dict[RejectReason, BoolArray]) -> ReasonArray:
    codes = [_CODE[reason] for reason in faults]
    assert codes == sorted(codes), "faults must come in the order of RejectReason"
    reasons = np.zeros(len(next(iter(faults.values()))), dtype=np.uint8)
    for code, fault in zip(reversed(codes), reversed(faults.values()), strict=True):
        reasons[fault] = code
    return reasons


def _apply(
    reasons: ReasonArray,
    columns: AnyColumns,
    *checks: tuple[RejectReason, Callable[[AnyColumns], BoolArray]],
) -> ReasonArray:
    """Return the reasons after checks that compare rows, each on the rows that are left."""
    reasons = reasons.copy()
    for reason, is_faulty in checks:
        left = np.flatnonzero(reasons == ACCEPTED)
        rows = columns if len(left) == len(reasons) else columns.take(left)
        reasons[left[is_faulty(rows)]] = _CODE[reason]
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
    off_tick = {RejectReason.OFF_TICK: _any_row(_is_off_tick(price) for price in tick_prices)}
    none = np.zeros(len(amount), dtype=np.bool_)
    # The usual case in two passes; NaN is neither.
    if all(_is_within(numbers, largest) for numbers, largest in bounded):
        numberless = (RejectReason.NOT_FINITE, RejectReason.NEGATIVE, RejectReason.TOO_LARGE)
        return {**dict.fromkeys(numberless, none), **off_tick}
    return {
        RejectReason.NOT_FINITE: _any_row(~np.isfinite(numbers) for numbers, _ in bounded),
        RejectReason.NEGATIVE: _any_row(numbers < 0 for numbers, _ in bounded),
        RejectReason.TOO_LARGE: _any_row(numbers > largest for numbers, largest in bounded),
        **off_tick,
    }


def _is_within(numbers: Float64Array, largest: float) -> bool:
    return not numbers.size or bool(numbers.min() >= 0 and numbers.max() <= largest)


def _any_row(faults: Iterable[BoolArray]) -> BoolArray:
    """Return which rows have a fault in any of the columns, (n,) or (n, levels) each."""
    by_row = [fault if fault.ndim == 1 else fault.any(axis=1) for fault in faults]
    is_faulty: BoolArray = np.logical_or.reduce(by_row)
    return is_faulty


def _is_off_tick(price: Float64Array) -> BoolArray:
    fen = scaled(price, FEN_PER_YUAN)
    # Infinity less infinity is NaN, which is beyond nothing: such a row has another reason.
    with np.errstate(invalid="ignore"):
        fen -= np.rint(fen)
        return np.abs(fen, out=fen) > _FEN_NOISE_MAX


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
    time = rows.ts_event_ns[order]
    # Few rows have the time of the one before: the rest is compared for these alone.
    place = np.flatnonzero((np.diff(time) == 0) & (np.diff(rows.instrument[order]) == 0))
    earlier, later = order[place], order[place + 1]
    is_same = np.ones(len(place), dtype=np.bool_)
    for name in (item.name for item in fields(rows) if item.name != "row"):
        column = getattr(rows, name)
        equal = column[earlier] == column[later]
        is_same &= equal if equal.ndim == 1 else equal.all(axis=1)
    repeat = np.zeros(len(rows), dtype=np.bool_)
    repeat[later] = is_same
    return repeat


def _is_beyond_limit(rows: SnapshotColumns, reference: ReferenceRows) -> BoolArray:
    """Tell where the last price or a level lies outside the day's limits."""
    place = np.searchsorted(reference.instrument, rows.instrument)
    is_limited: BoolArray = reference.limit_state[place] == LimitState.LIMITED
    up, down = reference.limit_up_e4[place], reference.limit_down_e4[place]
    is_beyond = (rows.last_e4 > 0) & ((rows.last_e4 > up) | (rows.last_e4 < down))
    for levels in (rows.bid_price_e4, rows.ask_price_e4):
        is_price = levels > 0
        is_beyond |= (levels > up[:, None]).any(axis=1)
        is_beyond |= (is_price & (levels < down[:, None])).any(axis=1)
    return is_limited & is_beyond


def _is_earlier(values: Int64Array, instrument: Int64Array) -> BoolArray:
    """Tell which values are below an earlier value of the same instrument.

    Ranks stand for the values, so that a rank plus the instrument's number times n never
    overflows and one running maximum serves all instruments.
    """
    order = np.argsort(instrument, kind="stable")
    is_rising = (np.diff(values[order]) >= 0) | (np.diff(instrument[order]) != 0)
    if is_rising.all():
        return np.zeros(len(values), dtype=np.bool_)
    _, rank = np.unique(values, return_inverse=True)
    _, number = np.unique(instrument[order], return_inverse=True)
    height = number * len(values) + rank[order]
    earlier = np.zeros(len(values), dtype=np.bool_)
    earlier[order] = height < np.maximum.accumulate(height)
    return earlier
