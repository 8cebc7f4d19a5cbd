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
from numpy.typing import NDArray

from tidegate_common.domain.enums import BeatKind, OrderReason
from tidegate_common.engine import EngineState
from tidegate_common.events.orders import CancelOrder, SubmitOrder
from tidegate_common.events.run import RunSpec
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.fees import FeeSchedule
from tidegate_execution.engine.admission import admit, rests_on_arrival, takes_cancel
from tidegate_execution.engine.blotter import Blotter, ExecutionReport
from tidegate_execution.engine.kernels import match_bars, match_day_open, match_quotes, warm_up
from tidegate_execution.engine.layout import AT_OPEN, LIMIT, SOURCES
from tidegate_execution.engine.memory import EngineMemory, dump_memory, load_memory
from tidegate_execution.engine.orders import WorkingOrder
from tidegate_execution.engine.quotes import told_phases
from tidegate_execution.engine.reference import DayReference
from tidegate_execution.engine.slippage import Slippage

__all__ = ["ExecutionEngine", "ExecutionReport"]

Command = TypeVar("Command", SubmitOrder, CancelOrder)
Number = TypeVar("Number", np.int64, np.uint8)


class ExecutionEngine:
    """Simulates the exchange for the instruments of the frames that it is given.

    Parameters
    ----------
    spec : the run; only `execution` and `commission` are read.
    """

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec.execution
        self._fees = FeeSchedule(spec.commission.contract())
        self._slippage = Slippage.of(spec.execution)
        self._memory = EngineMemory()
        # Not in the beat that has the first order.
        warm_up()

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
            self._match_open(rows)
        elif isinstance(rows, QuoteRows):
            self._match_quotes(frame, rows)
        else:
            self._match_bars(frame.stamp.kind, rows)
        self._tell_matches(blotter)
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

    @property
    def open_order_count(self) -> int:
        """How many orders work, or are on their way."""
        return len(self._memory.orders) + len(self._memory.submits)

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
        row = self._memory.rows.get(submit.instrument)
        if row is None:
            blotter.reject(WorkingOrder(submit), OrderReason.UNKNOWN_INSTRUMENT)
            return
        listing = self._memory.listing(row, stamp.trade_date)
        limit_e4 = admit(submit, listing)
        order = WorkingOrder(submit, listing.board)
        if isinstance(limit_e4, OrderReason):
            blotter.reject(order, limit_e4)
            return
        is_placed = rests_on_arrival(submit, listing)
        self._memory.orders.add(order, limit_e4, listing=row, is_placed=is_placed)
        blotter.accept(order)

    def _cancel(self, cancel: CancelOrder, blotter: Blotter) -> None:
        orders = self._memory.orders
        order = orders.find(cancel.order_id)
        if order is None:
            return
        if takes_cancel(order.submit, self._memory.phase_of(order.submit.instrument)):
            orders.remove(order)
            blotter.cancel(order, OrderReason.REQUESTED)
        else:
            blotter.refuse_cancel(order)

    def _match_open(self, rows: ReferenceRows) -> None:
        memory = self._memory
        if rows.open_e4.any():
            volume_shares = memory.volumes.of(rows.instrument)
            match_day_open(memory.orders.tables(self._spec), _plain(rows.open_e4), volume_shares)

    def _match_quotes(self, frame: Frame, rows: QuoteRows) -> None:
        memory = self._memory
        memory.has_intraday = True
        match_quotes(
            memory.orders.tables(self._spec),
            _plain(rows.instrument),
            _plain(told_phases(rows, frame.stamp, memory.reference)),
            _plain(rows.last_e4),
            _plain(rows.volume_shares),
            _plain(rows.bid_price_e4),
            _plain(rows.bid_shares),
            _plain(rows.ask_price_e4),
            _plain(rows.ask_shares),
        )

    def _match_bars(self, kind: BeatKind, rows: BarRows) -> None:
        memory = self._memory
        memory.has_intraday |= kind is BeatKind.BAR
        # The bar of a day that was matched tick by tick or bar by bar tells nothing new.
        if kind is BeatKind.BAR or not memory.has_intraday:
            match_bars(
                memory.orders.tables(self._spec),
                _plain(rows.instrument),
                _plain(rows.open_e4 if kind is BeatKind.BAR else rows.open_e4[:0]),
                _plain(rows.high_e4),
                _plain(rows.low_e4),
                _plain(rows.volume_shares),
            )
        if kind is BeatKind.CLOSE:
            memory.volumes = memory.volumes.updated(rows.instrument, rows.volume_shares)

    def _tell_matches(self, blotter: Blotter) -> None:
        """Tell what the kernels found: fills in the order in which they happened, then ends."""
        orders = self._memory.orders
        for slot, price_e4, shares, source, volume_shares in orders.drain_fills():
            order = orders.at(slot)
            paid_e4 = price_e4
            if source == AT_OPEN:
                paid_e4 = self._slippage.worse_e4(
                    price_e4,
                    order.submit,
                    limit_e4=int(orders.orders[slot, LIMIT]),
                    quantity_shares=shares,
                    volume_shares=volume_shares,
                )
            blotter.fill(
                order,
                price_e4=paid_e4,
                quantity_shares=shares,
                source=SOURCES[source],
            )
        for order, reason in orders.drain_ended():
            if reason is not OrderReason.NONE:
                blotter.cancel(order, reason)

    def _end_beat(self, stamp: BeatStamp, blotter: Blotter) -> ExecutionReport:
        if stamp.kind is BeatKind.CLOSE:
            self._end_day(blotter)
        return blotter.report()

    def _end_day(self, blotter: Blotter) -> None:
        memory = self._memory
        for order in memory.orders.clear():
            blotter.expire(order)
        for submit in memory.submits:
            blotter.reject(WorkingOrder(submit), OrderReason.DAY_ENDED)
        memory.submits, memory.cancels = [], []


def _arrived(commands: list[Command], last_beat: int) -> tuple[list[Command], list[Command]]:
    """Split commands into those decided up to a beat, and those still on their way."""
    arrived = [command for command in commands if command.beat <= last_beat]
    return arrived, [command for command in commands if command.beat > last_beat]


def _plain(column: NDArray[Number]) -> NDArray[Number]:
    """Return a column as the kernels know it: contiguous, and not to be written."""
    plain = np.ascontiguousarray(column).view()
    plain.flags.writeable = False
    return plain
