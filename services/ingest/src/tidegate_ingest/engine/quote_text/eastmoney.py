"""Quotes of Eastmoney's list (`push2.eastmoney.com/api/qt/ulist.np/get`): JSON, no book.

Asked with `fltt=2`: f2 last, f5 volume in lots (rounded), f6 amount in CNY, f12 code, f13 market
(1 Shanghai, 0 the others), f14 name, f15 high, f16 low, f17 open, f18 previous close, f124 time,
epoch seconds. `"-"` stands for what a share has not: one that is suspended or dead has no last.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Board, Exchange
from tidegate_common.domain.ids import EXCHANGE_STEP
from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_common.frames.rows import LEVELS
from tidegate_common.market.board import board_of
from tidegate_common.market.sessions import SHANGHAI_OFFSET_SECONDS
from tidegate_ingest.engine.quote_text.payload import (
    FaultyLine,
    LineFault,
    ParsedPayload,
    QuoteColumns,
    QuoteSource,
    empty_payload,
    make_payload,
    whole_or_nan,
)

FIELDS = ("f2", "f5", "f6", "f12", "f13", "f14", "f15", "f16", "f17", "f18", "f124")

_NUMBERS = ("f18", "f17", "f15", "f16", "f2", "f5", "f6")
_CODE_DIGITS = 6
_SHARES_PER_LOT = 100
_MARKET_SHANGHAI, _MARKET_OTHERS = 1, 0
_VENUES = {
    _MARKET_SHANGHAI: (Exchange.SH,),
    _MARKET_OTHERS: (Exchange.SZ, Exchange.BJ),
    None: (Exchange.SH, Exchange.SZ, Exchange.BJ),
}
# From 2000-01-01 to 2100-01-01.
_EPOCH_FIRST, _EPOCH_LAST = 946_684_800, 4_102_444_800
_NUMBER_MAX = 1e15

Row = Mapping[str, object]


def parse_eastmoney(data: bytes) -> ParsedPayload:
    """Return the rows of an answer of Eastmoney; it has neither limits nor levels."""
    items = _read_items(data)
    if items is None:
        return empty_payload(QuoteSource.EASTMONEY, [data.decode(errors="replace")])
    # What is no row is an empty one, and its record is what it was.
    rows: list[Row] = [item if isinstance(item, dict) else {} for item in items]
    codes = [_code_of(row) for row in rows]
    faults: list[FaultyLine] = []
    kept: list[Row] = []
    lines: list[int] = []
    for line, (row, code) in enumerate(zip(rows, codes, strict=True)):
        if not code:
            faults.append(FaultyLine(LineFault.BAD_LINE, line))
        elif row.get("f2") == "-":
            faults.append(FaultyLine(LineFault.EMPTY_QUOTE, line))
        else:
            kept.append({**row, "code": code})
            lines.append(line)
    prev_close, open_, high, low, last, lots, amount = (_numbers(kept, field) for field in _NUMBERS)
    count = len(kept)
    levels, zeros = np.zeros((count, LEVELS)), np.zeros(count)
    columns = QuoteColumns(
        line=np.array(lines, dtype=np.int64),
        code=_words(kept, "code"),
        name=_words(kept, "f14"),
        stamp=_stamps(_numbers(kept, "f124")),
        is_suspended=np.zeros(count, dtype=np.bool_),
        prev_close=prev_close,
        open=open_,
        high=high,
        low=low,
        last=last,
        volume=whole_or_nan(lots) * _SHARES_PER_LOT,
        amount=amount,
        volume_step=np.full(count, float(_SHARES_PER_LOT)),
        amount_step=np.full(count, 0.01),
        limit_up=zeros,
        limit_down=zeros,
        bid_price=levels,
        bid_shares=levels,
        ask_price=levels,
        ask_shares=levels,
    )
    return make_payload(
        QuoteSource.EASTMONEY,
        columns,
        faults,
        lambda line: msgspec.json.encode(items[line]).decode(),
    )


def _read_items(data: bytes) -> list[object] | None:
    """Return what an answer lists, None where it is no answer."""
    try:
        document: object = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    match document:
        # The list is an array or, for some parameters, an object of numbered rows.
        case {"data": {"diff": list(rows)}}:
            return rows
        case {"data": {"diff": dict(numbered)}}:
            return list(numbered.values())
        case _:
            return None


def _code_of(row: Row) -> str:
    """Return a code such as `SH600000`, "" where code and market name no share."""
    match row:
        case {"f12": str(digits)} if len(digits) == _CODE_DIGITS and digits.isascii():
            pass
        case _:
            return ""
    market = row.get("f13")
    if not digits.isdigit() or not (market is None or market in (0, 1)):
        return ""
    for venue in _VENUES[None if market is None else int(bool(market))]:
        if board_of(venue * EXCHANGE_STEP + int(digits)) != Board.UNKNOWN:
            return f"{venue.name}{digits}"
    return ""


def _words(rows: Sequence[Row], field: str) -> NDArray[np.object_]:
    words = [str(row.get(field, "")) for row in rows]
    return np.array(words, dtype=np.object_)


def _numbers(rows: Sequence[Row], field: str) -> Float64Array:
    """Return a field as numbers, NaN for what is none, is negative or is not to be believed."""
    return np.array([_number(row.get(field)) for row in rows], dtype=np.float64)


def _number(value: object) -> float:
    match value:
        case bool():
            return np.nan
        case int() | float() if 0 <= value <= _NUMBER_MAX:
            return float(value)
        case _:
            return np.nan


def _stamps(epoch_seconds: Float64Array) -> Int64Array:
    """Return YYYYMMDDhhmmss in Shanghai, -1 for a time that cannot be."""
    is_time = (epoch_seconds >= _EPOCH_FIRST) & (epoch_seconds < _EPOCH_LAST)
    local = np.where(is_time, epoch_seconds, 0).astype(np.int64) + SHANGHAI_OFFSET_SECONDS
    text = np.datetime_as_string(local.astype("datetime64[s]"))
    digits = [int("".join(filter(str.isdigit, word))) for word in text.tolist()]
    return np.where(is_time, np.array(digits, dtype=np.int64), -1)
