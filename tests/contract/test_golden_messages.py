"""Golden samples: the bytes of every event, frame and header stay what they are.

A sample that changes breaks readers that are not yet moved. Where the change is meant, write the
files anew with `TIDEGATE_TEST_WRITE_GOLDEN=1` and look at what git says about them.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tidegate_common.bus.beats import StageSnapshot
from tidegate_common.bus.headers import beat_message, frame_message
from tidegate_common.bus.snapshots import encode_snapshot
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import (
    AccountState,
    BeatKind,
    BookingKind,
    CauseKind,
    ControlCommand,
    Layer,
    LeaseState,
    Liquidity,
    OrderReason,
    OrderStatus,
    OrderType,
    Outcome,
    PriceSource,
    Reason,
    Side,
    TimeInForce,
    Unit,
)
from tidegate_common.domain.ids import AccountId, DecisionId, FillId, OrderId, RequestId, RunId
from tidegate_common.engine import EngineState
from tidegate_common.events.audit import AuditRecord
from tidegate_common.events.backtests import BacktestJob
from tidegate_common.events.execution import Fill, FillBatch, OrderUpdate
from tidegate_common.events.ingest import Lease, RejectBatch, RejectedRow
from tidegate_common.events.message import DeadLetter, Message, Origin
from tidegate_common.events.orders import (
    CancelOrder,
    CancelRequest,
    ControlRequest,
    OrderBatch,
    RequestEnvelope,
    SubmitOrder,
)
from tidegate_common.events.outcome import RunSummary
from tidegate_common.events.portfolio import (
    Booking,
    EquityPoint,
    LimitUsage,
    PortfolioBatch,
    PortfolioState,
    PositionState,
)
from tidegate_common.events.recommendations import (
    RecommendationBatch,
    RecommendationEntry,
    StrategyRecommendations,
)
from tidegate_common.events.risk import (
    ControlOutcome,
    Decision,
    DecisionBatch,
    JournalEntry,
    LateInput,
)
from tidegate_common.events.run import (
    AccountSpec,
    FeedSpec,
    InputFile,
    ProgrammeTradingSpec,
    RiskLimits,
    RunSpec,
    SyntheticSpec,
)
from tidegate_common.events.topics import FILLS, ORDERS, TOPICS
from tidegate_common.frames.codec import (
    decode_bars,
    decode_frame,
    decode_scores,
    encode_bars,
    encode_frame,
    encode_scores,
)
from tidegate_common.testing.builders import (
    MAOTAI,
    MARKET_OPEN_NS,
    MIDEA,
    RUN_ID,
    make_bar_batch,
    make_frame,
    make_journal_entry,
    make_request,
    make_rows,
    make_run_spec,
    make_scores,
)

GOLDEN = Path(__file__).parent / "golden"
WRITE_GOLDEN = "TIDEGATE_TEST_WRITE_GOLDEN"
ACCOUNT = AccountId("A1")
ORDER = OrderId("run-a.7.A1.0")

SUBMIT = SubmitOrder(
    order_id=ORDER,
    decision_id=DecisionId(ORDER),
    beat=7,
    account_id=ACCOUNT,
    sequence=0,
    instrument=MAOTAI,
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    time_in_force=TimeInForce.DAY,
    price_e4=18_000_000,
    quantity_shares=200,
    ts_event_ns=MARKET_OPEN_NS,
)
CANCEL = CancelOrder(
    order_id=ORDER,
    beat=9,
    account_id=ACCOUNT,
    sequence=1,
    instrument=MAOTAI,
    ts_event_ns=MARKET_OPEN_NS,
)
UPDATE = OrderUpdate(
    order_id=ORDER,
    beat=8,
    account_id=ACCOUNT,
    sequence=0,
    instrument=MAOTAI,
    side=Side.BUY,
    status=OrderStatus.PARTIALLY_FILLED,
    reason=OrderReason.NONE,
    cumulative_shares=100,
    leaves_shares=100,
    ts_event_ns=MARKET_OPEN_NS,
)
FILL = Fill(
    fill_id=FillId(f"{ORDER}.0"),
    order_id=ORDER,
    decision_id=ORDER,
    beat=8,
    account_id=ACCOUNT,
    order_beat=7,
    sequence=0,
    instrument=MAOTAI,
    side=Side.BUY,
    price_e4=17_999_900,
    quantity_shares=100,
    amount_fen=17_999_900,
    commission_fen=4_500,
    stamp_duty_fen=0,
    transfer_fee_fen=180,
    source=PriceSource.LEVEL,
    liquidity=Liquidity.TAKER,
    ts_event_ns=MARKET_OPEN_NS,
    handling_fee_fen=614,
    regulatory_fee_fen=360,
)
DECISION = Decision(
    decision_id=DecisionId(ORDER),
    beat=7,
    account_id=ACCOUNT,
    sequence=0,
    instrument=MAOTAI,
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    price_e4=18_000_000,
    quantity_shares=200,
    outcome=Outcome.REJECTED,
    layer=Layer.POSITION_SIZE,
    reason=Reason.POSITION_LIMIT,
    observed=3_600,
    limit=2_000,
    unit=Unit.BPS,
    nav_fen=100_000_000,
    cause_kind=CauseKind.SCORE,
    cause="imbalance",
    score_e6=412_000,
    score_beat=7,
    order_id="",
    ts_event_ns=MARKET_OPEN_NS,
)
PORTFOLIO = PortfolioState(
    account_id=ACCOUNT,
    beat=8,
    trade_date=20230201,
    ts_event_ns=MARKET_OPEN_NS,
    state=AccountState.ACTIVE,
    cash_fen=81_995_420,
    frozen_fen=18_004_680,
    nav_fen=99_995_320,
    opening_nav_fen=100_000_000,
    high_water_fen=100_000_000,
    day_pnl_fen=-4_680,
    realised_pnl_fen=0,
    fees_fen=4_680,
    positions=(PositionState(MAOTAI, 100, 0, 18_004_580, 17_999_900, 17_999_900),),
    usage=(LimitUsage(Layer.POSITION_SIZE, 3_601, 2_500), LimitUsage(Layer.DAILY_LOSS, 1, 300)),
    open_order_count=1,
)
CONTROL = ControlRequest(RequestId("c1"), ControlCommand.HALT, risk_partition_count=2)
CONTROL_OUTCOME = ControlOutcome(
    request_id=RequestId("c2"),
    beat=7,
    account_id=ACCOUNT,
    sequence=1,
    command=ControlCommand.SET_LIMITS,
    is_for_all=False,
    outcome=Outcome.ACCEPTED,
    reason=Reason.NONE,
    state_before=AccountState.ACTIVE,
    state_after=AccountState.REDUCING,
    limits_before=RiskLimits(),
    limits_after=RiskLimits(drawdown_bps_max=0),
    ts_event_ns=MARKET_OPEN_NS,
)
RUN_SPEC = RunSpec(
    run_id=RUN_ID,
    accounts=(
        *make_run_spec().accounts,
        AccountSpec(AccountId("A2"), 100_000_000, RiskLimits(position_bps_max=2_500)),
    ),
    strategies=make_run_spec().strategies,
    feed=FeedSpec(
        (InputFile("day.parquet", "0" * 64),),
        SyntheticSpec(),
        reference=InputFile("reference.csv", "1" * 64),
    ),
    programme_trading=ProgrammeTradingSpec(300, 20_000, 20250707, 99991231, "a document"),
)
RECOMMENDATIONS = StrategyRecommendations(
    strategy="cross",
    beat=7,
    trade_date=20230201,
    ts_event_ns=MARKET_OPEN_NS,
    instrument_count=2,
    top=(RecommendationEntry(MAOTAI, 700_000, 1, 2, 7, {"fast": 18_000_000_000}),),
    bottom=(RecommendationEntry(MIDEA, -200_000, 2, 0, 5),),
)
SUMMARY = RunSummary(RUN_ID, 3, 60, 60, 1, {"bad_lot": 2}, 1, 1, 4_680, 9, 0, 0.5, 6.0, "0" * 64)

BOOKING = Booking(
    account_id=ACCOUNT,
    beat=8,
    sequence=0,
    trade_date=20230201,
    ts_event_ns=MARKET_OPEN_NS,
    kind=BookingKind.DIVIDEND_CLAIM,
    instrument=MAOTAI,
    cash_fen=25_911,
    quantity_shares=0,
    held_shares=100,
    effective_date=20230203,
)

Event = (
    RunSpec
    | OrderBatch
    | FillBatch
    | DecisionBatch
    | PortfolioBatch
    | RequestEnvelope
    | JournalEntry
    | Lease
    | RejectBatch
    | AuditRecord
    | BacktestJob
    | DeadLetter
    | RunSummary
    | RecommendationBatch
)
EVENTS: dict[str, Event] = {
    "run_spec": RUN_SPEC,
    "order_batch": OrderBatch(RUN_ID, 7, 0, 1, (SUBMIT,), (CANCEL,)),
    "fill_batch": FillBatch(RUN_ID, 8, 1, 0, (UPDATE,), (FILL,)),
    "decision_batch": DecisionBatch(RUN_ID, 7, 0, (DECISION,), (CONTROL_OUTCOME,)),
    "portfolio_batch": PortfolioBatch(
        run_id=RUN_ID,
        beat=8,
        risk_partition=0,
        trade_date=20230201,
        ts_event_ns=MARKET_OPEN_NS,
        tick_count=20,
        score_count=20,
        is_last=False,
        equity=(EquityPoint(ACCOUNT, 81_995_420, 99_995_320),),
        portfolios=(PORTFOLIO,),
        bookings=(BOOKING,),
    ),
    "request_order": make_request(1),
    "request_cancel": RequestEnvelope(cancel=CancelRequest(RequestId("q2"), ACCOUNT, ORDER)),
    "request_control": RequestEnvelope(control=CONTROL),
    "journal_entry": make_journal_entry(
        4, 8, requests_from=3, requests=[make_request(3)], late=[LateInput(FILLS.name, 1, 2, 3)]
    ),
    "reject_batch": RejectBatch(
        RUN_ID,
        2,
        0,
        MARKET_OPEN_NS,
        (RejectedRow("sina", 3, "off_tick", 'var hq_str_sh600000="浦发银行,9.284";'),),
        lost_count=1,
    ),
    "lease": Lease(RUN_ID, 2, "ingest-standby", MARKET_OPEN_NS, LeaseState.HELD, 7),
    "audit_record": AuditRecord(
        audit_id="0" * 32,
        ts_ns=MARKET_OPEN_NS,
        caller="desk-1",
        key_id="0123456789ab",
        role="trade",
        peer="192.0.2.7",
        method="POST",
        path="/v1/kill-switch",
        request_id="q3",
        status=202,
        body='{"command":"halt","account_id":null}',
    ),
    "backtest_job": BacktestJob("bt-0", "desk-1", MARKET_OPEN_NS, ("a.parquet",), ("ma_cross",)),
    "dead_letter": DeadLetter("market.ticks.v1", 0, 9, "signals-0", "expected a frame", "aGk="),
    "run_summary": SUMMARY,
    "recommendation_batch": RecommendationBatch(
        RUN_ID, 7, 20230201, MARKET_OPEN_NS, (RECOMMENDATIONS,)
    ),
}


def golden(name: str, found: bytes) -> bytes:
    """Return the golden sample of a name; write it when told to."""
    path = GOLDEN / name
    if os.environ.get(WRITE_GOLDEN):
        path.write_bytes(found)
    return path.read_bytes()


def wrapped_hex(data: bytes) -> bytes:
    """Return bytes as lines of hexadecimal digits, so that git shows what changes."""
    lines = [data[start : start + 40].hex() for start in range(0, len(data), 40)]
    return "".join(f"{line}\n" for line in lines).encode()


def header_lines(message: Message) -> bytes:
    """Return key and headers as text."""
    key = message.key.decode() if message.key else ""
    said = [f"{name}: {value.decode()}" for name, value in message.headers]
    return "".join(f"{line}\n" for line in [f"key: {key}", *said]).encode()


@pytest.mark.parametrize("name", EVENTS)
def test_event_has_its_golden_bytes(name: str) -> None:
    """Field names, their order and the texts of enums are the contract."""
    event = EVENTS[name]

    data = encode_event(event)
    sample = golden(f"{name}.json", data + b"\n")

    assert data + b"\n" == sample
    assert decode_event(type(event), sample) == event


@pytest.mark.parametrize("kind", BeatKind)
def test_frame_has_its_golden_bytes(kind: BeatKind) -> None:
    """The Arrow schema and the metadata are the contract; replays compare bytes."""
    data = encode_frame(make_frame(kind=kind, rows=make_rows(kind, 2)))

    sample = golden(f"frame_{kind}.hex", wrapped_hex(data))
    decoded = decode_frame(bytes.fromhex(sample.decode()))

    assert wrapped_hex(data) == sample
    assert encode_frame(decoded) == data


def test_scores_have_their_golden_bytes() -> None:
    """Scores leave signals as integers, so their bytes do not depend on the processor."""
    data = encode_scores(make_scores(row_count=2))

    sample = golden("scores.hex", wrapped_hex(data))

    assert wrapped_hex(data) == sample
    assert encode_scores(decode_scores(bytes.fromhex(sample.decode()))) == data


def test_bars_have_their_golden_bytes() -> None:
    """Charts and the recorder read them."""
    data = encode_bars(make_bar_batch(row_count=2))

    sample = golden("bars.hex", wrapped_hex(data))

    assert wrapped_hex(data) == sample
    assert encode_bars(decode_bars(bytes.fromhex(sample.decode()))) == data


def test_frame_headers_are_golden() -> None:
    """CloudEvents 1.0 in Kafka's binary mode, with the stamp and the run's settings."""
    found = header_lines(frame_message(make_frame(0, shard=1, is_last=True), "ingest-0"))

    assert found == golden("headers_frame.txt", found)


def test_beat_headers_are_golden() -> None:
    """CloudEvents 1.0 in Kafka's binary mode, with run, beat and producer."""
    message = beat_message(ORDERS, 1, Origin(RunId("run-a"), 7, "risk-0"), b"{}")
    found = header_lines(message)

    assert found == golden("headers_beat.txt", found)


