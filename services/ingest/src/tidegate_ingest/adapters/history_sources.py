"""Sources of daily bars: the libraries baostock (BSD) and akshare (MIT), if they are installed.

| | baostock | akshare |
| --- | --- | --- |
| from | its own server | Eastmoney's pages |
| layout | baostock daily | daily bars |
| volume | shares | lots of 100, written as shares |
| previous close, ST, suspended days | yes | no |

Both say prices in CNY as they were on the day, unadjusted.
"""

import contextlib
import importlib
import io
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from decimal import Decimal, InvalidOperation
from typing import Final, Protocol, cast

import pandas as pd

from tidegate_common.domain.ids import Symbol
from tidegate_common.errors import ConfigError, ContractError, TransientError
from tidegate_ingest.adapters.history import Answer, BarColumns, Days, HistorySource

ANSWER_SECONDS_MAX: Final = 30.0
SOURCES: Final = ("baostock", "akshare")
_BAOSTOCK_FIELDS: Final = (
    *("date", "code", "open", "high", "low", "close", "preclose", "volume", "amount"),
    *("adjustflag", "turn", "tradestatus", "isST", "peTTM", "pbMRQ", "psTTM", "pcfNcfTTM"),
)
# Its pages have so many rows. A share's days since 1990 are less: a page that is full means that
# others follow, and the library does not say when one of those is lost.
_BAOSTOCK_PAGE_ROWS: Final = 10_000
# Codes of the network, and of a session that has ended.
_BAOSTOCK_AWAY: Final = ("10001001", "10002")
_AKSHARE_NAMES: Final = {
    "日期": "date",
    "开盘": "open",
    "最高": "high",
    "最低": "low",
    "收盘": "close",
    "成交量": "volume",
    "成交额": "amount",
}
_SHARES_PER_LOT: Final = 100

Limit = Callable[[], AbstractContextManager[None]]


class BaostockAnswer(Protocol):
    """An answer of the library baostock."""

    error_code: str
    error_msg: str
    fields: list[str]

    def next(self) -> bool:
        """Tell whether there is another row."""

    def get_row_data(self) -> list[str]:
        """Return the next row."""


class BaostockLibrary(Protocol):
    """What is used of the library baostock."""

    def login(self) -> BaostockAnswer | None:
        """Begin a session."""

    def logout(self) -> object:
        """End the session."""

    def query_history_k_data_plus(  # the library's
        self,
        code: str,
        fields: str,
        *,
        start_date: str,
        end_date: str,
        frequency: str,
        adjustflag: str,
    ) -> BaostockAnswer | None:
        """Ask for bars."""


class AkshareLibrary(Protocol):
    """What is used of the library akshare."""

    def stock_zh_a_hist(  # the library's
        self,
        *,
        symbol: str,
        period: str,
        start_date: str,
        end_date: str,
        adjust: str,
        timeout: float,
    ) -> pd.DataFrame:
        """Ask for bars."""


def open_source(name: str) -> HistorySource:
    """Return a source by name.

    Raises
    ------
    ConfigError
        If there is no such source, or its library is not installed.
    """
    if name not in SOURCES:
        message = f"--source must be one of {', '.join(SOURCES)}, was {name!r}"
        raise ConfigError(message)
    try:
        library = importlib.import_module(name)
    except ImportError as error:
        message = f"--source {name} needs a library that is not installed: pip install {name}"
        raise ConfigError(message) from error
    if name == BaostockSource.name:
        return BaostockSource(cast("BaostockLibrary", library))
    return AkshareSource(cast("AkshareLibrary", library))


