"""The beat machine: what it waits for, what it drops, what it puts aside."""

import base64
from collections.abc import Iterable
from dataclasses import replace

import pytest

from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.beats import (
    DEAD_LETTER_BYTES_MAX,
    DEAD_LETTER_REASON_CHARS_MAX,
    BeatResult,
    StageCore,
    dead_letter,
)
from tidegate_common.bus.headers import frame_message, origin_of
from tidegate_common.bus.journal import JournalFold
from tidegate_common.bus.processor import Slot
from tidegate_common.codec import encode_event
from tidegate_common.engine import EngineState
from tidegate_common.errors import InvariantError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import ORDERS, SCORES, TICKS
from tidegate_common.frames.frame import Frame
from tidegate_common.testing.builders import (
    make_beat_message,
    make_frame,
    make_journal_entry,
    make_request,
    make_run_spec,
    make_tick_message,
    with_headers,
)
from tidegate_common.testing.fakes import BAD_VALUE, ToyProcessor

TICKS_0, TICKS_1 = TopicPartition(TICKS.name, 0), TopicPartition(TICKS.name, 1)
SCORES_0, ORDERS_0 = TopicPartition(SCORES.name, 0), TopicPartition(ORDERS.name, 0)


class Stage:
    """A core with toy inputs that stand at their offsets."""

    def __init__(
        self,
        journal: JournalFold | None = None,
        *,
        stripe_count: int = 1,
        toy: ToyProcessor | None = None,
    ) -> None:
        self.toy = toy or ToyProcessor()
        self.core = StageCore(self.toy, journal, stripe_count=stripe_count)
        self._ends: dict[TopicPartition, int] = {}

    def give(self, *messages: Message, seconds: float = 0.0) -> None:
        """Hand over messages as their partitions' next."""
        for message in messages:
            place = TopicPartition(message.topic, message.partition)
            offset = self._ends.get(place, 0)
            self._ends[place] = offset + 1
            self.core.receive(replace(message, offset=offset), seconds)

    def advance_all(self) -> list[BeatResult]:
        """Take beats until one is not whole."""
        results = []
        while result := self.core.advance():
            results.append(result)
        return results


def tick(beat: int, shard: int = 0, run_id: str = "run-a", *, is_last: bool = False) -> Message:
    """Return a frame's message."""
    return make_tick_message(beat, shard=shard, run_id=run_id, is_last=is_last)


def score(beat: int, run_id: str = "run-a", value: bytes = b"") -> Message:
    """Return the message of signals."""
    return make_beat_message(SCORES, beat, producer="signals-0", run_id=run_id, value=value)


def order(beat: int, partition: int, run_id: str = "run-a") -> Message:
    """Return the message of a risk partition."""
    return make_beat_message(ORDERS, beat, producer=f"risk-{partition}", run_id=run_id)


def whole_beat(beat: int, run_id: str = "run-a", *, is_last: bool = False) -> list[Message]:
    """Return all that the toy waits for at a beat."""
    lagging = [order(beat - 1, partition, run_id) for partition in (0, 1)] if beat else []
    return [
        tick(beat, 0, run_id, is_last=is_last),
        tick(beat, 1, run_id, is_last=is_last),
        score(beat, run_id),
        *lagging,
    ]


def beats_of(results: Iterable[BeatResult]) -> list[tuple[str, int]]:
    """Return run and beat of results."""
    return [(result.stamp.run_id, result.stamp.beat) for result in results]


@pytest.mark.parametrize("missing", range(5))
def test_core_one_message_short_waits_for_it(missing: int) -> None:
    """A beat is whole only with every slot's message."""
    stage = Stage()
    stage.give(*whole_beat(0))
    stage.advance_all()
    messages = whole_beat(1)
    late = messages.pop(missing)

    stage.give(*messages)
    before = stage.advance_all()
    stage.give(late)
    after = stage.advance_all()

    assert (before, beats_of(after)) == ([], [("run-a", 1)])


