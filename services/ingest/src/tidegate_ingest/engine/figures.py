"""Fundamental figures as they were known before each day, from a recording's own rows."""

from typing import cast

import numpy as np

from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_common.frames.rows import FIGURES, Figures
from tidegate_ingest.engine.columns import BarColumns

# Sources count turnover in percent of the float.
_PERCENT = 100
_RATIOS = ("pe_ttm", "pb_mrq", "ps_ttm", "pcf_ttm")
_OF_TRADES = ("float_shares", "turnover_rate")


class KnownFigures:
    """The figures of all instruments as of their last rows.

    A source adds a day's figures after its close, so those of a row are known from the
    instrument's next row on: its price ratios are those of its last earlier row, its float and
    its turnover rate those of the last earlier row on which it was traded. Where there is no
    such row, or it says nothing or zero, a figure is unknown. (A zero is a hole in the source: it
    stands in the PCF of all shares on one day, 2022-02-28.)
    """

    def __init__(self) -> None:
        """Know nothing."""
        self._instrument: Int64Array = np.zeros(0, dtype=np.int64)
        self._figures = {name: np.zeros(0) for name in FIGURES}

    def of_day(self, rows: BarColumns) -> Figures:
        """Return the figures that each row's instrument had when the day began, and learn the day.

        Parameters
        ----------
        rows : of one day, one row an instrument, sorted by instrument.

        Returns
        -------
        (n,) float64 by name of `frames.rows.FIGURES`, NaN where unknown.
        """
        place = self._places(rows.instrument)
        known = {name: column[place] for name, column in self._figures.items()}
        self._learn(rows, place)
        return cast("Figures", known)

    def _learn(self, rows: BarColumns, place: Int64Array) -> None:
        for name in _RATIOS:
            self._figures[name][place] = _said(getattr(rows, name))
        is_traded = (rows.volume_shares > 0) & (rows.turn > 0) & np.isfinite(rows.turn)
        turnover_rate = rows.turn[is_traded] / _PERCENT
        # A turnover next to nothing makes an infinite float, which counts as unknown.
        with np.errstate(over="ignore"):
            float_shares = np.rint(rows.volume_shares[is_traded] / turnover_rate)
        for name, column in zip(_OF_TRADES, (float_shares, turnover_rate), strict=True):
            self._figures[name][place[is_traded]] = _said(column)

    def _places(self, instrument: Int64Array) -> Int64Array:
        """Return where instruments stand; new ones are given a place first."""
        place = np.searchsorted(self._instrument, instrument)
        is_inside = place < len(self._instrument)
        if is_inside.all() and (self._instrument[place] == instrument).all():
            return place
        joined = np.union1d(self._instrument, instrument)
        old = np.searchsorted(joined, self._instrument)
        for name, column in self._figures.items():
            self._figures[name] = np.full(len(joined), np.nan)
            self._figures[name][old] = column
        self._instrument = joined
        return np.searchsorted(joined, instrument)


def _said(figure: Float64Array) -> Float64Array:
    return np.where(np.isfinite(figure) & (figure != 0), figure, np.nan)
