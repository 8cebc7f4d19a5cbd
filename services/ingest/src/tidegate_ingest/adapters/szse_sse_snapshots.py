"""Snapshot files: four layouts of the Shanghai and Shenzhen feeds, and one of plain names.

A Level-1 quote is the first five of the ten levels.
"""

import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from tidegate_common.domain.enums import Exchange
from tidegate_common.errors import ConfigError
from tidegate_common.frames.rows import LEVELS
from tidegate_ingest.adapters.layouts import Layout, numbered
from tidegate_ingest.adapters.tables import ColumnTable
from tidegate_ingest.engine.columns import RawSnapshots, TextColumn
from tidegate_ingest.engine.normalizer import PHASE_BY_CLOCK, date_of

_FILE_DATE = re.compile(r"(?<!\d)\d{8}(?!\d)")


@dataclass(frozen=True, slots=True)
class SnapshotColumnNames:
    """Where a snapshot layout keeps what.

    exchange : venue of bare codes; None where codes carry a suffix.
    date : column of the date; "" where `time` holds it; None where only the file's name does.
    level_first : number of the best level, 0 or 1.
    phase : the clock tells it where the layout leaves it optional and a file has none.
    limit_up, limit_down : "" where the layout has no limits.
    is_optional : whether files may lack the phase and the limits.
    """

    exchange: Exchange | None
    date: str | None
    time: str
    phase: str
    prev_close: str
    open: str
    high: str
    low: str
    last: str
    volume: str
    amount: str
    bid_price: str
    bid_shares: str
    ask_price: str
    ask_shares: str
    level_first: int = 1
    limit_up: str = ""
    limit_down: str = ""
    code: str = "SecurityID"
    is_optional: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the columns that hold text."""
        phase = "" if self.is_optional else self.phase
        return tuple(name for name in (self.code, self.date, self.time, phase) if name)

    @property
    def numbers(self) -> tuple[str, ...]:
        """Return the columns that hold numbers."""
        singles = (self.prev_close, self.open, self.high, self.low, self.last, self.volume)
        limits = () if self.is_optional else self.limits
        stems = (self.bid_price, self.bid_shares, self.ask_price, self.ask_shares)
        return (*singles, self.amount, *limits, *(name for stem in stems for name in self.of(stem)))

    @property
    def limits(self) -> tuple[str, ...]:
        """Return the columns of the day's limits."""
        return tuple(name for name in (self.limit_up, self.limit_down) if name)

    def of(self, stem: str) -> tuple[str, ...]:
        """Return the columns of the five best levels."""
        return numbered(stem, self.level_first, LEVELS)


_SSE = SnapshotColumnNames(
    exchange=Exchange.SH,
    date=None,
    time="UpdateTime",
    phase="InstruStatus",
    prev_close="PreCloPrice",
    open="OpenPrice",
    high="HighPrice",
    low="LowPrice",
    last="LastPrice",
    volume="TradVolume",
    amount="Turnover",
    bid_price="BidPrice",
    bid_shares="BidVolume",
    ask_price="AskPrice",
    ask_shares="AskVolume",
)
_SZSE = SnapshotColumnNames(
    exchange=Exchange.SZ,
    date=None,
    time="UpdateTime",
    phase="TradingPhaseCode",
    prev_close="PreCloPrice",
    open="OpenPrice",
    high="HighPrice",
    low="LowPrice",
    last="LastPrice",
    volume="Volume",
    amount="Turnover",
    bid_price="BidPrice",
    bid_shares="BidVolume",
    ask_price="AskPrice",
    ask_shares="AskVolume",
    limit_up="HighLimitPrice",
    limit_down="LowLimitPrice",
)
_SSE_DATED = SnapshotColumnNames(
    exchange=Exchange.SH,
    date="",
    time="DateTime",
    phase="InstrumentStatus",
    prev_close="PreClosePx",
    open="OpenPx",
    high="HighPx",
    low="LowPx",
    last="LastPx",
    volume="TotalVolumeTrade",
    amount="TotalValueTrade",
    bid_price="BidPrice",
    bid_shares="BidOrderQty",
    ask_price="OfferPrice",
    ask_shares="OfferOrderQty",
    level_first=0,
)
_SZSE_DATED = SnapshotColumnNames(
    exchange=None,
    date="MDDate",
    time="MDTime",
    phase="TradingPhaseCode",
    prev_close="PreClosePx",
    open="OpenPx",
    high="HighPx",
    low="LowPx",
    last="LastPx",
    volume="TotalVolumeTrade",
    amount="TotalValueTrade",
    bid_price="BuyPrice",
    bid_shares="BuyOrderQty",
    ask_price="SellPrice",
    ask_shares="SellOrderQty",
    limit_up="MaxPx",
    limit_down="MinPx",
)


