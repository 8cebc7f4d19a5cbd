"""The archive on a disk: whole files, the same ones whatever happened on the way."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.headers import frame_message
from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import TICKS
from tidegate_common.frames.archived_day import (
    ARCHIVE_KEY,
    DayContents,
    archive_columns,
    archived_rows,
)
from tidegate_common.frames.codec import encode_frame
from tidegate_common.frames.frame import Frame, empty_rows
from tidegate_common.testing.builders import make_frame, make_rows, with_headers
from tidegate_common.testing.scripted_run import at_offset
from tidegate_recorder.adapters.archive import Archive

RUN = "run-1"
KINDS = (BeatKind.OPEN, BeatKind.TICK, BeatKind.TICK, BeatKind.BAR, BeatKind.CLOSE)
DATES = (20230201, 20230202)


def frames(shard: int = 0, run: str = RUN) -> list[Frame]:
    """Return two days of five beats, the third of which says nothing."""
    found = []
    for beat in range(len(DATES) * len(KINDS)):
        kind, trade_date = KINDS[beat % len(KINDS)], DATES[beat // len(KINDS)]
        rows = make_rows(kind) if beat % len(KINDS) != 2 else empty_rows(kind)
        frame = make_frame(beat, shard=shard, run_id=run, kind=kind, rows=rows)
        stamp = replace(frame.stamp, trade_date=trade_date, is_last=beat == 9)
        found.append(replace(frame, stamp=stamp))
    return found


def log_of(told: Sequence[Frame]) -> list[Message]:
    """Return frames as a reader of the bus brings them."""
    return [at_offset(frame_message(each, "ingest-0"), i) for i, each in enumerate(told)]


def opened(directory: Path, *, log: str = "main", shards: int = 1, end: int = 10**6) -> Archive:
    """Return an archive of small parts that has its directory."""
    archive = Archive(directory, log=log, shard_count=shards, part_bytes=4_000)
    archive.open(ends={TopicPartition(TICKS.name, shard): end for shard in range(shards)})
    return archive


def record(archive: Archive, messages: Sequence[Message]) -> None:
    """Archive messages one by one, as they come, and let go."""
    try:
        for message in messages:
            archive.take(message)
            archive.write()
    finally:
        archive.close()


def files_of(directory: Path) -> dict[str, bytes]:
    """Return what everybody sees."""
    paths = sorted(directory.glob("*/*/*"))
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def frames_of(path: Path) -> Iterator[Frame]:
    """Yield the frames that a file holds."""
    file = pq.ParquetFile(path)
    day = DayContents.from_json(file.metadata.metadata[ARCHIVE_KEY])
    table, start = file.read(), 0
    for number, (kind, count) in enumerate(zip(day.kinds, day.rows, strict=True)):
        part = table.slice(start, count).select(archive_columns(kind))
        rows = archived_rows(kind, part) if count else empty_rows(kind)
        start += count
        made = make_frame(day.first_beat + number, run_id=day.run, kind=kind, rows=rows)
        stamp = replace(
            made.stamp,
            trade_date=day.trade_date,
            ts_event_ns=day.ts_event_ns[number],
            is_last=day.is_last and number == len(day.rows) - 1,
        )
        spec = day.run_spec if stamp.beat == 0 else ""
        yield Frame(stamp, day.shard, rows, spec)


def test_archived_run_comes_back_byte_for_byte(tmp_path: Path) -> None:
    """A replay of the archive is the run again."""
    record(opened(tmp_path), log_of(frames()))

    assert list(files_of(tmp_path)) == [f"{RUN}/{date}/0.parquet" for date in DATES]
    found = [
        encode_frame(frame)
        for date in DATES
        for frame in frames_of(tmp_path / RUN / str(date) / "0.parquet")
    ]
    assert found == [encode_frame(frame) for frame in frames()]


def test_archived_row_groups_hold_beats_of_one_kind(tmp_path: Path) -> None:
    """A reader takes one at a time, and the columns of its kind alone."""
    record(opened(tmp_path), log_of(frames()))

    file = pq.ParquetFile(tmp_path / RUN / str(DATES[0]) / "0.parquet")
    kinds = [
        set(file.read_row_group(group, columns=["kind"]).column("kind").to_pylist())
        for group in range(file.num_row_groups)
    ]
    assert kinds == [{"open"}, {"tick"}, {"bar"}, {"close"}]


def test_archived_day_opens_in_pandas(tmp_path: Path) -> None:
    """It is a table like any other."""
    record(opened(tmp_path), log_of(frames()))

    table = pd.read_parquet(tmp_path / RUN / str(DATES[1]) / "0.parquet")

    ticks = table[table["kind"] == "tick"]
    assert ticks["last_e4"].tolist() == [100_000, 100_100, 100_200]
    assert table["beat"].tolist() == [5] * 3 + [6] * 3 + [8] * 3 + [9] * 3
    assert table["sector"].iloc[0] == "行业 0"


def test_archive_opens_in_duckdb_and_pandas_as_we_read_it(tmp_path: Path) -> None:
    """All days and shards in one query, the same rows whoever reads them."""
    record(opened(tmp_path, shards=2), [one for shard in (0, 1) for one in log_of(frames(shard))])
    paths = sorted(tmp_path.glob("*/*/*.parquet"))
    ours = [row for path in paths for row in pq.read_table(path).to_pylist()]

    sql = "SELECT * FROM read_parquet($files) ORDER BY filename, file_row_number"
    with duckdb.connect() as database:
        query = database.execute(sql, {"files": f"{tmp_path}/**/*.parquet"})
        names = [column[0] for column in query.description or ()]
        theirs = [dict(zip(names, row, strict=True)) for row in query.fetchall()]
    frame = pd.concat([pd.read_parquet(path) for path in paths])

    # Figures that nobody knows are NaN, which is not itself.
    assert list(map(repr, theirs)) == list(map(repr, ours))
    assert len(ours) == 48
    assert frame["instrument"].tolist() == [row["instrument"] for row in ours]
    assert frame["kind"].tolist() == [row["kind"] for row in ours]


def test_archive_of_two_shards_has_a_file_each(tmp_path: Path) -> None:
    """A day is whole when all of them are there."""
    messages = [message for shard in (0, 1) for message in log_of(frames(shard))]

    record(opened(tmp_path, shards=2), messages)

    assert sorted(files_of(tmp_path)) == [
        f"{RUN}/{date}/{shard}.parquet" for date in DATES for shard in (0, 1)
    ]
    (frame, *_) = frames_of(tmp_path / RUN / str(DATES[0]) / "1.parquet")
    assert frame.shard == 1


@pytest.mark.parametrize("killed_at", range(10))
def test_archive_killed_after_any_frame_has_the_same_files(
    tmp_path: Path,
    killed_at: int,
) -> None:
    """What is in no file yet is read from the log again."""
    messages = log_of(frames())
    record(opened(tmp_path / "once"), messages)
    first = opened(tmp_path / "alive")
    for message in messages[: killed_at + 1]:
        first.take(message)
        first.write()
    shutil.copytree(tmp_path / "alive", tmp_path / "killed")
    first.close()

    again = opened(tmp_path / "killed")
    (start,) = again.positions().values()
    record(again, messages[start:])

    assert start in {0, 5, 10}
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "once")


class Died(BaseException):
    """The process is gone; nothing may catch it."""


@pytest.mark.parametrize("is_moved", [False, True])
@pytest.mark.parametrize("move", range(4))
def test_archive_killed_at_each_rename_has_the_same_files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    move: int,
    is_moved: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """Between a file and the place that it moves lies the one dangerous moment."""
    messages = log_of(frames())
    record(opened(tmp_path / "once"), messages)
    usual, count = Path.replace, iter(range(10))

    def dying(source: Path, target: Path) -> Path:
        is_fatal = next(count) == move
        if not is_fatal or is_moved:
            usual(source, target)
        if is_fatal:
            raise Died
        return target

    monkeypatch.setattr(Path, "replace", dying)
    with pytest.raises(Died):
        record(opened(tmp_path / "killed"), messages)
    monkeypatch.undo()

    again = opened(tmp_path / "killed")
    (start,) = again.positions().values()
    record(again, messages[start:])

    assert files_of(tmp_path / "killed") == files_of(tmp_path / "once")


def test_archive_read_twice_stays_as_it_is(tmp_path: Path) -> None:
    """Stages and readers repeat themselves after a crash; who reads a file keeps what he has."""
    messages = log_of(frames())
    record(opened(tmp_path), messages)
    before = files_of(tmp_path)
    inodes = [path.stat().st_ino for path in sorted(tmp_path.glob("*/*/*"))]

    record(opened(tmp_path), [*messages, *log_of([*frames(), *frames()])[10:]])
    record(opened(tmp_path, log="another"), messages)

    assert files_of(tmp_path) == before
    assert [path.stat().st_ino for path in sorted(tmp_path.glob("*/*/*"))] == inodes


def test_archive_goes_on_where_it_ended(tmp_path: Path) -> None:
    """At the end of its own log; what comes again does not lead it back."""
    messages = log_of(frames())
    record(opened(tmp_path), messages)

    again = opened(tmp_path, end=len(messages))
    again.take(messages[0])

    assert list(again.positions().values()) == [len(messages)]
    again.close()


def test_archive_of_another_log_reads_from_its_start(tmp_path: Path) -> None:
    """Offsets of one log say nothing about another."""
    record(opened(tmp_path), log_of(frames()))

    again = opened(tmp_path, log="another")

    assert list(again.positions().values()) == [0]
    again.close()


def test_archive_of_a_log_that_starts_anew_reads_from_its_start(tmp_path: Path) -> None:
    """A broker that keeps nothing begins at offset 0."""
    record(opened(tmp_path), log_of(frames()))

    again = opened(tmp_path, end=3)

    assert list(again.positions().values()) == [0]
    record(again, log_of(frames(run="run-2")))
    assert len(files_of(tmp_path)) == 4


@pytest.mark.parametrize("value", [b"nonsense", encode_frame(make_frame(7))])
def test_archived_frame_that_cannot_be_read_is_empty_and_named(
    tmp_path: Path,
    value: bytes,
) -> None:
    """It stands for an empty message of its beat, in the file too."""
    messages = log_of(frames())
    messages[1] = replace(messages[1], value=value)

    record(opened(tmp_path), messages)

    path = tmp_path / RUN / str(DATES[0]) / "0.parquet"
    day = DayContents.from_json(pq.ParquetFile(path).metadata.metadata[ARCHIVE_KEY])
    assert day.damaged_beats == (1,)
    assert day.rows == (3, 0, 0, 3, 3)


def test_archive_takes_nobody_but_ingest(tmp_path: Path) -> None:
    """What no stage took must not stand in a file."""
    archive, (first, *_) = opened(tmp_path), log_of(frames())

    archive.take(with_headers(first, ce_producer=b"mallory"))
    archive.take(with_headers(first, ce_kind=None))
    archive.take(first)
    archive.write()

    assert archive.has_whole(RunId(RUN), 0, {TopicPartition(TICKS.name, 0): 10})
    assert not archive.has_whole(RunId(RUN), 1, {TopicPartition(TICKS.name, 0): 10})
    assert archive.has_whole(RunId(RUN), 1, {TopicPartition(TICKS.name, 0): 1})
    archive.close()


def test_archive_has_one_recorder_at_a_time(tmp_path: Path) -> None:
    """Two would write one hidden file."""
    archive = opened(tmp_path)

    with pytest.raises(TransientError, match="found another recorder"):
        opened(tmp_path)

    archive.close()
    opened(tmp_path).close()


def test_archive_without_a_directory_is_a_config_error(tmp_path: Path) -> None:
    """The user mends the path."""
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="expected a directory for the archive"):
        opened(tmp_path / "file")


def test_archive_that_the_disk_does_not_take_is_transient(tmp_path: Path) -> None:
    """The process ends and begins again at the day's start."""
    archive = opened(tmp_path)
    (tmp_path / RUN).write_text("in the way")

    with pytest.raises(TransientError, match="expected room and rights in the archive"):
        record(archive, log_of(frames()))
