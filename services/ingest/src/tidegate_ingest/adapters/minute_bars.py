"""Files of bars of some minutes, unadjusted, stamped by their ends."""

import numpy as np

from tidegate_common.domain.units import Int64Array
from tidegate_common.market.sessions import NS_PER_SECOND
from tidegate_ingest.adapters.layouts import Layout
from tidegate_ingest.adapters.tables import ColumnTable
from tidegate_ingest.engine.columns import RawMinuteBars, TextColumn

_NS_PER_MS = NS_PER_SECOND // 1_000
# Hours end before 24, as HHMMSSmmm.
_DIGITS_END = 240_000_000
_SIXTY = 60
_PRICES = ("open", "high", "low", "close")


def parse_plain(table: ColumnTable) -> RawMinuteBars:
    """Return rows of a file of plain names: `datetime` is the end, in shares and CNY.

    Raises
    ------
    ConfigError
        If a column cannot be read.
    """
    return RawMinuteBars(
        code=table.texts("symbol"),
        ts_end_ns=table.times_ns("datetime", date=""),
        open=table.numbers("open"),
        high=table.numbers("high"),
        low=table.numbers("low"),
        close=table.numbers("close"),
        volume=table.numbers("volume"),
        amount=table.numbers("amount"),
    )


def parse_exchange(table: ColumnTable) -> RawMinuteBars:
    """Return rows of a file with `exchange`, and ends as digits: 93100000 is 09:31:00.000.

    Raises
    ------
    ConfigError
        If a column cannot be read.
    """
    return RawMinuteBars(
        code=_joined(table.texts("symbol"), table.texts("exchange")),
        ts_end_ns=_digits_ns(table),
        open=table.numbers("open"),
        high=table.numbers("high"),
        low=table.numbers("low"),
        close=table.numbers("close"),
        volume=table.numbers("volume"),
        amount=table.numbers("turnover"),
    )


def _joined(code: TextColumn, exchange: TextColumn) -> TextColumn:
    """Return codes such as 000001.SZSE."""
    words = tuple(f"{symbol}.{venue}" for symbol in code.words for venue in exchange.words)
    return TextColumn(words, code.index * len(exchange.words) + exchange.index)


def _digits_ns(table: ColumnTable) -> Int64Array:
    """Return `tradingDay` and `time` as UTC epoch nanoseconds, -1 where one is no time."""
    midnight_ns = table.midnights_ns("tradingDay")
    digits = table.numbers("time", missing=-1.0)
    is_whole = (digits >= 0) & (digits < _DIGITS_END) & (digits == np.floor(digits))
    clock, ms = np.divmod(np.where(is_whole, digits, 0).astype(np.int64), 1_000)
    hours, minutes, seconds = clock // 10_000, clock // 100 % 100, clock % 100
    is_time = is_whole & (minutes < _SIXTY) & (seconds < _SIXTY) & (midnight_ns >= 0)
    of_day_seconds = (hours * _SIXTY + minutes) * _SIXTY + seconds
    return np.where(is_time, midnight_ns + of_day_seconds * NS_PER_SECOND + ms * _NS_PER_MS, -1)


MINUTE_LAYOUTS: tuple[Layout[RawMinuteBars], ...] = (
    Layout(
        "minute bars with exchange",
        ("symbol", "exchange", "tradingDay"),
        ("time", *_PRICES, "volume", "turnover"),
        parse_exchange,
    ),
    Layout("minute bars", ("symbol", "datetime"), (*_PRICES, "volume", "amount"), parse_plain),
)
