"""Corporate actions in reference rows: as columns, as values, and what must hold in them."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from tidegate_common.domain.ids import format_symbol
from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.errors import ContractError
from tidegate_common.frames.rows import ACTION_AMOUNTS, ACTION_DATES, ReferenceRows
from tidegate_common.market.corporate_actions import CorporateAction

# 10,000 CNY or 1,000 new shares a share, far beyond all that ever was, and far from where the
# values of a holding leave 64 bits.
ACTION_MAX: Final = {
    "cash_e6": 10_000_000_000,
    "bonus_e6": 1_000_000_000,
    "transfer_e6": 1_000_000_000,
    "rights_e6": 1_000_000_000,
    "rights_price_e4": 100_000_000,
}
_DATE_MIN, _DATE_MAX = 1900_01_01, 9999_12_31
_UNIX_YEAR = 1970
_FIELDS = (*ACTION_AMOUNTS, *ACTION_DATES)
# A share has a listing date of its own.
_NAMES = {"new_shares_date": "listing_date"}


def actions_of(rows: ReferenceRows, trade_date: int) -> tuple[CorporateAction, ...]:
    """Return what goes ex on the day of some reference rows, sorted by instrument."""
    places = np.flatnonzero(_have_action(rows))
    columns = {_NAMES.get(name, name): getattr(rows, name)[places].tolist() for name in _FIELDS}
    return tuple(
        CorporateAction(instrument, trade_date, **dict(zip(columns, values, strict=True)))
        for instrument, *values in zip(
            rows.instrument[places].tolist(), *columns.values(), strict=True
        )
    )


def action_columns(
    instrument: Int64Array,
    actions: Sequence[CorporateAction],
) -> dict[str, Int64Array]:
    """Return actions as the columns of reference rows, (n,) each; `actions_of` backwards.

    Parameters
    ----------
    instrument : (n,) int64, sorted; what is not in it is left out.
    actions : at most one an instrument.
    """
    columns = {name: np.zeros(len(instrument), np.int64) for name in _FIELDS}
    known = dict(zip(instrument.tolist(), range(len(instrument)), strict=True))
    for action in actions:
        place = known.get(action.instrument)
        if place is not None:
            for name, column in columns.items():
                column[place] = getattr(action, _NAMES.get(name, name))
    return columns


def check_actions(rows: ReferenceRows) -> None:
    """Raise ContractError if a date or an amount is none, or rights come without their price."""
    for name in ("listing_date", *ACTION_DATES):
        column = getattr(rows, name)
        if column.any():
            _check(rows, name, (column == 0) | _are_dates(column), "be a date as YYYYMMDD or 0")
    for name, largest in ACTION_MAX.items():
        column = getattr(rows, name)
        if column.any():
            _check(rows, name, (column >= 0) & (column <= largest), f"be in 0..{largest}")
    has_rights, has_price = rows.rights_e6 > 0, rows.rights_price_e4 > 0
    _check(rows, "rights_price_e4", has_rights == has_price, "come with rights_e6, and only so")


def _have_action(rows: ReferenceRows) -> BoolArray:
    found = np.zeros(len(rows), np.bool_)
    for name in ACTION_AMOUNTS:
        found |= getattr(rows, name) > 0
    return found


def _are_dates(column: Int64Array) -> BoolArray:
    is_near = (column >= _DATE_MIN) & (column <= _DATE_MAX)
    date = np.where(is_near, column, _DATE_MIN)
    month, day = date // 100 % 100, date % 100
    is_month = (month >= 1) & (month <= 12)  # noqa: PLR2004  # months of a year
    months = (date // 10_000 - _UNIX_YEAR) * 12 + np.where(is_month, month, 1) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]")
    is_within = (first + (day - 1)).astype("datetime64[M]").astype(np.int64) == months
    found: BoolArray = is_near & is_month & is_within
    return found


def _check(rows: ReferenceRows, name: str, is_good: BoolArray, must: str) -> None:
    if is_good.all():
        return
    row = int(np.argmin(is_good))
    symbol, found = format_symbol(int(rows.instrument[row])), getattr(rows, name)[row]
    message = f"{name} must {must}, was {found} (row {row}, instrument {symbol})"
    raise ContractError(message)
