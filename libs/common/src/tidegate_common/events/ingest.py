"""What ingest says besides frames: who feeds a run."""

from dataclasses import dataclass

from tidegate_common.domain.enums import LeaseState
from tidegate_common.domain.ids import RunId


@dataclass(frozen=True, slots=True)
class Lease:
    """A sequencer's word that it feeds a run; of two with one epoch the first in the log counts.

    epoch : counts the leases of a run, from 1.
    instance : the process by name; it keeps it when it is started again.
    started_ns : when the process was started, UTC epoch; tells its lives apart.
    next_beat : the first beat that it does not know to be kept.
    """

    run_id: RunId
    epoch: int
    instance: str
    started_ns: int
    state: LeaseState
    next_beat: int
