"""The processor of recommendations: scores of all shards in, one message in some beats out."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.unit.signals.recommending import (
    DAY,
    RUN_ID,
    lists_of,
    make_batch,
    make_spec,
    split_scores,
)

from tidegate_common.bus.beats import StageCore
from tidegate_common.bus.headers import beat_message, frame_message, stamp_of
from tidegate_common.bus.processor import BeatInputs, Slot
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ContractError, InvariantError
from tidegate_common.events.message import Message, Origin
from tidegate_common.events.recommendations import RecommendationBatch
from tidegate_common.events.topics import RECOMMENDATIONS, SCORES, TICKS
from tidegate_common.frames.codec import encode_scores
from tidegate_common.frames.frame import BeatStamp, Frame, ScoreBatch, empty_rows
from tidegate_signals.shell import RecommendationProcessor

SPEC = make_spec()
# With two shards: a, d, e and h are of shard 1, the others of shard 0.
EIGHT = {letter: 10 * number for number, letter in enumerate("abcdefgh")}


def make_processor(shard_count: int = 1) -> RecommendationProcessor:
    """Return a processor whose run has begun."""
    processor = RecommendationProcessor(shard_count)
    processor.start_run(SPEC)
    return processor


def stamp_at(beat: int, run_id: RunId = RUN_ID) -> BeatStamp:
    """Return the stamp of a beat."""
    return BeatStamp(run_id, beat, BeatKind.TICK, DAY, 1_000 * beat)


def inputs_of(
    beat: int,
    scores: Mapping[str, Mapping[str, int]],
    shard_count: int = 1,
) -> BeatInputs:
    """Return a whole beat."""
    stamps = [stamp_at(beat)] * shard_count
    said = split_scores(make_batch(beat, scores), shard_count)
    return BeatInputs(stamp_at(beat), (*stamps, *said))


def score_message(batch: ScoreBatch, beat: int, partition: int = 0) -> Message:
    """Return the message in which a shard says scores."""
    origin = Origin(RUN_ID, beat, f"signals-{partition}")
    return beat_message(SCORES, partition, origin, encode_scores(batch))


def test_slots_are_the_ticks_and_scores_of_every_shard() -> None:
    """A beat is whole when all shards have spoken."""
    processor = RecommendationProcessor(2)

    assert processor.producer == "recommendations-0"
    assert processor.slots == (
        Slot(TICKS, 0, "ingest-0"),
        Slot(TICKS, 1, "ingest-0"),
        Slot(SCORES, 0, "signals-0"),
        Slot(SCORES, 1, "signals-1"),
    )


def test_beat_that_changes_a_list_makes_one_message() -> None:
    """On the topic's only partition, as JSON."""
    processor = make_processor()

    (message,) = processor.on_beat(inputs_of(3, {"cross": EIGHT}))

    assert (message.topic, message.partition) == (RECOMMENDATIONS.name, 0)
    assert dict(message.headers)["ce_producer"] == b"recommendations-0"
    assert lists_of(decode_event(RecommendationBatch, message.value)) == {"cross": ("hg", "ab")}


def test_beat_that_changes_nothing_makes_no_message() -> None:
    """The topic holds news only."""
    processor = make_processor()
    processor.on_beat(inputs_of(0, {"cross": EIGHT}))

    assert processor.on_beat(inputs_of(1, {})) == ()
    assert processor.on_beat(inputs_of(2, {"cross": EIGHT})) == ()


@pytest.mark.parametrize("shard_count", [2, 3])
def test_messages_do_not_depend_on_the_number_of_shards(shard_count: int) -> None:
    """Partitions are invisible."""
    said = []
    for count in (1, shard_count):
        processor = make_processor(count)
        first = processor.on_beat(inputs_of(0, {"cross": EIGHT, "reversal": EIGHT}, count))
        second = processor.on_beat(inputs_of(1, {"reversal": {"a": 99, "b": -99}}, count))
        said.append((first, second))

    assert said[0] == said[1]
    assert all(said[0])


def test_scores_that_could_not_be_used_leave_what_was_said_before() -> None:
    """The shard's instruments keep their opinions; `score_beat` tells their age."""
    processor = make_processor(2)
    processor.on_beat(inputs_of(0, {"cross": EIGHT}, 2))
    inputs = inputs_of(1, {"cross": dict.fromkeys(EIGHT, -10)}, 2)

    (message,) = processor.on_beat(replace(inputs, payloads=(*inputs.payloads[:3], None)))

    batch = decode_event(RecommendationBatch, message.value)
    assert lists_of(batch) == {"cross": ("he", "gf")}
    assert [entry.score_beat for entry in batch.strategies[0].top] == [0, 0]
    assert [entry.score_beat for entry in batch.strategies[0].bottom] == [1, 1]


