"""The execution processor: decoding, checking and routing."""

import dataclasses

import numpy as np
import pytest
from msgspec.structs import replace

from tidegate_common.bus.headers import beat_message, frame_message
from tidegate_common.bus.processor import BeatInputs
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import (
    BeatKind,
    LimitState,
    OrderStatus,
    OrderType,
    Phase,
    Side,
    TimeInForce,
)
from tidegate_common.domain.ids import (
    AccountId,
    RunId,
    decision_id,
    order_id,
    risk_partition_of,
    shard_of,
)
from tidegate_common.errors import ContractError, InvariantError
from tidegate_common.events.execution import FillBatch
from tidegate_common.events.message import Message, Origin
from tidegate_common.events.orders import CancelOrder, OrderBatch, SubmitOrder
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import FILLS, ORDERS, TICKS
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.frames.rows import QuoteRows, ReferenceRows, unknown_figures
from tidegate_execution.shell import ExecutionProcessor

RUN = RunId("run")
SPEC = RunSpec(RUN, (), ())
INSTRUMENT = 1600519
SHARD = shard_of(INSTRUMENT, 2)
# One account of each of two risk partitions.
ACCOUNTS = [
    next(
        AccountId(name) for name in ("a", "b", "c", "d", "e") if risk_partition_of(name, 2) == part
    )
    for part in (0, 1)
]


def make_frame(beat: int, kind: BeatKind = BeatKind.TICK, shard: int = SHARD) -> Frame:
    """Return an OPEN or TICK frame of one instrument with a book around 10 yuan."""
    one = np.ones(1, np.int64)
    flags, small = np.zeros(1, np.bool_), np.ones(1, np.uint8)
    levels = np.array([[1, 0, 0, 0, 0]], np.int64)
    rows: ReferenceRows | QuoteRows
    if kind is BeatKind.OPEN:
        rows = ReferenceRows(
            instrument=INSTRUMENT * one,
            board=small,
            limit_state=small * np.uint8(LimitState.LIMITED),
            is_st=flags,
            is_suspended=flags,
            prev_close_e4=100_000 * one,
            limit_up_e4=110_000 * one,
            limit_down_e4=90_000 * one,
            open_e4=0 * one,
            sector=np.array([""], np.object_),
            **unknown_figures(1),
        )
    else:
        rows = QuoteRows(
            instrument=INSTRUMENT * one,
            ts_event_ns=one,
            phase=small * np.uint8(Phase.CONTINUOUS),
            last_e4=100_000 * one,
            volume_shares=one,
            amount_fen=one,
            bid_price_e4=99_900 * levels,
            bid_shares=300 * levels,
            ask_price_e4=100_100 * levels,
            ask_shares=300 * levels,
        )
    return Frame(BeatStamp(RUN, beat, kind, 20230201, 1_000 + beat), shard, rows)


def make_submit(account: AccountId = ACCOUNTS[0], sequence: int = 0, beat: int = 0) -> SubmitOrder:
    """Return a buy of 200 shares that crosses the book of `make_frame`."""
    return SubmitOrder(
        order_id=order_id(RUN, beat, account, sequence),
        decision_id=decision_id(RUN, beat, account, sequence),
        beat=beat,
        account_id=account,
        sequence=sequence,
        instrument=INSTRUMENT,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        price_e4=100_100,
        quantity_shares=200,
        ts_event_ns=0,
    )


def make_batch(*submits: SubmitOrder, partition: int = 0, beat: int = 0) -> OrderBatch:
    """Return what a risk partition sends to the shard."""
    return OrderBatch(RUN, beat, partition, SHARD, submits)


def order_message(batch: OrderBatch, producer: str = "risk-0", beat: int = 0) -> Message:
    """Return a batch on the bus."""
    return beat_message(ORDERS, SHARD, Origin(RUN, beat, producer), encode_event(batch))


@pytest.fixture
def processor() -> ExecutionProcessor:
    """Return a shard of two, with two risk partitions, at the start of a run."""
    processor = ExecutionProcessor(SHARD, 2, 2)
    processor.start_run(SPEC)
    return processor


def fill_batches(messages: "list[Message] | tuple[Message, ...]") -> list[FillBatch]:
    """Return what the messages say."""
    return [decode_event(FillBatch, message.value) for message in messages]


