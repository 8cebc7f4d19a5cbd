"""Messages, rows and runs with defaults: a test says only what it is about."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import assert_never

import numpy as np

from tidegate_common.bus.headers import beat_message, frame_message
from tidegate_common.codec import encode_event
from tidegate_common.domain.enums import BeatKind, OrderType, Phase, Side
from tidegate_common.domain.ids import AccountId, RequestId, RunId
from tidegate_common.events.message import Message, Origin
from tidegate_common.events.orders import OrderRequest, RequestEnvelope
from tidegate_common.events.risk import JournalEntry, LateInput
from tidegate_common.events.run import AccountSpec, RunSpec, StrategySpec
from tidegate_common.events.topics import Topic
from tidegate_common.frames.bars import BarBatch
from tidegate_common.frames.frame import (
    BeatStamp,
    Frame,
    FrameRows,
    ScoreBatch,
    empty_rows,
    no_reasons,
)
from tidegate_common.frames.rows import LEVELS, BarRows, QuoteRows, ReferenceRows

RUN_ID = RunId("run-a")
# 2023-02-01 09:30:00 in Shanghai.
MARKET_OPEN_NS = 1_675_215_000_000_000_000
BEAT_NS = 3_000_000_000
FEED = "ingest-0"
MAOTAI = 1_600_519
MIDEA = 2_000_333


def make_run_spec(run_id: str = RUN_ID, *, cash_fen: int = 100_000_000) -> RunSpec:
    """Return a run of one account and one strategy."""
    return RunSpec(
        run_id=RunId(run_id),
        accounts=(AccountSpec(AccountId("A1"), cash_fen),),
        strategies=(StrategySpec("imbalance", "book_imbalance", {"levels": 5}),),
    )


def make_stamp(
    beat: int = 0,
    *,
    run_id: str = RUN_ID,
    kind: BeatKind = BeatKind.TICK,
    is_last: bool = False,
) -> BeatStamp:
    """Return the stamp of a beat, three seconds after the one before."""
    return BeatStamp(
        run_id=RunId(run_id),
        beat=beat,
        kind=kind,
        trade_date=20230201,
        ts_event_ns=MARKET_OPEN_NS + beat * BEAT_NS,
        is_last=is_last,
    )


def make_frame(
    beat: int = 0,
    *,
    shard: int = 0,
    run_id: str = RUN_ID,
    kind: BeatKind = BeatKind.TICK,
    is_last: bool = False,
    rows: FrameRows | None = None,
) -> Frame:
    """Return a frame, without rows unless given; beat 0 carries the run's settings."""
    stamp = make_stamp(beat, run_id=run_id, kind=kind, is_last=is_last)
    spec = encode_event(make_run_spec(run_id)).decode() if beat == 0 else ""
    return Frame(stamp, shard, empty_rows(kind) if rows is None else rows, spec)


def make_rows(kind: BeatKind, row_count: int = 3) -> FrameRows:
    """Return rows of a kind, filled with numbers that differ by row and column."""
    match kind:
        case BeatKind.OPEN:
            return make_reference_rows(row_count)
        case BeatKind.TICK:
            return make_quote_rows(row_count)
        case BeatKind.BAR | BeatKind.CLOSE:
            return make_bar_rows(row_count)
        case _:
            assert_never(kind)


def make_reference_rows(row_count: int = 3) -> ReferenceRows:
    """Return reference data of the instruments 1600000, 1600001, ..."""
    number = np.arange(row_count, dtype=np.int64)
    figure = number.astype(np.float64)
    sectors = np.array([f"行业 {index}" for index in range(row_count)], dtype=np.object_)
    return ReferenceRows(
        instrument=1_600_000 + number,
        board=np.full(row_count, 1, np.uint8),
        limit_state=np.full(row_count, 1, np.uint8),
        is_st=number % 2 == 1,
        is_suspended=number % 4 == 0,
        prev_close_e4=100_000 + number,
        limit_up_e4=110_000 + number,
        limit_down_e4=90_000 + number,
        open_e4=101_000 + number,
        sector=sectors,
        float_shares=1e9 + figure,
        pe_ttm=10.5 + figure,
        pb_mrq=1.5 + figure,
        ps_ttm=2.5 - 2.0 * figure,
        pcf_ttm=np.where(number % 2 == 0, np.nan, 7.5),
        turnover_rate=figure / 1_000,
        listing_date=np.full(row_count, 20100104),
        cash_e6=np.where(number % 3 == 1, 250_000, 0),
        transfer_e6=np.where(number % 3 == 1, 300_000, 0),
        pay_date=np.where(number % 3 == 1, 20230203, 0),
    )


