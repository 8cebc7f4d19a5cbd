"""Whatever rows come, beats are numbered, sorted and complete."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tidegate_ingest.engine.normalizer import prices_e4
from tidegate_ingest.engine.sequencer import tick_edges

ROWS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 5)), max_size=60)


@given(ROWS, st.integers(1, 20))
def test_tick_edges_of_any_rows_lose_none_and_repeat_no_speaker(
    rows: list[tuple[int, int]],
    interval: int,
) -> None:
    """Each row is in one beat; a beat has one cell of time and each instrument once."""
    rows = sorted(rows, key=lambda row: row[0])
    ts = np.array([row[0] for row in rows], np.int64)
    instrument = np.array([row[1] for row in rows], np.int64)

    edges = tick_edges(ts, instrument, interval).tolist()

    assert edges[0] == 0
    assert edges[-1] == len(rows)
    for start, end in pairwise(edges):
        assert start < end
        assert len(set(instrument[start:end].tolist())) == end - start
        assert ts[start] // interval == ts[end - 1] // interval


@given(ROWS, st.integers(1, 20))
def test_tick_edges_of_any_rows_close_no_beat_too_early(
    rows: list[tuple[int, int]],
    interval: int,
) -> None:
    """A new beat in the same cell begins with somebody who has spoken in the one before."""
    rows = sorted(rows, key=lambda row: row[0])
    ts = np.array([row[0] for row in rows], np.int64)
    instrument = np.array([row[1] for row in rows], np.int64)

    edges = tick_edges(ts, instrument, interval).tolist()

    for before, start in pairwise(edges[:-1]):
        is_new_cell = ts[start] // interval != ts[start - 1] // interval
        assert is_new_cell or instrument[start] in instrument[before:start]


@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=20))
def test_prices_e4_of_any_whole_fen_come_back_exactly(fen: list[int]) -> None:
    """A float64 holds every price in fen well enough to find it again."""
    price = np.array(fen, dtype=np.float64) / 100

    assert prices_e4(price).tolist() == [number * 100 for number in fen]
