"""A user's reference file: listing dates, ST flags, sectors and corporate actions, by date.

CSV or Parquet, laid out as docs/reference-data.md says. A row that cannot be read, or that says
what cannot be, stops the run in one line: nothing in it is guessed, and nothing is passed over.
"""

import re
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from pathlib import Path
from typing import Final, NoReturn, TypeVar

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tidegate_common.domain.enums import Board
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import FeedSpec, InputFile
from tidegate_common.frames.actions import ACTION_MAX
from tidegate_common.market.board import board_of
from tidegate_common.market.corporate_actions import ACTION_SCALE, CorporateAction
from tidegate_ingest.adapters.input_files import check_unchanged, sha256_of
from tidegate_ingest.adapters.layouts import shorten
from tidegate_ingest.adapters.tables import column_names, is_parquet, readable
from tidegate_ingest.engine.normalizer import date_of, instrument_of
from tidegate_ingest.engine.reference_days import NO_REFERENCE, ReferenceRow, ReferenceTable

ValueT = TypeVar("ValueT")

_REQUIRED: Final = ("symbol", "date")
_FACTS: Final = ("listing_date", "is_st", "is_suspended", "sector")
# Columns of an action: the field of `CorporateAction`, and millionths or 1/10,000 of a unit.
_AMOUNTS: Final = {
    "cash": ("cash_e6", ACTION_SCALE),
    "bonus": ("bonus_e6", ACTION_SCALE),
    "transfer": ("transfer_e6", ACTION_SCALE),
    "rights": ("rights_e6", ACTION_SCALE),
    "rights_price": ("rights_price_e4", 10_000),
}
_DATES: Final = {
    "record_date": "record_date",
    "pay_date": "pay_date",
    "new_shares_date": "listing_date",
}
COLUMNS: Final = (*_REQUIRED, *_FACTS, *_AMOUNTS, *_DATES)
# What Decimal takes beside this (1_000, digits of other scripts) is rather a slip than a number.
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_FLAGS: Final = {"1": True, "true": True, "0": False, "false": False}


def describe_reference(path: Path) -> InputFile:
    """Return a reference file as a run's spec names it, by what is in it.

    Raises
    ------
    ConfigError
        As `load_reference`.
    """
    load_reference(path)
    return InputFile(str(path), sha256_of(path))


def open_reference(file: InputFile | None) -> ReferenceTable:
    """Return what the reference file of a spec says; nothing where it has none.

    Raises
    ------
    ConfigError
        As `load_reference`; or if the file is not the one of the spec any more.
    """
    if file is None:
        return NO_REFERENCE
    check_unchanged(file)
    return load_reference(Path(file.path))


def refuse_reference(feed: FeedSpec, found: str) -> None:
    """Raise ConfigError if a feed that has reference data of its own is given other.

    Parameters
    ----------
    found : what the feed is, for people.
    """
    if feed.reference is not None:
        message = f"--reference is for recorded and live quotes, {found} has its own; found both"
        raise ConfigError(message)


def load_reference(path: Path) -> ReferenceTable:
    """Return what a reference file says.

    Raises
    ------
    ConfigError
        If the file cannot be read, or lacks a column or has one that is not known, or for the first
        row that is wrong; rows count from 1, the header is none.
    """
    sha256_of(path)
    found = column_names(path)
    unknown = [name for name in found if name not in COLUMNS]
    missing = [name for name in _REQUIRED if name not in found]
    if unknown or missing:
        message = (
            f"expected columns {', '.join(_REQUIRED)} and some of "
            f"{', '.join(COLUMNS[len(_REQUIRED) :])}, found: {shorten(found)} ({path})"
        )
        raise ConfigError(message)
    rows: dict[tuple[int, int], ReferenceRow] = {}
    for number, texts in enumerate(_texts(path), start=1):
        cells = _Cells(path, number, texts)
        row = _row(cells)
        key = row.instrument, row.valid_from
        if key in rows:
            cells.fail("symbol", "have one row a date", f"{texts['symbol']} {texts['date']} again")
        rows[key] = row
    return ReferenceTable(rows.values())


