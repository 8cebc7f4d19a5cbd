"""What an account would like to do, before any check."""

from collections.abc import Sequence
from dataclasses import dataclass

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
from tidegate_risk.engine.state import Market

# TARGET, IS_HELD_TOO and RESERVE of what is not to be sized.
_NO_SIZE = 0, 0, 0


@dataclass(slots=True)
class Intents:
    """Orders that one cause wants of an account, in the order in which it wants them.

    cause : the strategy's name, or the request's id.
    instruments, sides, scores_e6 : of each; an instrument occurs once.
    columns : (n, INTENT_COLUMNS) int64, see `layout.py`.
    score_beat : beat of the scores, -1 where a request is the cause.
    capital_fen : the strategy's, of which its answers state shares.
    turnover_fen_max : value that the strategy's orders of a day may have.
    """

    cause_kind: CauseKind
    cause: str
    instruments: Sequence[int]
    sides: Sequence[Side]
    scores_e6: Sequence[int]
    columns: Int64Array
    score_beat: int = -1
    order_type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.DAY
    capital_fen: int = 0
    turnover_fen_max: int = INT64_MAX


def intents_of_request(request: OrderRequest, account: Account, market: Market) -> Intents:
    """Return what an order request asks for."""
    instrument, side = request.instrument, request.side
    columns = np.array(
        (
            (
                market.listed_row(instrument),
                AS_ASKED,
                side is Side.BUY,
                request.order_type.is_market,
                request.price_e4,
                request.quantity_shares,
                *_NO_SIZE,
                *account.stake(instrument, side, is_for_next_day=market.is_after_close),
            ),
        ),
        np.int64,
    )
    return Intents(
        CauseKind.REQUEST,
        request.request_id,
        (instrument,),
        (side,),
        (0,),
        columns,
        order_type=request.order_type,
        time_in_force=request.time_in_force,
    )


def columns_of(
    instruments: Sequence[int],
    sides: Sequence[Side],
    account: Account,
    market: Market,
) -> Int64Array:
    """Return columns that say where each instrument is, the side, and what the account has in it.

    Returns
    -------
    columns : (n, INTENT_COLUMNS) int64, all others 0.
    """
    columns: Int64Array = np.zeros((len(instruments), INTENT_COLUMNS), np.int64)
    columns[:, AT] = market.listed_rows(instruments)
    columns[:, IS_BUY] = [side is Side.BUY for side in sides]
    stakes = account.stakes(instruments, sides, is_for_next_day=market.is_after_close)
    for place, stake in stakes:
        columns[place, HELD : BOUGHT + 1] = stake
    return columns
