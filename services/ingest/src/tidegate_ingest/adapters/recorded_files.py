"""Recorded files: what they are, and the feed that replays them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tidegate_common.errors import ConfigError
from tidegate_common.events.run import InputFile, RunSpec
from tidegate_ingest.adapters.daily_bars import BAR_LAYOUTS
from tidegate_ingest.adapters.day_feed import DayFeed
from tidegate_ingest.adapters.layouts import Layout, RawColumns, shorten
from tidegate_ingest.adapters.szse_sse_snapshots import SNAPSHOT_LAYOUTS
from tidegate_ingest.adapters.tables import column_names
from tidegate_ingest.engine.columns import RawBars, RawSnapshots
from tidegate_ingest.engine.recording import Recording, record_bars, record_snapshots

SnapshotLayout = Layout[RawSnapshots]
BarLayout = Layout[RawBars]


def describe_files(paths: Sequence[Path]) -> tuple[InputFile, ...]:
    """Return files as a run's spec names them, by what is in them.

    Raises
    ------
    ConfigError
        If a file is missing, cannot be read, is of no known layout or is given twice, or if
        daily bars come with snapshots.
    """
    files = tuple(InputFile(str(path), _sha256(path)) for path in paths)
    _sort_out(files)
    return files


def open_files(spec: RunSpec) -> DayFeed:
    """Return the feed that replays the files of a spec.

    Raises
    ------
    ConfigError
        As `describe_files`; or if a file is not the one of the spec any more, or no row of the
        files was accepted.
    """
    feed = spec.feed
    for file in feed.files:
        found = _sha256(Path(file.path))
        if found != file.sha256:
            message = (
                f"{file.path} has changed since the run was defined: "
                f"expected sha256 {file.sha256}, found: {found}"
            )
            raise ConfigError(message)
    if feed.beat_interval_ms <= 0 or feed.day_count_max < 0:
        message = (
            "beat_interval_ms must be > 0 and day_count_max >= 0, "
            f"were {feed.beat_interval_ms} and {feed.day_count_max}"
        )
        raise ConfigError(message)
    snapshots, bars = _sort_out(feed.files)
    if snapshots:
        recording = record_snapshots(
            (layout.read(path) for path, layout in snapshots),
            beat_interval_ms=feed.beat_interval_ms,
            day_count_max=feed.day_count_max,
        )
    else:
        recording = record_bars(
            (layout.read(path) for path, layout in bars),
            day_count_max=feed.day_count_max,
        )
    return _day_feed(spec, recording)


def _day_feed(spec: RunSpec, recording: Recording) -> DayFeed:
    counts = recording.counts
    if not recording.days:
        by_reason = ", ".join(f"{reason} {rows}" for reason, rows in counts.rejected.items())
        message = (
            "expected a file with at least one row of a share, "
            f"found: {counts.rows_in} rows, rejected: {by_reason or 'none'}"
        )
        raise ConfigError(message)
    return DayFeed(
        spec=spec,
        make_days=lambda: recording.days,
        day_count=len(recording.days),
        beat_count=sum(day.beat_count for day in recording.days),
        counts=counts,
    )


def _sort_out(
    files: Sequence[InputFile],
) -> tuple[list[tuple[Path, SnapshotLayout]], list[tuple[Path, BarLayout]]]:
    """Return the snapshot files and the daily-bar files; one of the two lists is empty."""
    snapshots: list[tuple[Path, SnapshotLayout]] = []
    bars: list[tuple[Path, BarLayout]] = []
    paths: dict[str, str] = {}
    for file in files:
        if file.sha256 in paths:
            message = f"expected each file once, found: {paths[file.sha256]} again as {file.path}"
            raise ConfigError(message)
        paths[file.sha256] = file.path
        path = Path(file.path)
        found = column_names(path)
        if snapshot := _first_match(SNAPSHOT_LAYOUTS, path, found):
            snapshots.append((path, snapshot))
        elif bar := _first_match(BAR_LAYOUTS, path, found):
            bars.append((path, bar))
        else:
            raise _unknown_layout(path, found)
    if snapshots and bars:
        message = (
            "expected either snapshots or daily bars in a run, "
            f"found: snapshots {snapshots[0][0]}, daily bars {bars[0][0]}"
        )
        raise ConfigError(message)
    return snapshots, bars


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
    layouts: tuple[SnapshotLayout | BarLayout, ...] = (*SNAPSHOT_LAYOUTS, *BAR_LAYOUTS)
    nearest = min(layouts, key=lambda layout: len(layout.missing(found)))
    names = ", ".join(layout.name for layout in layouts)
    return ConfigError(
        f"expected columns of one of: {names}; found: {shorten(found)}; "
        f"nearest is {nearest.name}, missing: {shorten(nearest.missing(found))} ({path})",
    )


def _sha256(path: Path) -> str:
    if not path.exists():
        message = f"expected a file, found nothing at {path}"
        raise ConfigError(message)
    if not path.is_file():
        message = f"expected a file, found something else at {path}"
        raise ConfigError(message)
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        message = f"expected a file that can be read, found: {error}"
        raise ConfigError(message) from error
