"""Market orders as the exchanges define them: which kinds a board takes, on which days.

Limit orders are taken everywhere. Market orders match in continuous trading only; whether it is
that is the session table's to say, how large they may be the lot rules'. A market order that is
filled at once as a whole or not at all is MARKET with FOK.
"""

from tidegate_common.domain.enums import Board, Exchange, OrderType, TimeInForce
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence, DatedRow, row_on

# A kind of market order is its type, and whether all of it must fill at once.
MarketKind = tuple[OrderType, bool]
MarketKinds = frozenset[MarketKind]

_FIVE_LEVELS: MarketKinds = frozenset(
    {(OrderType.MARKET, False), (OrderType.MARKET_TO_LIMIT, False)}
)
_BEST_PRICES: MarketKinds = frozenset(
    {(OrderType.COUNTERPARTY_BEST, False), (OrderType.OWN_BEST, False)},
)
_SH_KINDS = _FIVE_LEVELS | _BEST_PRICES
_SZ_KINDS = _BEST_PRICES | {(OrderType.MARKET, False), (OrderType.MARKET, True)}

_SH_2023 = "SSE 2023 No. 32 and successors, effective 2023-04-10"
_SH_ROWS = (
    DatedRow(
        FIRST_DATE,
        2023_04_09,
        _FIVE_LEVELS,
        f"SSE Trading Rules before {_SH_2023}; own and counterparty best unverified, so not taken",
        Confidence.D,
    ),
    DatedRow(2023_04_10, LAST_DATE, _SH_KINDS, _SH_2023, Confidence.B),
)
_SZ_ROWS = (
    DatedRow(
        FIRST_DATE,
        LAST_DATE,
        _SZ_KINDS,
        "SZSE Trading Rules, market orders (B); first date unverified",
        Confidence.D,
    ),
)

# No row for Beijing: how large its market orders may be is not known, so none is taken.
MARKET_KIND_ROWS: dict[tuple[Exchange, Board], tuple[DatedRow[MarketKinds], ...]] = {
    (Exchange.SH, Board.MAIN): _SH_ROWS,
    (Exchange.SH, Board.ETF): _SH_ROWS,
    (Exchange.SH, Board.ETF_GROWTH): _SH_ROWS,
    (Exchange.SH, Board.STAR): (
        DatedRow(
            2019_07_22,
            LAST_DATE,
            _SH_KINDS,
            "SSE STAR Market Trading Rules, effective 2019-07-22",
            Confidence.B,
        ),
    ),
    (Exchange.SZ, Board.MAIN): _SZ_ROWS,
    (Exchange.SZ, Board.CHINEXT): _SZ_ROWS,
    (Exchange.SZ, Board.ETF): _SZ_ROWS,
    (Exchange.SZ, Board.ETF_GROWTH): _SZ_ROWS,
}


def takes_market_order(
    order_type: OrderType,
    time_in_force: TimeInForce,
    *,
    exchange: Exchange,
    board: Board,
    trade_date: int,
) -> bool:
    """Tell whether a board takes a kind of market order on a day; not where there is no row.

    Source: trading rules of the exchanges, row by row in `MARKET_KIND_ROWS`, read 2026-11-21.
    """
    row = row_on(MARKET_KIND_ROWS.get((exchange, board), ()), trade_date)
    kind = (order_type, time_in_force is TimeInForce.FOK)
    return row is not None and kind in row.value
