"""Where beats begin and end."""

import numpy as np
import pytest

from tidegate_ingest.engine.sequencer import tick_edges


@pytest.mark.parametrize(
    ("ts", "instrument", "edges"),
    [
        ([], [], [0]),
        ([5], [1], [0, 1]),
        ([0, 1, 2], [1, 2, 3], [0, 3]),
        ([0, 9, 10, 35], [1, 2, 3, 4], [0, 2, 3, 4]),
        ([0, 1, 2], [1, 1, 1], [0, 1, 2, 3]),
        ([0, 1, 2, 3], [1, 2, 1, 2], [0, 2, 4]),
        ([0, 1, 2, 3, 4], [1, 2, 3, 2, 1], [0, 3, 5]),
        ([9, 10], [1, 1], [0, 1, 2]),
    ],
    ids=["empty", "one", "one-cell", "empty-cells", "talker", "pairs", "mirror", "next-cell"],
)
def test_tick_edges_split_by_cell_and_by_repeated_speaker(
    ts: list[int],
    instrument: list[int],
    edges: list[int],
) -> None:
    """An interval of 10 is over at 10, 20 ..., or when an instrument would speak twice."""
    found = tick_edges(np.array(ts, np.int64), np.array(instrument, np.int64), 10)

    assert found.tolist() == edges
