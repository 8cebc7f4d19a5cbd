"""The processor: messages in, messages out, one partition of the accounts."""

from dataclasses import replace

import pytest
from tests.unit.risk.scenario import (
    BANK,
    LIQUOR,
    LOOSE,
    Quote,
    Reference,
    control_request,
    order_request,
    quote_rows,
    reference_rows,
    score_batch,
)

from tidegate_common.bus.headers import beat_message, frame_message
from tidegate_common.bus.processor import BeatInputs, Slot
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import (
    BeatKind,
    ControlCommand,
    OrderReason,
    OrderStatus,
    Reason,
    Side,
)
from tidegate_common.domain.ids import (
    AccountId,
    OrderId,
    RequestId,
    RunId,
    risk_partition_of,
    shard_of,
)
from tidegate_common.errors import ContractError, InvariantError
from tidegate_common.events.execution import FillBatch, OrderUpdate
from tidegate_common.events.message import Message, Origin
from tidegate_common.events.orders import OrderBatch, RequestEnvelope
from tidegate_common.events.portfolio import PortfolioBatch
from tidegate_common.events.risk import DecisionBatch
from tidegate_common.events.run import AccountSpec, RunSpec, StrategySpec
from tidegate_common.events.topics import FILLS, SCORES, TICKS
from tidegate_common.frames.codec import encode_scores
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.market.sessions import shanghai_ns
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
OPEN = BeatStamp(RUN, 0, BeatKind.OPEN, DATE, shanghai_ns(DATE, 33_000))
TICK = BeatStamp(RUN, 1, BeatKind.TICK, DATE, shanghai_ns(DATE, 36_000))
INSTRUMENTS = (BANK, LIQUOR)


def _processor(partition: int = 0, *, shards: int = 1, partitions: int = 1) -> RiskProcessor:
    processor = RiskProcessor(partition, shard_count=shards, risk_partition_count=partitions)
    processor.start_run(SPEC)
    return processor


def _frames(stamp: BeatStamp, shards: int) -> list[object]:
    frames: list[object] = []
    for shard in range(shards):
        own = [number for number in INSTRUMENTS if shard_of(number, shards) == shard]
        if stamp.kind is BeatKind.OPEN:
            frames.append(Frame(stamp, shard, reference_rows([Reference(each) for each in own])))
        else:
            frames.append(Frame(stamp, shard, quote_rows([Quote(each) for each in own])))
    return frames


def _inputs(
    stamp: BeatStamp,
    shards: int = 1,
    requests: tuple[RequestEnvelope, ...] = (),
) -> BeatInputs:
    scores = []
    for shard in range(shards):
        own = {number: 300_000 for number in INSTRUMENTS if shard_of(number, shards) == shard}
        asked = own if stamp.kind is BeatKind.TICK else {}
        scores.append(replace(score_batch(stamp, {"cross": asked}), shard=shard))
    fills = [FillBatch(RUN, stamp.beat, shard, 0) for shard in range(shards)]
    return BeatInputs(stamp, (*_frames(stamp, shards), *scores, *fills), requests)


def _decisions(messages: list[Message] | tuple[Message, ...]) -> DecisionBatch:
    return decode_event(DecisionBatch, messages[-2].value)


def _portfolios(messages: list[Message] | tuple[Message, ...]) -> PortfolioBatch:
    return decode_event(PortfolioBatch, messages[-1].value)


def test_command_is_answered_in_the_batch_of_decisions() -> None:
    """The recorder and everybody else who reads decisions hear of it."""
    processor = _processor(partitions=2)
    processor.on_beat(_inputs(OPEN))
    halt = control_request(ControlCommand.HALT, None)

    batch = _decisions(tuple(processor.on_beat(_inputs(TICK, requests=(halt,)))))

    own = [name for name in sorted(ACCOUNTS) if risk_partition_of(name, 2) == 0]
    assert [outcome.account_id for outcome in batch.controls] == own
    assert {decision.reason for decision in batch.decisions} == {Reason.ACCOUNT_HALTED}


