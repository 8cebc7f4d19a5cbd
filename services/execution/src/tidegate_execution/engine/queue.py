"""The place of a resting order in the queue at its price, and what trades give it.

The feed tells how much traded between two quotes and the last price of it; all of it counts as
traded at that price. For an order that rests:

- A trade *through* its price means that its whole price was traded away: nobody is ahead of it,
  and all of the volume could have been its own.
- Volume *at* its price takes those ahead first; the excess is its own.
- What its price shows in the next quote bounds who can still be ahead. Where the display shrank by
  more than what traded there, orders were cancelled: `QueueCancels` says whose.
- Beyond the five levels nobody can tell the queue: it is asked when the price comes into sight.

A queue is one price: what our own orders before it got of a volume, it does not get again.
"""

from dataclasses import dataclass

from tidegate_common.domain.enums import QueueCancels
from tidegate_execution.engine.orders import WorkingOrder
from tidegate_execution.engine.snapshots import Ladder


@dataclass(slots=True)
class Tape:
    """Volume that traded between two quotes, as far as one side of ours may still have it.

    free_shares : not yet given to an order of ours on this side.
    """

    last_e4: int
    free_shares: int


def enter_queue(order: WorkingOrder, own: Ladder | None) -> None:
    """Put an order behind all that its price shows; nobody can tell in an auction (None)."""
    order.is_placed = True
    order.shown_shares = None if own is None else own.shares_at(order.limit_e4)
    order.ahead_shares = order.shown_shares


def reached_shares(order: WorkingOrder, tape: Tape) -> int:
    """Let the tape pass an order's queue and return how many shares come to the order."""
    if tape.free_shares == 0 or tape.last_e4 == 0 or not order.accepts(tape.last_e4):
        return 0
    if order.limit_e4 != tape.last_e4:
        order.ahead_shares = 0
        return tape.free_shares
    if order.ahead_shares is None:
        return 0
    passed_shares = min(order.ahead_shares, tape.free_shares)
    order.ahead_shares -= passed_shares
    return tape.free_shares - passed_shares


def see_display(
    order: WorkingOrder,
    own: Ladder,
    *,
    traded_shares: int,
    rule: QueueCancels,
) -> None:
    """Bring an order's place in line with what its price shows now.

    Parameters
    ----------
    traded_shares : at its price since the display before; a trade through it says nothing.
    """
    shown_shares = own.shares_at(order.limit_e4)
    before_shares, ahead_shares = order.shown_shares, order.ahead_shares
    order.shown_shares = shown_shares
    if shown_shares is None:
        return
    if ahead_shares is None:
        order.ahead_shares = shown_shares
        return
    if rule is QueueCancels.PROPORTIONAL and before_shares is not None:
        left_shares = before_shares - traded_shares
        if left_shares > shown_shares:
            # Those still ahead are at most all that is left, so the rest is never negative.
            ahead_shares = min(ahead_shares, left_shares)
            ahead_shares = -(-ahead_shares * shown_shares // left_shares)
    order.ahead_shares = min(ahead_shares, shown_shares)
