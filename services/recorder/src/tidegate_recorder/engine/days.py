"""Which frames of a shard make which day of the archive.

Pure: the cut of days and of their parts follows from the log alone, so that the same log gives the
same files, wherever the recorder was killed and began anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.frames.archived_day import DayContents
from tidegate_common.frames.frame import BeatStamp

# A part of a day becomes a row group. 8 MiB are 16 beats of a whole market, or a day of two
# instruments; a larger one would cost memory, a smaller one compresses worse.
PART_BYTES = 8 * 1024 * 1024
# A run that was replaced does not come back; nobody repeats more runs than this.
PAST_RUNS_MAX = 64


class Place(Struct, frozen=True):
    """Where a shard's archive ends: between days.

    log : name of the broker's log that the offset is in.
    next_offset : of the first message that is in no file.
    run, next_beat : whose days were archived last, and the beat that is due.
    last_date : of that run's last archived day, 0 before its first.
    past : runs before, the newest last.
    """

    log: str
    next_offset: int = 0
    run: str = ""
    next_beat: int = 0
    last_date: int = 0
    past: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """Frames of one kind that become a row group: stamps, and the messages as they travelled."""

    stamps: tuple[BeatStamp, ...]
    values: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class DayEnd:
    """A day has all that it will have.

    place : where to go on once it is in its file.
    """

    run: str
    trade_date: int
    is_closed: bool
    is_last: bool
    run_spec: str
    place: Place


@dataclass(slots=True)
class _Open:
    """A day that has begun.

    stamps, values : of the part that grows.
    """

    run: str
    trade_date: int
    run_spec: str
    stamps: list[BeatStamp] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)
    size_bytes: int = 0


class ShardDays:
    """Cuts one shard's frames into days, and days into parts.

    A repeat adds nothing, nor does a frame before which one is missing: no stage takes it.
    """

    def __init__(self, place: Place, *, part_bytes: int = PART_BYTES) -> None:
        self._place = place
        self._part_bytes = part_bytes
        self._open: _Open | None = None
        self.next_offset = place.next_offset

    def is_past(self, run_id: RunId, beat: int) -> bool:
        """Tell whether all of a run to a beat was taken."""
        place = self._place
        return run_id in place.past or (run_id == place.run and beat < place.next_beat)

    def take(
        self,
        stamp: BeatStamp,
        value: bytes,
        *,
        run_spec: str,
        offset: int,
    ) -> Iterator[Part | DayEnd]:
        """Yield what a frame at an offset of the log completes.

        run_spec : the run's settings, on beat 0.
        """
        self.next_offset = offset + 1
        place = self._place
        is_next = stamp.run_id == place.run and stamp.beat == place.next_beat
        is_new = stamp.run_id not in {place.run, *place.past} and stamp.beat == 0
        if not (is_next or is_new):
            return
        day = self._open
        if day and (is_new or stamp.trade_date != day.trade_date):
            yield from self._end(day, offset=offset, is_closed=False, is_last=False)
        if is_new:
            self._place = self._place_of_new_run(stamp.run_id)
        elif self._open is None and stamp.trade_date <= self._place.last_date:
            # Beats after the close of their own day belong to no file.
            self._place = replace(self._place, next_beat=stamp.beat + 1)
            return
        if self._open is None:
            self._open = _Open(stamp.run_id, stamp.trade_date, run_spec)
        yield from self._add(self._open, stamp, value)
        self._place = replace(self._place, next_beat=stamp.beat + 1)
        if stamp.kind is BeatKind.CLOSE or stamp.is_last:
            day = self._open
            yield from self._end(day, offset=offset + 1, is_closed=True, is_last=stamp.is_last)

    def _add(self, day: _Open, stamp: BeatStamp, value: bytes) -> Iterator[Part]:
        if day.stamps and (day.stamps[-1].kind is not stamp.kind):
            yield _cut(day)
        day.stamps.append(stamp)
        day.values.append(value)
        day.size_bytes += len(value)
        if day.size_bytes >= self._part_bytes:
            yield _cut(day)

    def _end(
        self,
        day: _Open,
        *,
        offset: int,
        is_closed: bool,
        is_last: bool,
    ) -> Iterator[Part | DayEnd]:
        if day.stamps:
            yield _cut(day)
        self._open = None
        self._place = replace(self._place, next_offset=offset, last_date=day.trade_date)
        yield DayEnd(day.run, day.trade_date, is_closed, is_last, day.run_spec, self._place)

    def _place_of_new_run(self, run: str) -> Place:
        before = self._place
        past = (*before.past, before.run) if before.run else ()
        return Place(before.log, before.next_offset, run, 0, 0, past[-PAST_RUNS_MAX:])


def contents_of(
    end: DayEnd,
    stamps: list[BeatStamp],
    rows: list[int],
    *,
    shard: int,
    shard_count: int,
    damaged_beats: list[int],
) -> DayContents:
    """Return what stands beside the rows of a day's file.

    Parameters
    ----------
    stamps, rows : of each beat of the day, at least one: its stamp, its number of rows.
    """
    return DayContents(
        run=end.run,
        trade_date=end.trade_date,
        shard=shard,
        shard_count=shard_count,
        run_spec=end.run_spec,
        is_closed=end.is_closed,
        is_last=end.is_last,
        first_beat=stamps[0].beat,
        kinds=tuple(stamp.kind for stamp in stamps),
        ts_event_ns=tuple(stamp.ts_event_ns for stamp in stamps),
        rows=tuple(rows),
        damaged_beats=tuple(damaged_beats),
    )


def _cut(day: _Open) -> Part:
    part = Part(tuple(day.stamps), tuple(day.values))
    day.stamps, day.values, day.size_bytes = [], [], 0
    return part
