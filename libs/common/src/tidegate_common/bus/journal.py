"""The journal's fold: what enters at which beat and what was late, whoever wrote it down.

Everyone who reads a partition of the journal from its start computes the same chain, so an owner
that reads its own entry back before it acts can never make a second history.
"""

from collections import deque
from dataclasses import dataclass, field

from tidegate_common.codec import decode_event, encode_event
from tidegate_common.engine import JsonDict
from tidegate_common.events.orders import RequestEnvelope
from tidegate_common.events.risk import JournalEntry, LateInput


@dataclass(slots=True)
class _Chain:
    """Accepted entries of a run that beats may still need."""

    covered_to: int = 0
    entries: deque[JournalEntry] = field(default_factory=deque)


class JournalFold:
    """The valid chain of one journal partition."""

    def __init__(self) -> None:
        self._chains: dict[str, _Chain] = {}
        self._next_offset = 0
        self.requests_through_offset = 0

    @property
    def next_offset(self) -> int:
        """Offset in the journal of the next message to offer."""
        return self._next_offset

    def offer(self, entry: JournalEntry, offset: int) -> bool:
        """Take the next entry of the log; tell whether it counts."""
        self._next_offset = offset + 1
        chain = self._chains.setdefault(entry.run_id, _Chain())
        counts = (
            entry.from_beat == chain.covered_to
            and entry.to_beat > entry.from_beat
            and entry.requests_from_offset == self.requests_through_offset
            and entry.requests_through_offset >= entry.requests_from_offset
        )
        if counts:
            chain.covered_to = entry.to_beat
            chain.entries.append(entry)
            self.requests_through_offset = entry.requests_through_offset
        return counts

    def skip(self, offset: int) -> None:
        """Pass over a message of the log that is no entry."""
        self._next_offset = offset + 1

    def covered_to(self, run_id: str) -> int:
        """Return the first beat of a run that no entry covers."""
        chain = self._chains.get(run_id)
        return chain.covered_to if chain else 0

    def requests_at(self, run_id: str, beat: int) -> tuple[RequestEnvelope, ...]:
        """Return the requests that enter at a covered beat."""
        for entry in self._chains[run_id].entries:
            if entry.from_beat == beat:
                return entry.requests
        return ()

    def late_at(self, run_id: str, beat: int) -> tuple[LateInput, ...]:
        """Return what a covered beat is taken without."""
        for entry in self._chains[run_id].entries:
            if entry.from_beat == beat:
                return entry.late
        return ()

    def forget_before(self, run_id: str, beat: int) -> None:
        """Let go of entries that end at or before a beat."""
        chain = self._chains.get(run_id)
        while chain and chain.entries and chain.entries[0].to_beat <= beat:
            chain.entries.popleft()

    def forget_run(self, run_id: str) -> None:
        """Let go of the entries of a run that is over; its chain's end stays known."""
        chain = self._chains.get(run_id)
        if chain:
            chain.entries.clear()

    def snapshot(self) -> JsonDict:
        """Return the fold as JSON-ready values."""
        return {
            "next_offset": self._next_offset,
            "requests_through_offset": self.requests_through_offset,
            "chains": {
                run_id: {
                    "covered_to": chain.covered_to,
                    "entries": [encode_event(entry).decode() for entry in chain.entries],
                }
                for run_id, chain in self._chains.items()
            },
        }

    def restore(self, values: JsonDict) -> None:
        """Take up a fold that `snapshot` returned."""
        self._next_offset = _int(values["next_offset"])
        self.requests_through_offset = _int(values["requests_through_offset"])
        self._chains = {}
        chains = values["chains"]
        assert isinstance(chains, dict)
        for run_id, chain in chains.items():
            entries = deque(decode_event(JournalEntry, text) for text in chain["entries"])
            self._chains[run_id] = _Chain(_int(chain["covered_to"]), entries)


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