def test_core_without_any_message_stands_still() -> None:
    """There is no run before its beat 0."""
    stage = Stage()

    assert stage.core.advance() is None
    assert stage.core.run is None
    assert not stage.core.needs_journal()


def test_core_whole_beat_hands_payloads_in_the_order_of_the_slots() -> None:
    """An engine must not see in which order messages came."""
    stage = Stage()
    stage.give(*whole_beat(0))
    stage.give(*reversed(whole_beat(1)))

    results = stage.advance_all()

    payloads = stage.toy.inputs[1].payloads
    assert beats_of(results) == [("run-a", 0), ("run-a", 1)]
    assert [part.shard for part in payloads[:2] if isinstance(part, Frame)] == [0, 1]
    assert payloads[2:] == (
        "signal.scores.v1/0/run-a/1/signals-0",
        "order.commands.v1/0/run-a/0/risk-0",
        "order.commands.v1/0/run-a/0/risk-1",
    )
    assert [origin_of(message).producer for message in results[1].messages] == ["toy-0", "toy-0"]


def test_core_first_beat_has_nothing_from_slots_with_lag() -> None:
    """Nothing was ordered before the market spoke."""
    stage = Stage()

    stage.give(*whole_beat(0))
    stage.advance_all()

    assert stage.toy.inputs[0].payloads[3:] == (None, None)


def test_core_repeats_are_dropped_and_counted() -> None:
    """A producer that recovered says again what it had said."""
    stage = Stage()
    stage.give(*whole_beat(0), *whole_beat(0), *whole_beat(1), *whole_beat(0))

    results = stage.advance_all()

    assert beats_of(results) == [("run-a", 0), ("run-a", 1)]
    assert stage.core.repeat_count == 6
    assert stage.core.take_dead_letters() == []


def test_core_message_of_an_old_offset_is_not_received_again() -> None:
    """A reader that was rewound brings messages that the core has."""
    stage = Stage()
    stage.give(*whole_beat(0))

    stage.core.receive(replace(tick(5), offset=0))

    assert stage.core.take_dead_letters() == []
    assert beats_of(stage.advance_all()) == [("run-a", 0)]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (make_tick_message(1, producer="ingest-9"), "ce_producer must be one of ingest-0, was"),
        (replace(tick(1), headers=()), "headers must include ce_run"),
        (with_headers(tick(1), ce_beat=b"one"), "ce_beat must be a whole number"),
        (with_headers(tick(1), ce_beat=b"-1"), "a number must be >= 0 and fit 64 bits, was"),
        (with_headers(tick(1), ce_kind=b"noon"), "a frame's headers must carry its stamp"),
        (tick(3), "expected beat 1 of run run-a from ingest-0, found beat 3"),
        (tick(3, run_id="run-x"), "expected beat 0 of run run-x"),
        (with_headers(tick(0, run_id="b"), ce_runspec=None), "expected a RunSpec"),
        (with_headers(tick(0, run_id="b"), ce_run=b"c"), "ce_runspec must be of run c, was of b"),
    ],
)
def test_core_message_that_says_no_due_beat_is_put_aside(message: Message, text: str) -> None:
    """What cannot be placed becomes a dead letter, and the stage goes on."""
    stage = Stage()
    stage.give(*whole_beat(0), message, *whole_beat(1))

    results = stage.advance_all()
    letters = stage.core.take_dead_letters()

    assert beats_of(results) == [("run-a", 0), ("run-a", 1)]
    assert [(letter.offset, letter.stage) for letter in letters] == [(1, "toy-0")]
    assert text in letters[0].reason
    assert base64.b64decode(letters[0].value_base64) == message.value
    assert stage.core.take_dead_letters() == []


