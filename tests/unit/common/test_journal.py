"""The journal's chain: the first entry for a beat wins, whoever wrote it."""

import pytest
from msgspec.structs import replace

from tidegate_common.bus.journal import JournalFold
from tidegate_common.events.risk import JournalEntry, LateInput
from tidegate_common.testing.builders import make_journal_entry, make_request


def fold_of(*entries: JournalEntry) -> JournalFold:
    """Return the fold of a log."""
    fold = JournalFold()
    for offset, entry in enumerate(entries):
        fold.offer(entry, offset)
    return fold


def test_fold_first_entry_for_a_beat_wins() -> None:
    """A zombie that writes later cannot make a second history."""
    fold = JournalFold()

    verdicts = [
        fold.offer(make_journal_entry(0, requests=[make_request(number)]), number)
        for number in (1, 2)
    ]

    assert verdicts == [True, False]
    assert fold.requests_at("run-a", 0) == (make_request(1),)
    assert (fold.covered_to("run-a"), fold.requests_through_offset) == (1, 1)


@pytest.mark.parametrize(
    "entry",
    [
        make_journal_entry(1, requests_from=1),
        make_journal_entry(3, requests_from=1),
        make_journal_entry(2, 2, requests_from=1),
        make_journal_entry(2, 1, requests_from=1),
        make_journal_entry(2, requests_from=0),
        make_journal_entry(2, requests_from=2),
        replace(make_journal_entry(2, requests_from=1), requests_through_offset=0),
    ],
)
def test_fold_entry_that_does_not_continue_the_chain_does_not_count(entry: JournalEntry) -> None:
    """Gaps, overlaps, empty spans and requests out of turn are what stale writers make."""
    fold = fold_of(make_journal_entry(0, 2, requests=[make_request(1)]))

    counts = fold.offer(entry, 1)

    assert not counts
    assert (fold.covered_to("run-a"), fold.requests_through_offset) == (2, 1)
    assert fold.next_offset == 2


def test_fold_requests_enter_at_the_first_beat_of_their_span_only() -> None:
    """A span says which beats are covered; what enters, enters once."""
    fold = fold_of(make_journal_entry(0, 3, requests=[make_request(1)]))

    entering = [fold.requests_at("run-a", beat) for beat in range(3)]

    assert entering == [(make_request(1),), (), ()]


def test_fold_next_run_has_a_chain_of_its_own_and_goes_on_with_the_requests() -> None:
    """Beats begin anew with a run; the request topic does not."""
    fold = fold_of(make_journal_entry(0, 9, requests=[make_request(1)]))

    counts = fold.offer(make_journal_entry(0, run_id="run-b", requests_from=1), 1)

    assert counts
    assert (fold.covered_to("run-a"), fold.covered_to("run-b")) == (9, 1)


def test_fold_unknown_run_is_covered_to_its_start() -> None:
    """Nothing is written yet, and nothing is to be let go of."""
    fold = JournalFold()

    fold.forget_before("run-a", 5)
    fold.forget_run("run-a")

    assert fold.covered_to("run-a") == 0


def test_fold_forgets_what_beats_no_longer_need() -> None:
    """The chain's end stays known for as long as a late writer may come."""
    fold = fold_of(
        make_journal_entry(0, 2),
        make_journal_entry(2, 4, requests=[make_request(1)]),
    )

    fold.forget_before("run-a", 2)
    kept = fold.requests_at("run-a", 2)
    fold.forget_run("run-a")

    assert kept == (make_request(1),)
    assert fold.requests_at("run-a", 2) == ()
    assert fold.covered_to("run-a") == 4


def test_fold_skipped_message_moves_on() -> None:
    """A message that is no entry is passed over, and not read again after a restart."""
    fold = fold_of(make_journal_entry(0))

    fold.skip(1)

    assert (fold.next_offset, fold.covered_to("run-a")) == (2, 1)


def test_fold_restored_goes_on_as_if_nothing_had_happened() -> None:
    """The snapshot holds the chain's ends and the entries that beats still need."""
    fold = fold_of(
        make_journal_entry(0, 4, requests=[make_request(1)]),
        make_journal_entry(0, 2, run_id="run-b", requests_from=1),
    )
    other = fold_of(make_journal_entry(0, 64, run_id="run-z"))

    other.restore(fold.snapshot())
    verdicts = [f.offer(make_journal_entry(4, requests_from=1), 2) for f in (fold, other)]

    assert verdicts == [True, True]
    assert other.snapshot() == fold.snapshot()
    assert other.requests_at("run-a", 0) == (make_request(1),)
    assert other.covered_to("run-z") == 0


def test_fold_says_what_a_beat_goes_without() -> None:
    """Only the beat of its own entry: what was late once may be there again at the next."""
    late = LateInput("market.ticks.v1", 1, 2, 3)
    fold = fold_of(make_journal_entry(0, 3), make_journal_entry(3, late=[late]))

    assert [fold.late_at("run-a", beat) for beat in (0, 2, 3)] == [(), (), (late,)]


def test_fold_taken_up_remembers_what_a_beat_goes_without() -> None:
    """A crash between the entry and its beat changes nothing."""
    late = LateInput("market.ticks.v1", 1, 2, 0)
    other = JournalFold()

    other.restore(fold_of(make_journal_entry(0, late=[late])).snapshot())

    assert other.late_at("run-a", 0) == (late,)