def test_beat_without_any_usable_scores_makes_no_message() -> None:
    """Nothing is known of it."""
    processor = make_processor()

    assert processor.on_beat(BeatInputs(stamp_at(0), (stamp_at(0), None))) == ()


def test_frame_is_read_for_its_headers_only() -> None:
    """Its rows are nothing to us, be they broken or not."""
    processor = make_processor()
    frame = Frame(stamp_at(4), 0, empty_rows(BeatKind.TICK))
    message = replace(frame_message(frame, "ingest-0"), value=b"broken")

    assert processor.decode(processor.slots[0], message) == stamp_of(message) == stamp_at(4)


def test_scores_that_agree_with_their_slot_are_decoded() -> None:
    """With their reasons."""
    processor = make_processor()
    message = score_message(make_batch(4, {"cross": EIGHT}), 4)

    found = processor.decode(processor.slots[1], message)

    assert isinstance(found, ScoreBatch)
    assert found.reason_names[0] == ("fast", "slow")


@pytest.mark.parametrize(
    ("batch", "text"),
    [
        (make_batch(5, {}), r"must be \('run-1', 4, 0\), were \('run-1', 5, 0\)"),
        (replace(make_batch(4, {}), shard=1), r"were \('run-1', 4, 1\)"),
        (replace(make_batch(4, {}), stamp=stamp_at(4, RunId("run-2"))), r"were \('run-2', 4, 0\)"),
    ],
)
def test_scores_of_another_beat_or_shard_than_said_are_refused(
    batch: ScoreBatch,
    text: str,
) -> None:
    """The headers align the beat; the payload must be of it."""
    processor = make_processor()

    with pytest.raises(ContractError, match=text):
        processor.decode(processor.slots[1], score_message(batch, 4))


def test_scores_of_an_instrument_of_another_shard_are_refused() -> None:
    """It would be there twice."""
    processor = make_processor(2)

    with pytest.raises(ContractError, match="instruments must be of shard 0, one was 1600000"):
        processor.decode(processor.slots[2], score_message(make_batch(4, {"cross": EIGHT}), 4))


def test_processor_without_a_run_takes_no_beat() -> None:
    """The machinery begins a run before it sends beats."""
    processor = RecommendationProcessor(1)

    assert processor.newest(stamp_at(0)) is None
    with pytest.raises(InvariantError, match="recommendations-0 was asked before a run began"):
        processor.on_beat(inputs_of(0, {"cross": EIGHT}))


def test_restored_processor_goes_on_as_the_first_would() -> None:
    """Recovery goes on where the snapshot was taken."""
    first, second = make_processor(), RecommendationProcessor(1)
    first.on_beat(inputs_of(0, {"cross": EIGHT}))

    second.restore(SPEC, first.snapshot())

    assert second.newest(stamp_at(0)) == first.newest(stamp_at(0))
    later = inputs_of(1, {"cross": {"a": 99}})
    assert second.on_beat(later) == first.on_beat(later)


def test_newest_is_what_the_run_recommends_and_nothing_of_a_run_that_is_over() -> None:
    """What the cache is given: the newest of each strategy, and the names of all."""
    processor = make_processor()
    processor.on_beat(inputs_of(0, {"cross": EIGHT}))
    processor.on_beat(inputs_of(1, {}))

    newest = processor.newest(stamp_at(1))

    assert newest is not None
    assert (newest.run_id, newest.beat) == ("run-1", 1)
    assert newest.strategies == ("cross", "reversal")
    assert [(told.strategy, told.beat) for told in newest.recommendations] == [("cross", 0)]
    processor.start_run(replace(SPEC, run_id=RunId("run-2")))
    assert processor.newest(stamp_at(1)) is None


def test_stage_waits_for_the_scores_of_all_shards() -> None:
    """The slowest shard says when."""
    core = StageCore(RecommendationProcessor(2))
    for shard in (0, 1):
        spec = encode_event(SPEC).decode()
        frame = Frame(stamp_at(0), shard, empty_rows(BeatKind.TICK), spec)
        core.receive(replace(frame_message(frame, "ingest-0"), offset=0))
    said = split_scores(make_batch(0, {"cross": EIGHT}), 2)

    core.receive(replace(score_message(said[1], 0, partition=1), offset=0))
    early = core.advance()
    core.receive(replace(score_message(said[0], 0), offset=0))
    due = core.advance()

    assert early is None
    assert due is not None
    assert len(due.messages) == 1
