"""The rows of recorded files that a run refuses, as the files say them.

Files are read once more, and only where a row was refused: what a row said is not kept while it
waits for its day, and most rows are never asked for.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from tidegate_common.events.ingest import RejectedRow
from tidegate_ingest.adapters.layouts import Layout
from tidegate_ingest.adapters.tables import read_records
from tidegate_ingest.engine.columns import Columns
from tidegate_ingest.engine.quality import ReasonArray, rejected_by
from tidegate_ingest.engine.recording import CheckedRows, MergedRejects, RawRows, Recording
from tidegate_ingest.engine.rejects import BATCH_ROWS_MAX, rejected_row

ColumnsT = TypeVar("ColumnsT", bound=Columns)
RawT = TypeVar("RawT", bound=RawRows)


def rejected_rows(
    files: Sequence[tuple[Path, Layout[RawT]]],
    recording: Recording[RawT, ColumnsT],
) -> Iterator[Sequence[RejectedRow]]:
    """Yield the refused rows of files, in their order, some at a time and possibly none.

    Rows of days that are not part of the run are left out, as they are in its counts.

    Parameters
    ----------
    files : those of the recording, in its order.
    recording : its days have been told to their ends.

    Raises
    ------
    ConfigError
        If a file cannot be read again.
    """
    if not recording.counts.rejected:
        return
    merged = recording.merged_rejects
    first = 0
    for path, layout in files:
        check = recording.kind.begin_file()
        first_of_file = first
        for raw, table in zip(layout.batches(path), read_records(path), strict=True):
            codes = _codes(check(raw), recording, merged, first=first, count=len(raw.code))
            yield from _pieces(path, table, codes, first - first_of_file)
            first += len(codes)


def _codes(
    rows: CheckedRows[ColumnsT],
    recording: Recording[RawT, ColumnsT],
    merged: MergedRejects,
    *,
    first: int,
    count: int,
) -> ReasonArray:
    """Return the reason of each of `count` rows from place `first` on, 0 where it is none."""
    codes = np.zeros(count, dtype=np.uint8)
    is_counted = recording.are_counted(rows.columns.trade_date)
    codes[rows.columns.row] = np.where(is_counted, rows.reasons, 0)
    start, stop = np.searchsorted(merged.row, [first, first + count])
    codes[merged.row[start:stop] - first] = merged.reasons[start:stop]
    return codes


def _pieces(
    path: Path, table: pa.Table, codes: ReasonArray, first: int
) -> Iterator[Sequence[RejectedRow]]:
    """Yield the refused rows of a table, which begins at row `first` of its file."""
    faulty = np.flatnonzero(codes)
    # At least once: whoever waits is told that nothing was found.
    for start in range(0, max(len(faulty), 1), BATCH_ROWS_MAX):
        places = faulty[start : start + BATCH_ROWS_MAX]
        records = table.take(pa.array(places)).to_pylist()
        reasons = rejected_by(codes[places])
        yield [
            rejected_row(str(path), first + place, reason, _text(record))
            for place, reason, record in zip(places.tolist(), reasons, records, strict=True)
        ]


def _text(record: dict[str, object]) -> str:
    """Return a row as JSON; a number that is none stays NaN, as it is in the file."""
    return json.dumps(record, ensure_ascii=False, default=str)
