"""Listing dates, out of the lists of shares that vendors publish."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from tidegate_cli.conformance.bars import read_code
from tidegate_cli.rules.question import read_date
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
                    f"(instrument={instrument}, {path})"
                )
                raise ConfigError(message)
    return listings


def _read_list(path: Path) -> dict[int, int]:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        message = f"expected a CSV list of shares in {path}, found: {error}"
        raise ConfigError(message) from error
    if _KIND_COLUMN in table:
        table = table[table[_KIND_COLUMN] == _SHARE_KIND]
    for code, listed in _COLUMNS:
        if code in table and listed in table:
            return {
                read_code(symbol): read_date(day, name=listed)
                for symbol, day in zip(table[code], table[listed], strict=True)
            }
    message = f"expected columns {_COLUMNS} in {path}, found: {', '.join(map(str, table))}"
    raise ConfigError(message)
