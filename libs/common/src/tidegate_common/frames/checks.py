"""What must hold in decoded columns; a stage trusts nothing that it did not check."""

from collections.abc import Collection

import numpy as np

from tidegate_common.domain.enums import Board, Exchange, LimitState, Phase
from tidegate_common.domain.ids import EXCHANGE_STEP, format_symbol
from tidegate_common.domain.units import SCORE_SCALE, Int64Array
from tidegate_common.errors import ContractError
from tidegate_common.frames.actions import check_actions
from tidegate_common.frames.bars import BarBatch
from tidegate_common.frames.frame import REASONS_MAX, FrameRows, ScoreBatch
from tidegate_common.frames.rows import FIGURES, QuoteRows, ReferenceRows

_INSTRUMENT_MIN = min(Exchange) * EXCHANGE_STEP
_INSTRUMENT_END = (max(Exchange) + 1) * EXCHANGE_STEP
# Plain integers: numpy asks a member of an enum a lot of questions.
_ENUM_MAX = {
    "board": int(max(Board)),
    "limit_state": int(max(LimitState)),
    "phase": int(max(Phase)),
}
_UNSIGNED = (
    "prev_close_e4",
    "limit_up_e4",
    "limit_down_e4",
    "open_e4",
    "high_e4",
    "low_e4",
    "close_e4",
    "last_e4",
    "volume_shares",
    "amount_fen",
    "ts_event_ns",
    "bid_price_e4",
    "bid_shares",
    "ask_price_e4",
    "ask_shares",
)
_FIGURES_UNSIGNED = frozenset({"float_shares", "turnover_rate"})

_BAR_MIN = {
    "period_seconds": 1,
    "ts_end_ns": 0,
    "low_e4": 1,
    "volume_shares": 0,
    "amount_fen": 0,
}
# Raw scores of ranked strategies: far from where sums and differences overflow.
_RAW_SCORE_E6_MAX = 10**15


def check_rows(rows: FrameRows, unsigned: Collection[str] = ()) -> None:
    """Raise ContractError if rows are unsorted, repeated, negative or of unknown enum values.

    Parameters
    ----------
    unsigned : columns that cannot be negative, because their type could not on the wire.
    """
    _check_instruments(rows.instrument)
    for name in _UNSIGNED:
        column = None if name in unsigned else getattr(rows, name, None)
        if column is not None and column.size and column.min() < 0:
            row = int(np.argmin(column.min(axis=1) if column.ndim > 1 else column))
            _fail(f"{name} must be >= 0, was {column.min()}", rows.instrument, row)
    if isinstance(rows, ReferenceRows):
        _check_figures(rows)
        check_actions(rows)
    if isinstance(rows, ReferenceRows | QuoteRows):
        for name, largest in _ENUM_MAX.items():
            column = getattr(rows, name, None)
            if column is not None and column.size and column.max() > largest:
                row = int(np.argmax(column))
                _fail(f"{name} must be at most {largest}, was {column.max()}", rows.instrument, row)


def _check_figures(rows: ReferenceRows) -> None:
    """Raise ContractError if a figure is infinite, or negative where that means nothing."""
    for name in FIGURES:
        column = getattr(rows, name)
        least = 0 if name in _FIGURES_UNSIGNED else -np.inf
        is_impossible = np.isinf(column) | (column < least)
        if is_impossible.any():
            row = int(np.argmax(is_impossible))
            text = f"{name} must be a finite number{' >= 0' if least == 0 else ''} or NaN"
            _fail(f"{text}, was {column[row]}", rows.instrument, row)


