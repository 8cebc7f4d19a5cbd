"""Daily-bar files in the layouts of baostock and tushare, unadjusted."""

from pathlib import Path

import numpy as np

from tidegate_ingest.adapters.layouts import Layout
from tidegate_ingest.adapters.tables import column_names, read_table
from tidegate_ingest.engine.columns import RawBars

# tushare counts volume in lots of 100 shares and amounts in 1,000 CNY (100,000 fen).
_SHARES_PER_LOT = 100
_FEN_PER_THOUSAND_YUAN = 100_000
_FEN_PER_YUAN = 100

_PRICES = ("open", "high", "low", "close")
_BAOSTOCK_TEXTS = ("code", "date")
_BAOSTOCK_NUMBERS = (*_PRICES, "preclose", "volume", "amount", "tradestatus", "isST")
# Files of a narrower export lack some of them.
_BAOSTOCK_FIGURES = {
    "turn": "turn",
    "pe_ttm": "peTTM",
    "pb_mrq": "pbMRQ",
    "ps_ttm": "psTTM",
    "pcf_ttm": "pcfNcfTTM",
}
_TUSHARE_TEXTS = ("ts_code", "trade_date")
_TUSHARE_NUMBERS = (*_PRICES, "pre_close", "vol", "amount")


def read_baostock(path: Path) -> RawBars:
    """Return the rows of a baostock file; `tradestatus` 0 is a suspended day.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    present = set(_BAOSTOCK_FIGURES.values()).intersection(column_names(path))
    numbers = (*_BAOSTOCK_NUMBERS, *sorted(present))
    table = read_table(path, texts=_BAOSTOCK_TEXTS, numbers=numbers)
    unknown = np.full(len(table), np.nan)
    figures = {
        name: table.numbers(column) if column in present else unknown
        for name, column in _BAOSTOCK_FIGURES.items()
    }
    is_suspended = table.numbers("tradestatus") == 0
    return RawBars(
        code=table.texts("code"),
        date=table.texts("date"),
        prev_close=table.numbers("preclose"),
        open=table.numbers("open"),
        high=table.numbers("high"),
        low=table.numbers("low"),
        close=table.numbers("close"),
        # Part of the suspended rows leave these two empty.
        volume=np.where(is_suspended, 0.0, table.numbers("volume")),
        amount=np.where(is_suspended, 0.0, table.numbers("amount")),
        is_st=table.numbers("isST") == 1,
        is_suspended=is_suspended,
        **figures,
        volume_shares_per_unit=1,
        amount_fen_per_unit=_FEN_PER_YUAN,
    )


def read_tushare(path: Path) -> RawBars:
    """Return the rows of a tushare file: no ST flag or figures, no row on a suspended day.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    table = read_table(path, texts=_TUSHARE_TEXTS, numbers=_TUSHARE_NUMBERS)
    flags = np.zeros(len(table), dtype=np.bool_)
    return RawBars(
        code=table.texts("ts_code"),
        date=table.texts("trade_date"),
        prev_close=table.numbers("pre_close"),
        open=table.numbers("open"),
        high=table.numbers("high"),
        low=table.numbers("low"),
        close=table.numbers("close"),
        volume=table.numbers("vol"),
        amount=table.numbers("amount"),
        is_st=flags,
        is_suspended=flags,
        **dict.fromkeys(_BAOSTOCK_FIGURES, np.full(len(table), np.nan)),
        volume_shares_per_unit=_SHARES_PER_LOT,
        amount_fen_per_unit=_FEN_PER_THOUSAND_YUAN,
    )


BAR_LAYOUTS: tuple[Layout[RawBars], ...] = (
    Layout("baostock daily", (*_BAOSTOCK_TEXTS, *_BAOSTOCK_NUMBERS), read_baostock),
    Layout("tushare daily", (*_TUSHARE_TEXTS, *_TUSHARE_NUMBERS), read_tushare),
)
