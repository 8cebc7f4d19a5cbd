"""Leases: who feeds a run, whoever claims it, in whatever order it is read."""

from dataclasses import replace

import pytest

from tidegate_common.domain.enums import LeaseState
from tidegate_common.domain.ids import RunId
from tidegate_common.events.ingest import Lease
from tidegate_common.testing.builders import RUN_ID
from tidegate_ingest.engine.lease import RENEW_SECONDS, SILENCE_SECONDS_MAX, Candidate

LOOK_SECONDS = 0.1


def make_lease(
    epoch: int = 1,
    instance: str = "other",
    *,
    started_ns: int = 1,
    state: LeaseState = LeaseState.HELD,
    next_beat: int = 0,
) -> Lease:
    """Return a lease of another sequencer."""
    return Lease(RUN_ID, epoch, instance, started_ns, state, next_beat)


def make_candidate(instance: str = "me", started_ns: int = 5) -> Candidate:
    """Return a sequencer that knows nothing yet."""
    return Candidate(RUN_ID, instance=instance, started_ns=started_ns)


def listen(candidate: Candidate, since: float, seconds: float) -> tuple[float, Lease | None]:
    """Look every tenth of a second; return when something is to be said, or the time is over."""
    now = since
    while now < since + seconds:
        now += LOOK_SECONDS
        said = candidate.look(now, next_beat=0)
        if said:
            return now, said
    return now, None


def make_active(now: float = 0.0) -> Candidate:
    """Return a sequencer that has just claimed a run that nobody fed."""
    candidate = make_candidate()
    claim = candidate.look(now, next_beat=0)
    assert claim is not None
    candidate.offer(claim)
    return candidate


def test_candidate_of_a_run_that_nobody_feeds_claims_it_at_once() -> None:
    """There is nobody to wait for; it acts when it has read its claim back."""
    candidate = make_candidate()

    claim = candidate.look(10.0, next_beat=0)
    was_active = candidate.is_active
    assert claim is not None
    candidate.offer(claim)

    assert claim == make_lease(1, "me", started_ns=5)
    assert not was_active
    assert candidate.is_active
    assert candidate.may_act(10.0)
    assert candidate.epoch == 1


def test_candidate_claims_once_and_again_only_when_the_claim_was_lost() -> None:
    """A claim takes its time to come back."""
    candidate = make_candidate()
    first = candidate.look(0.0, next_beat=0)

    when, second = listen(candidate, 0.0, 10.0)

    assert first == second
    assert when == pytest.approx(SILENCE_SECONDS_MAX)


def test_candidate_whose_claim_was_second_stands_by() -> None:
    """Of two claims of one epoch the first in the log counts, for both of them."""
    candidate = make_candidate()
    claim = candidate.look(0.0, next_beat=0)
    assert claim is not None

    candidate.offer(make_lease(1, "other", next_beat=7))
    candidate.offer(claim)

    assert not candidate.is_active
    assert candidate.next_beat == 7
    assert candidate.look(0.1, next_beat=0) is None


def test_candidate_that_hears_the_holder_stands_by() -> None:
    """However long, and it knows how far the feed is."""
    candidate = make_candidate()
    said = []

    for number in range(100):
        candidate.offer(make_lease(3, next_beat=number))
        said.append(candidate.look(number * 1.0, next_beat=0))

    assert said == [None] * 100
    assert not candidate.may_act(100.0)
    assert candidate.next_beat == 99


def test_candidate_that_listens_in_vain_claims_the_next_epoch() -> None:
    """Within half of the five seconds that a takeover may take."""
    candidate = make_candidate()
    candidate.offer(make_lease(3))
    candidate.look(0.0, next_beat=0)

    when, claim = listen(candidate, 0.0, 10.0)

    assert claim == make_lease(4, "me", started_ns=5)
    assert when == pytest.approx(SILENCE_SECONDS_MAX)


