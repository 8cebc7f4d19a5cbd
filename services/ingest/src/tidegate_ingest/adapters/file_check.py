"""What ingest makes of a file, found out by reading it as a feed."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.domain.units import Int64Array
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import FeedSpec, RunSpec
from tidegate_common.frames.rows import QuoteRows
from tidegate_ingest.adapters.archive import ArchiveFeed
from tidegate_ingest.adapters.recorded_files import KnownFiles, record_files
from tidegate_ingest.adapters.spool import Spool
from tidegate_ingest.adapters.tables import count_rows
from tidegate_ingest.engine.normalizer import normalize_snapshots
from tidegate_ingest.engine.quality import (
    ACCEPTED,
    FeedCounts,
    RejectReason,
    check_snapshots,
    count_reasons,
    feed_counts,
)
from tidegate_ingest.engine.quote_text import parse_payload
from tidegate_ingest.engine.recording import Span
from tidegate_ingest.engine.reference_days import NO_REFERENCE, ReferenceTable

# Known, and no feed: `tidegate fetch daily` has the days of shares with all that they need.
_TENCENT_BARS = re.compile(rb'"(?:qfq|hfq)?day"\s*:\s*\[\s*\[')
_PAYLOAD_SUFFIXES = frozenset({".dat", ".txt", ".json"})


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What became of a file's rows; rows_in = rows_out + all rejected.

    format : name of the layout.
    rejected : rows by reason, without zeros.
    instruments : different ones among the rows that came out.
    first_ts_ns, last_ts_ns : market time of these rows, UTC epoch; a daily bar's is its close;
        0 where no row came out.
    """

    format: str
    rows_in: int
    rows_out: int
    rejected: dict[str, int]
    instruments: int
    first_ts_ns: int
    last_ts_ns: int


def check_file(path: Path, reference: ReferenceTable = NO_REFERENCE) -> FileCheck:
    """Return what ingest makes of a file that is given on its own.

    Parameters
    ----------
    reference : what the user says of instruments; a payload or an archive is not held to it.

    Raises
    ------
    ConfigError
        If the file cannot be read or is of no known layout.
    """
    if path.suffix.lower() in _PAYLOAD_SUFFIXES:
        return _check_payload(path)
    files = KnownFiles()
    files.add(path)
    if files.others:
        rows_in = count_rows(path)
        rejected = {RejectReason.NOT_A_QUOTE.value: rows_in} if rows_in else {}
        return FileCheck(files.layout_names[0], rows_in, 0, rejected, 0, 0, 0)
    if files.archives:
        return _check_archive(path, files.layout_names[0])
    spool = Spool()
    recording = record_files(files, FeedSpec(), spool, reference)
    extent = _Extent()
    for day in recording.days(spool.window_rows_max):
        for kind, ts_event_ns, rows in day.beats():
            if isinstance(rows, QuoteRows):
                extent.add(rows.instrument, [int(rows.ts_event_ns.min()), ts_event_ns])
            elif kind is BeatKind.BAR or (files.daily_bars and kind is BeatKind.CLOSE):
                extent.add(rows.instrument, [ts_event_ns])
    return extent.check(files.layout_names[0], recording.counts)


def _check_payload(path: Path) -> FileCheck:
    """Return what becomes of the text of a quote service: line faults, then the row checks."""
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"expected a file that can be read, found: {error}"
        raise ConfigError(message) from error
    parsed = parse_payload(data)
    if parsed.source is None:
        is_bars = _TENCENT_BARS.search(data) is not None
        found = f"Tencent's daily bars, which say no amounts: {path}"
        message = (
            "expected the text of a quote service, found "
            f"{found if is_bars else f'none that is known in {path}'}"
        )
        raise ConfigError(message)
    columns = normalize_snapshots(parsed.raw)
    reasons = check_snapshots(parsed.raw, columns)
    rows = columns.take(reasons == ACCEPTED)
    rejected = Counter({fault.value: count for fault, count in parsed.rejected.items() if count})
    counts = feed_counts(count_reasons(reasons), 0)
    rejected.update({reason.value: count for reason, count in counts.rejected.items()})
    times = rows.ts_event_ns.tolist()
    return FileCheck(
        format=f"{parsed.source.value} payload",
        rows_in=parsed.lines_in,
        rows_out=len(rows),
        rejected=dict(rejected),
        instruments=len(np.unique(rows.instrument)),
        first_ts_ns=min(times, default=0),
        last_ts_ns=max(times, default=0),
    )


def _check_archive(path: Path, name: str) -> FileCheck:
    spec = RunSpec(run_id=RunId("check"), accounts=(), strategies=())
    feed = ArchiveFeed(spec, [path], Span())
    extent = _Extent()
    for frame in feed.frames():
        extent.add(frame.rows.instrument, [frame.stamp.ts_event_ns])
    return extent.check(name, feed.counts)


class _Extent:
    """The instruments and the times that came out so far."""

    def __init__(self) -> None:
        self._instruments: Int64Array = np.zeros(0, dtype=np.int64)
        self._times: list[int] = []

    def add(self, instrument: Int64Array, times: list[int]) -> None:
        """Take rows and their first and last time."""
        place = np.searchsorted(self._instruments, instrument)
        is_inside = place < len(self._instruments)
        if not is_inside.all() or (self._instruments[place] != instrument).any():
            self._instruments = np.union1d(self._instruments, instrument)
        found = [*self._times, *times]
        self._times = [min(found), max(found)]

    def check(self, name: str, counts: FeedCounts) -> FileCheck:
        """Return what became of the rows of a file."""
        return FileCheck(
            format=name,
            rows_in=counts.rows_in,
            rows_out=counts.rows_out,
            rejected={reason.value: rows for reason, rows in counts.rejected.items()},
            instruments=len(self._instruments),
            first_ts_ns=min(self._times, default=0),
            last_ts_ns=max(self._times, default=0),
        )
