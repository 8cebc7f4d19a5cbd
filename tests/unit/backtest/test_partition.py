"""A risk partition in the loop sees what the processor of a live run saw."""

from dataclasses import replace

import pytest
from msgspec import structs
from tests.unit.risk.scenario import (
    BANK,
    LIQUOR,
    LOOSE,
    Quote,
    Reference,
    control_request,
    fill_of,
    order_request,
    quote_rows,
    reference_rows,
    score_batch,
    update_of,
)

from tidegate_backtest.journaled import Journaled
from tidegate_backtest.partition import Lateness, RiskPartition
from tidegate_common.bus.processor import BeatInputs
from tidegate_common.codec import decode_event
from tidegate_common.domain.enums import BeatKind, ControlCommand, OrderStatus, Reason
from tidegate_common.domain.ids import (
    AccountId,
    OrderId,
    RequestId,
    RunId,
    risk_partition_of,
    shard_of,
)
from tidegate_common.domain.units import Int64Array
from tidegate_common.events.execution import FillBatch
from tidegate_common.events.orders import CancelRequest, OrderBatch, RequestEnvelope, SubmitOrder
from tidegate_common.events.portfolio import EquityPoint, PortfolioBatch
from tidegate_common.events.risk import Decision, DecisionBatch, LateInput
from tidegate_common.events.run import AccountSpec, RunSpec, StrategySpec
from tidegate_common.events.topics import DECISIONS, FILLS, ORDERS, PORTFOLIOS, SCORES, TICKS, Topic
from tidegate_common.frames.frame import BeatStamp, Frame, ScoreBatch, split_frame
from tidegate_common.market.sessions import shanghai_ns
from tidegate_common.testing.builders import make_journal_entry
from tidegate_execution.engine import ExecutionReport
from tidegate_risk.shell import RiskProcessor

RUN = RunId("run")
DATE = 20240603
ACCOUNTS = tuple(AccountId(name) for name in ("alpha", "beta", "gamma", "delta"))
SPEC = RunSpec(
    run_id=RUN,
    accounts=tuple(AccountSpec(name, 100_000_000) for name in ACCOUNTS),
    strategies=(StrategySpec("cross", "fake"),),
    limits=LOOSE,
)
SHARDS = 2
INSTRUMENTS = (BANK, LIQUOR)
NOTHING = ExecutionReport((), ())
Said = tuple[tuple[Decision, ...], tuple[SubmitOrder, ...], tuple[EquityPoint, ...]]


def stamp_at(beat: int) -> BeatStamp:
    """Return the stamp of a beat: OPEN, then ticks of the morning."""
    kind = BeatKind.TICK if beat else BeatKind.OPEN
    return BeatStamp(RUN, beat, kind, DATE, shanghai_ns(DATE, 36_000 + 3 * beat))


def frame_at(beat: int) -> Frame:
    """Return the whole market of a beat, with prices that move."""
    if beat == 0:
        return Frame(stamp_at(0), 0, reference_rows([Reference(each) for each in INSTRUMENTS]))
    quotes = [Quote(each, last_e4=40_000 + 100 * beat) for each in INSTRUMENTS]
    return Frame(stamp_at(beat), 0, quote_rows(quotes))


def scores_at(beat: int) -> ScoreBatch:
    """Return the scores of a beat; the strategy speaks on the second."""
    asked = dict.fromkeys(INSTRUMENTS, 300_000) if beat == 1 else {}
    return score_batch(stamp_at(beat), {"cross": asked})


def late_of(topic: Topic, shard: int, from_beat: int) -> LateInput:
    """Return what the journal says."""
    return LateInput(topic.name, shard, SHARDS, from_beat)


def of_shard(scores: ScoreBatch, shard: int) -> ScoreBatch:
    """Return a shard's part of scores."""
    mine = [shard_of(number, SHARDS) == shard for number in scores.instrument.tolist()]

    def part(values: Int64Array) -> Int64Array:
        return values[mine]

    return replace(
        scores,
        shard=shard,
        strategy=part(scores.strategy),
        instrument=part(scores.instrument),
        score_e6=part(scores.score_e6),
        reason_e6=scores.reason_e6[mine],
    )


