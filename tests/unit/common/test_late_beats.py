"""The beat machine when the journal says that a shard was late."""

import pytest
from tests.unit.common.late_stage import (
    LateStage,
    beats_of,
    fill,
    frame,
    late,
    score,
    shard_messages,
    whole_beat,
)

from tidegate_common.bus.snapshots import decode_snapshot, encode_snapshot
from tidegate_common.domain.enums import BeatKind
from tidegate_common.events.risk import LateInput
from tidegate_common.events.topics import FILLS, ORDERS, SCORES, TICKS
from tidegate_common.testing.fakes import BAD_VALUE

# Where a slot stands among the toy's payloads.
FRAME_0, FRAME_1, SCORE_0, SCORE_1, FILL_0, FILL_1 = range(6)
ALL = (FRAME_0, FRAME_1, SCORE_0, SCORE_1, FILL_0, FILL_1)
WITHOUT_1 = (FRAME_0, SCORE_0, FILL_0)


def late_shard(beat: int, fills_from: int | None = None, shard: int = 1) -> list[LateInput]:
    """Return that nothing of a shard had come for a beat."""
    return [
        late(TICKS, shard, beat),
        late(SCORES, shard, beat),
        late(FILLS, shard, beat if fills_from is None else fills_from),
    ]


def begun(stripe_count: int = 1) -> LateStage:
    """Return a stage that has taken beat 0."""
    stage = LateStage(stripe_count=stripe_count)
    stage.give(*whole_beat(0))
    stage.journal(0)
    assert beats_of(stage.advance_all()) == [("run-a", 0)]
    return stage


def test_core_late_shard_is_gone_without_once_the_journal_says_so() -> None:
    """Not before: what was late is history only when it is written down."""
    stage = begun()
    stage.give(*shard_messages(1, 0))
    lateness = late_shard(1)

    before = stage.advance_all()
    stage.journal(1, *lateness)
    (result,) = stage.advance_all()

    assert before == []
    assert result.late == tuple(lateness)
    assert stage.taken() == [ALL, WITHOUT_1]


def test_core_scores_alone_late_leave_the_frame_and_the_fills() -> None:
    """A mark that has come is better than an old one, and money that has come is booked."""
    stage = begun()
    stage.give(*whole_beat(1)[:4], fill(1, 1))
    stage.journal(1, late(SCORES, 1, 1))

    stage.advance_all()

    assert stage.taken()[1:] == [(FRAME_0, FRAME_1, SCORE_0, FILL_0, FILL_1)]


def test_core_what_comes_late_is_dropped_but_fills_enter_with_the_next_beat() -> None:
    """Frames and scores are yesterday's news; fills are money and are never lost."""
    stage = begun()
    stage.give(*shard_messages(1, 0))
    stage.journal(1, *late_shard(1))
    stage.advance_all()
    stage.journal(2)

    stage.give(*shard_messages(1, 1), *whole_beat(2))
    stage.advance_all()

    assert stage.taken()[2:] == [(*ALL, "fills of 1 in 1")]
    assert stage.core.repeat_count == 2
    assert stage.core.take_dead_letters() == []


def test_core_what_comes_between_the_entry_and_its_beat_counts_as_late() -> None:
    """The journal decides, or a replay, which has everything at once, would be another history."""
    stage = begun()
    stage.give(*whole_beat(1), *whole_beat(2))
    stage.journal(1, *late_shard(1))
    stage.journal(2)

    stage.advance_all()

    assert stage.taken() == [ALL, WITHOUT_1, (*ALL, "fills of 1 in 1")]


@pytest.mark.parametrize("stripe_count", [1, 3])
def test_core_late_again_keeps_fills_in_the_order_of_their_beats(stripe_count: int) -> None:
    """Books can follow an order only as the exchange did."""
    stage = begun(stripe_count)
    for beat in (1, 2, 3):
        stage.give(*shard_messages(beat, 0))
        stage.journal(beat, *late_shard(beat, fills_from=1))
    stage.advance_all()
    stage.journal(4)

    stage.give(*(message for beat in (1, 2, 3) for message in shard_messages(beat, 1)))
    stage.give(*whole_beat(4))
    stage.advance_all()

    owed = [f"fills of {beat} in 1" for beat in (1, 2, 3)]
    assert stage.taken()[1:] == [WITHOUT_1, WITHOUT_1, WITHOUT_1, (*ALL, *owed)]
    assert stage.core.take_dead_letters() == []


