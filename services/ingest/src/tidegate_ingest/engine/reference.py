"""What is true of an instrument all day: reference rows at the open, the bar at the close."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tidegate_common.domain.enums import LimitState, Phase
from tidegate_common.domain.units import PRICE_SCALE, BoolArray, Float64Array, Int64Array
from tidegate_common.frames.rows import BarRows, ReferenceRows, unknown_figures
from tidegate_common.market.board import boards_of
from tidegate_common.market.listing import ordinary_stages_of
from tidegate_common.market.price_limits import PriceLimits, price_limits
from tidegate_ingest.engine.columns import BarColumns, SnapshotColumns
from tidegate_ingest.engine.quality import last_rows

# SZSE says 999999999.9999 CNY where a share has no limit that day.
_NO_LIMIT_E4 = 1_000_000 * PRICE_SCALE


@dataclass(frozen=True, slots=True)
class DayReference:
    """Reference rows of a day, and how many of them contradict the day's prices.

    limits_contradicted : instruments whose prices lie outside their limits. Their limit state
        is UNKNOWN: the limits are not known to us (a first day, a relisting), and a price is
        never cut to fit.
    """

    rows: ReferenceRows
    limits_contradicted: int


def snapshot_reference(rows: SnapshotColumns, trade_date: int) -> DayReference:
    """Return the reference of a day from its snapshots.

    Limits are the file's own where it has them. ST flags and sectors are in no snapshot file.

    Parameters
    ----------
    rows : of one day, sorted by time.
    """
    instrument, first = np.unique(rows.instrument, return_index=True)
    opening, closing = rows.take(first), rows.take(last_rows(rows.instrument))
    is_st = np.zeros(len(instrument), dtype=np.bool_)
    computed = price_limits(
        boards=boards_of(instrument),
        stages=ordinary_stages_of(is_st),
        prev_close_e4=opening.prev_close_e4,
        trade_date=trade_date,
    )
    return _day_reference(
        ReferenceRows(
            instrument=instrument,
            board=boards_of(instrument),
            limit_state=computed.state,
            is_st=is_st,
            is_suspended=opening.phase == Phase.HALTED,
            prev_close_e4=opening.prev_close_e4,
            limit_up_e4=computed.up_e4,
            limit_down_e4=computed.down_e4,
            open_e4=np.zeros(len(instrument), dtype=np.int64),
            sector=no_sectors(len(instrument)),
            **unknown_figures(len(instrument)),
        ),
        _prefer_file(computed, up_e4=opening.limit_up_e4, down_e4=opening.limit_down_e4),
        is_traded=closing.volume_shares > 0,
        high_e4=closing.high_e4,
        low_e4=closing.low_e4,
    )


def bar_reference(
    rows: BarColumns,
    trade_date: int,
    figures: Mapping[str, Float64Array],
) -> DayReference:
    """Return the reference of a day from its daily bars, with the opening price.

    Parameters
    ----------
    rows : of one day, one row an instrument, sorted by instrument.
    figures : of these rows, as `known_figures` returns them.
    """
    boards = boards_of(rows.instrument)
    limits = price_limits(
        boards=boards,
        stages=ordinary_stages_of(rows.is_st),
        prev_close_e4=rows.prev_close_e4,
        trade_date=trade_date,
    )
    return _day_reference(
        ReferenceRows(
            instrument=rows.instrument,
            board=boards,
            limit_state=limits.state,
            is_st=rows.is_st,
            is_suspended=rows.is_suspended,
            prev_close_e4=rows.prev_close_e4,
            limit_up_e4=limits.up_e4,
            limit_down_e4=limits.down_e4,
            open_e4=np.where(rows.is_suspended, 0, rows.open_e4),
            sector=no_sectors(len(rows)),
            **figures,
        ),
        limits,
        is_traded=~rows.is_suspended,
        high_e4=rows.high_e4,
        low_e4=rows.low_e4,
    )


def minute_reference(bars: BarRows, trade_date: int, prev_close_e4: Int64Array) -> DayReference:
    """Return the reference of a day from bars of minutes, which say no ST flags or opening price.

    Parameters
    ----------
    bars : the day's bar of every instrument.
    prev_close_e4 : (n,) int64, 0 where none is known; then the limit is not known either.
    """
    count = len(bars)
    boards, is_st = boards_of(bars.instrument), np.zeros(count, dtype=np.bool_)
    limits = price_limits(
        boards=boards,
        stages=ordinary_stages_of(is_st),
        prev_close_e4=prev_close_e4,
        trade_date=trade_date,
    )
    return _day_reference(
        ReferenceRows(
            instrument=bars.instrument,
            board=boards,
            limit_state=limits.state,
            is_st=is_st,
            is_suspended=is_st,
            prev_close_e4=prev_close_e4,
            limit_up_e4=limits.up_e4,
            limit_down_e4=limits.down_e4,
            open_e4=np.zeros(count, dtype=np.int64),
            sector=no_sectors(count),
            **unknown_figures(count),
        ),
        limits,
        is_traded=bars.volume_shares > 0,
        high_e4=bars.high_e4,
        low_e4=bars.low_e4,
    )


def snapshot_bars(rows: SnapshotColumns, reference: ReferenceRows) -> BarRows:
    """Return the day's bar of every instrument of the reference.

    Where nothing was traded, or no row was left, all prices are the previous close.

    Parameters
    ----------
    rows : accepted rows of one day, sorted by time.
    """
    last = rows.take(last_rows(rows.instrument))
    last = last.take(last.volume_shares > 0)
    place = np.searchsorted(reference.instrument, last.instrument)
    prices = {}
    for name, column in (
        # Only a day that stops at its first trade has no opening price: that trade's is it.
        ("open_e4", np.where(last.open_e4 == 0, last.last_e4, last.open_e4)),
        ("high_e4", last.high_e4),
        ("low_e4", last.low_e4),
        ("close_e4", last.last_e4),
    ):
        prices[name] = reference.prev_close_e4.copy()
        prices[name][place] = column
    volume_shares, amount_fen = np.zeros((2, len(reference)), dtype=np.int64)
    volume_shares[place], amount_fen[place] = last.volume_shares, last.amount_fen
    return BarRows(
        instrument=reference.instrument,
        volume_shares=volume_shares,
        amount_fen=amount_fen,
        **prices,
    )


def daily_bars(rows: BarColumns) -> BarRows:
    """Return the bars of a day, one row an instrument."""
    return BarRows(
        instrument=rows.instrument,
        open_e4=rows.open_e4,
        high_e4=rows.high_e4,
        low_e4=rows.low_e4,
        close_e4=rows.close_e4,
        volume_shares=rows.volume_shares,
        amount_fen=rows.amount_fen,
    )


def no_sectors(count: int) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """Return "" for each of `count` instruments: the sector is not known."""
    return np.full(count, "", dtype=np.object_)


def _day_reference(
    rows: ReferenceRows,
    limits: PriceLimits,
    *,
    is_traded: BoolArray,
    high_e4: Int64Array,
    low_e4: Int64Array,
) -> DayReference:
    """Return the reference with limits, UNKNOWN where the day's own prices lie outside."""
    is_outside = (high_e4 > limits.up_e4) | (low_e4 < limits.down_e4)
    is_contradicted = (limits.state == LimitState.LIMITED) & is_traded & is_outside
    state = np.where(is_contradicted, LimitState.UNKNOWN, limits.state).astype(np.uint8)
    return DayReference(
        replace(
            rows,
            limit_state=state,
            limit_up_e4=np.where(is_contradicted, 0, limits.up_e4),
            limit_down_e4=np.where(is_contradicted, 0, limits.down_e4),
        ),
        int(is_contradicted.sum()),
    )


def _prefer_file(
    computed: PriceLimits,
    *,
    up_e4: Int64Array,
    down_e4: Int64Array,
) -> PriceLimits:
    """Return the file's limits where it has both, else the computed ones."""
    is_unlimited = up_e4 >= _NO_LIMIT_E4
    is_limited = (up_e4 > 0) & (down_e4 > 0) & ~is_unlimited
    said = [is_unlimited, is_limited]
    state = np.select(said, [LimitState.UNLIMITED, LimitState.LIMITED], computed.state)
    return PriceLimits(
        state=state.astype(np.uint8),
        up_e4=np.select(said, [0, up_e4], computed.up_e4),
        down_e4=np.select(said, [0, down_e4], computed.down_e4),
    )
