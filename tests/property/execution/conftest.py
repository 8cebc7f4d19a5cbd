"""Markets and streams of orders that Hypothesis draws, and an engine to play them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import strategies as st

from tidegate_common.domain.enums import BeatKind, OrderType, Phase, Side, TimeInForce
from tidegate_common.domain.ids import AccountId, OrderId, RunId, decision_id, order_id
from tidegate_common.domain.units import Int64Array
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.events.orders import CancelOrder, SubmitOrder
from tidegate_common.events.run import CommissionSpec, ExecutionSpec, RunSpec
from tidegate_common.frames.frame import BeatStamp, Frame, FrameRows
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_common.testing.builders import make_reference_rows
from tidegate_execution.engine import ExecutionEngine, ExecutionReport

RUN = RunId("run")
# All kinds of orders are in force, and no price drawn here is outside the cage.
TRADE_DATE = 2026_07_06
# The last one is suspended all day.
INSTRUMENTS = (1600519, 2000333, 2300750)
DOWN_E4, UP_E4 = 99_700, 100_300
TICK_E4 = 100
PARTICIPATION_BPS = 2_000
SPEC = RunSpec(
    RUN,
    (),
    (),
    # Every fee that there is.
    commission=CommissionSpec(is_bundled=False),
    execution=ExecutionSpec(PARTICIPATION_BPS, slippage_bps=7),
)
PRICES = st.sampled_from(range(DOWN_E4, UP_E4 + TICK_E4, TICK_E4))
SHARES = st.sampled_from([0, 100, 137, 200])
QUANTITIES = st.sampled_from([1, 100, 150, 400, 1_000])
TYPES = st.sampled_from(
    [OrderType.LIMIT] * 10 + [OrderType.MARKET, OrderType.FIXED_PRICE] * 3 + list(OrderType),
)
TIMES_IN_FORCE = st.sampled_from([TimeInForce.DAY] * 4 + list(TimeInForce))
PHASES = st.sampled_from([Phase.CONTINUOUS] * 12 + [Phase.AFTER_HOURS] * 4 + list(Phase))


@dataclass(frozen=True, slots=True)
class Beat:
    """What a beat brings to the engine."""

    frame: Frame
    submits: tuple[SubmitOrder, ...]
    cancels: tuple[CancelOrder, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an engine said over a run."""

    beats: list[Beat]
    reports: list[ExecutionReport]

    @property
    def orders(self) -> dict[OrderId, SubmitOrder]:
        """Every order that was sent."""
        return {order.order_id: order for beat in self.beats for order in beat.submits}

    @property
    def fills(self) -> list[Fill]:
        """Every fill."""
        return [fill for report in self.reports for fill in report.fills]

    @property
    def updates(self) -> list[OrderUpdate]:
        """Every update."""
        return [update for report in self.reports for update in report.updates]


def column(values: Iterable[int]) -> Int64Array:
    """Return a column of whole numbers."""
    return np.array(list(values), np.int64)


def reference(open_e4: Sequence[int]) -> ReferenceRows:
    """Return the day's reference data; the last instrument is suspended."""
    same = np.ones(len(INSTRUMENTS), np.int64)
    return replace(
        make_reference_rows(len(INSTRUMENTS)),
        instrument=column(INSTRUMENTS),
        is_suspended=np.array([False, False, True]),
        limit_up_e4=UP_E4 * same,
        limit_down_e4=DOWN_E4 * same,
        open_e4=column(open_e4),
    )


@st.composite
def commands(
    draw: st.DrawFn,
    beat: int,
    known: list[SubmitOrder],
) -> tuple[tuple[SubmitOrder, ...], tuple[CancelOrder, ...]]:
    """Draw what risk decided on a beat, and remember the orders."""
    submits = []
    for sequence in range(draw(st.integers(0, 3))):
        account = AccountId(draw(st.sampled_from("abc")))
        order_type = draw(TYPES)
        submits.append(
            SubmitOrder(
                order_id=order_id(RUN, beat, account, sequence),
                decision_id=decision_id(RUN, beat, account, sequence),
                beat=beat,
                account_id=account,
                sequence=sequence,
                instrument=draw(st.sampled_from(INSTRUMENTS[:1] * 4 + INSTRUMENTS)),
                side=draw(st.sampled_from(Side)),
                order_type=order_type,
                time_in_force=draw(TIMES_IN_FORCE),
                price_e4=0 if order_type.is_market else draw(PRICES),
                quantity_shares=draw(QUANTITIES),
                ts_event_ns=0,
            ),
        )
    cancels = []
    if known and draw(st.integers(0, 3)) == 0:
        order = draw(st.sampled_from(known))
        cancels.append(
            CancelOrder(order.order_id, beat, order.account_id, 9, order.instrument, 0),
        )
    known += submits
    return tuple(submits), tuple(cancels)


