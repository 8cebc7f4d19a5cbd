"""Batches to rows, without a database."""

import dataclasses

import pytest
from msgspec import structs
from msgspec.structs import replace

from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import (
    AccountState,
    BeatKind,
    ControlCommand,
    Outcome,
    Reason,
)
from tidegate_common.domain.ids import AccountId, FillId, OrderId, RequestId, RunId
from tidegate_common.errors import ContractError
from tidegate_common.events.audit import AuditRecord
from tidegate_common.events.execution import FillBatch
from tidegate_common.events.message import DeadLetter
from tidegate_common.events.orders import CancelOrder, OrderBatch
from tidegate_common.events.portfolio import EquityPoint, PortfolioBatch
from tidegate_common.events.risk import ControlOutcome, Decision, DecisionBatch, JournalEntry
from tidegate_common.events.topics import FILLS
from tidegate_common.frames.codec import decode_frame
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.market.sessions import shanghai_ns
from tidegate_common.testing.scripted_run import ScriptedRun
from tidegate_recorder.engine.projection import Projection, fill_index_of
from tidegate_recorder.engine.rows import EquityRow, RunRow
from tidegate_recorder.engine.streams import Streams
from tidegate_recorder.intake import Intake

SCRIPT = ScriptedRun()
RUN = RunId("run-1")


def render(event: object) -> str:
    """Return the canonical JSON, as the shell does."""
    return encode_event(event).decode()


@pytest.fixture
def rows() -> Projection:
    """Collect nothing yet."""
    return Projection(render)


def fill_batch() -> FillBatch:
    """Return a batch with one update and one fill an account."""
    message = next(one for one in SCRIPT.beat_messages(1) if one.topic == FILLS.name)
    return decode_event(FillBatch, message.value)


def books(**changes: object) -> PortfolioBatch:
    """Return a batch of books with one account."""
    point = EquityPoint(AccountId("A1"), 5, 7)
    batch = PortfolioBatch(RUN, 3, 0, 20230201, 99, 4, 2, is_last=False, equity=(point,))
    return replace(batch, **changes)


def test_decision_row_keeps_the_exact_json(rows: Projection) -> None:
    """Verify compares byte for byte."""
    decision = SCRIPT.decision("A1", 3, is_accepted=False)

    rows.add_decisions(DecisionBatch(RUN, 3, 0, (decision,)))

    (row,) = rows.decisions
    assert (row.run_id, row.beat, row.account_id, row.sequence) == ("run-1", 3, "A1", 1)
    assert (row.outcome, row.reason) == ("rejected", "position_limit")
    assert decode_event(Decision, row.payload) == decision
    assert row.payload == encode_event(decision).decode()


def test_control_row_keeps_the_exact_json(rows: Projection) -> None:
    """Who halted what, when and with what effect can be asked for ever."""
    outcome = ControlOutcome(
        request_id=RequestId("c1"),
        beat=3,
        account_id=AccountId("A1"),
        sequence=2,
        command=ControlCommand.HALT,
        is_for_all=True,
        outcome=Outcome.REJECTED,
        reason=Reason.DUPLICATE_REQUEST,
        state_before=AccountState.ACTIVE,
        state_after=AccountState.ACTIVE,
        limits_before=None,
        limits_after=None,
        ts_event_ns=99,
    )

    rows.add_decisions(DecisionBatch(RUN, 3, 0, (), (outcome,)))

    (row,) = rows.controls
    assert (row.run_id, row.beat, row.account_id, row.sequence) == ("run-1", 3, "A1", 2)
    assert (row.request_id, row.command) == ("c1", "halt")
    assert (row.outcome, row.reason, row.ts_event_ns) == ("rejected", "duplicate_request", 99)
    assert row.payload == encode_event(outcome).decode()


def test_order_and_cancel_rows_go_to_their_tables(rows: Projection) -> None:
    """A cancel is no order."""
    cancel = CancelOrder(OrderId("run-1.3.A1.0"), 4, AccountId("A1"), 2, 1_600_519, 99)

    rows.add_orders(OrderBatch(RUN, 3, 0, 0, (SCRIPT.order("A1", 3),), (cancel,)))

    assert [row.order_id for row in rows.orders] == ["run-1.3.A1.0"]
    assert [(row.beat, row.sequence, row.payload) for row in rows.cancels] == [
        (4, 2, encode_event(cancel).decode()),
    ]


def test_fill_rows_know_their_number_and_fees(rows: Projection) -> None:
    """The number orders the fills of one order; the fee is the sum of its parts."""
    rows.add_fills(fill_batch())

    assert [(row.account_id, row.fill_index, row.fee_fen) for row in rows.fills] == [
        ("A1", 0, 518),
        ("A2", 0, 518),
    ]
    assert [row.status for row in rows.order_updates] == ["partially_filled", "partially_filled"]


