"""Recorded files: what they are, and the feed that replays them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tidegate_common.domain.enums import BeatKind
from tidegate_common.errors import ConfigError
from tidegate_common.events.ingest import RejectedRow
from tidegate_common.events.run import FeedSpec, InputFile, RunSpec
from tidegate_common.frames.archived_day import DayContents
from tidegate_common.frames.frame import Frame
from tidegate_ingest.adapters.archive import ArchiveFeed, day_contents
from tidegate_ingest.adapters.daily_bars import BAR_LAYOUTS
from tidegate_ingest.adapters.day_feed import DayFeed
from tidegate_ingest.adapters.input_files import check_unchanged, sha256_of
from tidegate_ingest.adapters.layouts import Layout, RawColumns, shorten
from tidegate_ingest.adapters.minute_bars import MINUTE_LAYOUTS
from tidegate_ingest.adapters.other_records import OTHER_LAYOUTS
from tidegate_ingest.adapters.reference_file import open_reference, refuse_reference
from tidegate_ingest.adapters.rejected_rows import rejected_rows
from tidegate_ingest.adapters.spool import RESIDENT_ROWS_MAX, Spool
from tidegate_ingest.adapters.szse_sse_snapshots import SNAPSHOT_LAYOUTS
from tidegate_ingest.adapters.tables import column_names
from tidegate_ingest.engine.bar_days import BarDays
from tidegate_ingest.engine.columns import (
    BarColumns,
    MinuteColumns,
    RawBars,
    RawMinuteBars,
    RawSnapshots,
    SnapshotColumns,
)
from tidegate_ingest.engine.minute_days import MinuteDays
from tidegate_ingest.engine.quality import FeedCounts
from tidegate_ingest.engine.recording import Recording, Span
from tidegate_ingest.engine.reference_days import NO_REFERENCE, ReferenceTable
from tidegate_ingest.engine.sequencer import ToldDay
from tidegate_ingest.engine.snapshot_days import SnapshotDays

ARCHIVE_NAME = "tidegate archive"
AnyRecording = (
    Recording[RawSnapshots, SnapshotColumns]
    | Recording[RawMinuteBars, MinuteColumns]
    | Recording[RawBars, BarColumns]
)


@dataclass(slots=True)
class KnownFiles:
    """Files by what their rows are, each with its layout.

    archives : files of the recorder's archive, with their contents.
    others : of a layout that holds neither quotes nor bars.
    """

    snapshots: list[tuple[Path, Layout[RawSnapshots]]] = field(default_factory=list)
    minute_bars: list[tuple[Path, Layout[RawMinuteBars]]] = field(default_factory=list)
    daily_bars: list[tuple[Path, Layout[RawBars]]] = field(default_factory=list)
    archives: list[tuple[Path, DayContents]] = field(default_factory=list)
    others: list[tuple[Path, Layout[int]]] = field(default_factory=list)

    def add(self, path: Path) -> None:
        """Find out what a file is; bars of minutes may have all columns of daily bars.

        Raises
        ------
        ConfigError
            If the file cannot be read or is of no known layout.
        """
        found = column_names(path)
        if archived := day_contents(path):
            self.archives.append((path, archived))
        elif snapshot := _first_match(SNAPSHOT_LAYOUTS, path, found):
            self.snapshots.append((path, snapshot))
        elif minute := _first_match(MINUTE_LAYOUTS, path, found):
            self.minute_bars.append((path, minute))
        elif daily := _first_match(BAR_LAYOUTS, path, found):
            self.daily_bars.append((path, daily))
        elif other := _first_match(OTHER_LAYOUTS, path, found):
            self.others.append((path, other))
        else:
            raise _unknown_layout(path, found)

    @property
    def layout_names(self) -> tuple[str, ...]:
        """Return the name of each file's layout."""
        layouts = (
            *(layout.name for _, layout in self.snapshots),
            *(layout.name for _, layout in self.minute_bars),
            *(layout.name for _, layout in self.daily_bars),
        )
        archives = [ARCHIVE_NAME] * len(self.archives)
        return (*layouts, *archives, *(layout.name for _, layout in self.others))

    def check_one_kind(self) -> None:
        """Raise ConfigError unless all are of one kind that is a feed."""
        for path, layout in self.others:
            message = f"expected quotes or bars, found: {layout.name} ({path})"
            raise ConfigError(message)
        firsts = {
            "snapshots": [str(path) for path, _ in self.snapshots][:1],
            "minute bars": [str(path) for path, _ in self.minute_bars][:1],
            "daily bars": [str(path) for path, _ in self.daily_bars][:1],
            ARCHIVE_NAME: [str(path) for path, _ in self.archives][:1],
        }
        kinds = [f"{kind} {path}" for kind, paths in firsts.items() for path in paths]
        if len(kinds) > 1:
            message = f"expected files of one kind in a run, found: {', '.join(kinds)}"
            raise ConfigError(message)


