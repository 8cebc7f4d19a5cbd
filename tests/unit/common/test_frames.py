"""Frames: what is put in comes out, and nothing impossible does."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from tidegate_common.domain.enums import BeatKind
from tidegate_common.errors import ContractError
from tidegate_common.frames.codec import decode_frame, encode_frame
from tidegate_common.frames.frame import (
    Frame,
    FrameRows,
    empty_rows,
    merge_frames,
    split_frame,
)
from tidegate_common.frames.rows import (
    FIGURES,
    BarRows,
    QuoteRows,
    ReferenceRows,
    unknown_figures,
)
from tidegate_common.testing.builders import (
    make_bar_rows,
    make_frame,
    make_quote_rows,
    make_reference_rows,
    make_rows,
)

METADATA = b"tidegate"


def assert_equal_rows(found: FrameRows, expected: FrameRows) -> None:
    """Compare values, types and shapes of all columns."""
    assert type(found) is type(expected)
    for field in fields(expected):
        one, two = getattr(found, field.name), getattr(expected, field.name)
        assert (one.dtype, one.shape) == (two.dtype, two.shape), field.name
        is_float = one.dtype.kind == "f"
        assert np.array_equal(one, two, equal_nan=is_float), field.name


def rewritten(
    data: bytes,
    change: Callable[[dict[str, Any]], object] = lambda about: None,
    columns: Callable[[pa.RecordBatch], pa.RecordBatch] = lambda batch: batch,
) -> bytes:
    """Return a message with its metadata or its columns changed."""
    with pa.ipc.open_stream(data) as reader:
        batch = reader.read_next_batch()
    about = json.loads(batch.schema.metadata[METADATA])
    change(about)
    batch = columns(batch)
    schema = batch.schema.with_metadata({METADATA: json.dumps(about).encode()})
    return stream(pa.RecordBatch.from_arrays(batch.columns, schema=schema))


def stream(batch: pa.RecordBatch) -> bytes:
    """Return a record batch as an IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def with_column(
    name: str,
    column: pa.Array,
    *,
    nullable: bool = False,
) -> Any:  # noqa: ANN401  # pyarrow has no types
    """Return a change that puts a column in another's place."""

    def change(batch: pa.RecordBatch) -> pa.RecordBatch:
        field = pa.field(name, column.type, nullable=nullable)
        return batch.set_column(batch.schema.get_field_index(name), field, column)

    return change


@pytest.mark.parametrize("kind", BeatKind)
@pytest.mark.parametrize("row_count", [0, 1, 3, 200])
def test_frame_decoded_is_what_was_encoded(kind: BeatKind, row_count: int) -> None:
    """Every kind of rows."""
    frame = make_frame(0, kind=kind, shard=3, is_last=True, rows=make_rows(kind, row_count))

    decoded = decode_frame(encode_frame(frame))

    assert (decoded.stamp, decoded.shard, decoded.run_spec) == (frame.stamp, 3, frame.run_spec)
    assert_equal_rows(decoded.rows, frame.rows)


@pytest.mark.parametrize("kind", BeatKind)
def test_frame_of_an_empty_shard_decodes_to_empty_rows(kind: BeatKind) -> None:
    """A shard says every beat, also when it has nothing to say."""
    decoded = decode_frame(encode_frame(make_frame(7, kind=kind)))

    assert len(decoded.rows) == 0
    assert decoded.run_spec == ""
    assert_equal_rows(decoded.rows, empty_rows(kind))


def test_frame_of_many_rows_is_narrow() -> None:
    """A whole-market day is a gigabyte or two only so: 20 levels and 5 other numbers a row."""
    rows = make_quote_rows(2_000)

    assert len(encode_frame(make_frame(rows=rows))) < 0.6 * 2_000 * (20 + 5) * 8


def test_frame_too_large_for_a_message_is_compressed() -> None:
    """Brokers take 1 MiB unless told otherwise; what needs more loses the race, not the beat."""
    frame = make_frame(rows=make_quote_rows(20_000))

    data = encode_frame(frame)

    assert len(data) < 1_048_576 / 2
    assert encode_frame(frame) == data
    assert_equal_rows(decode_frame(data).rows, frame.rows)


@pytest.mark.parametrize(
    ("largest", "wire_type"),
    [
        (0, "uint32"),
        (2**32 - 1, "uint32"),
        (2**32, "int64"),
        (2**63 - 1, "int64"),
        (-1, "int32"),
        (-(2**31), "int32"),
        (-(2**31) - 1, "int64"),
    ],
)
def test_column_of_whole_numbers_travels_in_the_narrowest_type(
    largest: int, wire_type: str
) -> None:
    """Half the bytes; to everybody it is the same int64."""
    data = encode_frame(make_frame(rows=put(make_quote_rows(), "bid_shares", 1, largest)))

    with pa.ipc.open_stream(data) as reader:
        found = reader.schema.field("bid_shares").type

    assert str(found.value_type) == wire_type


