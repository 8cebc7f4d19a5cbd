"""Decoded batches to rows of one transaction.

Pure: what a batch becomes depends on the batch alone (a score's row, on the score before), so the
same log gives the same tables, however it was cut into transactions. Of a minute's and a day's
equity the last beat counts; the store keeps the row of the greater beat.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec import structs

from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ContractError
from tidegate_common.events.audit import AuditRecord
from tidegate_common.events.execution import Fill, FillBatch, OrderUpdate
from tidegate_common.events.message import DeadLetter
from tidegate_common.events.orders import CancelOrder, OrderBatch, SubmitOrder
from tidegate_common.events.portfolio import Booking, EquityPoint, PortfolioBatch, PortfolioState
from tidegate_common.events.recommendations import RecommendationBatch
from tidegate_common.events.risk import ControlOutcome, Decision, DecisionBatch, JournalEntry
from tidegate_common.frames.bars import BarBatch
from tidegate_common.frames.frame import BeatStamp, Frame, ScoreBatch
from tidegate_common.market.sessions import NS_PER_SECOND, shanghai_date, shanghai_seconds
from tidegate_recorder.engine.market import (
    ScoreMemory,
    bar_rows,
    check_trade_date,
    instrument_rows,
)
from tidegate_recorder.engine.rows import (
    AuditRow,
    BarRow,
    BeatRow,
    BookingRow,
    CancelRow,
    ControlRow,
    DeadLetterRow,
    DecisionRow,
    EquityDayRow,
    EquityMinuteRow,
    EquityRow,
    FillRow,
    InstrumentRow,
    JournalRow,
    OrderRow,
    OrderUpdateRow,
    PortfolioRow,
    PositionRow,
    RecommendationRow,
    RunRow,
    ScoreRow,
)

# Canonical JSON of an event; handed in, because engines do not reach the codec.
Render = Callable[[object], str]
Row = tuple[str | int | bool, ...]
RowType = TypeVar("RowType", bound=Row)

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_MINUTE_NS = 60 * NS_PER_SECOND
# A day's last beat, CLOSE, is not before this.
_CLOSE_SECONDS = 15 * 3_600


@dataclass(slots=True)
class Projection:
    """Collects rows, one list a table, in the order of the log.

    scores_before : what was said before; it is told the scores that are taken here.
    equity_every_beats : `equity` keeps each n-th beat, and an account's beats with news of it.
    """

    render: Render
    scores_before: ScoreMemory = field(default_factory=ScoreMemory)
    equity_every_beats: int = 1
    runs: list[RunRow] = field(default_factory=list)
    beats: list[BeatRow] = field(default_factory=list)
    decisions: list[DecisionRow] = field(default_factory=list)
    controls: list[ControlRow] = field(default_factory=list)
    orders: list[OrderRow] = field(default_factory=list)
    cancels: list[CancelRow] = field(default_factory=list)
    order_updates: list[OrderUpdateRow] = field(default_factory=list)
    fills: list[FillRow] = field(default_factory=list)
    equity: list[EquityRow] = field(default_factory=list)
    equity_minutes: dict[tuple[str, str, int], EquityMinuteRow] = field(default_factory=dict)
    equity_days: dict[tuple[str, str, int], EquityDayRow] = field(default_factory=dict)
    portfolios: list[PortfolioRow] = field(default_factory=list)
    positions: list[PositionRow] = field(default_factory=list)
    bookings: list[BookingRow] = field(default_factory=list)
    scores: list[ScoreRow] = field(default_factory=list)
    bars: list[BarRow] = field(default_factory=list)
    recommendations: list[RecommendationRow] = field(default_factory=list)
    instruments: list[InstrumentRow] = field(default_factory=list)
    dead_letters: list[DeadLetterRow] = field(default_factory=list)
    audits: list[AuditRow] = field(default_factory=list)
    journal: list[JournalRow] = field(default_factory=list)

    def add_run(self, stamp: BeatStamp, spec: str) -> None:
        """Take the settings of a run from its beat 0."""
        row = RunRow(stamp.run_id, spec, stamp.trade_date, stamp.ts_event_ns)
        self.runs.extend(_storable([row]))

    def add_orders(self, batch: OrderBatch) -> None:
        """Take what a risk partition sent to a shard."""
        orders = _storable([self._order(batch.run_id, order) for order in batch.submits])
        cancels = _storable([self._cancel(batch.run_id, cancel) for cancel in batch.cancels])
        self.orders.extend(orders)
        self.cancels.extend(cancels)

    def add_fills(self, batch: FillBatch) -> None:
        """Take what a shard told a risk partition."""
        updates = _storable([self._update(batch.run_id, update) for update in batch.updates])
        fills = _storable([self._fill(batch.run_id, fill) for fill in batch.fills])
        self.order_updates.extend(updates)
        self.fills.extend(fills)

    def add_decisions(self, batch: DecisionBatch) -> None:
        """Take the verdicts of a risk partition, and what commands did to its accounts."""
        run_id = batch.run_id
        decisions = _storable([self._decision(run_id, decision) for decision in batch.decisions])
        controls = _storable([self._control(run_id, outcome) for outcome in batch.controls])
        self.decisions.extend(decisions)
        self.controls.extend(controls)

    def add_portfolios(self, batch: PortfolioBatch) -> None:
        """Take equity and books; every risk partition tells the same counts of the beat."""
        run_id, beat, ts_event_ns = batch.run_id, batch.beat, batch.ts_event_ns
        row = BeatRow(
            run_id=run_id,
            beat=beat,
            trade_date=batch.trade_date,
            ts_event_ns=ts_event_ns,
            tick_count=batch.tick_count,
            score_count=batch.score_count,
            is_last=batch.is_last,
        )
        beats = _storable([row])
        equity = _storable([_equity(batch, one) for one in batch.equity])
        portfolios = _storable([self._portfolio(run_id, one) for one in batch.portfolios])
        positions = _storable([row for one in batch.portfolios for row in _positions(run_id, one)])
        bookings = _storable([self._booking(run_id, one) for one in batch.bookings])
        self.beats.extend(beats)
        self._keep_equity(batch, equity)
        self.portfolios.extend(portfolios)
        self.positions.extend(positions)
        self.bookings.extend(bookings)

    def add_scores(self, batch: ScoreBatch) -> None:
        """Take the scores of a shard that are another than before."""
        self.scores.extend(self.scores_before.take(batch))

    def add_bars(self, batch: BarBatch) -> None:
        """Take the bars of a shard that ended."""
        self.bars.extend(bar_rows(batch))

    def add_instruments(self, frame: Frame) -> None:
        """Take what instruments are when a day begins; of other beats nothing."""
        self.instruments.extend(_storable(instrument_rows(frame)))

    def add_recommendations(self, batch: RecommendationBatch) -> None:
        """Take the lists that changed."""
        rows = [
            RecommendationRow(
                run_id=batch.run_id,
                trade_date=batch.trade_date,
                beat=batch.beat,
                strategy=one.strategy,
                ts_event_ns=batch.ts_event_ns,
                payload=self.render(one),
            )
            for one in batch.strategies
        ]
        self.recommendations.extend(_storable(rows))

    def add_journal(self, entry: JournalEntry, log: str) -> None:
        """Take an entry of a risk partition's journal in the log of that name."""
        row = JournalRow(
            run_id=entry.run_id,
            risk_partition=entry.risk_partition,
            from_beat=entry.from_beat,
            to_beat=entry.to_beat,
            requests_from_offset=entry.requests_from_offset,
            requests_through_offset=entry.requests_through_offset,
            log=log,
            payload=self.render(entry),
        )
        self.journal.extend(_storable([row]))

    def add_dead_letter(self, letter: DeadLetter, log: str) -> None:
        """Take a dead letter.

        log : name of the log that the bad message is in.
        """
        row = DeadLetterRow(
            log=log,
            topic=letter.topic,
            partition=letter.partition,
            log_offset=letter.offset,
            stage=letter.stage,
            # A reason quotes what was found, and PostgreSQL keeps no NUL in a text.
            reason=letter.reason.replace("\0", "\N{REPLACEMENT CHARACTER}"),
            value_base64=letter.value_base64,
        )
        self.dead_letters.extend(_storable([row]))

    def add_audit(self, record: AuditRecord) -> None:
        """Take what a caller asked the gateway for."""
        self.audits.extend(_storable([AuditRow(*structs.astuple(record))]))

    def tables(self) -> Iterator[tuple[str, Sequence[Row]]]:
        """Yield the name and rows of each table that has any and takes them as they are.

        The journal is not among them: which of its entries count depends on what is stored.
        """
        for name in _PLAIN_TABLES:
            found = getattr(self, name)
            rows: Sequence[Row] = list(found.values()) if isinstance(found, dict) else found
            if rows:
                yield name, rows

    def row_count(self) -> int:
        """Return how many rows there are so far."""
        return len(self.journal) + sum(len(getattr(self, name)) for name in _PLAIN_TABLES)

    def ending_runs(self) -> Iterator[tuple[RunId, int]]:
        """Yield each run that says that it ends here, with its last beat."""
        for row in self.beats:
            if row.is_last:
                yield RunId(row.run_id), row.beat

    def _keep_equity(self, batch: PortfolioBatch, equity: list[EquityRow]) -> None:
        """Keep a beat's equity: of some beats each point, of a minute and of a day the last."""
        is_kept = batch.beat % self.equity_every_beats == 0 or batch.is_last
        told = {one.account_id for one in batch.portfolios}
        self.equity.extend(row for row in equity if is_kept or row.account_id in told)
        minute_ns = batch.ts_event_ns - batch.ts_event_ns % _MINUTE_NS
        for row in equity:
            at = (row.run_id, row.trade_date, row.account_id)
            worth = (row.beat, row.cash_fen, row.nav_fen)
            minute = EquityMinuteRow(*at, minute_ns, *worth)
            self.equity_minutes[row.run_id, row.account_id, minute_ns] = minute
            self.equity_days[row.run_id, row.account_id, row.trade_date] = EquityDayRow(*at, *worth)

    def _order(self, run_id: str, order: SubmitOrder) -> OrderRow:
        return OrderRow(
            run_id=run_id,
            trade_date=_trade_date(order.ts_event_ns),
            beat=order.beat,
            account_id=order.account_id,
            sequence=order.sequence,
            order_id=order.order_id,
            instrument=order.instrument,
            side=order.side,
            order_type=order.order_type,
            price_e4=order.price_e4,
            quantity_shares=order.quantity_shares,
            ts_event_ns=order.ts_event_ns,
            payload=self.render(order),
        )

    def _cancel(self, run_id: str, cancel: CancelOrder) -> CancelRow:
        return CancelRow(
            run_id=run_id,
            trade_date=_trade_date(cancel.ts_event_ns),
            beat=cancel.beat,
            account_id=cancel.account_id,
            sequence=cancel.sequence,
            order_id=cancel.order_id,
            ts_event_ns=cancel.ts_event_ns,
            payload=self.render(cancel),
        )

    def _update(self, run_id: str, update: OrderUpdate) -> OrderUpdateRow:
        return OrderUpdateRow(
            run_id=run_id,
            trade_date=_trade_date(update.ts_event_ns),
            order_id=update.order_id,
            beat=update.beat,
            account_id=update.account_id,
            sequence=update.sequence,
            instrument=update.instrument,
            status=update.status,
            reason=update.reason,
            cumulative_shares=update.cumulative_shares,
            leaves_shares=update.leaves_shares,
            ts_event_ns=update.ts_event_ns,
            payload=self.render(update),
        )

    def _fill(self, run_id: str, fill: Fill) -> FillRow:
        return FillRow(
            run_id=run_id,
            trade_date=_trade_date(fill.ts_event_ns),
            beat=fill.beat,
            account_id=fill.account_id,
            order_beat=fill.order_beat,
            sequence=fill.sequence,
            fill_index=fill_index_of(fill.fill_id),
            fill_id=fill.fill_id,
            order_id=fill.order_id,
            decision_id=fill.decision_id,
            instrument=fill.instrument,
            side=fill.side,
            price_e4=fill.price_e4,
            quantity_shares=fill.quantity_shares,
            amount_fen=fill.amount_fen,
            fee_fen=fill.fee_fen,
            ts_event_ns=fill.ts_event_ns,
            payload=self.render(fill),
        )

    def _decision(self, run_id: str, decision: Decision) -> DecisionRow:
        return DecisionRow(
            run_id=run_id,
            trade_date=_trade_date(decision.ts_event_ns),
            beat=decision.beat,
            account_id=decision.account_id,
            sequence=decision.sequence,
            decision_id=decision.decision_id,
            instrument=decision.instrument,
            side=decision.side,
            price_e4=decision.price_e4,
            quantity_shares=decision.quantity_shares,
            outcome=decision.outcome,
            layer=decision.layer,
            reason=decision.reason,
            cause_kind=decision.cause_kind,
            cause=decision.cause,
            ts_event_ns=decision.ts_event_ns,
            payload=self.render(decision),
        )

    def _control(self, run_id: str, outcome: ControlOutcome) -> ControlRow:
        return ControlRow(
            run_id=run_id,
            beat=outcome.beat,
            account_id=outcome.account_id,
            sequence=outcome.sequence,
            request_id=outcome.request_id,
            command=outcome.command,
            outcome=outcome.outcome,
            reason=outcome.reason,
            ts_event_ns=outcome.ts_event_ns,
            payload=self.render(outcome),
        )

    def _portfolio(self, run_id: str, portfolio: PortfolioState) -> PortfolioRow:
        return PortfolioRow(
            run_id=run_id,
            account_id=portfolio.account_id,
            beat=portfolio.beat,
            trade_date=portfolio.trade_date,
            nav_fen=portfolio.nav_fen,
            payload=self.render(portfolio),
        )

    def _booking(self, run_id: str, booking: Booking) -> BookingRow:
        return BookingRow(
            run_id=run_id,
            trade_date=booking.trade_date,
            account_id=booking.account_id,
            beat=booking.beat,
            sequence=booking.sequence,
            kind=booking.kind,
            instrument=booking.instrument,
            cash_fen=booking.cash_fen,
            quantity_shares=booking.quantity_shares,
            held_shares=booking.held_shares,
            effective_date=booking.effective_date,
            ts_event_ns=booking.ts_event_ns,
            payload=self.render(booking),
        )


