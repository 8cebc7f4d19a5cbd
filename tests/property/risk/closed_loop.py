"""Risk in a loop with a random market and a random, honest exchange.

All randomness comes from one seed, so that two loops with different engines see the same world as
long as the engines say the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from msgspec import structs
from tests.unit.risk.scenario import (
    APPLIANCE,
    BANK,
    LIQUOR,
    Quote,
    Reference,
    bar_rows,
    cancel_request,
    control_request,
    fill_of,
    order_request,
    quote_rows,
    reference_rows,
    score_batch,
    update_of,
)

from tidegate_common.domain.enums import (
    BeatKind,
    Board,
    ConstructionMethod,
    ControlCommand,
    OrderStatus,
    OrderType,
    Side,
)
from tidegate_common.domain.enums import Exchange as Venue
from tidegate_common.domain.ids import EXCHANGE_STEP, AccountId, OrderId, RequestId, RunId
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.events.orders import CancelOrder, RequestEnvelope, SubmitOrder
from tidegate_common.events.run import (
    AccountSpec,
    CommissionSpec,
    ConstructionSpec,
    ProgrammeTradingSpec,
    RiskLimits,
    RunSpec,
    StrategySpec,
)
from tidegate_common.frames.frame import BeatStamp, Frame, FrameRows
from tidegate_common.market.fees import Fees, FeeSchedule
from tidegate_common.market.sessions import shanghai_ns
from tidegate_risk.engine.engine import RiskEngine, RiskInputs, RiskOutput

SECTORS = {BANK: "finance", LIQUOR: "food", APPLIANCE: "food"}
DAYS = (20240603, 20240604, 20240605)
TICKS_A_DAY = 12
CASH_FEN = 10_000_000
ACCOUNTS = tuple(AccountId(name) for name in ("alpha", "beta", "gamma"))
# One bites on losses, one on shares of NAV, one on nothing but cash.
LIMITS = (
    RiskLimits(4_000, 60, 200, 10_000, 10_000),
    RiskLimits(4_500, 9_000, 9_000, 5_000, 6_000),
    RiskLimits(10_000, 9_000, 9_000, 10_000, 10_000),
)
SPEC = RunSpec(
    run_id=RunId("run"),
    accounts=tuple(AccountSpec(name, CASH_FEN) for name in ACCOUNTS),
    strategies=(StrategySpec("first", "fake"), StrategySpec("second", "fake")),
    construction=ConstructionSpec(
        target_weight_bps=2_000,
        cooldown_beats=2,
        # Fewer places than instruments, and a turnover that some beats exceed.
        top_n=2,
        rebalance_band_bps=500,
        turnover_bps_max=12_000,
        capital_bps={"first": 6_000},
    ),
    # Every fee that there is.
    commission=CommissionSpec(is_bundled=False),
    # Low enough for some refusals.
    programme_trading=ProgrammeTradingSpec(3, 12, DAYS[0], DAYS[-1], "none, a test"),
)

# Commands come in one beat of four, so that a run has some of each and yet trades.
COMMAND_RATE = 0.25
# RESUME as often as all others: nothing is learnt from accounts that stand still.
COMMANDS = (
    ControlCommand.HALT,
    ControlCommand.REDUCE,
    ControlCommand.SET_LIMITS,
    *[ControlCommand.RESUME] * 3,
)
METHODS = tuple(ConstructionMethod)
FEES = FeeSchedule(SPEC.commission.contract())

Order = TypeVar("Order", SubmitOrder, CancelOrder)


def spec_of(seed: int) -> RunSpec:
    """Return the run of a seed, under one of the limits and one of the methods."""
    method = METHODS[seed // len(LIMITS) % len(METHODS)]
    return replace(
        SPEC,
        limits=LIMITS[seed % len(LIMITS)],
        construction=replace(SPEC.construction, method=method),
    )


@dataclass(frozen=True)
class Beat:
    """What happened in a beat, and what was known of the market after it."""

    stamp: BeatStamp
    rows: FrameRows = field(compare=False)
    fills: tuple[Fill, ...]
    updates: tuple[OrderUpdate, ...]
    output: RiskOutput
    marks_e4: dict[int, int]
    limits_up_e4: dict[int, int]


@dataclass
class _Working:
    submit: SubmitOrder
    bound_e4: int
    filled_shares: int = 0
    amount_fen: int = 0

    def fees(self, stamp: BeatStamp) -> Fees:
        """Return what its fills cost so far."""
        return FEES.order_fees(
            side=self.submit.side,
            amount_fen=self.amount_fen,
            quantity_shares=self.filled_shares,
            exchange=Venue(self.submit.instrument // EXCHANGE_STEP),
            board=Board.MAIN,
            trade_date=stamp.trade_date,
        )


@dataclass
class Exchange:
    """Fills a random part of what works at a random price no worse than its limit."""

    random: np.random.Generator
    working: dict[OrderId, _Working] = field(default_factory=dict)

    def meet(
        self,
        stamp: BeatStamp,
        world: "World",
        submits: Sequence[SubmitOrder],
        cancels: Sequence[CancelOrder],
    ) -> tuple[tuple[Fill, ...], tuple[OrderUpdate, ...]]:
        """Return what becomes of old and new orders in a beat."""
        for submit in submits:
            up, down = world.limits(submit.instrument)
            market_e4 = up if submit.side is Side.BUY else down
            self.working[submit.order_id] = _Working(submit, submit.price_e4 or market_e4)
        cancelled = {cancel.order_id for cancel in cancels}
        fills: list[Fill] = []
        updates: list[OrderUpdate] = []
        for order in list(self.working.values()):
            status = self._fate(order.submit, cancelled, stamp.kind)
            if status in {OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED}:
                fills.append(self._fill(order, stamp))
            if order.filled_shares == order.submit.quantity_shares:
                status = OrderStatus.FILLED
            elif stamp.kind is BeatKind.CLOSE and not status.is_terminal:
                status = OrderStatus.EXPIRED
            update = update_of(order.submit, status, filled_shares=order.filled_shares)
            updates.append(structs.replace(update, beat=stamp.beat))
            if status.is_terminal:
                del self.working[order.submit.order_id]
        return tuple(fills), tuple(updates)

    def _fate(
        self,
        submit: SubmitOrder,
        cancelled: set[OrderId],
        kind: BeatKind,
    ) -> OrderStatus:
        if submit.order_id in cancelled:
            return OrderStatus.CANCELED
        if submit.order_type is OrderType.MARKET and kind is BeatKind.CLOSE:
            return OrderStatus.EXPIRED
        fates = (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.REJECTED)
        return fates[self.random.choice(3, p=(0.45, 0.5, 0.05))]

    def _fill(self, order: _Working, stamp: BeatStamp) -> Fill:
        submit = order.submit
        leaves_shares = submit.quantity_shares - order.filled_shares
        is_whole = self.random.random() < 0.5
        quantity_shares = (
            leaves_shares if is_whole else int(self.random.integers(leaves_shares)) + 1
        )
        better_e4 = 100 * int(self.random.integers(5))
        is_buy = submit.side is Side.BUY
        price_e4 = order.bound_e4 - better_e4 if is_buy else order.bound_e4 + better_e4
        fill = fill_of(submit, quantity_shares=quantity_shares, price_e4=price_e4)
        paid = order.fees(stamp)
        order.amount_fen += fill.amount_fen
        order.filled_shares += quantity_shares
        due = order.fees(stamp) - paid
        return structs.replace(
            fill,
            beat=stamp.beat,
            commission_fen=due.commission_fen,
            stamp_duty_fen=due.stamp_duty_fen,
            transfer_fee_fen=due.transfer_fee_fen,
            handling_fee_fen=due.handling_fee_fen,
            regulatory_fee_fen=due.regulatory_fee_fen,
        )


@dataclass
class World:
    """Prices that wander within their limits, scores, requests and commands."""

    random: np.random.Generator
    is_daily: bool
    has_commands: bool = False
    last_e4: dict[int, int] = field(default_factory=lambda: dict.fromkeys(SECTORS, 40_000))
    previous_e4: dict[int, int] = field(default_factory=lambda: dict.fromkeys(SECTORS, 40_000))
    request_count: int = 0

    def limits(self, instrument: int) -> tuple[int, int]:
        """Return the day's upper and lower limit."""
        up = (self.previous_e4[instrument] * 11 // 10 + 50) // 100 * 100
        down = (self.previous_e4[instrument] * 9 // 10 + 50) // 100 * 100
        return up, down

    def open_rows(self) -> FrameRows:
        """Begin a day at the prices of before."""
        self.previous_e4 = dict(self.last_e4)
        if self.is_daily:
            self.wander()
        references = [
            Reference(
                instrument,
                prev_close_e4=self.previous_e4[instrument],
                limit_up_e4=self.limits(instrument)[0],
                limit_down_e4=self.limits(instrument)[1],
                open_e4=self.last_e4[instrument] if self.is_daily else 0,
                sector=sector,
            )
            for instrument, sector in SECTORS.items()
        ]
        return reference_rows(references)

    def tick_rows(self) -> FrameRows:
        """Let some instruments speak."""
        self.wander()
        return quote_rows(
            [
                Quote(
                    instrument,
                    last_e4=price_e4,
                    bid_e4=price_e4 - 100 * int(self.random.integers(2)),
                    ask_e4=price_e4 + 100 * int(self.random.integers(2)),
                )
                for instrument, price_e4 in self.last_e4.items()
            ],
        )

    def wander(self) -> None:
        """Move each price by up to 2%."""
        for instrument, price_e4 in self.last_e4.items():
            up, down = self.limits(instrument)
            moved = price_e4 + 100 * int(self.random.integers(-8, 9))
            self.last_e4[instrument] = min(max(moved, down), up)

    def scores(self) -> dict[str, dict[int, int]]:
        """Return some opinions."""
        return {
            strategy.name: {
                instrument: int(self.random.integers(-1_000_000, 1_000_000))
                for instrument in SECTORS
                if self.random.random() < 0.7
            }
            for strategy in SPEC.strategies
        }

    def volatility_e6(self) -> dict[int, int]:
        """Return what strategies say of the volatility; of one instrument some say nothing."""
        return {BANK: 200_000, LIQUOR: 300_000 + int(self.random.integers(100_000))}

    def requests(self, known: Sequence[OrderId]) -> Iterator[RequestEnvelope]:
        """Yield what people ask for, sensible or not."""
        if self.has_commands and self.random.random() < COMMAND_RATE:
            yield self.command()
        for _ in range(int(self.random.integers(3))):
            self.request_count += 1
            if known and self.random.random() < 0.2:
                order = known[int(self.random.integers(len(known)))]
                yield cancel_request(order, request=f"cancel{self.request_count}")
                continue
            instrument = (*SECTORS, 1600001)[int(self.random.integers(4))]
            is_market = not self.is_daily and self.random.random() < 0.2
            base_e4 = self.last_e4.get(instrument, 40_000)
            yield order_request(
                request_id=RequestId(f"req{self.request_count - int(self.random.random() < 0.1)}"),
                account_id=ACCOUNTS[int(self.random.integers(len(ACCOUNTS)))],
                instrument=instrument,
                side=(Side.BUY, Side.SELL)[int(self.random.integers(2))],
                order_type=OrderType.MARKET if is_market else OrderType.LIMIT,
                price_e4=0 if is_market else base_e4 + 50 * int(self.random.integers(-24, 25)),
                quantity_shares=(50, 100, 5_000, 9_100, 15_000)[int(self.random.integers(5))],
            )

    def command(self) -> RequestEnvelope:
        """Return what a person tells risk to do; one of ten is a repeat."""
        self.request_count += 1
        command = COMMANDS[int(self.random.integers(len(COMMANDS)))]
        account = (*ACCOUNTS, None)[int(self.random.integers(len(ACCOUNTS) + 1))]
        limits = None
        if command is ControlCommand.SET_LIMITS:
            account = account or ACCOUNTS[0]
            limits = LIMITS[int(self.random.integers(len(LIMITS)))]
        return control_request(
            command,
            account,
            request=f"command{self.request_count - int(self.random.random() < 0.1)}",
            limits=limits,
        )


def play(
    seed: int,
    *,
    is_daily: bool = False,
    has_commands: bool = False,
    groups: tuple[tuple[AccountId, ...], ...] = (ACCOUNTS,),
    reload_every: int = 0,
) -> list[Beat]:
    """Return three days of a world, with the accounts spread over an engine a group."""
    random = np.random.default_rng(seed)
    world, exchange = World(random, is_daily, has_commands), Exchange(random)
    spec = spec_of(seed)
    engines = [RiskEngine(spec, group) for group in groups]
    beats: list[Beat] = []
    submits: tuple[SubmitOrder, ...] = ()
    cancels: tuple[CancelOrder, ...] = ()
    known: list[OrderId] = []
    for stamp in _stamps(is_daily=is_daily):
        rows = _rows_of(stamp.kind, world)
        fills, updates = exchange.meet(stamp, world, submits, cancels)
        requests = tuple(world.requests(known))
        scores = world.scores()
        if seed % 2 and stamp.kind is BeatKind.TICK:
            # A strategy on days, whose scores wait for the next morning.
            del scores["second"]
        inputs = RiskInputs(
            Frame(stamp, 0, rows),
            score_batch(stamp, scores, world.volatility_e6()),
            updates,
            fills,
            requests,
        )
        if reload_every and stamp.beat % reload_every == 0:
            engines = [
                _reloaded(engine, spec, group)
                for engine, group in zip(engines, groups, strict=True)
            ]
        output = _merged(
            [
                engine.on_beat(_share(inputs, group))
                for engine, group in zip(engines, groups, strict=True)
            ],
        )
        submits, cancels = output.submits, output.cancels
        known += [submit.order_id for submit in submits]
        marks = dict(world.last_e4)
        limits_up = {instrument: world.limits(instrument)[0] for instrument in SECTORS}
        beats.append(Beat(stamp, rows, fills, updates, output, marks, limits_up))
    return beats


def _stamps(*, is_daily: bool) -> Iterator[BeatStamp]:
    beat = 0
    ticks = [] if is_daily else [(BeatKind.TICK, 36_000 + 3 * n) for n in range(TICKS_A_DAY)]
    for date in DAYS:
        for kind, seconds in ((BeatKind.OPEN, 33_000), *ticks, (BeatKind.CLOSE, 54_000)):
            yield BeatStamp(SPEC.run_id, beat, kind, date, shanghai_ns(date, seconds))
            beat += 1


def _rows_of(kind: BeatKind, world: World) -> FrameRows:
    if kind is BeatKind.OPEN:
        return world.open_rows()
    if kind is BeatKind.TICK:
        return world.tick_rows()
    return bar_rows(world.last_e4)


def _reloaded(engine: RiskEngine, spec: RunSpec, group: tuple[AccountId, ...]) -> RiskEngine:
    other = RiskEngine(spec, group)
    other.restore(engine.snapshot())
    return other


def _share(inputs: RiskInputs, group: tuple[AccountId, ...]) -> RiskInputs:
    """Return what concerns the accounts of a group."""

    def is_own(envelope: RequestEnvelope) -> bool:
        request = envelope.order or envelope.cancel or envelope.control
        assert request is not None
        return request.account_id is None or request.account_id in group

    return replace(
        inputs,
        updates=tuple(update for update in inputs.updates if update.account_id in group),
        fills=tuple(fill for fill in inputs.fills if fill.account_id in group),
        requests=tuple(filter(is_own, inputs.requests)),
    )


def _merged(outputs: list[RiskOutput]) -> RiskOutput:
    """Return the union of what engines say, in the order of one engine."""
    return replace(
        outputs[0],
        submits=_sorted([submit for output in outputs for submit in output.submits]),
        cancels=_sorted([cancel for output in outputs for cancel in output.cancels]),
        decisions=tuple(
            sorted(
                (decision for output in outputs for decision in output.decisions),
                key=lambda decision: (decision.account_id, decision.sequence),
            ),
        ),
        controls=tuple(
            sorted(
                (outcome for output in outputs for outcome in output.controls),
                key=lambda outcome: (outcome.account_id, outcome.sequence),
            ),
        ),
        equity=tuple(
            sorted(
                (point for output in outputs for point in output.equity),
                key=lambda point: point.account_id,
            ),
        ),
        portfolios=tuple(
            sorted(
                (books for output in outputs for books in output.portfolios),
                key=lambda books: books.account_id,
            ),
        ),
    )


def _sorted(orders: list[Order]) -> tuple[Order, ...]:
    return tuple(sorted(orders, key=lambda order: (order.account_id, order.sequence)))