def test_processor_reads_its_shard_of_ticks_now_and_of_orders_a_beat_later() -> None:
    """An order decided on beat n meets beat n+1."""
    processor = ExecutionProcessor(1, 2, 2)

    slots = [(slot.topic, slot.partition, slot.producer, slot.lag) for slot in processor.slots]
    assert processor.producer == "execution-1"
    assert slots == [
        (TICKS, 1, "ingest-0", 0),
        (ORDERS, 1, "risk-0", 1),
        (ORDERS, 1, "risk-1", 1),
    ]


def test_processor_decodes_frames_and_batches_that_agree(processor: ExecutionProcessor) -> None:
    """What headers and value say alike is taken as it is."""
    frame = make_frame(1)
    cancel = CancelOrder(order_id(RUN, 0, "x", 0), 0, ACCOUNTS[0], 3, INSTRUMENT, 0)
    batch = OrderBatch(RUN, 0, 0, SHARD, (make_submit(),), (cancel,))

    decoded = processor.decode(processor.slots[0], frame_message(frame, "ingest-0"))

    assert isinstance(decoded, Frame)
    assert decoded.stamp == frame.stamp
    assert processor.decode(processor.slots[1], order_message(batch)) == batch


def test_frame_whose_headers_name_another_beat_is_refused(processor: ExecutionProcessor) -> None:
    """The beat machinery goes by headers, the engine by the frame: they must agree."""
    message = frame_message(make_frame(1), "ingest-0")
    other = dataclasses.replace(message, headers=frame_message(make_frame(2), "ingest-0").headers)

    with pytest.raises(ContractError, match="stamp must be"):
        processor.decode(processor.slots[0], other)


def test_frame_of_another_shard_is_refused(processor: ExecutionProcessor) -> None:
    """Two shards must not both simulate one instrument."""
    message = frame_message(make_frame(1, shard=1 - SHARD), "ingest-0")

    with pytest.raises(ContractError, match=f"shard must be {SHARD}, was {1 - SHARD}"):
        processor.decode(processor.slots[0], message)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"run_id": "other"}, "run_id must be run, was other"),
        ({"beat": 7}, "beat must be 0, was 7"),
        ({"shard": 1 - SHARD}, "shard must be"),
        ({"risk_partition": 1}, "producer must be risk-0, was risk-1"),
    ],
)
def test_order_batch_that_disagrees_with_its_place_is_refused(
    processor: ExecutionProcessor,
    changes: dict[str, object],
    complaint: str,
) -> None:
    """A message that is not what its headers say belongs to the dead letters."""
    value = decode_event(dict[str, object], encode_event(make_batch()))
    message = dataclasses.replace(order_message(make_batch()), value=encode_event(value | changes))

    with pytest.raises(ContractError, match=complaint):
        processor.decode(processor.slots[1], message)


@pytest.mark.parametrize(
    ("submit", "complaint"),
    [
        (replace(make_submit(), beat=5), "beat of run.0.* must be 0, was 5"),
        (replace(make_submit(), account_id=ACCOUNTS[1]), "risk_partition of .* must be 0, was 1"),
        (replace(make_submit(), quantity_shares=0), "quantity_shares must be > 0, was 0"),
        (replace(make_submit(), price_e4=0), "price_e4 must be 0 in a market order"),
        (replace(make_submit(), price_e4=-1), "price_e4 must be 0 in a market order"),
        (replace(make_submit(), order_type=OrderType.MARKET), "and > 0 in any other, was 100"),
    ],
)
def test_order_batch_with_an_impossible_order_is_refused(
    processor: ExecutionProcessor,
    submit: SubmitOrder,
    complaint: str,
) -> None:
    """The engine trusts what the edge let in."""
    with pytest.raises(ContractError, match=complaint):
        processor.decode(processor.slots[1], order_message(make_batch(submit)))


def test_order_batch_with_an_instrument_of_another_shard_is_refused(
    processor: ExecutionProcessor,
) -> None:
    """Its frames go elsewhere; the order could never meet its market here."""
    foreign = next(n for n in range(1600000, 1600100) if shard_of(n, 2) != SHARD)
    batch = make_batch(replace(make_submit(), instrument=foreign))

    with pytest.raises(ContractError, match=r"shard of run.0.* must be"):
        processor.decode(processor.slots[1], order_message(batch))


