"""What is true of an instrument all day: reference rows at the open, the bar at the close."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import LimitState, ListingStatus, Phase, RiskWarning
from tidegate_common.domain.units import PRICE_SCALE, BoolArray, Int64Array
from tidegate_common.frames.rows import BarRows, Figures, ReferenceRows, unknown_figures
from tidegate_common.market.board import boards_of
from tidegate_common.market.calendar import CalendarError, xshg_calendar
from tidegate_common.market.listing import LISTED_LONG_AGO, ordinary_stages_of, stages_of
from tidegate_common.market.price_limits import PriceLimits, price_limits
from tidegate_ingest.engine.columns import BarColumns, SnapshotColumns
from tidegate_ingest.engine.quality import last_rows
from tidegate_ingest.engine.reference_days import DayFacts, ReferenceDays

# SZSE says 999999999.9999 CNY where a share has no limit that day.
_NO_LIMIT_E4 = 1_000_000 * PRICE_SCALE
# Between two dates as numbers.
_A_YEAR = 1_00_00


@dataclass(frozen=True, slots=True)
class DayReference:
    """Reference rows of a day, and how many of them contradict the day's prices.

    limits_contradicted : instruments whose prices lie outside their limits. Their limit state
        is UNKNOWN: the limits are not known to us (a first day, a relisting), and a price is
        never cut to fit.
    """

    rows: ReferenceRows
    limits_contradicted: int


def snapshot_reference(
    rows: SnapshotColumns,
    trade_date: int,
    reference: ReferenceDays,
    is_st: BoolArray | None = None,
) -> DayReference:
    """Return the reference of a day from its snapshots.

    Limits are the file's own where it has them. ST flags and sectors are in no snapshot file. The
    previous close is the exchange's, which is ex-rights.

    Parameters
    ----------
    rows : of one day, sorted by time.
    reference : what the user says of the day; it wins.
    is_st : (n,) bool, of the instruments, sorted; where the feed has ST flags after all.
    """
    instrument, first = np.unique(rows.instrument, return_index=True)
    opening, closing = rows.take(first), rows.take(last_rows(rows.instrument))
    facts = reference.on(trade_date, instrument)
    is_st = facts.st(np.zeros(len(instrument), dtype=np.bool_) if is_st is None else is_st)
    computed = price_limits(
        boards=boards_of(instrument),
        stages=listing_stages(instrument, is_st, facts.listing_date, trade_date),
        prev_close_e4=opening.prev_close_e4,
        trade_date=trade_date,
    )
    return _day_reference(
        ReferenceRows(
            instrument=instrument,
            board=boards_of(instrument),
            limit_state=computed.state,
            is_st=is_st,
            is_suspended=facts.suspended(opening.phase == Phase.HALTED),
            prev_close_e4=opening.prev_close_e4,
            limit_up_e4=computed.up_e4,
            limit_down_e4=computed.down_e4,
            open_e4=np.zeros(len(instrument), dtype=np.int64),
            sector=facts.sector,
            **unknown_figures(len(instrument)),
            listing_date=facts.listing_date,
            **facts.action_columns(instrument),
        ),
        _prefer_file(computed, up_e4=opening.limit_up_e4, down_e4=opening.limit_down_e4),
        is_traded=closing.volume_shares > 0,
        high_e4=closing.high_e4,
        low_e4=closing.low_e4,
    )


def bar_reference(
    rows: BarColumns,
    trade_date: int,
    figures: Figures,
    facts: DayFacts,
) -> DayReference:
    """Return the reference of a day from its daily bars, with the opening price.

    Parameters
    ----------
    rows : of one day, one row an instrument, sorted by instrument; previous closes are ex-rights.
    figures : of these rows, as `known_figures` returns them.
    facts : what the user says of these instruments; it wins.
    """
    boards = boards_of(rows.instrument)
    is_st, is_suspended = facts.st(rows.is_st), facts.suspended(rows.is_suspended)
    limits = price_limits(
        boards=boards,
        stages=listing_stages(rows.instrument, is_st, facts.listing_date, trade_date),
        prev_close_e4=rows.prev_close_e4,
        trade_date=trade_date,
    )
    return _day_reference(
        ReferenceRows(
            instrument=rows.instrument,
            board=boards,
            limit_state=limits.state,
            is_st=is_st,
            is_suspended=is_suspended,
            prev_close_e4=rows.prev_close_e4,
            limit_up_e4=limits.up_e4,
            limit_down_e4=limits.down_e4,
            open_e4=np.where(is_suspended, 0, rows.open_e4),
            sector=facts.sector,
            **figures,
            listing_date=facts.listing_date,
            **facts.action_columns(rows.instrument),
        ),
        limits,
        is_traded=~is_suspended,
        high_e4=rows.high_e4,
        low_e4=rows.low_e4,
    )


def minute_reference(
    bars: BarRows,
    trade_date: int,
    prev_close_e4: Int64Array,
    facts: DayFacts,
) -> DayReference:
    """Return the reference of a day from bars of minutes, which say no ST flags or opening price.

    Parameters
    ----------
    bars : the day's bar of every instrument.
    prev_close_e4 : (n,) int64, ex-rights, 0 where none is known; then the limit is not known
        either.
    facts : what the user says of these instruments.
    """
    count = len(bars)
    boards, no_flags = boards_of(bars.instrument), np.zeros(count, dtype=np.bool_)
    is_st = facts.st(no_flags)
    limits = price_limits(
        boards=boards,
        stages=listing_stages(bars.instrument, is_st, facts.listing_date, trade_date),
        prev_close_e4=prev_close_e4,
        trade_date=trade_date,
    )
    return _day_reference(
        ReferenceRows(
            instrument=bars.instrument,
            board=boards,
            limit_state=limits.state,
            is_st=is_st,
            is_suspended=facts.suspended(no_flags),
            prev_close_e4=prev_close_e4,
            limit_up_e4=limits.up_e4,
            limit_down_e4=limits.down_e4,
            open_e4=np.zeros(count, dtype=np.int64),
            sector=facts.sector,
            **unknown_figures(count),
            listing_date=facts.listing_date,
            **facts.action_columns(bars.instrument),
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


def listing_stages(
    instrument: Int64Array,
    is_st: BoolArray,
    listing_date: Int64Array,
    trade_date: int,
) -> NDArray[np.uint8]:
    """Return the stage of listed shares, which decides their price limits.

    Of a share whose listing date is not known an ordinary one, as of those that listed long ago. A
    day that the calendar does not have cannot be counted from: there a share is UNKNOWN for a year.

    Parameters
    ----------
    listing_date : (n,) int64, YYYYMMDD, 0 where it is not known.
    """
    if not listing_date.any():
        return ordinary_stages_of(is_st)
    listed = np.maximum(listing_date, LISTED_LONG_AGO)
    try:
        listing_day = xshg_calendar().day_numbers(listed, on=trade_date)
    except CalendarError:
        listing_day = np.zeros_like(listed)
        listed = np.where(trade_date - listed >= _A_YEAR, LISTED_LONG_AGO, 0)
    return stages_of(
        boards=boards_of(instrument),
        risk_warning=np.where(is_st, RiskWarning.YES, RiskWarning.NO).astype(np.uint8),
        status=np.full(len(listed), ListingStatus.LISTED, dtype=np.uint8),
        listed=listed,
        listing_day=listing_day,
        status_day=np.zeros_like(listed),
    )


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
