"""What a user's reference file says of each day: listing dates, ST, sectors, corporate actions.

A fact holds from its row's date on until a later row of the instrument says another; what no row
says is left to the feed. A corporate action belongs to the first day from its ex-date on that has
the instrument: on the days between nobody could trade it, so the holders are the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from tidegate_common.domain.ids import format_symbol
from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.errors import ConfigError, InvariantError
from tidegate_common.frames.actions import action_columns
from tidegate_common.market.corporate_actions import CorporateAction, ex_rights_reference_e4

ValueT = TypeVar("ValueT")
# A place for every date behind an instrument id: 1,600,519 and 2023-02-01 are 160051920230201.
_DATES = 1_0000_00_00


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """A row of a reference file; None is what it does not say.

    valid_from : YYYYMMDD, from when the facts hold, and the ex-date of the action.
    listing_date : YYYYMMDD.
    """

    instrument: int
    valid_from: int
    listing_date: int | None = None
    is_st: bool | None = None
    is_suspended: bool | None = None
    sector: str | None = None
    action: CorporateAction | None = None


@dataclass(frozen=True, slots=True)
class DayFacts:
    """What is said of n instruments on a day.

    listing_date : (n,) int64, 0 where nothing is said.
    is_st, is_suspended : (n,) int64, 1, 0, or -1 where nothing is said.
    sector : (n,) str objects, "" where nothing is said.
    actions : that go ex, by instrument.
    """

    listing_date: Int64Array
    is_st: Int64Array
    is_suspended: Int64Array
    sector: np.ndarray[tuple[int], np.dtype[np.object_]]
    actions: Mapping[int, CorporateAction]

    def st(self, told: BoolArray) -> BoolArray:
        """Return the ST flags: what is said, else what the feed told."""
        return np.where(self.is_st < 0, told, self.is_st > 0)

    def suspended(self, told: BoolArray) -> BoolArray:
        """Return the suspensions: what is said, else what the feed told."""
        return np.where(self.is_suspended < 0, told, self.is_suspended > 0)

    def action_columns(self, instrument: Int64Array) -> dict[str, Int64Array]:
        """Return the columns of reference rows that corporate actions have."""
        return action_columns(instrument, tuple(self.actions.values()))

    def ex_rights_e4(
        self,
        instrument: Int64Array,
        prev_close_e4: Int64Array,
        is_raw: BoolArray,
    ) -> Int64Array:
        """Return previous closes, the raw ones of who goes ex by the rule book's formula.

        0, which is unknown, where an action would leave no price.

        Parameters
        ----------
        is_raw : (n,) bool, whether the close is that of the trading day before as it was.
        """
        if not self.actions:
            return prev_close_e4
        found = prev_close_e4.copy()
        for place in np.flatnonzero(is_raw & (prev_close_e4 > 0)).tolist():
            action = self.actions.get(int(instrument[place]))
            if action is not None:
                found[place] = _ex_rights_e4(int(prev_close_e4[place]), action)
        return found


def _keys_of(instruments: Sequence[int], dates: Sequence[int]) -> Int64Array:
    return np.array(instruments, np.int64) * _DATES + np.array(dates, np.int64)


class _Facts(Generic[ValueT]):
    """One kind of fact: from when it holds, by instrument."""

    def __init__(
        self,
        rows: Sequence[ReferenceRow],
        read: Callable[[ReferenceRow], ValueT | None],
    ) -> None:
        told = [(row, value) for row in rows if (value := read(row)) is not None]
        self._keys = _keys_of(
            [row.instrument for row, _ in told], [row.valid_from for row, _ in told]
        )
        self._values = np.array([value for _, value in told], dtype=np.object_)

    def fill(self, column: np.ndarray, wanted: Int64Array) -> None:
        """Write what holds into a column, and leave the other rows as they are."""
        if not len(self._keys):
            return
        place = np.searchsorted(self._keys, wanted, side="right") - 1
        is_told = (place >= 0) & (self._keys[place] // _DATES == wanted // _DATES)
        column[is_told] = self._values[place[is_told]]


class ReferenceTable:
    """The rows of a reference file by instrument and date.

    Parameters
    ----------
    rows : in any order, at most one an instrument and date.
    """

    def __init__(self, rows: Iterable[ReferenceRow] = ()) -> None:
        ordered = sorted(rows, key=lambda row: (row.instrument, row.valid_from))
        self.row_count = len(ordered)
        self.instrument_count = len({row.instrument for row in ordered})
        self._listing_date = _Facts(ordered, lambda row: row.listing_date)
        self._is_st = _Facts(ordered, lambda row: row.is_st)
        self._is_suspended = _Facts(ordered, lambda row: row.is_suspended)
        self._sector = _Facts(ordered, lambda row: row.sector)
        self._actions = [row.action for row in ordered if row.action is not None]
        self._action_keys = _keys_of(
            [action.instrument for action in self._actions],
            [action.ex_date for action in self._actions],
        )

    @property
    def action_count(self) -> int:
        """Return how many corporate actions there are."""
        return len(self._actions)

    def on(self, trade_date: int, instrument: Int64Array, last_seen: Int64Array) -> DayFacts:
        """Return what is said of a day.

        Parameters
        ----------
        instrument : (n,) int64.
        last_seen : (n,) int64, the last day before that had the instrument; an action since then
            counts, and one of before does not.

        Raises
        ------
        ConfigError
            If two actions of an instrument went ex since it was last seen.
        """
        count = len(instrument)
        nothing = np.full(count, -1, dtype=np.int64)
        wanted = instrument * _DATES + trade_date
        sector = np.full(count, "", dtype=np.object_)
        self._sector.fill(sector, wanted)
        facts = DayFacts(
            listing_date=np.zeros(count, dtype=np.int64),
            is_st=nothing,
            is_suspended=nothing.copy(),
            sector=sector,
            actions=self._actions_on(trade_date, instrument, last_seen),
        )
        self._listing_date.fill(facts.listing_date, wanted)
        self._is_st.fill(facts.is_st, wanted)
        self._is_suspended.fill(facts.is_suspended, wanted)
        return facts

    def _actions_on(
        self,
        trade_date: int,
        instrument: Int64Array,
        last_seen: Int64Array,
    ) -> dict[int, CorporateAction]:
        keys = self._action_keys
        start = np.searchsorted(keys, instrument * _DATES + last_seen, side="right")
        stop = np.searchsorted(keys, instrument * _DATES + trade_date, side="right")
        found: dict[int, CorporateAction] = {}
        for place in np.flatnonzero(stop > start).tolist():
            first, *others = self._actions[start[place] : stop[place]]
            if others:
                dates = ", ".join(str(each.ex_date) for each in (first, *others))
                message = (
                    f"expected one corporate action of {format_symbol(first.instrument)} between "
                    f"days that have it, found: {dates}, before {trade_date}"
                )
                raise ConfigError(message)
            found[first.instrument] = replace(first, ex_date=trade_date)
        return found


NO_REFERENCE = ReferenceTable()


class ReferenceDays:
    """A reference table over days in order, and when each instrument was last seen."""

    def __init__(self, table: ReferenceTable = NO_REFERENCE) -> None:
        self._table = table
        self._seen: dict[int, int] = {}

    def on(self, trade_date: int, instrument: Int64Array) -> DayFacts:
        """Return what is said of a day's instruments, and remember that they were there.

        Raises
        ------
        ConfigError
            As `ReferenceTable.on`.
        """
        if not self._table.row_count:
            return self._table.on(trade_date, instrument, np.zeros_like(instrument))
        # Who was never seen is held by nobody: only what goes ex today counts.
        seen = (self._seen.get(each, trade_date - 1) for each in instrument.tolist())
        facts = self._table.on(trade_date, instrument, np.fromiter(seen, np.int64))
        self.see(trade_date, instrument)
        return facts

    def see(self, trade_date: int, instrument: Int64Array) -> None:
        """Remember that a day had instruments."""
        if self._table.row_count:
            self._seen.update(dict.fromkeys(instrument.tolist(), trade_date))


def _ex_rights_e4(prev_close_e4: int, action: CorporateAction) -> int:
    try:
        # Feeds have shares only, whose tick it is.
        return ex_rights_reference_e4(prev_close_e4, action)
    except InvariantError:
        return 0
