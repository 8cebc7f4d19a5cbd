"""Columns of a frame: one numpy array a column, one row an instrument.

Rows are sorted by instrument and an instrument appears at most once. Prices are 1/10,000 CNY,
volumes shares, amounts fen; 0 stands for "no price" (no level, not traded yet).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.units import Float64Array, Int64Array

LEVELS = 5
FIGURES = ("float_shares", "pe_ttm", "pb_mrq", "ps_ttm", "pcf_ttm", "turnover_rate")


@dataclass(frozen=True, slots=True)
class Rows:
    """Shared behaviour of all row kinds; every field is an array with n rows."""

    instrument: Int64Array

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.instrument)

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """Return the rows chosen by a boolean mask (n,) or by positions (m,)."""
        return self._map(lambda array: array[chosen])

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, sorted by instrument.

        The order of the parts does not matter: shards are invisible in the result.
        """
        if len(parts) == 1:
            return parts[0]
        columns: list[NDArray[Any]] = [
            np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)
        ]
        joined = cls(*columns)
        return joined.take(np.argsort(joined.instrument, kind="stable"))

    def _map(self, transform: Callable[[NDArray[Any]], NDArray[Any]]) -> Self:
        return type(self)(*(transform(getattr(self, field.name)) for field in fields(self)))


@dataclass(frozen=True, slots=True)
class ReferenceRows(Rows):
    """Reference data of the day, carried by OPEN beats.

    instrument : (n,) int64.
    board, limit_state : (n,) uint8, `Board` and `LimitState`.
    is_st, is_suspended : (n,) bool.
    prev_close_e4 : (n,) int64, the ex-rights reference price, 0 when unknown.
    limit_up_e4, limit_down_e4 : (n,) int64, 0 unless limit_state is LIMITED.
    open_e4 : (n,) int64, the day's opening price in a daily-bar run, else 0.
    sector : (n,) str objects, "" when unknown.
    float_shares : (n,) float64, shares that can be traded; NaN, as below, when unknown.
    pe_ttm, pb_mrq, ps_ttm, pcf_ttm : (n,) float64, price by earnings, sales and cash flow of the
        last four quarters, and by the last book value; negative where those are.
    turnover_rate : (n,) float64, traded volume by float_shares, of the day before.

    Figures are those that were known when the day began, never of the day itself.
    """

    board: NDArray[np.uint8]
    limit_state: NDArray[np.uint8]
    is_st: NDArray[np.bool_]
    is_suspended: NDArray[np.bool_]
    prev_close_e4: Int64Array
    limit_up_e4: Int64Array
    limit_down_e4: Int64Array
    open_e4: Int64Array
    sector: NDArray[np.object_]
    float_shares: Float64Array
    pe_ttm: Float64Array
    pb_mrq: Float64Array
    ps_ttm: Float64Array
    pcf_ttm: Float64Array
    turnover_rate: Float64Array


@dataclass(frozen=True, slots=True)
class QuoteRows(Rows):
    """Level-1 snapshots, carried by TICK beats; only instruments that spoke in the beat.

    instrument, ts_event_ns : (n,) int64; exchange time, UTC epoch.
    phase : (n,) uint8, `Phase`.
    last_e4 : (n,) int64, last price, 0 before the first trade.
    volume_shares, amount_fen : (n,) int64, cumulative over the day.
    bid_price_e4, bid_shares, ask_price_e4, ask_shares : (n, 5) int64, best level first, 0 = none.
    """

    ts_event_ns: Int64Array
    phase: NDArray[np.uint8]
    last_e4: Int64Array
    volume_shares: Int64Array
    amount_fen: Int64Array
    bid_price_e4: Int64Array
    bid_shares: Int64Array
    ask_price_e4: Int64Array
    ask_shares: Int64Array


@dataclass(frozen=True, slots=True)
class BarRows(Rows):
    """OHLCV bars: of a period in BAR beats, of the whole day in CLOSE beats.

    instrument : (n,) int64.
    open_e4, high_e4, low_e4, close_e4 : (n,) int64; all equal the last close when not traded.
    volume_shares, amount_fen : (n,) int64, of the bar.
    """

    open_e4: Int64Array
    high_e4: Int64Array
    low_e4: Int64Array
    close_e4: Int64Array
    volume_shares: Int64Array
    amount_fen: Int64Array


def unknown_figures(count: int) -> dict[str, Float64Array]:
    """Return the `FIGURES` of reference rows of which none is known, (count,) float64 each."""
    return {name: np.full(count, np.nan) for name in FIGURES}