def test_core_value_that_cannot_be_used_stands_for_an_empty_beat() -> None:
    """Its headers say whose beat it is, so nobody has to wait for ever."""
    stage = Stage()
    broken = replace(tick(0, 1), value=BAD_VALUE)
    stage.give(tick(0, 0), broken, score(0, value=BAD_VALUE))

    results = stage.advance_all()

    assert beats_of(results) == [("run-a", 0)]
    assert stage.toy.inputs[0].payloads[1:3] == (None, None)
    assert [letter.topic for letter in stage.core.take_dead_letters()] == [TICKS.name, SCORES.name]


def test_core_lost_message_makes_the_stage_stand_still() -> None:
    """A stage that guessed what it missed would make a second history."""
    stage = Stage()
    stage.give(*whole_beat(0), *whole_beat(1)[1:], tick(2, 0))

    results = stage.advance_all()

    assert beats_of(results) == [("run-a", 0)]
    assert len(stage.core.take_dead_letters()) == 1


def test_core_message_of_the_next_run_does_not_stand_for_this_one() -> None:
    """A producer that went on has nothing more to say of the run; the ticks decide."""
    stage = Stage()
    stage.give(*whole_beat(0), tick(1, 0), tick(1, 1), score(0, "run-b"), order(0, 0), order(0, 1))

    before = stage.advance_all()
    stage.give(tick(0, 0, "run-b"), tick(0, 1, "run-b"))

    assert beats_of(before) == [("run-a", 0)]
    assert stage.advance_all() == []


def test_core_stripes_take_turns_beat_by_beat() -> None:
    """On a broker whose fetches cost by the partition's length, beats are spread over several."""
    stage = Stage(stripe_count=2)
    stage.give(*whole_beat(0), tick(1, 0), tick(1, 1), score(1), tick(2, 0), tick(2, 1), score(2))
    odd = [replace(order(1, number), partition=1) for number in (0, 1)]
    wrong = replace(order(0, 0), partition=1)

    stage.give(*odd, wrong, order(0, 0), order(0, 1))

    assert beats_of(stage.advance_all()) == [("run-a", 0), ("run-a", 1), ("run-a", 2)]
    assert stage.core.positions()[TopicPartition(ORDERS.name, 1)] == 3
    assert "expected beat" in stage.core.take_dead_letters()[0].reason


def test_core_stripes_spread_what_is_said() -> None:
    """The processor knows its partitions; where a beat of them goes is the deployment's."""
    toy = ToyProcessor(output=ORDERS)
    stage = Stage(stripe_count=3, toy=toy)
    stage.give(*whole_beat(0), tick(1, 0), tick(1, 1), score(1), order(0, 0), order(0, 1))

    results = stage.advance_all()

    assert stage.core.processor is toy
    assert [[m.partition for m in result.messages] for result in results] == [[0, 3], [1, 4]]


def test_core_last_beat_ends_the_run_and_the_next_begins() -> None:
    """Runs follow one another on the same topics."""
    stage = Stage()
    stage.give(*whole_beat(0, is_last=True), *whole_beat(0, "run-b"))

    first = stage.core.advance()
    between = stage.core.run
    second = stage.core.advance()

    assert first is not None
    assert second is not None
    assert between is None
    assert beats_of([first, second]) == [("run-a", 0), ("run-b", 0)]
    assert stage.core.run == make_run_spec("run-b")


def test_core_late_message_of_a_finished_run_is_a_repeat() -> None:
    """Orders of a run's last beat come after it: nobody waits for them."""
    stage = Stage()
    stage.give(*whole_beat(0, is_last=True))
    stage.advance_all()

    stage.give(order(0, 0), order(0, 1), *whole_beat(0, "run-b"))

    assert beats_of(stage.advance_all()) == [("run-b", 0)]
    assert stage.core.repeat_count == 2


def test_core_run_cut_off_by_the_next_is_abandoned() -> None:
    """Its feed is gone; what is left of it is let go."""
    stage = Stage()
    stage.give(*whole_beat(0), tick(1, 0), score(1), score(2))
    stage.give(*whole_beat(0, "run-b"), *whole_beat(1, "run-b"))

    results = stage.advance_all()

    assert beats_of(results) == [("run-a", 0), ("run-b", 0), ("run-b", 1)]
    assert set(stage.core.backlog().values()) == {0}


