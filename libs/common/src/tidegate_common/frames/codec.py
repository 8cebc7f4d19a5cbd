"""Frames, score batches and bars <-> bytes; see `frames.ipc` for the format."""

from collections.abc import Iterable
from dataclasses import fields

import numpy as np
import pyarrow as pa

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId, is_run_id
from tidegate_common.domain.units import Int64Array
from tidegate_common.errors import ContractError
from tidegate_common.frames.bars import BarBatch
from tidegate_common.frames.checks import check_bars, check_rows, check_scores
from tidegate_common.frames.frame import (
    REASONS_MAX,
    ROWS_OF_KIND,
    BeatStamp,
    Frame,
    FrameRows,
    ScoreBatch,
    no_reasons,
)
from tidegate_common.frames.ipc import (
    SCHEMA_VERSION,
    Column,
    read_columns,
    read_stream,
    write_stream,
)
from tidegate_common.frames.rows import (
    FIGURES,
    LEVELS,
    SPARSE,
    BarRows,
    QuoteRows,
    ReferenceRows,
)

_INT64_END = 2**63


def _zeros(count: int) -> Int64Array:
    return np.zeros(count, np.int64)


_WHOLE = Column()
_SMALL = Column(pa.uint8())
_FLAG = Column(pa.bool_())
_LEVELS = Column(width=LEVELS)
# Reasons, figures and actions are younger than the rest: a stream without them knows none.
_COLUMNS = {
    "board": _SMALL,
    "limit_state": _SMALL,
    "phase": _SMALL,
    "is_st": _FLAG,
    "is_suspended": _FLAG,
    "sector": Column(pa.string()),
    "bid_price_e4": _LEVELS,
    "bid_shares": _LEVELS,
    "ask_price_e4": _LEVELS,
    "ask_shares": _LEVELS,
    "reason_e6": Column(width=REASONS_MAX, absent=no_reasons),
    **dict.fromkeys(SPARSE, Column(absent=_zeros, is_sparse=True)),
    **dict.fromkeys(FIGURES, Column(pa.float64(), absent=lambda count: np.full(count, np.nan))),
}


def _layout(names: Iterable[str]) -> dict[str, Column]:
    return {name: _COLUMNS.get(name, _WHOLE) for name in names}


ROW_LAYOUTS: dict[type[FrameRows], dict[str, Column]] = {
    row_type: _layout(field.name for field in fields(row_type))
    for row_type in (ReferenceRows, QuoteRows, BarRows)
}
_SCORE_LAYOUT = _layout(("strategy", "instrument", "score_e6", "reason_e6"))
_BAR_LAYOUT = _layout(
    field.name for field in fields(BarBatch) if field.name not in {"stamp", "shard"}
)


def encode_frame(frame: Frame) -> bytes:
    """Return a frame as an Arrow IPC stream."""
    about = _about(frame.stamp, frame.shard)
    if frame.run_spec:
        about["run_spec"] = frame.run_spec
    return write_stream(frame.rows, ROW_LAYOUTS[type(frame.rows)], about)


def decode_frame(data: bytes) -> Frame:
    """Return the frame that an Arrow IPC stream holds; its arrays cannot be written.

    Raises
    ------
    ContractError
        If the bytes are not such a stream, or a value is impossible.
    """
    batch, about = read_stream(data)
    stamp = decode_stamp(about)
    row_type = ROWS_OF_KIND[stamp.kind]
    columns = read_columns(batch, ROW_LAYOUTS[row_type])
    rows = row_type(**columns.arrays)
    check_rows(rows, unsigned=columns.unsigned)
    return Frame(stamp, _whole(about, "shard"), rows, str(about.get("run_spec", "")))


def encode_scores(batch: ScoreBatch) -> bytes:
    """Return a score batch as an Arrow IPC stream."""
    about = _about(batch.stamp, batch.shard)
    about["strategies"] = batch.strategies
    about["is_ranked"] = batch.is_ranked
    about["reason_names"] = batch.reason_names
    return write_stream(batch, _SCORE_LAYOUT, about)


def decode_scores(data: bytes) -> ScoreBatch:
    """Return the score batch that an Arrow IPC stream holds.

    Raises
    ------
    ContractError
        If the bytes are not such a stream, or a value is impossible.
    """
    table, about = read_stream(data)
    strategies = _names(about.get("strategies"), "strategies")
    batch = ScoreBatch(
        stamp=decode_stamp(about),
        shard=_whole(about, "shard"),
        strategies=strategies,
        is_ranked=_flags(about.get("is_ranked", [False] * len(strategies))),
        reason_names=_reason_names(about.get("reason_names", [[]] * len(strategies))),
        **read_columns(table, _SCORE_LAYOUT).arrays,
    )
    check_scores(batch)
    return batch


def encode_bars(batch: BarBatch) -> bytes:
    """Return the bars of a beat as an Arrow IPC stream."""
    return write_stream(batch, _BAR_LAYOUT, _about(batch.stamp, batch.shard))


def decode_bars(data: bytes) -> BarBatch:
    """Return the bars that an Arrow IPC stream holds.

    Raises
    ------
    ContractError
        If the bytes are not such a stream, or a value is impossible.
    """
    table, about = read_stream(data)
    columns = read_columns(table, _BAR_LAYOUT)
    batch = BarBatch(decode_stamp(about), _whole(about, "shard"), **columns.arrays)
    check_bars(batch)
    return batch


def _about(stamp: BeatStamp, shard: int) -> dict[str, object]:
    return {
        "schema_version": SCHEMA_VERSION,
        "run": stamp.run_id,
        "beat": stamp.beat,
        "kind": stamp.kind.value,
        "trade_date": stamp.trade_date,
        "ts_event_ns": stamp.ts_event_ns,
        "is_last": stamp.is_last,
        "shard": shard,
    }


def _names(found: object, what: str) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        message = f"{what} must be a list of names, was {found!r:.80}"
        raise ContractError(message)
    return tuple(found)


def _flags(found: object) -> tuple[bool, ...]:
    if not isinstance(found, list) or not all(isinstance(flag, bool) for flag in found):
        message = f"is_ranked must be a list of booleans, was {found!r:.80}"
        raise ContractError(message)
    return tuple(found)


def _reason_names(found: object) -> tuple[tuple[str, ...], ...]:
    if not isinstance(found, list):
        message = f"reason_names must be a list of lists of names, was {found!r:.80}"
        raise ContractError(message)
    return tuple(_names(names, "names of a strategy's reasons") for names in found)


def decode_stamp(about: dict[str, object]) -> BeatStamp:
    """Return the stamp that a message is about; raise ContractError if that is none."""
    run, kind, is_last = about.get("run"), about.get("kind"), about.get("is_last")
    if not isinstance(run, str) or not is_run_id(run) or not isinstance(is_last, bool):
        message = (
            f"run must be a run's id and is_last a boolean, were {run!r:.80} and {is_last!r:.80}"
        )
        raise ContractError(message)
    try:
        beat_kind = BeatKind(str(kind))
    except ValueError as error:
        message = f"kind must be one of {', '.join(BeatKind)}, was {kind!r}"
        raise ContractError(message) from error
    return BeatStamp(
        run_id=RunId(run),
        beat=_whole(about, "beat"),
        kind=beat_kind,
        trade_date=_whole(about, "trade_date"),
        ts_event_ns=_whole(about, "ts_event_ns"),
        is_last=is_last,
    )


def _whole(about: dict[str, object], name: str) -> int:
    value = about.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _INT64_END:
        message = f"{name} must be a whole number >= 0 of 64 bits, was {value!r:.80}"
        raise ContractError(message)
    return value
