"""The layout of the archive: a day of one shard's frames as one Parquet file.

`<archive>/<run>/<trade date>/<shard>.parquet` has a row for each beat and instrument, in this
order. A row group holds whole beats of one kind, so that a reader's memory is bounded. A column of
a frame is a column here, of several levels one a level (`bid_price_e4_1`, ...); it is null in the
rows of kinds that do not have it. What is no row (beats without any, the run's settings) stands in
the file's metadata under `tidegate`, a `DayContents`.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct

from tidegate_common.domain.enums import BeatKind
from tidegate_common.errors import ContractError
from tidegate_common.frames.codec import ROW_LAYOUTS
from tidegate_common.frames.frame import ROWS_OF_KIND, BeatStamp, FrameRows
from tidegate_common.frames.ipc import Column, check_batch

ARCHIVE_VERSION = 1
ARCHIVE_KEY = b"tidegate"

Whole: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class DayContents(Struct, frozen=True, kw_only=True):
    """What a file of the archive holds, beside its rows.

    run_spec : JSON of the run's settings where the file has beat 0, else "".
    is_closed : whether the day came to its end; another run began before it otherwise.
    is_last : whether the run ends with the file's last beat.
    first_beat : of the file; its beats follow without gaps.
    kinds, ts_event_ns, rows : of each beat: kind, market time, number of rows.
    damaged_beats : those of which the frame could not be read; they have no rows.
    """

    run: str
    trade_date: Whole
    shard: Whole
    shard_count: Whole
    run_spec: str
    is_closed: bool
    is_last: bool
    first_beat: Whole
    kinds: tuple[BeatKind, ...]
    ts_event_ns: tuple[Whole, ...]
    rows: tuple[Whole, ...]
    damaged_beats: tuple[int, ...] = ()
    archive_version: int = ARCHIVE_VERSION

    def to_json(self) -> bytes:
        """Return the metadata of the file."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes) -> "DayContents":
        """Return what the metadata of a file says.

        Raises
        ------
        ContractError
            If it is not that of an archived day.
        """
        try:
            day = msgspec.json.decode(data, type=DayContents)
        except (ValueError, RecursionError) as error:
            message = f"expected the metadata of an archived day, found: {error}"[:300]
            raise ContractError(message) from error
        if day.archive_version != ARCHIVE_VERSION:
            message = f"archive_version must be {ARCHIVE_VERSION}, was {day.archive_version}"
            raise ContractError(message)
        if not len(day.kinds) == len(day.ts_event_ns) == len(day.rows):
            message = "an archived day must have one kind, time and number of rows a beat"
            raise ContractError(message)
        return day


def archive_schema() -> pa.Schema:
    """Return the columns of a file."""
    own = [
        ("beat", pa.int64()),
        ("kind", pa.string()),
        ("trade_date", pa.int32()),
        ("beat_ts_ns", pa.int64()),
    ]
    shared = {
        name: column.arrow_type
        for layout in ROW_LAYOUTS.values()
        for field, column in layout.items()
        for name in _names(field, column)
    }
    instrument = shared.pop("instrument")
    return pa.schema(
        [pa.field(name, kind, nullable=False) for name, kind in [*own, ("instrument", instrument)]]
        + [pa.field(name, kind) for name, kind in sorted(shared.items())],
    )


def archive_table(stamps: Sequence[BeatStamp], batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """Return the rows of beats of one kind as rows of a file.

    Parameters
    ----------
    stamps, batches : one a beat, at least one; a batch is the columns of a frame as they travelled.
    """
    kind = stamps[0].kind
    counts = [len(batch) for batch in batches]
    own = {
        "beat": np.repeat([stamp.beat for stamp in stamps], counts),
        "kind": pa.array([kind.value], pa.string()).take(pa.array(np.zeros(sum(counts), np.int8))),
        "trade_date": np.repeat([stamp.trade_date for stamp in stamps], counts).astype(np.int32),
        "beat_ts_ns": np.repeat([stamp.ts_event_ns for stamp in stamps], counts),
    }
    told = pa.concat_tables(
        [
            _flat(kind, pa.Table.from_batches(list(alike)))
            for _, alike in groupby(batches, key=lambda batch: batch.schema)
        ]
    )
    schema = archive_schema()
    arrays = []
    for field in schema:
        if field.name in own:
            array = pa.array(own[field.name], field.type)
        elif field.name in told.column_names:
            array = told.column(field.name)
        else:
            array = pa.nulls(len(told), field.type)
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=schema)


def archived_rows(kind: BeatKind, table: pa.Table) -> FrameRows:
    """Return the frame's columns that rows of a file hold, all of one kind.

    Raises
    ------
    ContractError
        If a column is missing, or null where the kind has it.
    """
    row_type = ROWS_OF_KIND[kind]
    arrays: dict[str, np.ndarray] = {}
    for field, column in ROW_LAYOUTS[row_type].items():
        if column.absent is not None and table.schema.get_field_index(field) < 0:
            # A file of before the column was.
            arrays[field] = column.absent(len(table))
            continue
        levels = [_numpy(table, name, column) for name in _names(field, column)]
        arrays[field] = levels[0] if column.width == 1 else np.column_stack(levels)
    return row_type(**arrays)


def archive_columns(kind: BeatKind) -> list[str]:
    """Return the names of a file's columns that frames of a kind have."""
    layout = ROW_LAYOUTS[ROWS_OF_KIND[kind]]
    return [name for field, column in layout.items() for name in _names(field, column)]


def check_frame_batch(kind: BeatKind, batch: pa.RecordBatch) -> None:
    """Raise ContractError unless a batch has the columns of a frame of that kind."""
    check_batch(batch, ROW_LAYOUTS[ROWS_OF_KIND[kind]])


def _flat(kind: BeatKind, table: pa.Table) -> pa.Table:
    """Return the columns of frames that travelled alike, as they stand in a file."""
    found: dict[str, pa.ChunkedArray | pa.Array] = {}
    for field, column in ROW_LAYOUTS[ROWS_OF_KIND[kind]].items():
        if field not in table.column_names:
            assert column.absent is not None, "the batch was checked"
            array = pa.array(column.absent(len(table)), column.arrow_type)
        else:
            array = table.column(field)
        if column.width == 1:
            found[field] = array.cast(column.arrow_type)
            continue
        flat = array.combine_chunks().flatten().to_numpy()
        for level, name in enumerate(_names(field, column)):
            found[name] = pa.array(flat[level :: column.width].astype(np.int64))
    return pa.table(found)


def _names(field: str, column: Column) -> list[str]:
    if column.width == 1:
        return [field]
    return [f"{field}_{level}" for level in range(1, column.width + 1)]


def _numpy(table: pa.Table, name: str, column: Column) -> np.ndarray:
    index = table.schema.get_field_index(name)
    if index < 0 or table.column(index).null_count:
        message = f"column {name} must be there and hold no null"
        raise ContractError(message)
    array = table.column(index)
    if pa.types.is_string(column.arrow_type):
        return np.array(array.to_pylist(), dtype=np.object_)
    return np.ascontiguousarray(array.cast(column.arrow_type).to_numpy())
