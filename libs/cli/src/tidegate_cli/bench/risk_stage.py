"""A risk partition before a whole market, for bench `risk`: accounts with holdings that order.

On the first day every account buys its holdings, by a strategy's scores; on the second one, whose
market the path describes, orders are decided and timed. Time runs only inside the engine, or inside
the processor, which encodes what the engine says: all inputs are ready in memory.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, cycle
from typing import Final

import numpy as np

from tidegate_cli.bench.market import make_frames, make_open, make_series
from tidegate_cli.bench.risk_paths import ACCEPT, DAYS, LOT_SHARES, TEN_O_CLOCK, Path
from tidegate_common.bus.processor import BeatInputs
from tidegate_common.clock import Clock
from tidegate_common.codec import decode_event
from tidegate_common.domain.enums import (
    BeatKind,
    ControlCommand,
    Liquidity,
    OrderReason,
    OrderStatus,
    PriceSource,
    Reason,
    Side,
)
from tidegate_common.domain.ids import AccountId, OrderId, RequestId, RunId, fill_id
from tidegate_common.domain.units import BPS, PRICE_E4_PER_FEN, Int64Array, notional_fen
from tidegate_common.errors import InvariantError
from tidegate_common.events.execution import Fill, FillBatch, OrderUpdate
from tidegate_common.events.message import Message
from tidegate_common.events.orders import (
    CancelRequest,
    ControlRequest,
    OrderBatch,
    OrderRequest,
    RequestEnvelope,
    SubmitOrder,
)
from tidegate_common.events.risk import DecisionBatch
from tidegate_common.events.run import (
    AccountSpec,
    ConstructionSpec,
    RiskLimits,
    RunSpec,
    StrategySpec,
)
from tidegate_common.frames.frame import (
    BeatStamp,
    Frame,
    FrameRows,
    ScoreBatch,
    empty_rows,
    empty_scores,
    no_reasons,
)
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.board import boards_of
from tidegate_common.market.listing import ordinary_stages_of
from tidegate_common.market.price_limits import price_limits
from tidegate_common.market.sessions import shanghai_ns
from tidegate_risk.engine.engine import RiskEngine, RiskInputs, RiskOutput
from tidegate_risk.shell import RiskProcessor

# 1,000,000,000 CNY: holdings and orders of 100,000 CNY each are small in it.
CASH_FEN: Final = 10**11
LOOSE: Final = RiskLimits(
    position_bps_max=BPS,
    daily_loss_bps_max=BPS,
    drawdown_bps_max=BPS,
    sector_bps_max=BPS,
    leverage_bps_max=BPS,
    stale_beats_max=1_000_000,
)
_STRATEGY: Final = "bench"
_RUN: Final = RunId("bench")
_SECTORS: Final = 30
_TICK_E4: Final = 100
_SCORE_E6: Final = 500_000
_SCORES: Final = 100_000
# A basis point of it is less than an order of the paths.
_DAY_SHARES: Final = 5_000_000
_BOUGHT_AT_ONCE: Final = 1_000
# Prices walk a little, and begin again before they come near a limit.
_QUOTED_BEATS: Final = 5


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is: holdings of each account, orders of a batch, accounts."""

    position_count: int
    batch_count: int
    account_count: int = 1


def market_quotes(instrument_count: int) -> list[QuoteRows]:
    """Return the quotes of a few beats of a whole market; all stages may share them."""
    frames = make_frames(make_series(instrument_count, _QUOTED_BEATS))
    return [frame.rows for frame in frames if isinstance(frame.rows, QuoteRows)]


