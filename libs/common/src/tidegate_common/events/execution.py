"""What the exchange answers: order states and fills."""

from msgspec import Struct

from tidegate_common.domain.enums import (
    Liquidity,
    OrderReason,
    OrderStatus,
    PriceSource,
    Side,
)
from tidegate_common.domain.ids import AccountId, FillId, OrderId, RunId


class OrderUpdate(Struct, frozen=True):
    """New state of an order (FIX ExecutionReport); at most one an order and beat.

    cumulative_shares, leaves_shares : filled so far and still working after this beat.
    """

    order_id: OrderId
    beat: int
    account_id: AccountId
    sequence: int
    instrument: int
    side: Side
    status: OrderStatus
    reason: OrderReason
    cumulative_shares: int
    leaves_shares: int
    ts_event_ns: int


class Fill(Struct, frozen=True):
    """A trade of ours.

    beat : when it was matched. order_beat, sequence : of the order that it fills.
    Fees are what this fill adds to its order's fees, rounded to the fen per order and item.
    handling_fee_fen, regulatory_fee_fen : 0 where the commission includes them, and in fills of
        before they were told apart.
    """

    fill_id: FillId
    order_id: OrderId
    decision_id: str
    beat: int
    account_id: AccountId
    order_beat: int
    sequence: int
    instrument: int
    side: Side
    price_e4: int
    quantity_shares: int
    amount_fen: int
    commission_fen: int
    stamp_duty_fen: int
    transfer_fee_fen: int
    source: PriceSource
    liquidity: Liquidity
    ts_event_ns: int
    handling_fee_fen: int = 0
    regulatory_fee_fen: int = 0

    @property
    def fee_fen(self) -> int:
        """All fees of the fill."""
        return (
            self.commission_fen
            + self.stamp_duty_fen
            + self.transfer_fee_fen
            + self.handling_fee_fen
            + self.regulatory_fee_fen
        )


class FillBatch(Struct, frozen=True):
    """What one shard tells one risk partition in one beat; often nothing.

    updates, fills : sorted by (account_id, order beat, sequence), fills then by fill number.
    """

    run_id: RunId
    beat: int
    shard: int
    risk_partition: int
    updates: tuple[OrderUpdate, ...] = ()
    fills: tuple[Fill, ...] = ()