_PLAIN = SnapshotColumnNames(
    exchange=None,
    code="symbol",
    date="",
    time="datetime",
    phase="phase",
    prev_close="prev_close",
    open="open",
    high="high",
    low="low",
    last="last",
    volume="volume",
    amount="amount",
    bid_price="bid_price_",
    bid_shares="bid_volume_",
    ask_price="ask_price_",
    ask_shares="ask_volume_",
    limit_up="limit_up",
    limit_down="limit_down",
    is_optional=True,
)


def parse_snapshots(names: SnapshotColumnNames, table: ColumnTable) -> RawSnapshots:
    """Return the rows of a snapshot file.

    Raises
    ------
    ConfigError
        If a column cannot be read, or neither the file nor its name says the date.
    """
    date = file_date(table.path) if names.date is None else names.date
    return RawSnapshots(
        exchange=names.exchange,
        code=table.texts(names.code),
        phase=table.texts(names.phase) if table.has(names.phase) else _by_clock(len(table)),
        ts_event_ns=table.times_ns(names.time, date=date),
        prev_close=table.numbers(names.prev_close),
        open=table.numbers(names.open),
        high=table.numbers(names.high),
        low=table.numbers(names.low),
        last=table.numbers(names.last),
        volume=table.numbers(names.volume),
        amount=table.numbers(names.amount),
        limit_up=table.numbers_or(names.limit_up, missing=0.0),
        limit_down=table.numbers_or(names.limit_down, missing=0.0),
        bid_price=table.levels(names.of(names.bid_price)),
        bid_shares=table.levels(names.of(names.bid_shares)),
        ask_price=table.levels(names.of(names.ask_price)),
        ask_shares=table.levels(names.of(names.ask_shares)),
    )


def file_date(path: Path) -> int:
    """Return the trading date YYYYMMDD that a file's name says.

    Raises
    ------
    ConfigError
        If the name holds no date.
    """
    dates = [date_of(digits) for digits in _FILE_DATE.findall(path.name)]
    if not any(dates):
        message = (
            "rows of this layout have no date: expected one as YYYYMMDD in the file's name, "
            f"found: {path.name}"
        )
        raise ConfigError(message)
    return max(dates)


def _by_clock(count: int) -> TextColumn:
    return TextColumn((PHASE_BY_CLOCK,), np.zeros(count, dtype=np.int64))


def _layout(name: str, names: SnapshotColumnNames) -> Layout[RawSnapshots]:
    layout = Layout(name, names.texts, names.numbers, partial(parse_snapshots, names))
    if names.date is None:
        return replace(layout, check_name=file_date)
    if names.is_optional:
        return replace(layout, optional_texts=(names.phase,), optional_numbers=names.limits)
    return layout


SNAPSHOT_LAYOUTS: tuple[Layout[RawSnapshots], ...] = (
    _layout("SSE snapshot", _SSE),
    _layout("SZSE snapshot", _SZSE),
    _layout("SSE snapshot with date", _SSE_DATED),
    _layout("SZSE snapshot with date", _SZSE_DATED),
    _layout("snapshot", _PLAIN),
)