def test_books_become_beat_equity_and_portfolios(rows: Projection) -> None:
    """Equity comes every beat, portfolios when they changed."""
    rows.add_portfolios(books(portfolios=(SCRIPT.portfolio("A1", 3),)))

    assert [(row.beat, row.tick_count, row.score_count) for row in rows.beats] == [(3, 4, 2)]
    assert rows.equity == [EquityRow("run-1", 20230201, "A1", 3, 99, 5, 7)]
    assert [row.nav_fen for row in rows.portfolios] == [99_999_997]
    assert list(rows.ending_runs()) == []


def test_equity_by_beat_is_thinned_but_for_beats_with_news(rows: Projection) -> None:
    """A thousand accounts at five thousand beats a day are too many points."""
    rows.equity_every_beats = 2

    for beat in range(6):
        told = (SCRIPT.portfolio("A1", beat),) if beat == 3 else ()
        rows.add_portfolios(books(beat=beat, portfolios=told, is_last=beat == 5))

    assert [row.beat for row in rows.equity] == [0, 2, 3, 4, 5]


def test_equity_of_a_minute_and_of_a_day_is_that_of_its_last_beat(rows: Projection) -> None:
    """That is what a chart of a day and of a year shows."""
    for beat, (second, date) in enumerate(
        ((0, 20230201), (59, 20230201), (60, 20230201), (86_400, 20230202)),
    ):
        point = EquityPoint(AccountId("A1"), 5, 100 + beat)
        rows.add_portfolios(
            books(beat=beat, ts_event_ns=second * 10**9, trade_date=date, equity=(point,)),
        )

    minutes = [(row.minute_ns // 10**9, row.nav_fen) for row in rows.equity_minutes.values()]
    assert minutes == [(0, 101), (60, 102), (86_400, 103)]
    days = [(row.trade_date, row.beat, row.nav_fen) for row in rows.equity_days.values()]
    assert days == [(20230201, 2, 102), (20230202, 3, 103)]


@pytest.mark.parametrize(("time", "count"), [("14:59:59", 0), ("15:00:00", 1)])
def test_positions_are_kept_from_the_close_on(rows: Projection, time: str, count: int) -> None:
    """Holdings by day are those of CLOSE, which is never earlier."""
    hour, minute, second = map(int, time.split(":"))
    ts_event_ns = shanghai_ns(20230201, hour * 3_600 + minute * 60 + second)
    portfolio = replace(SCRIPT.portfolio("A1", 3), ts_event_ns=ts_event_ns)

    rows.add_portfolios(books(portfolios=(portfolio,)))

    assert [row.instrument for row in rows.positions] == [1_600_519] * count


def test_booking_row_keeps_the_exact_json(rows: Projection) -> None:
    """Why cash changed can be asked for ever, and verify compares byte for byte."""
    booking = SCRIPT.booking(AccountId("A1"), 3)

    rows.add_portfolios(books(bookings=(booking,)))

    (row,) = rows.bookings
    assert (row.run_id, row.account_id, row.beat, row.sequence) == ("run-1", "A1", 3, 0)
    assert (row.kind, row.cash_fen, row.quantity_shares) == ("dividend_paid", 1_500, 0)
    assert row.payload == encode_event(booking).decode()
    assert "bookings" in dict(rows.tables())


def test_recommendation_row_keeps_the_exact_json(rows: Projection) -> None:
    """A page of recommendations of then is what was said then."""
    batch = SCRIPT.recommendations(2)

    rows.add_recommendations(batch)

    (row,) = rows.recommendations
    assert (row.trade_date, row.beat, row.strategy) == (20230201, 2, "cross")
    assert row.payload == encode_event(batch.strategies[0]).decode()


def test_scores_that_did_not_change_are_no_rows(rows: Projection) -> None:
    """The table holds changes."""
    for beat in range(4):
        rows.add_scores(SCRIPT.scores(0, beat))
        rows.add_bars(SCRIPT.bars(0, beat))

    assert [(row.beat, row.instrument) for row in rows.scores] == [
        (0, 1_600_519),
        (0, 2_000_001),
        (2, 1_600_519),
    ]
    assert [row.high_e4 for row in rows.bars] == [18_000_000 + beat for beat in range(4)]


@pytest.mark.parametrize("ts_event_ns", [-1, 2**63])
def test_batch_of_a_time_beyond_64_bits_adds_nothing(rows: Projection, ts_event_ns: int) -> None:
    """It has no trade date."""
    order = replace(SCRIPT.order("A1", 3), ts_event_ns=ts_event_ns)

    with pytest.raises(ContractError, match="ts_event_ns must be a time of 64 bits"):
        rows.add_orders(OrderBatch(RUN, 3, 0, 0, (order,)))

    assert list(rows.tables()) == []


@pytest.mark.parametrize("trade_date", [0, 10**9])
def test_batch_of_a_date_that_is_none_adds_nothing(rows: Projection, trade_date: int) -> None:
    """No partition can be made for it."""
    with pytest.raises(ContractError, match="trade_date must be a date YYYYMMDD"):
        rows.add_portfolios(books(trade_date=trade_date))

    assert list(rows.tables()) == []


def test_books_of_the_last_beat_end_the_run(rows: Projection) -> None:
    """The shell asks then whether the run is complete."""
    rows.add_portfolios(books(is_last=True))

    assert list(rows.ending_runs()) == [("run-1", 3)]


def test_run_row_keeps_the_exact_spec(rows: Projection) -> None:
    """The spec is replayed as it was."""
    rows.add_run(BeatStamp(RUN, 0, BeatKind.OPEN, 20230201, 7), '{"a": 1}')

    assert rows.runs == [RunRow("run-1", '{"a": 1}', 20230201, 7)]


def test_journal_is_no_plain_table(rows: Projection) -> None:
    """Which entries count depends on those before."""
    rows.add_journal(JournalEntry(RUN, 0, 0, 4, 0, 1), "main")

    assert [(row.from_beat, row.to_beat, row.log) for row in rows.journal] == [(0, 4, "main")]
    assert list(rows.tables()) == []


def test_tables_are_those_with_rows(rows: Projection) -> None:
    """An empty beat costs no statement."""
    rows.add_orders(OrderBatch(RUN, 1, 0, 0))
    rows.add_fills(FillBatch(RUN, 1, 0, 0))
    rows.add_portfolios(books())

    assert [name for name, _ in rows.tables()] == [
        "beats",
        "equity",
        "equity_minutes",
        "equity_days",
    ]
    assert rows.row_count() == 4


def test_instruments_are_told_by_open_frames_alone(rows: Projection) -> None:
    """What they are holds for the day."""
    first, second = SCRIPT.beat_messages(0)[0], SCRIPT.beat_messages(1)[0]

    for message in (first, second):
        rows.add_instruments(decode_frame(message.value))

    assert [(row.symbol, row.trade_date, row.beat, row.is_st) for row in rows.instruments] == [
        ("600519.SH", 20230201, 0, False),
        ("000001.SZ", 20230201, 0, True),
    ]
    assert rows.instruments[0].limit_up_e4 == 19_800_000
    assert [name for name, _ in rows.tables()] == ["instruments"]


def test_instruments_of_a_frame_that_cannot_be_read_are_none(rows: Projection) -> None:
    """The stages put it aside; the run's settings are in its headers all the same."""
    message = dataclasses.replace(SCRIPT.beat_messages(0)[0], value=b"garbage")
    intake = Intake(Streams(shard_count=1, risk_partition_count=1), log="main")

    intake.take(message, rows)

    assert [name for name, _ in rows.tables()] == ["runs"]


def test_dead_letter_quotes_no_nul(rows: Projection) -> None:
    """A reason says what was found, whatever that was."""
    rows.add_dead_letter(DeadLetter("t", 0, 5, "risk-0", "found \0", "AA=="), "main")

    assert rows.dead_letters[0].reason == "found \N{REPLACEMENT CHARACTER}"


def test_audit_row_is_the_record(rows: Projection) -> None:
    """Who asked for what, and how it was answered."""
    record = AuditRecord(
        audit_id="0" * 32,
        ts_ns=7,
        caller="desk-1",
        key_id="0123456789ab",
        role="trade",
        peer="192.0.2.7",
        method="POST",
        path="/v1/orders",
        request_id="q3",
        status=202,
        body="{}",
    )

    rows.add_audit(record)
    with pytest.raises(ContractError, match="ts_ns must be a whole number of 64 bits"):
        rows.add_audit(replace(record, ts_ns=2**63))

    assert [row._asdict() for row in rows.audits] == [structs.asdict(record)]


def test_batch_with_a_number_beyond_64_bits_adds_nothing(rows: Projection) -> None:
    """One such row would stop the whole transaction, for ever."""
    point = EquityPoint(AccountId("A1"), 2**63, 7)

    with pytest.raises(ContractError, match="cash_fen must be a whole number of 64 bits"):
        rows.add_portfolios(books(equity=(point,)))

    assert list(rows.tables()) == []


def test_batch_with_a_nul_in_a_text_adds_nothing(rows: Projection) -> None:
    """PostgreSQL keeps no NUL in a text."""
    order = replace(SCRIPT.order("A1", 3), account_id=AccountId("A\0"))

    with pytest.raises(ContractError, match="account_id must be a text without NUL"):
        rows.add_orders(OrderBatch(RUN, 3, 0, 0, (order,)))

    assert list(rows.tables()) == []


def test_batch_with_a_bad_fill_id_adds_nothing(rows: Projection) -> None:
    """Its updates would stand there without their fills."""
    batch = fill_batch()
    fills = (replace(batch.fills[0], fill_id=FillId("x")),)

    with pytest.raises(ContractError, match="fill_id must end in"):
        rows.add_fills(replace(batch, fills=fills))

    assert list(rows.tables()) == []


def test_fill_index_is_the_last_part_of_the_id() -> None:
    """Ids are derived from (run, beat, account, sequence, number)."""
    assert fill_index_of("run-1.3.A1.0.12") == 12