@pytest.mark.parametrize("kind", BeatKind)
@pytest.mark.parametrize("row_count", [3, 200])
def test_frame_encoding_is_deterministic(kind: BeatKind, row_count: int) -> None:
    """The same frame is the same bytes, also when its arrays lie otherwise in memory."""
    rows = make_rows(kind, row_count)
    doubled = rows.take(np.repeat(np.arange(row_count), 2))
    strided = type(rows)(*(getattr(doubled, field.name)[::2] for field in fields(rows)))

    frames = [make_frame(kind=kind, rows=part) for part in (rows, strided)]

    assert encode_frame(frames[0]) == encode_frame(frames[1])


def put(rows: FrameRows, name: str, row: int, value: float) -> FrameRows:
    """Return rows with one value changed."""
    column: NDArray[Any] = getattr(rows, name).copy()
    column[row] = value
    # The name is any of the union's columns, which no type can say.
    return replace(rows, **{name: column})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            put(make_bar_rows(), "instrument", 2, 1_600_001),
            r"sorted, without repeats \(row 2, instrument 600001\.SH\)",
        ),
        (
            put(make_bar_rows(), "instrument", 0, 1_600_002),
            r"sorted, without repeats \(row 1, instrument 600001\.SH\)",
        ),
        (put(make_bar_rows(), "instrument", 0, 999_999), "exchange 1 to 3, was 999999..1600002"),
        (put(make_bar_rows(), "instrument", 2, 4_000_000), "was 1600000..4000000"),
        (put(make_bar_rows(), "instrument", 2, -(2**63)), "instrument must be exchange"),
        (
            put(make_bar_rows(), "low_e4", 1, -5),
            r"low_e4 must be >= 0, was -5 \(row 1, instrument 600001\.SH\)",
        ),
        (
            put(make_quote_rows(), "ask_shares", 2, -1),
            r"ask_shares must be >= 0, was -1 \(row 2, instrument 600002\.SH\)",
        ),
        (put(make_quote_rows(), "phase", 1, 9), r"phase must be at most 8, was 9 \(row 1"),
        (put(make_reference_rows(), "board", 0, 9), r"board must be at most 6, was 9 \(row 0"),
        (put(make_reference_rows(), "limit_state", 0, 3), "limit_state must be at most 2, was 3"),
        (put(make_reference_rows(), "prev_close_e4", 0, -1), "prev_close_e4 must be >= 0"),
        (
            put(make_reference_rows(), "pe_ttm", 2, np.inf),
            r"pe_ttm must be a finite number or NaN, was inf \(row 2, instrument 600002\.SH\)",
        ),
        (
            put(make_reference_rows(), "turnover_rate", 1, -0.5),
            r"turnover_rate must be a finite number >= 0 or NaN, was -0\.5 \(row 1",
        ),
    ],
)
def test_frame_with_an_impossible_value_is_refused(rows: FrameRows, text: str) -> None:
    """A stage trusts nothing that was not checked, and says what was wrong and where."""
    kind = {QuoteRows: BeatKind.TICK, BarRows: BeatKind.BAR, ReferenceRows: BeatKind.OPEN}
    data = encode_frame(make_frame(kind=kind[type(rows)], rows=rows))

    with pytest.raises(ContractError, match=text):
        decode_frame(data)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"schema_version": 2}, "schema_version must be 1, was 2"),
        ({"run": None}, "run must be a run's id"),
        ({"run": "a b"}, "run must be a run's id"),
        ({"is_last": 1}, "is_last a boolean"),
        ({"kind": "noon"}, "kind must be one of open, tick, bar, close, was 'noon'"),
        ({"beat": -1}, "beat must be a whole number >= 0 of 64 bits, was -1"),
        ({"beat": True}, "beat must be a whole number"),
        ({"beat": 1.0}, "beat must be a whole number"),
        ({"trade_date": 10**30}, "trade_date must be a whole number"),
        ({"ts_event_ns": 2**63}, "ts_event_ns must be a whole number"),
        ({"shard": None}, "shard must be a whole number"),
        ({"kind": "open"}, "column board must be uint8, was missing"),
    ],
)
def test_frame_with_impossible_metadata_is_refused(changes: dict[str, object], text: str) -> None:
    """What is no column is checked like a column."""
    data = rewritten(encode_frame(make_frame()), lambda about: about.update(changes))

    with pytest.raises(ContractError, match=text):
        decode_frame(data)


