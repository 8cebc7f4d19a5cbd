"""Whatever rows come, beats are numbered, sorted and complete."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate_common.domain.enums import BeatKind, Phase
from tidegate_common.domain.ids import RunId
from tidegate_common.events.run import SyntheticSpec
from tidegate_common.frames.codec import decode_frame, encode_frame
from tidegate_common.frames.rows import QuoteRows
from tidegate_ingest.engine.normalizer import prices_e4
from tidegate_ingest.engine.sequencer import sequence_days, tick_edges
from tidegate_ingest.engine.synthetic import synthetic_days

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


@settings(max_examples=40)
@given(
    st.builds(
        SyntheticSpec,
        seed=st.integers(0, 2**63 - 1),
        instrument_count=st.integers(1, 12),
        day_count=st.integers(1, 2),
        beats_per_day=st.integers(1, 40),
    ),
)
def test_synthetic_markets_of_any_spec_keep_the_contract(spec: SyntheticSpec) -> None:
    """Frames survive the wire, time never falls, limits hold and no book is crossed."""
    last_ts_ns = 0
    frames = list(sequence_days(RunId("r"), synthetic_days(spec), spec.day_count))

    assert [frame.stamp.beat for frame in frames] == list(range(len(frames)))
    assert [frame.stamp.is_last for frame in frames].count(True) == 1
    assert frames[-1].stamp.is_last
    assert len(frames) == spec.day_count * (spec.beats_per_day + 2)
    for frame in frames:
        assert encode_frame(decode_frame(encode_frame(frame))) == encode_frame(frame)
        assert frame.stamp.ts_event_ns >= last_ts_ns
        last_ts_ns = frame.stamp.ts_event_ns
        if isinstance(frame.rows, QuoteRows):
            assert frame.stamp.kind is BeatKind.TICK
            _check_books(frame.rows)


def _check_books(quotes: QuoteRows) -> None:
    bid, ask = quotes.bid_price_e4[:, 0], quotes.ask_price_e4[:, 0]
    is_open = (quotes.phase == Phase.CONTINUOUS) & (bid > 0) & (ask > 0)
    assert (bid[is_open] < ask[is_open]).all()
    assert ((quotes.bid_shares > 0) == (quotes.bid_price_e4 > 0)).all()
    assert ((quotes.ask_shares > 0) == (quotes.ask_price_e4 > 0)).all()