def test_core_fills_that_had_come_enter_though_the_beat_s_own_are_late() -> None:
    """An exchange that is always one beat behind must not keep the money for ever."""
    stage = begun()
    stage.give(*shard_messages(1, 0))
    stage.journal(1, *late_shard(1))
    stage.advance_all()
    stage.give(fill(1, 1), *shard_messages(2, 0))
    stage.journal(2, *late_shard(2))

    stage.advance_all()

    assert stage.taken()[2:] == [(*WITHOUT_1, "fills of 1 in 1")]


def test_core_fills_that_had_come_are_waited_for_when_the_log_is_read_again() -> None:
    """The journal says that they had come, so they are in the log."""
    stage = begun()
    stage.give(*shard_messages(1, 0), *shard_messages(2, 0))
    stage.journal(1, *late_shard(1))
    stage.journal(2, *late_shard(2))

    first = stage.advance_all()
    stage.give(fill(1, 1))
    second = stage.advance_all()

    assert (beats_of(first), beats_of(second)) == ([("run-a", 1)], [("run-a", 2)])


def test_core_owed_fills_of_both_shards_enter_by_beat_then_shard() -> None:
    """A stated order, whoever was late."""
    stage = begun()
    for beat in (1, 2):
        stage.give(frame(beat, 0))
        others = [late(SCORES, 0, beat), late(FILLS, 0, 1)]
        stage.journal(beat, *others, *late_shard(beat, fills_from=1))
    stage.advance_all()
    stage.journal(3)

    stage.give(*(fill(beat, shard) for shard in (1, 0) for beat in (1, 2)))
    stage.give(*whole_beat(3))
    stage.advance_all()

    owed = [f"fills of {beat} in {shard}" for beat in (1, 2) for shard in (0, 1)]
    assert stage.taken()[3:] == [(*ALL, *owed)]


def test_core_owed_fills_that_cannot_be_used_are_put_aside() -> None:
    """As at any other time; the next word on such an order does not add up."""
    stage = begun()
    stage.give(*shard_messages(1, 0))
    stage.journal(1, *late_shard(1))
    stage.advance_all()
    stage.journal(2)

    stage.give(fill(1, 1, value=BAD_VALUE), *whole_beat(2))
    stage.advance_all()

    assert stage.taken()[2:] == [ALL]
    assert [letter.topic for letter in stage.core.take_dead_letters()] == [FILLS.name]


@pytest.mark.parametrize("stripe_count", [1, 3])
def test_core_restored_while_fills_are_owed_takes_them_up(stripe_count: int) -> None:
    """A crash must not lose the money either."""
    stage = begun(stripe_count)
    for beat in (1, 2):
        stage.give(*shard_messages(beat, 0))
        stage.journal(beat, *late_shard(beat, fills_from=1))
    stage.advance_all()

    other = LateStage(stripe_count=stripe_count, log=stage.log)
    other.core.restore(decode_snapshot(encode_snapshot(stage.core.snapshot())))
    other.read_again()
    other.journal(3)
    other.give(*(message for beat in (1, 2) for message in shard_messages(beat, 1)))
    other.give(*whole_beat(3))
    other.advance_all()

    assert other.taken() == [(*ALL, "fills of 1 in 1", "fills of 2 in 1")]
    assert stage.core.snapshot().owing == ((FILLS.name, 0, "execution-1", 1),)
    assert other.core.snapshot().owing == ()


def test_core_all_frames_late_stands_still() -> None:
    """Without a frame nobody knows what the beat is; such an entry is not ours."""
    stage = begun()
    stage.give(*whole_beat(1))
    stage.journal(1, late(TICKS, 0, 1), late(TICKS, 1, 1))

    assert stage.advance_all() == []