def make_quote_rows(row_count: int = 3) -> QuoteRows:
    """Return five-level snapshots of the instruments 1600000, 1600001, ..."""
    number = np.arange(row_count, dtype=np.int64)
    level = np.arange(LEVELS, dtype=np.int64)
    return QuoteRows(
        instrument=1_600_000 + number,
        ts_event_ns=MARKET_OPEN_NS + number,
        phase=np.full(row_count, Phase.CONTINUOUS, np.uint8),
        last_e4=100_000 + 100 * number,
        volume_shares=1_000 * number,
        amount_fen=1_000_000 * number,
        bid_price_e4=99_900 + 100 * number[:, None] - 100 * level,
        bid_shares=100 * (1 + level) + number[:, None],
        ask_price_e4=100_100 + 100 * number[:, None] + 100 * level,
        ask_shares=200 * (1 + level) + number[:, None],
    )


def make_bar_rows(row_count: int = 3) -> BarRows:
    """Return bars of the instruments 1600000, 1600001, ..."""
    number = np.arange(row_count, dtype=np.int64)
    return BarRows(
        instrument=1_600_000 + number,
        open_e4=100_000 + number,
        high_e4=120_000 + number,
        low_e4=90_000 + number,
        close_e4=110_000 + number,
        volume_shares=10_000 * number,
        amount_fen=11_000_000 * number,
    )


def make_scores(beat: int = 0, *, shard: int = 0, row_count: int = 3) -> ScoreBatch:
    """Return scores of two strategies for the instruments 1600000, 1600001, ..."""
    number = np.arange(row_count, dtype=np.int64)
    score_e6 = 10_000 * number % 1_000_000
    reasons = no_reasons(row_count)
    reasons[:, :2] = np.column_stack((1_000_000 + number, 2_000_000 - number))
    return ScoreBatch(
        stamp=make_stamp(beat),
        shard=shard,
        strategies=("imbalance", "cross"),
        is_ranked=(False, False),
        reason_names=((), ("fast", "slow")),
        strategy=np.repeat(np.arange(2, dtype=np.int64), row_count),
        instrument=np.tile(1_600_000 + number, 2),
        score_e6=np.concatenate([score_e6, -score_e6]),
        reason_e6=np.concatenate([no_reasons(row_count), reasons]),
    )


def make_bar_batch(beat: int = 0, *, shard: int = 0, row_count: int = 3) -> BarBatch:
    """Return one-minute and five-minute bars of the instruments 1600000, 1600001, ..."""
    bars = make_bar_rows(row_count)
    return BarBatch(
        stamp=make_stamp(beat),
        shard=shard,
        period_seconds=np.repeat(np.array([60, 300], np.int64), row_count),
        ts_end_ns=np.full(2 * row_count, MARKET_OPEN_NS),
        **{field.name: np.tile(getattr(bars, field.name), 2) for field in fields(BarRows)},
    )


def make_tick_message(
    beat: int = 0,
    *,
    shard: int = 0,
    run_id: str = RUN_ID,
    is_last: bool = False,
    producer: str = FEED,
) -> Message:
    """Return the message of an empty frame."""
    return frame_message(make_frame(beat, shard=shard, run_id=run_id, is_last=is_last), producer)


def make_beat_message(
    topic: Topic,
    beat: int = 0,
    *,
    producer: str,
    partition: int = 0,
    run_id: str = RUN_ID,
    value: bytes = b"",
) -> Message:
    """Return a beat's message; the value says who, where and when unless given."""
    said = value or f"{topic.name}/{partition}/{run_id}/{beat}/{producer}".encode()
    return beat_message(topic, partition, Origin(RunId(run_id), beat, producer), said)


def make_request(number: int = 0, *, quantity_shares: int = 200) -> RequestEnvelope:
    """Return the request numbered so to buy."""
    order = OrderRequest(
        request_id=RequestId(f"q{number}"),
        account_id=AccountId("A1"),
        instrument=MAOTAI,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        price_e4=18_000_000,
        quantity_shares=quantity_shares,
    )
    return RequestEnvelope(order=order)


def make_journal_entry(
    from_beat: int = 0,
    to_beat: int | None = None,
    *,
    run_id: str = RUN_ID,
    requests_from: int = 0,
    requests: Sequence[RequestEnvelope] = (),
    late: Sequence[LateInput] = (),
) -> JournalEntry:
    """Return an entry of one beat unless told; its requests stand one after another."""
    return JournalEntry(
        run_id=RunId(run_id),
        risk_partition=0,
        from_beat=from_beat,
        to_beat=from_beat + 1 if to_beat is None else to_beat,
        requests_from_offset=requests_from,
        requests_through_offset=requests_from + len(requests),
        requests=tuple(requests),
        late=tuple(late),
    )


def with_headers(message: Message, **values: bytes | None) -> Message:
    """Return a message with some headers replaced, or taken away by None."""
    headers = dict(message.headers)
    for name, value in values.items():
        if value is None:
            headers.pop(name, None)
        else:
            headers[name] = value
    return replace(message, headers=tuple(headers.items()))
