"""Whole, in pieces, in memory or in spans of time: a recording is one recording."""

from collections.abc import Iterator

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate_common.domain.enums import Exchange
from tidegate_common.domain.ids import RunId
from tidegate_common.domain.units import Float64Array
from tidegate_common.frames.codec import encode_frame
from tidegate_common.market.sessions import NS_PER_SECOND, shanghai_ns
from tidegate_ingest.adapters.spool import Spool
from tidegate_ingest.engine.columns import RawSnapshots, TextColumn
from tidegate_ingest.engine.quality import FeedCounts
from tidegate_ingest.engine.recording import Recording, Span
from tidegate_ingest.engine.sequencer import sequence_days
from tidegate_ingest.engine.snapshot_days import SnapshotDays

CODES = ("600000", "600519", "605580", "oops")
# Seconds after 09:30, code, volume in lots and fault: times fall, volumes fall, rows repeat.
ROWS = st.lists(
    st.tuples(
        st.integers(-3_000, 40),
        st.integers(0, len(CODES) - 1),
        st.integers(0, 5),
        st.sampled_from([0.0, 0.0, 0.0, 5.0, -1.0]),
    ),
    min_size=1,
    max_size=40,
)
Rows = list[tuple[int, int, int, float]]


def _raw(rows: Rows, trade_date: int) -> RawSnapshots:
    count = len(rows)
    seconds, code, lots, fault = (np.array(column) for column in zip(*rows, strict=True))
    level = np.column_stack((np.full(count, 9.99) + fault, np.zeros((count, 4))))

    def full(value: float) -> Float64Array:
        return np.full(count, value)

    return RawSnapshots(
        exchange=Exchange.SH,
        code=TextColumn(CODES, code.astype(np.int64)),
        phase=TextColumn(("TRADE",), np.zeros(count, np.int64)),
        ts_event_ns=shanghai_ns(trade_date, 34_200) + seconds * NS_PER_SECOND,
        **dict.fromkeys(("prev_close", "open", "high", "low", "last"), full(10.0)),
        volume=lots * 100.0,
        amount=lots * 1_000.0,
        limit_up=full(0.0),
        limit_down=full(0.0),
        bid_price=level,
        bid_shares=level * 100,
        ask_price=np.zeros((count, 5)),
        ask_shares=np.zeros((count, 5)),
    )


def _tell(
    files: list[list[RawSnapshots]],
    span: Span,
    window_rows_max: int | None,
) -> tuple[list[bytes], FeedCounts]:
    recording = Recording(SnapshotDays(span, 3_000), files, span, Spool().keep)
    days = recording.days(window_rows_max)
    frames = sequence_days(RunId("r"), days, len(recording.dates))
    return [encode_frame(frame) for frame in frames], recording.counts


def _pieces(rows: Rows, size: int, trade_date: int) -> Iterator[RawSnapshots]:
    for start in range(0, len(rows), size):
        yield _raw(rows[start : start + size], trade_date)


@given(
    files=st.lists(ROWS, min_size=1, max_size=3),
    size=st.integers(1, 8),
    window_rows_max=st.integers(1, 12),
    start_seconds=st.sampled_from([0, 0, 34_205]),
)
@settings(max_examples=40, deadline=None)
def test_recording_in_pieces_and_spans_is_the_same_bytes(
    files: list[Rows],
    size: int,
    window_rows_max: int,
    start_seconds: int,
) -> None:
    """How a file is read and how long a span of a day is: neither decides anything."""
    dates = [20230201 + number // 2 for number in range(len(files))]
    start_ts_ns = shanghai_ns(20230201, start_seconds) if start_seconds else 0
    span = Span(start_ts_ns=start_ts_ns)
    told = list(zip(files, dates, strict=True))

    whole = _tell([[_raw(rows, date)] for rows, date in told], span, None)
    pieces = _tell([[*_pieces(rows, size, date)] for rows, date in told], span, window_rows_max)

    assert pieces == whole
    counts = whole[1]
    assert counts.rows_in == counts.rows_out + sum(counts.rejected.values())
