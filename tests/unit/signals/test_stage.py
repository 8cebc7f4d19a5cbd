"""The signals stage under the beat machinery: frames in, one score batch a beat out."""

from dataclasses import replace

import numpy as np
import pytest

from tidegate_common.bus.beats import StageCore
from tidegate_common.bus.headers import frame_message, origin_of
from tidegate_common.codec import encode_event
from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import AccountId, RunId
from tidegate_common.errors import ContractError, InvariantError
from tidegate_common.events.message import Message
from tidegate_common.events.run import AccountSpec, RunSpec, StrategySpec
from tidegate_common.events.topics import SCORES
from tidegate_common.frames.codec import decode_scores
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.frames.rows import BarRows
from tidegate_signals.stage import SignalsProcessor

SPEC = RunSpec(
    RunId("run-1"),
    (AccountSpec(AccountId("a"), 1),),
    (StrategySpec("cross", "ma_cross", {"fast": 1, "slow": 2}),),
)
SHARD = 1


def frame_of(beat: int, shard: int = SHARD) -> Frame:
    """Return a beat of one bar, each a percent above the last."""
    close = np.array([100_000 + 1_000 * beat], np.int64)
    instrument = np.array([1_600_519], np.int64)
    volume = np.array([100], np.int64)
    rows = BarRows(instrument, close, close, close, close, volume, volume)
    stamp = BeatStamp(SPEC.run_id, beat, BeatKind.BAR, 20230201, beat)
    return Frame(stamp, shard, rows, encode_event(SPEC).decode() if beat == 0 else "")


def message_of(frame: Frame) -> Message:
    """Return the message of a frame, as it comes from the bus."""
    return replace(frame_message(frame, "ingest-0"), offset=frame.stamp.beat)


def run_of(core: StageCore, messages: list[Message]) -> list[Message]:
    """Return what a core says to messages."""
    said: list[Message] = []
    for message in messages:
        core.receive(message)
        while result := core.advance():
            said.extend(result.messages)
    return said


def test_every_beat_gives_one_score_batch_on_the_shards_partition() -> None:
    """A message is its own watermark, so a silent beat speaks too."""
    core = StageCore(SignalsProcessor(SHARD))

    said = run_of(core, [message_of(frame_of(beat)) for beat in range(3)])

    assert [(message.topic, message.partition) for message in said] == [(SCORES.name, SHARD)] * 3
    assert [origin_of(message).beat for message in said] == [0, 1, 2]
    assert {origin_of(message).producer for message in said} == {"signals-1"}
    assert [len(decode_scores(message.value)) for message in said] == [0, 1, 1]
    assert decode_scores(said[2].value).shard == SHARD


def test_undecodable_frame_gives_an_empty_batch_and_a_dead_letter() -> None:
    """The beat goes on; what was lost is kept with the reason."""
    core = StageCore(SignalsProcessor(SHARD))
    messages = [message_of(frame_of(beat)) for beat in range(3)]
    messages[1] = replace(messages[1], value=b"junk")

    said = run_of(core, messages)

    assert [len(decode_scores(message.value)) for message in said] == [0, 0, 1]
    assert [letter.offset for letter in core.take_dead_letters()] == [1]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (frame_of(0, shard=2), "shard must be 1, was 2"),
        (frame_of(7), "as its headers say"),
    ],
)
def test_frame_that_is_not_what_its_headers_say_is_refused(frame: Frame, reason: str) -> None:
    """A frame in the wrong place is worse than none."""
    processor = SignalsProcessor(SHARD)
    message = replace(message_of(frame_of(0)), value=message_of(frame).value)

    with pytest.raises(ContractError, match=reason):
        processor.decode(processor.slots[0], message)


def test_restored_stage_says_the_same_bytes() -> None:
    """What is said again after a crash must be dropped as a repeat, not be a second history."""
    core = StageCore(SignalsProcessor(SHARD))
    messages = [message_of(frame_of(beat)) for beat in range(6)]
    run_of(core, messages[:3])
    restored = StageCore(SignalsProcessor(SHARD))
    restored.restore(core.snapshot())

    assert run_of(restored, messages[3:]) == run_of(core, messages[3:])


def test_processor_without_a_run_is_our_own_bug() -> None:
    """The machinery begins a run before it asks for beats."""
    with pytest.raises(InvariantError, match="signals-1 was asked before a run began"):
        SignalsProcessor(SHARD).snapshot()
