"""Listing dates, out of the lists of shares that vendors publish."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tidegate_cli.conformance.bars import in_file, read_code
from tidegate_cli.rules.question import read_date
from tidegate_common.domain.ids import format_symbol
from tidegate_common.errors import ConfigError

# The columns of a code and of its listing date, by vendor.
_COLUMNS: Final = (("code", "ipoDate"), ("ts_code", "list_date"))
# baostock lists indices, bonds and funds beside shares.
_KIND_COLUMN: Final = "type"
_SHARE_KIND: Final = "1"


def read_listings(paths: Sequence[Path]) -> dict[int, int]:
    """Return the listing date of each share that a list names.

    Raises
    ------
    ConfigError
        If a list cannot be read or has other columns, or two lists contradict one another.
    """
    listings: dict[int, int] = {}
    for path in paths:
        for instrument, listed in _read_list(path).items():
            if listings.setdefault(instrument, listed) != listed:
                message = (
                    f"listing dates must agree, were {listings[instrument]} and {listed} "
                    f"({format_symbol(instrument)}, {path})"
                )
                raise ConfigError(message)
    return listings


def _read_list(path: Path) -> dict[int, int]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            names, rows = tuple(reader.fieldnames or ()), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = f"expected a CSV list of shares in {path}, found: {error}"
        raise ConfigError(message) from error
    for code, listed in _COLUMNS:
        if code in names and listed in names:
            with in_file(path):
                return {
                    read_code(row[code]): read_date(row[listed], name=listed)
                    for row in rows
                    if row.get(_KIND_COLUMN, _SHARE_KIND) == _SHARE_KIND
                }
    expected = " or ".join(", ".join(pair) for pair in _COLUMNS)
    message = f"expected the columns {expected} in {path}, found: {', '.join(names) or 'none'}"
    raise ConfigError(message)
