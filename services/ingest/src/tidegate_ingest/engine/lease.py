"""Who feeds a run: the log of leases, folded. Without I/O; time is told, and never goes back.

Rules
-----
- The lease of the highest epoch counts; of two with one epoch the first in the log. So everybody
  who reads the log knows the same holder, and a claimant reads its claim back before it acts.
- The holder says its lease again and again. A candidate that has listened in vain for
  `SILENCE_SECONDS_MAX` claims the next epoch. Time in which it did not listen does not count.
- Nothing is waited for where there is no holder: no lease, one that was resigned, or one of an
  earlier life of the same instance.
- A holder acts only while its lease is younger than the silence that lets others claim, counted
  from before it was said. One that sees a higher epoch stands by.
- A lease that is done while a candidate listens ends the run for it too. One that was done before
  does not bind who is started again: it looks at the log of frames itself.

Correctness does not stand on any of this: frames of two holders at once are the same bytes.
"""

import math
from collections.abc import Hashable

from tidegate_common.domain.enums import LeaseState
from tidegate_common.domain.ids import RunId
from tidegate_common.events.ingest import Lease

RENEW_SECONDS = 0.5
# Five renewals in a row are lost, or their holder is gone. Half of the five seconds in which a
# standby has to feed: the rest is for reading its claim back and looking where to go on.
SILENCE_SECONDS_MAX = 2.5
# Looks come more often; a longer time between two is a process that was held up itself.
LOOK_SECONDS_MAX = 0.5


class Candidate:
    """What one sequencer knows of a run's lease.

    Parameters
    ----------
    instance, started_ns : of the process: see `Lease`.
    """

    def __init__(self, run_id: RunId, *, instance: str, started_ns: int) -> None:
        self._run_id = run_id
        self._instance = instance
        self._started_ns = started_ns
        self._lease: Lease | None = None
        self._silent_seconds = 0.0
        self._looked_at: float | None = None
        self._claimed_epoch = 0
        self._said_at = -math.inf
        self._confirmed_at = -math.inf
        self._is_answered = True
        self.is_done = False

    @property
    def epoch(self) -> int:
        """Return the epoch of the lease that counts, 0 where there is none."""
        return self._lease.epoch if self._lease else 0

    @property
    def is_active(self) -> bool:
        """Tell whether this sequencer holds the lease, as far as it has read."""
        lease = self._lease
        return lease is not None and lease.state is LeaseState.HELD and self._is_mine(lease)

    @property
    def next_beat(self) -> int:
        """Return the first beat that the holder does not know to be kept."""
        return self._lease.next_beat if self._lease else 0

    def may_act(self, now_seconds: float) -> bool:
        """Tell whether the lease is held, and young enough that nobody else claims it."""
        return self.is_active and now_seconds - self._confirmed_at < SILENCE_SECONDS_MAX

    def offer(self, lease: Lease) -> None:
        """Take the next lease of the log."""
        known = self._lease
        if lease.run_id != self._run_id or lease.epoch < self.epoch:
            return
        if known and lease.epoch == known.epoch and _holder(lease) != _holder(known):
            return
        self._lease = lease
        self._silent_seconds = 0.0
        if self._is_mine(lease):
            self._confirmed_at, self._is_answered = self._said_at, True
        if lease.state is LeaseState.DONE and self._looked_at is not None:
            self.is_done = True

    def look(self, now_seconds: float, *, next_beat: int) -> Lease | None:
        """Return what to say now, if anything. To be called when all that has come was offered.

        Parameters
        ----------
        next_beat : the first beat that this sequencer does not know to be kept.
        """
        if self._looked_at is not None:
            self._silent_seconds += min(now_seconds - self._looked_at, LOOK_SECONDS_MAX)
        self._looked_at = now_seconds
        if self.is_active:
            return self._renewal(now_seconds, next_beat)
        if self.is_done or not self._is_free():
            return None
        self._claimed_epoch = self.epoch + 1
        self._silent_seconds = 0.0
        return self._say(now_seconds, self._claimed_epoch, LeaseState.HELD, next_beat)

    def leave(self, state: LeaseState, *, next_beat: int) -> Lease:
        """Return the holder's last word."""
        return self._mine(self.epoch, state, next_beat)

    def _is_free(self) -> bool:
        """Tell whether nobody holds the lease who could still be there."""
        lease = self._lease
        if self._silent_seconds >= SILENCE_SECONDS_MAX:
            return True
        if self._claimed_epoch == self.epoch + 1:
            # Said already: it will be read, or it was lost.
            return False
        return (
            lease is None
            or lease.state is not LeaseState.HELD
            or (lease.instance == self._instance and lease.started_ns < self._started_ns)
        )

    def _renewal(self, now_seconds: float, next_beat: int) -> Lease | None:
        pause = RENEW_SECONDS if self._is_answered else SILENCE_SECONDS_MAX
        if now_seconds - self._said_at < pause:
            return None
        return self._say(now_seconds, self.epoch, LeaseState.HELD, next_beat)

    def _say(self, now_seconds: float, epoch: int, state: LeaseState, next_beat: int) -> Lease:
        self._said_at, self._is_answered = now_seconds, False
        return self._mine(epoch, state, next_beat)

    def _mine(self, epoch: int, state: LeaseState, next_beat: int) -> Lease:
        return Lease(
            run_id=self._run_id,
            epoch=epoch,
            instance=self._instance,
            started_ns=self._started_ns,
            state=state,
            next_beat=next_beat,
        )

    def _is_mine(self, lease: Lease) -> bool:
        return _holder(lease) == (self._instance, self._started_ns)


def _holder(lease: Lease) -> Hashable:
    return lease.instance, lease.started_ns