class RecordedFeed:
    """A feed of files; a run that is larger than memory is made day by day at each reading."""

    def __init__(
        self,
        spec: RunSpec,
        files: KnownFiles,
        recording: AnyRecording,
        window_rows_max: int | None,
    ) -> None:
        """Take a recording; one that fits into memory is made into days here and now."""
        self._spec = spec
        self._files = files
        self._recording = recording
        self._window_rows_max = window_rows_max
        self._days: tuple[ToldDay, ...] | None = None
        if window_rows_max is None:
            self._days = tuple(recording.days())

    @property
    def beat_count(self) -> int:
        """Return the number of beats; about so for snapshots that do not fit into memory."""
        if self._days is None:
            return self._recording.beat_count
        return sum(sum(1 for _ in day.beats()) for day in self._days)

    @property
    def counts(self) -> FeedCounts:
        """Return what became of the rows, as far as the days have been made."""
        return self._recording.counts

    @property
    def is_checked(self) -> bool:
        """Whether all days have been made."""
        return self._days is not None

    def rejects(self) -> Iterator[Sequence[RejectedRow]]:
        """Yield the refused rows, some at a time; reads the files again.

        Raises
        ------
        ConfigError
            If a file cannot be read.
        """
        files = self._files.snapshots or self._files.minute_bars or self._files.daily_bars
        # The recording is of these files, so of their kind.
        return rejected_rows(files, self._recording)  # type: ignore[misc]

    def frames(self) -> Iterator[Frame]:
        """Yield the beats, whole market, shard 0; the first one carries the run's spec."""
        return DayFeed(
            spec=self._spec,
            make_days=self._make_days,
            day_count=len(self._recording.dates),
            beat_count=self.beat_count,
            counts=self.counts,
        ).frames()

    def _make_days(self) -> Iterable[ToldDay]:
        if self._days is not None:
            return self._days
        return self._recording.days(self._window_rows_max)


def describe_files(paths: Sequence[Path]) -> tuple[InputFile, ...]:
    """Return files as a run's spec names them, by what is in them.

    Raises
    ------
    ConfigError
        If a file is missing, cannot be read, is of no known layout, holds neither quotes nor bars
        or is given twice, or if files are of different kinds.
    """
    files = tuple(InputFile(str(path), sha256_of(path)) for path in paths)
    _sort_out(files)
    return files


def hold_quotes(paths: Sequence[Path]) -> bool:
    """Tell whether any of a run's files holds quotes; others hold bars.

    Raises
    ------
    ConfigError
        If a file cannot be read or is of no known layout.
    """
    files = KnownFiles()
    for path in paths:
        files.add(path)
    return bool(files.snapshots) or any(BeatKind.TICK in day.kinds for _, day in files.archives)