def play_loop(late: Lateness, reports: dict[int, ExecutionReport]) -> list[Said]:
    """Return what the loop's partition says of four beats."""
    partition = RiskPartition(SPEC, 0, partition_count=1, late=late)
    said: list[Said] = []
    for beat in range(4):
        report = reports.get(beat, NOTHING)
        output = partition.on_beat(frame_at(beat), scores_at(beat), report, ())
        said.append((output.decisions, output.submits, output.equity))
    return said


def play_processor(late: Lateness, reports: dict[int, ExecutionReport]) -> list[Said]:
    """Return what a live run's processor says of the same, late inputs taken away."""
    processor = RiskProcessor(0, shard_count=SHARDS, risk_partition_count=1)
    processor.start_run(SPEC)
    said: list[Said] = []
    owed: dict[int, list[FillBatch]] = {shard: [] for shard in range(SHARDS)}
    for beat in range(4):
        gone = {(each.topic, each.shard): each.from_beat for each in late.get(beat, ())}
        frame = frame_at(beat)
        shards = [shard_of(number, SHARDS) for number in frame.rows.instrument.tolist()]
        parts = split_frame(frame, frame.rows.instrument * 0 + shards, SHARDS)
        payloads: list[object] = [
            None if (TICKS.name, shard) in gone else part for shard, part in enumerate(parts)
        ]
        for shard in range(SHARDS):
            is_late = (SCORES.name, shard) in gone
            payloads.append(None if is_late else of_shard(scores_at(beat), shard))
        overdue: list[FillBatch] = []
        for shard in range(SHARDS):
            owed[shard].append(fill_batch(beat, shard, reports.get(beat, NOTHING)))
            until = gone.get((FILLS.name, shard), beat + 1)
            enter = [each for each in owed[shard] if each.beat < until]
            owed[shard] = owed[shard][len(enter) :]
            payloads.append(enter.pop() if until > beat else None)
            overdue += enter
        overdue.sort(key=_by_beat)
        messages = processor.on_beat(BeatInputs(frame.stamp, tuple(payloads), (), tuple(overdue)))
        values = {(message.topic, message.partition): message.value for message in messages}
        orders = [decode_event(OrderBatch, values[ORDERS.name, shard]) for shard in range(SHARDS)]
        submits = sorted((s for each in orders for s in each.submits), key=_by_account)
        decisions = decode_event(DecisionBatch, values[DECISIONS.name, 0]).decisions
        equity = decode_event(PortfolioBatch, values[PORTFOLIOS.name, 0]).equity
        said.append((decisions, tuple(submits), equity))
    return said


def fill_batch(beat: int, shard: int, report: ExecutionReport) -> FillBatch:
    """Return what the exchange of a shard says."""
    return FillBatch(
        RUN,
        beat,
        shard,
        0,
        tuple(each for each in report.updates if shard_of(each.instrument, SHARDS) == shard),
        tuple(each for each in report.fills if shard_of(each.instrument, SHARDS) == shard),
    )


def _by_beat(batch: FillBatch) -> int:
    return batch.beat


def _by_account(submit: SubmitOrder) -> tuple[str, int]:
    return submit.account_id, submit.sequence


def trades_of(submits: tuple[SubmitOrder, ...]) -> dict[int, ExecutionReport]:
    """Return two beats in which all orders trade: a lot, then the rest."""
    first = [fill_of(each, quantity_shares=100) for each in submits]
    rest = [fill_of(each, quantity_shares=each.quantity_shares - 100) for each in submits]
    partly = [update_of(each, OrderStatus.PARTIALLY_FILLED, filled_shares=100) for each in submits]
    ends = [
        update_of(each, OrderStatus.FILLED, filled_shares=each.quantity_shares) for each in submits
    ]
    return {
        2: ExecutionReport(tuple(partly), tuple(first)),
        3: ExecutionReport(
            tuple(structs.replace(each, beat=3) for each in ends),
            tuple(structs.replace(each, beat=3) for each in rest),
        ),
    }


