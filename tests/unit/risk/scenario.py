"""A risk engine fed by hand: builders with defaults, and an exchange that does as it is told.

Used by the property tests too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from msgspec import structs

from tidegate_common.domain.enums import (
    BeatKind,
    Board,
    ControlCommand,
    LimitState,
    Liquidity,
    OrderReason,
    OrderStatus,
    OrderType,
    Phase,
    PriceSource,
    Side,
    TimeInForce,
)
from tidegate_common.domain.ids import AccountId, OrderId, RequestId, RunId, fill_id
from tidegate_common.domain.units import Int64Array, notional_fen
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.events.orders import (
    CancelRequest,
    ControlRequest,
    OrderRequest,
    RequestEnvelope,
    SubmitOrder,
)
from tidegate_common.events.run import (
    AccountSpec,
    CommissionSpec,
    ConstructionSpec,
    ProgrammeTradingSpec,
    RiskLimits,
    RunSpec,
    StrategySpec,
)
from tidegate_common.frames.actions import action_columns
from tidegate_common.frames.frame import (
    NO_REASON,
    BeatStamp,
    Frame,
    FrameRows,
    ScoreBatch,
    no_reasons,
)
from tidegate_common.frames.rows import LEVELS, BarRows, QuoteRows, ReferenceRows, unknown_figures
from tidegate_common.market.board import board_of
from tidegate_common.market.corporate_actions import CorporateAction
from tidegate_common.market.fees import FeeSchedule
from tidegate_common.market.sessions import shanghai_ns
from tidegate_risk.engine.engine import RiskEngine, RiskInputs, RiskOutput
from tidegate_risk.engine.rules import RuleTable, segments_of

BANK = 1600000
LIQUOR = 1600519
APPLIANCE = 2000333
STAR = 1688981
DAYS = (20240603, 20240604, 20240605, 20240606)
TEN_O_CLOCK = 36_000
PRICE_E4 = 40_000

LOOSE = RiskLimits(
    position_bps_max=10_000,
    daily_loss_bps_max=10_000,
    drawdown_bps_max=10_000,
    sector_bps_max=10_000,
    leverage_bps_max=10_000,
)


@dataclass(frozen=True)
class Reference:
    """An instrument on the morning of a day."""

    instrument: int = BANK
    limit_state: LimitState = LimitState.LIMITED
    is_suspended: bool = False
    prev_close_e4: int = PRICE_E4
    limit_up_e4: int = 44_000
    limit_down_e4: int = 36_000
    is_st: bool = False
    open_e4: int = 0
    sector: str = "finance"
    fund_board: Board | None = None
    action: CorporateAction | None = None

    @property
    def board(self) -> Board:
        """What the code says, but of a fund."""
        return self.fund_board or board_of(self.instrument)


@dataclass(frozen=True)
class Quote:
    """An instrument at one moment; the book has one level a side."""

    instrument: int = BANK
    last_e4: int = PRICE_E4
    phase: Phase = Phase.CONTINUOUS
    bid_e4: int = 0
    ask_e4: int = 0


def reference_rows(references: Sequence[Reference]) -> ReferenceRows:
    """Return the rows of an OPEN beat."""
    sorted_ = sorted(references, key=lambda each: each.instrument)
    return ReferenceRows(
        instrument=np.array([each.instrument for each in sorted_], np.int64),
        board=np.array([each.board for each in sorted_], np.uint8),
        limit_state=np.array([each.limit_state for each in sorted_], np.uint8),
        is_st=np.array([each.is_st for each in sorted_], np.bool_),
        is_suspended=np.array([each.is_suspended for each in sorted_], np.bool_),
        prev_close_e4=np.array([each.prev_close_e4 for each in sorted_], np.int64),
        limit_up_e4=np.array([each.limit_up_e4 for each in sorted_], np.int64),
        limit_down_e4=np.array([each.limit_down_e4 for each in sorted_], np.int64),
        open_e4=np.array([each.open_e4 for each in sorted_], np.int64),
        sector=np.array([each.sector for each in sorted_], np.object_),
        **unknown_figures(len(sorted_)),
        **action_columns(
            np.array([each.instrument for each in sorted_], np.int64),
            [each.action for each in sorted_ if each.action is not None],
        ),
    )


def quote_rows(quotes: Sequence[Quote]) -> QuoteRows:
    """Return the rows of a TICK beat."""
    sorted_ = sorted(quotes, key=lambda each: each.instrument)
    zeros = np.zeros(len(sorted_), np.int64)
    bids, asks = (np.zeros((len(sorted_), LEVELS), np.int64) for _ in range(2))
    bids[:, 0] = [each.bid_e4 for each in sorted_]
    asks[:, 0] = [each.ask_e4 for each in sorted_]
    return QuoteRows(
        instrument=np.array([each.instrument for each in sorted_], np.int64),
        ts_event_ns=zeros,
        phase=np.array([each.phase for each in sorted_], np.uint8),
        last_e4=np.array([each.last_e4 for each in sorted_], np.int64),
        volume_shares=zeros,
        amount_fen=zeros,
        bid_price_e4=bids,
        bid_shares=bids,
        ask_price_e4=asks,
        ask_shares=asks,
    )


def bar_rows(closes: Mapping[int, int], volume_shares: int = 0) -> BarRows:
    """Return the rows of a BAR or CLOSE beat, from close by instrument."""
    instrument = np.array(sorted(closes), np.int64)
    close = np.array([closes[number] for number in sorted(closes)], np.int64)
    volume = np.full(len(closes), volume_shares, np.int64)
    return BarRows(instrument, close, close, close, close, volume, np.zeros_like(volume))


def score_batch(
    stamp: BeatStamp,
    scores: Mapping[str, Mapping[int, int]],
    volatility_e6: Mapping[int, int] | None = None,
) -> ScoreBatch:
    """Return scores by strategy and instrument; all state the same volatilities, or none."""
    triples = [
        (number, instrument, score)
        for number, name in enumerate(scores)
        for instrument, score in sorted(scores[name].items())
    ]
    columns = np.array(triples, np.int64).reshape(-1, 3)
    stated = volatility_e6 or {}
    reason_e6 = no_reasons(len(columns))
    reason_e6[:, 0] = [stated.get(each, NO_REASON) for each in columns[:, 1].tolist()]
    return ScoreBatch(
        stamp=stamp,
        shard=0,
        strategies=tuple(scores),
        is_ranked=(False,) * len(scores),
        reason_names=(("volatility",) if stated else (),) * len(scores),
        strategy=columns[:, 0],
        instrument=columns[:, 1],
        score_e6=columns[:, 2],
        reason_e6=reason_e6,
    )


def order_request(**changes: object) -> RequestEnvelope:
    """Return a request for 100 shares at the usual price, with changes."""
    request = OrderRequest(
        request_id=RequestId("req"),
        account_id=AccountId("alpha"),
        instrument=BANK,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        price_e4=PRICE_E4,
        quantity_shares=100,
        time_in_force=TimeInForce.DAY,
    )
    return RequestEnvelope(order=structs.replace(request, **changes))


def cancel_request(order: str, *, request: str = "cancel") -> RequestEnvelope:
    """Return a request to cancel an order."""
    return RequestEnvelope(
        cancel=CancelRequest(RequestId(request), AccountId("alpha"), OrderId(order)),
    )


def control_request(
    command: ControlCommand,
    account: str | None = "alpha",
    *,
    request: str = "control",
    limits: RiskLimits | None = None,
) -> RequestEnvelope:
    """Return a command to an account, or to all."""
    account_id = None if account is None else AccountId(account)
    return RequestEnvelope(
        control=ControlRequest(RequestId(request), command, account_id, limits),
    )


def update_of(
    order: SubmitOrder,
    status: OrderStatus,
    *,
    filled_shares: int = 0,
    reason: OrderReason = OrderReason.NONE,
) -> OrderUpdate:
    """Return what the exchange says of an order."""
    leaves_shares = 0 if status.is_terminal else order.quantity_shares - filled_shares
    return OrderUpdate(
        order_id=order.order_id,
        beat=order.beat + 1,
        account_id=order.account_id,
        sequence=order.sequence,
        instrument=order.instrument,
        side=order.side,
        status=status,
        reason=reason,
        cumulative_shares=filled_shares,
        leaves_shares=leaves_shares,
        ts_event_ns=0,
    )


def fill_of(
    order: SubmitOrder,
    *,
    quantity_shares: int | None = None,
    price_e4: int | None = None,
    fee_fen: int = 0,
) -> Fill:
    """Return a trade of an order: all of it at its price, unless said otherwise."""
    price_e4 = order.price_e4 if price_e4 is None else price_e4
    quantity_shares = order.quantity_shares if quantity_shares is None else quantity_shares
    return Fill(
        fill_id=fill_id(order.order_id, 0),
        order_id=order.order_id,
        decision_id=order.decision_id,
        beat=order.beat + 1,
        account_id=order.account_id,
        order_beat=order.beat,
        sequence=order.sequence,
        instrument=order.instrument,
        side=order.side,
        price_e4=price_e4,
        quantity_shares=quantity_shares,
        amount_fen=notional_fen(price_e4, quantity_shares),
        commission_fen=fee_fen,
        stamp_duty_fen=0,
        transfer_fee_fen=0,
        source=PriceSource.LEVEL,
        liquidity=Liquidity.TAKER,
        ts_event_ns=0,
    )


@dataclass
class Stage:
    """A risk engine and the beats that are played to it; every default is harmless."""

    cash_fen: int = 100_000_000
    accounts: tuple[str, ...] = ("alpha",)
    strategies: tuple[str, ...] = ("cross",)
    limits: RiskLimits = LOOSE
    own_limits: Mapping[str, RiskLimits] = field(default_factory=dict)
    construction: ConstructionSpec = field(default_factory=ConstructionSpec)
    commission: CommissionSpec = field(default_factory=lambda: CommissionSpec(0, 0))
    thresholds: ProgrammeTradingSpec | None = None
    days: tuple[int, ...] = DAYS
    beat: int = 0
    day: int = 0

    def __post_init__(self) -> None:
        self.spec = RunSpec(
            run_id=RunId("run"),
            accounts=tuple(
                AccountSpec(AccountId(name), self.cash_fen, self.own_limits.get(name))
                for name in self.accounts
            ),
            strategies=tuple(StrategySpec(name, "fake") for name in self.strategies),
            construction=self.construction,
            limits=self.limits,
            commission=self.commission,
            programme_trading=self.thresholds,
        )
        self.engine = RiskEngine(self.spec, tuple(AccountId(name) for name in self.accounts))
        self._request_numbers = count()

    def open(self, *references: Reference, **inputs: object) -> RiskOutput:
        """Begin a day."""
        rows = reference_rows(references or (Reference(),))
        return self._play(BeatKind.OPEN, rows, 33_000, inputs)

    def tick(self, *quotes: Quote, seconds: int = TEN_O_CLOCK, **inputs: object) -> RiskOutput:
        """Play quotes."""
        return self._play(BeatKind.TICK, quote_rows(quotes), seconds, inputs)

    def bar(self, closes: Mapping[int, int], **inputs: object) -> RiskOutput:
        """Play bars of a period."""
        return self._play(BeatKind.BAR, bar_rows(closes), TEN_O_CLOCK, inputs)

    def close(
        self,
        closes: Mapping[int, int] | None = None,
        *,
        volume_shares: int = 0,
        **inputs: object,
    ) -> RiskOutput:
        """End a day."""
        rows = bar_rows(closes or {}, volume_shares)
        output = self._play(BeatKind.CLOSE, rows, 54_000, inputs)
        self.day += 1
        return output

    def ask(self, *quotes: Quote, seconds: int = TEN_O_CLOCK, **changes: object) -> RiskOutput:
        """Play quotes and one order request under a fresh id."""
        named = {"request_id": RequestId(f"req{next(self._request_numbers)}")} | changes
        return self.tick(*quotes, seconds=seconds, requests=(order_request(**named),))

    def ask_at_close(self, **changes: object) -> SubmitOrder:
        """End the day with an accepted order request."""
        named = {"request_id": RequestId(f"req{next(self._request_numbers)}")} | changes
        output = self.close({BANK: PRICE_E4}, requests=(order_request(**named),))
        return output.submits[0]

    def hold(self, quantity_shares: int, *references: Reference) -> None:
        """Buy at the usual price, without fees, and end the day."""
        self.open(*references)
        order = self.ask(Quote(), quantity_shares=quantity_shares).submits[0]
        self.tick(fills=(fill_of(order),), updates=(filled(order),))
        self.close()

    def _play(
        self,
        kind: BeatKind,
        rows: FrameRows,
        seconds: int,
        inputs: Mapping[str, object],
    ) -> RiskOutput:
        options = dict(inputs)
        date = self.days[self.day]
        is_last = bool(options.pop("is_last", False))
        stamp = BeatStamp(
            RunId("run"), self.beat, kind, date, shanghai_ns(date, seconds), is_last=is_last
        )
        scores = score_batch(
            stamp,
            options.pop("scores", {}),  # type: ignore[arg-type]  # by name
            options.pop("volatility_e6", None),  # type: ignore[arg-type]  # by name
        )
        stale = np.array(options.pop("stale", ()), np.int64)
        frame = Frame(stamp, 0, rows)
        self.beat += 1
        # By name.
        inputs_ = RiskInputs(frame, scores, stale=stale, **options)  # type: ignore[arg-type]
        return self.engine.on_beat(inputs_)


def rule_row(board: Board, trade_date: int) -> Int64Array:
    """Return the numbers that the kernels judge a board of Shenzhen by."""
    rules = RuleTable(FeeSchedule(CommissionSpec().contract()))
    segment = segments_of(np.array([2_000_000]), np.array([board], np.uint8))[0]
    rules.begin_day(trade_date)
    rules.set_session(segment, Phase.CONTINUOUS, is_caged=True, takes_fixed_price=False)
    row: Int64Array = rules.table[segment]
    return row


def filled(order: SubmitOrder) -> OrderUpdate:
    """Return the end of an order that is filled."""
    return update_of(order, OrderStatus.FILLED, filled_shares=order.quantity_shares)
