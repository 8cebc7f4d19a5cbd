"""A small run as the stages would have written it, without any stage.

For tests of what reads the log: the recorder, the gateway. Every third beat each account has one
order accepted and one rejected; the order fills half on each of the two beats that follow. Of two
instruments the one's score is another in every second beat, and its bar ends in every fourth.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tidegate_common.bus.base import NewTopic
from tidegate_common.bus.headers import beat_message, frame_message
from tidegate_common.codec import encode_event
from tidegate_common.domain.enums import (
    AccountState,
    BeatKind,
    Board,
    BookingKind,
    CauseKind,
    Layer,
    LimitState,
    Liquidity,
    OrderReason,
    OrderStatus,
    OrderType,
    Outcome,
    Phase,
    PriceSource,
    Reason,
    Side,
    TimeInForce,
    Unit,
)
from tidegate_common.domain.ids import (
    AccountId,
    RunId,
    decision_id,
    fill_id,
    order_id,
    risk_partition_of,
    shard_of,
    shards_of,
)
from tidegate_common.events.execution import Fill, FillBatch, OrderUpdate
from tidegate_common.events.message import Message, Origin
from tidegate_common.events.orders import OrderBatch, SubmitOrder
from tidegate_common.events.portfolio import (
    Booking,
    EquityPoint,
    PortfolioBatch,
    PortfolioState,
    PositionState,
)
from tidegate_common.events.recommendations import (
    RecommendationBatch,
    RecommendationEntry,
    StrategyRecommendations,
)
from tidegate_common.events.risk import Decision, DecisionBatch, JournalEntry
from tidegate_common.events.run import AccountSpec, RunSpec, StrategySpec
from tidegate_common.events.topics import (
    BARS,
    DEAD_LETTER_PARTITIONS,
    DECISIONS,
    FILLS,
    JOURNAL,
    ORDERS,
    PORTFOLIOS,
    RECOMMENDATIONS,
    SCORES,
    TOPICS,
    partition_count,
)
from tidegate_common.frames.bars import BarBatch
from tidegate_common.frames.codec import encode_bars, encode_scores
from tidegate_common.frames.frame import BeatStamp, Frame, ScoreBatch, no_reasons
from tidegate_common.frames.rows import QuoteRows, ReferenceRows, unknown_figures

RUN_ID = RunId("run-1")
INSTRUMENT = 1_600_519
OTHER_INSTRUMENT = 2_000_001
TRADE_DATE = 20230201
CASH_FEN = 100_000_000
QUANTITY_SHARES = 200
PRICE_E4 = 18_000_000
TICKS_PER_BEAT, SCORES_PER_BEAT = 2, 3
STRATEGY = "cross"
BAR_SECONDS = 12

_TS_NS = 1_675_215_000_000_000_000
_BEAT_NS = 3_000_000_000
# 100 shares at 1800.00 yuan, in fen.
_HALF_FEN = 18_000_000
_JOURNAL_SPAN = 4


@dataclass(frozen=True, slots=True)
class ScriptedRun:
    """What the run is made of; `messages()` is its log."""

    run_id: RunId = RUN_ID
    beat_count: int = 9
    shard_count: int = 1
    risk_partition_count: int = 1
    accounts: tuple[str, ...] = ("A1", "A2")

    def spec(self) -> RunSpec:
        """Return the run's settings."""
        accounts = tuple(AccountSpec(AccountId(name), CASH_FEN) for name in self.accounts)
        return RunSpec(self.run_id, accounts, (StrategySpec(STRATEGY, "ma_cross"),))

    def messages(self) -> list[Message]:
        """Return the messages of all beats, in an order in which the stages could write them."""
        return [message for beat in range(self.beat_count) for message in self.beat_messages(beat)]

    def beat_messages(self, beat: int) -> list[Message]:
        """Return the messages of one beat."""
        messages = self._frames(beat) + self._signals(beat)
        for partition in range(self.risk_partition_count):
            if beat % _JOURNAL_SPAN == 0:
                messages.append(self._journal(partition, beat))
        for shard in range(self.shard_count):
            for partition in range(self.risk_partition_count):
                messages.append(self._fills(shard, partition, beat))
        for partition in range(self.risk_partition_count):
            messages.extend(self._risk(partition, beat))
        return messages

    def decision(self, account: str, beat: int, *, is_accepted: bool) -> Decision:
        """Return an account's first decision of a beat, or its second, a rejection."""
        sequence = 0 if is_accepted else 1
        return Decision(
            decision_id=decision_id(self.run_id, beat, account, sequence),
            beat=beat,
            account_id=AccountId(account),
            sequence=sequence,
            instrument=INSTRUMENT if is_accepted else OTHER_INSTRUMENT,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            price_e4=PRICE_E4,
            quantity_shares=QUANTITY_SHARES,
            outcome=Outcome.ACCEPTED if is_accepted else Outcome.REJECTED,
            layer=Layer.VALIDITY if is_accepted else Layer.POSITION_SIZE,
            reason=Reason.NONE if is_accepted else Reason.POSITION_LIMIT,
            observed=0 if is_accepted else 2_500,
            limit=0 if is_accepted else 2_000,
            unit=Unit.NONE if is_accepted else Unit.BPS,
            nav_fen=CASH_FEN,
            cause_kind=CauseKind.SCORE,
            cause=STRATEGY,
            score_e6=400_000,
            score_beat=beat,
            order_id=order_id(self.run_id, beat, account, 0) if is_accepted else "",
            ts_event_ns=_ts(beat),
        )

    def order(self, account: str, beat: int) -> SubmitOrder:
        """Return the order of an account's accepted decision."""
        return SubmitOrder(
            order_id=order_id(self.run_id, beat, account, 0),
            decision_id=decision_id(self.run_id, beat, account, 0),
            beat=beat,
            account_id=AccountId(account),
            sequence=0,
            instrument=INSTRUMENT,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.DAY,
            price_e4=PRICE_E4,
            quantity_shares=QUANTITY_SHARES,
            ts_event_ns=_ts(beat),
        )

    def portfolio(self, account: str, beat: int) -> PortfolioState:
        """Return an account's books after a beat."""
        held = PositionState(INSTRUMENT, 100, 0, _HALF_FEN, PRICE_E4, _HALF_FEN)
        return PortfolioState(
            account_id=AccountId(account),
            beat=beat,
            trade_date=TRADE_DATE,
            ts_event_ns=_ts(beat),
            state=AccountState.ACTIVE,
            cash_fen=CASH_FEN - _HALF_FEN,
            frozen_fen=0,
            nav_fen=CASH_FEN - beat,
            opening_nav_fen=CASH_FEN,
            high_water_fen=CASH_FEN,
            day_pnl_fen=-beat,
            realised_pnl_fen=0,
            fees_fen=0,
            positions=(held,),
        )

    def scores(self, shard: int, beat: int) -> ScoreBatch:
        """Return a shard's scores."""
        said = {INSTRUMENT: 400_000 + beat // 2, OTHER_INSTRUMENT: -400_000}
        here = [each for each in said if shard_of(each, self.shard_count) == shard]
        return ScoreBatch(
            stamp=self._stamp(beat),
            shard=shard,
            strategies=(STRATEGY,),
            is_ranked=(False,),
            reason_names=((),),
            strategy=np.zeros(len(here), np.int64),
            instrument=np.array(here, np.int64),
            score_e6=np.array([said[each] for each in here], np.int64),
            reason_e6=no_reasons(len(here)),
        )

    def bars(self, shard: int, beat: int) -> BarBatch:
        """Return the bar that ends in a beat."""
        price, one = np.array([PRICE_E4]), np.array([1])
        return BarBatch(
            stamp=self._stamp(beat),
            shard=shard,
            period_seconds=one * BAR_SECONDS,
            ts_end_ns=one * _ts(beat),
            instrument=one * INSTRUMENT,
            open_e4=price,
            high_e4=price + beat,
            low_e4=price,
            close_e4=price,
            volume_shares=one * QUANTITY_SHARES,
            amount_fen=one * _HALF_FEN,
        )

    def recommendations(self, beat: int) -> RecommendationBatch:
        """Return what changes in the lists of a beat."""
        best = RecommendationEntry(INSTRUMENT, 400_000 + beat // 2, 1, 0, beat)
        lists = StrategyRecommendations(STRATEGY, beat, TRADE_DATE, _ts(beat), 2, (best,))
        return RecommendationBatch(self.run_id, beat, TRADE_DATE, _ts(beat), (lists,))

    def _signals(self, beat: int) -> list[Message]:
        messages = []
        for shard in range(self.shard_count):
            origin = Origin(self.run_id, beat, f"signals-{shard}")
            scores = encode_scores(self.scores(shard, beat))
            messages.append(beat_message(SCORES, shard, origin, scores))
            if beat % 4 == 0 and shard == shard_of(INSTRUMENT, self.shard_count):
                messages.append(
                    beat_message(BARS, shard, origin, encode_bars(self.bars(shard, beat))),
                )
        if beat % 2 == 0:
            origin = Origin(self.run_id, beat, "recommendations-0")
            lists = encode_event(self.recommendations(beat))
            messages.append(beat_message(RECOMMENDATIONS, 0, origin, lists))
        return messages

    def _stamp(self, beat: int) -> BeatStamp:
        kind = BeatKind.OPEN if beat == 0 else BeatKind.TICK
        is_last = beat == self.beat_count - 1
        return BeatStamp(self.run_id, beat, kind, TRADE_DATE, _ts(beat), is_last)

    def _frames(self, beat: int) -> list[Message]:
        stamp = self._stamp(beat)
        spec = encode_event(self.spec()).decode() if beat == 0 else ""
        return [
            frame_message(Frame(stamp, shard, self.frame_rows(shard, beat), spec), "ingest-0")
            for shard in range(self.shard_count)
        ]

    def frame_rows(self, shard: int, beat: int) -> ReferenceRows | QuoteRows:
        """Return what a shard's frame holds: both instruments at OPEN, then the one's quotes."""
        rows = reference_rows() if beat == 0 else quote_rows(_ts(beat), beat)
        return rows.take(shards_of(rows.instrument, self.shard_count) == shard)

    def _journal(self, partition: int, beat: int) -> Message:
        entry = JournalEntry(self.run_id, partition, beat, beat + _JOURNAL_SPAN, 0, 0)
        origin = Origin(self.run_id, beat, f"risk-{partition}")
        return beat_message(JOURNAL, partition, origin, encode_event(entry))

    def _fills(self, shard: int, partition: int, beat: int) -> Message:
        updates, fills = [], []
        if shard == shard_of(INSTRUMENT, self.shard_count) and beat % 3 != 0:
            for account in self._accounts_of(partition):
                order = self.order(account, beat - beat % 3)
                fill = _fill(order, beat)
                fills.append(fill)
                updates.append(_update(order, beat))
        batch = FillBatch(self.run_id, beat, shard, partition, tuple(updates), tuple(fills))
        origin = Origin(self.run_id, beat, f"execution-{shard}")
        return beat_message(FILLS, partition, origin, encode_event(batch))

    def _risk(self, partition: int, beat: int) -> list[Message]:
        origin = Origin(self.run_id, beat, f"risk-{partition}")
        accounts = self._accounts_of(partition)
        acting = accounts if beat % 3 == 0 else []
        decisions = [
            self.decision(account, beat, is_accepted=is_accepted)
            for account in acting
            for is_accepted in (True, False)
        ]
        batch = DecisionBatch(self.run_id, beat, partition, tuple(decisions))
        messages = [beat_message(DECISIONS, partition, origin, encode_event(batch))]
        for shard in range(self.shard_count):
            here = acting if shard == shard_of(INSTRUMENT, self.shard_count) else []
            submits = tuple(self.order(account, beat) for account in here)
            orders = OrderBatch(self.run_id, beat, partition, shard, submits)
            messages.append(beat_message(ORDERS, shard, origin, encode_event(orders)))
        books = self._books(partition, beat)
        messages.append(beat_message(PORTFOLIOS, partition, origin, encode_event(books)))
        return messages

    def _books(self, partition: int, beat: int) -> PortfolioBatch:
        is_last = beat == self.beat_count - 1
        states = [self.portfolio(account, beat) for account in self._accounts_of(partition)]
        return PortfolioBatch(
            run_id=self.run_id,
            beat=beat,
            risk_partition=partition,
            trade_date=TRADE_DATE,
            ts_event_ns=_ts(beat),
            tick_count=TICKS_PER_BEAT,
            score_count=SCORES_PER_BEAT,
            is_last=is_last,
            equity=tuple(EquityPoint(one.account_id, one.cash_fen, one.nav_fen) for one in states),
            portfolios=tuple(states) if is_last or beat % 3 != 0 else (),
            bookings=tuple(self.booking(one.account_id, beat) for one in states if beat == 1),
        )

    def booking(self, account: AccountId, beat: int) -> Booking:
        """Return a dividend that an account got in a beat."""
        return Booking(
            account_id=account,
            beat=beat,
            sequence=0,
            trade_date=TRADE_DATE,
            ts_event_ns=_ts(beat),
            kind=BookingKind.DIVIDEND_PAID,
            instrument=INSTRUMENT,
            cash_fen=1_500,
            quantity_shares=0,
            held_shares=0,
            effective_date=0,
        )

    def _accounts_of(self, partition: int) -> list[str]:
        count = self.risk_partition_count
        return sorted(a for a in self.accounts if risk_partition_of(a, count) == partition)


def reference_rows() -> ReferenceRows:
    """Return what the two instruments are when the day begins."""
    count = 2
    price = np.full(count, PRICE_E4)
    return ReferenceRows(
        instrument=np.array([INSTRUMENT, OTHER_INSTRUMENT]),
        board=np.full(count, Board.MAIN, np.uint8),
        limit_state=np.full(count, LimitState.LIMITED, np.uint8),
        is_st=np.array([False, True]),
        is_suspended=np.zeros(count, np.bool_),
        prev_close_e4=price,
        limit_up_e4=price + price // 10,
        limit_down_e4=price - price // 10,
        open_e4=np.zeros(count, np.int64),
        sector=np.array(["food", ""], np.object_),
        **unknown_figures(count),
    )


def quote_rows(ts_event_ns: int, beat: int) -> QuoteRows:
    """Return the one instrument's quote, with a level a side."""
    level = np.array([[PRICE_E4, 0, 0, 0, 0]])
    shares = np.array([[100, 0, 0, 0, 0]])
    return QuoteRows(
        instrument=np.array([INSTRUMENT]),
        ts_event_ns=np.array([ts_event_ns]),
        phase=np.full(1, Phase.CONTINUOUS, np.uint8),
        last_e4=np.array([PRICE_E4]),
        volume_shares=np.array([100 * beat]),
        amount_fen=np.array([_HALF_FEN * beat]),
        bid_price_e4=level - 100 * (level > 0),
        bid_shares=shares,
        ask_price_e4=level,
        ask_shares=2 * shares,
    )


def all_topics(*, shard_count: int = 1, risk_partition_count: int = 1) -> Sequence[NewTopic]:
    """Return every topic of a deployment, dead letters included."""
    topics = [
        NewTopic(
            topic.name,
            partition_count(
                topic,
                shard_count=shard_count,
                risk_partition_count=risk_partition_count,
            ),
            topic.is_compacted,
        )
        for topic in TOPICS
    ]
    return topics + [NewTopic(topic.dead_letters, DEAD_LETTER_PARTITIONS) for topic in TOPICS]


def at_offset(message: Message, offset: int) -> Message:
    """Return a message as a reader of the bus would bring it."""
    return replace(message, offset=offset)


def _fill(order: SubmitOrder, beat: int) -> Fill:
    index = beat - order.beat - 1
    return Fill(
        fill_id=fill_id(order.order_id, index),
        order_id=order.order_id,
        decision_id=order.decision_id,
        beat=beat,
        account_id=order.account_id,
        order_beat=order.beat,
        sequence=order.sequence,
        instrument=order.instrument,
        side=order.side,
        price_e4=PRICE_E4,
        quantity_shares=QUANTITY_SHARES // 2,
        amount_fen=_HALF_FEN,
        commission_fen=500,
        stamp_duty_fen=0,
        transfer_fee_fen=18,
        source=PriceSource.LEVEL,
        liquidity=Liquidity.TAKER,
        ts_event_ns=_ts(beat),
    )


def _update(order: SubmitOrder, beat: int) -> OrderUpdate:
    is_done = beat - order.beat == 2  # noqa: PLR2004  # two halves
    return OrderUpdate(
        order_id=order.order_id,
        beat=beat,
        account_id=order.account_id,
        sequence=order.sequence,
        instrument=order.instrument,
        side=order.side,
        status=OrderStatus.FILLED if is_done else OrderStatus.PARTIALLY_FILLED,
        reason=OrderReason.NONE,
        cumulative_shares=QUANTITY_SHARES if is_done else QUANTITY_SHARES // 2,
        leaves_shares=0 if is_done else QUANTITY_SHARES // 2,
        ts_event_ns=_ts(beat),
    )


def _ts(beat: int) -> int:
    return _TS_NS + beat * _BEAT_NS
