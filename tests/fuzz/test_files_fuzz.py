"""Files of every layout, mutated: no reader raises but its own error, or gets a number wrong.

A second reader, cell by cell in exact decimals, says what every accepted row should come to. The
long profile is `make fuzz`; `files_atheris.py` searches by coverage.
"""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.files import (
    FORMATS,
    Cells,
    Format,
    assert_exact,
    assert_one_line,
    read_rows,
    table_of,
)
from tests.fuzz.mutation import mutate_bytes, mutate_cells

from tidegate_common.errors import ConfigError
from tidegate_ingest.adapters.file_check import check_file

INPUTS = int(os.environ.get("TIDEGATE_FUZZ_INPUTS", "20000"))
# Rows of one file; each is mutated on its own.
BATCH = 200
_NUMBERS = st.floats() | st.none()


def _csv(form: Format, rows: Sequence[Cells]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(form.row), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _parquet(form: Format, data: bytes) -> bytes:
    """Return a CSV file as Parquet, its columns of numbers as float64."""
    kinds = {**dict.fromkeys(form.layout.texts, "string")}
    kinds |= dict.fromkeys(form.layout.numbers, "double")
    table = pa_csv.read_csv(
        io.BytesIO(data), convert_options=pa_csv.ConvertOptions(column_types=kinds)
    )
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def _accepted(form: Format, path: Path, rows: Sequence[Cells]) -> int:
    """Hold rows to the reference and return how many stay; a time may refuse the whole file."""
    path.write_bytes(_csv(form, rows))
    try:
        (table,) = form.layout.tables(path)
        columns, reasons = read_rows(form, table)
    except ConfigError as error:
        assert_one_line(error)
        middle = len(rows) // 2
        halves = (rows[:middle], rows[middle:]) if middle else ()
        return sum(_accepted(form, path, half) for half in halves)
    assert len(columns) == len(reasons) == len(rows)
    stay = [place for place, reason in enumerate(reasons) if not reason]
    for place in stay:
        assert_exact(form, columns, place, rows[place])
    return len(stay)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.layout.name)
def test_rows_of_mutated_files_equal_the_reference(form: Format, tmp_path: Path) -> None:
    """Each mutant is refused, or is exactly what an exact reader makes of it."""
    generator = np.random.default_rng(19)
    accepted, inputs = 0, INPUTS // len(FORMATS)
    path = tmp_path / form.file_name

    for _ in range(max(inputs // BATCH, 1)):
        rows = [mutate_cells(generator, form.row, form.layout.numbers) for _ in range(BATCH)]
        accepted += _accepted(form, path, rows)

    # A test whose mutants are all refused would prove nothing about numbers.
    assert inputs // 20 < accepted < inputs


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.layout.name)
def test_check_of_broken_files_raises_nothing_but_a_mistake_of_the_users(
    form: Format,
    tmp_path: Path,
) -> None:
    """Cut, flipped, spliced or in another encoding: every row is counted, or the file refused."""
    generator = np.random.default_rng(23)
    whole = _csv(form, [form.row] * 3)
    files = {".csv": whole, ".parquet": _parquet(form, whole)}
    refused, inputs = 0, max(INPUTS // 2_000, 2)

    for suffix, data in files.items():
        path = (tmp_path / form.file_name).with_suffix(suffix)
        for _ in range(inputs):
            path.write_bytes(mutate_bytes(generator, data))
            try:
                check = check_file(path)
            except ConfigError as error:
                assert_one_line(error)
                refused += 1
            else:
                assert check.rows_in == check.rows_out + sum(check.rejected.values())

    assert refused > 0


@settings(max_examples=max(INPUTS // 100, 1), deadline=None)
@given(st.sampled_from(FORMATS), st.data())
def test_rows_of_any_cells_are_refused_or_whole(form: Format, data: st.DataObject) -> None:
    """Numbers from nowhere never leave the range in which all sums fit."""
    changed = {
        name: data.draw(_NUMBERS if name in form.layout.numbers else st.text(max_size=12))
        for name in data.draw(st.sets(st.sampled_from(form.layout.columns), max_size=3))
    }
    numbers = {name: float(form.row[name] or "nan") for name in form.layout.numbers}

    columns, (reason,) = read_rows(form, table_of(form, {**form.row, **numbers, **changed}))

    if not reason:
        assert columns.instrument[0] > 0
        assert 19_900_000 < columns.trade_date[0] < 21_000_000
