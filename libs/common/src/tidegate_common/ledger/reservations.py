"""What open orders hold back: cash of the account, shares of its holdings."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from tidegate_common.domain.enums import Side
from tidegate_common.domain.ids import OrderId


class Reservation(Struct, frozen=True, gc=False):
    """What one open order still holds back.

    quantity_shares : what it may still trade; a sell freezes these shares.
    cash_fen : what it may still cost out of its own frozen cash.
    is_for_next_day : a sell accepted after the close, which trades tomorrow.
    has_same_day_resale : what a buy buys may be sold today.
    """

    order_id: OrderId
    instrument: int
    side: Side
    quantity_shares: int
    cash_fen: int
    is_for_next_day: bool = False
    has_same_day_resale: bool = False


class FrozenShares(Struct, frozen=True, gc=False):
    """Shares of an instrument that open sells hold back.

    next_day_shares : the part of `total_shares` that trades tomorrow.
    """

    total_shares: int = 0
    next_day_shares: int = 0


_NOTHING = FrozenShares()
# By name, because to ask an enum's class for a member takes longer than to compare it.
_SELL = Side.SELL


@dataclass(slots=True)
class Reservations:
    """The reservations of an account, in order of acceptance, and their sums.

    frozen_fen : cash that all of them hold back.
    by_order : what each open order still holds back, to be read only.
    """

    frozen_fen: int = 0
    by_order: dict[OrderId, Reservation] = field(default_factory=dict)
    _shares: dict[int, FrozenShares] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Reservation]:
        return iter(self.by_order.values())

    @property
    def order_ids(self) -> tuple[OrderId, ...]:
        """Ids of the open orders, in order of acceptance."""
        return tuple(self.by_order)

    @property
    def frozen_instruments(self) -> Collection[int]:
        """Instruments of which open sells hold back shares."""
        return self._shares.keys()

    def get(self, order_id: OrderId) -> Reservation | None:
        """Return an open order's reservation, None where there is none."""
        return self.by_order.get(order_id)

    def shares_of(self, instrument: int) -> FrozenShares:
        """Return the shares of an instrument that open sells hold back."""
        return self._shares.get(instrument, _NOTHING)

    def add(self, reservation: Reservation) -> None:
        """Take up the reservation of a new order."""
        self.by_order[reservation.order_id] = reservation
        self.frozen_fen += reservation.cash_fen
        if reservation.side is _SELL:
            self._freeze(reservation, 1)

    def put(self, reservation: Reservation) -> None:
        """Replace a reservation, by what a fill or the day has left of it."""
        self._take_off(self.by_order[reservation.order_id])
        self.add(reservation)

    def remove(self, order_id: OrderId) -> None:
        """Release what an open order still holds back."""
        self._take_off(self.by_order.pop(order_id))

    def begin_day(self) -> None:
        """Make tomorrow's orders today's."""
        waiting = [reservation for reservation in self if reservation.is_for_next_day]
        for reservation in waiting:
            self.put(replace(reservation, is_for_next_day=False))

    def _take_off(self, reservation: Reservation) -> None:
        self.frozen_fen -= reservation.cash_fen
        if reservation.side is _SELL:
            self._freeze(reservation, -1)

    def _freeze(self, reservation: Reservation, sign: int) -> None:
        change = sign * reservation.quantity_shares
        frozen = self.shares_of(reservation.instrument)
        now = FrozenShares(
            frozen.total_shares + change,
            frozen.next_day_shares + change * reservation.is_for_next_day,
        )
        if now == _NOTHING:
            self._shares.pop(reservation.instrument, None)
        else:
            self._shares[reservation.instrument] = now
