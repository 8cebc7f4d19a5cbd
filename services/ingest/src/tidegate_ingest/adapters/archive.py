"""The recorder's archive: Parquet files of frames, replayed beat by beat as they were.

A file holds a shard's day (`tidegate_common.frames.archived_day`). The shards of a day are merged;
days follow one another, of one run or of several. No more than a row group of each shard of a day
is in memory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tidegate_common.codec import encode_event
from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId, shards_of
from tidegate_common.errors import ConfigError, ContractError
from tidegate_common.events.ingest import RejectedRow
from tidegate_common.events.run import RunSpec
from tidegate_common.frames.archived_day import (
    ARCHIVE_KEY,
    DayContents,
    archive_columns,
    archive_schema,
    archive_table,
    archived_rows,
)
from tidegate_common.frames.checks import check_rows
from tidegate_common.frames.codec import encode_frame
from tidegate_common.frames.frame import (
    BeatStamp,
    Frame,
    FrameRows,
    empty_rows,
    merge_frames,
    split_frame,
)
from tidegate_common.frames.ipc import read_stream
from tidegate_ingest.adapters.tables import readable
from tidegate_ingest.engine.quality import FeedCounts
from tidegate_ingest.engine.recording import Span

_BETWEEN = frozenset({BeatKind.TICK, BeatKind.BAR})
# About eight megabytes of messages.
_GROUP_ROWS_MAX = 65_536


class ArchiveFeed:
    """A feed of archived frames; each reading of it reads the files anew."""

    def __init__(self, spec: RunSpec, paths: Sequence[Path], span: Span) -> None:
        """Look which beats the files have, without reading their rows.

        Raises
        ------
        ConfigError
            If a file cannot be read, a shard of a day is missing, or two files do not go together.
        """
        self._spec = spec
        self._span = span
        found: dict[int, dict[Path, DayContents]] = {}
        for path in paths:
            day = day_contents(path)
            assert day is not None, "only archives are opened as such"
            found.setdefault(day.trade_date, {})[path] = day
        dates = [date for date in sorted(found) if date >= span.start_date]
        self._days = [_Day.of(found[date]) for date in dates[: span.day_count_max or None]]
        told = [
            sum(file.rows[number] for file in day.files.values())
            for day in self._days
            for number in day.beats_from(span.start_ts_ns)
        ]
        self.counts = FeedCounts(rows_in=sum(told), rows_out=sum(told))
        self.beat_count = len(told)

    @property
    def is_checked(self) -> bool:
        """Whether it is known which rows are refused: none are."""
        return True

    def rejects(self) -> Iterator[Sequence[RejectedRow]]:
        """Return no rows: what was archived was checked before."""
        return iter(())

    def frames(self) -> Iterator[Frame]:
        """Yield the beats, whole market, shard 0; the first one carries the run's spec.

        Raises
        ------
        ConfigError
            If the rows of a file are not what its contents say.
        """
        beat = 0
        for day in self._days:
            for frame in day.frames(self._span.start_ts_ns):
                yield replace(
                    frame,
                    stamp=replace(
                        frame.stamp,
                        run_id=self._spec.run_id,
                        beat=beat,
                        is_last=beat == self.beat_count - 1,
                    ),
                    run_spec="" if beat else encode_event(self._spec).decode(),
                )
                beat += 1


def open_run(spec: RunSpec, folder: Path) -> ArchiveFeed:
    """Return the frames of a run from its archive: the bytes that the run's stages had.

    Parameters
    ----------
    folder : of the run, `<archive>/<run>`.

    Raises
    ------
    ConfigError
        If the folder has not all beats of the run from its first one on, or one is damaged.
    """
    paths = sorted(folder.glob("*/[!.]*.parquet"))
    days = [day for path in paths if (day := day_contents(path)) is not None]
    if not days:
        message = f"expected the archive of run {spec.run_id} in {folder}, found no such files"
        raise ConfigError(message)
    next_beat = 0
    for first_beat, kinds in sorted({(day.first_beat, day.kinds) for day in days}):
        if first_beat != next_beat:
            message = (
                f"expected beat {next_beat} of run {spec.run_id} in its archive {folder}, "
                f"found a day that begins at beat {first_beat}"
            )
            raise ConfigError(message)
        next_beat += len(kinds)
    damaged = sorted(beat for day in days for beat in day.damaged_beats)
    if damaged:
        message = f"beat {damaged[0]} of run {spec.run_id} was damaged when it was archived"
        raise ConfigError(message)
    return ArchiveFeed(spec, paths, Span())


@dataclass(frozen=True, slots=True)
class _Day:
    """A day's files, one a shard, and what they have in common."""

    files: Mapping[Path, DayContents]
    contents: DayContents

    @classmethod
    def of(cls, files: Mapping[Path, DayContents]) -> "_Day":
        first, *others = files.values()
        for other in others:
            if _common(first) != _common(other):
                message = (
                    f"expected an archived day of one run, found: {first.run} and {other.run} "
                    f"on {first.trade_date} with other beats or shards"
                )
                raise ConfigError(message)
        shards = sorted(day.shard for day in files.values())
        if shards != list(range(first.shard_count)):
            message = (
                f"expected a file for each of {first.shard_count} shards of run {first.run} on "
                f"{first.trade_date}, found those of: {', '.join(map(str, shards))}"
            )
            raise ConfigError(message)
        return cls(files, first)

    def beats_from(self, start_ts_ns: int) -> list[int]:
        """Return the numbers of the beats that are told: OPEN and CLOSE always are."""
        day = self.contents
        return [
            number
            for number, (kind, time) in enumerate(zip(day.kinds, day.ts_event_ns, strict=True))
            if kind not in _BETWEEN or time >= start_ts_ns
        ]

    def frames(self, start_ts_ns: int) -> Iterator[Frame]:
        """Yield the beats, with their numbers in the day."""
        chosen = set(self.beats_from(start_ts_ns))
        with ExitStack() as files:
            rows = [_ShardRows(files, path, day) for path, day in self.files.items()]
            for number, kind in enumerate(self.contents.kinds):
                parts = [each.take(number) for each in rows]
                if number not in chosen:
                    continue
                time = self.contents.ts_event_ns[number]
                date = self.contents.trade_date
                stamp = BeatStamp(RunId(self.contents.run), number, kind, date, time)
                yield merge_frames([Frame(stamp, 0, part) for part in parts])


