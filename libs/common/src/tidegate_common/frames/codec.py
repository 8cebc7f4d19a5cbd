"""Frames and score batches <-> Arrow IPC streams.

The value of a message is one IPC stream with one record batch. What is not a column travels as
JSON in the schema's metadata under `tidegate`. Encoding is deterministic.
"""

import json
from dataclasses import fields
from typing import cast

import numpy as np
import pyarrow as pa

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId, is_run_id
from tidegate_common.errors import ContractError
from tidegate_common.frames.checks import check_rows, check_scores
from tidegate_common.frames.frame import ROWS_OF_KIND, BeatStamp, Frame, FrameRows, ScoreBatch
from tidegate_common.frames.rows import LEVELS, BarRows, QuoteRows, ReferenceRows

SCHEMA_VERSION = 1

_METADATA_KEY = b"tidegate"
# Below this many rows the buffers are smaller than what a compressor adds.
_COMPRESS_ROWS_MIN = 64
_PLAIN = pa.ipc.IpcWriteOptions()
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")

# What pyarrow and json raise over bytes that are no such stream.
_UNREADABLE = (pa.ArrowException, StopIteration, OSError, ValueError, KeyError, RecursionError)
_INT64_END = 2**63

_INT64 = pa.int64()
_LEVELS = pa.list_(_INT64, LEVELS)
_ARROW_TYPE = {
    "board": pa.uint8(),
    "limit_state": pa.uint8(),
    "phase": pa.uint8(),
    "is_st": pa.bool_(),
    "is_suspended": pa.bool_(),
    "sector": pa.string(),
    "bid_price_e4": _LEVELS,
    "bid_shares": _LEVELS,
    "ask_price_e4": _LEVELS,
    "ask_shares": _LEVELS,
}


def _schema(row_type: type[FrameRows]) -> pa.Schema:
    return pa.schema(
        [
            pa.field(field.name, _ARROW_TYPE.get(field.name, _INT64), nullable=False)
            for field in fields(row_type)
        ],
    )


_SCHEMAS: dict[type[FrameRows], pa.Schema] = {
    row_type: _schema(row_type) for row_type in (ReferenceRows, QuoteRows, BarRows)
}
_SCORE_COLUMNS = ("strategy", "instrument", "score_e6")
_SCORE_SCHEMA = pa.schema([pa.field(name, _INT64, nullable=False) for name in _SCORE_COLUMNS])


def encode_frame(frame: Frame) -> bytes:
    """Return a frame as an Arrow IPC stream."""
    rows = frame.rows
    schema = _SCHEMAS[type(rows)]
    arrays = [_to_arrow(getattr(rows, field.name), field.type) for field in schema]
    about = _about(frame.stamp, frame.shard)
    if frame.run_spec:
        about["run_spec"] = frame.run_spec
    return _write(schema, arrays, about, len(rows))


def decode_frame(data: bytes) -> Frame:
    """Return the frame that an Arrow IPC stream holds.

    The arrays share the message's memory and cannot be written.

    Raises
    ------
    ContractError
        If the bytes are not such a stream, or a value is impossible.
    """
    batch, about = _read(data)
    stamp = _stamp(about)
    row_type = ROWS_OF_KIND[stamp.kind]
    _check_schema(batch.schema, _SCHEMAS[row_type])
    rows = row_type(*(_from_arrow(batch.column(field.name)) for field in fields(row_type)))
    check_rows(rows)
    return Frame(stamp, _whole(about, "shard"), rows, str(about.get("run_spec", "")))


def encode_scores(batch: ScoreBatch) -> bytes:
    """Return a score batch as an Arrow IPC stream."""
    about = _about(batch.stamp, batch.shard)
    about["strategies"] = list(batch.strategies)
    arrays = [pa.array(getattr(batch, name), _INT64) for name in _SCORE_COLUMNS]
    return _write(_SCORE_SCHEMA, arrays, about, len(batch))


def decode_scores(data: bytes) -> ScoreBatch:
    """Return the score batch that an Arrow IPC stream holds.

    Raises
    ------
    ContractError
        If the bytes are not such a stream, or a value is impossible.
    """
    table, about = _read(data)
    _check_schema(table.schema, _SCORE_SCHEMA)
    names = about.get("strategies")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        message = f"strategies must be a list of names, was {names!r}"
        raise ContractError(message)
    columns = (_from_arrow(table.column(name)) for name in _SCORE_COLUMNS)
    batch = ScoreBatch(_stamp(about), _whole(about, "shard"), tuple(names), *columns)
    check_scores(batch)
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


def _write(
    schema: pa.Schema,
    arrays: list[pa.Array],
    about: dict[str, object],
    row_count: int,
) -> bytes:
    text = json.dumps(about, separators=(",", ":"), ensure_ascii=False)
    schema = schema.with_metadata({_METADATA_KEY: text.encode()})
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
    sink = pa.BufferOutputStream()
    options = _COMPRESSED if row_count >= _COMPRESS_ROWS_MIN else _PLAIN
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        writer.write_batch(batch)
    return cast("bytes", sink.getvalue().to_pybytes())


def _read(data: bytes) -> tuple[pa.RecordBatch, dict[str, object]]:
    try:
        with pa.ipc.open_stream(data) as reader:
            batch = reader.read_next_batch()
            batch.validate(full=True)
        about = json.loads((batch.schema.metadata or {})[_METADATA_KEY])
    except _UNREADABLE as error:
        message = f"expected an Arrow IPC stream with tidegate metadata, found: {error!r}"[:300]
        raise ContractError(message) from error
    if not isinstance(about, dict) or about.get("schema_version") != SCHEMA_VERSION:
        found = about.get("schema_version") if isinstance(about, dict) else about
        message = f"schema_version must be {SCHEMA_VERSION}, was {found!r}"
        raise ContractError(message)
    return batch, about


def _check_schema(found: pa.Schema, expected: pa.Schema) -> None:
    for field in expected:
        index = found.get_field_index(field.name)
        if index < 0 or found.field(index).type != field.type:
            was = "missing" if index < 0 else str(found.field(index).type)
            message = f"column {field.name} must be {field.type}, was {was}"
            raise ContractError(message)
        # Nulls would come out of numpy as zeros or as floats.
        if found.field(index).nullable:
            message = f"column {field.name} must not be nullable"
            raise ContractError(message)


def _to_arrow(array: np.ndarray, arrow_type: pa.DataType) -> pa.Array:
    if arrow_type == _LEVELS:
        flat = pa.array(np.ascontiguousarray(array).reshape(-1), _INT64)
        return pa.FixedSizeListArray.from_arrays(flat, type=_LEVELS)
    return pa.array(array, arrow_type)


def _from_arrow(column: pa.Array) -> np.ndarray:
    values = column.flatten() if column.type == _LEVELS else column
    if column.null_count or values.null_count:
        message = f"a column of {column.type} holds nulls, expected none"
        raise ContractError(message)
    if column.type == _LEVELS:
        return cast("np.ndarray", values.to_numpy().reshape(-1, LEVELS))
    if pa.types.is_string(column.type):
        return np.array(column.to_pylist(), dtype=np.object_)
    return cast("np.ndarray", column.to_numpy(zero_copy_only=not pa.types.is_boolean(column.type)))


def _stamp(about: dict[str, object]) -> BeatStamp:
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
