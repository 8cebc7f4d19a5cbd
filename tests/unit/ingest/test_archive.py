"""Archived frames are replayed as they were."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidegate_common.codec import decode_event
from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import FeedSpec, RunSpec, SyntheticSpec
from tidegate_common.frames.archived_day import ARCHIVE_KEY, DayContents
from tidegate_common.frames.codec import encode_frame
from tidegate_common.frames.frame import Frame, empty_rows
from tidegate_ingest.adapters import archive
from tidegate_ingest.adapters.archive import open_run, write_archive
from tidegate_ingest.adapters.feed import Feed, describe_files, hold_quotes, open_feed

MARKET = SyntheticSpec(day_count=2, beats_per_day=5, instrument_count=6)


def _spec(feed: FeedSpec) -> RunSpec:
    return RunSpec(run_id=RunId("r1"), accounts=(), strategies=(), feed=feed)


@pytest.fixture
def frames() -> list[Frame]:
    """Return two days of a market; their codes are shares', so they can be described."""
    return list(open_feed(_spec(FeedSpec(synthetic=MARKET))).frames())


def _open(paths: Sequence[Path], *, day_count_max: int = 0, start_ts_ns: int = 0) -> Feed:
    files = describe_files(paths)
    feed = FeedSpec(files=files, day_count_max=day_count_max, start_ts_ns=start_ts_ns)
    return open_feed(_spec(feed))


def _bytes(frames: Sequence[Frame]) -> list[bytes]:
    return [encode_frame(replace(frame, run_spec="")) for frame in frames]


def test_open_feed_of_an_archive_gives_the_frames_that_were_written(
    tmp_path: Path,
    frames: list[Frame],
) -> None:
    """Sectors, limits, times and beats: all as they were; the settings are the new run's."""
    feed = _open(write_archive(frames, tmp_path))

    replayed = list(feed.frames())

    assert _bytes(replayed) == _bytes(frames) == _bytes(list(feed.frames()))
    assert decode_event(RunSpec, replayed[0].run_spec).feed.synthetic is None
    assert feed.beat_count == len(frames) == 14
    assert feed.counts.rows_in == feed.counts.rows_out == sum(len(each.rows) for each in frames)


def test_open_feed_of_an_archive_in_small_row_groups_is_the_same(
    tmp_path: Path,
    frames: list[Frame],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A row group has whole beats, more than one or one."""
    monkeypatch.setattr(archive, "_GROUP_ROWS_MAX", 12)

    replayed = list(_open(write_archive(frames, tmp_path)).frames())

    assert _bytes(replayed) == _bytes(frames)


def test_open_feed_of_an_archive_of_shards_is_the_whole_market(
    tmp_path: Path,
    frames: list[Frame],
) -> None:
    """A shard may be silent in a beat or all day, and a beat may be empty in all."""
    frames[3] = replace(frames[3], rows=empty_rows(BeatKind.TICK))
    paths = write_archive(frames, tmp_path, shard_count=9)

    replayed = list(_open(list(reversed(paths))).frames())

    assert len(paths) == 18
    assert _bytes(replayed) == _bytes(frames)


def test_open_feed_of_an_archive_without_a_shard_is_a_config_error(
    tmp_path: Path,
    frames: list[Frame],
) -> None:
    """Half a market is no market."""
    first, *_ = write_archive(frames, tmp_path, shard_count=2)

    with pytest.raises(ConfigError, match=r"each of 2 shards of run r1 .*, found those of: 0"):
        _open([first])


def test_open_feed_of_an_archive_from_a_time_on_keeps_the_open(
    tmp_path: Path,
    frames: list[Frame],
) -> None:
    """The day's reference data is needed whenever a replay begins; beats count from 0."""
    start = frames[9].stamp
    paths = write_archive(frames, tmp_path)

    feed = _open(paths, start_ts_ns=start.ts_event_ns)
    replayed = list(feed.frames())

    kinds = [frame.stamp.kind for frame in replayed]
    assert kinds == [BeatKind.OPEN, *[BeatKind.TICK] * 4, BeatKind.CLOSE]
    assert [frame.stamp.beat for frame in replayed] == list(range(6))
    assert replayed[1].stamp.ts_event_ns == start.ts_event_ns
    assert [frame.stamp.is_last for frame in replayed].index(True) == 5
    assert feed.beat_count == 6


def test_open_feed_of_an_archive_takes_the_days_asked_for(
    tmp_path: Path,
    frames: list[Frame],
) -> None:
    """`day_count_max` holds for every source."""
    replayed = list(_open(write_archive(frames, tmp_path), day_count_max=1).frames())

    assert [frame.stamp.beat for frame in replayed] == list(range(7))
    assert replayed[-1].stamp.is_last


def test_open_feed_of_an_archive_after_its_last_day_is_a_config_error(
    tmp_path: Path,
    frames: list[Frame],
) -> None:
    """An empty run would end before it began."""
    paths = write_archive(frames, tmp_path)

    with pytest.raises(ConfigError, match="at least one row of a share, found: 0 rows"):
        _open(paths, start_ts_ns=frames[-1].stamp.ts_event_ns + 10**15)


def test_open_feed_of_two_runs_archives_is_a_config_error(
    tmp_path: Path,
    frames: list[Frame],
) -> None:
    """Two runs' beats of one day have nothing to do with each other."""
    other = [replace(each, stamp=replace(each.stamp, run_id=RunId("r2"))) for each in frames]
    paths = [*write_archive(frames, tmp_path / "a"), *write_archive(other, tmp_path / "b")]

    with pytest.raises(ConfigError, match="expected an archived day of one run, found: r1 and r2"):
        _open(paths)


def test_describe_files_of_an_archive_with_snapshots_is_a_config_error(
    tmp_path: Path,
    frames: list[Frame],
) -> None:
    """Archived beats have been cut; others are to be."""
    (path, *_) = write_archive(frames, tmp_path)
    row = {"symbol": ["600519"], "date": ["2023-02-01"]}
    numbers = {name: [10.0] for name in ("open", "high", "low", "close", "volume", "amount")}
    daily = tmp_path / "daily.parquet"
    pq.write_table(pa.table({**row, **numbers}), daily)

    with pytest.raises(ConfigError, match="expected files of one kind in a run, found: daily bars"):
        describe_files([path, daily])


def _rewrite(path: Path, **changes: object) -> None:
    """Write a file's rows again, with other contents in its metadata."""
    table = pq.read_table(path)
    day = DayContents.from_json((table.schema.metadata or {})[ARCHIVE_KEY])
    changed = msgspec.structs.replace(day, **changes)
    pq.write_table(table.replace_schema_metadata({ARCHIVE_KEY: changed.to_json()}), path)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"archive_version": 2}, "archive_version must be 1, was 2"),
        ({"rows": (9,)}, "beat 0 of the day has 9 rows, not in one row group"),
        ({"kinds": (BeatKind.TICK,)}, "hold no null"),
    ],
)
def test_open_feed_of_an_archive_with_wrong_contents_is_a_config_error(
    tmp_path: Path,
    frames: list[Frame],
    changes: dict[str, object],
    complaint: str,
) -> None:
    """Such a file was not written by the recorder."""
    (path,) = write_archive(frames[:1], tmp_path)
    _rewrite(path, **changes)

    with pytest.raises(ConfigError, match=f"expected an archived day in .*{complaint}"):
        list(_open([path]).frames())


