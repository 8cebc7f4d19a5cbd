"""What the journals of a run say, as the loop takes it."""

from dataclasses import dataclass, field

from tidegate_backtest.partition import Lateness
from tidegate_common.events.orders import RequestEnvelope
from tidegate_common.events.risk import JournalEntry, LateInput


@dataclass(slots=True)
class Journaled:
    """Adds up the entries of all risk partitions, in the order of partition and log.

    requests : what entered, by beat.
    """

    requests: dict[int, tuple[RequestEnvelope, ...]] = field(default_factory=dict)
    _late: dict[int, dict[int, tuple[LateInput, ...]]] = field(default_factory=dict)

    def add(self, entry: JournalEntry) -> None:
        """Take an entry that counts."""
        own = self._late.setdefault(entry.risk_partition, {})
        if entry.late:
            own[entry.from_beat] = entry.late
        if entry.requests:
            before = self.requests.get(entry.from_beat, ())
            self.requests[entry.from_beat] = before + entry.requests

    def late(self) -> tuple[Lateness, ...]:
        """Return what each partition went on without; one for all where nothing was late."""
        if not any(self._late.values()):
            return ({},)
        # Every partition covers every beat, so the highest number tells how many there are.
        return tuple(self._late.get(number, {}) for number in range(max(self._late) + 1))
