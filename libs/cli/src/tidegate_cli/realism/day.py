"""A recorded day as the simulator sees it, and the children that are sent through it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from tidegate_cli.realism.book import RecordedBook
from tidegate_cli.realism.children import Child, ChildKind, ReferenceOrder, Result
from tidegate_cli.realism.streams import Stream
from tidegate_common.domain.enums import BeatKind, Phase, Side
from tidegate_common.domain.ids import RunId
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.frames.rows import LEVELS, QuoteRows
from tidegate_common.market.board import board_of
from tidegate_common.market.lots import price_tick_e4
from tidegate_common.market.sessions import NS_PER_SECOND, shanghai_ns

RUN_ID: Final = RunId("realism")
BEAT_SECONDS: Final = 3
# A child that has not filled by then is given up: five minutes.
HORIZON_BEATS: Final = 100
_CHILDREN_EVERY_BEATS: Final = 20
# Continuous trading, but for the first minute, in which there is hardly a book.
_SESSIONS: Final = ((34_260, 41_400), (46_800, 53_820))
_QUANTITIES: Final = (100, 300, 1_000)
# A child may join the second level.
_LEVELS_MIN: Final = 2


@dataclass(frozen=True, slots=True)
class Sent:
    """A child, and what became of it by the recorded stream.

    unknown_shares : of which the stream does not tell whether they filled.
    """

    child: Child
    reference: Result
    unknown_shares: int = 0


@dataclass(frozen=True, slots=True)
class RecordedDay:
    """A day in beats.

    frames : a quote a beat.
    sent : the children, by beat.
    """

    instrument: int
    trade_date: int
    frames: list[Frame]
    sent: list[Sent]

    @property
    def tick_e4(self) -> int:
        """The price step."""
        return price_tick_e4(board_of(self.instrument))


def replay(stream: Stream) -> RecordedDay:
    """Return a day's quotes, and what became of children that are sent all through it."""
    book = RecordedBook()
    messages = iter(stream)
    frames: list[Frame] = []
    sent: list[Sent] = []
    working: list[tuple[int, ReferenceOrder]] = []
    message = next(messages, None)
    for beat, ts_event_ns in enumerate(_beat_times(stream.trade_date)):
        while message is not None and message[1] <= ts_event_ns:
            book.apply(message)
            for _, order in working:
                order.see(message)
            message = next(messages, None)
        stamp = tick_stamp(stream.trade_date, number=beat, ts_event_ns=ts_event_ns)
        frames.append(quote_frame(stream.instrument, book, stamp=stamp))
        working = [(end, order) for end, order in working if end > beat and order.leaves_shares]
        is_due = beat % _CHILDREN_EVERY_BEATS == 0 and _has_horizon(stream.trade_date, ts_event_ns)
        number = beat // _CHILDREN_EVERY_BEATS
        for child in _children(stream.instrument, book, beat, number) if is_due else ():
            order = ReferenceOrder(child)
            order.arrive(book, ts_event_ns)
            sent.append(Sent(child, order.result))
            if child.price_e4:
                working.append((beat + HORIZON_BEATS, order))
    return RecordedDay(stream.instrument, stream.trade_date, frames, sent)


def _beat_times(trade_date: int) -> Iterator[int]:
    for start, end in _SESSIONS:
        for second in range(start, end, BEAT_SECONDS):
            yield shanghai_ns(trade_date, second)


def _has_horizon(trade_date: int, ts_event_ns: int) -> bool:
    """Tell whether a child that is sent now can work for its whole horizon."""
    seconds = (ts_event_ns - shanghai_ns(trade_date, 0)) // NS_PER_SECOND
    horizon_seconds = (HORIZON_BEATS + 1) * BEAT_SECONDS
    return any(start <= seconds < end - horizon_seconds for start, end in _SESSIONS)


def _children(instrument: int, book: RecordedBook, beat: int, number: int) -> Iterator[Child]:
    """Yield the children of a beat: each kind on each side, with a quantity that goes round."""
    bids, asks = book.levels(is_buy=True), book.levels(is_buy=False)
    tick_e4 = price_tick_e4(board_of(instrument))
    quantity_shares = _QUANTITIES[number % len(_QUANTITIES)]
    for side, own, opposite, step_e4 in (
        (Side.BUY, bids, asks, tick_e4),
        (Side.SELL, asks, bids, -tick_e4),
    ):
        if len(own) < _LEVELS_MIN or not opposite:
            continue
        prices = {
            ChildKind.JOIN: own[0][0],
            ChildKind.BEHIND: own[1][0],
            ChildKind.IMPROVE: own[0][0] + step_e4,
            ChildKind.CROSS: opposite[0][0],
            ChildKind.MARKET: 0,
        }
        for kind, price_e4 in prices.items():
            if kind is not ChildKind.IMPROVE or price_e4 != opposite[0][0]:
                yield Child(kind, side, beat, price_e4, quantity_shares)


def quote_frame(
    instrument: int,
    book: RecordedBook,
    *,
    stamp: BeatStamp,
    phase: Phase = Phase.CONTINUOUS,
) -> Frame:
    """Return a frame of the only quote of a book; a call that gathers orders displays none."""
    is_call = phase in {Phase.OPEN_CALL, Phase.CLOSE_CALL}
    bids, asks = (
        _columns([] if is_call else book.levels(is_buy=is_buy)) for is_buy in (True, False)
    )
    rows = QuoteRows(
        instrument=np.array([instrument], np.int64),
        ts_event_ns=np.array([stamp.ts_event_ns], np.int64),
        phase=np.array([phase], np.uint8),
        last_e4=np.array([book.last_e4], np.int64),
        volume_shares=np.array([book.volume_shares], np.int64),
        amount_fen=np.array([book.amount_fen], np.int64),
        bid_price_e4=bids[None, :, 0],
        bid_shares=bids[None, :, 1],
        ask_price_e4=asks[None, :, 0],
        ask_shares=asks[None, :, 1],
    )
    return Frame(stamp, 0, rows)


def tick_stamp(trade_date: int, *, number: int, ts_event_ns: int) -> BeatStamp:
    """Return the stamp of the so many-th quote of a day, from 0; beat 0 is the day's OPEN."""
    return BeatStamp(RUN_ID, number + 1, BeatKind.TICK, trade_date, ts_event_ns)


def _columns(levels: list[tuple[int, int]]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Return five rows of price and shares."""
    array = np.zeros((LEVELS, 2), np.int64)
    array[: len(levels)] = np.reshape(levels, (-1, 2))
    return array
