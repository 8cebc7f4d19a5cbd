"""What holds: the rule book for an instrument and a day, and the strategies of a run."""

import asyncio
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query

from tidegate_common.domain.enums import ListingStatus, RiskWarning
from tidegate_common.domain.ids import parse_symbol
from tidegate_common.domain.units import PRICE_SCALE
from tidegate_common.market.answers import answer_json
from tidegate_common.market.board import board_of
from tidegate_common.market.calendar import CalendarError, xshg_calendar
from tidegate_common.market.instruments import InstrumentStatus
from tidegate_common.market.listing import LISTED_LONG_AGO, stage_of
from tidegate_common.market.lots import price_tick_e4
from tidegate_common.market.rulebook import instrument_rules
from tidegate_gateway.problems import ProblemError
from tidegate_gateway.resources import Given
from tidegate_gateway.routes.asked import RunParameter
from tidegate_gateway.schemas.market import InstrumentView
from tidegate_gateway.schemas.rules import RulesView
from tidegate_gateway.schemas.strategies import StrategiesView, StrategyView
from tidegate_gateway.schemas.texts import DayText, SymbolText

router = APIRouter(prefix="/v1", tags=["market"])

_DATE_MAX = 9999_12_31
# Ten million CNY a share: thousands of times beyond the dearest, and far from int64's end.
_PRICE_CNY_MAX = Decimal(10_000_000)

InstrumentPath = Annotated[SymbolText, Path(examples=["600519.SH"])]
DateParameter = Annotated[
    DayText | None,
    Query(
        alias="date",
        description="a trading day; the last one that a run had the instrument on if none",
        examples=["2023-02-01"],
    ),
]
PriceParameter = Annotated[
    Decimal | None,
    Query(
        gt=0,
        le=_PRICE_CNY_MAX,
        decimal_places=4,
        description="ex-rights previous close; as recorded if none, and then of that very day",
        examples=["1800.00"],
    ),
]
WarningParameter = Annotated[
    bool | None,
    Query(alias="st", description="whether it is under risk warning; as recorded if none"),
]


@router.get("/rules/{instrument}")
async def get_rules(  # one a parameter of the request
    given: Given,
    instrument: InstrumentPath,
    day: DateParameter = None,
    prev_close: PriceParameter = None,
    is_st: WarningParameter = None,
    run: RunParameter = None,
) -> RulesView:
    """Return the rules of an instrument on a day, with the source of each and how sure it is."""
    wanted = None if day is None else day.year * 10_000 + day.month * 100 + day.day
    recorded = await given.then.reference(
        run_id=run,
        instrument=parse_symbol(instrument),
        trade_date=_DATE_MAX if wanted is None else wanted,
    )
    if wanted is None and recorded is None:
        detail = f"query.date: expected a trading day, as no run has {instrument}, found none"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    trade_date = recorded.trade_date if wanted is None and recorded else wanted or 0
    # The first call reads the calendar, which takes a moment.
    return await asyncio.to_thread(
        _rules,
        instrument,
        trade_date,
        prev_close=prev_close,
        is_st=is_st,
        recorded=recorded if recorded and recorded.trade_date == trade_date else None,
    )


@router.get("/strategies")
async def list_strategies(given: Given, run: RunParameter = None) -> StrategiesView:
    """Return a run's strategies with their parameters, in its order."""
    found = await given.then.spec(run)
    if found is None:
        return StrategiesView(run_id=None, items=[])
    run_id, spec = found
    shares = spec.construction.capital_bps
    items = [StrategyView.of(one, shares.get(one.name)) for one in spec.strategies]
    return StrategiesView(run_id=run_id, items=items)


def _rules(
    symbol: str,
    trade_date: int,
    *,
    prev_close: Decimal | None,
    is_st: bool | None,
    recorded: InstrumentView | None,
) -> RulesView:
    """Return the rules, by what the caller says first, then by what is recorded of the day."""
    instrument = parse_symbol(symbol)
    board = board_of(instrument)
    assumptions = ["listed long ago, and not in a delisting period"]
    if prev_close is not None:
        prev_close_e4 = int(prev_close * PRICE_SCALE)
        if prev_close_e4 % price_tick_e4(board):
            detail = f"query.prev_close: expected whole ticks, found {prev_close}"
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    else:
        told = recorded.prev_close_cny if recorded else None
        prev_close_e4 = int(Decimal(told) * PRICE_SCALE) if told else 0
    if is_st is None and recorded is None:
        assumptions.append("not under risk warning")
    has_warning = is_st if is_st is not None else recorded is not None and recorded.is_st
    try:
        xshg_calendar().require_trading_day(trade_date)
    except CalendarError as error:
        detail = f"query.date: {error}"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from error
    warning = RiskWarning.YES if has_warning else RiskWarning.NO
    status = InstrumentStatus(
        instrument=instrument,
        board=board,
        stage=stage_of(
            board=board,
            risk_warning=warning,
            status=ListingStatus.LISTED,
            listed=LISTED_LONG_AGO,
            listing_day=0,
            status_day=0,
        ),
        status=ListingStatus.LISTED,
        risk_warning=warning,
        listed=LISTED_LONG_AGO,
        listing_day=0,
        status_from=0,
        status_day=0,
        has_same_day_resale=False,
        row=None,
    )
    rules = instrument_rules(status, trade_date, prev_close_e4=prev_close_e4)
    answer = answer_json(rules, tuple(assumptions))
    return RulesView.model_validate(
        answer if prev_close_e4 else {**answer, "prev_close": None},
    )
