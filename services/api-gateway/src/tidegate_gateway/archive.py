"""The market's figures of one beat and instrument, out of the recorder's archive."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId, shard_of
from tidegate_common.errors import ContractError
from tidegate_common.frames.archived_day import archive_columns, archived_rows
from tidegate_common.frames.frame import BeatStamp, FrameRows

# A mark older than this is stale by any usual limit, and a file is read for so many beats only.
BEATS_BACK = 200
_KINDS = [kind.value for kind in (BeatKind.TICK, BeatKind.BAR, BeatKind.CLOSE)]
_READERS_MAX = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePlace:
    """Where a row is looked for: an instrument's last one up to a beat of a run's day."""

    run_id: str
    trade_date: int
    beat: int
    instrument: int


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One row of a frame.

    stamp : of the frame. rows : of length 1; quotes or bars.
    """

    stamp: BeatStamp
    rows: FrameRows


class FrameArchive:
    """Reads the archive; beside the event loop, a few readers at a time.

    Parameters
    ----------
    directory : of the recorder's archive.
    timeout_seconds : longest wait for an answer.
    """

    def __init__(self, directory: Path, *, timeout_seconds: float) -> None:
        self._directory = directory
        self._timeout_seconds = timeout_seconds
        self._readers = asyncio.Semaphore(_READERS_MAX)

    async def row(self, place: FramePlace) -> FrameRow | None:
        """Return what was said last of an instrument up to a beat of a day.

        None where the archive does not have it (yet), cannot be read, or takes too long.
        """
        folder = self._directory / place.run_id / str(place.trade_date)
        try:
            async with asyncio.timeout(self._timeout_seconds), self._readers:
                return await asyncio.to_thread(_read, folder, place.beat, place.instrument)
        except (OSError, TimeoutError, ContractError, pa.ArrowException):
            return None


def _read(folder: Path, beat: int, instrument: int) -> FrameRow | None:
    shard_count = len(list(folder.glob("*.parquet")))
    if not shard_count:
        return None
    table = pq.read_table(
        folder / f"{shard_of(instrument, shard_count)}.parquet",
        filters=[
            ("beat", ">=", beat - BEATS_BACK),
            ("beat", "<=", beat),
            ("instrument", "=", instrument),
            ("kind", "in", _KINDS),
        ],
    )
    if not len(table):
        return None
    # Rows of a file are in the order of beats.
    last = table.slice(len(table) - 1)
    kind = BeatKind(last.column("kind")[0].as_py())
    stamp = BeatStamp(
        run_id=RunId(folder.parent.name),
        beat=last.column("beat")[0].as_py(),
        kind=kind,
        trade_date=last.column("trade_date")[0].as_py(),
        ts_event_ns=last.column("beat_ts_ns")[0].as_py(),
    )
    return FrameRow(stamp, archived_rows(kind, last.select(archive_columns(kind))))
