"""Questions in a CSV file, answered into another: a day's instruments at a time, as arrays."""

import csv
import os
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import EINVAL
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from tidegate_cli.rules.days import rows_by_date
from tidegate_cli.rules.question import (
    STATUS_WORDS,
    StatusWord,
    check_not_after,
    read_date,
    read_instrument,
    read_listed,
    read_price_e4,
    read_risk_warning,
    read_since,
    read_status,
)
from tidegate_common.domain.enums import Board, LimitState, RiskWarning
from tidegate_common.domain.units import Int64Array
from tidegate_common.errors import ConfigError
from tidegate_common.market.answers import price_text
from tidegate_common.market.board import boards_of
from tidegate_common.market.calendar import TradingCalendar
from tidegate_common.market.instruments import InstrumentColumns
from tidegate_common.market.listing import LISTED_LONG_AGO, stages_of
from tidegate_common.market.lots import price_tick_e4
from tidegate_common.market.rulebook import RuleColumns, rule_columns

REQUIRED_COLUMNS: Final = ("instrument", "date", "prev_close")
OPTIONAL_COLUMNS: Final = ("is_st", "listed", "status", "status_since")
ADDED_COLUMNS: Final = (
    *("limit_state", "limit_up", "limit_down", "lot_min", "lot_step", "price_tick", "board"),
)

