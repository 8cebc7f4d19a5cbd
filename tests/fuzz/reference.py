"""What lines of Sina and Tencent come to, reckoned line by line in exact decimals.

Slow and plain on purpose: it shares no code with the parsers that it checks.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal

E4, FEN = Decimal(10_000), Decimal(100)

_SHANGHAI = timezone(timedelta(hours=8))
_LINE = re.compile(
    r"(var hq_str_|v_)((?:sh|sz|bj)[0-9]{6})=\"([^\"]*)\";?[\t\n\f\r ]*",
)
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,4})?")
_SHARE = re.compile(r"SH(60[0135]|68[89])|SZ(00[0-3]|30[0-2])|BJ(43|83|87|88|920)")


@dataclass(frozen=True, slots=True)
class Row:
    """A quote; prices and amount in CNY, volumes in shares."""

    code: str
    seconds: int
    is_suspended: bool
    prices: tuple[Decimal, ...]
    volume: Decimal
    amount: Decimal
    levels: tuple[tuple[Decimal, Decimal], ...]


class _FaultError(Exception):
    """A line that is no quote."""


def reference_rows(data: bytes) -> list[Row]:
    """Return the rows of an answer of Sina or Tencent."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("gbk", errors="replace")
    is_sina = "var hq_str_" in text
    rows = []
    for line in text.split("\n"):
        try:
            rows.append(_read(line, is_sina=is_sina))
        except _FaultError:
            continue
    return rows


def _read(line: str, *, is_sina: bool) -> Row:
    match = _LINE.fullmatch(line)
    if match is None or "\ufffd" in line or (match[1] != "v_") != is_sina:
        raise _FaultError
    return (_read_sina if is_sina else _read_tencent)(match[2].upper(), match[3])


def _read_sina(code: str, body: str) -> Row:
    fields = body.split(",")
    if len(fields) not in {33, 34} or fields[32] not in {"00", "01", "02", "03", "04", "05", "07"}:
        raise _FaultError
    open_, prev_close, last, high, low = (_number(fields[place]) for place in range(1, 6))
    volume, amount = _count(fields[8]), _number(fields[9])
    _check_unit(code, amount, Decimal("0.001"), low * volume, high * volume)
    levels = tuple(
        (_number(fields[place + 1]), _count(fields[place])) for place in range(10, 30, 2)
    )
    return Row(
        code=code,
        seconds=_seconds(f"{fields[30]} {fields[31]}", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
        is_suspended=fields[32] != "00",
        prices=(prev_close, open_, high, low, last),
        volume=volume,
        amount=amount,
        levels=levels,
    )


def _read_tencent(code: str, body: str) -> Row:
    fields = body.split("~")
    if not 49 <= len(fields) < 200 or fields[2] != code[2:] or fields[40].strip() not in {"", "S"}:
        raise _FaultError
    last, prev_close, open_ = (_number(fields[place]) for place in range(3, 6))
    units = _count(fields[6])
    high, low = _number(fields[33]), _number(fields[34])
    traded = fields[35].split("/")
    if len(traded) != 3 or _number(traded[1]) != units:
        raise _FaultError
    amount = _number(traded[2])
    if abs(amount - _number(fields[37]) * 10_000) > 10_000:
        raise _FaultError
    for place in (47, 48):
        if not _NUMBER.fullmatch(fields[place]):
            raise _FaultError
    unit, step = (1, 0) if code.startswith(("SH688", "SH689")) else (100, 100)
    volume = units * unit
    _check_unit(code, amount, Decimal(1), low * (volume - step), high * (volume + step))
    return Row(
        code=code,
        seconds=_seconds(fields[30], r"\d{14}"),
        is_suspended=fields[40].strip() == "S",
        prices=(prev_close, open_, high, low, last),
        volume=volume,
        amount=amount,
        levels=tuple(
            (_number(fields[place]), _count(fields[place + 1]) * 100) for place in range(9, 29, 2)
        ),
    )


def _check_unit(code: str, amount: Decimal, step: Decimal, least: Decimal, most: Decimal) -> None:
    if _SHARE.match(code) and not least - step <= amount <= most + step:
        raise _FaultError


def _number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text) or Decimal(text) < 0:
        raise _FaultError
    return Decimal(text)


def _count(text: str) -> Decimal:
    number = _number(text)
    if number != int(number):
        raise _FaultError
    return number


def _seconds(text: str, pattern: str) -> int:
    if not re.fullmatch(pattern, text, re.ASCII):
        raise _FaultError
    digits = re.sub(r"\D", "", text)
    try:
        time = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=_SHANGHAI)
    except ValueError as error:
        raise _FaultError from error
    # A leap second is on some clocks, and on none of an exchange.
    if not 1990 <= time.year <= 2099 or digits[-2:] > "59":
        raise _FaultError
    return int(time.timestamp())
