"""What an account would like to do, before any check."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from tidegate_common.domain.enums import CauseKind, OrderType, Side, TimeInForce
from tidegate_common.domain.units import Int64Array
from tidegate_common.events.orders import OrderRequest
from tidegate_risk.engine.layout import (
    AS_ASKED,
    AT,
    BOUGHT,
    HELD,
    INT64_MAX,
    INTENT_COLUMNS,
    IS_BUY,
)
from tidegate_risk.engine.portfolio import Account
from tidegate_risk.engine.rules import kind_of
from tidegate_risk.engine.state import Market

# By name, because to ask an enum's class for a member takes as long as to make a tuple.
_BUY, _SELL = Side.BUY, Side.SELL
_LIMIT, _DAY, _REQUEST = OrderType.LIMIT, TimeInForce.DAY, CauseKind.REQUEST
# TARGET, IS_HELD_TOO and RESERVE of what is not to be sized.
_NO_SIZE = 0, 0, 0


# Instrument, side, cause, score, order type and time in force; a request has no score: 0.
Ask = tuple[int, Side, str, int, OrderType, TimeInForce]


@dataclass(slots=True)
class Intents:
    """Orders that are wanted of an account, in the order in which they are.

    asks : what is asked; an instrument occurs once. A strategy's name is the cause of all that it
        asks for, its id that of a request.
    columns : (n, INTENT_COLUMNS) int64, see `layout.py`.
    score_beat : beat of the scores, -1 where requests are the cause.
    capital_fen : the strategy's, of which its answers state shares.
    turnover_fen_max : value that the strategy's orders of a day may have.
    """

    cause_kind: CauseKind
    asks: Sequence[Ask]
    columns: Int64Array
    score_beat: int = -1
    capital_fen: int = 0
    turnover_fen_max: int = INT64_MAX


def intents_of_requests(
    requests: Iterable[OrderRequest],
    account: Account,
    market: Market,
) -> Intents:
    """Return what order requests ask for, each in another instrument."""
    is_for_next_day = market.is_after_close
    asks: list[Ask] = []
    columns = []
    for request in requests:
        instrument, side, order_type = request.instrument, request.side, request.order_type
        asks.append((instrument, side, request.request_id, 0, order_type, request.time_in_force))
        row = (
            market.listed_row(instrument),
            AS_ASKED,
            side is _BUY,
            order_type.is_market,
            request.price_e4,
            request.quantity_shares,
            *_NO_SIZE,
            *account.stake(instrument, side, is_for_next_day=is_for_next_day),
            kind_of(order_type, request.time_in_force),
        )
        columns.append(row)
    return Intents(_REQUEST, asks, np.array(columns, np.int64))


def asks_of_strategy(
    strategy: str,
    instruments: Iterable[int],
    sides: Iterable[Side],
    scores_e6: Iterable[int],
) -> Sequence[Ask]:
    """Return what a strategy asks for: limit orders, for the day."""
    return [*zip(instruments, sides, repeat(strategy), scores_e6, repeat(_LIMIT), repeat(_DAY))]


def columns_of(
    instruments: Sequence[int],
    sides: Sequence[Side],
    account: Account,
    market: Market,
) -> Int64Array:
    """Return columns that say where each instrument is, the side, and what the account has in it.

    Parameters
    ----------
    sides : sells first.

    Returns
    -------
    columns : (n, INTENT_COLUMNS) int64, all others 0.
    """
    columns: Int64Array = np.zeros((len(instruments), INTENT_COLUMNS), np.int64)
    columns[:, AT] = market.listed_rows(instruments)
    columns[sides.count(_SELL) :, IS_BUY] = 1
    stakes = account.stakes(instruments, sides, is_for_next_day=market.is_after_close)
    for place, stake in stakes:
        columns[place, HELD : BOUGHT + 1] = stake
    return columns