Meaning = TypeVar("Meaning", bound=Hashable)


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A CSV file as text; `line_numbers` says where in the file each row ends."""

    path: Path
    header: list[str]
    rows: list[list[str]]
    line_numbers: list[int]

    def column(self, name: str) -> list[str] | None:
        """Return a column, None where the file has none of that name."""
        if name not in self.header:
            return None
        place = self.header.index(name)
        return [row[place] for row in self.rows]

    @contextmanager
    def at_row(self, row: int) -> Iterator[None]:
        """Add the file and the line to what is wrong with a row."""
        try:
            yield
        except ConfigError as error:
            message = f"{error} ({self.path}, line {self.line_numbers[row]})"
            raise ConfigError(message) from None


@dataclass(frozen=True, slots=True)
class Questions:
    """The rows of a file as numbers, (n,) each; `word` is a place in `STATUS_WORDS`."""

    instrument: Int64Array
    trade_date: Int64Array
    prev_close_e4: Int64Array
    risk_warning: Int64Array
    listed: Int64Array
    word: Int64Array
    status_since: Int64Array


def answer_file(source: Path, target: Path, calendar: TradingCalendar) -> int:
    """Answer every row of `source` in `target`, which appears complete or not at all.

    Returns
    -------
    The number of rows.

    Raises
    ------
    ConfigError
        If a file cannot be read or written, a column is missing, or a row asks about something
        that is no share or no trading day; with the line.
    """
    table = read_csv_table(source)
    questions = read_questions(table)
    added = _answers(table, questions, calendar)
    _write(target, [*table.header, *ADDED_COLUMNS], zip(table.rows, added, strict=True))
    return len(table.rows)


def read_csv_table(path: Path) -> CsvTable:
    """Return a CSV file with the columns that a question needs.

    Raises
    ------
    ConfigError
        If it cannot be read, a required column is missing, an answer's column is already there,
        or a row has another number of fields than the header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            header = next(reader, [])
            rows = [(row, reader.line_num) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        found = error.strerror if isinstance(error, OSError) else error
        message = f"expected a CSV file in UTF-8, found: {found} ({path})"
        raise ConfigError(message) from error
    table = CsvTable(path, header, [row for row, _ in rows], [number for _, number in rows])
    _check_header(table)
    for place, row in enumerate(table.rows):
        if len(row) != len(header):
            with table.at_row(place):
                message = f"expected {len(header)} fields, found {len(row)}"
                raise ConfigError(message)
    return table


def _check_header(table: CsvTable) -> None:
    header, path = table.header, table.path
    missing = [name for name in REQUIRED_COLUMNS if name not in header]
    if missing:
        message = (
            f"expected the columns {', '.join(REQUIRED_COLUMNS)}, missing: {', '.join(missing)}; "
            f"found: {', '.join(map(repr, header)) or 'nothing'} ({path})"
        )
        raise ConfigError(message)
    taken = [name for name in ADDED_COLUMNS if name in header]
    if taken:
        message = f"expected no column that is added, found: {', '.join(taken)} ({path})"
        raise ConfigError(message)
    repeated = [name for name, count in Counter(header).items() if count > 1]
    if repeated:
        message = (
            f"expected each column once, found again: {', '.join(map(repr, repeated))} ({path})"
        )
        raise ConfigError(message)


def read_questions(table: CsvTable) -> Questions:
    """Return the rows of a file as numbers.

    Raises
    ------
    ConfigError
        If a field means nothing, with its line.
    """
    places = {word: place for place, word in enumerate(STATUS_WORDS.values())}
    instrument = _column(table, "instrument", read_instrument, missing=0)
    return Questions(
        instrument=instrument,
        trade_date=_column(table, "date", lambda text: read_date(text, name="date"), missing=0),
        prev_close_e4=_prices(table, instrument),
        risk_warning=_column(table, "is_st", read_risk_warning, missing=RiskWarning.NO),
        listed=_column(table, "listed", read_listed, missing=LISTED_LONG_AGO),
        word=_column(table, "status", lambda text: places[read_status(text)], missing=0),
        status_since=_column(table, "status_since", read_since, missing=0),
    )


def _column(
    table: CsvTable,
    name: str,
    read: Callable[[str], int],
    *,
    missing: int,
) -> Int64Array:
    """Return what each field of a column means, read once a word."""
    texts = table.column(name)
    if texts is None:
        return np.full(len(table.rows), missing, dtype=np.int64)
    return _meanings(table, texts, read)


def _prices(table: CsvTable, instruments: Int64Array) -> Int64Array:
    texts = table.column("prev_close")
    assert texts is not None
    ticks_e4 = [price_tick_e4(Board(board)) for board in range(len(Board))]
    boards = boards_of(instruments).tolist()
    pairs = [(text, ticks_e4[board]) for text, board in zip(texts, boards, strict=True)]
    return _meanings(table, pairs, lambda pair: read_price_e4(pair[0], tick_e4=pair[1]))


def _meanings(
    table: CsvTable,
    words: Sequence[Meaning],
    read: Callable[[Meaning], int],
) -> Int64Array:
    known: dict[Meaning, int] = {}
    for row, word in enumerate(words):
        if word not in known:
            with table.at_row(row):
                known[word] = read(word)
    return np.array([known[word] for word in words], dtype=np.int64)


def _answers(
    table: CsvTable,
    questions: Questions,
    calendar: TradingCalendar,
) -> list[tuple[str, ...]]:
    """Return the added fields of each row, in the order of the file."""
    for name, dates in (("listed", questions.listed), ("status_since", questions.status_since)):
        for row in np.flatnonzero(dates > questions.trade_date)[:1].tolist():
            with table.at_row(row):
                check_not_after(int(questions.trade_date[row]), int(dates[row]), name=name)
    # Each day is asked once; of those without trading the first in the file is told.
    for row in sorted(np.unique(questions.trade_date, return_index=True)[1].tolist()):
        with table.at_row(row):
            calendar.require_trading_day(int(questions.trade_date[row]))
    answers: list[tuple[str, ...]] = [()] * len(table.rows)
    for trade_date, rows in rows_by_date(questions.trade_date):
        columns = rule_columns(
            _statuses(questions, rows, trade_date, calendar),
            trade_date,
            prev_close_e4=questions.prev_close_e4[rows],
        )
        for row, answer in zip(rows.tolist(), _texts(columns), strict=True):
            answers[row] = answer
    return answers


def _statuses(
    questions: Questions,
    rows: Int64Array,
    trade_date: int,
    calendar: TradingCalendar,
) -> InstrumentColumns:
    """Return the rows of one day as `Question.status_on` does one by one."""
    instruments, listed = questions.instrument[rows], questions.listed[rows]
    boards = boards_of(instruments)
    risk_warning = questions.risk_warning[rows].astype(np.uint8)
    word, since = questions.word[rows], questions.status_since[rows]
    status = _WORD_STATUS[word]
    day_of_word = _WORD_DAY[word]
    listing_day = calendar.day_numbers(listed, on=trade_date)
    status_day = np.where(since > 0, calendar.day_numbers(since, on=trade_date), day_of_word)
    risk_warning = np.where(_WORD_HAS_WARNING[word], np.uint8(RiskWarning.YES), risk_warning)
    return InstrumentColumns(
        instrument=instruments,
        board=boards,
        stage=stages_of(
            boards=boards,
            risk_warning=risk_warning,
            status=status,
            listed=listed,
            listing_day=listing_day,
            status_day=status_day,
        ),
        status=status,
        risk_warning=risk_warning,
        listed=listed,
        listing_day=listing_day,
        status_from=np.where((since == 0) & (day_of_word == 1), trade_date, since),
        status_day=status_day,
        has_same_day_resale=np.zeros(len(rows), dtype=np.bool_),
    )


def _texts(columns: RuleColumns) -> Iterator[tuple[str, ...]]:
    limits, lots = columns.limits, columns.lots
    for board, state, up_e4, down_e4, lot_min, lot_step, lot_max, tick_e4 in zip(
        columns.statuses.board.tolist(),
        limits.state.tolist(),
        limits.up_e4.tolist(),
        limits.down_e4.tolist(),
        lots.min_shares.tolist(),
        lots.step_shares.tolist(),
        lots.max_limit_shares.tolist(),
        lots.tick_e4.tolist(),
        strict=True,
    ):
        is_limited = state == LimitState.LIMITED
        yield (
            _STATE_NAMES[state],
            price_text(up_e4, tick_e4) if is_limited else "",
            price_text(down_e4, tick_e4) if is_limited else "",
            # A maximum of 0 is a board without a rule on the day.
            str(lot_min) if lot_max else "",
            str(lot_step) if lot_max else "",
            price_text(tick_e4, tick_e4),
            _BOARD_NAMES[board],
        )


def _write(
    target: Path,
    header: Sequence[str],
    rows: Iterable[tuple[list[str], tuple[str, ...]]],
) -> None:
    """Write a CSV file beside its place and move it there; a link stays a link."""
    place = Path(os.path.realpath(target))
    part = place.parent / f".{place.name}.{os.getpid()}.part"
    try:
        _check_place(place)
        with part.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(header)
            writer.writerows([*row, *added] for row, added in rows)
        part.replace(place)
    except OSError as error:
        message = f"--out must be a file that can be written, was {target}: {error.strerror}"
        raise ConfigError(message) from error
    finally:
        # Where it could not be made it cannot be removed either.
        with suppress(OSError):
            part.unlink()


def _check_place(place: Path) -> None:
    """Raise OSError for a device or a pipe, which a file must not replace, and a directory."""
    if place.exists() and not place.is_file():
        raise OSError(EINVAL, "Not a regular file")


_STATE_NAMES: Final = {state.value: state.name for state in LimitState}
_BOARD_NAMES: Final = {board.value: board.name for board in Board}
_WORDS: Final[tuple[StatusWord, ...]] = tuple(STATUS_WORDS.values())
_WORD_STATUS: Final = np.array([word.status for word in _WORDS], dtype=np.uint8)
_WORD_DAY: Final = np.array([word.day for word in _WORDS], dtype=np.int64)
_WORD_HAS_WARNING: Final = np.array([word.has_risk_warning for word in _WORDS], dtype=np.bool_)
