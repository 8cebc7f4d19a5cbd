"""Raw rows read as recordings, whole: one argument a file."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from tidegate_ingest.engine.bar_days import BarDays
from tidegate_ingest.engine.columns import Columns, RawBars, RawMinuteBars, RawSnapshots
from tidegate_ingest.engine.minute_days import MinuteDay, MinuteDays
from tidegate_ingest.engine.quality import FeedCounts
from tidegate_ingest.engine.recording import RawRows, Recording, Span
from tidegate_ingest.engine.sequencer import Day, ToldDay
from tidegate_ingest.engine.snapshot_days import SnapshotDays

RawT = TypeVar("RawT", bound=RawRows)
ColumnsT = TypeVar("ColumnsT", bound=Columns)
DayT = TypeVar("DayT", bound=ToldDay)


@dataclass(frozen=True, slots=True)
class Recorded(Generic[DayT]):
    """All days of a recording, and what became of its rows."""

    days: tuple[DayT, ...]
    counts: FeedCounts
    beat_count: int


def record_snapshots(
    *raws: RawSnapshots,
    beat_interval_ms: int = 3_000,
    **span: int,
) -> Recorded[Day]:
    """Return what becomes of snapshots; other keywords are those of `Span`."""
    kind = SnapshotDays(Span(**span), beat_interval_ms)
    recording = Recording(kind, ([raw] for raw in raws), Span(**span), lambda rows: rows)
    return read_days(recording, Day)


def record_minutes(*raws: RawMinuteBars, **span: int) -> Recorded[MinuteDay]:
    """Return what becomes of bars of minutes; keywords are those of `Span`."""
    kind = MinuteDays(Span(**span))
    recording = Recording(kind, ([raw] for raw in raws), Span(**span), lambda rows: rows)
    return read_days(recording, MinuteDay)


def record_bars(*raws: RawBars, **span: int) -> Recorded[Day]:
    """Return what becomes of daily bars; keywords are those of `Span`."""
    recording = Recording(BarDays(), ([raw] for raw in raws), Span(**span), lambda rows: rows)
    return read_days(recording, Day)


def read_days(recording: Recording[RawT, ColumnsT], day_type: type[DayT]) -> Recorded[DayT]:
    """Return all days of a recording, which are of one type."""
    told = list(recording.days())
    days = tuple(day for day in told if isinstance(day, day_type))
    assert len(days) == len(told)
    return Recorded(days, recording.counts, recording.beat_count)