@st.composite
def quotes(draw: st.DrawFn, volumes: dict[int, int]) -> QuoteRows:
    """Draw a TICK frame; an instrument may be silent, a side empty, volumes only grow."""
    spoken = [number for number in INSTRUMENTS if draw(st.integers(0, 5)) > 0]
    phases, lasts, traded, books = [], [], [], []
    for number in spoken:
        phases.append(draw(PHASES))
        lasts.append(draw(PRICES))
        volumes[number] += draw(st.sampled_from([0, 0, 300, 1_000, 5_003]))
        traded.append(volumes[number])
        best_bid = draw(PRICES)
        books.append(
            (
                [best_bid - TICK_E4 * step for step in range(5)],
                draw(st.lists(SHARES, min_size=5, max_size=5)),
                [best_bid + TICK_E4 * (step + 1) for step in range(5)],
                draw(st.lists(SHARES, min_size=5, max_size=5)),
            ),
        )
    levels = [np.array([book[side] for book in books], np.int64).reshape(-1, 5) for side in (0, 1)]
    asks = [np.array([book[side] for book in books], np.int64).reshape(-1, 5) for side in (2, 3)]
    return QuoteRows(
        instrument=column(spoken),
        ts_event_ns=column([0] * len(spoken)),
        phase=np.array(phases, np.uint8),
        last_e4=column(lasts),
        volume_shares=column(traded),
        amount_fen=column([0] * len(spoken)),
        # As at an exchange, nothing is displayed beyond the day's limits, and no empty level.
        bid_price_e4=np.where((levels[0] >= DOWN_E4) & (levels[1] > 0), levels[0], 0),
        bid_shares=np.where(levels[0] >= DOWN_E4, levels[1], 0),
        ask_price_e4=np.where((asks[0] <= UP_E4) & (asks[1] > 0), asks[0], 0),
        ask_shares=np.where(asks[0] <= UP_E4, asks[1], 0),
    )


@st.composite
def bars(draw: st.DrawFn) -> BarRows:
    """Draw the bars of a day, some of them of one price."""
    lows = [draw(PRICES) for _ in INSTRUMENTS]
    highs = [min(UP_E4, low + TICK_E4 * draw(st.sampled_from([0, 1, 3]))) for low in lows]
    volumes = [draw(st.sampled_from([0, 1_000, 7_777])) for _ in INSTRUMENTS]
    zeros = column([0] * len(INSTRUMENTS))
    return BarRows(
        column(INSTRUMENTS),
        column(lows),
        column(highs),
        column(lows),
        column(highs),
        column(volumes),
        zeros,
    )


@st.composite
def tick_days(draw: st.DrawFn) -> list[Beat]:
    """Draw a day of quotes between OPEN and CLOSE."""
    volumes = dict.fromkeys(INSTRUMENTS, 0)
    rows: list[tuple[BeatKind, FrameRows]] = [(BeatKind.OPEN, reference([0, 0, 0]))]
    rows += [(BeatKind.TICK, draw(quotes(volumes))) for _ in range(draw(st.integers(2, 7)))]
    rows.append((BeatKind.CLOSE, draw(bars())))
    return with_commands(draw, rows)


@st.composite
def bar_days(draw: st.DrawFn) -> list[Beat]:
    """Draw some days of a daily-bar run."""
    rows: list[tuple[BeatKind, FrameRows]] = []
    for _ in range(draw(st.integers(2, 4))):
        opens = [draw(PRICES), draw(PRICES), 0]
        rows += [(BeatKind.OPEN, reference(opens)), (BeatKind.CLOSE, draw(bars()))]
    return with_commands(draw, rows)


def with_commands(draw: st.DrawFn, rows: list[tuple[BeatKind, FrameRows]]) -> list[Beat]:
    """Return the beats of a run with orders in each but the first."""
    known: list[SubmitOrder] = []
    beats = []
    for number, (kind, content) in enumerate(rows):
        submits, cancels = draw(commands(number - 1, known)) if number else ((), ())
        stamp = BeatStamp(RUN, number, kind, TRADE_DATE, number)
        beats.append(Beat(Frame(stamp, 0, content), submits, cancels))
    return beats


def play(beats: list[Beat], engine: ExecutionEngine | None = None) -> Outcome:
    """Run beats through an engine."""
    engine = engine or ExecutionEngine(SPEC)
    reports = [engine.on_beat(beat.frame, beat.submits, beat.cancels) for beat in beats]
    return Outcome(beats, reports)


@dataclass(frozen=True, slots=True)
class Laboratory:
    """What a test asks for to draw runs and to play them."""

    spec: RunSpec
    tick_days: st.SearchStrategy[list[Beat]]
    bar_days: st.SearchStrategy[list[Beat]]
    play: Callable[..., Outcome]

    @property
    def runs(self) -> st.SearchStrategy[list[Beat]]:
        """Runs of both kinds."""
        return st.one_of(self.tick_days, self.bar_days)


@pytest.fixture(scope="session")
def laboratory() -> Laboratory:
    """Return the laboratory; it has no state."""
    return Laboratory(SPEC, tick_days(), bar_days(), play)