class _ShardRows:
    """The rows of a file, from the first beat to the last."""

    def __init__(self, files: ExitStack, path: Path, day: DayContents) -> None:
        self._path = path
        self._day = day
        with readable(path, "a Parquet file"):
            self._file = files.enter_context(pq.ParquetFile(path))
        self._group = 0
        self._rows: FrameRows | None = None
        self._place = 0

    def take(self, number: int) -> FrameRows:
        """Return the rows of a beat, which are asked for in order.

        Raises
        ------
        ConfigError
            If the file has no such rows.
        """
        kind, count = self._day.kinds[number], self._day.rows[number]
        if not count:
            return empty_rows(kind)
        with readable(self._path, "an archived day"):
            if self._rows is None or self._place == len(self._rows):
                self._rows, self._place = self._next_group(kind), 0
            start, stop = self._place, self._place + count
            if stop > len(self._rows):
                message = f"beat {number} of the day has {count} rows, not in one row group"
                raise ContractError(message)
            self._place = stop
            arrays = (getattr(self._rows, field.name) for field in fields(self._rows))
            rows = type(self._rows)(*(array[start:stop] for array in arrays))
            check_rows(rows)
        return rows

    def _next_group(self, kind: BeatKind) -> FrameRows:
        if self._group == self._file.num_row_groups:
            message = f"the file ends after {self._group} row groups, its contents do not"
            raise ContractError(message)
        table = self._file.read_row_group(
            self._group, columns=archive_columns(kind), use_threads=False
        )
        self._group += 1
        return archived_rows(kind, table)


def day_contents(path: Path) -> DayContents | None:
    """Return what a file of the archive holds; None if it is no such file.

    Raises
    ------
    ConfigError
        If the file cannot be read, or is of an archive of another version.
    """
    if path.suffix.lower() != ".parquet":
        return None
    with readable(path, "an archived day"):
        metadata = pq.read_metadata(path).metadata or {}
        found = metadata.get(ARCHIVE_KEY)
        return None if found is None else DayContents.from_json(found)


def write_archive(frames: Iterable[Frame], folder: Path, shard_count: int = 1) -> list[Path]:
    """Write a run's frames into files as the recorder does; for benches and for conversion.

    Parameters
    ----------
    frames : whole market, from the first beat on.
    """
    paths: list[Path] = []
    for trade_date, day in groupby(frames, key=lambda frame: frame.stamp.trade_date):
        shards: list[list[Frame]] = [[] for _ in range(shard_count)]
        for frame in day:
            shard = shards_of(frame.rows.instrument, shard_count)
            for told, part in zip(shards, split_frame(frame, shard, shard_count), strict=True):
                told.append(part)
        for number, told in enumerate(shards):
            path = folder / str(trade_date) / f"{number}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_day(path, told, shard=number, shard_count=shard_count)
            paths.append(path)
    return paths


def _write_day(path: Path, frames: Sequence[Frame], *, shard: int, shard_count: int) -> None:
    stamps = [frame.stamp for frame in frames]
    day = DayContents(
        run=stamps[0].run_id,
        trade_date=stamps[0].trade_date,
        shard=shard,
        shard_count=shard_count,
        run_spec=frames[0].run_spec,
        is_closed=stamps[-1].kind is BeatKind.CLOSE,
        is_last=stamps[-1].is_last,
        first_beat=stamps[0].beat,
        kinds=tuple(stamp.kind for stamp in stamps),
        ts_event_ns=tuple(stamp.ts_event_ns for stamp in stamps),
        rows=tuple(len(frame.rows) for frame in frames),
    )
    schema = archive_schema().with_metadata({ARCHIVE_KEY: day.to_json()})
    words = [field.name for field in schema if pa.types.is_string(field.type)]
    whole = [field.name for field in schema if field.type in {pa.int32(), pa.int64()}]
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=words,
        column_encoding=dict.fromkeys(whole, "DELTA_BINARY_PACKED"),
    ) as writer:
        for group in _groups(frames):
            batches = [read_stream(encode_frame(frame))[0] for frame in group]
            table = archive_table([frame.stamp for frame in group], batches)
            writer.write_table(table.cast(schema), row_group_size=len(table))


def _groups(frames: Sequence[Frame]) -> Iterator[list[Frame]]:
    """Yield frames with rows by row group: of one kind, and of about so many rows."""
    group: list[Frame] = []
    for frame in frames:
        count = sum(len(each.rows) for each in group)
        is_other = group and group[0].stamp.kind is not frame.stamp.kind
        if group and (is_other or count >= _GROUP_ROWS_MAX):
            yield group
            group = []
        if len(frame.rows):
            group.append(frame)
    if group:
        yield group


def _common(day: DayContents) -> tuple[object, ...]:
    """Return what the files of a day's shards have in common."""
    return day.run, day.shard_count, day.first_beat, day.kinds, day.ts_event_ns