LEVELS_WITH_NULL = pa.FixedSizeListArray.from_arrays(
    pa.array([1, None, *range(13)], pa.int64()), type=pa.list_(pa.int64(), 5)
)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (
            with_column("last_e4", pa.array([1.0, 2.0, 3.0])),
            "column last_e4 must be int64, was double",
        ),
        (
            with_column("last_e4", pa.array([1, 2, 3]), nullable=True),
            "column last_e4 must not be nullable",
        ),
        (
            with_column("last_e4", pa.array([1, 2, 3], pa.uint64())),
            "column last_e4 must be int64, was uint64",
        ),
        (
            with_column("bid_shares", pa.array([1, 2, 3])),
            "column bid_shares must be int64 x 5, was int64",
        ),
        (
            with_column("ask_shares", pa.array([[1, 2]] * 3, pa.list_(pa.int64(), 2))),
            r"column ask_shares must be int64 x 5, was fixed_size_list<item: int64>\[2\]",
        ),
        (with_column("last_e4", pa.array([1, None, 3])), "int64 holds nulls"),
        (with_column("bid_shares", LEVELS_WITH_NULL), r"\[5\] holds nulls"),
    ],
)
def test_frame_with_another_column_is_refused(
    column: Callable[[pa.RecordBatch], pa.RecordBatch], text: str
) -> None:
    """A null would come out as a zero or as a float, and a float is no money."""
    data = rewritten(encode_frame(make_frame(rows=make_quote_rows(3))), columns=column)

    with pytest.raises(ContractError, match=text):
        decode_frame(data)


@pytest.mark.parametrize(
    "metadata",
    [None, {}, {METADATA: b"["}, {METADATA: b"[1]"}, {METADATA: b"[" * 100_000}],
)
def test_frame_without_our_metadata_is_refused(metadata: dict[bytes, bytes] | None) -> None:
    """Any other Arrow stream, and JSON that is none or too deep, is a foreign message."""
    batch = pa.record_batch({"x": [1]}).replace_schema_metadata(metadata)

    with pytest.raises(ContractError, match=r"expected an Arrow IPC stream|schema_version"):
        decode_frame(stream(batch))


@pytest.mark.parametrize("data", [b"", b"hello", encode_frame(make_frame())[:-40]])
def test_frame_of_bytes_that_are_no_stream_is_refused(data: bytes) -> None:
    """Garbage is a dead letter, never a crash."""
    with pytest.raises(ContractError, match="expected an Arrow IPC stream"):
        decode_frame(data)


def test_frame_without_figures_decodes_to_unknown_ones() -> None:
    """They are younger than the recordings of before them."""
    whole = make_frame(kind=BeatKind.OPEN, rows=make_reference_rows())
    data = rewritten(encode_frame(whole), columns=lambda batch: batch.drop_columns([*FIGURES]))

    rows = decode_frame(data).rows

    # The names are of float columns, which no type can say.
    expected = replace(make_reference_rows(), **unknown_figures(3))
    assert_equal_rows(rows, expected)


def test_frame_without_a_batch_is_refused() -> None:
    """A stream of a schema alone says nothing."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema([])):
        pass

    with pytest.raises(ContractError, match="StopIteration"):
        decode_frame(sink.getvalue().to_pybytes())


@pytest.mark.parametrize("kind", BeatKind)
def test_frames_split_and_merged_are_the_frame(kind: BeatKind) -> None:
    """Shards are invisible in the result, in whatever order they are put together."""
    frame = make_frame(kind=kind, rows=make_rows(kind, 10))
    shard = np.array([0, 2, 0, 2, 2, 0, 0, 2, 0, 0])

    parts = split_frame(frame, shard, 3)
    merged = merge_frames(parts[::-1])

    assert [part.shard for part in parts] == [0, 1, 2]
    assert [len(part.rows) for part in parts] == [6, 0, 4]
    assert (merged.stamp, merged.shard) == (frame.stamp, 0)
    assert_equal_rows(merged.rows, frame.rows)


def test_one_frame_merged_is_itself() -> None:
    """With one shard nothing is copied."""
    frame = make_frame(rows=make_quote_rows())

    assert merge_frames([frame]) is frame
    assert QuoteRows.concat([make := make_quote_rows()]) is make


def test_frame_decoded_cannot_be_written() -> None:
    """A message is never mutated after it is made."""
    frame: Frame = decode_frame(encode_frame(make_frame(rows=make_quote_rows())))

    with pytest.raises(ValueError, match="read-only"):
        frame.rows.instrument[0] = 1
