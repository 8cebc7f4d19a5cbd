"""Which kinds of market orders a board takes."""

import pytest

from tidegate_common.domain.enums import Board, Exchange, OrderType, TimeInForce
from tidegate_common.market.order_types import takes_market_order

DAY, IOC, FOK = TimeInForce.DAY, TimeInForce.IOC, TimeInForce.FOK
FIVE_LEVELS = {(OrderType.MARKET, DAY), (OrderType.MARKET, IOC), (OrderType.MARKET_TO_LIMIT, DAY)}
BEST_PRICES = {(OrderType.COUNTERPARTY_BEST, DAY), (OrderType.OWN_BEST, DAY)}
SHENZHEN = {(OrderType.MARKET, DAY), (OrderType.MARKET, IOC), (OrderType.MARKET, FOK)}


@pytest.mark.parametrize(
    ("exchange", "board", "trade_date", "kinds"),
    [
        (Exchange.SH, Board.MAIN, 2023_04_09, FIVE_LEVELS),
        (Exchange.SH, Board.MAIN, 2023_04_10, FIVE_LEVELS | BEST_PRICES),
        (Exchange.SH, Board.STAR, 2019_07_21, set()),
        (Exchange.SH, Board.STAR, 2019_07_22, FIVE_LEVELS | BEST_PRICES),
        (Exchange.SZ, Board.MAIN, 2015_01_05, SHENZHEN | BEST_PRICES),
        (Exchange.SZ, Board.CHINEXT, 2026_07_06, SHENZHEN | BEST_PRICES),
        (Exchange.BJ, Board.BSE, 2026_07_06, set()),
        (Exchange.SZ, Board.UNKNOWN, 2026_07_06, set()),
    ],
)
def test_board_takes_the_market_orders_of_its_exchange(
    exchange: Exchange,
    board: Board,
    trade_date: int,
    kinds: set[tuple[OrderType, TimeInForce]],
) -> None:
    """Shanghai has no fill-or-kill, Shenzhen no five levels to limit."""
    asked = {
        (order_type, time_in_force)
        for order_type in (
            OrderType.MARKET,
            OrderType.MARKET_TO_LIMIT,
            OrderType.COUNTERPARTY_BEST,
            OrderType.OWN_BEST,
        )
        for time_in_force in (DAY, FOK)
    } | {(OrderType.MARKET, IOC)}

    taken = {
        kind
        for kind in asked
        if takes_market_order(*kind, exchange=exchange, board=board, trade_date=trade_date)
    }

    assert taken == kinds