def test_slots_name_every_shard_of_every_input() -> None:
    """A beat is whole when all of them have spoken."""
    processor = RiskProcessor(1, shard_count=2, risk_partition_count=3)

    assert processor.producer == "risk-1"
    assert processor.slots == (
        Slot(TICKS, 0, "ingest-0", shard=0),
        Slot(TICKS, 1, "ingest-0", shard=1),
        Slot(SCORES, 0, "signals-0", shard=0),
        Slot(SCORES, 1, "signals-1", shard=1),
        Slot(FILLS, 1, "execution-0", shard=0, is_owed=True),
        Slot(FILLS, 1, "execution-1", shard=1, is_owed=True),
    )


def test_beat_makes_one_message_an_output_partition_orders_first() -> None:
    """Execution waits for orders; nobody waits for portfolios."""
    processor = _processor(shards=2)
    processor.on_beat(_inputs(OPEN, 2))

    messages = tuple(processor.on_beat(_inputs(TICK, 2)))

    places = [(message.topic, message.partition) for message in messages]
    assert places == [
        ("order.commands.v1", 0),
        ("order.commands.v1", 1),
        ("risk.decisions.v1", 0),
        ("portfolio.snapshots.v1", 0),
    ]
    for shard in range(2):
        batch = decode_event(OrderBatch, messages[shard].value)
        assert (batch.shard, batch.risk_partition, batch.beat) == (shard, 0, 1)
        shards = {shard_of(order.instrument, 2) for order in batch.submits}
        assert shards <= {shard}
    assert len(_decisions(messages).decisions) == 8


def test_portfolio_batch_counts_the_whole_beat_and_says_when_a_run_ends() -> None:
    """The summary is made of it."""
    processor = _processor(shards=2)
    processor.on_beat(_inputs(OPEN, 2))

    batch = _portfolios(tuple(processor.on_beat(_inputs(replace(TICK, is_last=True), 2))))

    assert (batch.tick_count, batch.score_count, batch.is_last) == (2, 2, True)
    assert [books.account_id for books in batch.portfolios] == sorted(ACCOUNTS)
    run_id, books = processor.current_books()
    assert run_id == batch.run_id
    assert tuple(each.portfolio for each in books) == batch.portfolios


def test_outcome_does_not_depend_on_shards_and_partitions() -> None:
    """Partitions are invisible."""

    def decisions(shards: int, partitions: int) -> list[object]:
        found: list[object] = []
        for partition in range(partitions):
            processor = _processor(partition, shards=shards, partitions=partitions)
            processor.on_beat(_inputs(OPEN, shards))
            found += _decisions(tuple(processor.on_beat(_inputs(TICK, shards)))).decisions
        return sorted(found, key=str)

    assert decisions(1, 1) == decisions(2, 1) == decisions(2, 2) == decisions(3, 4)


def test_shard_of_a_missing_message_is_stale_for_the_beat() -> None:
    """What cannot be read is in doubt, and in doubt nothing is traded."""
    requests = tuple(
        order_request(request_id=RequestId(str(number)), instrument=number)
        for number in INSTRUMENTS
    )
    for missing in range(6):
        processor = _processor(shards=2)
        processor.on_beat(_inputs(OPEN, 2))
        processor.on_beat(_inputs(TICK, 2))
        inputs = _inputs(replace(TICK, beat=2), 2, requests=requests)
        payloads = list(inputs.payloads)
        payloads[missing] = None

        messages = processor.on_beat(replace(inputs, payloads=tuple(payloads)))

        reasons = {
            shard_of(each.instrument, 2): each.reason
            for each in _decisions(tuple(messages)).decisions
            if each.cause in {"1600000", "1600519"}
        }
        expected = {missing % 2: Reason.STALE_MARK, 1 - missing % 2: Reason.NONE}
        assert reasons == expected


