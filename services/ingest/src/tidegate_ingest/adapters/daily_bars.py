"""Daily-bar files, unadjusted: in the layouts of baostock and tushare, and of plain names."""

import numpy as np

from tidegate_common.domain.units import Float64Array
from tidegate_ingest.adapters.layouts import Layout
from tidegate_ingest.adapters.tables import ColumnTable
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


def parse_baostock(table: ColumnTable) -> RawBars:
    """Return rows of a baostock file; `tradestatus` 0 is a suspended day.

    Raises
    ------
    ConfigError
        If a column cannot be read.
    """
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
        **{
            name: table.numbers_or(column, missing=np.nan)
            for name, column in _BAOSTOCK_FIGURES.items()
        },
        volume_shares_per_unit=1,
        amount_fen_per_unit=_FEN_PER_YUAN,
    )


def parse_tushare(table: ColumnTable) -> RawBars:
    """Return rows of a tushare file: no ST flag or figures, no row on a suspended day.

    Raises
    ------
    ConfigError
        If a column cannot be read.
    """
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
        **_no_figures(len(table)),
        volume_shares_per_unit=_SHARES_PER_LOT,
        amount_fen_per_unit=_FEN_PER_THOUSAND_YUAN,
    )


def parse_plain(table: ColumnTable) -> RawBars:
    """Return rows of a file of plain names, in shares and CNY.

    Raises
    ------
    ConfigError
        If a column cannot be read.
    """
    return RawBars(
        code=table.texts("symbol"),
        date=table.texts("date"),
        prev_close=table.numbers_or("prev_close", missing=0.0),
        open=table.numbers("open"),
        high=table.numbers("high"),
        low=table.numbers("low"),
        close=table.numbers("close"),
        volume=table.numbers("volume"),
        amount=table.numbers("amount"),
        is_st=table.numbers_or("is_st", missing=0.0) == 1,
        is_suspended=table.numbers_or("is_suspended", missing=0.0) == 1,
        **_no_figures(len(table)),
        volume_shares_per_unit=1,
        amount_fen_per_unit=_FEN_PER_YUAN,
    )


def _no_figures(count: int) -> dict[str, Float64Array]:
    return dict.fromkeys(_BAOSTOCK_FIGURES, np.full(count, np.nan))


BAR_LAYOUTS: tuple[Layout[RawBars], ...] = (
    Layout(
        "baostock daily",
        _BAOSTOCK_TEXTS,
        _BAOSTOCK_NUMBERS,
        parse_baostock,
        optional_numbers=tuple(_BAOSTOCK_FIGURES.values()),
    ),
    Layout("tushare daily", _TUSHARE_TEXTS, _TUSHARE_NUMBERS, parse_tushare),
    Layout(
        "daily bars",
        ("symbol", "date"),
        (*_PRICES, "volume", "amount"),
        parse_plain,
        optional_numbers=("prev_close", "is_st", "is_suspended"),
    ),
)
