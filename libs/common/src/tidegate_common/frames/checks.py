"""What must hold in decoded columns; a stage trusts nothing that it did not check."""

import numpy as np

from tidegate_common.domain.enums import Board, Exchange, LimitState, Phase
from tidegate_common.domain.ids import EXCHANGE_STEP, format_symbol
from tidegate_common.domain.units import Int64Array
from tidegate_common.errors import ContractError
from tidegate_common.frames.frame import FrameRows, ScoreBatch
from tidegate_common.frames.rows import QuoteRows, ReferenceRows

_INSTRUMENT_MIN = min(Exchange) * EXCHANGE_STEP
_INSTRUMENT_END = (max(Exchange) + 1) * EXCHANGE_STEP
_ENUM_MAX = {"board": max(Board), "limit_state": max(LimitState), "phase": max(Phase)}
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


def check_rows(rows: FrameRows) -> None:
    """Raise ContractError if rows are unsorted, repeated, negative or of unknown enum values."""
    _check_instruments(rows.instrument)
    for name in _UNSIGNED:
        column = getattr(rows, name, None)
        if column is not None and column.size and column.min() < 0:
            row = int(np.argmin(column.min(axis=1) if column.ndim > 1 else column))
            _fail(f"{name} must be >= 0, was {column.min()}", rows.instrument, row)
    if isinstance(rows, ReferenceRows | QuoteRows):
        for name, largest in _ENUM_MAX.items():
            column = getattr(rows, name, None)
            if column is not None and column.size and column.max() > largest:
                row = int(np.argmax(column))
                _fail(f"{name} must be at most {largest}, was {column.max()}", rows.instrument, row)


def check_scores(batch: ScoreBatch) -> None:
    """Raise ContractError if scores are unsorted, repeated or of an unknown strategy."""
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


def _check_instruments(instrument: Int64Array) -> None:
    _check_range(instrument)
    steps = np.diff(instrument)
    if (steps <= 0).any():
        row = int(np.argmax(steps <= 0)) + 1
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
