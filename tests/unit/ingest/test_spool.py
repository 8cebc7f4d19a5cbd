"""A run that is larger than memory is the same run."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import FeedSpec, RunSpec
from tidegate_common.frames.codec import encode_frame
from tidegate_ingest.adapters.recorded_files import describe_files, open_files
from tidegate_ingest.adapters.spool import Spool
from tidegate_ingest.engine.columns import MinuteColumns

DATES = ("2023-02-01", "2023-02-02", "2023-02-03")


def _write(path: Path) -> Path:
    """Write daily bars of two shares, one after the other, and one bad row."""
    rows = [
        {
            "symbol": code,
            "date": date,
            **dict.fromkeys(("open", "high", "low", "close"), 10.0 + number / 100),
            "volume": 100.0 * (number + 1),
            "amount": 1_000.0,
        }
        for code in ("600519.SH", "000333.SZ")
        for number, date in enumerate(DATES)
    ]
    rows.append({**rows[0], "volume": -1.0})
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def _spec(path: Path) -> RunSpec:
    feed = FeedSpec(files=describe_files([path]))
    return RunSpec(run_id=RunId("r1"), accounts=(), strategies=(), feed=feed)


@pytest.mark.parametrize("resident_rows_max", [0, 3])
def test_open_files_beyond_memory_gives_the_same_bytes(
    tmp_path: Path,
    resident_rows_max: int,
) -> None:
    """Where rows wait for their day decides nothing, however often they are read."""
    spec = _spec(_write(tmp_path / "daily.parquet"))
    resident, spooled = open_files(spec), open_files(spec, resident_rows_max)

    expected = [encode_frame(frame) for frame in resident.frames()]
    first, second = ([encode_frame(frame) for frame in spooled.frames()] for _ in range(2))

    assert first == second == expected
    assert spooled.counts == resident.counts
    assert spooled.beat_count == resident.beat_count == len(first)


def _columns(count: int) -> MinuteColumns:
    whole = np.arange(count, dtype=np.int64)
    return MinuteColumns(*(whole + number for number in range(10)))


def test_spool_keep_beyond_its_limit_writes_rows_that_come_back() -> None:
    """The first rows stay in memory, the next ones go to the file."""
    spool = Spool(resident_rows_max=4)
    first, second = _columns(4), replace(_columns(6), ts_end_ns=np.arange(6) * 10)

    windows = [spool.window_rows_max]
    assert spool.keep(first) is first
    windows.append(spool.window_rows_max)
    kept = spool.keep(second)
    again = spool.keep(second).slice(0, 2)

    assert [*windows, spool.window_rows_max] == [None, None, 4]
    assert kept.slice(2, 5).ts_end_ns.tolist() == [20, 30, 40]
    assert again.amount_fen.tolist() == [9, 10]


def test_spool_without_room_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is the user's to mend; that it is full is played."""

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)

    with pytest.raises(ConfigError, match=r"expected room for a large run.*No space left"):
        Spool(resident_rows_max=0).keep(_columns(1))
