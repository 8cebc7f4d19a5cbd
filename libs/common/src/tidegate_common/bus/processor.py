"""What a stage brings to the beat machinery: how to decode its inputs and step its engine.

A processor is pure: messages in, messages out. The machinery (`beats.py`, and `shell.py` in the
services) aligns the beats, drops repeats, takes snapshots and does the I/O.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tidegate_common.engine import EngineState
from tidegate_common.events.message import Message
from tidegate_common.events.orders import RequestEnvelope
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import Topic
from tidegate_common.frames.frame import BeatStamp


@dataclass(frozen=True, slots=True)
class Slot:
    """One input stream: what one producer says on one partition.

    lag : 0 when beat n needs the producer's beat n, 1 when it needs beat n-1 (nothing at beat 0).
    shard : whose instruments it speaks of, in stages that may go on without a late one.
    is_owed : whether what comes late enters with a later beat; else it is dropped.
    """

    topic: Topic
    partition: int
    producer: str
    lag: int = 0
    shard: int = 0
    is_owed: bool = False


@dataclass(frozen=True, slots=True)
class BeatInputs:
    """A whole beat.

    stamp : of the beat, as ingest wrote it.
    payloads : what `decode` returned for each slot, in the order of `slots`; None where the
        message of the beat could not be used or was late (it stands for an empty one, its shard is
        stale) and at beat 0 for slots with lag.
    requests : what the journal says enters at this beat; only risk has any.
    overdue : payloads of earlier beats that were late and enter now, in the order of their beats.
    """

    stamp: BeatStamp
    payloads: tuple[object | None, ...]
    requests: tuple[RequestEnvelope, ...] = ()
    overdue: tuple[object, ...] = ()


class Processor(Protocol):
    """A stage's engine between decode and encode.

    producer : the stage's name on the bus, such as `risk-0`.
    slots : the inputs. Those of topic TICKS say which runs and beats there are.
    counts : of the last beat, what its trace says of it, such as rows and orders.
    """

    producer: str
    slots: tuple[Slot, ...]
    counts: Mapping[str, int]

    def decode(self, slot: Slot, message: Message) -> object:
        """Return the payload of a message.

        Raises
        ------
        ContractError
            If it breaks its contract.
        """

    def start_run(self, spec: RunSpec) -> None:
        """Forget everything and begin a run."""

    def on_beat(self, inputs: BeatInputs) -> Sequence[Message]:
        """Step the engine; return what it says, critical messages first.

        Exactly one message an output partition that somebody aligns by; of other topics (bars,
        recommendations) only what there is to say.
        """

    def snapshot(self) -> EngineState:
        """Return the memory after the last beat."""

    def restore(self, spec: RunSpec, state: EngineState) -> None:
        """Take up a run from a memory."""
