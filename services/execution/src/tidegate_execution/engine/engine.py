"""The execution engine: submits and cancels in, order states and fills out, one beat at a time.

Within a beat: the day's reference data (OPEN), then the commands that risk decided on the beat
before (submits, then cancels, each by account, beat and sequence), then the market of the beat,
then the end of the day (CLOSE). So a cancel comes before the beat's market: a beat is far longer
than the way to the exchange, and who cancelled on the beat before is not filled on this one.

Instruments do not know of one another, so outcomes are the same however they are spread.
"""

from collections.abc import Sequence

from tidegate_common.domain.enums import BeatKind, OrderReason
from tidegate_common.domain.units import BPS
from tidegate_common.engine import EngineState
from tidegate_common.events.orders import CancelOrder, SubmitOrder
from tidegate_common.events.run import RunSpec
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.fees import FeeSchedule
from tidegate_execution.engine.bars import match_bar, match_open, opening_auction
from tidegate_execution.engine.blotter import Blotter, ExecutionReport
from tidegate_execution.engine.book import match_snapshot
from tidegate_execution.engine.memory import EngineMemory, dump_memory, load_memory
from tidegate_execution.engine.orders import WorkingOrder
from tidegate_execution.engine.reference import DayReference
from tidegate_execution.engine.snapshots import BookMemory, Snapshot, find_rows

__all__ = ["ExecutionEngine", "ExecutionReport"]


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
        self._take_commands(submits, cancels, blotter)
        if isinstance(rows, ReferenceRows):
            self._match_open(rows, blotter)
        elif isinstance(rows, QuoteRows):
            self._match_quotes(rows, blotter)
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
        self._take_commands(submits, cancels, blotter)
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
        self._expire_all(blotter)
        self._memory.begin_day(reference)

    def _take_commands(
        self,
        submits: Sequence[SubmitOrder],
        cancels: Sequence[CancelOrder],
        blotter: Blotter,
    ) -> None:
        reference, orders = self._memory.reference, self._memory.orders
        for submit in submits:
            order = reference.admit(submit)
            if isinstance(order, WorkingOrder):
                orders.add(order)
                blotter.accept(order)
            else:
                blotter.reject(WorkingOrder(submit, submit.price_e4), order)
        for cancel in cancels:
            found = orders.find(cancel.order_id)
            if found is not None:
                orders.remove(found)
                blotter.cancel(found, OrderReason.REQUESTED)

    def _match_open(self, rows: ReferenceRows, blotter: Blotter) -> None:
        memory, spec = self._memory, self._spec
        for instrument, row in find_rows(rows.instrument, memory.orders.instruments()):
            open_e4 = int(rows.open_e4[row])
            # The day's reference data are the rows of this very frame.
            limits = memory.reference.limits_at(row)
            assert limits is not None, "orders under unknown limits are not admitted"
            if open_e4 == 0:
                continue
            memory.open_shares[instrument] = match_open(
                memory.orders.at(instrument),
                opening_auction(
                    instrument,
                    open_e4,
                    slippage_bps=spec.slippage_bps,
                    limits=limits,
                ),
                cap_shares=self._cap_shares(memory.volumes.of(instrument)),
                blotter=blotter,
            )

    def _match_quotes(self, rows: QuoteRows, blotter: Blotter) -> None:
        memory = self._memory
        memory.has_intraday = True
        active = sorted({*memory.orders.instruments(), *memory.books})
        for instrument, row in find_rows(rows.instrument, active):
            match_snapshot(
                memory.orders.at(instrument),
                Snapshot.from_row(rows, row),
                memory.books.setdefault(instrument, BookMemory()),
                participation_bps_max=self._spec.participation_bps_max,
                blotter=blotter,
            )

    def _match_bars(self, kind: BeatKind, rows: BarRows, blotter: Blotter) -> None:
        memory = self._memory
        memory.has_intraday |= kind is BeatKind.BAR
        # The bar of a day that was matched tick by tick or bar by bar tells nothing new.
        is_new = kind is BeatKind.BAR or not memory.has_intraday
        for instrument, row in find_rows(rows.instrument, memory.orders.instruments()):
            if not is_new:
                break
            cap_shares = self._cap_shares(int(rows.volume_shares[row]))
            match_bar(
                memory.orders.at(instrument),
                high_e4=int(rows.high_e4[row]),
                low_e4=int(rows.low_e4[row]),
                cap_shares=max(0, cap_shares - memory.open_shares.get(instrument, 0)),
                blotter=blotter,
            )
        if kind is BeatKind.CLOSE:
            memory.volumes = memory.volumes.updated(rows.instrument, rows.volume_shares)

    def _cap_shares(self, volume_shares: int) -> int:
        return volume_shares * self._spec.participation_bps_max // BPS

    def _end_beat(self, stamp: BeatStamp, blotter: Blotter) -> ExecutionReport:
        memory = self._memory
        for order in blotter.ended():
            if memory.orders.find(order.submit.order_id) is order:
                memory.orders.remove(order)
        if stamp.kind is BeatKind.CLOSE:
            self._expire_all(blotter)
        memory.books = {
            instrument: book
            for instrument, book in memory.books.items()
            if book.has_taken or instrument in memory.orders
        }
        return blotter.report()

    def _expire_all(self, blotter: Blotter) -> None:
        for order in list(self._memory.orders):
            self._memory.orders.remove(order)
            blotter.expire(order)