@contextlib.contextmanager
def answer_limit(seconds: float = ANSWER_SECONDS_MAX) -> Iterator[None]:
    """Raise TimeoutError in a call that takes longer; of the main thread only.

    Libraries that wait for ever have no other end: baostock's reads a closed connection in a loop.
    """

    def stop(_number: int, _frame: object) -> None:
        message = f"no answer within {seconds:g} s"
        raise TimeoutError(message)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class BaostockSource:
    """Daily bars of baostock.com, by its library; one session for all shares."""

    name = "baostock"
    bars = BarColumns(
        code=lambda symbol: f"{symbol[-2:].lower()}.{symbol[:6]}",
        code_column="code",
        shares_per_unit=1,
        is_suspended=lambda row: row["tradestatus"] == "0",
    )

    def __init__(self, library: BaostockLibrary, limit: Limit = answer_limit) -> None:
        """Take the library; `limit` ends a call that takes too long."""
        self._library = library
        self._limit = limit
        self._is_open = False

    def ask(self, symbol: Symbol, days: Days) -> Answer:
        """Return a share's days, unadjusted.

        Raises
        ------
        ConfigError
            If the server does not let us in; the others as `HistorySource` says.
        """
        if not self._is_open:
            try:
                self._read(self._library.login)
            except ContractError as error:
                raise ConfigError(*error.args) from error
            self._is_open = True
        return self._read(
            lambda: self._library.query_history_k_data_plus(
                self.bars.code(symbol),
                ",".join(_BAOSTOCK_FIELDS),
                start_date=days.first.isoformat(),
                end_date=days.last.isoformat(),
                frequency="d",
                adjustflag="3",
            )
        )

    def close(self) -> None:
        """End the session, if there is one."""
        if self._is_open:
            self._is_open = False
            # Nobody minds a server that is gone already.
            with contextlib.suppress(OSError), _silenced(), self._limit():
                self._library.logout()

    def _read(self, ask: Callable[[], BaostockAnswer | None]) -> Answer:
        """Return an answer with all its rows; after a failure the session begins anew."""
        rows: list[tuple[str, ...]] = []
        try:
            with _silenced(), self._limit():
                answer = ask()
                while answer is not None and answer.error_code == "0" and answer.next():
                    rows.append(tuple(answer.get_row_data()))
        except (OSError, ValueError, LookupError) as error:
            self._is_open = False
            message = f"no answer from baostock: {error}"
            raise TransientError(message) from error
        if answer is None or answer.error_code.startswith(_BAOSTOCK_AWAY):
            self._is_open = False
            found = "nothing" if answer is None else f"{answer.error_code} {answer.error_msg}"
            message = f"no answer from baostock: {found}"
            raise TransientError(message)
        if answer.error_code != "0":
            message = f"baostock refuses: {answer.error_code} {answer.error_msg}"
            raise ContractError(message)
        if len(rows) >= _BAOSTOCK_PAGE_ROWS:
            message = f"expected less than {_BAOSTOCK_PAGE_ROWS:,} days, found a full page"
            raise ContractError(message)
        return _answer(answer.fields, rows)


class AkshareSource:
    """Daily bars of Eastmoney's pages, by the library akshare."""

    name = "akshare"
    bars = BarColumns(code=lambda symbol: symbol, code_column="symbol", shares_per_unit=1)

    def __init__(self, library: AkshareLibrary, limit: Limit = answer_limit) -> None:
        """Take the library; `limit` ends a call that takes too long."""
        self._library = library
        self._limit = limit

    def ask(self, symbol: Symbol, days: Days) -> Answer:
        """Return a share's days, unadjusted; raises as `HistorySource` says."""
        try:
            with _silenced(), self._limit():
                table = self._library.stock_zh_a_hist(
                    symbol=symbol[:6],
                    period="daily",
                    start_date=days.first.strftime("%Y%m%d"),
                    end_date=days.last.strftime("%Y%m%d"),
                    adjust="",
                    timeout=ANSWER_SECONDS_MAX,
                )
        except (OSError, ValueError, LookupError, TypeError) as error:
            message = f"no answer from akshare: {error}"
            raise TransientError(message) from error
        columns = ("symbol", *_AKSHARE_NAMES.values())
        if table.empty:
            return Answer(columns, ())
        missing = [name for name in _AKSHARE_NAMES if name not in table.columns]
        if missing:
            message = f"expected columns {', '.join(_AKSHARE_NAMES)}, missing: {missing}"
            raise ContractError(message)
        texts = table[list(_AKSHARE_NAMES)].astype(str)
        rows = [(symbol, *row) for row in texts.itertuples(index=False, name=None)]
        return Answer(columns, tuple(_in_shares(row, columns.index("volume")) for row in rows))

    def close(self) -> None:
        """End nothing: every question is a connection of its own."""


def _answer(fields: list[str], rows: list[tuple[str, ...]]) -> Answer:
    """Return rows of baostock; an answer to a login has neither fields nor rows."""
    missing = [name for name in _BAOSTOCK_FIELDS if name not in fields]
    if rows and missing:
        message = f"expected columns {', '.join(_BAOSTOCK_FIELDS)}, missing: {missing}"
        raise ContractError(message)
    return Answer(tuple(fields), tuple(rows))


def _in_shares(row: tuple[str, ...], place: int) -> tuple[str, ...]:
    """Return a row whose volume was told in lots; a word that is no number stays as it is."""
    try:
        shares = f"{Decimal(row[place]) * _SHARES_PER_LOT:f}"
    except InvalidOperation:
        return row
    return (*row[:place], shares, *row[place + 1 :])


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keep what a library prints to itself: standard output is the command's."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
