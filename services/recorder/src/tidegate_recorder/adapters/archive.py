"""The archive: tick frames as Parquet files, one a run, trade date and shard.

A day grows in a hidden file beside its place, row group by row group, and moves there whole when it
is over, so nobody ever sees a part. Where the archive ends is written after the file: killed at any
point, the recorder reads the log from the day's first frame again and makes the same file. These
places are the archive's own, apart from those of the tables.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.headers import origin_of, run_spec_of, stamp_of
from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ConfigError, ContractError, TransientError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import TICKS
from tidegate_common.frames.archived_day import (
    ARCHIVE_KEY,
    archive_schema,
    archive_table,
    check_frame_batch,
)
from tidegate_common.frames.codec import decode_stamp
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.frames.ipc import read_stream
from tidegate_recorder.engine.days import DayEnd, Part, Place, ShardDays, contents_of

PRODUCER = "ingest-0"

_LOCK_NAME = ".lock"
_PART_SUFFIX = ".parquet.part"
_SCHEMA = archive_schema()


@dataclass(slots=True)
class _DayFile:
    """A day's file while it grows."""

    path: Path
    writer: pq.ParquetWriter
    stamps: list[BeatStamp] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    damaged_beats: list[int] = field(default_factory=list)


class Archive:
    """Writes the frames of all shards to a directory; one process at a time has it.

    log : name of the broker's log that frames are read from.
    """

    def __init__(
        self,
        directory: Path,
        *,
        log: str,
        shard_count: int,
        part_bytes: int | None = None,
    ) -> None:
        self._directory = directory
        self._log = log
        self._shard_count = shard_count
        self._part_bytes = {} if part_bytes is None else {"part_bytes": part_bytes}
        self._lock: TextIOWrapper | None = None
        self._shards: list[ShardDays] = []
        self._files: dict[int, _DayFile] = {}
        self._due: list[tuple[int, Part | DayEnd]] = []
        self.files_written = 0

    def open(self, *, ends: dict[TopicPartition, int]) -> None:
        """Take the directory and find out where the archive ends.

        Parameters
        ----------
        ends : of the log; one that is shorter than what was read of it is another log.

        Raises
        ------
        ConfigError
            If the directory cannot be written.
        TransientError
            If another process has it.
        """
        self._lock = _locked(self._directory)
        self._files, self._due = {}, []
        for leftover in self._directory.glob(f"*/*/.*{_PART_SUFFIX}"):
            leftover.unlink()
        places = [self._read_place(shard) for shard in range(self._shard_count)]
        for shard, place in enumerate(places):
            if place.next_offset > ends[TopicPartition(TICKS.name, shard)]:
                places[shard] = Place(self._log)
        self._shards = [ShardDays(place, **self._part_bytes) for place in places]

    def close(self) -> None:
        """Let go of the directory; days that are not over are read again."""
        for file in self._files.values():
            # The next start removes what a full disk leaves.
            with suppress(OSError):
                file.writer.close()
                _part_of(file.path).unlink()
        self._files = {}
        if self._lock:
            self._lock.close()
            self._lock = None

    def positions(self) -> dict[TopicPartition, int]:
        """Return the first message of each shard that was not taken yet."""
        return {
            TopicPartition(TICKS.name, shard): days.next_offset
            for shard, days in enumerate(self._shards)
        }

    def has_whole(self, run_id: RunId, last_beat: int, ends: dict[TopicPartition, int]) -> bool:
        """Tell whether a run is archived to its last beat, as far as the log has it."""
        return all(
            days.is_past(run_id, last_beat) or days.next_offset >= ends[place]
            for days, place in zip(self._shards, self.positions(), strict=True)
        )

    def take(self, message: Message) -> None:
        """Take a frame of the log; `write` brings it to its file."""
        days = self._shards[message.partition]
        if message.offset < days.next_offset:
            return
        try:
            stamp = stamp_of(message)
            is_ours = origin_of(message).producer == PRODUCER
        except ContractError:
            # It is of no beat: the stages put it aside.
            return
        if is_ours:
            spec = run_spec_of(message)
            taken = days.take(stamp, message.value, run_spec=spec, offset=message.offset)
            self._due.extend((message.partition, each) for each in taken)

    def write(self) -> None:
        """Write what is due; to be called in a thread, while `take` is not.

        Raises
        ------
        TransientError
            If the disk does not take it; the process ends, and begins again at the day's start.
        """
        due, self._due = self._due, []
        with _disk_errors_translated(self._directory):
            for shard, each in due:
                if isinstance(each, Part):
                    self._write_part(shard, each)
                else:
                    self._end_day(shard, each)

    def _write_part(self, shard: int, part: Part) -> None:
        stamp = part.stamps[0]
        path = self._directory / stamp.run_id / str(stamp.trade_date) / f"{shard}.parquet"
        if path.exists():
            # Killed between the file and the place: the file is there whole.
            return
        file = self._files.get(shard)
        if file is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = self._files[shard] = _DayFile(path, _new_writer(_part_of(path)))
        stamps, batches = [], []
        for stamp, value in zip(part.stamps, part.values, strict=True):
            batch = _read(stamp, value)
            file.stamps.append(stamp)
            file.rows.append(0 if batch is None else len(batch))
            if batch is None:
                file.damaged_beats.append(stamp.beat)
            elif len(batch):
                stamps.append(stamp)
                batches.append(batch)
        if batches:
            table = archive_table(stamps, batches)
            file.writer.write_table(table, row_group_size=max(len(table), 1))

    def _end_day(self, shard: int, end: DayEnd) -> None:
        file = self._files.pop(shard, None)
        if file is not None:
            contents = contents_of(
                end,
                file.stamps,
                file.rows,
                shard=shard,
                shard_count=self._shard_count,
                damaged_beats=file.damaged_beats,
            )
            file.writer.add_key_value_metadata({ARCHIVE_KEY: contents.to_json()})
            file.writer.close()
            _move_whole(_part_of(file.path), file.path)
            self.files_written += 1
        place = self._place_path(shard)
        part = place.with_name(f"{place.name}.part")
        part.write_bytes(msgspec.json.encode(end.place))
        _move_whole(part, place)

    def _read_place(self, shard: int) -> Place:
        """Return where a shard's archive ends; at the log's start if that cannot be told."""
        try:
            place = msgspec.json.decode(self._place_path(shard).read_bytes(), type=Place)
        except (OSError, ValueError):
            return Place(self._log)
        return place if place.log == self._log else Place(self._log)

    def _place_path(self, shard: int) -> Path:
        return self._directory / f".place-{shard}.json"