def test_processor_sends_one_message_a_risk_partition_with_its_accounts(
    processor: ExecutionProcessor,
) -> None:
    """Every partition hears every beat, and only of its own accounts."""
    stamp = make_frame(0, BeatKind.OPEN).stamp
    quiet = processor.on_beat(
        BeatInputs(stamp, (make_frame(0, BeatKind.OPEN), None, None)),
    )
    batches = [make_batch(make_submit(name), partition=n) for n, name in enumerate(ACCOUNTS)]

    messages = processor.on_beat(BeatInputs(make_frame(1).stamp, (make_frame(1), *batches)))

    assert [(batch.updates, batch.fills) for batch in fill_batches(list(quiet))] == 2 * [((), ())]
    assert [message.partition for message in messages] == [0, 1]
    assert {message.topic for message in messages} == {FILLS.name}
    told = fill_batches(list(messages))
    assert [(batch.beat, batch.shard, batch.risk_partition) for batch in told] == [
        (1, SHARD, 0),
        (1, SHARD, 1),
    ]
    assert [{fill.account_id for fill in batch.fills} for batch in told] == [
        {ACCOUNTS[0]},
        {ACCOUNTS[1]},
    ]
    assert [[update.account_id for update in batch.updates] for batch in told] == [
        [ACCOUNTS[0]],
        [ACCOUNTS[1]],
    ]


def test_outcome_does_not_depend_on_the_number_of_risk_partitions() -> None:
    """Orders compete by account and sequence, whichever partition they came from."""
    outcomes = []
    for count in (1, 2):
        processor = ExecutionProcessor(SHARD, 2, count)
        processor.start_run(SPEC)
        opening = make_frame(0, BeatKind.OPEN)
        processor.on_beat(BeatInputs(opening.stamp, (opening, *[None] * count)))
        submits = [make_submit(name, 1) for name in ACCOUNTS]
        batches = [
            make_batch(
                *(one for one in submits if risk_partition_of(one.account_id, count) == part),
                partition=part,
            )
            for part in range(count)
        ]
        inputs = BeatInputs(make_frame(1).stamp, (make_frame(1), *batches))
        told = fill_batches(list(processor.on_beat(inputs)))
        outcomes.append({fill.fill_id: fill for batch in told for fill in batch.fills})

    assert outcomes[0] == outcomes[1]
    assert sum(fill.quantity_shares for fill in outcomes[0].values()) == 300


def test_beat_without_a_frame_keeps_the_orders(processor: ExecutionProcessor) -> None:
    """A lost frame stands for an empty one."""
    opening = make_frame(0, BeatKind.OPEN)
    processor.on_beat(BeatInputs(opening.stamp, (opening, None, None)))

    messages = processor.on_beat(
        BeatInputs(make_frame(1).stamp, (None, make_batch(make_submit()), None)),
    )

    updates = fill_batches(list(messages))[0].updates
    assert [update.status for update in updates] == [OrderStatus.NEW]


def test_cancels_reach_the_engine(processor: ExecutionProcessor) -> None:
    """Submits and cancels travel in one batch."""
    opening = make_frame(0, BeatKind.OPEN)
    processor.on_beat(BeatInputs(opening.stamp, (opening, None, None)))
    submit = make_submit()
    cancel = CancelOrder(submit.order_id, 0, submit.account_id, 1, INSTRUMENT, 0)
    batch = replace(make_batch(submit), cancels=(cancel,))

    messages = processor.on_beat(BeatInputs(make_frame(1).stamp, (make_frame(1), batch, None)))

    updates = fill_batches(list(messages))[0].updates
    assert [update.status for update in updates] == [OrderStatus.CANCELED]


def test_restored_processor_repeats_the_same_bytes(processor: ExecutionProcessor) -> None:
    """A stage that runs a beat again says it again, byte for byte."""
    opening = make_frame(0, BeatKind.OPEN)
    processor.on_beat(BeatInputs(opening.stamp, (opening, None, None)))
    state = processor.snapshot()
    inputs = BeatInputs(make_frame(1).stamp, (make_frame(1), make_batch(make_submit()), None))
    first = processor.on_beat(inputs)
    other = ExecutionProcessor(SHARD, 2, 2)

    other.restore(SPEC, state)

    assert other.on_beat(inputs) == first


def test_processor_before_any_run_fails() -> None:
    """The beat machinery begins a run before it steps it."""
    with pytest.raises(InvariantError, match="execution-0 must be told start_run or restore"):
        ExecutionProcessor(0, 1, 1).snapshot()
