"""What an account would like to do, and why it may not."""

from dataclasses import dataclass

from tidegate_common.domain.enums import (
    CauseKind,
    Layer,
    OrderType,
    Reason,
    Side,
    TimeInForce,
    Unit,
)


@dataclass(frozen=True, slots=True)
class Intent:
    """An order that somebody wants, before any check.

    price_e4 : limit price, 0 for a market order.
    cause : the strategy's name, or the request's id.
    score_beat : beat of the score, -1 where a request is the cause.
    cash_reserve_fen : cash that a buy must leave in the account.
    """

    instrument: int
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    price_e4: int
    quantity_shares: int
    cause_kind: CauseKind
    cause: str
    score_e6: int = 0
    score_beat: int = -1
    cash_reserve_fen: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """The check that failed, with what it saw and what it would have passed."""

    layer: Layer
    reason: Reason
    observed: int = 0
    limit: int = 0
    unit: Unit = Unit.NONE
