"""Columns <-> Arrow IPC streams.

A message is one IPC stream with one record batch. What is not a column travels as JSON in the
schema's metadata under `tidegate`. A column of whole numbers is int64 to everybody, but travels as
the first of `_WIRE_TYPES` that holds its values, which halves the bytes. Encoding is deterministic.

A compressor takes off another third or more, and takes longer than all the rest: to decode a row of
quotes costs 40 ns without one, 90 with lz4, more with zstd. So only a message that would be too
large for a broker is compressed: the whole market's quotes (600 kB) are not.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidegate_common.errors import ContractError

SCHEMA_VERSION = 1

_METADATA_KEY = b"tidegate"
# Three quarters of what brokers take by default, 1 MiB.
_PLAIN_BYTES_MAX = 786_432
_END_OF_STREAM = bytes.fromhex("ffffffff00000000")
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")
# Threads cost more than they save on a message of some hundred kilobytes.
_READ = pa.ipc.IpcReadOptions(use_threads=False)

# What pyarrow and json raise over bytes that are no such stream.
_UNREADABLE = (pa.ArrowException, StopIteration, OSError, ValueError, KeyError, RecursionError)

_WIRE_TYPES: tuple[np.dtype[np.integer], ...] = (
    np.dtype(np.uint32),
    np.dtype(np.int32),
    np.dtype(np.int64),
)
_BOUNDS = {each: (int(np.iinfo(each).min), int(np.iinfo(each).max)) for each in _WIRE_TYPES}
_UINT32_MAX = np.iinfo(np.uint32).max
_INT64 = pa.int64()
_ARROW_TYPES = {each: pa.from_numpy_dtype(each) for each in _WIRE_TYPES}
_WHOLE_TYPES = frozenset(_ARROW_TYPES.values())


@dataclass(frozen=True, slots=True)
class Column:
    """What a column of a message is.

    arrow_type : of its values; int64 stands for any of `_WIRE_TYPES`.
    width : values a row, 1 unless it is a list of fixed size.
    absent : what a stream without the column says of n rows; None if it must be there.
    is_sparse : left out of a stream in which it is 0 in all rows, which `absent` says too.
    """

    arrow_type: pa.DataType = _INT64
    width: int = 1
    absent: Callable[[int], np.ndarray] | None = None
    is_sparse: bool = False


@dataclass(frozen=True, slots=True)
class Columns:
    """Decoded columns by name; they cannot be written.

    unsigned : names of those that travelled as a type that has no negative numbers.
    """

    arrays: dict[str, np.ndarray]
    unsigned: frozenset[str]


def write_stream(
    source: object,
    columns: Mapping[str, Column],
    about: Mapping[str, object],
) -> bytes:
    """Return a message of the columns, which are attributes of `source`, and of what it is about.

    Parameters
    ----------
    about : what JSON can say.
    """
    told = {
        name: column
        for name, column in columns.items()
        if not column.is_sparse or getattr(source, name).any()
    }
    arrays = [_to_arrow(getattr(source, name), column) for name, column in told.items()]
    text = json.dumps(about, separators=(",", ":"), ensure_ascii=False)
    schema = pa.schema(
        [
            pa.field(name, array.type, nullable=False)
            for name, array in zip(told, arrays, strict=True)
        ],
        metadata={_METADATA_KEY: text.encode()},
    )
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
    # What a stream writer writes, without its growing buffer: half the time.
    plain = b"".join((schema.serialize(), batch.serialize(), _END_OF_STREAM))
    if len(plain) <= _PLAIN_BYTES_MAX:
        return plain
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=_COMPRESSED) as writer:
        writer.write_batch(batch)
    return cast("bytes", sink.getvalue().to_pybytes())


def read_stream(data: bytes) -> tuple[pa.RecordBatch, dict[str, object]]:
    """Return the record batch of a message, and what it is about.

    Raises
    ------
    ContractError
        If the bytes are not such a stream.
    """
    try:
        with pa.ipc.open_stream(data, options=_READ) as reader:
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


def read_columns(batch: pa.RecordBatch, columns: Mapping[str, Column]) -> Columns:
    """Return the columns that are expected; others are ignored.

    Raises
    ------
    ContractError
        If a column is missing, of another type or holds nulls.
    """
    arrays: dict[str, np.ndarray] = {}
    unsigned: set[str] = set()
    schema = batch.schema
    for name, column in columns.items():
        index = schema.get_field_index(name)
        if index < 0 and column.absent is not None:
            arrays[name] = column.absent(len(batch))
            continue
        _check_field(name, column, schema.field(index) if index >= 0 else None)
        array = _from_arrow(batch.column(index), column)
        if array.dtype.kind == "u":
            unsigned.add(name)
        if column.arrow_type == _INT64:
            array = array.astype(np.int64, copy=False)
        array.setflags(write=False)
        arrays[name] = array
    return Columns(arrays, frozenset(unsigned))


def check_batch(batch: pa.RecordBatch, columns: Mapping[str, Column]) -> None:
    """Raise ContractError unless a batch has the columns that are expected, without nulls."""
    for name, column in columns.items():
        index = batch.schema.get_field_index(name)
        if index < 0 and column.absent is not None:
            continue
        _check_field(name, column, batch.schema.field(index) if index >= 0 else None)
        found = batch.column(index)
        if found.null_count or (column.width > 1 and found.values.null_count):
            _fail_on_nulls(found)


def _check_field(name: str, column: Column, field: pa.Field | None) -> None:
    if field is None or not _is_expected(field.type, column):
        many = f" x {column.width}" if column.width > 1 else ""
        was = "missing" if field is None else str(field.type)
        message = f"column {name} must be {column.arrow_type}{many}, was {was}"
        raise ContractError(message)
    # Nulls would come out of numpy as zeros or as floats.
    if field.nullable:
        message = f"column {name} must not be nullable"
        raise ContractError(message)


def _fail_on_nulls(column: pa.Array) -> None:
    message = f"a column of {column.type} holds nulls, expected none"
    raise ContractError(message)


def _is_expected(found: pa.DataType, column: Column) -> bool:
    if column.width > 1:
        if not pa.types.is_fixed_size_list(found) or found.list_size != column.width:
            return False
        found = found.value_type
    if column.arrow_type == _INT64:
        return found in _WHOLE_TYPES
    return bool(found == column.arrow_type)


def _to_arrow(array: np.ndarray, column: Column) -> pa.Array:
    if column.arrow_type != _INT64:
        return pa.array(array, column.arrow_type)
    narrow = _narrow(array)
    buffers = [None, pa.py_buffer(narrow)]
    flat = pa.Array.from_buffers(_ARROW_TYPES[narrow.dtype], narrow.size, buffers)
    return flat if column.width == 1 else pa.FixedSizeListArray.from_arrays(flat, column.width)


def _narrow(array: NDArray[np.int64]) -> NDArray[np.integer]:
    if not array.size:
        return array.astype(_WIRE_TYPES[0])
    # The usual case in one pass: as unsigned numbers, negative ones are the largest.
    if array.view(np.uint64).max() <= _UINT32_MAX:
        return array.astype(np.uint32, order="C")
    low, high = int(array.min()), int(array.max())
    fitting = (
        wire_type
        for wire_type, (smallest, largest) in _BOUNDS.items()
        if smallest <= low and high <= largest
    )
    return array.astype(next(fitting), order="C", copy=False)


def _from_arrow(column: pa.Array, expected: Column) -> np.ndarray:
    values = column
    if expected.width > 1:
        # A stream may hold more values than its rows have.
        values = column.values.slice(0, len(column) * expected.width)
    if column.null_count or values.null_count:
        _fail_on_nulls(column)
    if pa.types.is_string(column.type):
        return np.array(column.to_pylist(), dtype=np.object_)
    array = values.to_numpy(zero_copy_only=not pa.types.is_boolean(column.type))
    return cast("np.ndarray", array.reshape(-1, expected.width) if expected.width > 1 else array)
