"""Answers as public quote services write them, made of one description of a share's quote."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

_SHANGHAI = timezone(timedelta(hours=8))
_SHARES_PER_LOT = 100
# Fields of a line of Tencent in 2022; those that are not set here are not read either.
_TENCENT_FIELDS = 82
_TENCENT_STATUS = {"00": "", "03": "S", "-3": "D", "-2": "U"}


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """A share's quote; prices and the amount in CNY as text, with as many decimals as wanted.

    volume : shares, as every number of shares here.
    bids, asks : (price, shares) from the best level on; levels that are missing are zero.
    status : as Sina says it.
    limits : up and down; "-1" for none.
    """

    code: str = "sh600000"
    name: str = "浦发银行"
    open: str = "9.28"
    prev_close: str = "9.26"
    last: str = "9.40"
    high: str = "9.43"
    low: str = "9.24"
    volume: int = 77_187_100
    amount: str = "722307374"
    bids: tuple[tuple[str, int], ...] = (("9.39", 114_500), ("9.38", 201_100))
    asks: tuple[tuple[str, int], ...] = (("9.40", 242_500), ("9.41", 1_760_600))
    date: str = "2026-09-14"
    time: str = "10:30:03"
    status: str = "00"
    limits: tuple[str, str] = ("10.19", "8.33")


def sina_line(quote: QuoteLine) -> str:
    """Return a line of Sina, 33 fields."""
    levels = [
        f"{shares},{price}" for side in (quote.bids, quote.asks) for price, shares in _five(side)
    ]
    prices = (quote.open, quote.prev_close, quote.last, quote.high, quote.low)
    best = (_five(quote.bids)[0][0], _five(quote.asks)[0][0])
    head = (quote.name, *prices, *best, str(quote.volume), quote.amount)
    fields = ",".join((*head, *levels, quote.date, quote.time, quote.status))
    return f'var hq_str_{quote.code}="{fields}";'


def tencent_line(quote: QuoteLine, *, volume_shares_per_unit: int = _SHARES_PER_LOT) -> str:
    """Return a line of Tencent, 82 fields; volumes and shares are cut to whole units."""
    volume = str(quote.volume // volume_shares_per_unit)
    whole_amount = quote.amount.partition(".")[0]
    fields = ["0"] * _TENCENT_FIELDS
    fields[1:7] = [quote.name, quote.code[2:], quote.last, quote.prev_close, quote.open, volume]
    levels = [*_five(quote.bids), *_five(quote.asks)]
    fields[9:29] = [
        word for price, shares in levels for word in (price, str(shares // _SHARES_PER_LOT))
    ]
    fields[30] = f"{quote.date}{quote.time}".replace("-", "").replace(":", "")
    fields[33:36] = [quote.high, quote.low, f"{quote.last}/{volume}/{whole_amount}"]
    fields[36:38] = [volume, str(int(whole_amount) // 10_000)]
    fields[40] = _TENCENT_STATUS.get(quote.status, quote.status)
    fields[47:49] = quote.limits
    return f'v_{quote.code}="{"~".join(fields)}";'


def eastmoney_row(quote: QuoteLine) -> dict[str, object]:
    """Return a row of Eastmoney's list."""
    stamp = datetime.fromisoformat(f"{quote.date}T{quote.time}").replace(tzinfo=_SHANGHAI)
    return {
        "f2": float(quote.last),
        "f5": quote.volume // _SHARES_PER_LOT,
        "f6": float(quote.amount),
        "f12": quote.code[2:],
        "f13": int(quote.code.startswith("sh")),
        "f14": quote.name,
        "f15": float(quote.high),
        "f16": float(quote.low),
        "f17": float(quote.open),
        "f18": float(quote.prev_close),
        "f124": int(stamp.timestamp()),
    }


def eastmoney_answer(*rows: object) -> bytes:
    """Return an answer of Eastmoney with some rows."""
    document = {"rc": 0, "data": {"total": len(rows), "diff": list(rows)}}
    return json.dumps(document, ensure_ascii=False).encode()


def text_answer(*lines: str) -> bytes:
    """Return an answer of Sina or Tencent with some lines, in GBK."""
    return "".join(f"{line}\n" for line in lines).encode("gbk")


def _five(side: tuple[tuple[str, int], ...]) -> list[tuple[str, int]]:
    return [*side, *[("0.00", 0)] * (5 - len(side))]
