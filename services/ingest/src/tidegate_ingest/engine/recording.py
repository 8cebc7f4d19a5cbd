"""Raw rows of recorded files to days and counts: normalise, check, merge, sequence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from tidegate_common.domain.units import Int64Array
from tidegate_common.frames.rows import QuoteRows, ReferenceRows
from tidegate_common.market.sessions import shanghai_ns
from tidegate_ingest.engine.columns import (
    BarColumns,
    RawBars,
    RawSnapshots,
    SnapshotColumns,
)
from tidegate_ingest.engine.figures import known_figures
from tidegate_ingest.engine.normalizer import normalize_bars, normalize_snapshots
from tidegate_ingest.engine.quality import (
    ACCEPTED,
    FeedCounts,
    ReasonArray,
    check_bars,
    check_merged_bars,
    check_merged_snapshots,
    check_snapshots,
    count_rows,
)
from tidegate_ingest.engine.reference import (
    bar_reference,
    daily_bars,
    snapshot_bars,
    snapshot_reference,
)
from tidegate_ingest.engine.sequencer import Day, no_quotes, tick_edges

NS_PER_MS = 1_000_000
# When OPEN and CLOSE beats happen, in seconds of the Shanghai day. A snapshot day opens at 09:00
# or with its first row, a bar day at 09:25, when the opening price is known.
SNAPSHOT_OPEN_SECONDS = 9 * 3_600
BAR_OPEN_SECONDS = 9 * 3_600 + 25 * 60
CLOSE_SECONDS = 15 * 3_600


@dataclass(frozen=True, slots=True)
class Recording:
    """Days of recorded files, and what became of their rows.

    counts : of the rows of these days, and of rows whose time cannot be read.
    """

    days: tuple[Day, ...]
    counts: FeedCounts


def record_snapshots(
    raws: Iterable[RawSnapshots],
    *,
    beat_interval_ms: int,
    day_count_max: int,
) -> Recording:
    """Return the days of snapshot files, merged over files and exchanges in order of time.

    Parameters
    ----------
    raws : one a file, at least one.
    beat_interval_ms : length of a beat, > 0.
    day_count_max : take at most so many days, 0 for all.
    """
    parts: list[SnapshotColumns] = []
    verdicts: list[ReasonArray] = []
    for raw in raws:
        parts.append(normalize_snapshots(raw))
        verdicts.append(check_snapshots(raw, parts[-1]))
    columns, reasons = SnapshotColumns.concat(parts), np.concatenate(verdicts)
    is_in_run, dates = _choose_days(columns.trade_date, reasons, day_count_max)
    columns, reasons = columns.take(is_in_run), reasons[is_in_run]
    kept = np.flatnonzero(reasons == ACCEPTED)
    keys = columns.instrument[kept], columns.ts_event_ns[kept], columns.trade_date[kept]
    order = kept[np.lexsort(keys)]
    days: list[Day] = []
    limits_contradicted = 0
    for trade_date, place in zip(dates, _split(columns.trade_date[order], dates), strict=True):
        rows = columns.take(order[place])
        reference = snapshot_reference(rows, trade_date)
        verdict = check_merged_snapshots(rows, reference.rows)
        reasons[order[place]] = verdict
        limits_contradicted += reference.limits_contradicted
        accepted = rows.take(verdict == ACCEPTED)
        days.append(_snapshot_day(accepted, reference.rows, trade_date, beat_interval_ms))
    return Recording(tuple(days), count_rows(reasons, limits_contradicted))


def record_bars(raws: Iterable[RawBars], *, day_count_max: int) -> Recording:
    """Return the days of daily-bar files; the first of two bars of an instrument-day stays.

    Parameters
    ----------
    raws : one a file, at least one.
    day_count_max : take at most so many days, 0 for all.
    """
    parts: list[BarColumns] = []
    verdicts: list[ReasonArray] = []
    for raw in raws:
        parts.append(normalize_bars(raw))
        verdicts.append(check_bars(raw, parts[-1]))
    columns, reasons = BarColumns.concat(parts), np.concatenate(verdicts)
    is_in_run, dates = _choose_days(columns.trade_date, reasons, day_count_max)
    columns, reasons = columns.take(is_in_run), reasons[is_in_run]
    kept = np.flatnonzero(reasons == ACCEPTED)
    order = kept[np.lexsort((columns.instrument[kept], columns.trade_date[kept]))]
    merged = columns.take(order)
    verdict = check_merged_bars(merged)
    reasons[order] = verdict
    merged = merged.take(verdict == ACCEPTED)
    figures = known_figures(merged)
    days: list[Day] = []
    limits_contradicted = 0
    for trade_date, place in zip(dates, _split(merged.trade_date, dates), strict=True):
        rows = _slice(merged, place)
        known = {name: column[place] for name, column in figures.items()}
        reference = bar_reference(rows, trade_date, known)
        limits_contradicted += reference.limits_contradicted
        days.append(
            Day(
                trade_date=trade_date,
                open_ts_ns=shanghai_ns(trade_date, BAR_OPEN_SECONDS),
                close_ts_ns=shanghai_ns(trade_date, CLOSE_SECONDS),
                reference=reference.rows,
                quotes=no_quotes(),
                tick_edges=np.zeros(1, dtype=np.int64),
                tick_ts_ns=np.zeros(0, dtype=np.int64),
                bars=daily_bars(rows),
            ),
        )
    return Recording(tuple(days), count_rows(reasons, limits_contradicted))


def _snapshot_day(
    rows: SnapshotColumns,
    reference: ReferenceRows,
    trade_date: int,
    beat_interval_ms: int,
) -> Day:
    edges = tick_edges(rows.ts_event_ns, rows.instrument, beat_interval_ms * NS_PER_MS)
    beat_of_row = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    within_beats = rows.take(np.lexsort((rows.instrument, beat_of_row)))
    first_ns, last_ns = shanghai_ns(trade_date, SNAPSHOT_OPEN_SECONDS), 0
    if len(rows):
        first_ns, last_ns = min(first_ns, int(rows.ts_event_ns[0])), int(rows.ts_event_ns[-1])
    return Day(
        trade_date=trade_date,
        open_ts_ns=first_ns,
        close_ts_ns=max(last_ns, shanghai_ns(trade_date, CLOSE_SECONDS)),
        reference=reference,
        quotes=QuoteRows(*(getattr(within_beats, item.name) for item in fields(QuoteRows))),
        tick_edges=edges,
        # Rows are sorted by time: the last row of a beat has its largest time.
        tick_ts_ns=rows.ts_event_ns[edges[1:] - 1],
        bars=snapshot_bars(rows, reference),
    )


def _choose_days(
    trade_date: Int64Array,
    reasons: ReasonArray,
    day_count_max: int,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], list[int]]:
    """Return which rows belong to the run, and its days: those with an accepted row."""
    dates: list[int] = np.unique(trade_date[reasons == ACCEPTED]).tolist()
    if not 0 < day_count_max < len(dates):
        return np.ones(len(trade_date), dtype=np.bool_), dates
    dates = dates[:day_count_max]
    return trade_date <= dates[-1], dates


def _split(trade_date: Int64Array, dates: Sequence[int]) -> list[slice]:
    """Return where each date's rows lie in sorted dates."""
    starts = np.searchsorted(trade_date, dates, side="left").tolist()
    ends = np.searchsorted(trade_date, dates, side="right").tolist()
    return [slice(start, end) for start, end in zip(starts, ends, strict=True)]


def _slice(rows: BarColumns, place: slice) -> BarColumns:
    """Return rows without copying them."""
    return BarColumns(*(getattr(rows, item.name)[place] for item in fields(BarColumns)))
