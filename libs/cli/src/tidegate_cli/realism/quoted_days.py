"""Call auctions of recorded quotes, read as a replay reads them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tidegate_cli.realism.calls import (
    CALL_TIMES,
    CallTimes,
    RecordedCall,
    quoted_call,
    recorded_call,
)
from tidegate_cli.realism.day import RUN_ID, tick_stamp
from tidegate_common.events.run import FeedSpec, RunSpec
from tidegate_common.frames.frame import Frame
from tidegate_common.frames.rows import QuoteRows
from tidegate_common.market.sessions import shanghai_date, shanghai_ns
from tidegate_ingest.adapters.feed import open_feed
from tidegate_ingest.adapters.recorded_files import describe_files

# Quotes of whole days, of Shenzhen: Shanghai's auctions are known order by order.
_FILES: Final = (
    "szse_000333_snapshot_20230201.parquet",
    "szse_000333_snapshot_20230202.parquet",
    "szse_snapshot_20220601.parquet",
)


def read_quoted_calls(directory: Path) -> list[RecordedCall]:
    """Return the call auctions of a directory's recorded quotes, by file, share and time.

    Raises
    ------
    ConfigError
        If a file is missing or cannot be read.
    """
    return [call for name in _FILES for call in _read_calls(directory / name)]


def _read_calls(path: Path) -> Iterator[RecordedCall]:
    feed = FeedSpec(files=describe_files([path]))
    quotes: dict[int, list[tuple[int, QuoteRows]]] = defaultdict(list)
    for frame in open_feed(RunSpec(RUN_ID, (), (), feed=feed)).frames():
        if isinstance(frame.rows, QuoteRows):
            for row, instrument in enumerate(frame.rows.instrument.tolist()):
                rows = frame.rows.take(np.array([row]))
                quotes[instrument].append((frame.stamp.ts_event_ns, rows))
    for instrument, said in sorted(quotes.items()):
        for name, times in CALL_TIMES.items():
            chosen = call_frames(said, times)
            yield recorded_call(name, chosen, quoted_call(chosen), instrument)


def call_frames(quotes: Sequence[tuple[int, QuoteRows]], times: CallTimes) -> list[Frame]:
    """Return the last quote before each arrival of children, and the first one after the call.

    Parameters
    ----------
    quotes : of one share's day, in order of time, with the end of the beat that each was in.
    """
    at = [ts_event_ns for ts_event_ns, _ in quotes]
    trade_date = shanghai_date(at[0])
    arrivals = [shanghai_ns(trade_date, arrival) for arrival in times.arrivals]
    places = (np.searchsorted(at, arrivals, side="right") - 1).tolist()
    phases = [int(rows.phase[0]) for _, rows in quotes]
    places.append(phases.index(times.phase_after, places[-1]))
    return [
        Frame(tick_stamp(trade_date, number=number, ts_event_ns=at[place]), 0, quotes[place][1])
        for number, place in enumerate(places)
    ]
