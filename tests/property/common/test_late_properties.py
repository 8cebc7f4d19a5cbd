"""Whoever was late, and whenever the log is read again: one history, and no fill is lost."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.common.late_stage import SHARDS, LateStage, Log, append, late, whole_beat

from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.snapshots import decode_snapshot, encode_snapshot
from tidegate_common.events.risk import JournalEntry
from tidegate_common.testing.builders import make_journal_entry

RUNS = (("run-a", 7), ("run-b", 4))
BEATS = sum(count for _, count in RUNS)
FIRST_FILL = 2 * SHARDS
Output = list[tuple[str, bytes]]


def make_log(stripe_count: int) -> Log:
    """Return all that is said in the runs."""
    log: Log = {}
    for run_id, count in RUNS:
        for beat in range(count):
            for message in whole_beat(beat, run_id, is_last=beat == count - 1):
                append(log, message, stripe_count)
    return log


class Reader:
    """A stage that reads a log and a journal in bits."""

    def __init__(self, log: Log, journal: list[JournalEntry], stripe_count: int) -> None:
        self.stage = LateStage(stripe_count=stripe_count, log=log)
        self._journal = journal
        self._read: dict[TopicPartition, int] = self.stage.core.positions()
        self.output: Output = []

    def read(self, place: TopicPartition, count: int) -> None:
        """Read some messages of a partition."""
        start = self._read[place]
        for message in self.stage.log[place][start : start + count]:
            self.stage.core.receive(message)
            self._read[place] += 1

    def read_journal(self, count: int) -> None:
        """Read some entries."""
        fold = self.stage.fold
        for entry in self._journal[fold.next_offset :][:count]:
            fold.offer(entry, fold.next_offset)

    def take(self) -> None:
        """Take the beats that are due, and note what they say."""
        for result in self.stage.advance_all():
            self.output += [(dict(m.headers)["ce_id"].decode(), m.value) for m in result.messages]

    def restored(self, stripe_count: int) -> "Reader":
        """Return a new process that takes up this one's memory."""
        other = Reader(self.stage.log, self._journal, stripe_count)
        other.stage.core.restore(decode_snapshot(encode_snapshot(self.stage.core.snapshot())))
        other._read = other.stage.core.positions()
        other.output = list(self.output)
        return other


def next_entry(reader: Reader, dice: Random) -> JournalEntry | None:
    """Return what an owner may write now: a beat that is whole, or that has waited long enough."""
    core = reader.stage.core
    core.begin_run_if_due()
    begun, missing = core.begun(), core.missing()
    if begun is None or reader.stage.fold.covered_to(begun.run_id) > begun.beat:
        return None
    is_impatient = dice.random() < 0.3 and not begun.is_last
    if missing and not is_impatient:
        return None
    told = [late(slot.topic, slot.shard, beat) for slot, beat in missing.items()]
    return make_journal_entry(begun.beat, run_id=begun.run_id, late=told)


def live(log: Log, dice: Random, stripe_count: int) -> tuple[Reader, list[JournalEntry]]:
    """Return a stage that read the log in random bits, and the journal that it wrote."""
    journal: list[JournalEntry] = []
    reader = Reader(log, journal, stripe_count)
    picks = [place for place in sorted(log) for _ in log[place]]
    dice.shuffle(picks)
    for place in picks:
        reader.read(place, 1)
        entry = next_entry(reader, dice)
        if entry:
            journal.append(entry)
        if dice.random() < 0.5:
            # Entries that were written again meanwhile are void.
            reader.read_journal(dice.randint(1, 9))
        reader.take()
    for _ in range(2 * BEATS):
        journal += filter(None, [next_entry(reader, dice)])
        reader.read_journal(len(journal))
        reader.take()
    assert len(reader.output) == 2 * BEATS
    return reader, journal


def read_at_once(log: Log, journal: list[JournalEntry], stripe_count: int) -> Reader:
    """Return a stage that has log and journal before it starts."""
    reader = Reader(log, journal, stripe_count)
    reader.read_journal(len(journal))
    for place, messages in log.items():
        reader.read(place, len(messages))
    reader.take()
    return reader


@settings(max_examples=150)
@given(st.integers(0, 2**32), st.sampled_from([1, 1, 3]))
def test_late_beats_read_again_give_the_same_outputs_and_every_fill_once(
    seed: int, stripes: int
) -> None:
    """What was late is in the journal, so timing plays no part any more."""
    log = make_log(stripes)
    lived, journal = live(log, Random(seed), stripes)

    again = read_at_once(log, journal, stripes)

    assert again.output == lived.output
    for shard in range(SHARDS):
        booked = []
        for inputs in again.stage.toy.inputs:
            owed = [str(each) for each in inputs.overdue]
            own = inputs.payloads[FIRST_FILL + shard]
            booked += [each for each in owed if each.endswith(f"in {shard}")]
            booked += [str(own)] if own is not None else []
        expected = [f"fills of {beat} in {shard}" for _, count in RUNS for beat in range(count)]
        assert booked == expected


@settings(max_examples=150)
@given(st.integers(0, 2**32), st.sampled_from([1, 1, 3]))
def test_late_beats_crashes_and_restores_anywhere_give_the_same_outputs(
    seed: int, stripes: int
) -> None:
    """Recovery is one path, also while fills are owed and entries are read late."""
    dice = Random(seed)
    log = make_log(stripes)
    lived, journal = live(log, dice, stripes)
    reader = Reader(log, journal, stripes)

    for _ in range(dice.randint(20, 80)):
        reader.read(dice.choice(sorted(log)), dice.randint(0, 4))
        reader.read_journal(dice.randint(0, 2))
        reader.take()
        if dice.random() < 0.2:
            reader = reader.restored(stripes)
    reader.read_journal(len(journal))
    for place, messages in log.items():
        reader.read(place, len(messages))
    reader.take()

    assert reader.output == lived.output


def test_the_random_journal_is_rich() -> None:
    """Properties over runs in which nobody is late would hold for ever."""
    entries = [entry for seed in range(20) for entry in live(make_log(1), Random(seed), 1)[1]]
    topics = {each.topic for entry in entries for each in entry.late}
    owed = [each for entry in entries for each in entry.late if each.from_beat < entry.from_beat]

    assert len(topics) == 3
    assert len(owed) > 5
    assert sum(not entry.late for entry in entries) > 20
