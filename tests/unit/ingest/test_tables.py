"""Columns of a file: what is damaged is told in one line."""

from pathlib import Path

import pyarrow as pa
import pytest

from tidegate_common.errors import ConfigError
from tidegate_ingest.adapters.tables import ColumnTable


def test_texts_whose_words_are_missing_name_the_column() -> None:
    """Arrow hands out what a damaged Parquet file says: numbers of words that are not there."""
    column = pa.DictionaryArray.from_arrays(
        pa.array([0, 0], pa.int32()), pa.array([], pa.string()), safe=False
    )
    table = ColumnTable(Path("bars.parquet"), pa.table({"code": column}))

    with pytest.raises(ConfigError, match=r"expected text in column code in bars\.parquet, found"):
        table.texts("code")
