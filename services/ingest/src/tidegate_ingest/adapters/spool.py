"""Where the rows of a run wait for their day: in memory, or beyond a limit in a temporary file."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Generic, TypeVar

import numpy as np

from tidegate_common.errors import ConfigError
from tidegate_ingest.engine.columns import Rows
from tidegate_ingest.engine.shelf import Kept

RowsT = TypeVar("RowsT", bound=Rows)

# A snapshot row has 208 bytes: some 400 MB, once on the shelf and once as days.
RESIDENT_ROWS_MAX = 1_000_000


# A day of a run that is not in memory is told in spans of about so many rows.
WINDOW_ROWS_MAX = 262_144


class Spool:
    """Keeps rows; the file has no name, so it goes when the process does."""

    def __init__(self, resident_rows_max: int = RESIDENT_ROWS_MAX) -> None:
        """Begin with nothing kept."""
        self._resident_rows_max = resident_rows_max
        self._row_count = 0
        self._end = 0
        self._descriptor: int | None = None

    @property
    def window_rows_max(self) -> int | None:
        """Return in spans of how many rows days are to be told; None where all is in memory."""
        if self._descriptor is None:
            return None
        return min(WINDOW_ROWS_MAX, max(self._resident_rows_max, 1))

    def keep(self, columns: RowsT, /) -> Kept[RowsT]:
        """Put rows away.

        Raises
        ------
        ConfigError
            If the temporary file has no room.
        """
        self._row_count += len(columns)
        if self._row_count <= self._resident_rows_max:
            # mypy does not see that a slice of theirs is of their own type.
            return columns  # type: ignore[return-value]
        return self._write(columns)

    def _write(self, columns: RowsT) -> "SpooledRows[RowsT]":
        names = [field.name for field in fields(columns)]
        arrays = [getattr(columns, name) for name in names]
        record = np.dtype([(f"f{n}", each.dtype, each.shape[1:]) for n, each in enumerate(arrays)])
        records = np.empty(len(columns), dtype=record)
        for number, array in enumerate(arrays):
            records[f"f{number}"] = array
        with _room():
            if self._descriptor is None:
                # Unlinked at once; the descriptor lives as long as the rows do.
                with tempfile.TemporaryFile(prefix="tidegate-spool-") as file:
                    self._descriptor = os.dup(file.fileno())
            _write_all(self._descriptor, records.view(np.uint8).data, self._end)
        start, self._end = self._end, self._end + records.nbytes
        return SpooledRows(self, type(columns), record, start)

    def read(self, start: int, stop: int) -> bytes:
        """Return the file's bytes from `start` to before `stop`."""
        assert self._descriptor is not None
        return os.pread(self._descriptor, stop - start, start)

    def __del__(self) -> None:
        """Give the file's room back."""
        if self._descriptor is not None:
            os.close(self._descriptor)


class SpooledRows(Generic[RowsT]):
    """Rows in a spool's file."""

    def __init__(
        self, spool: Spool, columns: type[RowsT], record: np.dtype[np.void], start: int
    ) -> None:
        self._spool = spool
        self._columns = columns
        self._record = record
        self._start = start

    def slice(self, start: int, stop: int) -> RowsT:
        """Return the rows from `start` to before `stop`."""
        size = self._record.itemsize
        data = self._spool.read(self._start + start * size, self._start + stop * size)
        records = np.frombuffer(data, dtype=self._record)
        assert records.dtype.names is not None
        return self._columns(*(records[name].copy() for name in records.dtype.names))


def _write_all(descriptor: int, data: memoryview, place: int) -> None:
    while data:
        count = os.pwrite(descriptor, data, place)
        data, place = data[count:], place + count


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = (
            f"expected room for a large run in the temporary folder {tempfile.gettempdir()} "
            f"(TMPDIR names another), found: {error.strerror}"
        )
        raise ConfigError(message) from error
