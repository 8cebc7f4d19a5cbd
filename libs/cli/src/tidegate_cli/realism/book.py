"""The order book of a recorded day, order by order."""

from collections import defaultdict
from dataclasses import dataclass, field
from heapq import nlargest, nsmallest

from tidegate_cli.realism.streams import MessageKind
from tidegate_common.domain.units import notional_fen
from tidegate_common.frames.rows import LEVELS

# Shares left by order number, in the order in which the orders came.
Queue = dict[int, int]


@dataclass(slots=True)
class RecordedBook:
    """Every order that rests, rebuilt message by message.

    bids, asks : queues by price.
    """

    bids: dict[int, Queue] = field(default_factory=lambda: defaultdict(dict))
    asks: dict[int, Queue] = field(default_factory=lambda: defaultdict(dict))
    last_e4: int = 0
    volume_shares: int = 0
    amount_fen: int = 0
    _place: dict[int, tuple[dict[int, Queue], int]] = field(default_factory=dict)

    def side(self, *, is_buy: bool) -> dict[int, Queue]:
        """Return the queues of one side."""
        return self.bids if is_buy else self.asks

    def apply(self, message: tuple[int, ...]) -> None:
        """Take in a message."""
        kind, _, is_buy, price_e4, shares, order, buy, sell = message
        if kind == MessageKind.ADD:
            queues = self.side(is_buy=bool(is_buy))
            queues[price_e4][order] = shares
            self._place[order] = (queues, price_e4)
        elif kind == MessageKind.DELETE:
            self._reduce(order, shares)
        else:
            self._reduce(buy, shares)
            self._reduce(sell, shares)
            self.last_e4 = price_e4
            self.volume_shares += shares
            self.amount_fen += notional_fen(price_e4, shares)

    def levels(self, *, is_buy: bool) -> list[tuple[int, int]]:
        """Return the five best prices of a side and their shares, best first."""
        queues = self.side(is_buy=is_buy)
        best = nlargest(LEVELS, queues) if is_buy else nsmallest(LEVELS, queues)
        return [(price_e4, sum(queues[price_e4].values())) for price_e4 in best]

    def _reduce(self, order: int, shares: int) -> None:
        """Take shares off an order; one that traded all on arrival was never in the book."""
        if order not in self._place:
            return
        queues, price_e4 = self._place[order]
        queue = queues[price_e4]
        queue[order] -= shares
        if queue[order] <= 0:
            del queue[order], self._place[order]
            if not queue:
                del queues[price_e4]
