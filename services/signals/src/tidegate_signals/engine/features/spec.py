"""Declarations: what an indicator is called, what feeds it, and how often."""

import re
from dataclasses import dataclass
from enum import StrEnum, unique

from tidegate_common.errors import ConfigError

_TEXT = re.compile(
    r"(?P<name>[A-Z][A-Z0-9_]*)"
    r"(?:\((?P<arguments>[a-z0-9_]+(?:,[a-z0-9_]+)*)\))?"
    r"(?:\.(?P<output>[a-z_]+))?",
)


@unique
class Period(StrEnum):
    """How often an indicator is fed.

    BEAT : every quote in continuous trading.
    BAR : every bar of the feed in which the instrument traded: its BAR beats, or its days in a
        run without BAR beats.
    MINUTE_1, MINUTE_5, MINUTE_15, DAY : every bar of that length in which the instrument traded.
    """

    BEAT = "beat"
    BAR = "bar"
    MINUTE_1 = "1m"
    MINUTE_5 = "5m"
    MINUTE_15 = "15m"
    DAY = "1d"


@unique
class Field(StrEnum):
    """A column of what is observed; prices in 1/10,000 CNY of today's shares.

    At a beat, OPEN, HIGH, LOW and CLOSE are all the last price, and VOLUME and AMOUNT what was
    traded since the last beat. Day figures (FLOAT_SHARES and what follows it) are those that were
    known when the day began. All but the first six may be NaN: unknown now.
    """

    OPEN = "open"
    HIGH = "high"
    LOW = "low"
    CLOSE = "close"
    VOLUME = "volume"
    AMOUNT = "amount"
    IMBALANCE = "imbalance"
    MICROPRICE = "microprice"
    FLOAT_SHARES = "float_shares"
    PE_TTM = "pe_ttm"
    PB_MRQ = "pb_mrq"
    PS_TTM = "ps_ttm"
    PCF_TTM = "pcf_ttm"
    TURNOVER_RATE = "turnover_rate"


ALWAYS_KNOWN = frozenset(
    {Field.OPEN, Field.HIGH, Field.LOW, Field.CLOSE, Field.VOLUME, Field.AMOUNT},
)
BOOK_FIELDS = frozenset({Field.IMBALANCE, Field.MICROPRICE})
# Fields that an ex-rights day scales.
PRICE_FIELDS = frozenset({Field.OPEN, Field.HIGH, Field.LOW, Field.CLOSE, Field.MICROPRICE})


@dataclass(frozen=True, slots=True, order=True)
class IndicatorSpec:
    """A declaration such as `RSI(14)`; equal ones are computed once.

    name : `RSI`; the name of a field in capitals (`CLOSE`) is that field, as observed now.
    field : what it is fed with, where it takes one column; CLOSE unless said.
    parameters : whole numbers, as declared.
    """

    period: Period
    name: str
    field: Field = Field.CLOSE
    parameters: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        """Name under which a snapshot keeps it."""
        numbers = ",".join(map(str, self.parameters))
        return f"{self.name}({self.field},{numbers})@{self.period}"


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a strategy reads: an indicator, and which of its outputs ("" for the only one)."""

    indicator: IndicatorSpec
    output: str = ""


def parse_input(text: str, period: Period) -> InputSpec:
    """Return the declaration that a text such as `MACD(12,26,9).histogram` makes.

    The first argument may name a field: `SMA(imbalance,20)`.

    Raises
    ------
    ConfigError
        If the text is no declaration, or its field is unknown.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        message = f"an input must look like CLOSE, SMA(20) or MACD(12,26,9).signal, was {text!r}"
        raise ConfigError(message)
    arguments = (match["arguments"] or "").split(",") if match["arguments"] else []
    field = Field.CLOSE
    if arguments and not arguments[0].isdigit():
        field = _field_of(arguments.pop(0), text)
    if not all(argument.isdigit() for argument in arguments):
        message = f"arguments must be whole numbers after an optional field, were those of {text!r}"
        raise ConfigError(message)
    indicator = IndicatorSpec(period, match["name"], field, tuple(map(int, arguments)))
    return InputSpec(indicator, match["output"] or "")


def _field_of(word: str, text: str) -> Field:
    try:
        return Field(word)
    except ValueError as error:
        known = ", ".join(Field)
        message = f"a field must be one of {known}, was {word!r} in {text!r}"
        raise ConfigError(message) from error
