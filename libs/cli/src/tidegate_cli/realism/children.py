"""Synthetic child orders through a recorded day, and what would have become of them.

A child is sent at a beat and arrives at once. In the recorded book it stands behind everyone who is
at its price already, and does not disturb the others: whoever sells to somebody behind it in the
queue, or below its price, would have met it first, and so would whoever comes to rest at a price
that it accepts. What it takes of displayed levels on arrival it pays for, level by level.
"""

from dataclasses import dataclass, field
from enum import StrEnum, unique

from tidegate_cli.realism.book import RecordedBook
from tidegate_cli.realism.streams import MessageKind
from tidegate_common.domain.enums import Side


@unique
class ChildKind(StrEnum):
    """How a child is priced, from the book that it was decided on.

    JOIN : at the best price of its own side. BEHIND : at the second. IMPROVE : a tick better than
    the best, where that is not the other side's. CROSS : at the best price of the other side.
    MARKET : the five best levels of the other side, the rest is cancelled.
    """

    JOIN = "join"
    BEHIND = "behind"
    IMPROVE = "improve"
    CROSS = "cross"
    MARKET = "market"

    @property
    def is_passive(self) -> bool:
        """Whether it waits for the others."""
        return self in {ChildKind.JOIN, ChildKind.BEHIND, ChildKind.IMPROVE}


@unique
class CallKind(StrEnum):
    """How a child of a call auction is priced, beside the price at which all was matched."""

    BETTER = "better"
    AT = "at"
    WORSE = "worse"


@dataclass(frozen=True, slots=True)
class Child:
    """An order to place.

    beat : on which it was decided.
    price_e4 : 0 for a market order.
    """

    kind: ChildKind | CallKind
    side: Side
    beat: int
    price_e4: int
    quantity_shares: int


@dataclass(slots=True)
class Result:
    """What became of a child.

    value_e4 : sum of price times shares.
    first_ns, last_ns : when the first and the last of its shares filled; 0 without a fill.
    """

    filled_shares: int = 0
    value_e4: int = 0
    first_ns: int = 0
    last_ns: int = 0

    def fill(self, *, price_e4: int, shares: int, ts_event_ns: int) -> None:
        """Add a fill."""
        if shares:
            self.filled_shares += shares
            self.value_e4 += price_e4 * shares
            self.first_ns = self.first_ns or ts_event_ns
            self.last_ns = ts_event_ns

    @property
    def price_e4(self) -> float:
        """The average price; only after a fill."""
        return self.value_e4 / self.filled_shares


@dataclass(slots=True)
class ReferenceOrder:
    """A child in the recorded book.

    ahead : orders before it at its price.
    """

    child: Child
    result: Result = field(default_factory=Result)
    ahead: set[int] = field(default_factory=set)

    @property
    def leaves_shares(self) -> int:
        """Shares that still want a fill."""
        return self.child.quantity_shares - self.result.filled_shares

    def arrive(self, book: RecordedBook, ts_event_ns: int) -> None:
        """Take what is displayed, and stand behind the others."""
        child = self.child
        is_buy = child.side is Side.BUY
        for price_e4, shares in book.levels(is_buy=not is_buy):
            if child.price_e4 and not _accepts(child, price_e4):
                break
            self._fill(price_e4, shares, ts_event_ns)
        self.ahead = set(book.side(is_buy=is_buy).get(child.price_e4, ()))

    def see(self, message: tuple[int, ...]) -> None:
        """Take in a message."""
        kind, ts_event_ns, message_is_buy, price_e4, shares, order, buy, sell = message
        child = self.child
        is_buy = child.side is Side.BUY
        if kind == MessageKind.DELETE:
            self.ahead.discard(order)
        elif bool(message_is_buy) is not is_buy and _accepts(child, price_e4):
            # The other side came to a price that the child accepts: to rest, or to trade with
            # somebody on the child's side.
            own = buy if is_buy else sell
            is_ahead = price_e4 == child.price_e4 and own in self.ahead
            if not is_ahead:
                self._fill(child.price_e4, shares, ts_event_ns)

    def _fill(self, price_e4: int, shares: int, ts_event_ns: int) -> None:
        filled_shares = min(shares, self.leaves_shares)
        self.result.fill(price_e4=price_e4, shares=filled_shares, ts_event_ns=ts_event_ns)


def _accepts(child: Child, price_e4: int) -> bool:
    if child.side is Side.BUY:
        return price_e4 <= child.price_e4
    return price_e4 >= child.price_e4
