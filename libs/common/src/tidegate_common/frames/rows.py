"""Columns of a frame: one numpy array a column, one row an instrument.

Rows are sorted by instrument and an instrument appears at most once. Prices are 1/10,000 CNY,
volumes shares, amounts fen; 0 stands for "no price" (no level, not traded yet).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.units import Float64Array, Int64Array

LEVELS = 5
# Of what goes ex on the day: amounts a share as in `market.corporate_actions`, and their dates.
ACTION_AMOUNTS = ("cash_e6", "bonus_e6", "transfer_e6", "rights_e6", "rights_price_e4")
ACTION_DATES = ("record_date", "pay_date", "new_shares_date")
# Columns of reference rows that travel only where something is not 0.
SPARSE = ("listing_date", *ACTION_AMOUNTS, *ACTION_DATES)
FIGURES = ("float_shares", "pe_ttm", "pb_mrq", "ps_ttm", "pcf_ttm", "turnover_rate")


class Figures(TypedDict):
    """The `FIGURES` of reference rows, (n,) float64 each."""

    float_shares: Float64Array
    pe_ttm: Float64Array
    pb_mrq: Float64Array
    ps_ttm: Float64Array
    pcf_ttm: Float64Array
    turnover_rate: Float64Array


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


def _no_column() -> Int64Array:
    return np.zeros(0, np.int64)


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
    listing_date : (n,) int64, YYYYMMDD, 0 when unknown.
    cash_e6, bonus_e6, transfer_e6, rights_e6, rights_price_e4 : (n,) int64, what goes ex today, as
        in `CorporateAction`; `prev_close_e4` has it in it.
    record_date, pay_date, new_shares_date : (n,) int64, YYYYMMDD, of that; 0 when unknown: then
        cash is paid and new shares are listed today.

    Figures are those that were known when the day began, never of the day itself. The columns from
    `listing_date` on are zeros unless they are given.
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
    listing_date: Int64Array = field(default_factory=_no_column)
    cash_e6: Int64Array = field(default_factory=_no_column)
    bonus_e6: Int64Array = field(default_factory=_no_column)
    transfer_e6: Int64Array = field(default_factory=_no_column)
    rights_e6: Int64Array = field(default_factory=_no_column)
    rights_price_e4: Int64Array = field(default_factory=_no_column)
    record_date: Int64Array = field(default_factory=_no_column)
    pay_date: Int64Array = field(default_factory=_no_column)
    new_shares_date: Int64Array = field(default_factory=_no_column)

    def __post_init__(self) -> None:
        """Fill the columns that were not given with zeros."""
        for name in SPARSE:
            if len(getattr(self, name)) != len(self.instrument):
                object.__setattr__(self, name, np.zeros(len(self.instrument), np.int64))


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


def unknown_figures(count: int) -> Figures:
    """Return the `FIGURES` of reference rows of which none is known, (count,) float64 each."""
    return cast("Figures", {name: np.full(count, np.nan) for name in FIGURES})
