"""Every recorded day within its limits, and each day beyond the plain ones explained by a rule."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tidegate_cli.conformance.bars import DailyBars
from tidegate_cli.rules.days import rows_by_date
from tidegate_common.domain.enums import Board, LimitState, ListingStage
from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.market.dated import DatedRow
from tidegate_common.market.instruments import InstrumentTable
from tidegate_common.market.price_limits import LimitRule, PriceLimits, price_limit, price_limits

_IN_DOUBT: Final = ListingStage.RISK_WARNING_IN_DOUBT
# Which row is in force does not hang on the price.
_ANY_PRICE_E4: Final = 100_000
# A place for every date behind a date.
_DATES: Final = 1_0000_00_00


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule that a day was held against.

    row : None where the rule book is silent, which leaves the day unexplained.
    """

    board: Board
    stage: ListingStage
    row: DatedRow[LimitRule] | None


@dataclass(frozen=True, slots=True)
class Day:
    """One day of one instrument that stands out."""

    instrument: int
    trade_date: int
    prev_close_e4: int
    high_e4: int
    low_e4: int


@dataclass(frozen=True, slots=True)
class RuleCount:
    """What one rule met in one file.

    high_at_limit_count, low_at_limit_count : days whose high or low is the computed limit itself.
    exceptions : days beyond the plain limit (of the board, ST or not) that this rule explains.
    unexplained : days beyond what this rule allows.
    """

    rule: Rule
    row_count: int
    high_at_limit_count: int
    low_at_limit_count: int
    exceptions: tuple[Day, ...]
    unexplained: tuple[Day, ...]


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What became of a file.

    ex_rights_count : days whose previous close is not the close of the day before.
    ex_rights_exceptions : those of them that lie beyond limits computed from that close, and
        within the limits computed from the ex-rights reference price.
    """

    name: str
    row_count: int
    suspended_count: int
    rules: tuple[RuleCount, ...]
    ex_rights_count: int
    ex_rights_exceptions: tuple[Day, ...]


@dataclass(frozen=True, slots=True)
class _Limits:
    """A file's days beside their limits, (n,) each; `plain` knows the board and ST alone."""

    board: NDArray[np.uint8]
    stage: NDArray[np.uint8]
    state: NDArray[np.uint8]
    up_e4: Int64Array
    down_e4: Int64Array
    plain_up_e4: Int64Array
    plain_down_e4: Int64Array
    status_from: Int64Array


def check_bars(bars: DailyBars, table: InstrumentTable) -> FileCheck:
    """Hold every day of a file against the rule book."""
    limits = _limits_of(bars, table)
    is_limited = limits.state == LimitState.LIMITED
    is_outside = _is_outside(bars, up_e4=limits.up_e4, down_e4=limits.down_e4)
    is_unexplained = (limits.state == LimitState.UNKNOWN) | (is_limited & is_outside)
    is_exception = ~is_unexplained & _is_outside(
        bars, up_e4=limits.plain_up_e4, down_e4=limits.plain_down_e4
    )
    counts = []
    for rule, is_of_rule in _by_rule(bars, limits):
        is_at_up = is_of_rule & is_limited & (bars.high_e4 == limits.up_e4)
        is_at_down = is_of_rule & is_limited & (bars.low_e4 == limits.down_e4)
        counts.append(
            RuleCount(
                rule,
                int(is_of_rule.sum()),
                int(is_at_up.sum()),
                int(is_at_down.sum()),
                _days(bars, is_of_rule & is_exception),
                _days(bars, is_of_rule & is_unexplained),
            )
        )
    ex_rights_count, ex_rights_exceptions = _check_ex_rights(bars, table)
    return FileCheck(
        bars.name,
        len(bars),
        bars.suspended_count,
        tuple(counts),
        ex_rights_count,
        ex_rights_exceptions,
    )


def _limits_of(bars: DailyBars, table: InstrumentTable) -> _Limits:
    size = len(bars)
    numbers = np.zeros((5, size), dtype=np.int64)
    limits = _Limits(*np.zeros((3, size), dtype=np.uint8), *numbers)
    for trade_date, places in rows_by_date(bars.trade_date):
        of_day = _limits_on(
            table,
            trade_date,
            instruments=bars.instrument[places],
            prev_close_e4=bars.prev_close_e4[places],
        )
        for field in fields(_Limits):
            getattr(limits, field.name)[places] = getattr(of_day, field.name)
    return limits