@pytest.mark.parametrize("lacking", [0, 1])
@pytest.mark.parametrize("is_lacking_first", [True, False])
def test_core_run_that_one_shard_never_had_is_passed_over(
    lacking: int, *, is_lacking_first: bool
) -> None:
    """Which run comes next must not depend on which partition is read first."""
    stage = Stage()
    other = 1 - lacking
    parts = [
        [tick(0, lacking, "run-b")],
        [tick(0, other, "run-x"), tick(1, other, "run-x"), tick(0, other, "run-b")],
    ]

    for part in parts if is_lacking_first else reversed(parts):
        stage.give(*part)
        stage.advance_all()
    stage.give(score(0, "run-x"), score(0, "run-b"))

    assert beats_of(stage.advance_all()) == [("run-b", 0)]


def test_core_shards_that_disagree_about_the_run_are_waited_for() -> None:
    """The log has not yet said which of the two was cut off."""
    stage = Stage()
    stage.give(tick(0, 0, "run-x"), tick(0, 1, "run-b"))

    assert stage.core.advance() is None
    assert stage.core.run is None


def test_core_beat_zero_of_a_run_that_was_left_is_a_repeat() -> None:
    """A zombie feed that starts an old run again must not cut off the present one."""
    stage = Stage()
    stage.give(*whole_beat(0), *whole_beat(0, "run-b"), *whole_beat(0), *whole_beat(1, "run-b"))

    results = stage.advance_all()

    assert beats_of(results) == [("run-a", 0), ("run-b", 0), ("run-b", 1)]


def test_core_backlog_counts_what_waits_by_partition() -> None:
    """Whoever runs ahead is not fetched."""
    stage = Stage()
    stage.give(tick(0), tick(1), tick(2), score(0), order(0, 0), order(0, 1), order(1, 0))

    assert stage.core.backlog() == {TICKS_0: 3, TICKS_1: 0, SCORES_0: 1, ORDERS_0: 3}


def test_core_positions_are_the_first_messages_still_wanted() -> None:
    """A snapshot's rewind must bring back all that waited, of every producer of a partition."""
    stage = Stage()
    stage.give(*whole_beat(0), tick(1), tick(2), order(0, 1), order(1, 1), order(0, 0))

    stage.advance_all()

    assert stage.core.positions() == {TICKS_0: 1, TICKS_1: 1, SCORES_0: 1, ORDERS_0: 0}


def test_core_restored_between_runs_takes_the_next_one() -> None:
    """After a run there is no engine to restore, only where to read on."""
    stage = Stage()
    stage.give(*whole_beat(0, is_last=True))
    stage.advance_all()
    snapshot = stage.core.snapshot()

    other = Stage()
    other.core.restore(snapshot)
    other.give(*whole_beat(0, is_last=True), *whole_beat(0, "run-b"))

    assert (snapshot.run_spec, snapshot.engine) == ("", EngineState())
    assert beats_of(other.advance_all()) == [("run-b", 0)]


def test_core_restore_ignores_positions_of_partitions_that_it_does_not_read() -> None:
    """A snapshot from a version with another input is no reason to fail."""
    stage = Stage()
    snapshot = stage.core.snapshot()
    elsewhere = TopicPartition("gone.v1", 0)

    stage.core.restore(replace(snapshot, positions=snapshot.positions | {elsewhere: 4}))

    assert elsewhere not in stage.core.positions()


def test_core_with_journal_takes_a_beat_only_once_it_is_covered() -> None:
    """What enters at a beat is written down before it is used."""
    fold = JournalFold()
    stage = Stage(fold)
    stage.give(*whole_beat(0))

    before = (stage.core.advance(), stage.core.needs_journal())
    fold.offer(make_journal_entry(requests=[make_request(1)]), 0)
    after = stage.advance_all()

    assert before == (None, True)
    assert beats_of(after) == [("run-a", 0)]
    assert stage.toy.inputs[0].requests == (make_request(1),)
    assert not stage.core.needs_journal()


