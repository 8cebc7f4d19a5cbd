"""What a person may say of an instrument and a day, as text, and what it means.

Every reader takes one field's text and says, in one line, what was expected and what was found.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from tidegate_common.domain.enums import Board, Exchange, ListingStatus, RiskWarning
from tidegate_common.domain.ids import EXCHANGE_STEP, InstrumentId, format_symbol, parse_symbol
from tidegate_common.domain.units import PRICE_SCALE
from tidegate_common.errors import ConfigError
from tidegate_common.market.answers import date_text
from tidegate_common.market.board import board_of
from tidegate_common.market.calendar import TradingCalendar
from tidegate_common.market.instruments import InstrumentStatus
from tidegate_common.market.listing import LISTED_LONG_AGO, stage_of
from tidegate_common.market.sessions import SESSION_ROWS

# Ten million CNY a share: thousands of times beyond the dearest, and far from int64's end.
PRICE_E4_MAX: Final = 100_000_000_000
# Files that went through floating point say 15.929999999999999 for 15.93.
_NOISE_E4: Final = Decimal("0.000001")

_FLAGS: Final = {
    **dict.fromkeys(("1", "true", "yes", "y", "st"), RiskWarning.YES),
    **dict.fromkeys(("", "0", "false", "no", "n"), RiskWarning.NO),
    **dict.fromkeys(("unknown", "?"), RiskWarning.UNKNOWN),
}


@dataclass(frozen=True, slots=True)
class StatusWord:
    """What a status word means.

    day : number of the trading day within the status, as far as the word says it: 2 stands for
        any later one, 0 for "the word does not tell".
    """

    status: ListingStatus
    day: int = 0
    has_risk_warning: bool = False


# What a code does not tell: it is a fund, and whether its index is one of STAR or ChiNext.
FUND_WORDS: Final = {"etf": Board.ETF, "etf_growth": Board.ETF_GROWTH}

# A suspended share keeps its status and its limits; nobody can trade it within them.
STATUS_WORDS: Final = {
    "listed": StatusWord(ListingStatus.LISTED),
    "normal": StatusWord(ListingStatus.LISTED),
    "suspended": StatusWord(ListingStatus.LISTED),
    "st": StatusWord(ListingStatus.LISTED, has_risk_warning=True),
    "*st": StatusWord(ListingStatus.LISTED, has_risk_warning=True),
    "relisting": StatusWord(ListingStatus.RELISTING, 1),
    "delisting": StatusWord(ListingStatus.DELISTING, 2),
    "delisting_first_day": StatusWord(ListingStatus.DELISTING, 1),
    "not_listed": StatusWord(ListingStatus.NOT_LISTED),
    "delisted": StatusWord(ListingStatus.NOT_LISTED),
    "unknown": StatusWord(ListingStatus.UNKNOWN),
}


@dataclass(frozen=True, slots=True)
class Question:
    """An instrument, a day, and what is said of the instrument on it."""

    instrument: InstrumentId
    board: Board
    trade_date: int
    prev_close_e4: int
    risk_warning: RiskWarning
    listed: int
    status: StatusWord
    status_since: int

    def status_on(self, calendar: TradingCalendar) -> InstrumentStatus:
        """Return the instrument's status on the day.

        Raises
        ------
        ConfigError
            If there is no trading on the day, or a date lies after it.
        """
        calendar.require_trading_day(self.trade_date)
        for name, since in (("listed", self.listed), ("status_since", self.status_since)):
            check_not_after(self.trade_date, since, name=name)
        status_from, status_day = self.status_since, self.status.day
        if status_from:
            status_day = calendar.day_number(since=status_from, on=self.trade_date)
        elif status_day == 1:
            status_from = self.trade_date
        listing_day = calendar.day_number(since=self.listed, on=self.trade_date)
        return InstrumentStatus(
            instrument=self.instrument,
            board=self.board,
            stage=stage_of(
                board=self.board,
                risk_warning=self.risk_warning,
                status=self.status.status,
                listed=self.listed,
                listing_day=listing_day,
                status_day=status_day,
            ),
            status=self.status.status,
            risk_warning=self.risk_warning,
            listed=self.listed,
            listing_day=listing_day,
            status_from=status_from,
            status_day=status_day,
            has_same_day_resale=False,
            row=None,
        )


def check_not_after(trade_date: int, since: int, *, name: str) -> None:
    """Raise ConfigError if something is said to begin after the day that is asked about."""
    if since > trade_date:
        message = f"{name} must not be after {date_text(trade_date)}, was {date_text(since)}"
        raise ConfigError(message)


def read_symbol(text: str) -> InstrumentId:
    """Return the id of a symbol.

    Raises
    ------
    ConfigError
        If the text is no symbol.
    """
    try:
        return parse_symbol(text.strip().upper())
    except ValueError:
        message = f"instrument must look like 600519.SH, 000001.SZ or 430047.BJ, was {text!r}"
        raise ConfigError(message) from None


def read_instrument(text: str) -> InstrumentId:
    """Return the id of a share.

    Raises
    ------
    ConfigError
        If the text is no symbol, or no share's: the board is unknown.
    """
    instrument = read_symbol(text)
    read_board("", instrument)
    return instrument


def read_board(text: str, instrument: InstrumentId) -> Board:
    """Return the board that a code tells or, of a fund, the text; an empty text says no fund.

    Raises
    ------
    ConfigError
        If neither tells a board of the instrument's exchange, or the text contradicts the code.
    """
    board, symbol = board_of(instrument), format_symbol(instrument)
    if not text.strip():
        if board is not Board.UNKNOWN:
            return board
        message = (
            "instrument must be a share of the main board, ChiNext, STAR or BSE, "
            f"was {symbol}, whose board is unknown (a fund is asked one by one, with --board)"
        )
        raise ConfigError(message)
    fund_board = FUND_WORDS.get(_folded(text))
    if fund_board is None:
        message = f"--board must be {' or '.join(FUND_WORDS)}, was {text!r}"
        raise ConfigError(message)
    exchange = Exchange(instrument // EXCHANGE_STEP)
    if board is not Board.UNKNOWN or (exchange, fund_board) not in SESSION_ROWS:
        message = f"--board is for funds of Shanghai and Shenzhen, was given for {symbol}"
        raise ConfigError(message)
    return fund_board


def read_date(text: str, *, name: str) -> int:
    """Return a date, `YYYY-MM-DD` or `YYYYMMDD`, as a number.

    Raises
    ------
    ConfigError
        If it is no such date.
    """
    stripped = text.strip()
    for form, size in (("%Y-%m-%d", 10), ("%Y%m%d", 8)):
        if len(stripped) != size:
            continue
        try:
            day = datetime.strptime(stripped, form)  # noqa: DTZ007  # a date has no time zone
        except ValueError:
            continue
        return day.year * 10_000 + day.month * 100 + day.day
    message = f"{name} must be a date like 2023-02-01 or 20230201, was {text!r}"
    raise ConfigError(message)


def read_price_e4(text: str, *, tick_e4: int) -> int:
    """Return a previous close of whole ticks.

    Raises
    ------
    ConfigError
        If it is not a positive number of whole ticks, or absurdly high.
    """
    tick = Decimal(tick_e4) / PRICE_SCALE
    try:
        exact_e4 = Decimal(text.strip()) * PRICE_SCALE
    except ArithmeticError:
        exact_e4 = Decimal("NaN")
    if exact_e4.is_finite() and 0 < exact_e4 <= PRICE_E4_MAX:
        price_e4 = round(exact_e4 / tick_e4) * tick_e4
        if price_e4 > 0 and abs(exact_e4 - price_e4) <= _NOISE_E4:
            return price_e4
    message = (
        f"prev_close must be a price in CNY, a multiple of {tick:f} between {tick:f} and "
        f"{PRICE_E4_MAX // PRICE_SCALE}, was {text!r}"
    )
    raise ConfigError(message)


def read_risk_warning(text: str) -> RiskWarning:
    """Return whether a share is ST; an empty text is no.

    Raises
    ------
    ConfigError
        If it is no flag.
    """
    flag = _FLAGS.get(_folded(text))
    if flag is None:
        message = f"is_st must be 0, 1, true, false, unknown or empty, was {text!r}"
        raise ConfigError(message)
    return flag


def read_listed(text: str) -> int:
    """Return the date of a listing; an empty text means long ago.

    Raises
    ------
    ConfigError
        If it is no date.
    """
    return read_date(text, name="listed") if text.strip() else LISTED_LONG_AGO


def read_since(text: str) -> int:
    """Return the first date of a status; an empty text is 0, not known.

    Raises
    ------
    ConfigError
        If it is no date.
    """
    return read_date(text, name="status_since") if text.strip() else 0


def read_status(text: str) -> StatusWord:
    """Return what a status word means; an empty text is `listed`.

    Raises
    ------
    ConfigError
        If it is none of `STATUS_WORDS`.
    """
    word = STATUS_WORDS.get(_folded(text) or "listed")
    if word is None:
        message = f"status must be one of {', '.join(STATUS_WORDS)} or empty, was {text!r}"
        raise ConfigError(message)
    return word


def _folded(text: str) -> str:
    return text.strip().lower().replace(" ", "_").replace("-", "_")
