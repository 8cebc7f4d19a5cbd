"""Numbers as decimal strings, and names that are checked."""

import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from tidegate_common.domain.ids import is_account_id, parse_symbol
from tidegate_common.domain.units import FEN_PER_YUAN, PRICE_SCALE

# China has had no summer time since 1992, and no trading day before 1990 is in any log.
_SHANGHAI = timezone(timedelta(hours=8))
_ORDER = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}\.[0-9]{1,18}\.[A-Za-z0-9][A-Za-z0-9_]{0,31}\.[0-9]{1,18}"
)
_CENT_E4 = PRICE_SCALE // 100
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def price_text(price_e4: int) -> str:
    """Return a price in yuan, two decimals or more: "1800.00", "0.0345"."""
    yuan, rest = divmod(abs(price_e4), PRICE_SCALE)
    cents, small = divmod(rest, _CENT_E4)
    sign = "-" if price_e4 < 0 else ""
    if not small:
        return f"{sign}{yuan}.{cents:02}"
    return f"{sign}{yuan}.{rest:04}".removesuffix("0")


def money_text(fen: int) -> str:
    """Return an amount in yuan with its two decimals."""
    yuan, cents = divmod(abs(fen), FEN_PER_YUAN)
    return f"{'-' if fen < 0 else ''}{yuan}.{cents:02}"


def millionths_text(number_e6: int) -> str:
    """Return a number with its six decimals: "0.400000"."""
    return f"{Decimal(number_e6).scaleb(-6):f}"


def time_text(ts_event_ns: int) -> str:
    """Return a time in Shanghai, to the microsecond: "2023-02-01T09:30:03+08:00"."""
    moment = datetime.fromtimestamp(ts_event_ns // 1_000_000_000, _SHANGHAI)
    return (moment + timedelta(microseconds=ts_event_ns % 1_000_000_000 // 1_000)).isoformat()


def _checked_symbol(text: str) -> str:
    parse_symbol(text)
    return text


def _checked_account(text: str) -> str:
    if not is_account_id(text):
        message = f"account must be letters, digits and _, at most 32, was {text!r}"
        raise ValueError(message)
    return text


def _checked_order(text: str) -> str:
    if _ORDER.fullmatch(text) is None:
        message = f"order_id must be run.beat.account.sequence, was {text!r}"
        raise ValueError(message)
    return text


def _checked_day(text: object) -> object:
    """Refuse numbers, which would count seconds since 1970."""
    if isinstance(text, str) and _DAY.match(text) is None:
        message = f"must begin with a day such as 2023-02-01, was {text!r}"
        raise ValueError(message)
    return text


# Patterns are for the document: what they refuse is told in words of ours.
SymbolText = Annotated[
    str,
    AfterValidator(_checked_symbol),
    Field(json_schema_extra={"pattern": r"^[0-9]{6}\.(SH|SZ|BJ)$"}),
]
AccountText = Annotated[
    str,
    AfterValidator(_checked_account),
    Field(json_schema_extra={"pattern": "^[A-Za-z0-9][A-Za-z0-9_]{0,31}$"}),
]
OrderText = Annotated[
    str,
    AfterValidator(_checked_order),
    Field(json_schema_extra={"pattern": f"^{_ORDER.pattern}$"}),
]
MomentText = Annotated[AwareDatetime, BeforeValidator(_checked_day)]
DayText = Annotated[date, BeforeValidator(_checked_day)]
RequestText = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