def test_every_event_on_a_topic_has_a_golden_sample() -> None:
    """A contract without a sample is not locked."""
    sampled = {type(event).__name__ for event in EVENTS.values()}
    others = {"Frame", "ScoreBatch", "BarBatch", "SnapshotChunk"}

    assert {topic.value_type for topic in TOPICS} - others <= sampled


def test_golden_events_show_every_field() -> None:
    """A field that no sample fills could change unseen."""
    for event in EVENTS.values():
        found = encode_event(event)
        names = type(event).__match_args__
        assert all(f'"{name}":'.encode() in found for name in names)


def test_run_spec_of_before_warm_up_is_read_with_defaults() -> None:
    """A recorded run can be replayed by a later version."""
    recorded = replace(RUN_SPEC, accounts=RUN_SPEC.accounts[:1], programme_trading=None)
    values = json.loads(encode_event(recorded))
    del values["accounts"][0]["limits"], values["programme_trading"]
    del values["warmup_days"], values["recommendations_max"], values["max_wait_ms"]
    del values["strategies"][0]["period"], values["strategies"][0]["source_sha256"]
    del values["feed"]["start_ts_ns"]

    spec = decode_event(RunSpec, json.dumps(values).encode())

    assert spec == recorded


def test_recommendation_says_how_many_places_it_rose() -> None:
    """Up is positive though ranks count down; without an earlier rank there is nothing to say."""
    (risen,), (new,) = RECOMMENDATIONS.top, RECOMMENDATIONS.bottom

    assert (risen.rank_change, new.rank_change) == (1, None)


def test_fill_of_before_its_two_last_fees_is_read_with_zeros() -> None:
    """Recorded fills stay readable: in one major version only optional fields are added."""
    values = json.loads(encode_event(FILL))
    del values["handling_fee_fen"], values["regulatory_fee_fen"]

    fill = decode_event(Fill, json.dumps(values).encode())

    assert (fill.handling_fee_fen, fill.regulatory_fee_fen) == (0, 0)
    assert fill.fee_fen == 4_680


def test_journal_entry_of_before_late_shards_is_still_read() -> None:
    """Runs that were recorded before still verify."""
    values = json.loads(encode_event(EVENTS["journal_entry"]))
    del values["late"]

    entry = decode_event(JournalEntry, json.dumps(values).encode())

    assert entry.late == ()


def test_snapshot_header_is_locked_by_its_format_version() -> None:
    """Whoever changes what a snapshot holds must also change its version."""
    owing = (("order.events.v1", 0, "execution-1", 2),)
    data = encode_snapshot(
        StageSnapshot("{}", 3, ("r0",), {}, EngineState({"n": 1}, {}), None, owing)
    )

    assert data[8:] + b"\n" == golden("snapshot.json", data[8:] + b"\n")
