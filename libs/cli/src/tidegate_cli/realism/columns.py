"""Columns of recorded orders and trades, as integers."""

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tidegate_common.domain.units import PRICE_SCALE, Int64Array
from tidegate_common.errors import ConfigError
from tidegate_common.market.sessions import shanghai_ns

_NS_PER_MS: Final = 1_000_000
_CENTS_PER_YUAN: Final = 100
_E4_PER_CENT: Final = PRICE_SCALE // _CENTS_PER_YUAN
# Digits of 'HH:MM:SS.mmm' from its end, and how many milliseconds one of each is.
_CLOCK_PARTS: Final = ((-12, -10, 3_600_000), (-9, -7, 60_000), (-6, -4, 1_000), (-3, None, 1))


def read_columns(path: Path, columns: tuple[str, ...]) -> pa.Table:
    """Return some columns of a file.

    Raises
    ------
    ConfigError
        If the file is missing or has not all of them.
    """
    try:
        return pq.read_table(path, columns=list(columns)).select(columns)
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        message = f"expected a recorded day of orders or trades in {path.name}, found: {error}"
        raise ConfigError(message) from error


def words(column: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """Return a column as text, whatever the recorder made of it."""
    return np.array(pc.cast(column, pa.string()).to_pylist(), np.str_)


def integers(column: pa.ChunkedArray) -> Int64Array:
    """Return a column of whole numbers."""
    return np.asarray(column.to_numpy(), np.int64)


def prices_e4(column: pa.ChunkedArray) -> Int64Array:
    """Return a column of prices in CNY as 1/10,000 CNY.

    The recorder left float noise behind the second digit: shares move in steps of 0.01 CNY.
    """
    cents = np.rint(np.asarray(column.to_numpy(), np.float64) * _CENTS_PER_YUAN)
    return cents.astype(np.int64) * _E4_PER_CENT


def times_ns(column: pa.ChunkedArray, trade_date: int) -> Int64Array:
    """Return times of day, whose text may begin with a date, as UTC epoch."""
    ms = np.zeros(len(column), np.int64)
    for start, end, unit_ms in _CLOCK_PARTS:
        digits = pc.utf8_slice_codeunits(column, start, end)
        ms += integers(pc.cast(digits, pa.int64())) * unit_ms
    return shanghai_ns(trade_date, 0) + ms * _NS_PER_MS
