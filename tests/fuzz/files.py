"""What rows of files come to, reckoned cell by cell in exact decimals, for every layout of ingest.

Slow and plain on purpose: it shares no code with the readers that it checks.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from tests.fuzz.reference import E4, FEN
from tests.unit.ingest import file_rows

from tidegate_common.errors import ConfigError
from tidegate_ingest.adapters.daily_bars import BAR_LAYOUTS
from tidegate_ingest.adapters.layouts import Layout
from tidegate_ingest.adapters.minute_bars import MINUTE_LAYOUTS
from tidegate_ingest.adapters.szse_sse_snapshots import SNAPSHOT_LAYOUTS
from tidegate_ingest.adapters.tables import ColumnTable
from tidegate_ingest.engine.columns import Columns, RawBars, RawMinuteBars, RawSnapshots
from tidegate_ingest.engine.normalizer import (
    normalize_bars,
    normalize_minute_bars,
    normalize_snapshots,
)
from tidegate_ingest.engine.quality import check_bars, check_minute_bars, check_snapshots

Cells = Mapping[str, str]
_SHANGHAI = timezone(timedelta(hours=8))
_FILE_DATE = "20230201"
# Half of a fen, and what a float64 of a sum of money is off by.
_WHOLE_OFF = Decimal("0.51")
# The readers take a price that is off a whole fen by float noise, and round a previous close.
_PRICE_OFF_E4 = Decimal(2)
_PREV_CLOSE_OFF_E4 = Decimal(50)


@dataclass(frozen=True, slots=True, repr=False)
class Format:
    """A layout of files, a good row of it, and what its numbers are worth.

    prices, levels : columns by the name of what they come to, without its unit.
    shares, fen : of the columns `volume` and `amount`, and what one unit of them is worth.
    time : tells (seconds of the epoch or None, YYYYMMDD) of a row.
    is_blank : tells whether a row's prices, volume and amount are not looked at.
    """

    layout: Layout[RawSnapshots] | Layout[RawMinuteBars] | Layout[RawBars]
    row: Cells
    prices: Mapping[str, str]
    volume: str
    amount: str
    time: Callable[[Cells], tuple[int | None, int]]
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shares: Decimal = Decimal(1)
    fen: Decimal = FEN
    is_blank: Callable[[Cells], bool] = lambda _row: False

    def __repr__(self) -> str:
        """Return its layout's name: a failed test says it often."""
        return self.layout.name

    @property
    def file_name(self) -> str:
        """Return the name of a CSV file that has a date in it."""
        return f"{self.layout.name.replace(' ', '_')}_{_FILE_DATE}.csv"


def assert_one_line(error: ConfigError) -> None:
    """Assert that a file is refused in one line."""
    assert "\n" not in str(error)


def read_rows(form: Format, table: ColumnTable) -> tuple[Columns, list[int]]:
    """Return the integers of a table's rows, and for each 0 where it stays, or why not."""
    raw = form.layout.parse(table)
    if isinstance(raw, RawSnapshots):
        snapshots = normalize_snapshots(raw)
        return snapshots, check_snapshots(raw, snapshots).tolist()
    if isinstance(raw, RawMinuteBars):
        minutes = normalize_minute_bars(raw)
        return minutes, check_minute_bars(raw, minutes).tolist()
    bars = normalize_bars(raw)
    return bars, check_bars(raw, bars).tolist()


def table_of(form: Format, row: Mapping[str, object]) -> ColumnTable:
    """Return one row as a table, as a file would have given it: text, or float64."""
    kinds = {
        **dict.fromkeys(form.layout.texts, pa.string()),
        **dict.fromkeys(form.layout.numbers, pa.float64()),
    }
    columns = {name: pa.array([row[name]], kind) for name, kind in kinds.items()}
    return ColumnTable(Path(form.file_name), pa.table(columns))


def assert_exact(form: Format, columns: Columns, place: int, cells: Cells) -> None:
    """Assert that an accepted row is what its text says, to the last unit."""
    said = {each.name: getattr(columns, each.name)[place] for each in fields(columns)}
    seconds, trade_date = form.time(cells)
    assert said["trade_date"] == trade_date
    for name in {"ts_event_ns", "ts_end_ns"} & said.keys():
        assert said[name] // 10**9 == seconds
    assert said["instrument"] % 1_000_000 == int(_digits(cells[form.layout.texts[0]])[0])
    if form.is_blank(cells):
        return
    for name, column in form.prices.items():
        off = _PREV_CLOSE_OFF_E4 if name == "prev_close" else _PRICE_OFF_E4
        assert abs(_decimal(cells[column]) * E4 - int(said[f"{name}_e4"])) <= off
    shares, fen = _decimal(cells[form.volume]) * form.shares, _decimal(cells[form.amount])
    assert abs(shares - int(said["volume_shares"])) <= _WHOLE_OFF
    assert abs(fen * form.fen - int(said["amount_fen"])) <= _WHOLE_OFF
    for name, stems in form.levels.items():
        scale, off = (E4, _PRICE_OFF_E4) if name.endswith("_e4") else (Decimal(1), _WHOLE_OFF)
        for level, column in enumerate(stems):
            assert abs(_decimal(cells[column]) * scale - int(said[name][level])) <= off