def check_scores(batch: ScoreBatch) -> None:
    """Raise ContractError if scores are unsorted, repeated, too large or of no strategy."""
    counts = {len(batch.strategies), len(batch.is_ranked), len(batch.reason_names)}
    reasons_max = max(map(len, batch.reason_names), default=0)
    if len(counts) > 1 or reasons_max > REASONS_MAX:
        message = (
            f"is_ranked and reason_names must have one entry for each of {len(batch.strategies)} "
            f"strategies, of at most {REASONS_MAX} names, had {len(batch.is_ranked)} and "
            f"{len(batch.reason_names)}, of up to {reasons_max} names"
        )
        raise ContractError(message)
    if not len(batch):
        return
    _check_range(batch.instrument)
    if batch.strategy.min() < 0 or batch.strategy.max() >= len(batch.strategies):
        message = (
            f"strategy must be in 0..{len(batch.strategies) - 1}, "
            f"was {batch.strategy.min()}..{batch.strategy.max()}"
        )
        raise ContractError(message)
    same = np.diff(batch.strategy) == 0
    if (np.diff(batch.strategy) < 0).any() or (np.diff(batch.instrument)[same] <= 0).any():
        message = "scores must be sorted by strategy and instrument, without repeats"
        raise ContractError(message)
    _check_score_range(batch)


def check_bars(batch: BarBatch) -> None:
    """Raise ContractError if bars are unsorted, repeated, or of impossible times or prices."""
    if not len(batch):
        return
    _check_range(batch.instrument)
    for name, smallest in _BAR_MIN.items():
        column = getattr(batch, name)
        if column.min() < smallest:
            row = int(np.argmin(column))
            _fail(f"{name} must be >= {smallest}, was {column[row]}", batch.instrument, row)
    _check_bar_prices(batch)
    keys = (batch.period_seconds, batch.ts_end_ns, batch.instrument)
    # All are >= 0 here, so no difference overflows.
    longer, later, higher = (np.diff(key) for key in keys)
    is_rising = (longer > 0) | ((longer == 0) & ((later > 0) | ((later == 0) & (higher > 0))))
    if not is_rising.all():
        row = int(np.argmin(is_rising)) + 1
        text = "bars must be sorted by period, end and instrument, without repeats"
        _fail(text, batch.instrument, row)


def _check_bar_prices(batch: BarBatch) -> None:
    for name in ("open_e4", "close_e4"):
        column = getattr(batch, name)
        is_outside = (column < batch.low_e4) | (column > batch.high_e4)
        if is_outside.any():
            row = int(np.argmax(is_outside))
            text = (
                f"{name} must be in low_e4..high_e4, {batch.low_e4[row]}..{batch.high_e4[row]}, "
                f"was {column[row]}"
            )
            _fail(text, batch.instrument, row)


def _check_score_range(batch: ScoreBatch) -> None:
    limits = np.where(batch.is_ranked, _RAW_SCORE_E6_MAX, SCORE_SCALE)[batch.strategy]
    is_outside = (batch.score_e6 > limits) | (batch.score_e6 < -limits)
    if is_outside.any():
        row = int(np.argmax(is_outside))
        text = f"score_e6 must be in -{limits[row]}..{limits[row]}, was {batch.score_e6[row]}"
        _fail(text, batch.instrument, row)


def _check_instruments(instrument: Int64Array) -> None:
    is_rising = instrument[1:] > instrument[:-1]
    if is_rising.all():
        # The first is the smallest, and the last the largest.
        _check_range(instrument[[0, -1]] if len(instrument) else instrument)
        return
    _check_range(instrument)
    row = int(np.argmin(is_rising)) + 1
    _fail("instruments must be sorted, without repeats", instrument, row)


def _check_range(instrument: Int64Array) -> None:
    # First of all: differences of numbers in the range cannot overflow.
    if (
        len(instrument)
        and not _INSTRUMENT_MIN <= instrument.min() <= instrument.max() < _INSTRUMENT_END
    ):
        message = (
            "instrument must be exchange * 1000000 + code, exchange 1 to 3, "
            f"was {instrument.min()}..{instrument.max()}"
        )
        raise ContractError(message)


def _fail(text: str, instrument: Int64Array, row: int) -> None:
    message = f"{text} (row {row}, instrument {format_symbol(int(instrument[row]))})"
    raise ContractError(message)