@pytest.mark.parametrize(
    "late",
    [
        {},
        {1: (late_of(TICKS, 0, 1),)},
        {1: (late_of(SCORES, 1, 1),)},
        {1: (late_of(SCORES, 0, 1), late_of(SCORES, 1, 1))},
        {2: (late_of(FILLS, 0, 2),)},
        {2: (late_of(FILLS, 1, 2),), 3: (late_of(FILLS, 1, 3), late_of(TICKS, 0, 3))},
        {2: (late_of(FILLS, 0, 2), late_of(FILLS, 1, 2)), 3: (late_of(FILLS, 1, 2),)},
    ],
)
def test_partition_says_what_the_processor_says(late: Lateness) -> None:
    """Live and recomputed are the same engine over the same inputs."""
    reports = trades_of(play_loop({}, {})[1][1])

    said = play_loop(late, reports)

    assert said == play_processor(late, reports)
    assert len(reports[2].fills) == SHARDS * len(ACCOUNTS)


@pytest.mark.parametrize("topic", [TICKS, SCORES, FILLS])
def test_partition_late_shard_is_stale(topic: Topic) -> None:
    """Whichever of its words was late; the other shard trades on."""
    partition = RiskPartition(SPEC, 0, partition_count=1, late={1: (late_of(topic, 1, 1),)})
    partition.on_beat(frame_at(0), scores_at(0), NOTHING, ())
    asked = tuple(order_request(instrument=each, request_id=str(each)) for each in INSTRUMENTS)

    output = partition.on_beat(frame_at(1), scores_at(2), NOTHING, asked)

    reasons = {shard_of(each.instrument, SHARDS): each.reason for each in output.decisions}
    assert reasons == {0: Reason.NONE, 1: Reason.STALE_MARK}


def test_partitions_answer_each_request_once() -> None:
    """That of an unknown account too; a command for all is answered by every account."""
    requests: tuple[RequestEnvelope, ...] = (
        order_request(account_id=AccountId("alpha"), request_id="one"),
        order_request(account_id=AccountId("nobody"), request_id="two"),
        RequestEnvelope(
            cancel=CancelRequest(RequestId("three"), AccountId("beta"), OrderId("run.0.beta.0"))
        ),
        control_request(ControlCommand.HALT, "gamma", request="four"),
        control_request(ControlCommand.REDUCE, None, request="five"),
    )
    partitions = [RiskPartition(SPEC, n, partition_count=2, late={}) for n in range(2)]
    for each in partitions:
        each.on_beat(frame_at(0), scores_at(0), NOTHING, ())

    outputs = [each.on_beat(frame_at(1), scores_at(2), NOTHING, requests) for each in partitions]

    decided = sorted(each.cause for output in outputs for each in output.decisions)
    obeyed = sorted(each.account_id for output in outputs for each in output.controls)
    assert decided == ["one", "three", "two"]
    assert obeyed == sorted([*ACCOUNTS, "gamma"])
    for number, output in enumerate(outputs):
        assert {risk_partition_of(each.account_id, 2) for each in output.decisions} <= {number}


def test_journaled_without_lateness_is_one_partition_for_all() -> None:
    """Partitions are invisible then."""
    journaled = Journaled()
    for partition in (0, 1):
        journaled.add(structs.replace(make_journal_entry(0, 9), risk_partition=partition))

    assert journaled.late() == ({},)


def test_journaled_with_lateness_has_every_partition() -> None:
    """Also those that waited for nobody."""
    late = (late_of(TICKS, 1, 5),)
    journaled = Journaled()
    journaled.add(structs.replace(make_journal_entry(5, late=late), risk_partition=1))
    journaled.add(structs.replace(make_journal_entry(0, 9), risk_partition=2))
    journaled.add(structs.replace(make_journal_entry(0, 9), risk_partition=0))

    assert journaled.late() == ({}, {5: late}, {})


def test_journaled_requests_are_by_beat_in_the_order_of_partitions() -> None:
    """Two partitions may let requests in at the same beat."""
    journaled = Journaled()
    for number in (0, 1):
        request = order_request(request_id=f"q{number}")
        journaled.add(
            structs.replace(make_journal_entry(3, requests=[request]), risk_partition=number)
        )

    assert list(journaled.requests) == [3]
    assert [each.order.request_id for each in journaled.requests[3] if each.order] == ["q0", "q1"]
