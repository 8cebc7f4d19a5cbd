"""A small market that a test drives beat by beat."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tidegate_common.domain.enums import (
    BeatKind,
    Board,
    LimitState,
    OrderType,
    Phase,
    Side,
    TimeInForce,
)
from tidegate_common.domain.ids import AccountId, OrderId, RunId, decision_id, order_id
from tidegate_common.events.orders import CancelOrder, SubmitOrder
from tidegate_common.events.run import CommissionSpec, ExecutionSpec, RunSpec
from tidegate_common.frames.frame import BeatStamp, Frame, FrameRows
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows, unknown_figures
from tidegate_execution.engine import ExecutionEngine, ExecutionReport

RUN = RunId("run")
MOUTAI = 1600519
MIDEA = 2000333
TRADE_DATE = 20230201

Levels = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Reference:
    """One row of an OPEN frame."""

    instrument: int = MOUTAI
    limit_state: LimitState = LimitState.LIMITED
    is_suspended: bool = False
    limit_down_e4: int = 90_000
    limit_up_e4: int = 110_000
    open_e4: int = 0
    board: Board = Board.MAIN


@dataclass(frozen=True, slots=True)
class Quote:
    """One row of a TICK frame."""

    bids: Levels = ()
    asks: Levels = ()
    last_e4: int = 100_000
    volume_shares: int = 0
    phase: Phase = Phase.CONTINUOUS
    instrument: int = MOUTAI


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a BAR or CLOSE frame; the open is moved into the bar."""

    high_e4: int = 101_000
    low_e4: int = 99_000
    volume_shares: int = 100_000
    instrument: int = MOUTAI
    open_e4: int = 100_000


@dataclass(slots=True)
class Exchange:
    """An engine with its beats, and the commands that are on their way to it."""

    spec: RunSpec
    trade_date: int = TRADE_DATE
    engine: ExecutionEngine = field(init=False)
    ts_event_ns: int = 1_000
    beat: int = 0
    sequence: int = 0
    submits: list[SubmitOrder] = field(default_factory=list)
    cancels: list[CancelOrder] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = ExecutionEngine(self.spec)

    def submit(
        self,
        quantity_shares: int,
        price_e4: int = 0,
        *,
        side: Side = Side.BUY,
        account: str = "a",
        time_in_force: TimeInForce = TimeInForce.DAY,
        instrument: int = MOUTAI,
        order_type: OrderType | None = None,
    ) -> OrderId:
        """Send an order to the next beat; without a type and a price it is a market order."""
        decided, sequence = self.beat - 1, self.sequence
        self.sequence += 1
        order = SubmitOrder(
            order_id=order_id(RUN, decided, account, sequence),
            decision_id=decision_id(RUN, decided, account, sequence),
            beat=decided,
            account_id=AccountId(account),
            sequence=sequence,
            instrument=instrument,
            side=side,
            order_type=order_type or (OrderType.LIMIT if price_e4 else OrderType.MARKET),
            time_in_force=time_in_force,
            price_e4=price_e4,
            quantity_shares=quantity_shares,
            ts_event_ns=0,
        )
        self.submits.append(order)
        return order.order_id

    def cancel(self, order: OrderId) -> None:
        """Send a cancel to the next beat."""
        account = AccountId(order.split(".")[2])
        sequence, self.sequence = self.sequence, self.sequence + 1
        self.cancels.append(CancelOrder(order, self.beat - 1, account, sequence, MOUTAI, 0))

    def open(self, *rows: Reference) -> ExecutionReport:
        """Begin a day."""
        count = len(rows)
        return self.step(
            BeatKind.OPEN,
            ReferenceRows(
                instrument=_column([row.instrument for row in rows]),
                board=np.array([row.board for row in rows], np.uint8),
                limit_state=np.array([row.limit_state for row in rows], np.uint8),
                is_st=np.zeros(count, np.bool_),
                is_suspended=np.array([row.is_suspended for row in rows], np.bool_),
                prev_close_e4=np.full(count, 100_000, np.int64),
                limit_up_e4=_column([row.limit_up_e4 for row in rows]),
                limit_down_e4=_column([row.limit_down_e4 for row in rows]),
                open_e4=_column([row.open_e4 for row in rows]),
                sector=np.full(count, "", np.object_),
                **unknown_figures(count),
            ),
        )

    def tick(self, *rows: Quote) -> ExecutionReport:
        """Show quotes."""
        return self.step(
            BeatKind.TICK,
            QuoteRows(
                instrument=_column([row.instrument for row in rows]),
                ts_event_ns=np.zeros(len(rows), np.int64),
                phase=np.array([row.phase for row in rows], np.uint8),
                last_e4=_column([row.last_e4 for row in rows]),
                volume_shares=_column([row.volume_shares for row in rows]),
                amount_fen=np.zeros(len(rows), np.int64),
                bid_price_e4=_levels([row.bids for row in rows], 0),
                bid_shares=_levels([row.bids for row in rows], 1),
                ask_price_e4=_levels([row.asks for row in rows], 0),
                ask_shares=_levels([row.asks for row in rows], 1),
            ),
        )

    def bar(self, *rows: Bar) -> ExecutionReport:
        """Show bars of a period."""
        return self.step(BeatKind.BAR, _bars(rows))

    def close(self, *rows: Bar) -> ExecutionReport:
        """End a day with its bars."""
        return self.step(BeatKind.CLOSE, _bars(rows))

    def miss(self, kind: BeatKind) -> ExecutionReport:
        """Go through a beat whose frame is lost."""
        stamp, submits, cancels = self._next(kind)
        return self.engine.on_missing_beat(stamp, submits, cancels)

    def step(self, kind: BeatKind, rows: FrameRows) -> ExecutionReport:
        """Go through a beat."""
        stamp, submits, cancels = self._next(kind)
        return self.engine.on_beat(Frame(stamp, 0, rows), submits, cancels)

    def _next(self, kind: BeatKind) -> tuple[BeatStamp, list[SubmitOrder], list[CancelOrder]]:
        stamp = BeatStamp(RUN, self.beat, kind, self.trade_date, self.ts_event_ns + self.beat)
        self.beat += 1
        commands = self.submits, self.cancels
        self.submits, self.cancels = [], []
        return stamp, *commands