def test_open_feed_of_an_archive_that_is_cut_off_is_a_config_error(
    tmp_path: Path,
    frames: list[Frame],
) -> None:
    """Its contents say more than its rows."""
    (path,) = write_archive(frames[:1], tmp_path)
    kinds, times = (BeatKind.OPEN, BeatKind.CLOSE), (1, 2)
    _rewrite(path, kinds=kinds, ts_event_ns=times, rows=(6, 6))

    with pytest.raises(ConfigError, match="the file ends after 1 row groups"):
        list(_open([path]).frames())


def test_hold_quotes_of_an_archive_looks_at_its_beats(tmp_path: Path, frames: list[Frame]) -> None:
    """An archive of bars is no archive of quotes."""
    (quotes, _) = write_archive(frames, tmp_path / "quotes")
    (bars,) = write_archive([frames[0], frames[6]], tmp_path / "bars")

    assert hold_quotes([bars, quotes])
    assert not hold_quotes([bars])


def test_open_run_of_an_archive_gives_the_run_byte_for_byte(
    tmp_path: Path, frames: list[Frame]
) -> None:
    """Numbers of beats, settings and the last one: what the stages had."""
    write_archive(frames, tmp_path, shard_count=2)
    spec = decode_event(RunSpec, frames[0].run_spec)

    found = open_run(spec, tmp_path)

    assert [encode_frame(frame) for frame in found.frames()] == [
        encode_frame(frame) for frame in frames
    ]
    assert list(found.rejects()) == []
    assert found.is_checked


def _damage(folder: Path, frames: list[Frame], what: str) -> None:
    paths = write_archive(frames, folder) if what != "nothing" else []
    if what == "first day":
        paths[0].unlink()
    if what == "beat":
        table = pq.read_table(paths[0])
        day = DayContents.from_json(table.schema.metadata[ARCHIVE_KEY])
        damaged = msgspec.structs.replace(day, damaged_beats=(3,))
        pq.write_table(table.replace_schema_metadata({ARCHIVE_KEY: damaged.to_json()}), paths[0])


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nothing", "expected the archive of run r1 in .*, found no such files"),
        ("first day", "expected beat 0 of run r1 .*, found a day that begins at beat 7"),
        ("beat", "beat 3 of run r1 was damaged"),
    ],
)
def test_open_run_of_an_archive_that_is_not_whole_is_refused(
    tmp_path: Path, frames: list[Frame], what: str, message: str
) -> None:
    """A run is proven from its first beat on, or not at all."""
    _damage(tmp_path, frames, what)

    with pytest.raises(ConfigError, match=message):
        open_run(_spec(FeedSpec()), tmp_path)
