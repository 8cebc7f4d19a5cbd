"""Quotes of Tencent (`qt.gtimg.cn/q=sh600000,...`): lots and CNY, separated by tildes.

Fields: 1 name, 2 code, 3 last, 4 previous close, 5 open, 6 volume in lots of 100 shares (of STAR
in shares, read off recordings), 9 to 18 bids as (price, lots), 19 to 28 asks, 30 time, 33 high,
34 low, 35 `last/volume/amount`, 37 amount in 10,000 CNY, 40 status, 47 and 48 the day's limits,
-1 where it has none. The amount is read from 35, where it is in whole CNY.
"""

import numpy as np

from tidegate_common.domain.enums import Board
from tidegate_common.domain.units import BoolArray, Float64Array
from tidegate_common.market.board import boards_of
from tidegate_ingest.engine.normalizer import instrument_of
from tidegate_ingest.engine.quote_text.lines import (
    FieldTable,
    split_fields,
    split_lines,
    split_numbers,
)
from tidegate_ingest.engine.quote_text.payload import (
    LineFault,
    ParsedPayload,
    QuoteColumns,
    QuoteSource,
    make_payload,
    whole_or_nan,
)

VARIABLE = "v_"

# 82 in 2022, 88 in 2026: fields are only ever added at the end.
_COUNTS = range(49, 200)
_NAME, _CODE, _TIME, _TRADED, _STATUS = 1, 2, 30, 35, 40
_PRICES = (3, 4, 5, 6, 33, 34, 37, 47, 48)
_LEVELS = range(9, 29)
_LEVEL_STEP = 2
_SHARES_PER_LOT = 100
_YUAN_PER_TEN_THOUSAND = 10_000
# D delisted, U not yet listed, S suspended; "" and the blank of some lines: traded.
_NORMAL, _SUSPENDED, _UNLISTED = "", "S", ("D", "U")


def parse_tencent(data: bytes) -> ParsedPayload:
    """Return the rows of an answer of Tencent; volumes are whole lots except of STAR shares."""
    lines = split_lines(data)
    fields = split_fields(lines, variable=VARIABLE, separator="~", counts=_COUNTS)
    fields, is_suspended = _judge(fields)
    numbers = fields.numbers((*_PRICES, *_LEVELS))
    last, prev_close, open_, volume, high, low, ten_thousands, up, down = numbers[
        :, : len(_PRICES)
    ].T
    bids, asks = np.hsplit(numbers[:, len(_PRICES) :], 2)
    volume_again, amount = split_numbers(fields.texts(_TRADED), "/", count=3)[:, 1:].T
    unit = _shares_per_unit(fields)
    # Two fields that contradict each other are no number to go by.
    difference = np.abs(amount - ten_thousands * _YUAN_PER_TEN_THOUSAND)
    is_equal = (volume == volume_again) & (difference <= _YUAN_PER_TEN_THOUSAND)
    is_equal &= ten_thousands >= 0
    columns = QuoteColumns(
        line=fields.line,
        code=fields.code,
        name=fields.texts(_NAME),
        stamp=fields.stamps(_TIME),
        is_suspended=is_suspended,
        prev_close=prev_close,
        open=open_,
        high=high,
        low=low,
        last=last,
        volume=np.where(is_equal, whole_or_nan(volume) * unit, np.nan),
        amount=amount,
        volume_step=np.where(unit > 1, unit, 0.0),
        amount_step=np.ones(len(fields)),
        limit_up=up,
        limit_down=down,
        bid_price=bids[:, ::_LEVEL_STEP],
        bid_shares=whole_or_nan(bids[:, 1::_LEVEL_STEP]) * _SHARES_PER_LOT,
        ask_price=asks[:, ::_LEVEL_STEP],
        ask_shares=whole_or_nan(asks[:, 1::_LEVEL_STEP]) * _SHARES_PER_LOT,
    )
    return make_payload(QuoteSource.TENCENT, columns, fields.faults, lines.__getitem__)


def _judge(fields: FieldTable) -> tuple[FieldTable, BoolArray]:
    """Leave out what is not listed, and what contradicts itself; tell who is suspended."""
    status = np.array([word.strip() for word in fields.texts(_STATUS)], dtype=np.object_)
    is_suspended = status == _SUSPENDED
    is_other_code = fields.texts(_CODE) != np.array([code[2:] for code in fields.code], np.object_)
    is_unlisted = np.isin(status, _UNLISTED)
    is_known = (status == _NORMAL) | is_suspended
    found = np.select([is_other_code, ~is_known & ~is_unlisted, is_unlisted], [1, 2, 3], 0)
    kinds = (LineFault.BAD_LINE, LineFault.BAD_STATUS, LineFault.NOT_LISTED)
    return fields.take(found == 0, fields.faulty(found, kinds)), is_suspended[found == 0]


def _shares_per_unit(fields: FieldTable) -> Float64Array:
    """Return the shares that one unit of `volume` counts."""
    instrument = np.array([instrument_of(code, None) for code in fields.code], dtype=np.int64)
    is_star = boards_of(instrument) == Board.STAR
    return np.where(is_star, 1.0, _SHARES_PER_LOT)
