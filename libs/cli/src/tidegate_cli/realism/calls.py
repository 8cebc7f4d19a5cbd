"""Synthetic children in recorded call auctions, and what would have become of them.

Where every order of the call is recorded, the auction is held again with the child in it: at the
price at which most shares are matched, of several at the one that leaves the fewest. Those with the
better price come first, at one price those who came first.

Where only quotes or trades are recorded, the price is taken to stay as it was. Who offered more
than it got everything. At the very price a child gets what was left of the other side; whether it
would have come before somebody else's order, nobody can tell.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final, Protocol

import numpy as np

from tidegate_cli.realism.book import Queue, RecordedBook
from tidegate_cli.realism.children import CallKind, Child, Result
from tidegate_cli.realism.day import RecordedDay, Sent, quote_frame, tick_stamp
from tidegate_cli.realism.streams import MessageKind, Stream
from tidegate_common.domain.enums import Phase, Side
from tidegate_common.frames.frame import Frame
from tidegate_common.frames.rows import QuoteRows
from tidegate_common.market.board import board_of
from tidegate_common.market.lots import price_tick_e4
from tidegate_common.market.sessions import shanghai_ns

_QUANTITIES: Final = (100, 1_000, 5_000)
# Ticks by which a child is better than the price of the auction.
_TICKS: Final = (
    (CallKind.BETTER, 5),
    (CallKind.BETTER, 1),
    (CallKind.AT, 0),
    (CallKind.WORSE, -1),
    (CallKind.WORSE, -5),
)


@unique
class CallName(StrEnum):
    """A call auction of the day."""

    OPENING = "opening"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class CallTimes:
    """A call in seconds of the day.

    until : before which all of it is matched.
    arrivals : when children come.
    phase, phase_after : of quotes in the call, and of the first one after it.
    """

    start: int
    until: int
    arrivals: tuple[int, int, int]
    phase: Phase
    phase_after: Phase


# 09:15 to 09:25 and 14:57 to 15:00; the exchanges tell the closing one up to seconds later.
CALL_TIMES: Final = {
    CallName.OPENING: CallTimes(
        start=33_300,
        until=34_200,
        arrivals=(33_360, 33_570, 33_870),
        phase=Phase.OPEN_CALL,
        phase_after=Phase.PAUSE,
    ),
    CallName.CLOSING: CallTimes(
        start=53_820,
        until=54_060,
        arrivals=(53_850, 53_910, 53_970),
        phase=Phase.CLOSE_CALL,
        phase_after=Phase.CLOSED,
    ),
}


class CallRecord(Protocol):
    """What is known of an auction."""

    @property
    def price_e4(self) -> int:
        """The price at which all was matched."""

    def sent(self, child: Child, ts_event_ns: int) -> Sent:
        """Return what would have become of a child, by a fill at a time."""


@dataclass(frozen=True, slots=True)
class OrderedCall:
    """An auction of which every order is recorded.

    bids, asks : just before it is matched; orders are numbered as they came.
    latest : the number of the last order that came before each arrival of children.
    """

    price_e4: int
    bids: Mapping[int, Queue]
    asks: Mapping[int, Queue]
    latest: tuple[int, ...]

    def sent(self, child: Child, ts_event_ns: int) -> Sent:
        """Hold the auction with a child in it."""
        is_buy = child.side is Side.BUY
        demand, supply = (
            {price_e4: sum(queue.values()) for price_e4, queue in queues.items()}
            for queues in (self.bids, self.asks)
        )
        own, sign = (demand, 1) if is_buy else (supply, -1)
        limit_e4 = child.price_e4
        queue = (self.bids if is_buy else self.asks).get(limit_e4, {})
        latest = self.latest[child.beat]
        ahead_shares = sum(shares for order, shares in queue.items() if order <= latest)
        ahead_shares += sum(
            shares for at_e4, shares in own.items() if sign * at_e4 > sign * limit_e4
        )
        own[limit_e4] = own.get(limit_e4, 0) + child.quantity_shares
        price_e4, matched_shares = hold(demand, supply)
        result = Result()
        if sign * limit_e4 >= sign * price_e4:
            shares = min(max(matched_shares - ahead_shares, 0), child.quantity_shares)
            result.fill(price_e4=price_e4, shares=shares, ts_event_ns=ts_event_ns)
        return Sent(child, result)


@dataclass(frozen=True, slots=True)
class QuotedCall:
    """An auction of which only its outcome is recorded.

    matched_shares : in all.
    left_bid_shares, left_ask_shares : on display at its price afterwards, at least.
    """

    price_e4: int
    matched_shares: int
    left_bid_shares: int
    left_ask_shares: int

    def sent(self, child: Child, ts_event_ns: int) -> Sent:
        """Return what a child got at least, and of how much nobody can tell."""
        wanted_shares = child.quantity_shares
        result = Result()
        if child.kind is CallKind.WORSE:
            return Sent(child, result)
        if child.kind is CallKind.BETTER:
            least_shares = most_shares = min(wanted_shares, self.matched_shares)
        else:
            is_buy = child.side is Side.BUY
            left_shares = self.left_ask_shares if is_buy else self.left_bid_shares
            least_shares, most_shares = min(wanted_shares, left_shares), wanted_shares
        result.fill(price_e4=self.price_e4, shares=least_shares, ts_event_ns=ts_event_ns)
        return Sent(child, result, most_shares - least_shares)


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call auction as the simulator sees it, with children in it.

    day : a quote for each arrival of children, and the first one after the auction.
    """

    name: CallName
    record: CallRecord
    day: RecordedDay


