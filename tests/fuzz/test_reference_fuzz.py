"""Reference files, mutated: a file is refused in one line, or each cell is what it says."""

import os
import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from tests.fuzz.files import assert_one_line
from tests.fuzz.mutation import mutate_bytes, mutate_cells

from tidegate_common.domain.enums import Exchange
from tidegate_common.domain.ids import EXCHANGE_STEP
from tidegate_common.errors import ConfigError
from tidegate_ingest.adapters.reference_file import COLUMNS, load_reference
from tidegate_ingest.engine.reference_days import ReferenceDays, ReferenceTable

INPUTS = int(os.environ.get("TIDEGATE_FUZZ_INPUTS", "20000"))
AMOUNTS = ("cash", "bonus", "transfer", "rights", "rights_price")
ROW = (
    *("600519.SH", "2023-02-02", "2001-08-27", "true", "0", "drinks"),
    *("0.25", "0.1", "0.2", "0.3", "5.01"),
    *("2023-02-01", "2023-02-03", "2023-02-06"),
)
WHOLE = dict(zip(COLUMNS, ROW, strict=True))


def _write(path: Path, cells: Mapping[str, str]) -> None:
    table = pa.table({name: [cell] for name, cell in cells.items()})
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        pa_csv.write_csv(table, path)


def _load(path: Path) -> ReferenceTable | None:
    """Return what a file says, None where it is refused, which is one line."""
    try:
        return load_reference(path)
    except ConfigError as error:
        assert_one_line(error)
        return None


def _digits(cell: str) -> int:
    """Return the date that the first ten letters of a cell say; 0 where there is nothing."""
    return int(re.sub(r"[-.]", "", cell.strip()[:10]) or 0)


def _check(table: ReferenceTable, cells: Mapping[str, str]) -> None:
    """Assert that a table of one row says what its cells say, in exact decimals."""
    said = {name: cell.strip() for name, cell in cells.items()}
    (code,) = re.findall(r"\d{6}", said["symbol"])
    venues = np.array([venue * EXCHANGE_STEP + int(code) for venue in Exchange])
    facts = ReferenceDays(table).on(_digits(said["date"]), venues)
    flags = {"": -1, "1": 1, "true": 1, "0": 0, "false": 0}
    # The other two are no share of the file, so nothing is said of them.
    assert set(facts.listing_date.tolist()) <= {0, _digits(said["listing_date"])}
    assert facts.listing_date.max() == _digits(said["listing_date"])
    assert facts.is_st.max() == flags[said["is_st"].lower()]
    assert facts.is_suspended.max() == flags[said["is_suspended"].lower()]
    assert "".join(facts.sector.tolist()) == said["sector"]
    amounts = {name: Decimal(said[name] or 0) for name in AMOUNTS}
    if not facts.actions:
        # What is less than half of the last place is nothing.
        assert max(amounts.values()) < Decimal("0.00005")
        return
    (action,) = facts.actions.values()
    for name, amount in amounts.items():
        field, scale = (f"{name}_e6", 10**6) if name != "rights_price" else (f"{name}_e4", 10**4)
        assert getattr(action, field) == (amount * scale).to_integral_value(ROUND_HALF_UP)
    assert action.record_date == _digits(said["record_date"])
    assert action.pay_date == _digits(said["pay_date"])
    assert action.listing_date == _digits(said["new_shares_date"])


def test_load_reference_of_mutated_rows_is_what_they_say(tmp_path: Path) -> None:
    """As CSV and as Parquet of words: no other number, date or share than the cell's."""
    generator = np.random.default_rng(41)
    read, inputs = 0, max(INPUTS // 20, 2)

    for number in range(inputs):
        cells = mutate_cells(generator, WHOLE, AMOUNTS)
        path = tmp_path / ("reference.csv", "reference.parquet")[number % 2]
        _write(path, cells)
        table = _load(path)
        if table:
            _check(table, cells)
            read += 1

    assert inputs // 20 < read < inputs


def test_load_reference_of_broken_files_raises_nothing_but_a_mistake_of_the_users(
    tmp_path: Path,
) -> None:
    """Cut, flipped, spliced or in another encoding."""
    generator = np.random.default_rng(43)
    refused, inputs = 0, max(INPUTS // 40, 2)

    for number in range(inputs):
        path = tmp_path / ("reference.csv", "reference.parquet")[number % 2]
        _write(path, WHOLE)
        path.write_bytes(mutate_bytes(generator, path.read_bytes()))
        refused += _load(path) is None

    assert inputs // 2 < refused < inputs