def test_core_late_word_on_an_input_that_it_does_not_have_changes_nothing() -> None:
    """Such an entry is not ours; the beat is whole, so it is taken."""
    stage = begun()
    stage.give(*whole_beat(1))
    stage.journal(1, late(ORDERS, 1, 1), late(TICKS, 7, 1))

    stage.advance_all()

    assert stage.taken()[1:] == [ALL]


def test_core_late_from_the_first_beat_on_is_gone_without() -> None:
    """A strategy that is slow to start must not keep the day from opening."""
    stage = LateStage()
    stage.give(*whole_beat(0, "run-z", is_last=True), *shard_messages(0, 0), frame(0, 1))
    stage.journal(0, run_id="run-z")
    stage.journal(0, late(SCORES, 1, 0), late(FILLS, 1, 0))
    stage.journal(1)

    first = stage.advance_all()
    stage.give(score(0, 1), fill(0, 1), *whole_beat(1))
    second = stage.advance_all()

    assert beats_of([*first, *second]) == [("run-z", 0), ("run-a", 0), ("run-a", 1)]
    assert stage.taken()[1:] == [
        (*WITHOUT_1[:1], FRAME_1, SCORE_0, FILL_0),
        (*ALL, "fills of 0 in 1"),
    ]
    assert stage.core.take_dead_letters() == []


def test_core_late_shard_that_went_on_to_the_next_run_is_left_alone() -> None:
    """Its word on the next run must not be taken for a late one on this."""
    stage = begun()
    stage.give(*shard_messages(1, 0), frame(1, 1), score(0, 1, "run-b"), fill(0, 1, "run-b"))
    stage.journal(1, late(SCORES, 1, 1), late(FILLS, 1, 1))
    stage.journal(0, run_id="run-b")

    stage.advance_all()
    stage.give(*shard_messages(0, 0, "run-b"), frame(0, 1, "run-b"))
    results = stage.advance_all()

    assert beats_of(results) == [("run-b", 0)]
    assert stage.taken()[2:] == [ALL]


def test_core_beat_that_goes_without_a_frame_comes_before_the_next_run() -> None:
    """Read again, the log has the next run's first frame already; the journal has the last word."""
    stage = begun()
    stage.give(*shard_messages(1, 0), *whole_beat(0, "run-b"))
    stage.journal(1, *late_shard(1))
    stage.journal(0, run_id="run-b")

    results = stage.advance_all()

    assert beats_of(results) == [("run-a", 1), ("run-b", 0)]


def test_core_owed_fills_of_a_run_that_was_cut_off_are_let_go() -> None:
    """Its books are gone with it."""
    stage = begun()
    stage.give(*shard_messages(1, 0))
    stage.journal(1, *late_shard(1))
    stage.advance_all()
    stage.journal(0, run_id="run-b")

    stage.give(*whole_beat(0, "run-b"), fill(1, 1))
    stage.advance_all()

    assert stage.taken()[2:] == [ALL]


def test_core_says_what_has_come_of_the_next_beat() -> None:
    """Who decides how long to wait must know for whom."""
    stage = begun()
    nothing = stage.core.begun()
    stage.give(frame(1, 1), fill(1, 0))

    begun_with = stage.core.begun()
    missing = stage.core.missing()

    assert nothing is None
    assert begun_with is not None
    assert (begun_with.beat, begun_with.kind) == (1, BeatKind.TICK)
    assert {(slot.topic, slot.shard): beat for slot, beat in missing.items()} == {
        (TICKS, 0): 1,
        (SCORES, 0): 1,
        (SCORES, 1): 1,
        (FILLS, 1): 1,
    }


def test_core_framed_to_is_where_a_shard_has_no_frame() -> None:
    """An entry covers no beat that may never come."""
    stage = begun()
    stage.give(*(frame(beat, 0) for beat in range(1, 5)), *(frame(beat, 1) for beat in (1, 2)))

    assert (stage.core.framed_to(9), stage.core.framed_to(2)) == (3, 2)


def test_core_framed_to_ends_with_a_run_that_was_cut_off() -> None:
    """The next run's frames stand behind; they are not this one's."""
    stage = begun()
    stage.give(*(frame(beat, shard) for shard in (0, 1) for beat in (1, 2)))
    stage.give(frame(0, 0, "run-b"))

    assert stage.core.framed_to(9) == 3
