"""Rows of instruments: given once, never moved."""

import numpy as np

from tidegate_signals.engine.features.instruments import InstrumentTable


def test_instrument_table_known_instruments_keep_their_rows() -> None:
    """State belongs to a row, so a row never moves."""
    table = InstrumentTable()
    table.add(np.array([1_600_000, 2_000_001]))

    added = table.add(np.array([1_000_001, 1_600_000, 1_700_000]))

    assert added == 2
    assert len(table) == 4
    rows = table.rows_of(np.array([1_600_000, 1_700_000, 2_000_001]))
    assert np.arange(4)[rows].tolist() == [0, 3, 1]
    assert table.instruments_of(rows).tolist() == [1_600_000, 1_700_000, 2_000_001]
