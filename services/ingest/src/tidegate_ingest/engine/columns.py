"""Columns of a feed, before and after normalisation, in the order of the file.

Raw columns are floats in the units of the file, with NaN for "nothing there"; text is an index
into a small vocabulary, so that no step walks over rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Exchange
from tidegate_common.domain.units import BoolArray, Float64Array, Int64Array


@dataclass(frozen=True, slots=True)
class TextColumn:
    """Text of n rows: row i says `words[index[i]]`.

    words : vocabulary.
    index : (n,) int64.
    """

    words: tuple[str, ...]
    index: Int64Array

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.index)

    def map_words(self, meaning: Callable[[str], int]) -> Int64Array:
        """Return the meaning of each row's word, asked once a word."""
        meanings = np.array([meaning(word) for word in self.words], dtype=np.int64)
        return meanings[self.index]


@dataclass(frozen=True, slots=True)
class RawSnapshots:
    """Level-1 snapshots as a file says them; prices and amounts in CNY, volumes in shares.

    exchange : venue of codes without a suffix; None where each code names its venue.
    ts_event_ns : (n,) int64, UTC epoch, -1 where the time cannot be read.
    limit_up, limit_down : (n,) float64, 0 where the file has none.
    bid_price, bid_shares, ask_price, ask_shares : (n, 5) float64, 0 where there is no level.
    Other floats are (n,) float64.
    """

    exchange: Exchange | None
    code: TextColumn
    phase: TextColumn
    ts_event_ns: Int64Array
    prev_close: Float64Array
    open: Float64Array
    high: Float64Array
    low: Float64Array
    last: Float64Array
    volume: Float64Array
    amount: Float64Array
    limit_up: Float64Array
    limit_down: Float64Array
    bid_price: Float64Array
    bid_shares: Float64Array
    ask_price: Float64Array
    ask_shares: Float64Array


@dataclass(frozen=True, slots=True)
class RawBars:
    """Daily bars as a file says them; prices in CNY.

    prev_close : 0 where the file does not say it.
    volume_shares_per_unit, amount_fen_per_unit : scales of `volume` and `amount`.
    turn : volume in percent of the float. pe_ttm, pb_mrq, ps_ttm, pcf_ttm : price ratios after
        the day's close. These five are NaN where the file has none.
    is_st, is_suspended : (n,) bool. Floats are (n,) float64.
    """

    code: TextColumn
    date: TextColumn
    prev_close: Float64Array
    open: Float64Array
    high: Float64Array
    low: Float64Array
    close: Float64Array
    volume: Float64Array
    amount: Float64Array
    is_st: BoolArray
    is_suspended: BoolArray
    turn: Float64Array
    pe_ttm: Float64Array
    pb_mrq: Float64Array
    ps_ttm: Float64Array
    pcf_ttm: Float64Array
    volume_shares_per_unit: int
    amount_fen_per_unit: int


@dataclass(frozen=True, slots=True)
class RawMinuteBars:
    """Bars of some minutes as a file says them; prices and amounts in CNY, volumes in shares.

    ts_end_ns : (n,) int64, end of the bar, UTC epoch, -1 where the time cannot be read.
    Floats are (n,) float64.
    """

    code: TextColumn
    ts_end_ns: Int64Array
    open: Float64Array
    high: Float64Array
    low: Float64Array
    close: Float64Array
    volume: Float64Array
    amount: Float64Array


@dataclass(frozen=True, slots=True)
class Rows:
    """Shared behaviour of columns; every field is an array with n rows."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(getattr(self, fields(self)[0].name))

    def take(self, chosen: NDArray[np.int64] | BoolArray) -> Self:
        """Return the rows chosen by a boolean mask (n,) or by positions (m,)."""
        return type(self)(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def slice(self, start: int, stop: int) -> Self:
        """Return the rows from `start` to before `stop`, without copying them."""
        return type(self)(*(getattr(self, field.name)[start:stop] for field in fields(self)))

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, one part after the other; at least one part."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            *(
                np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(cls)
            ),
        )


@dataclass(frozen=True, slots=True)
class Columns(Rows):
    """Normalised columns.

    instrument, trade_date : (n,) int64; 0 where the file's text means nothing.
    row : (n,) int64, place among the raw rows, from 0; it leads back to the record.
    """

    instrument: Int64Array
    trade_date: Int64Array
    row: Int64Array


@dataclass(frozen=True, slots=True)
class SnapshotColumns(Columns):
    """Normalised snapshots: prices 1/10,000 CNY, amounts fen; quotes and the day's facts.

    phase : (n,) uint8, `Phase`, or `normalizer.PHASE_UNKNOWN`.
    limit_up_e4, limit_down_e4 : (n,) int64, 0 where the file has none.
    bid_price_e4, bid_shares, ask_price_e4, ask_shares : (n, 5) int64.
    Other fields are (n,) int64.
    """

    ts_event_ns: Int64Array
    phase: NDArray[np.uint8]
    prev_close_e4: Int64Array
    open_e4: Int64Array
    high_e4: Int64Array
    low_e4: Int64Array
    last_e4: Int64Array
    volume_shares: Int64Array
    amount_fen: Int64Array
    limit_up_e4: Int64Array
    limit_down_e4: Int64Array
    bid_price_e4: Int64Array
    bid_shares: Int64Array
    ask_price_e4: Int64Array
    ask_shares: Int64Array


@dataclass(frozen=True, slots=True)
class BarColumns(Columns):
    """Normalised daily bars: prices 1/10,000 CNY, volumes shares, amounts fen; (n,) each.

    prev_close_e4 : 0 where the file does not say it.
    turn, pe_ttm, pb_mrq, ps_ttm, pcf_ttm : as in `RawBars`: known after the day's close.
    """

    prev_close_e4: Int64Array
    open_e4: Int64Array
    high_e4: Int64Array
    low_e4: Int64Array
    close_e4: Int64Array
    volume_shares: Int64Array
    amount_fen: Int64Array
    is_st: BoolArray
    is_suspended: BoolArray
    turn: Float64Array
    pe_ttm: Float64Array
    pb_mrq: Float64Array
    ps_ttm: Float64Array
    pcf_ttm: Float64Array


@dataclass(frozen=True, slots=True)
class MinuteColumns(Columns):
    """Normalised bars of some minutes: prices 1/10,000 CNY, volumes shares, amounts fen.

    ts_end_ns and all others : (n,) int64.
    """

    ts_end_ns: Int64Array
    open_e4: Int64Array
    high_e4: Int64Array
    low_e4: Int64Array
    close_e4: Int64Array
    volume_shares: Int64Array
    amount_fen: Int64Array
