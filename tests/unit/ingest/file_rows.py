"""Rows of recorded files, one layout each; faults by argument."""

from collections.abc import Mapping

Row = Mapping[str, object]


def book_levels(bid: str, ask: str, *, first: int = 1) -> dict[str, object]:
    """Return the columns of five levels of which only the best is there."""
    return {
        name.format(number): value if number == first else None
        for number in range(first, first + 5)
        for name, value in (
            (bid.partition(" ")[0] + "{}", 9.99),
            (bid.partition(" ")[2] + "{}", 500),
            (ask.partition(" ")[0] + "{}", 10.0),
            (ask.partition(" ")[2] + "{}", 700),
        )
    }


def sse_row(**changes: object) -> Row:
    """Return a Shanghai snapshot of the day in the file's name."""
    return {
        "UpdateTime": "10:00:00.250",
        "SecurityID": "600519",
        "InstruStatus": "TRADE",
        "PreCloPrice": 10.0,
        "OpenPrice": 10.0,
        "HighPrice": 10.1,
        "LowPrice": 9.9,
        "LastPrice": 10.0,
        "TradVolume": 1_000,
        "Turnover": 10_000.0,
        **book_levels("BidPrice BidVolume", "AskPrice AskVolume"),
        **changes,
    }


def szse_row() -> Row:
    """Return a Shenzhen snapshot of the day in the file's name."""
    row = dict(sse_row(SecurityID="000333", HighLimitPrice=11.0, LowLimitPrice=9.0, Volume=1_000))
    del row["InstruStatus"], row["TradVolume"]
    return {**row, "TradingPhaseCode": "T0      "}


def sse_dated_row() -> Row:
    """Return a Shanghai snapshot with its date."""
    return {
        "SecurityID": "688378",
        "DateTime": "2021.12.01T10:00:00.000",
        "InstrumentStatus": "TRADE",
        "PreClosePx": 10.0,
        "OpenPx": 10.0,
        "HighPx": 10.0,
        "LowPx": 10.0,
        "LastPx": 10.0,
        "TotalVolumeTrade": 1_000,
        "TotalValueTrade": 10_000.0,
        **book_levels("BidPrice BidOrderQty", "OfferPrice OfferOrderQty", first=0),
    }


def szse_dated_row() -> Row:
    """Return a Shenzhen snapshot with its date."""
    row = dict(sse_dated_row())
    del row["DateTime"], row["InstrumentStatus"]
    return {
        **row,
        "MDDate": "2022.06.01",
        "MDTime": "10:00:00.000",
        "SecurityID": "300122.SZ",
        "TradingPhaseCode": 3,
        "MaxPx": 12.0,
        "MinPx": 8.0,
        **book_levels("BuyPrice BuyOrderQty", "SellPrice SellOrderQty"),
    }


def baostock_row(**changes: object) -> Row:
    """Return a daily bar as baostock says it."""
    return {
        "date": "2023-02-01",
        "code": "sh.600519",
        "open": 10.0,
        "high": 10.1,
        "low": 9.9,
        "close": 10.0,
        "preclose": 10.0,
        "volume": 1_000,
        "amount": 10_000.55,
        "tradestatus": 1,
        "isST": 0,
        **changes,
    }


def plain_snapshot_row(**changes: object) -> Row:
    """Return a snapshot in plain names."""
    return {
        "symbol": "600519.SH",
        "datetime": "2023-02-01 10:00:00.250",
        **dict.fromkeys(("prev_close", "open", "high", "low", "last"), 10.0),
        "volume": 1_000,
        "amount": 10_000.0,
        **book_levels("bid_price_ bid_volume_", "ask_price_ ask_volume_"),
        **changes,
    }


def plain_daily_row(**changes: object) -> Row:
    """Return a daily bar in plain names."""
    return {
        "symbol": "600519",
        "date": "2023-02-01",
        **dict.fromkeys(("open", "high", "low", "close"), 10.0),
        "volume": 1_000,
        "amount": 10_000.0,
        **changes,
    }


def plain_minutes_row() -> Row:
    """Return a bar of 15 minutes in plain names, and columns that are not read."""
    row = dict(plain_daily_row(datetime="2023-02-01 09:45:00"))
    return {**row, "period": 15, "time": "09:45:00"}


def exchange_minutes_row(**changes: object) -> Row:
    """Return a bar of a minute with its exchange, stamped in digits."""
    return {
        "symbol": "000001",
        "exchange": "SZSE",
        "tradingDay": "20230201",
        "time": 93_100_000,
        **dict.fromkeys(("open", "high", "low", "close"), 10.0),
        "volume": 1_000,
        "turnover": 10_000.0,
        **changes,
    }


def tushare_row(**changes: object) -> Row:
    """Return a daily bar as tushare says it."""
    return {
        "ts_code": "000333.SZ",
        "trade_date": "20230201",
        "open": 10.0,
        "high": 10.1,
        "low": 9.9,
        "close": 10.0,
        "pre_close": 10.0,
        "vol": 24_438.23,
        "amount": 40_354.893,
        **changes,
    }
