"""The rule book behind one door: every rule of an instrument on a day.

`RuleBook.on` answers a person, each part with its row, source and confidence; `columns_on` answers
an engine with arrays. Both say the same, and both refuse a day without trading.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Exchange, RiskWarning
from tidegate_common.domain.ids import EXCHANGE_STEP
from tidegate_common.domain.units import Int64Array
from tidegate_common.market.cage import PriceCage, PriceCages, price_cage, price_cages
from tidegate_common.market.calendar import TradingCalendar
from tidegate_common.market.dated import DatedRow, row_on
from tidegate_common.market.fees import FeeRows, fee_rows_on
from tidegate_common.market.instruments import InstrumentColumns, InstrumentStatus, InstrumentTable
from tidegate_common.market.lots import (
    ST_BUY_CAP_ROWS,
    TICK_ROWS,
    LotColumns,
    LotRule,
    lot_columns,
    lot_row,
)
from tidegate_common.market.price_limits import PriceLimit, PriceLimits, price_limit, price_limits
from tidegate_common.market.programme_trading import ProgrammeTradingThresholds, thresholds_on
from tidegate_common.market.sessions import Session, sessions_on
from tidegate_common.market.settlement import SettlementRule, settlement_rule

# The ST buy cap of who has none: every quantity is below it.
NO_CAP_SHARES = int(np.iinfo(np.int64).max)
# The days until resale where the rule book has no row: what was bought is not known to be sellable.
NO_RESALE_DAYS = int(np.iinfo(np.int64).max)
# A board travels as uint8: every value of it has a place, known or not.
_BOARD_VALUES = 256


@dataclass(frozen=True, slots=True)
class InstrumentRules:
    """What holds for one instrument on one day; a row is None where the rule book has none.

    limit : stands on `prev_close_e4`, the ex-rights reference price.
    cage : stands on `prev_close_e4` too, which is its reference as long as there is no book and no
        trade; `cage.price_cage` takes others.
    st_buy_cap : of a share under risk warning, or of which nobody knows whether it is; None for
        others.
    fees : None for an instrument of no exchange.
    """

    trade_date: int
    prev_close_e4: int
    status: InstrumentStatus
    limit: PriceLimit
    cage: PriceCage
    lot: DatedRow[LotRule] | None
    tick: DatedRow[int] | None
    st_buy_cap: DatedRow[int] | None
    sessions: DatedRow[tuple[Session, ...]] | None
    settlement: DatedRow[SettlementRule] | None
    fees: FeeRows | None
    programme_trading: DatedRow[ProgrammeTradingThresholds] | None


@dataclass(frozen=True, slots=True)
class RuleColumns:
    """What holds for n instruments on one day, as columns; `InstrumentRules` says what they are.

    exchange : (n,) int64, `Exchange`, or another number for an instrument of none; with the
        boards of `statuses` it is what `sessions.phases_at` asks for.
    st_buy_cap_shares : (n,) int64, `NO_CAP_SHARES` where there is no cap.
    resale_days : (n,) int64, `NO_RESALE_DAYS` where the rule book has no row.
    """

    exchange: Int64Array
    statuses: InstrumentColumns
    limits: PriceLimits
    cages: PriceCages
    lots: LotColumns
    st_buy_cap_shares: Int64Array
    resale_days: Int64Array


class RuleBook:
    """The rules of a market.

    Parameters
    ----------
    instruments : what each instrument was, by date.
    calendar : which days have trading.
    thresholds : a user's own row of programme-trading thresholds, which comes before the rule
        book's.
    """

    def __init__(
        self,
        instruments: InstrumentTable,
        calendar: TradingCalendar,
        *,
        thresholds: DatedRow[ProgrammeTradingThresholds] | None = None,
    ) -> None:
        self._instruments = instruments
        self._calendar = calendar
        self._thresholds = thresholds

    def on(self, instrument: int, trade_date: int, *, prev_close_e4: int) -> InstrumentRules:
        """Return the rules of one instrument on a day.

        Parameters
        ----------
        trade_date : YYYYMMDD, Shanghai.
        prev_close_e4 : the ex-rights reference price, on a listing day the issue price; 0 not
            known.

        Raises
        ------
        CalendarError
            If there is no trading on the day, or the calendar does not cover it.
        """
        self._calendar.require_trading_day(trade_date)
        status = self._instruments.status_on(instrument, trade_date)
        return instrument_rules(
            status,
            trade_date,
            prev_close_e4=prev_close_e4,
            thresholds=self._thresholds,
        )

    def columns_on(
        self,
        instruments: Int64Array,
        trade_date: int,
        *,
        prev_close_e4: Int64Array,
    ) -> RuleColumns:
        """Return the rules of many instruments on a day; equals `on` elementwise.

        Parameters
        ----------
        instruments : (n,) int64, in any order, known or not.
        trade_date : YYYYMMDD, Shanghai.
        prev_close_e4 : (n,) int64, below 10^12, as of `on`.

        Raises
        ------
        CalendarError
            If there is no trading on the day, or the calendar does not cover it.
        InvariantError
            If the arrays differ in shape.
        """
        self._calendar.require_trading_day(trade_date)
        statuses = self._instruments.statuses_on(instruments, trade_date)
        return rule_columns(statuses, trade_date, prev_close_e4=prev_close_e4)


def instrument_rules(
    status: InstrumentStatus,
    trade_date: int,
    *,
    prev_close_e4: int,
    thresholds: DatedRow[ProgrammeTradingThresholds] | None = None,
) -> InstrumentRules:
    """Return the rules of an instrument whose status is known; see `RuleBook.on`.

    Parameters
    ----------
    status : the instrument on `trade_date`.
    trade_date : YYYYMMDD, Shanghai; a trading day, which is not checked here.
    thresholds : as of `RuleBook`.
    """
    board = status.board
    number = status.instrument // EXCHANGE_STEP
    exchange = Exchange(number) if number in _EXCHANGES else None
    return InstrumentRules(
        trade_date=trade_date,
        prev_close_e4=prev_close_e4,
        status=status,
        limit=price_limit(
            board=board,
            stage=status.stage,
            prev_close_e4=prev_close_e4,
            trade_date=trade_date,
            status_from=status.status_from,
        ),
        cage=price_cage(
            board=board,
            trade_date=trade_date,
            buy_reference_e4=prev_close_e4,
            sell_reference_e4=prev_close_e4,
        ),
        lot=lot_row(board, trade_date),
        tick=row_on(TICK_ROWS[board], trade_date),
        st_buy_cap=_st_buy_cap_row(status, trade_date),
        sessions=(
            sessions_on(exchange=exchange, board=board, trade_date=trade_date)
            if exchange is not None
            else None
        ),
        settlement=settlement_rule(
            has_same_day_resale=status.has_same_day_resale,
            trade_date=trade_date,
        ),
        fees=fee_rows_on(exchange, board, trade_date) if exchange is not None else None,
        programme_trading=thresholds_on(trade_date, thresholds),
    )


def rule_columns(
    statuses: InstrumentColumns,
    trade_date: int,
    *,
    prev_close_e4: Int64Array,
) -> RuleColumns:
    """Return the rules of instruments whose statuses are known; see `RuleBook.columns_on`.

    Parameters
    ----------
    statuses : n instruments on `trade_date`.
    trade_date : YYYYMMDD, Shanghai; a trading day, which is not checked here.
    prev_close_e4 : (n,) int64, below 10^12.

    Raises
    ------
    InvariantError
        If the arrays differ in shape.
    """
    return RuleColumns(
        exchange=statuses.instrument // EXCHANGE_STEP,
        statuses=statuses,
        limits=price_limits(
            boards=statuses.board,
            stages=statuses.stage,
            prev_close_e4=prev_close_e4,
            trade_date=trade_date,
            status_from=statuses.status_from,
        ),
        cages=price_cages(
            boards=statuses.board,
            trade_date=trade_date,
            buy_reference_e4=prev_close_e4,
            sell_reference_e4=prev_close_e4,
        ),
        lots=lot_columns(statuses.board, trade_date),
        st_buy_cap_shares=np.where(
            statuses.risk_warning == RiskWarning.NO,
            NO_CAP_SHARES,
            _st_buy_caps(trade_date)[statuses.board],
        ),
        resale_days=np.where(
            statuses.has_same_day_resale,
            _resale_days(trade_date, has_same_day_resale=True),
            _resale_days(trade_date, has_same_day_resale=False),
        ),
    )


def _st_buy_cap_row(status: InstrumentStatus, trade_date: int) -> DatedRow[int] | None:
    if status.risk_warning is RiskWarning.NO:
        return None
    return row_on(ST_BUY_CAP_ROWS.get(status.board, ()), trade_date)


def _st_buy_caps(trade_date: int) -> NDArray[np.int64]:
    """Return the cap of shares under risk warning by board, (256,)."""
    caps = np.full(_BOARD_VALUES, NO_CAP_SHARES, dtype=np.int64)
    for board, rows in ST_BUY_CAP_ROWS.items():
        row = row_on(rows, trade_date)
        if row is not None:
            caps[board] = row.value
    return caps


def _resale_days(trade_date: int, *, has_same_day_resale: bool) -> int:
    row = settlement_rule(has_same_day_resale=has_same_day_resale, trade_date=trade_date)
    return row.value.resale_days if row is not None else NO_RESALE_DAYS


_EXCHANGES = frozenset(Exchange)
