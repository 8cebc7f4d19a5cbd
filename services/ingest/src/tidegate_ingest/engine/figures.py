"""Fundamental figures as they were known before each day, from a recording's own rows."""

import numpy as np

from tidegate_common.domain.units import BoolArray, Float64Array, Int64Array
from tidegate_ingest.engine.columns import BarColumns

# Sources count turnover in percent of the float.
_PERCENT = 100
_NONE = -1


def known_figures(rows: BarColumns) -> dict[str, Float64Array]:
    """Return the figures that each row's instrument had when the row's day began.

    A source adds a day's figures after its close, so those of a row are known from the
    instrument's next row on: its price ratios are those of its last earlier row, its float and
    its turnover rate those of the last earlier row on which it was traded. Where there is no
    such row, or it says nothing or zero, a figure is unknown. (A zero is a hole in the source: it
    stands in the PCF of all shares on one day, 2022-02-28.)

    Parameters
    ----------
    rows : sorted by (trade_date, instrument), one row an instrument and day.

    Returns
    -------
    (n,) float64 by name of `frames.rows.FIGURES`, NaN where unknown.
    """
    is_traded = (rows.volume_shares > 0) & (rows.turn > 0) & np.isfinite(rows.turn)
    last = _last_earlier(rows.instrument, np.ones(len(rows), np.bool_))
    last_traded = _last_earlier(rows.instrument, is_traded)
    turnover_rate = np.where(is_traded, rows.turn, np.nan) / _PERCENT
    # A turnover next to nothing makes an infinite float, which counts as unknown.
    with np.errstate(over="ignore"):
        float_shares = np.rint(rows.volume_shares / turnover_rate)
    return {
        "float_shares": _taken(float_shares, last_traded),
        "pe_ttm": _taken(rows.pe_ttm, last),
        "pb_mrq": _taken(rows.pb_mrq, last),
        "ps_ttm": _taken(rows.ps_ttm, last),
        "pcf_ttm": _taken(rows.pcf_ttm, last),
        "turnover_rate": _taken(turnover_rate, last_traded),
    }


def _taken(values: Float64Array, position: Int64Array) -> Float64Array:
    """Return the values at some positions; NaN at no position, and for 0 and infinity."""
    taken = values[position]
    is_known = (position != _NONE) & np.isfinite(taken) & (taken != 0)
    return np.where(is_known, taken, np.nan)


def _last_earlier(instrument: Int64Array, is_chosen: BoolArray) -> Int64Array:
    """Return the position of the last chosen row before each row, of its instrument, or -1."""
    # A stable sort keeps each instrument's rows in order of time.
    order = np.argsort(instrument, kind="stable")
    grouped = instrument[order]
    group_start = np.searchsorted(grouped, grouped, side="left")
    place = np.where(is_chosen[order], np.arange(len(order)), _NONE)
    upto = np.maximum.accumulate(place)
    before = np.concatenate(([_NONE], upto))[:-1]
    found = np.full(len(order), _NONE, np.int64)
    found[order] = np.where(before >= group_start, order[before], _NONE)
    return found