class _Cells:
    """A row's cells by column, "" where there is nothing."""

    def __init__(self, path: Path, number: int, texts: dict[str, str]) -> None:
        self._path = path
        self._number = number
        self._texts = texts

    def text(self, name: str) -> str:
        """Return a cell without the spaces around it."""
        return self._texts.get(name, "").strip()

    def read(
        self,
        name: str,
        must: str,
        parse: Callable[[str], ValueT | None],
    ) -> ValueT | None:
        """Return a cell's value, None where it is empty.

        Raises
        ------
        ConfigError
            If `parse` returns None: it is not what it must be.
        """
        word = self.text(name)
        if not word:
            return None
        value = parse(word)
        if value is None:
            self.fail(name, f"be {must}", word)
        return value

    def fail(self, name: str, must: str, found: str) -> NoReturn:
        """Raise ConfigError that names the row."""
        message = f"{self._path}, row {self._number}: {name} must {must}, was {found}"
        raise ConfigError(message)


def _texts(path: Path) -> Iterator[dict[str, str]]:
    """Yield a file's rows, everything as text."""
    with readable(path, "a reference table"):
        if is_parquet(path):
            table = pq.ParquetFile(path).read()
        else:
            names = column_names(path)
            options = pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
            table = pa_csv.read_csv(path, convert_options=options)
        table = table.cast(pa.schema([(name, pa.string()) for name in table.column_names]))
        rows = table.to_pylist()
    for row in rows:
        yield {name: "" if value is None else value for name, value in row.items()}


def _row(cells: _Cells) -> ReferenceRow:
    instrument = instrument_of(cells.text("symbol"), None)
    if board_of(instrument) is Board.UNKNOWN:
        cells.fail("symbol", "be of a share, such as 600519.SH", repr(cells.text("symbol")))
    valid_from = date_of(cells.text("date"))
    if not valid_from:
        cells.fail("date", "be a day such as 2024-06-19", repr(cells.text("date")))
    row = ReferenceRow(
        instrument=instrument,
        valid_from=valid_from,
        listing_date=cells.read("listing_date", "a day such as 2024-06-19", _date),
        is_st=cells.read("is_st", "one of 0, 1, false, true", _flag),
        is_suspended=cells.read("is_suspended", "one of 0, 1, false, true", _flag),
        sector=cells.text("sector") or None,
        action=_action(cells, instrument, valid_from),
    )
    if row == ReferenceRow(instrument, valid_from):
        cells.fail("the row", "say something beside symbol and date", "empty")
    return row


def _action(cells: _Cells, instrument: int, ex_date: int) -> CorporateAction | None:
    """Return what goes ex, None where all amounts are nothing."""
    amounts: dict[str, int] = {}
    for name, (field, scale) in _AMOUNTS.items():
        largest = ACTION_MAX[field] // scale
        value = cells.read(name, f"a number in 0..{largest}", partial(_scaled, scale, largest))
        amounts[field] = value or 0
    dates = {
        field: cells.read(name, "a day such as 2024-06-19", _date) or 0
        for name, field in _DATES.items()
    }
    if not any(amounts.values()):
        for name in _DATES:
            if cells.text(name):
                cells.fail(name, "come with an amount", cells.text(name))
        return None
    if (amounts["rights_e6"] > 0) != (amounts["rights_price_e4"] > 0):
        found = f"{cells.text('rights') or 0} and {cells.text('rights_price') or 0}"
        cells.fail("rights and rights_price", "come together", found)
    if dates["record_date"] >= ex_date:
        cells.fail("record_date", "be before date", cells.text("record_date"))
    for name in ("pay_date", "new_shares_date"):
        if 0 < dates[_DATES[name]] < ex_date:
            cells.fail(name, "not be before date", cells.text(name))
    return CorporateAction(instrument, ex_date, **amounts, **dates)


def _date(word: str) -> int | None:
    return date_of(word) or None


def _flag(word: str) -> bool | None:
    return _FLAGS.get(word.lower())


def _scaled(scale: int, largest: int, word: str) -> int | None:
    """Return a number in 0..largest times a scale, half up; None for what is none."""
    if not _NUMBER.fullmatch(word):
        return None
    number = Decimal(word)
    if not 0 <= number <= largest:
        return None
    return int((number * scale).to_integral_value(ROUND_HALF_UP))
