"""All recordings of a directory, held against the rule book."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tidegate_cli.conformance.bars import DailyBars, in_file, read_bars
from tidegate_cli.conformance.daily import FileCheck, check_bars
from tidegate_cli.conformance.listings import read_listings
from tidegate_cli.conformance.quotes import (
    QuoteCheck,
    check_quotes,
    read_snapshot_quotes,
    read_tencent_quotes,
)
from tidegate_cli.conformance.statuses import instrument_table
from tidegate_common.errors import ConfigError
from tidegate_common.market.calendar import TradingCalendar

# Lists of shares, daily bars, snapshots with limits, answers of Tencent's quotes.
_LISTS: Final = "reference/stock_basic_*.csv"
_BARS: Final = "daily/*"
_SNAPSHOTS: Final = "l2/*snapshot*.parquet"
_ANSWERS: Final = ("payload/tencent_*.dat", "payload/tencent_*.txt")


@dataclass(frozen=True, slots=True)
class Conformance:
    """What became of every recording, in order of name."""

    files: tuple[FileCheck, ...]
    quotes: tuple[QuoteCheck, ...]

    @property
    def row_count(self) -> int:
        """Return the number of days of all instruments and files."""
        return sum(file.row_count for file in self.files)


def check_recordings(directory: Path, calendar: TradingCalendar) -> Conformance:
    """Hold the recordings of a directory against the rule book.

    Raises
    ------
    ConfigError
        If the directory holds no daily bars, a file of it cannot be read, or a bar is of a day
        without trading.
    """
    paths = sorted(directory.glob(_BARS))
    if not paths:
        message = f"expected files of daily bars in {directory / 'daily'}, found none"
        raise ConfigError(message)
    listings = read_listings(sorted(directory.glob(_LISTS)))
    bars = [_bars_of_trading_days(path, calendar) for path in paths]
    table = instrument_table(bars, listings=listings, calendar=calendar)
    quotes = {
        path.name: read_snapshot_quotes(path, table) for path in sorted(directory.glob(_SNAPSHOTS))
    }
    for pattern in _ANSWERS:
        quotes |= {path.name: read_tencent_quotes(path) for path in sorted(directory.glob(pattern))}
    return Conformance(
        files=tuple(check_bars(each, table) for each in bars),
        quotes=tuple(
            check_quotes(name, found, listings=listings, calendar=calendar)
            for name, found in quotes.items()
            if found
        ),
    )


def _bars_of_trading_days(path: Path, calendar: TradingCalendar) -> DailyBars:
    bars = read_bars(path)
    with in_file(path):
        for trade_date in np.unique(bars.trade_date).tolist():
            calendar.require_trading_day(trade_date)
    return bars