class RiskStage:
    """Accounts on their second day.

    Parameters
    ----------
    quotes : what `market_quotes` returned.
    is_encoded : step the service's processor, which encodes, instead of its engine.
    """

    def __init__(
        self,
        quotes: Sequence[QuoteRows],
        size: Size,
        clock: Clock,
        path: Path = ACCEPT,
        *,
        is_encoded: bool = False,
    ) -> None:
        self._size = size
        self._clock = clock
        self._path = path
        self._accounts = tuple(AccountId(f"bench-{n:04d}") for n in range(size.account_count))
        spec = _spec_of(self._accounts, path)
        self._stepped = _Processor(spec) if is_encoded else _Engine(spec, self._accounts)
        self._quotes = quotes[0]
        self._moving = cycle(quotes)
        self._universe = self._quotes.instrument
        self._beats = count()
        self._request_numbers = count()
        self._date = DAYS[0]
        self._buy_holdings()
        self._begin_second_day()

    def request(self, request_count: int) -> float:
        """Return the seconds that so many of the path's requests add to a beat.

        Raises
        ------
        InvariantError
            If one did not go the path's way.
        """
        warm, idle, busy = (self._own_beat() for _ in range(3))
        busy = replace(busy, requests=self._requests(self._path, request_count))
        return self._compare(warm, idle, busy, decision_count=request_count)

    def score(self) -> float:
        """Return the seconds that scores which ask each account for a batch add to a beat."""
        warm, idle, busy = (self._own_beat() for _ in range(3))
        busy = self._asking(busy, self._size.batch_count)
        decision_count = self._size.batch_count * self._size.account_count
        return self._compare(warm, idle, busy, decision_count=decision_count)

    def whole(self, order_count: int) -> float:
        """Return the seconds of a beat in which the whole market is quoted.

        Parameters
        ----------
        order_count : that scores ask each account for; 0 for a beat without scores.
        """
        beat = self._asking(self._beat(next(self._moving)), order_count)
        return self._time(beat, order_count * self._size.account_count)

    def _compare(
        self,
        warm: RiskInputs,
        idle: RiskInputs,
        busy: RiskInputs,
        *,
        decision_count: int,
    ) -> float:
        # One right after the other: the bench's own work comes before the first, which is not
        # counted, and after the last.
        self._play(warm)
        idle_seconds = self._play(idle)
        return self._time(busy, decision_count) - idle_seconds

    def _time(self, beat: RiskInputs, decision_count: int) -> float:
        """Return the seconds of a beat, and end its orders: the next one finds none."""
        seconds = self._play(beat)
        self._check(self._path, decision_count)
        updates = tuple(_update_of(each, OrderStatus.EXPIRED) for each in self._stepped.submits())
        self._play(replace(self._beat(), updates=updates))
        return seconds

    def _buy_holdings(self) -> None:
        listed = np.arange(len(self._universe))
        if self._path.are_new:
            targets = self._target_rows(self._path, self._size.batch_count)
            listed = np.setdiff1d(listed, targets)
        quotes = self._quotes.take(listed)
        self._play(self._beat(self._reference(listed, {}), BeatKind.OPEN))
        self._play(self._beat(quotes))
        # A few at a time: what a beat with many orders needs for a moment is not the accounts'.
        wanted = self._universe[: self._size.position_count]
        step = max(1, _BOUGHT_AT_ONCE // self._size.account_count)
        for start in range(0, len(wanted), step):
            bought = wanted[start : start + step]
            self._play(_with_scores(self._beat(), bought))
            self._check(ACCEPT, len(bought) * self._size.account_count)
            submits = self._stepped.submits()
            fills = tuple(_fill_of(each) for each in submits)
            updates = tuple(_update_of(each, OrderStatus.FILLED) for each in submits)
            self._play(replace(self._beat(), fills=fills, updates=updates))
        prices, shares = quotes.last_e4, np.full(len(quotes), _DAY_SHARES)
        fen = shares * prices // PRICE_E4_PER_FEN
        bars = BarRows(quotes.instrument, prices, prices, prices, prices, shares, fen)
        self._play(self._beat(bars, BeatKind.CLOSE))

    def _begin_second_day(self) -> None:
        path, quotes = self._path, self._quotes
        self._date = DAYS[1]
        everything = np.arange(len(self._universe))
        self._play(self._beat(self._reference(everything, path.reference), BeatKind.OPEN))
        if path.is_quoted:
            last_e4 = _part(quotes.last_e4, path.last_bps)
            self._play(self._beat(replace(quotes, last_e4=last_e4)))
        self._play(replace(self._beat(), requests=tuple(_commands(path, self._accounts))))
        if path.has_open_sells:
            sells = Path(has_held_targets=True, side=Side.SELL, quantity_shares=LOT_SHARES)
            requests = self._requests(sells, self._size.position_count)
            self._play(replace(self._beat(), requests=requests))
            self._check(ACCEPT, len(requests))
        while path.is_spent or path.are_repeats:
            requests = self._requests(path, self._size.batch_count)
            self._play(replace(self._beat(), requests=requests))
            if not self._stepped.submits():
                break

    def _beat(
        self,
        rows: FrameRows | None = None,
        kind: BeatKind = BeatKind.TICK,
        *,
        seconds_of_day: int = TEN_O_CLOCK,
        is_last: bool = False,
    ) -> RiskInputs:
        time_ns = shanghai_ns(self._date, seconds_of_day)
        stamp = BeatStamp(_RUN, next(self._beats), kind, self._date, time_ns, is_last=is_last)
        frame = Frame(stamp, 0, empty_rows(kind) if rows is None else rows)
        return RiskInputs(frame, empty_scores(stamp, 0))

    def _own_beat(self) -> RiskInputs:
        """Return a beat of the path's time without news.

        The last beat of a run says all books, changed or not. So does each of these: beats with
        orders and without differ by the orders alone.
        """
        beat = self._beat(seconds_of_day=self._path.seconds_of_day, is_last=True)
        return replace(beat, stale=self._universe) if self._path.is_stale else beat

    def _asking(self, beat: RiskInputs, order_count: int) -> RiskInputs:
        return _with_scores(beat, self._universe[self._target_rows(ACCEPT, order_count)])

    def _play(self, inputs: RiskInputs) -> float:
        return self._stepped.step(inputs, self._clock)

    def _check(self, path: Path, decision_count: int) -> None:
        found = self._stepped.reasons()
        if found != [path.reason] * decision_count:
            message = (
                f"decisions must be {decision_count} of reason {path.reason}, were {len(found)} "
                f"of {', '.join(sorted(set(found)))}"
            )
            raise InvariantError(message)

    def _target_rows(self, path: Path, order_count: int) -> Int64Array:
        """Return the rows of the instruments asked for: those that are held, or others."""
        held_count = self._size.position_count
        first, last = (0, held_count) if path.has_held_targets else (held_count, None)
        rows = np.arange(len(self._universe))[first:last]
        return np.resize(rows, order_count)

    def _requests(self, path: Path, request_count: int) -> tuple[RequestEnvelope, ...]:
        quotes = self._quotes
        ask_e4 = _part(quotes.ask_price_e4[:, 0], path.last_bps)
        price_e4 = _part(ask_e4, path.price_bps) + path.price_off_e4
        rows = self._target_rows(path, request_count).tolist()
        return tuple(
            self._request(
                path,
                number,
                instrument=int(self._universe[row]) + path.code_offset,
                price_e4=int(price_e4[row]),
            )
            for number, row in enumerate(rows)
        )

    def _request(
        self,
        path: Path,
        number: int,
        *,
        instrument: int,
        price_e4: int,
    ) -> RequestEnvelope:
        unique = number if path.are_repeats else next(self._request_numbers)
        name = RequestId(f"request-{unique}")
        if path.are_cancels:
            cancel = CancelRequest(name, path.account_id, OrderId(f"{_RUN}.0.nobody.{number}"))
            return RequestEnvelope(cancel=cancel)
        return RequestEnvelope(
            order=OrderRequest(
                request_id=name,
                account_id=path.account_id,
                instrument=instrument,
                side=path.side,
                order_type=path.order_type,
                price_e4=price_e4,
                quantity_shares=path.quantity_shares,
                time_in_force=path.time_in_force,
            ),
        )

    def _reference(self, rows: Int64Array, changes: Mapping[str, object]) -> ReferenceRows:
        """Return the day's reference data of some rows, those asked for with the path's changes."""
        whole = make_open(len(self._universe)).rows
        assert isinstance(whole, ReferenceRows)
        boards = boards_of(whole.instrument)
        limits = price_limits(
            boards=boards,
            stages=ordinary_stages_of(whole.is_st),
            prev_close_e4=whole.prev_close_e4,
            trade_date=self._date,
        )
        changed = replace(
            whole,
            board=boards,
            limit_state=limits.state,
            limit_up_e4=limits.up_e4,
            limit_down_e4=limits.down_e4,
            sector=np.array([f"sector-{n % _SECTORS}" for n in range(len(whole))], np.object_),
        )
        targets = self._target_rows(self._path, self._size.batch_count)
        for name, value in changes.items():
            # A copy, because two columns may be one array.
            column = getattr(changed, name).copy()
            column[targets] = value
            changed = replace(changed, **{name: column})
        return changed.take(rows)


class _Engine:
    """Risk's engine alone."""

    def __init__(self, spec: RunSpec, accounts: tuple[AccountId, ...]) -> None:
        self._engine = RiskEngine(spec, accounts)
        self._output: RiskOutput | None = None

    def step(self, inputs: RiskInputs, clock: Clock) -> float:
        """Return the seconds of a beat."""
        started = clock.monotonic_seconds()
        self._output = self._engine.on_beat(inputs)
        return clock.monotonic_seconds() - started

    def submits(self) -> Sequence[SubmitOrder]:
        """Return the orders of the last beat."""
        return self._output.submits if self._output else ()

    def reasons(self) -> list[Reason]:
        """Return the reasons of its decisions."""
        return [each.reason for each in self._output.decisions] if self._output else []


class _Processor:
    """The engine as the service has it: what it says is encoded, ready for the bus."""

    def __init__(self, spec: RunSpec) -> None:
        self._processor = RiskProcessor(0, shard_count=1, risk_partition_count=1)
        self._processor.start_run(spec)
        self._messages: Sequence[Message] = ()

    def step(self, inputs: RiskInputs, clock: Clock) -> float:
        """Return the seconds of a beat."""
        stamp = inputs.frame.stamp
        reports = FillBatch(stamp.run_id, stamp.beat, 0, 0, inputs.updates, inputs.fills)
        beat = BeatInputs(stamp, (inputs.frame, inputs.scores, reports), inputs.requests)
        started = clock.monotonic_seconds()
        self._messages = self._processor.on_beat(beat)
        return clock.monotonic_seconds() - started

    def submits(self) -> Sequence[SubmitOrder]:
        """Return the orders of the last beat."""
        return decode_event(OrderBatch, self._messages[0].value).submits

    def reasons(self) -> list[Reason]:
        """Return the reasons of its decisions."""
        batch = decode_event(DecisionBatch, self._messages[1].value)
        return [each.reason for each in batch.decisions]


def _spec_of(accounts: tuple[AccountId, ...], path: Path) -> RunSpec:
    return RunSpec(
        run_id=_RUN,
        accounts=tuple(AccountSpec(name, CASH_FEN) for name in accounts),
        strategies=(StrategySpec(_STRATEGY, _STRATEGY),),
        construction=ConstructionSpec(target_weight_bps=1, cooldown_beats=0),
        limits=LOOSE,
        programme_trading=path.thresholds,
    )


def _commands(path: Path, accounts: Sequence[AccountId]) -> Iterator[RequestEnvelope]:
    # The first day knows no average volume yet, so its buys are not held to one.
    limits = replace(LOOSE, **{"adv_bps_max": BPS, **path.limits})
    for name in accounts:
        control = ControlRequest(
            RequestId(f"limits-{name}"), ControlCommand.SET_LIMITS, name, limits
        )
        yield RequestEnvelope(control=control)
        if path.command is not None:
            control = ControlRequest(RequestId(f"state-{name}"), path.command, name)
            yield RequestEnvelope(control=control)


def _with_scores(beat: RiskInputs, instruments: Int64Array) -> RiskInputs:
    """Return a beat with scores that ask to buy each of the instruments."""
    if not len(instruments):
        return beat
    scores = ScoreBatch(
        stamp=beat.frame.stamp,
        shard=0,
        strategies=(_STRATEGY,),
        is_ranked=(False,),
        reason_names=((),),
        strategy=np.zeros(len(instruments), np.int64),
        instrument=instruments,
        score_e6=_SCORE_E6 + np.arange(len(instruments)) % _SCORES,
        reason_e6=no_reasons(len(instruments)),
    )
    return replace(beat, scores=scores)


def _part(price_e4: Int64Array, part_bps: int) -> Int64Array:
    """Return parts of prices, cut to the tick."""
    return price_e4 * part_bps // BPS // _TICK_E4 * _TICK_E4


def _update_of(order: SubmitOrder, status: OrderStatus) -> OrderUpdate:
    return OrderUpdate(
        order_id=order.order_id,
        beat=order.beat + 1,
        account_id=order.account_id,
        sequence=order.sequence,
        instrument=order.instrument,
        side=order.side,
        status=status,
        reason=OrderReason.NONE,
        cumulative_shares=order.quantity_shares if status is OrderStatus.FILLED else 0,
        leaves_shares=0,
        ts_event_ns=order.ts_event_ns,
    )


def _fill_of(order: SubmitOrder) -> Fill:
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
        price_e4=order.price_e4,
        quantity_shares=order.quantity_shares,
        amount_fen=notional_fen(order.price_e4, order.quantity_shares),
        commission_fen=0,
        stamp_duty_fen=0,
        transfer_fee_fen=0,
        source=PriceSource.LEVEL,
        liquidity=Liquidity.TAKER,
        ts_event_ns=order.ts_event_ns,
    )
