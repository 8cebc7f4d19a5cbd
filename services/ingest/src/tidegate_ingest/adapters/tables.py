"""Columns of a Parquet or CSV file, as numpy arrays; what cannot be read is the user's to mend."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_common.errors import ConfigError
from tidegate_common.market.sessions import NS_PER_SECOND, SHANGHAI_OFFSET_SECONDS
from tidegate_ingest.engine.columns import TextColumn

_PARQUET_SUFFIXES = (".parquet",)
_CSV_SUFFIXES = (".csv", ".csv.gz")
_TIME = r"^\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?$"


class ColumnTable:
    """Some columns of one file."""

    def __init__(self, path: Path, table: pa.Table) -> None:
        """Take a table as it was read from `path`, which errors name."""
        self._path = path
        self._table = table

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._table.num_rows)

    def texts(self, name: str) -> TextColumn:
        """Return a column as text, "" where there is nothing."""
        encoded = pc.fill_null(self._cast(name, pa.string()), "").dictionary_encode()
        chunk = encoded.combine_chunks()
        index = chunk.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return TextColumn(tuple(chunk.dictionary.to_pylist()), index)

    def numbers(self, name: str, *, missing: float = np.nan) -> Float64Array:
        """Return a column as (n,) float64, `missing` where there is nothing."""
        column = pc.fill_null(self._cast(name, pa.float64()), missing)
        return np.asarray(column.to_numpy(), dtype=np.float64)

    def levels(self, names: Sequence[str]) -> Float64Array:
        """Return columns side by side, (n, levels) float64, 0 where there is no level."""
        return np.column_stack([self.numbers(name, missing=0.0) for name in names])

    def times_ns(self, time: str, *, date: str | int) -> Int64Array:
        """Return Shanghai wall times as UTC epoch nanoseconds, -1 where one cannot be read.

        Parameters
        ----------
        time : column such as `09:15:01.000`, or a whole `2021.12.01T09:15:01.000`.
        date : column such as `2022.06.01`, a date YYYYMMDD for all rows, or "" where `time`
            says it.
        """
        text = self._cast(time, pa.string())
        if isinstance(date, int):
            day = f"{date // 10_000:04d}-{date // 100 % 100:02d}-{date % 100:02d}"
            text = pc.binary_join_element_wise(day, text, "T")
        elif date:
            text = pc.binary_join_element_wise(self._cast(date, pa.string()), text, "T")
        text = pc.replace_substring_regex(text, r"^(\d{4})\.(\d{2})\.(\d{2})T", r"\1-\2-\3T")
        is_time = pc.fill_null(pc.match_substring_regex(text, _TIME), fill_value=False)
        with _readable(self._path, f"times in column {time}"):
            stamp = pc.if_else(is_time, text, None).cast(pa.timestamp("ns"))
        local_ns = pc.fill_null(stamp.cast(pa.int64()), 0).to_numpy()
        known = np.asarray(is_time.to_numpy(), dtype=np.bool_)
        return np.where(known, local_ns - SHANGHAI_OFFSET_SECONDS * NS_PER_SECOND, -1)

    def _cast(self, name: str, to: pa.DataType) -> pa.ChunkedArray:
        kind = "numbers" if to == pa.float64() else "text"
        with _readable(self._path, f"{kind} in column {name}"):
            return self._table.column(name).cast(to, safe=False)


def column_names(path: Path) -> tuple[str, ...]:
    """Return the names of a file's columns.

    Raises
    ------
    ConfigError
        If the file is neither Parquet nor CSV.
    """
    with _readable(path, "a Parquet or CSV table"):
        if _is_parquet(path):
            return tuple(pq.read_schema(path).names)
        with pa_csv.open_csv(path) as reader:
            return tuple(reader.schema.names)


def read_table(path: Path, *, texts: Sequence[str], numbers: Sequence[str]) -> ColumnTable:
    """Return the named columns of a file; text keeps its leading zeros.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    names = [*texts, *numbers]
    with _readable(path, "a Parquet or CSV table"):
        if _is_parquet(path):
            # Not `read_table`: that reads data sets, with columns made up from folder names.
            with pq.ParquetFile(path) as file:
                return ColumnTable(path, file.read(columns=names))
        options = pa_csv.ConvertOptions(
            include_columns=names,
            column_types=dict.fromkeys(texts, pa.string()),
        )
        return ColumnTable(path, pa_csv.read_csv(path, convert_options=options))


def _is_parquet(path: Path) -> bool:
    name = path.name.lower()
    if name.endswith(_PARQUET_SUFFIXES):
        return True
    if name.endswith(_CSV_SUFFIXES):
        return False
    expected = ", ".join((*_PARQUET_SUFFIXES, *_CSV_SUFFIXES))
    message = f"expected a file named {expected}, found: {path}"
    raise ConfigError(message)


@contextmanager
def _readable(path: Path, expected: str) -> Iterator[None]:
    """Turn what Arrow says about a bad file into one line for the user."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        found = " ".join(str(error).split())[:200]
        message = f"expected {expected} in {path}, found: {found}"
        raise ConfigError(message) from error