@pytest.fixture
def exchange_of() -> Callable[..., Exchange]:
    """Return a maker of exchanges; the arguments are those of the run's specs."""

    def make(
        participation_bps_max: int = 10_000,
        slippage_bps: int = 0,
        *,
        is_bundled: bool = True,
        trade_date: int = TRADE_DATE,
        **members: Any,  # noqa: ANN401  # fields of ExecutionSpec
    ) -> Exchange:
        execution = ExecutionSpec(participation_bps_max, slippage_bps, **members)
        commission = CommissionSpec(is_bundled=is_bundled)
        spec = RunSpec(RUN, (), (), commission=commission, execution=execution)
        return Exchange(spec, trade_date)

    return make


@pytest.fixture
def exchange(exchange_of: Callable[..., Exchange]) -> Exchange:
    """Return an exchange on a day that has begun, one instrument between 9 and 11 yuan."""
    exchange = exchange_of()
    exchange.open(Reference())
    return exchange


@pytest.fixture
def quote() -> type[Quote]:
    """Return the builder of a TICK frame's rows."""
    return Quote


@pytest.fixture
def reference() -> type[Reference]:
    """Return the builder of an OPEN frame's rows."""
    return Reference


@pytest.fixture
def bar() -> type[Bar]:
    """Return the builder of a BAR or CLOSE frame's rows."""
    return Bar


def _bars(rows: Sequence[Bar]) -> BarRows:
    close = _column([row.low_e4 for row in rows])
    return BarRows(
        instrument=_column([row.instrument for row in rows]),
        open_e4=_column([min(max(row.open_e4, row.low_e4), row.high_e4) for row in rows]),
        high_e4=_column([row.high_e4 for row in rows]),
        low_e4=close,
        close_e4=close,
        volume_shares=_column([row.volume_shares for row in rows]),
        amount_fen=np.zeros(len(rows), np.int64),
    )


def _column(values: list[int]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array(values, np.int64)


def _levels(
    sides: list[Levels],
    member: int,
) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    array = np.zeros((len(sides), 5), np.int64)
    for row, levels in enumerate(sides):
        for column, level in enumerate(levels):
            array[row, column] = level[member]
    return array