def test_beat_without_any_usable_frame_is_taken_as_empty() -> None:
    """The day goes on; nothing is known of it."""
    processor = _processor()

    messages = processor.on_beat(BeatInputs(OPEN, (None, None, None)))

    assert len(_portfolios(tuple(messages)).portfolios) == len(ACCOUNTS)


def test_snapshot_restores_in_another_processor() -> None:
    """Recovery goes on where the snapshot was taken."""
    first, second = _processor(), RiskProcessor(0, shard_count=1, risk_partition_count=1)
    first.on_beat(_inputs(OPEN))

    second.restore(SPEC, first.snapshot())

    assert first.on_beat(_inputs(TICK)) == second.on_beat(_inputs(TICK))


def test_processor_without_a_run_has_no_books_and_takes_no_beat() -> None:
    """The machinery begins a run before it sends beats."""
    processor = RiskProcessor(0, shard_count=1, risk_partition_count=1)

    assert processor.current_books() == ("", ())
    with pytest.raises(InvariantError, match="risk-0 must be told start_run"):
        processor.on_beat(_inputs(OPEN))


def _message_of(slot: Slot, *, shard: int = 0, beat: int = 1, partition: int = 0) -> Message:
    origin = Origin(RUN, beat, slot.producer)
    if slot.topic is TICKS:
        return frame_message(Frame(TICK, shard, quote_rows([Quote()])), slot.producer)
    if slot.topic is SCORES:
        batch = replace(score_batch(TICK, {"cross": {BANK: 1}}), shard=shard)
        return beat_message(SCORES, slot.partition, origin, encode_scores(batch))
    fills = FillBatch(RUN, 1, shard, partition, updates=(_update("alpha"),))
    return beat_message(FILLS, slot.partition, origin, encode_event(fills))


def _update(account: str) -> OrderUpdate:
    return OrderUpdate(
        order_id=OrderId(f"run.0.{account}.0"),
        beat=1,
        account_id=AccountId(account),
        sequence=0,
        instrument=BANK,
        side=Side.BUY,
        status=OrderStatus.NEW,
        reason=OrderReason.NONE,
        cumulative_shares=0,
        leaves_shares=100,
        ts_event_ns=0,
    )


def test_messages_that_agree_with_their_slots_are_decoded() -> None:
    """One of each input."""
    processor = _processor()

    types = [type(processor.decode(slot, _message_of(slot))).__name__ for slot in processor.slots]

    assert types == ["Frame", "ScoreBatch", "FillBatch"]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_message_of_another_shard_is_refused(number: int) -> None:
    """It would be taken twice, or in the wrong place."""
    processor = _processor()
    slot = processor.slots[number]

    with pytest.raises(ContractError, match="must be"):
        processor.decode(slot, _message_of(slot, shard=1))


def test_message_of_another_beat_than_its_headers_is_refused() -> None:
    """The headers align the beat; the payload must be of it."""
    processor = _processor()
    for slot in processor.slots[1:]:
        with pytest.raises(ContractError, match="beat must be 2, was 1"):
            processor.decode(slot, _message_of(slot, beat=2))


def test_frame_with_an_instrument_of_another_shard_is_refused() -> None:
    """Merged with its true shard it would be there twice."""
    processor = _processor(shards=2)
    shard = 1 - shard_of(BANK, 2)

    with pytest.raises(ContractError, match=f"instruments must be of shard {shard}"):
        processor.decode(processor.slots[shard], _message_of(processor.slots[shard], shard=shard))


def test_fills_of_another_partition_are_refused() -> None:
    """Each account has one owner."""
    partition = 1 - risk_partition_of("alpha", 2)
    processor = _processor(partition, partitions=2)
    slot = processor.slots[2]

    with pytest.raises(ContractError, match="risk_partition must be"):
        processor.decode(slot, _message_of(slot, partition=1 - partition))
    with pytest.raises(ContractError, match=r"risk partition of run\.0\.alpha\.0 must"):
        processor.decode(slot, _message_of(slot, partition=partition))
