"""Which message a producer owes next on each partition: repeats, gaps and strangers.

The same rules as the stages' own alignment, so that the tables hold what the stages took.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tidegate_common.domain.ids import RunId, is_run_id
from tidegate_common.errors import ContractError
from tidegate_common.events.message import Origin
from tidegate_common.events.topics import BARS, FILLS, ORDERS, RECOMMENDATIONS, SCORES, Topic
from tidegate_recorder.engine.rows import StreamRow

# Said only in beats that have something to say: no beat is missing before another.
SPARSE_TOPICS = (BARS, RECOMMENDATIONS)


class Stream(NamedTuple):
    """One producer on one partition, in one run."""

    run_id: RunId
    topic: str
    partition: int
    producer: str


class Streams:
    """How far each stream has come."""

    def __init__(
        self,
        *,
        shard_count: int,
        risk_partition_count: int,
        stripe_count: int = 1,
        rows: Iterable[StreamRow] = (),
    ) -> None:
        self._shard_count = shard_count
        self._risk_partition_count = risk_partition_count
        self._stripe_count = stripe_count
        self._last_beat = {
            Stream(RunId(row.run_id), row.topic, row.partition, row.producer): row.last_beat
            for row in rows
        }
        self._changed: set[Stream] = set()

    def take(self, topic: Topic, partition: int, origin: Origin) -> bool:
        """Note that a producer has spoken; tell whether it is news and no repeat.

        partition : of the bus, so a stripe where the topic has stripes.

        Raises
        ------
        ContractError
            If nobody of that name speaks here, or a beat is missing before this one.
        """
        if not is_run_id(origin.run_id):
            reason = f"ce_run must be letters, digits, _ and -, at most 63, was {origin.run_id!r}"
            raise ContractError(reason)
        self._check_producer(topic, partition, origin.producer)
        stream = Stream(origin.run_id, topic.name, partition, origin.producer)
        step = self._stripe_count if topic.is_striped else 1
        last = self._last_beat.get(stream)
        due = partition % step if last is None else last + step
        if topic in SPARSE_TOPICS:
            due = max(due, origin.beat)
        if (origin.beat - due) % step or origin.beat > due:
            reason = (
                f"expected beat {due} of run {origin.run_id} from {origin.producer}, "
                f"found beat {origin.beat}"
            )
            raise ContractError(reason)
        if origin.beat < due:
            return False
        self._last_beat[stream] = origin.beat
        self._changed.add(stream)
        return True

    def last_beats(self, run_id: RunId, topic: Topic) -> dict[int, int]:
        """Return the last beat that each partition of a topic has of a run, if it has any."""
        return {
            stream.partition: beat
            for stream, beat in sorted(self._last_beat.items())
            if (stream.run_id, stream.topic) == (run_id, topic.name)
        }

    def take_changes(self) -> list[StreamRow]:
        """Return how far the streams have come that moved since the last call."""
        changed, self._changed = sorted(self._changed), set()
        return [StreamRow(*stream, self._last_beat[stream]) for stream in changed]

    def _check_producer(self, topic: Topic, partition: int, producer: str) -> None:
        if topic is ORDERS:
            known = [f"risk-{number}" for number in range(self._risk_partition_count)]
        elif topic is FILLS:
            known = [f"execution-{number}" for number in range(self._shard_count)]
        elif topic in {SCORES, BARS}:
            known = [f"signals-{partition}"]
        elif topic is RECOMMENDATIONS:
            known = ["recommendations-0"]
        else:
            known = [f"risk-{partition}"]
        if producer not in known:
            reason = f"ce_producer must be one of {', '.join(known)}, was {producer}"
            raise ContractError(reason)