def test_core_with_journal_carries_it_in_its_snapshot() -> None:
    """The fold is part of the memory: entries that were read are not read again."""
    fold = JournalFold()
    stage = Stage(fold)
    fold.offer(make_journal_entry(0, 3, requests=[make_request(1)]), 0)
    fold.offer(make_journal_entry(3, 4, requests_from=1, requests=[make_request(2)]), 1)
    stage.give(*whole_beat(0))
    stage.advance_all()

    other_fold = JournalFold()
    Stage(other_fold).core.restore(stage.core.snapshot())

    assert other_fold.snapshot() == fold.snapshot()
    assert other_fold.requests_at("run-a", 3) == (make_request(2),)


def test_core_with_journal_lets_go_of_a_finished_run() -> None:
    """Entries past a run's end are not kept for ever."""
    fold = JournalFold()
    stage = Stage(fold)
    fold.offer(make_journal_entry(0, 64), 0)
    stage.give(*whole_beat(0, is_last=True))

    stage.advance_all()

    assert fold.requests_at("run-a", 0) == ()
    assert fold.covered_to("run-a") == 64


def test_core_without_a_tick_slot_is_our_own_bug() -> None:
    """A stage that is not told the beats cannot know where it is."""
    stage = Stage()
    stage.give(*whole_beat(0))
    stage.advance_all()
    snapshot = stage.core.snapshot()
    blind = ToyProcessor()
    blind.slots = (Slot(SCORES, 0, "signals-0"),)
    core = StageCore(blind)

    core.restore(snapshot)
    core.receive(replace(score(1), offset=1))

    with pytest.raises(InvariantError, match=r"toy-0 has no slot of topic market\.ticks\.v1"):
        core.advance()


def test_dead_letter_is_one_line_and_bounded() -> None:
    """What a message says of itself must not break the log or the letter."""
    message = Message(TICKS.name, 1, b"x" * (DEAD_LETTER_BYTES_MAX + 9), offset=7)

    letter = dead_letter(message, "toy-0", "first\nsecond \ud800 " + "z" * 5_000)

    assert letter.reason.startswith("first second \\ud800 zzz")
    assert len(letter.reason) == DEAD_LETTER_REASON_CHARS_MAX
    assert len(base64.b64decode(letter.value_base64)) == DEAD_LETTER_BYTES_MAX
    assert (letter.partition, letter.offset) == (1, 7)
    assert encode_event(letter)


def test_core_frame_of_beat_zero_keeps_the_run_s_settings_from_its_headers() -> None:
    """A frame that cannot be decoded must not lose its run."""
    stage = Stage()
    first = frame_message(make_frame(0), "ingest-0")
    stage.give(replace(first, value=BAD_VALUE), *whole_beat(0)[1:])

    results = stage.advance_all()

    assert beats_of(results) == [("run-a", 0)]
    assert stage.core.run == make_run_spec()


def test_core_wait_is_from_a_beats_first_frame_to_its_last_input() -> None:
    """Orders of the beat before are there long before the market speaks: nobody waits for it."""
    stage = Stage()
    stage.give(*whole_beat(0), seconds=1.0)
    stage.give(order(0, 0), order(0, 1), seconds=2.0)
    stage.give(tick(1, 1), seconds=5.0)
    stage.give(tick(1, 0), seconds=5.25)
    stage.give(score(1), seconds=5.5)

    assert [result.waited_seconds for result in stage.advance_all()] == [0.0, 0.5]


def test_core_wait_at_beat_zero_counts_no_input_of_a_later_beat() -> None:
    """Who is ahead may have answered beat 0 before this stage takes it."""
    stage = Stage()
    stage.give(*whole_beat(0), seconds=1.0)
    stage.give(order(0, 0), order(0, 1), seconds=9.0)

    assert [result.waited_seconds for result in stage.advance_all()] == [0.0]
