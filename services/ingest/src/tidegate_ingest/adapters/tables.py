"""Columns of a Parquet or CSV file, as numpy arrays; what cannot be read is the user's to mend.

A file is read in pieces of bounded size, so that it may be larger than memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_common.errors import ConfigError, ContractError
from tidegate_common.market.sessions import NS_PER_SECOND, SHANGHAI_OFFSET_SECONDS, shanghai_ns
from tidegate_ingest.engine.columns import TextColumn
from tidegate_ingest.engine.normalizer import date_of

# So many snapshot rows are 27 MB of integers.
BATCH_ROWS_MAX = 131_072
# A line of a snapshot file has some 300 characters.
_CSV_BLOCK_BYTES = 64 * 2**20
_PARQUET_SUFFIXES = (".parquet",)
_CSV_SUFFIXES = (".csv", ".csv.gz")
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?$"
_EPOCH = "1970-01-01T"
_NOTHING = -1


class ColumnTable:
    """Some columns of some rows of one file."""

    def __init__(self, path: Path, table: pa.Table) -> None:
        """Take a table as it was read from `path`, which errors name."""
        self.path = path
        self.table = table

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.table.num_rows)

    def has(self, name: str) -> bool:
        """Tell whether there is a column."""
        return name in self.table.column_names

    def texts(self, name: str) -> TextColumn:
        """Return a column as text, "" where there is nothing."""
        encoded = self._encoded(name)
        words = encoded.dictionary.to_pylist()
        index = encoded.indices
        if index.null_count:
            index, words = pc.fill_null(index, len(words)), [*words, ""]
        return TextColumn(tuple(words), index.to_numpy(zero_copy_only=False).astype(np.int64))

    def numbers(self, name: str, *, missing: float = np.nan) -> Float64Array:
        """Return a column as (n,) float64, `missing` where there is nothing."""
        column = self._cast(name, pa.float64())
        if column.null_count:
            column = pc.fill_null(column, missing)
        return np.asarray(column.to_numpy(), dtype=np.float64)

    def numbers_or(self, name: str, *, missing: float) -> Float64Array:
        """Return a column as (n,) float64, `missing` where there is nothing, or no such column."""
        if self.has(name):
            return self.numbers(name, missing=missing)
        return np.full(len(self), missing)

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
        if not date:
            local_ns = self._parsed_ns(time, is_whole=True)
            utc_ns = local_ns - SHANGHAI_OFFSET_SECONDS * NS_PER_SECOND
            return np.where(local_ns == _NOTHING, _NOTHING, utc_ns)
        of_day_ns = self._parsed_ns(time, is_whole=False)
        if isinstance(date, int):
            midnight_ns: Int64Array | int = shanghai_ns(date, 0)
        else:
            midnight_ns = self.midnights_ns(date)
        is_known = (of_day_ns != _NOTHING) & np.not_equal(midnight_ns, _NOTHING)
        return np.where(is_known, midnight_ns + of_day_ns, _NOTHING)

    def midnights_ns(self, date: str) -> Int64Array:
        """Return when the days of a column begin, UTC epoch; -1 where it says no date."""
        return self.texts(date).map_words(_midnight_ns)

    def _parsed_ns(self, name: str, *, is_whole: bool) -> Int64Array:
        """Return times as nanoseconds since the epoch, as if they were UTC; each word once."""
        encoded = self._encoded(name)
        text = encoded.dictionary.cast(pa.string())
        if is_whole:
            text = pc.replace_substring_regex(
                text, r"^(\d{4})[.-](\d{2})[.-](\d{2})[T ]", r"\1-\2-\3T"
            )
        else:
            text = pc.binary_join_element_wise(_EPOCH, text, "")
        is_time = pc.match_substring_regex(text, r"^\d{4}-\d{2}-\d{2}T" + _CLOCK)
        is_time = pc.fill_null(is_time, fill_value=False)
        with readable(self.path, f"times in column {name}"):
            stamp = pc.if_else(is_time, text, None).cast(pa.timestamp("ns"))
        ns = pc.fill_null(stamp.cast(pa.int64()), _NOTHING).to_numpy(zero_copy_only=False)
        index = pc.fill_null(encoded.indices, len(ns)).to_numpy(zero_copy_only=False)
        times: Int64Array = np.append(ns, _NOTHING)[index].astype(np.int64)
        return times

    def _encoded(self, name: str) -> pa.DictionaryArray:
        column = self.table.column(name)
        if not pa.types.is_dictionary(column.type):
            column = self._cast(name, pa.string()).dictionary_encode()
        # A damaged Parquet file may name words that its dictionary does not have.
        with readable(self.path, f"text in column {name}"):
            column.validate(full=True)
            return column.unify_dictionaries().combine_chunks()

    def _cast(self, name: str, to: pa.DataType) -> pa.ChunkedArray:
        kind = "numbers" if to == pa.float64() else "text"
        with readable(self.path, f"{kind} in column {name}"):
            return self.table.column(name).cast(to, safe=False)


def column_names(path: Path) -> tuple[str, ...]:
    """Return the names of a file's columns.

    Raises
    ------
    ConfigError
        If the file is neither Parquet nor CSV.
    """
    with readable(path, "a Parquet or CSV table"):
        if is_parquet(path):
            return tuple(pq.read_schema(path).names)
        with pa_csv.open_csv(path) as reader:
            return tuple(reader.schema.names)


def count_rows(path: Path) -> int:
    """Return the number of a file's rows, without reading more of it than that takes.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    with readable(path, "a Parquet or CSV table"):
        if is_parquet(path):
            return int(pq.read_metadata(path).num_rows)
        with pa_csv.open_csv(path, read_options=_read_options()) as reader:
            return sum(batch.num_rows for batch in reader)


