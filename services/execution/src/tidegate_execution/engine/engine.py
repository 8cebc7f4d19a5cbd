"""The execution engine: submits and cancels in, order states and fills out, one beat at a time.

Within a beat: the day's reference data (OPEN), then the commands that risk decided on the beat
before (submits, then cancels, each by account, beat and sequence), then the market of the beat,
then the end of the day (CLOSE). So a cancel comes before the beat's market: a beat is far longer
than the way to the exchange, and who cancelled on the beat before is not filled on this one. A
replacement is a cancel and a new order: the new one has a new place in the queue.

With a latency the commands are so many beats longer on their way. An order that is still on its
way when its day closes is rejected, and so it is never PENDING_NEW over night.

Instruments do not know of one another, so outcomes are the same however they are spread.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from tidegate_common.domain.enums import BeatKind, OrderReason
from tidegate_common.domain.units import BPS
from tidegate_common.engine import EngineState
from tidegate_common.events.orders import CancelOrder, SubmitOrder
from tidegate_common.events.run import RunSpec
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.fees import FeeSchedule
from tidegate_execution.engine.admission import admit, rests_on_arrival, takes_cancel
from tidegate_execution.engine.auction import join_call, match_auction, match_fixed_price
from tidegate_execution.engine.bars import Opening, match_inside, match_open
from tidegate_execution.engine.blotter import Blotter, ExecutionReport
from tidegate_execution.engine.book import cancel_immediate, match_book
from tidegate_execution.engine.memory import EngineMemory, dump_memory, load_memory
from tidegate_execution.engine.orders import WorkingOrder
from tidegate_execution.engine.quotes import read_snapshots
from tidegate_execution.engine.reference import DayReference, find_row
from tidegate_execution.engine.slippage import Slippage
from tidegate_execution.engine.snapshots import BookMemory, Snapshot, find_rows

__all__ = ["ExecutionEngine", "ExecutionReport"]

Command = TypeVar("Command", SubmitOrder, CancelOrder)


class ExecutionEngine:
    """Simulates the exchange for the instruments of the frames that it is given.

    Parameters
    ----------
    spec : the run; only `execution` and `commission` are read.
    """

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec.execution
        self._fees = FeeSchedule(spec.commission.contract())
        self._memory = EngineMemory()

    def on_beat(
        self,
        frame: Frame,
        submits: Sequence[SubmitOrder],
        cancels: Sequence[CancelOrder],
    ) -> ExecutionReport:
        """Let the orders of the beat before and the working ones meet the market of a beat.

        Parameters
        ----------
        submits, cancels : decided on the beat before, for instruments of this frame's shard.
        """
        rows = frame.rows
        blotter = Blotter(frame.stamp, self._fees)
        if isinstance(rows, ReferenceRows):
            self._begin_day(DayReference.from_rows(rows), blotter)
        self._take_commands(submits, cancels, frame.stamp, blotter)
        if isinstance(rows, ReferenceRows):
            self._match_open(rows, blotter)
        elif isinstance(rows, QuoteRows):
            self._match_quotes(frame, rows, blotter)
        else:
            self._match_bars(frame.stamp.kind, rows, blotter)
        return self._end_beat(frame.stamp, blotter)

    def on_missing_beat(
        self,
        stamp: BeatStamp,
        submits: Sequence[SubmitOrder],
        cancels: Sequence[CancelOrder],
    ) -> ExecutionReport:
        """Go through a beat whose frame never came: commands are taken, nothing matches.

        New orders wait for the next frame. A day without its OPEN frame has no reference data, so
        its orders are rejected as of unknown instruments; a missing CLOSE still ends the day.
        """
        blotter = Blotter(stamp, self._fees)
        if stamp.kind is BeatKind.OPEN:
            self._begin_day(DayReference.empty(), blotter)
        self._memory.has_intraday |= stamp.kind in {BeatKind.TICK, BeatKind.BAR}
        self._take_commands(submits, cancels, stamp, blotter)
        return self._end_beat(stamp, blotter)

    def snapshot(self) -> EngineState:
        """Return the memory; later beats do not change what was returned."""
        return dump_memory(self._memory)

    def restore(self, state: EngineState) -> None:
        """Take up a memory that `snapshot` returned.

        Raises
        ------
        InvariantError
            If it is not such a memory.
        """
        self._memory = load_memory(state)

    def _begin_day(self, reference: DayReference, blotter: Blotter) -> None:
        # Nothing is left of a day that had its CLOSE beat; the feed may not have sent one.
        self._end_day(blotter)
        self._memory.begin_day(reference)

    def _take_commands(
        self,
        submits: Sequence[SubmitOrder],
        cancels: Sequence[CancelOrder],
        stamp: BeatStamp,
        blotter: Blotter,
    ) -> None:
        memory = self._memory
        memory.submits += submits
        memory.cancels += cancels
        # What is decided on beat n arrives for beat n + 1, and the latency later.
        last_beat = stamp.beat - 1 - self._spec.latency_beats
        submits, memory.submits = _arrived(memory.submits, last_beat)
        cancels, memory.cancels = _arrived(memory.cancels, last_beat)
        for submit in submits:
            self._submit(submit, stamp, blotter)
        for cancel in cancels:
            self._cancel(cancel, blotter)

    def _submit(self, submit: SubmitOrder, stamp: BeatStamp, blotter: Blotter) -> None:
        listing = self._memory.listing(submit.instrument, stamp.trade_date)
        if listing is None:
            blotter.reject(WorkingOrder(submit, submit.price_e4), OrderReason.UNKNOWN_INSTRUMENT)
            return
        order = admit(submit, listing)
        if isinstance(order, WorkingOrder):
            order.is_placed = rests_on_arrival(order, listing)
            self._memory.orders.add(order)
            blotter.accept(order)
        else:
            blotter.reject(WorkingOrder(submit, submit.price_e4), order)

    def _cancel(self, cancel: CancelOrder, blotter: Blotter) -> None:
        orders = self._memory.orders
        order = orders.find(cancel.order_id)
        if order is None:
            return
        if takes_cancel(order, self._memory.phase_of(order.submit.instrument)):
            orders.remove(order)
            blotter.cancel(order, OrderReason.REQUESTED)
        else:
            blotter.refuse_cancel(order)

    def _match_open(self, rows: ReferenceRows, blotter: Blotter) -> None:
        memory = self._memory
        for instrument, row in find_rows(rows.instrument, memory.orders.instruments()):
            open_e4 = int(rows.open_e4[row])
            if open_e4 == 0:
                continue
            orders = memory.orders.at(instrument)
            # The day's reference data are the rows of this very frame.
            volume_shares = memory.volumes.of(instrument)
            opening = self._opening(instrument, row, open_e4=open_e4, volume_shares=volume_shares)
            memory.open_shares[instrument] = match_open(orders.ordinary(), opening, blotter)
            cancel_immediate(orders, blotter)

    def _match_quotes(self, frame: Frame, rows: QuoteRows, blotter: Blotter) -> None:
        memory = self._memory
        memory.has_intraday = True
        active = np.array(sorted({*memory.orders.instruments(), *memory.books}), np.int64)
        for instrument, snapshot in read_snapshots(rows, active, memory.reference, memory.quotes):
            self._match_snapshot(instrument, snapshot, blotter)
        memory.quotes = memory.quotes.advanced(rows, frame.stamp, memory.reference)

    def _match_snapshot(self, instrument: int, snapshot: Snapshot, blotter: Blotter) -> None:
        orders = self._memory.orders.at(instrument)
        book = self._memory.books.setdefault(instrument, BookMemory())
        book.refresh(snapshot)
        traded_shares = snapshot.traded_shares
        if snapshot.is_auction_end:
            cap_shares = self._cap_shares(traded_shares)
            match_auction(orders, snapshot, book, cap_shares=cap_shares, blotter=blotter)
        elif snapshot.is_call:
            join_call(orders)
        if snapshot.is_after_hours:
            cap_shares = self._cap_shares(traded_shares)
            match_fixed_price(orders, snapshot.last_e4, cap_shares=cap_shares, blotter=blotter)
        match_book(
            orders,
            snapshot,
            book,
            cap_shares=self._cap_shares(snapshot.queue_shares),
            queue_cancels=self._spec.queue_cancels,
            blotter=blotter,
        )
        cancel_immediate(orders, blotter)

    def _match_bars(self, kind: BeatKind, rows: BarRows, blotter: Blotter) -> None:
        memory = self._memory
        memory.has_intraday |= kind is BeatKind.BAR
        # The bar of a day that was matched tick by tick or bar by bar tells nothing new.
        is_new = kind is BeatKind.BAR or not memory.has_intraday
        for instrument, row in find_rows(rows.instrument, memory.orders.instruments()):
            if not is_new:
                break
            if kind is BeatKind.BAR:
                memory.open_shares[instrument] = self._match_bar_open(rows, row, blotter)
            orders = memory.orders.at(instrument)
            cap_shares = self._cap_shares(int(rows.volume_shares[row]))
            match_inside(
                orders,
                high_e4=int(rows.high_e4[row]),
                low_e4=int(rows.low_e4[row]),
                cap_shares=max(0, cap_shares - memory.open_shares.get(instrument, 0)),
                blotter=blotter,
            )
            cancel_immediate(orders, blotter)
            for order in orders.ordinary():
                order.is_placed = True
        if kind is BeatKind.CLOSE:
            memory.volumes = memory.volumes.updated(rows.instrument, rows.volume_shares)

    def _match_bar_open(self, rows: BarRows, row: int, blotter: Blotter) -> int:
        """Fill orders that are new at the open of a bar, and return how many shares they got."""
        instrument, open_e4 = int(rows.instrument[row]), int(rows.open_e4[row])
        at = find_row(self._memory.reference.instrument, instrument)
        assert at is not None, "orders in unknown instruments are not admitted"
        volume_shares = int(rows.volume_shares[row])
        opening = self._opening(instrument, at, open_e4=open_e4, volume_shares=volume_shares)
        is_one_price = rows.high_e4[row] == rows.low_e4[row]
        if is_one_price and open_e4 in {opening.limits.down_e4, opening.limits.up_e4}:
            return 0
        orders = self._memory.orders.at(instrument).ordinary()
        return match_open((order for order in orders if not order.is_placed), opening, blotter)

    def _opening(
        self,
        instrument: int,
        reference_row: int,
        *,
        open_e4: int,
        volume_shares: int,
    ) -> Opening:
        limits = self._memory.reference.limits_at(reference_row)
        assert limits is not None, "orders under unknown limits are not admitted"
        spec = self._spec
        return Opening(
            instrument=instrument,
            open_e4=open_e4,
            limits=limits,
            slippage=Slippage(spec.slippage_bps, spec.slippage_ticks, spec.impact_bps),
            volume_shares=volume_shares,
            cap_shares=self._cap_shares(volume_shares),
        )

    def _cap_shares(self, volume_shares: int) -> int:
        return volume_shares * self._spec.participation_bps_max // BPS

    def _end_beat(self, stamp: BeatStamp, blotter: Blotter) -> ExecutionReport:
        memory = self._memory
        for order in blotter.ended():
            if memory.orders.find(order.submit.order_id) is order:
                memory.orders.remove(order)
        if stamp.kind is BeatKind.CLOSE:
            self._end_day(blotter)
        memory.books = {
            instrument: book
            for instrument, book in memory.books.items()
            if book.has_taken or instrument in memory.orders
        }
        return blotter.report()

    def _end_day(self, blotter: Blotter) -> None:
        memory = self._memory
        for order in list(memory.orders):
            memory.orders.remove(order)
            blotter.expire(order)
        for submit in memory.submits:
            blotter.reject(WorkingOrder(submit, submit.price_e4), OrderReason.DAY_ENDED)
        memory.submits, memory.cancels = [], []


def _arrived(commands: list[Command], last_beat: int) -> tuple[list[Command], list[Command]]:
    """Split commands into those decided up to a beat, and those still on their way."""
    arrived = [command for command in commands if command.beat <= last_beat]
    return arrived, [command for command in commands if command.beat > last_beat]
