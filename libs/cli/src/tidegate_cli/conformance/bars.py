"""Daily bars to hold the rule book against: the trading days of a file, in integers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tidegate_cli.rules.question import read_date
from tidegate_common.domain.enums import RiskWarning
from tidegate_common.domain.ids import parse_symbol
from tidegate_common.domain.units import PRICE_SCALE, BoolArray, Float64Array, Int64Array
from tidegate_common.errors import ConfigError
from tidegate_ingest.adapters.daily_bars import BAR_LAYOUTS
from tidegate_ingest.adapters.layouts import shorten
from tidegate_ingest.adapters.tables import column_names
from tidegate_ingest.engine.columns import RawBars

_FLAG_COLUMN: Final = "isST"


@dataclass(frozen=True, slots=True)
class DailyBars:
    """The trading days of a file, in its order; suspended days are counted and left out.

    instrument, trade_date : (n,) int64, ids and `YYYYMMDD`.
    prev_close_e4, high_e4, low_e4, close_e4 : (n,) int64.
    risk_warning : (n,) uint8, `RiskWarning`; UNKNOWN throughout a file that does not say.
    """

    name: str
    instrument: Int64Array
    trade_date: Int64Array
    prev_close_e4: Int64Array
    high_e4: Int64Array
    low_e4: Int64Array
    close_e4: Int64Array
    risk_warning: NDArray[np.uint8]
    suspended_count: int

    def __len__(self) -> int:
        """Return the number of trading days of all instruments."""
        return len(self.instrument)


def read_bars(path: Path) -> DailyBars:
    """Return the bars of a file in a layout that ingest knows.

    Raises
    ------
    ConfigError
        If the file cannot be read, is of no known layout, a code or a date means nothing, or a
        trading day's prices are no prices: such a day would be held against no limit.
    """
    found = column_names(path)
    for layout in BAR_LAYOUTS:
        if layout.missing(found):
            continue
        raw = layout.read(path)
        is_trading = ~raw.is_suspended
        with in_file(path):
            instrument = raw.code.map_words(read_code)[is_trading]
            trade_date = raw.date.map_words(lambda text: read_date(text, name="date"))[is_trading]
            _check_prices(raw, is_trading)
        flags = np.where(raw.is_st, np.uint8(RiskWarning.YES), np.uint8(RiskWarning.NO))
        if _FLAG_COLUMN not in layout.columns:
            flags = np.full(flags.shape, RiskWarning.UNKNOWN, dtype=np.uint8)
        return DailyBars(
            name=path.name,
            instrument=instrument,
            trade_date=trade_date,
            prev_close_e4=_prices_e4(raw.prev_close, is_trading),
            high_e4=_prices_e4(raw.high, is_trading),
            low_e4=_prices_e4(raw.low, is_trading),
            close_e4=_prices_e4(raw.close, is_trading),
            risk_warning=flags[is_trading],
            suspended_count=int(raw.is_suspended.sum()),
        )
    names = ", ".join(layout.name for layout in BAR_LAYOUTS)
    message = f"expected columns of one of: {names}; found: {shorten(found)} ({path})"
    raise ConfigError(message)


@contextmanager
def in_file(path: Path) -> Iterator[None]:
    """Add the file to what is wrong with a field of it."""
    try:
        yield
    except ConfigError as error:
        message = f"{error} ({path})"
        raise ConfigError(message) from None


def read_code(text: str) -> int:
    """Return the id of a code as a vendor writes it: `sh.600000` or `600000.SH`.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    head, _, tail = text.partition(".")
    symbol = f"{tail}.{head}" if tail.isdigit() else text
    try:
        return parse_symbol(symbol.upper())
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _check_prices(raw: RawBars, is_trading: BoolArray) -> None:
    is_price = (raw.low > 0) & (raw.low <= raw.high) & np.isfinite(raw.high)
    is_price &= np.isfinite(raw.prev_close) & np.isfinite(raw.close)
    for row in np.flatnonzero(is_trading & ~is_price)[:1].tolist():
        message = (
            "a trading day must have numbers for prices and 0 < low <= high, were "
            f"low {raw.low[row]}, high {raw.high[row]}, close {raw.close[row]}, "
            f"previous close {raw.prev_close[row]} (row {row + 1})"
        )
        raise ConfigError(message)


def _prices_e4(prices: Float64Array, is_chosen: BoolArray) -> Int64Array:
    return np.rint(prices[is_chosen] * PRICE_SCALE).astype(np.int64)