def read_batches(
    path: Path,
    *,
    texts: Sequence[str],
    numbers: Sequence[str],
) -> Iterator[ColumnTable]:
    """Yield the named columns of a file, some rows at a time; text keeps its leading zeros.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    names = [*texts, *numbers]
    with readable(path, "a Parquet or CSV table"):
        if is_parquet(path):
            # Not `read_table`: that reads data sets, with columns made up from folder names.
            # A column of words comes as numbers of words: each is looked at once.
            with pq.ParquetFile(path, read_dictionary=list(texts)) as file:
                for group in range(file.num_row_groups):
                    # One group after the other: over several, the reader keeps what it has read.
                    for batch in file.iter_batches(
                        BATCH_ROWS_MAX, row_groups=[group], columns=names, use_threads=False
                    ):
                        yield ColumnTable(path, pa.Table.from_batches([batch]))
            return
        # Types are named, not guessed from the first rows.
        options = pa_csv.ConvertOptions(
            include_columns=names,
            column_types={
                **dict.fromkeys(texts, pa.string()),
                **dict.fromkeys(numbers, pa.float64()),
            },
        )
        reading = _read_options()
        with pa_csv.open_csv(path, read_options=reading, convert_options=options) as reader:
            for batch in reader:
                yield ColumnTable(path, pa.Table.from_batches([batch]))


def read_records(path: Path) -> Iterator[pa.Table]:
    """Yield all columns of a file as they are, in pieces of the rows that `read_batches` yields.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    with readable(path, "a Parquet or CSV table"):
        if is_parquet(path):
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    for batch in file.iter_batches(
                        BATCH_ROWS_MAX, row_groups=[group], use_threads=False
                    ):
                        yield pa.Table.from_batches([batch])
            return
        names = column_names(path)
        options = pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        )
        reading = _read_options()
        with pa_csv.open_csv(path, read_options=reading, convert_options=options) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])


def join_tables(path: Path, tables: Sequence[ColumnTable]) -> ColumnTable:
    """Return the rows of all parts of a file, one part after the other.

    Raises
    ------
    ConfigError
        If there are none.
    """
    if not tables:
        message = f"expected rows in {path}, found none"
        raise ConfigError(message)
    return ColumnTable(path, pa.concat_tables([table.table for table in tables]))


def _midnight_ns(word: str) -> int:
    trade_date = date_of(word)
    return shanghai_ns(trade_date, 0) if trade_date else _NOTHING


def _read_options() -> pa_csv.ReadOptions:
    return pa_csv.ReadOptions(block_size=_CSV_BLOCK_BYTES)


def is_parquet(path: Path) -> bool:
    """Tell a Parquet file from a CSV file by its name; raises ConfigError for another."""
    name = path.name.lower()
    if name.endswith(_PARQUET_SUFFIXES):
        return True
    if name.endswith(_CSV_SUFFIXES):
        return False
    expected = ", ".join((*_PARQUET_SUFFIXES, *_CSV_SUFFIXES))
    message = f"expected a file named {expected}, found: {path}"
    raise ConfigError(message)


@contextmanager
def readable(path: Path, expected: str) -> Iterator[None]:
    """Turn what Arrow says about a bad file into one line for the user: a ConfigError."""
    try:
        yield
    # Arrow's names of columns become text only when they are looked at.
    except (pa.ArrowException, ContractError, OSError, UnicodeDecodeError) as error:
        found = " ".join(str(error).split())[:200]
        message = f"expected {expected} in {path}, found: {found}"
        raise ConfigError(message) from error
