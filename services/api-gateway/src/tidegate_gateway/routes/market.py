"""The market as a run sees it: newest quotes, bars, scores and reference data."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from tidegate_common.domain.enums import Board
from tidegate_common.domain.ids import parse_symbol
from tidegate_gateway.pages import BARS, INSTRUMENTS, SCORES
from tidegate_gateway.problems import ProblemError
from tidegate_gateway.quotes import Newest
from tidegate_gateway.resources import Given
from tidegate_gateway.routes.answers import answer, json_answer
from tidegate_gateway.routes.asked import (
    ROWS_MAX,
    Asked,
    LimitParameter,
    RunParameter,
    SymbolParameter,
    instrument_of,
    time_ns,
)
from tidegate_gateway.schemas.base import Page, json_of
from tidegate_gateway.schemas.market import (
    BarView,
    InstrumentView,
    LatestScoresView,
    QuotesView,
    QuoteView,
    ScoreView,
)
from tidegate_gateway.schemas.texts import DayText, MomentText, SymbolText, time_text

router = APIRouter(prefix="/v1", tags=["market"])

_DATE_MAX = 9999_12_31
_NS_MAX = 2**63 - 1

SymbolsParameter = Annotated[
    list[SymbolText] | None,
    Query(max_length=ROWS_MAX, description="only these; may be repeated", examples=["600519.SH"]),
]
AfterSymbol = Annotated[
    SymbolText | None,
    Query(description="`next` of the page before", examples=["000001.SZ"]),
]
BarInstrument = Annotated[SymbolText, Query(examples=["600519.SH"])]
IntervalParameter = Annotated[
    int,
    Query(
        ge=1,
        le=86_400 * 366,
        description="length of the bars, s; those of the run's strategies are recorded",
        examples=[60],
    ),
]
StrategyName = Annotated[str, Query(pattern=r"^[^\x00]{1,100}$", examples=["cross"])]
AtParameter = Annotated[
    MomentText | None,
    Query(description="market time, ISO 8601 with offset; the newest if none"),
]
DateParameter = Annotated[
    DayText | None,
    Query(description="the last day up to this one; the newest if none", examples=["2023-02-01"]),
]
PrefixParameter = Annotated[
    str | None,
    Query(
        pattern=r"^[0-9]{1,6}(\.[A-Z]{0,2})?$",
        description="a symbol's beginning",
        examples=["600"],
    ),
]
BoardParameter = Annotated[
    Literal["main", "chinext", "star", "bse", "etf", "etf_growth", "unknown"] | None,
    Query(examples=["main"]),
]
SectorParameter = Annotated[
    str | None,
    Query(pattern=r"^[^\x00]{1,100}$", description="as the feed spells it", examples=["food"]),
]


@router.get("/quotes", response_model=QuotesView)
async def list_quotes(
    given: Given,
    symbol: SymbolsParameter = None,
    after: AfterSymbol = None,
    limit: LimitParameter = 100,
) -> Response:
    """Return the newest quote of each instrument; of a run of bars there are none."""
    newest = await given.quotes.newest()
    if newest is None:
        return answer(_NO_QUOTES)
    asked = (None if symbol is None else frozenset(symbol), after, limit)
    text = newest.page(asked, lambda: json_of(_page(newest, symbol, after, limit)))
    return json_answer(text)


def _page(newest: Newest, symbol: list[str] | None, after: str | None, limit: int) -> QuotesView:
    first = 0 if after is None else parse_symbol(after) + 1
    if symbol is None:
        begin = int(newest.rows.instrument.searchsorted(first))
        rows = list(range(begin, min(begin + limit + 1, len(newest.rows))))
    else:
        wanted = sorted({parse_symbol(each) for each in symbol})
        found = [newest.row_of(instrument) for instrument in wanted if instrument >= first]
        rows = [row for row in found if row is not None][: limit + 1]
    return _quotes(newest, rows, limit)


@router.get("/bars", response_model=Page[BarView])
async def list_bars(
    given: Given,
    asked: Asked,
    symbol: BarInstrument,
    interval: IntervalParameter = 60,
) -> Response:
    """Return an instrument's bars by their end; `from` and `to` are of their end too."""
    query = asked.query(BARS, instrument=parse_symbol(symbol), period_seconds=interval)
    return answer(await given.then.bars(query))


@router.get("/scores", response_model=LatestScoresView)
async def list_scores(
    given: Given,
    strategy: StrategyName,
    run: RunParameter = None,
    symbol: SymbolParameter = None,
    at: AtParameter = None,
    after: AfterSymbol = None,
    limit: LimitParameter = 100,
) -> Response:
    """Return a strategy's last score of each instrument, as of now or of a time."""
    found = await given.then.spec(run)
    known = [] if found is None else [one.name for one in found[1].strategies]
    if found is None or strategy not in known:
        detail = f"there is no strategy {strategy} in the run, there are: {', '.join(known)}"
        raise ProblemError(HTTPStatus.NOT_FOUND, detail)
    wanted = instrument_of(symbol)
    first = 0 if after is None else parse_symbol(after) + 1
    at_ns = time_ns(at, "at")
    items = await given.then.latest_scores(
        run_id=found[0],
        strategy=strategy,
        instruments=(first, _NS_MAX) if wanted is None else (max(first, wanted), wanted),
        at_ns=_NS_MAX if at_ns is None else at_ns,
        limit=limit + 1,
    )
    following = items[limit - 1].symbol if len(items) > limit else None
    return answer(LatestScoresView(run_id=found[0], items=items[:limit], next=following))


@router.get("/scores/changes", response_model=Page[ScoreView])
async def list_score_changes(
    given: Given,
    asked: Asked,
    strategy: StrategyName,
    symbol: SymbolParameter = None,
) -> Response:
    """Return a strategy's scores where they are another than before, by instrument and beat."""
    query = asked.query(SCORES, strategy_name=strategy, instrument=instrument_of(symbol))
    return answer(await given.then.score_changes(query))


@router.get("/instruments", response_model=Page[InstrumentView])
async def list_instruments(
    given: Given,
    asked: Asked,
    day: Annotated[DateParameter, Query(alias="date")] = None,
    symbol: PrefixParameter = None,
    board: BoardParameter = None,
    sector: SectorParameter = None,
    *,
    is_st: Annotated[bool | None, Query(alias="st")] = None,
    is_suspended: Annotated[bool | None, Query(alias="suspended")] = None,
) -> Response:
    """Return what instruments were when a day began, as the run's OPEN beat told it."""
    query = asked.query(
        INSTRUMENTS,
        symbol_prefix=symbol,
        board=None if board is None else Board[board.upper()],
        sector=sector,
        is_st=is_st,
        is_suspended=is_suspended,
    )
    trade_date = _DATE_MAX if day is None else day.year * 10_000 + day.month * 100 + day.day
    return answer(await given.then.instruments(query, trade_date))


def _quotes(newest: Newest, rows: list[int], limit: int) -> QuotesView:
    items = [QuoteView.of(newest.rows, row) for row in rows[:limit]]
    return QuotesView(
        run_id=newest.stamp.run_id,
        beat=newest.stamp.beat,
        ts_event_ns=newest.stamp.ts_event_ns,
        time=time_text(newest.stamp.ts_event_ns),
        items=items,
        next=items[-1].symbol if len(rows) > limit else None,
    )


_NO_QUOTES = QuotesView(run_id=None, beat=None, ts_event_ns=None, time=None, items=[], next=None)