def _decimal(text: str) -> Decimal:
    """Return a number; what the readers take for nothing is 0."""
    return Decimal(0 if text in {"", "nan"} else text)


def _digits(text: str) -> list[str]:
    return re.findall(r"\d+", text)


def _moment(date_text: str, clock_text: str) -> tuple[int, int]:
    """Return seconds of the epoch and YYYYMMDD of a time of Shanghai."""
    day = int("".join(_digits(date_text))[:8])
    hour, minute, second = map(int, _digits(clock_text)[:3])
    year, month = divmod(day // 100, 100)
    at = datetime(year, month, day % 100, hour, minute, second, tzinfo=_SHANGHAI)
    return int(at.timestamp()), day


def _whole_time(name: str) -> Callable[[Cells], tuple[int, int]]:
    return lambda row: _moment(row[name][:10], row[name][11:])


def _split_time(date_column: str, clock: str) -> Callable[[Cells], tuple[int, int]]:
    return lambda row: _moment(row[date_column] if date_column else _FILE_DATE, row[clock])


def _digits_time(row: Cells) -> tuple[int, int]:
    text = f"{int(_decimal(row['time'])):09d}"
    return _moment(row["tradingDay"], f"{text[:2]}:{text[2:4]}:{text[4:6]}")


def _day(name: str) -> Callable[[Cells], tuple[None, int]]:
    return lambda row: (None, int("".join(_digits(row[name].strip()[:10]))))


def _levels(names: str, first: int = 1) -> dict[str, tuple[str, ...]]:
    """Return the columns of five levels by what they come to."""
    integers = ("bid_price_e4", "bid_shares", "ask_price_e4", "ask_shares")
    return {
        integer: tuple(f"{stem}{level}" for level in range(first, first + 5))
        for integer, stem in zip(integers, names.split(), strict=True)
    }


def _prices(names: str) -> dict[str, str]:
    """Return the columns of prices by what they come to."""
    integers = ("prev_close", "open", "high", "low", "last")
    return dict(zip(integers, names.split(), strict=True))


def _bars(prev_close: str = "") -> dict[str, str]:
    same = {name: name for name in ("open", "high", "low", "close")}
    return {**same, **({"prev_close": prev_close} if prev_close else {})}


def _cells(row: Mapping[str, object]) -> Cells:
    return {name: "" if cell is None else str(cell) for name, cell in row.items()}


_SSE_PRICES = "PreCloPrice OpenPrice HighPrice LowPrice LastPrice"
_DATED_PRICES = "PreClosePx OpenPx HighPx LowPx LastPx"
_SSE_LEVELS = "BidPrice BidVolume AskPrice AskVolume"
SNAPSHOT_FORMATS = tuple(
    Format(layout, _cells(row), _prices(prices), volume, amount, time, levels)
    for layout, row, prices, volume, amount, time, levels in zip(
        SNAPSHOT_LAYOUTS,
        (
            file_rows.sse_row(),
            file_rows.szse_row(),
            file_rows.sse_dated_row(),
            file_rows.szse_dated_row(),
            file_rows.plain_snapshot_row(),
        ),
        (_SSE_PRICES, _SSE_PRICES, _DATED_PRICES, _DATED_PRICES, "prev_close open high low last"),
        ("TradVolume", "Volume", "TotalVolumeTrade", "TotalVolumeTrade", "volume"),
        ("Turnover", "Turnover", "TotalValueTrade", "TotalValueTrade", "amount"),
        (
            _split_time("", "UpdateTime"),
            _split_time("", "UpdateTime"),
            _whole_time("DateTime"),
            _split_time("MDDate", "MDTime"),
            _whole_time("datetime"),
        ),
        (
            _levels(_SSE_LEVELS),
            _levels(_SSE_LEVELS),
            _levels("BidPrice BidOrderQty OfferPrice OfferOrderQty", 0),
            _levels("BuyPrice BuyOrderQty SellPrice SellOrderQty"),
            _levels("bid_price_ bid_volume_ ask_price_ ask_volume_"),
        ),
        strict=True,
    )
)
_EXCHANGE, _MINUTES = MINUTE_LAYOUTS
_BAOSTOCK, _TUSHARE, _DAILY = BAR_LAYOUTS
FORMATS = (
    *SNAPSHOT_FORMATS,
    Format(
        _EXCHANGE,
        _cells(file_rows.exchange_minutes_row()),
        _bars(),
        "volume",
        "turnover",
        _digits_time,
    ),
    Format(
        _MINUTES,
        _cells(file_rows.plain_minutes_row()),
        _bars(),
        "volume",
        "amount",
        _whole_time("datetime"),
    ),
    Format(
        _BAOSTOCK,
        _cells(file_rows.baostock_row()),
        _bars("preclose"),
        "volume",
        "amount",
        _day("date"),
        is_blank=lambda row: _decimal(row["tradestatus"]) == 0,
    ),
    Format(
        _TUSHARE,
        _cells(file_rows.tushare_row()),
        _bars("pre_close"),
        "vol",
        "amount",
        _day("trade_date"),
        shares=Decimal(100),
        fen=Decimal(100_000),
    ),
    Format(_DAILY, _cells(file_rows.plain_daily_row()), _bars(), "volume", "amount", _day("date")),
)
