"""What ingest says besides frames: who feeds a run, and which rows it refused."""

from dataclasses import dataclass

from msgspec import Struct

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


class RejectedRow(Struct, frozen=True, gc=False):
    """A row of a feed that was refused at the door.

    source : the file, the quote service, or `push`.
    row : of a file its row, of an answer its line, of a message its row; the first is 1.
    reason : of `services/ingest/README.md`.
    record : the row as it came; its first 4,096 characters.
    """

    source: str
    row: int
    reason: str
    record: str


class RejectBatch(Struct, frozen=True):
    """Rows that a run's feed said and ingest refused; of two with one key the first counts.

    epoch, sequence : with the run, the key. A replay refuses the same rows every time and has
        epoch 0 whoever feeds it; in a live run the epoch is that of the sequencer's lease.
    ts_event_ns : market time at which a live run refused the last of them; 0 in a replay.
    lost_count : rows that were refused before these and not kept, because nothing took them away.
    """

    run_id: RunId
    epoch: int
    sequence: int
    ts_event_ns: int
    rows: tuple[RejectedRow, ...]
    lost_count: int = 0
