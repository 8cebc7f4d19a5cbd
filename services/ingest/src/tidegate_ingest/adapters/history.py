"""Daily bars from a source of history, checked and kept as files that a replay reads.

A share's days of one download are one file, `<folder>/<source>/<symbol>_<first>_<last>.csv`, which
comes into being whole or not at all; one that is there is not asked for again. What the source
said is written as it said it: unadjusted, in the units of its layout. An answer that cannot be
true as a whole (another unit, other columns, days without trading, twice the same day) is no file.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, NoReturn, Protocol

from tidegate_common.domain.ids import Symbol
from tidegate_common.errors import ConfigError, ContractError, TransientError
from tidegate_common.market.calendar import xshg_calendar

# Free services, without a contract: a whole market is an hour, and nobody's server feels it.
PAUSE_SECONDS: Final = 0.5
# 2 s, 4 s and 8 s after the first three tries.
TRIES_MAX: Final = 4
BACK_OFF_SECONDS: Final = 2.0
# So many shares one after another without an answer, and the source is away.
SILENT_MAX: Final = 3
# A volume in another unit is off by 100; block trades and rounding by some percent.
_UNIT_FACTOR: Final = 2


@dataclass(frozen=True, slots=True)
class Days:
    """A span of days, both ends included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        """Refuse what the trading calendar does not cover; raises ConfigError."""
        calendar = xshg_calendar()
        if not calendar.first_date <= _number(self.first) <= _number(self.last):
            message = (
                f"--from must be {calendar.first_date} or later and --to not before it, "
                f"were {self.first} and {self.last}"
            )
            raise ConfigError(message)
        if _number(self.last) > calendar.last_date:
            message = f"--to must be {calendar.last_date} or earlier, was {self.last}"
            raise ConfigError(message)


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of a share as a source has them, in text, by the names of a layout that ingest reads."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class BarColumns:
    """Where a layout keeps what is checked.

    code : of a share, as the source writes it.
    shares_per_unit : of the volume.
    is_suspended : tells a day without trading; None where the source has no row of such days.
    """

    code: Callable[[Symbol], str]
    code_column: str
    shares_per_unit: int
    is_suspended: Callable[[dict[str, str]], bool] | None = None


class HistorySource(Protocol):
    """Where daily bars come from; `close` may be called at any time."""

    name: str
    bars: BarColumns

    def ask(self, symbol: Symbol, days: Days) -> Answer:
        """Return a share's days, unadjusted.

        Raises
        ------
        TransientError
            If there was no answer.
        ContractError
            If there was one that is no table of daily bars.
        """

    def close(self) -> None:
        """End the session, if there is one."""


@dataclass(slots=True)
class Downloaded:
    """What became of a download; every symbol is in one of the first three.

    failed : why, by symbol. rows : days in the files that were written.
    """

    written: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: dict[Symbol, str] = field(default_factory=dict)
    rows: int = 0


def download(
    source: HistorySource,
    symbols: Sequence[Symbol],
    days: Days,
    folder: Path,
    pause: Callable[[float], None],
) -> Iterator[Downloaded]:
    """Download daily bars of shares, and yield the same tally after each of them.

    Parameters
    ----------
    pause : waits so many seconds.

    Raises
    ------
    ConfigError
        If a file cannot be written.
    """
    done, silent = Downloaded(), 0
    try:
        for symbol in symbols:
            path = history_path(folder, source.name, symbol, days)
            if path.exists():
                done.skipped.append(path)
            elif silent == SILENT_MAX:
                done.failed[symbol] = f"not asked: {source.name} does not answer"
            else:
                try:
                    answer = _ask_patiently(source, symbol, days, pause)
                    _check(answer, source.bars, symbol, days)
                except (ContractError, TransientError) as error:
                    done.failed[symbol] = str(error)
                    silent = silent + 1 if isinstance(error, TransientError) else 0
                else:
                    _write(path, answer)
                    done.written.append(path)
                    done.rows += len(answer.rows)
                    silent = 0
            yield done
    finally:
        source.close()


def history_path(folder: Path, source: str, symbol: Symbol, days: Days) -> Path:
    """Return the file of a share's days."""
    return folder / source / f"{symbol}_{_number(days.first)}_{_number(days.last)}.csv"


def _ask_patiently(
    source: HistorySource,
    symbol: Symbol,
    days: Days,
    pause: Callable[[float], None],
) -> Answer:
    """Ask a few times, longer and longer apart."""
    for number in range(1, TRIES_MAX):
        pause(PAUSE_SECONDS)
        try:
            return source.ask(symbol, days)
        except TransientError:
            pause(BACK_OFF_SECONDS**number)
    return source.ask(symbol, days)


def _check(answer: Answer, bars: BarColumns, symbol: Symbol, days: Days) -> None:
    """Raise ContractError unless an answer is a share's daily bars in the units of its layout."""
    if not answer.rows:
        message = f"no days from {days.first} to {days.last}: not listed then, or not known there"
        raise ContractError(message)
    calendar, before = xshg_calendar(), date.min
    for texts in answer.rows:
        if len(texts) != len(answer.columns):
            message = f"expected {len(answer.columns)} columns, found {len(texts)}: {texts}"
            raise ContractError(message)
        row = dict(zip(answer.columns, texts, strict=True))
        day = _day(row)
        if row[bars.code_column] != bars.code(symbol):
            _fail(row, f"have code {bars.code(symbol)}")
        if not days.first <= day <= days.last:
            _fail(row, f"be from {days.first} to {days.last}")
        if day <= before:
            _fail(row, f"come after {before}, each day once")
        if not calendar.is_trading_day(_number(day)):
            _fail(row, "be of a trading day")
        if bars.is_suspended is None or not bars.is_suspended(row):
            _check_bar(row, bars)
        before = day


def _check_bar(row: dict[str, str], bars: BarColumns) -> None:
    """Hold prices, volume and amount of a traded day against one another."""
    open_, high, low, close, volume, amount = (
        _decimal(row, name) for name in ("open", "high", "low", "close", "volume", "amount")
    )
    if not 0 < low <= min(open_, close) <= max(open_, close) <= high:
        _fail(row, "have 0 < low <= open, close <= high")
    shares = volume * bars.shares_per_unit
    if not low * shares / _UNIT_FACTOR <= amount <= high * shares * _UNIT_FACTOR:
        _fail(row, "have an amount that its volume makes at its prices")


def _day(row: dict[str, str]) -> date:
    try:
        return date.fromisoformat(row["date"])
    except ValueError:
        _fail(row, "have a date such as 2023-02-01")


def _decimal(row: dict[str, str], name: str) -> Decimal:
    try:
        number = Decimal(row[name])
    except InvalidOperation:
        _fail(row, f"have a number as {name}")
    if not number.is_finite() or number < 0:
        _fail(row, f"have a number as {name}, at least 0")
    return number


def _fail(row: dict[str, str], must: str) -> NoReturn:
    found = ", ".join(f"{name} {text}" for name, text in row.items())
    message = f"a row must {must}, found: {found}"
    raise ContractError(message)


def _write(path: Path, answer: Answer) -> None:
    """Write a file whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows(answer.rows)
    beside = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text.getvalue(), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        message = f"expected a folder that can be written, found: {error}"
        raise ConfigError(message) from error


def _number(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day
