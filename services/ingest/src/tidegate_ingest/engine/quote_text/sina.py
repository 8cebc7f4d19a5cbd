"""Quotes of Sina (`hq.sinajs.cn/list=sh600000,...`): shares and CNY, separated by commas.

Fields: 0 name, 1 open, 2 previous close, 3 last, 4 high, 5 low, 6 and 7 best bid and ask,
8 volume, 9 amount, 10 to 19 bids as (shares, price), 20 to 29 asks, 30 date, 31 time, 32 status,
33 (where it is) shares and amount traded after hours, which are not in 8 and 9.
"""

import numpy as np

from tidegate_common.domain.units import BoolArray
from tidegate_ingest.engine.quote_text.lines import FieldTable, split_fields, split_lines
from tidegate_ingest.engine.quote_text.payload import (
    LineFault,
    ParsedPayload,
    QuoteColumns,
    QuoteSource,
    make_payload,
    whole_or_nan,
)

VARIABLE = "var hq_str_"

_COUNTS = range(33, 35)
_NAME, _DATE, _TIME, _STATUS = 0, 30, 31, 32
_PRICES = (1, 2, 3, 4, 5, 8, 9)
_LEVELS = range(10, 30)
_LEVEL_STEP = 2
# 03 is in the recordings; the others are a suspension of an hour, a day, ... and are unverified.
_TRADED, _SUSPENDED = "00", ("01", "02", "03", "04", "05", "07")
# -2 before a listing, -3 after a delisting; both in the recordings.
_UNLISTED = ("-2", "-3")


def parse_sina(data: bytes) -> ParsedPayload:
    """Return the rows of an answer of Sina; it has no limits."""
    lines = split_lines(data)
    fields = split_fields(lines, variable=VARIABLE, separator=",", counts=_COUNTS)
    fields, is_suspended = _judge_status(fields)
    numbers = fields.numbers((*_PRICES, *_LEVELS))
    open_, prev_close, last, high, low, volume, amount = numbers[:, : len(_PRICES)].T
    bids, asks = np.hsplit(numbers[:, len(_PRICES) :], 2)
    zeros = np.zeros(len(fields))
    columns = QuoteColumns(
        line=fields.line,
        code=fields.code,
        name=fields.texts(_NAME),
        stamp=fields.stamps(_DATE, _TIME),
        is_suspended=is_suspended,
        prev_close=prev_close,
        open=open_,
        high=high,
        low=low,
        last=last,
        volume=whole_or_nan(volume),
        amount=amount,
        volume_step=zeros,
        # Amounts come with three decimals, the last one rounded.
        amount_step=np.full(len(fields), 0.001),
        limit_up=zeros,
        limit_down=zeros,
        bid_price=bids[:, 1::_LEVEL_STEP],
        bid_shares=whole_or_nan(bids[:, ::_LEVEL_STEP]),
        ask_price=asks[:, 1::_LEVEL_STEP],
        ask_shares=whole_or_nan(asks[:, ::_LEVEL_STEP]),
    )
    return make_payload(QuoteSource.SINA, columns, fields.faults, lines.__getitem__)


def _judge_status(fields: FieldTable) -> tuple[FieldTable, BoolArray]:
    status = fields.texts(_STATUS)
    is_suspended = np.isin(status, _SUSPENDED)
    is_unlisted = np.isin(status, _UNLISTED)
    is_known = (status == _TRADED) | is_suspended
    found = np.select([is_known, is_unlisted], [0, 1], 2)
    faults = fields.faulty(found, (LineFault.NOT_LISTED, LineFault.BAD_STATUS))
    return fields.take(is_known, faults), is_suspended[is_known]
