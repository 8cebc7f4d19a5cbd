"""Days of a market at random, by a seed: every phase, every kind of order, and faults of feeds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np

from tidegate_common.domain.enums import (
    BeatKind,
    Board,
    LimitState,
    OrderType,
    Phase,
    QueueCancels,
    Side,
    TimeInForce,
)
from tidegate_common.domain.ids import AccountId, RunId, decision_id, order_id
from tidegate_common.domain.units import Int64Array
from tidegate_common.events.orders import CancelOrder, SubmitOrder
from tidegate_common.events.run import CommissionSpec, ExecutionSpec, RunSpec
from tidegate_common.frames.frame import BeatStamp, Frame, FrameRows
from tidegate_common.frames.rows import LEVELS, BarRows, QuoteRows, ReferenceRows
from tidegate_common.testing.builders import make_reference_rows

Value = TypeVar("Value")

RUN = RunId("run")
# All kinds of orders are in force.
TRADE_DATE = 2026_07_06
# 09:15:01 in Shanghai; every beat is 70 s later, so some are in the locked part of the call.
FIRST_NS = int(datetime(2026, 7, 6, 1, 15, 1, tzinfo=UTC).timestamp()) * 10**9
BEAT_NS = 70 * 10**9
TICK_E4 = 100
DOWN_E4, UP_E4 = 99_600, 100_400
BOARDS = {
    1600519: Board.MAIN,
    1688111: Board.STAR,
    2000333: Board.MAIN,
    2300750: Board.CHINEXT,
    2399001: Board.UNKNOWN,
}
# A frame may have instruments without reference data.
STRANGERS = (1999999, 2999999)
ACCOUNTS = ("b", "a10", "a9", "Z_", "zz")
PHASES = (*[Phase.CONTINUOUS] * 12, *[Phase.AFTER_HOURS] * 2, *[Phase.OPEN_CALL] * 3, *Phase)
TYPES = (*[OrderType.LIMIT] * 12, *[OrderType.FIXED_PRICE] * 2, *OrderType, *OrderType)
QUANTITIES = (1, 100, 100, 150, 400, 400, 1_000, 1_000, 9_000, 2_000_000)
TIMES_IN_FORCE = (*[TimeInForce.DAY] * 6, *TimeInForce)


@dataclass(frozen=True, slots=True)
class RandomBeat:
    """What a beat brings; no frame where it was lost."""

    stamp: BeatStamp
    frame: Frame | None
    submits: tuple[SubmitOrder, ...]
    cancels: tuple[CancelOrder, ...]


@dataclass(slots=True)
class RandomMarket:
    """A market at random; the same seed makes the same one."""

    seed: int
    random: np.random.Generator = field(init=False)
    volumes: dict[int, int] = field(init=False, default_factory=dict)
    shown: dict[int, list[Int64Array]] = field(init=False, default_factory=dict)
    sent: list[SubmitOrder] = field(init=False, default_factory=list)
    beat: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    @property
    def spec(self) -> RunSpec:
        """The run's rules, by the seed too."""
        random = np.random.default_rng(self.seed)
        execution = ExecutionSpec(
            participation_bps_max=int(random.choice([0, 500, 2_000, 2_000, 10_000, 10_000])),
            slippage_bps=int(random.choice([0, 7])),
            slippage_ticks=int(random.choice([0, 1])),
            impact_bps=int(random.choice([0, 95])),
            latency_beats=int(random.choice([0, 0, 0, 1, 2])),
            queue_cancels=list(QueueCancels)[int(random.integers(2))],
        )
        commission = CommissionSpec(is_bundled=bool(random.integers(2)))
        return RunSpec(RUN, (), (), commission=commission, execution=execution)

    def days(self) -> Iterator[RandomBeat]:
        """Yield the beats of two days, each on quotes, on bars, on both or on day bars alone."""
        for _ in range(2):
            self.volumes = dict.fromkeys((*BOARDS, *STRANGERS), 0)
            self.shown = {}
            kinds = [BeatKind.TICK] * int(self.random.choice([0, 5, 12]))
            kinds += [BeatKind.BAR] * int(self.random.choice([0, 0, 3]))
            yield self._beat(BeatKind.OPEN)
            for kind in kinds:
                yield self._beat(kind)
            if self._happens(0.9):
                yield self._beat(BeatKind.CLOSE)

    def _beat(self, kind: BeatKind) -> RandomBeat:
        number, self.beat = self.beat, self.beat + 1
        ts_event_ns = FIRST_NS + number * BEAT_NS
        stamp = BeatStamp(RUN, number, kind, TRADE_DATE, ts_event_ns)
        frame = None if self._happens(0.03) else Frame(stamp, 0, self._rows(kind))
        cancels = self._cancels(number - 1)
        return RandomBeat(stamp, frame, self._submits(number - 1), cancels)

    def _rows(self, kind: BeatKind) -> FrameRows:
        match kind:
            case BeatKind.OPEN:
                return self._reference()
            case BeatKind.TICK:
                return self._quotes()
            case _:
                return self._bars()

    def _happens(self, chance: float) -> bool:
        return bool(self.random.random() < chance)

    def _price(self) -> int:
        return int(self.random.integers(DOWN_E4 // TICK_E4, UP_E4 // TICK_E4 + 1)) * TICK_E4

    def _spoken(self) -> list[int]:
        return [number for number in sorted((*BOARDS, *STRANGERS)) if self._happens(0.85)]

    def _reference(self) -> ReferenceRows:
        count, same = len(BOARDS), np.ones(len(BOARDS), np.int64)
        states = self.random.choice([*[LimitState.LIMITED] * 6, *LimitState], count)
        is_limited = states == LimitState.LIMITED
        has_open = self.random.random(count) < self.random.choice([0.0, 0.8])
        return replace(
            make_reference_rows(count),
            instrument=_column(list(BOARDS)),
            board=np.array(list(BOARDS.values()), np.uint8),
            limit_state=states.astype(np.uint8),
            is_suspended=self.random.random(count) < 0.05,
            limit_up_e4=UP_E4 * same * is_limited,
            limit_down_e4=DOWN_E4 * same * is_limited,
            prev_close_e4=100_000 * same,
            open_e4=_column([self._price() for _ in range(count)]) * has_open,
        )

    def _quotes(self) -> QuoteRows:
        spoken = self._spoken()
        for number in spoken:
            self.volumes[number] += int(self.random.choice([0, 0, 300, 5_003, 90_000, -40]))
            if number not in self.shown or self._happens(0.6):
                self.shown[number] = self._book()
        prices = [self._price() * self._happens(0.97) for _ in spoken]
        sides = [np.array([self.shown[number][side] for number in spoken]) for side in range(4)]
        levels = [side.reshape(-1, LEVELS) for side in sides]
        return QuoteRows(
            instrument=_column(spoken),
            ts_event_ns=_column([0] * len(spoken)),
            phase=self.random.choice(np.array(PHASES, np.uint8), len(spoken)),
            last_e4=_column(prices),
            volume_shares=np.maximum(_column([self.volumes[number] for number in spoken]), 0),
            amount_fen=_column([0] * len(spoken)),
            bid_price_e4=levels[0],
            bid_shares=levels[1],
            ask_price_e4=levels[2],
            ask_shares=levels[3],
        )

    def _book(self) -> list[Int64Array]:
        """Return bids and asks, prices and shares; some levels are missing, some beyond a limit."""
        best_e4, steps = self._price(), np.arange(LEVELS) * TICK_E4
        shares = self.random.choice([0, 100, 137, 200, 2_500], (2, LEVELS))
        # A side may be empty.
        shares *= self.random.random((2, 1)) < 0.9
        bids, asks = best_e4 - steps, best_e4 + TICK_E4 * int(self.random.integers(1, 3)) + steps
        return [bids * (shares[0] > 0), shares[0], asks * (shares[1] > 0), shares[1]]

    def _bars(self) -> BarRows:
        spoken = self._spoken()
        lows = [self._price() for _ in spoken]
        highs = [min(UP_E4, low + TICK_E4 * int(self.random.integers(0, 5))) for low in lows]
        opens = [int(self.random.choice(pair)) for pair in zip(lows, highs, strict=True)]
        volumes = self.random.choice([0, 1_000, 7_777, 200_000], len(spoken))
        return BarRows(
            instrument=_column(spoken),
            open_e4=_column(opens),
            high_e4=_column(highs),
            low_e4=_column(lows),
            close_e4=_column(lows),
            volume_shares=volumes,
            amount_fen=_column([0] * len(spoken)),
        )

    def _submits(self, decided: int) -> tuple[SubmitOrder, ...]:
        submits = []
        for sequence in range(int(self.random.integers(0, 9)) if decided >= 0 else 0):
            account = AccountId(str(self.random.choice(ACCOUNTS)))
            order_type = self._one_of(TYPES)
            submits.append(
                SubmitOrder(
                    order_id=order_id(RUN, decided, account, sequence),
                    decision_id=decision_id(RUN, decided, account, sequence),
                    beat=decided,
                    account_id=account,
                    sequence=sequence,
                    instrument=self._one_of((*[1600519] * 6, *BOARDS, *BOARDS, *STRANGERS)),
                    side=self._one_of(tuple(Side)),
                    order_type=order_type,
                    time_in_force=self._one_of(TIMES_IN_FORCE),
                    price_e4=0 if order_type.is_market else self._price(),
                    quantity_shares=self._one_of(
                        (1, 100, 100, 150, 400, 400, 1_000, 1_000, 9_000, 2_000_000)
                    ),
                    ts_event_ns=0,
                ),
            )
        self.sent += submits
        return tuple(submits)

    def _cancels(self, decided: int) -> tuple[CancelOrder, ...]:
        return tuple(
            CancelOrder(order.order_id, decided, order.account_id, 99, order.instrument, 0)
            for order in self.sent[-30:]
            if self._happens(0.03)
        )

    def _one_of(self, values: Sequence[Value]) -> Value:
        return values[int(self.random.integers(len(values)))]


def _column(values: list[int]) -> Int64Array:
    return np.array(values, np.int64)
