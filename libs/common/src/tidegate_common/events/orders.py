"""Orders on their way to the exchange, and what people ask risk to do."""

from msgspec import Struct

from tidegate_common.domain.enums import ControlCommand, OrderType, Side, TimeInForce
from tidegate_common.domain.ids import AccountId, DecisionId, OrderId, RequestId, RunId
from tidegate_common.events.run import RiskLimits


class SubmitOrder(Struct, frozen=True, gc=False):
    """A new order (FIX NewOrderSingle), already passed by risk.

    beat, account_id, sequence : its priority where orders of one beat meet.
    price_e4 : limit price, 0 for a market order.
    """

    order_id: OrderId
    decision_id: DecisionId
    beat: int
    account_id: AccountId
    sequence: int
    instrument: int
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    price_e4: int
    quantity_shares: int
    ts_event_ns: int


class CancelOrder(Struct, frozen=True, gc=False):
    """A cancel of a working order (FIX OrderCancelRequest)."""

    order_id: OrderId
    beat: int
    account_id: AccountId
    sequence: int
    instrument: int
    ts_event_ns: int


class OrderBatch(Struct, frozen=True):
    """What one risk partition sends to one shard in one beat; often nothing.

    Both tuples are sorted by (account_id, sequence).
    """

    run_id: RunId
    beat: int
    risk_partition: int
    shard: int
    submits: tuple[SubmitOrder, ...] = ()
    cancels: tuple[CancelOrder, ...] = ()


class OrderRequest(Struct, frozen=True):
    """A person or a program asks for an order; risk decides."""

    request_id: RequestId
    account_id: AccountId
    instrument: int
    side: Side
    order_type: OrderType
    price_e4: int
    quantity_shares: int
    time_in_force: TimeInForce = TimeInForce.DAY


class CancelRequest(Struct, frozen=True):
    """A person or a program asks to cancel a working order."""

    request_id: RequestId
    account_id: AccountId
    order_id: OrderId


class ControlRequest(Struct, frozen=True):
    """A person tells risk what an account, or every account, may do.

    account_id : None for all. Such a command goes to every risk partition, and each one's journal
        says for which accounts its copy counts: those of partition `risk_partition` when all are
        spread over `risk_partition_count`. So it does not matter who computes the run again.
    limits : all of an account's limits from now on; of SET_LIMITS only, which names an account.
    """

    request_id: RequestId
    command: ControlCommand
    account_id: AccountId | None = None
    limits: RiskLimits | None = None
    risk_partition: int = 0
    risk_partition_count: int = 1


class RequestEnvelope(Struct, frozen=True):
    """One message of the request topic: exactly one of the three is set."""

    order: OrderRequest | None = None
    cancel: CancelRequest | None = None
    control: ControlRequest | None = None