def test_candidate_that_did_not_listen_does_not_call_it_silence() -> None:
    """Stopped and gone on, it hears the holder first."""
    candidate = make_candidate()
    candidate.offer(make_lease(3))
    candidate.look(0.0, next_beat=0)

    assert candidate.look(1_000.0, next_beat=0) is None


@pytest.mark.parametrize("state", [LeaseState.RESIGNED, LeaseState.DONE])
def test_candidate_started_after_the_holder_left_claims_at_once(state: LeaseState) -> None:
    """Nobody is there; a run that is done is looked at again by who is started for it."""
    candidate = make_candidate()
    candidate.offer(make_lease(2, state=state))

    assert candidate.look(0.0, next_beat=0) == make_lease(3, "me", started_ns=5)
    assert not candidate.is_done


def test_candidate_started_again_does_not_wait_for_its_earlier_life() -> None:
    """A process of one name is one process: a supervisor has started it again."""
    candidate = make_candidate("ingest", started_ns=9)
    candidate.offer(make_lease(1, "ingest", started_ns=8))

    assert candidate.look(0.0, next_beat=0) == make_lease(2, "ingest", started_ns=9)


def test_candidate_yields_to_a_later_life_of_its_own() -> None:
    """Two processes of one name do not take the lease from each other in turns."""
    candidate = make_candidate("ingest", started_ns=8)
    candidate.offer(make_lease(2, "ingest", started_ns=9))

    assert candidate.look(0.0, next_beat=0) is None


def test_holder_says_its_lease_again_and_again() -> None:
    """And how far it is, so that a standby keeps its place in the feed."""
    candidate = make_active()

    early = candidate.look(RENEW_SECONDS - 0.1, next_beat=1)
    renewal = candidate.look(RENEW_SECONDS, next_beat=2)
    unanswered = candidate.look(3 * RENEW_SECONDS, next_beat=3)

    assert early is None
    assert renewal == make_lease(1, "me", started_ns=5, next_beat=2)
    assert unanswered is None


def test_holder_that_does_not_read_its_lease_may_not_act() -> None:
    """It ends before others may claim, counted from before it was said."""
    candidate = make_active()
    candidate.look(1.0, next_beat=1)

    assert candidate.may_act(SILENCE_SECONDS_MAX - 0.1)
    assert not candidate.may_act(SILENCE_SECONDS_MAX)

    again = candidate.look(1.0 + SILENCE_SECONDS_MAX, next_beat=1)
    assert again is not None
    candidate.offer(again)

    assert candidate.may_act(1.0 + SILENCE_SECONDS_MAX)


def test_holder_that_sees_a_higher_epoch_stands_by() -> None:
    """It was taken for dead; what it says late is of an old epoch and counts no more."""
    candidate = make_active()
    late = replace(make_lease(1, "me", started_ns=5), next_beat=50)

    candidate.offer(make_lease(2, next_beat=40))
    candidate.offer(late)

    assert not candidate.is_active
    assert (candidate.epoch, candidate.next_beat) == (2, 40)


def test_candidate_hears_that_the_run_is_done() -> None:
    """Its work is done too."""
    candidate = make_candidate()
    candidate.offer(make_lease(1))
    candidate.look(0.0, next_beat=0)

    candidate.offer(make_lease(1, state=LeaseState.DONE, next_beat=9))

    assert candidate.is_done
    assert candidate.look(100.0, next_beat=0) is None


def test_holder_s_last_word_frees_the_lease() -> None:
    """A rolling update does not cost the wait for silence."""
    candidate = make_active()
    other = make_candidate("next", started_ns=6)
    other.offer(make_lease(1, "me", started_ns=5))
    other.look(0.0, next_beat=0)

    other.offer(candidate.leave(LeaseState.RESIGNED, next_beat=12))

    assert other.look(0.1, next_beat=0) == make_lease(2, "next", started_ns=6)
    assert other.next_beat == 12


def test_candidate_ignores_other_runs() -> None:
    """Runs share the log of leases."""
    candidate = make_active()

    candidate.offer(replace(make_lease(9), run_id=RunId("run-b")))

    assert candidate.is_active