def open_files(
    spec: RunSpec,
    resident_rows_max: int = RESIDENT_ROWS_MAX,
) -> RecordedFeed | ArchiveFeed:
    """Return the feed that replays the files of a spec.

    Raises
    ------
    ConfigError
        As `describe_files`; or if a file is not the one of the spec any more, or no row of the
        files was accepted.
    """
    feed = spec.feed
    for file in feed.files:
        check_unchanged(file)
    if feed.beat_interval_ms <= 0 or min(feed.day_count_max, feed.start_ts_ns) < 0:
        message = (
            "beat_interval_ms must be > 0, day_count_max and start_ts_ns >= 0, "
            f"were {feed.beat_interval_ms}, {feed.day_count_max} and {feed.start_ts_ns}"
        )
        raise ConfigError(message)
    files = _sort_out(feed.files)
    reference = open_reference(feed.reference)
    if files.archives:
        refuse_reference(feed, "an archive")
        archive = ArchiveFeed(spec, [path for path, _ in files.archives], span_of(feed))
        if not archive.beat_count:
            raise _no_row(archive.counts)
        return archive
    spool = Spool(resident_rows_max)
    recording = record_files(files, feed, spool, reference)
    if not recording.dates:
        raise _no_row(recording.counts)
    return RecordedFeed(spec, files, recording, spool.window_rows_max)


def span_of(feed: FeedSpec) -> Span:
    """Return the part of the files that is the run."""
    return Span(start_ts_ns=feed.start_ts_ns, day_count_max=feed.day_count_max)


def record_files(
    files: KnownFiles,
    feed: FeedSpec,
    spool: Spool,
    reference: ReferenceTable = NO_REFERENCE,
) -> AnyRecording:
    """Return the recording of files of one kind.

    Raises
    ------
    ConfigError
        If a file cannot be read.
    """
    span = span_of(feed)
    if files.snapshots:
        snapshots = (layout.batches(path) for path, layout in files.snapshots)
        snapshot_days = SnapshotDays(span, feed.beat_interval_ms, reference)
        return Recording(snapshot_days, snapshots, span, spool.keep)
    if files.minute_bars:
        minute_bars = (layout.batches(path) for path, layout in files.minute_bars)
        return Recording(MinuteDays(span, reference), minute_bars, span, spool.keep)
    daily_bars = (layout.batches(path) for path, layout in files.daily_bars)
    return Recording(BarDays(reference), daily_bars, span, spool.keep)


def _no_row(counts: FeedCounts) -> ConfigError:
    by_reason = ", ".join(f"{reason} {rows}" for reason, rows in counts.rejected.items())
    return ConfigError(
        "expected a file with at least one row of a share, "
        f"found: {counts.rows_in} rows, rejected: {by_reason or 'none'}",
    )


def _sort_out(files: Sequence[InputFile]) -> KnownFiles:
    """Return files of one kind, each given once."""
    known = KnownFiles()
    paths: dict[str, str] = {}
    for file in files:
        if file.sha256 in paths:
            message = f"expected each file once, found: {paths[file.sha256]} again as {file.path}"
            raise ConfigError(message)
        paths[file.sha256] = file.path
        known.add(Path(file.path))
    known.check_one_kind()
    return known


def _first_match(
    layouts: Sequence[Layout[RawColumns]],
    path: Path,
    found: Sequence[str],
) -> Layout[RawColumns] | None:
    for layout in layouts:
        if not layout.missing(found):
            layout.check_name(path)
            return layout
    return None


def _unknown_layout(path: Path, found: Sequence[str]) -> ConfigError:
    """Return the error for a file of no layout, with what the nearest layout misses."""
    layouts: tuple[Layout[RawSnapshots] | Layout[RawMinuteBars] | Layout[RawBars], ...]
    layouts = (*SNAPSHOT_LAYOUTS, *MINUTE_LAYOUTS, *BAR_LAYOUTS)
    missing = {layout.name: layout.missing(found) for layout in layouts}
    nearest = min(missing, key=lambda name: len(missing[name]))
    return ConfigError(
        f"expected columns of one of: {', '.join(missing)}; found: {shorten(found)}; "
        f"nearest is {nearest}, missing: {shorten(missing[nearest])} ({path})",
    )