def hold(demand: Mapping[int, int], supply: Mapping[int, int]) -> tuple[int, int]:
    """Return the price of an auction and the shares that it matches.

    Parameters
    ----------
    demand, supply : shares by limit price; together at least one price.

    Returns
    -------
    price_e4 : at which most shares are matched and all offers that are better are filled; of
        several the one that leaves the fewest shares of those who accept it, then the middle one.
    matched_shares : at that price.

    Source: SSE Trading Rules, chapter 3, on the price of a call auction. It reproduces the price
    and the volume of every auction whose orders were recorded.
    """
    prices = sorted({*demand, *supply})
    wanted = np.array([demand.get(price_e4, 0) for price_e4 in prices], np.int64)
    offered = np.array([supply.get(price_e4, 0) for price_e4 in prices], np.int64)
    bought, sold = wanted[::-1].cumsum()[::-1], offered.cumsum()
    matched = np.minimum(bought, sold)
    fills_better = np.maximum(bought - wanted, sold - offered) <= matched
    best = np.flatnonzero((matched == matched.max()) & fills_better)
    left = np.abs(bought - sold)[best]
    best = best[left == left.min()]
    at = best[len(best) // 2]
    return prices[at], int(matched[at])


def calls_of(stream: Stream, *, is_whole: bool) -> Iterator[RecordedCall]:
    """Yield the call auctions of a day.

    Parameters
    ----------
    is_whole : whether the stream tells every order.
    """
    for name, times in CALL_TIMES.items():
        frames, ordered = _read_call(stream, times)
        record = ordered if is_whole else quoted_call(frames)
        yield recorded_call(name, frames, record, stream.instrument)


def recorded_call(
    name: CallName,
    frames: list[Frame],
    record: CallRecord,
    instrument: int,
) -> RecordedCall:
    """Return a call with the children that arrive with each quote but the last."""
    after = frames[-1].stamp
    tick_e4 = price_tick_e4(board_of(instrument))
    sent = [
        record.sent(
            Child(kind, side, beat, record.price_e4 + sign * ticks * tick_e4, quantity_shares),
            after.ts_event_ns,
        )
        for beat in range(len(frames) - 1)
        for side, sign in ((Side.BUY, 1), (Side.SELL, -1))
        for kind, ticks in _TICKS
        for quantity_shares in _QUANTITIES
    ]
    return RecordedCall(name, record, RecordedDay(instrument, after.trade_date, frames, sent))


def quoted_call(frames: Sequence[Frame]) -> QuotedCall:
    """Return an auction by the quotes of one share: in the call, and last the first one after."""
    before, after = frames[-2].rows, frames[-1].rows
    assert isinstance(before, QuoteRows)
    assert isinstance(after, QuoteRows)
    price_e4 = int(after.last_e4[0])
    return QuotedCall(
        price_e4=price_e4,
        matched_shares=int(after.volume_shares[0] - before.volume_shares[0]),
        left_bid_shares=int(after.bid_shares[after.bid_price_e4 == price_e4].sum()),
        left_ask_shares=int(after.ask_shares[after.ask_price_e4 == price_e4].sum()),
    )


def _read_call(stream: Stream, times: CallTimes) -> tuple[list[Frame], OrderedCall]:
    """Return the quotes of a call, the last one after it, and all that the stream tells of it."""
    instrument, trade_date = stream.instrument, stream.trade_date
    start_ns, until_ns = (shanghai_ns(trade_date, at) for at in (times.start, times.until))
    is_in_call = (stream.ts_event_ns >= start_ns) & (stream.ts_event_ns < until_ns)
    matches = np.flatnonzero(is_in_call & (stream.kind == MessageKind.TRADE))
    first, last = matches[[0, -1]].tolist()
    messages = list(stream)
    book = RecordedBook()
    frames: list[Frame] = []
    latest: list[int] = []
    done = 0
    for arrival in times.arrivals:
        stamp = tick_stamp(
            trade_date,
            number=len(frames),
            ts_event_ns=shanghai_ns(trade_date, arrival),
        )
        end = int(np.searchsorted(stream.ts_event_ns[:first], stamp.ts_event_ns))
        _apply(book, messages[done:end])
        done = end
        frames.append(quote_frame(instrument, book, stamp=stamp, phase=times.phase))
        latest.append(int(stream.order[:end].max(initial=0)))
    _apply(book, messages[done:first])
    bids, asks = _copy(book.bids), _copy(book.asks)
    _apply(book, messages[first : last + 1])
    stamp = tick_stamp(
        trade_date,
        number=len(frames),
        ts_event_ns=int(stream.ts_event_ns[last]),
    )
    frames.append(quote_frame(instrument, book, stamp=stamp, phase=times.phase_after))
    return frames, OrderedCall(book.last_e4, bids, asks, tuple(latest))


def _apply(book: RecordedBook, messages: Sequence[tuple[int, ...]]) -> None:
    for message in messages:
        book.apply(message)


def _copy(queues: Mapping[int, Queue]) -> dict[int, Queue]:
    return {price_e4: dict(queue) for price_e4, queue in queues.items()}