_PLAIN_TABLES = (
    "runs",
    "beats",
    "decisions",
    "controls",
    "orders",
    "cancels",
    "order_updates",
    "fills",
    "equity",
    "equity_minutes",
    "equity_days",
    "portfolios",
    "positions",
    "bookings",
    "scores",
    "bars",
    "recommendations",
    "instruments",
    "dead_letters",
    "audits",
)


def fill_index_of(fill_id: str) -> int:
    """Return the number of a fill within its order: the last part of its id.

    Raises
    ------
    ContractError
        If there is none.
    """
    index = fill_id.rpartition(".")[2]
    if not (index.isascii() and index.isdigit()):
        message = f"fill_id must end in .<number of the fill>, was {fill_id!r}"
        raise ContractError(message)
    return int(index)


def _equity(batch: PortfolioBatch, point: EquityPoint) -> EquityRow:
    return EquityRow(
        run_id=batch.run_id,
        trade_date=batch.trade_date,
        account_id=point.account_id,
        beat=batch.beat,
        ts_event_ns=batch.ts_event_ns,
        cash_fen=point.cash_fen,
        nav_fen=point.nav_fen,
    )


def _positions(run_id: str, portfolio: PortfolioState) -> list[PositionRow]:
    """Return the holdings that may be those of the day's end."""
    if shanghai_seconds(portfolio.ts_event_ns) < _CLOSE_SECONDS:
        return []
    return [
        PositionRow(
            run_id=run_id,
            trade_date=portfolio.trade_date,
            account_id=portfolio.account_id,
            beat=portfolio.beat,
            instrument=held.instrument,
            quantity_shares=held.quantity_shares,
            sellable_shares=held.sellable_shares,
            cost_fen=held.cost_fen,
            mark_e4=held.mark_e4,
            value_fen=held.value_fen,
        )
        for held in portfolio.positions
    ]


def _trade_date(ts_event_ns: int) -> int:
    """Return the Shanghai date of a market time.

    Raises
    ------
    ContractError
        If it is none that 64 bits hold.
    """
    if not 0 <= ts_event_ns <= INT64_MAX:
        message = f"ts_event_ns must be a time of 64 bits, was {ts_event_ns}"
        raise ContractError(message)
    return shanghai_date(ts_event_ns)


def _storable(rows: list[RowType]) -> list[RowType]:
    """Return the rows, all of whose values PostgreSQL can keep; one bad row would stop them all."""
    for row in rows:
        fields = row._fields  # type: ignore[attr-defined]  # all rows are named tuples
        for name, value in zip(fields, row, strict=True):
            if isinstance(value, str):
                if "\0" in value:
                    message = f"{name} must be a text without NUL, was {value!r}"
                    raise ContractError(message)
            elif not INT64_MIN <= value <= INT64_MAX:
                message = f"{name} must be a whole number of 64 bits, was {value}"
                raise ContractError(message)
            elif name == "trade_date":
                check_trade_date(value)
    return rows