def _limits_on(
    table: InstrumentTable,
    trade_date: int,
    *,
    instruments: Int64Array,
    prev_close_e4: Int64Array,
) -> _Limits:
    """Return a day's limits; where only risk warning is in doubt, the wider of the two bands."""
    columns = table.statuses_on(instruments, trade_date)

    def limits_at(stages: NDArray[np.uint8]) -> PriceLimits:
        return price_limits(
            boards=columns.board,
            stages=stages,
            prev_close_e4=prev_close_e4,
            trade_date=trade_date,
            status_from=columns.status_from,
        )

    own = limits_at(columns.stage)
    is_st = columns.stage == ListingStage.RISK_WARNING
    plain = limits_at(_uniform(ListingStage.ORDINARY, len(instruments)))
    narrow = limits_at(_uniform(ListingStage.RISK_WARNING, len(instruments)))
    is_narrow = narrow.state == LimitState.LIMITED
    wide_up_e4 = np.where(is_narrow, np.maximum(plain.up_e4, narrow.up_e4), plain.up_e4)
    wide_down_e4 = np.where(is_narrow, np.minimum(plain.down_e4, narrow.down_e4), plain.down_e4)
    is_in_doubt = (columns.stage == _IN_DOUBT) & (own.state == LimitState.UNKNOWN)
    return _Limits(
        board=columns.board,
        stage=columns.stage,
        state=np.where(is_in_doubt, plain.state, own.state),
        up_e4=np.where(is_in_doubt, wide_up_e4, own.up_e4),
        down_e4=np.where(is_in_doubt, wide_down_e4, own.down_e4),
        plain_up_e4=np.where(is_st, narrow.up_e4, plain.up_e4),
        plain_down_e4=np.where(is_st, narrow.down_e4, plain.down_e4),
        status_from=columns.status_from,
    )


def _check_ex_rights(bars: DailyBars, table: InstrumentTable) -> tuple[int, tuple[Day, ...]]:
    """Return how many days had a reference price of their own, and which of them it explains."""
    order = np.lexsort((bars.trade_date, bars.instrument))
    is_same = np.diff(bars.instrument[order], prepend=-1) == 0
    last_close_e4 = np.empty(len(bars), dtype=np.int64)
    last_close_e4[order] = np.where(is_same, np.roll(bars.close_e4[order], 1), 0)
    places = np.flatnonzero((last_close_e4 > 0) & (last_close_e4 != bars.prev_close_e4))
    days = _take(bars, places)
    right = _limits_of(days, table)
    wrong = _limits_of(replace(days, prev_close_e4=last_close_e4[places]), table)
    is_explained = (right.state == LimitState.LIMITED) & _is_outside(
        days, up_e4=wrong.up_e4, down_e4=wrong.down_e4
    )
    is_explained &= ~_is_outside(days, up_e4=right.up_e4, down_e4=right.down_e4)
    return len(places), _days(days, is_explained)


def _by_rule(bars: DailyBars, limits: _Limits) -> Iterator[tuple[Rule, BoolArray]]:
    """Yield each rule that the days met, with its days; by board, stage and date."""
    # Rows are dated by the trading day, but by its first day in a delisting period.
    begun = np.where(limits.stage == ListingStage.DELISTING, limits.status_from, 0)
    keys = bars.trade_date * _DATES + begun
    pairs = np.unique(np.stack([limits.board, limits.stage]), axis=1).T.tolist()
    for board, stage in pairs:
        is_pair = (limits.board == board) & (limits.stage == stage)
        keys_by_row: dict[DatedRow[LimitRule] | None, list[int]] = {}
        for key in np.unique(keys[is_pair]).tolist():
            trade_date, status_from = divmod(key, _DATES)
            row = _row_on(Board(board), ListingStage(stage), trade_date, status_from=status_from)
            keys_by_row.setdefault(row, []).append(key)
        for row, keys_of_row in keys_by_row.items():
            is_of_row = is_pair & np.isin(keys, keys_of_row)
            yield Rule(Board(board), ListingStage(stage), row), is_of_row


def _row_on(
    board: Board,
    stage: ListingStage,
    trade_date: int,
    *,
    status_from: int,
) -> DatedRow[LimitRule] | None:
    """Return the row of a stage; where only risk warning is in doubt, that of the wider band."""
    stages = (stage, ListingStage.ORDINARY) if stage is _IN_DOUBT else (stage,)
    rules = (
        price_limit(
            board=board,
            stage=each,
            prev_close_e4=_ANY_PRICE_E4,
            trade_date=trade_date,
            status_from=status_from,
        ).rule
        for each in stages
    )
    return next((row for row in rules if row is not None), None)


def _is_outside(bars: DailyBars, *, up_e4: Int64Array, down_e4: Int64Array) -> BoolArray:
    return (bars.high_e4 > up_e4) | (bars.low_e4 < down_e4)


def _uniform(stage: ListingStage, size: int) -> NDArray[np.uint8]:
    return np.full(size, stage, dtype=np.uint8)


def _days(bars: DailyBars, is_chosen: BoolArray) -> tuple[Day, ...]:
    chosen = np.stack(
        [
            bars.instrument[is_chosen],
            bars.trade_date[is_chosen],
            bars.prev_close_e4[is_chosen],
            bars.high_e4[is_chosen],
            bars.low_e4[is_chosen],
        ],
        axis=1,
    )
    return tuple(Day(*row) for row in chosen.tolist())


def _take(bars: DailyBars, places: Int64Array) -> DailyBars:
    return DailyBars(
        name=bars.name,
        instrument=bars.instrument[places],
        trade_date=bars.trade_date[places],
        prev_close_e4=bars.prev_close_e4[places],
        high_e4=bars.high_e4[places],
        low_e4=bars.low_e4[places],
        close_e4=bars.close_e4[places],
        risk_warning=bars.risk_warning[places],
        suspended_count=0,
    )