def _locked(directory: Path) -> TextIOWrapper:
    """Return the file that nobody else holds while it is open."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / _LOCK_NAME).open("w")
    except OSError as error:
        message = f"expected a directory for the archive, found: {error}"
        raise ConfigError(message) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        message = f"expected the archive {directory} to be free, found another recorder"
        raise TransientError(message) from error
    return file


def _read(stamp: BeatStamp, value: bytes) -> pa.RecordBatch | None:
    """Return a frame's columns as they travelled; None if the stages could not read it either."""
    try:
        batch, about = read_stream(value)
        check_frame_batch(stamp.kind, batch)
        is_its_own = decode_stamp(about) == stamp
    except ContractError:
        return None
    return batch if is_its_own else None


def _new_writer(path: Path) -> pq.ParquetWriter:
    # Dictionaries and zstd: 43 bytes a row of a made-up market of 2,000 instruments. Delta encoding
    # with zstd takes 57, lz4 with dictionaries 49, and reads in 110 ns a row instead of 180.
    return pq.ParquetWriter(path, _SCHEMA, compression="zstd")


def _part_of(path: Path) -> Path:
    return path.with_name(f".{path.stem}{_PART_SUFFIX}")


def _move_whole(source: Path, target: Path) -> None:
    """Give a written file its name, so that after a power cut it is there whole or not at all."""
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _disk_errors_translated(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"expected room and rights in the archive {directory}, found: {error}"
        raise TransientError(message) from error
