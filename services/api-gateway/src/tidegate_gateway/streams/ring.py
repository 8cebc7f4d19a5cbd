"""The newest events, numbered as they came; every client reads them at a place of its own."""

from collections.abc import Sequence
from typing import NamedTuple

from tidegate_gateway.streams.position import Position


class Entry(NamedTuple):
    """An event that was told.

    lane, place : where it stands in the log; `rank` is its place in this process's order of runs.
    channel : "" for news of the stream itself, which everybody gets.
    seq : the cursor after it.
    text : the whole message.
    """

    lane: int
    rank: tuple[int, int, int]
    channel: str
    account_id: str
    instrument: int
    seq: str
    text: str


class Ring:
    """Keeps the newest entries, bounded in number and in characters.

    first, end : numbers of the oldest entry and of the one that comes next.
    """

    def __init__(self, *, entries_max: int, characters_max: int) -> None:
        self._entries_max = entries_max
        self._characters_max = characters_max
        self._entries: list[Entry] = []
        self._characters = 0
        self._gone = 0
        self.first = 0

    @property
    def end(self) -> int:
        """Number that the next entry gets."""
        return self._gone + len(self._entries)

    def add(self, entry: Entry) -> list[Entry]:
        """Add an entry and return those that had to go for it."""
        self._entries.append(entry)
        self._characters += len(entry.text)
        evicted: list[Entry] = []
        while self.end - self.first > self._entries_max or self._characters > self._characters_max:
            gone = self._entries[self.first - self._gone]
            self._characters -= len(gone.text)
            self.first += 1
            evicted.append(gone)
        # Cut now and then, so that an entry costs the same however many there are.
        if self.first - self._gone > self._entries_max:
            del self._entries[: self.first - self._gone]
            self._gone = self.first
        return evicted

    def read(self, start: int, count: int) -> Sequence[Entry]:
        """Return at most `count` entries from a number on, which is `first` or later."""
        return self._entries[start - self._gone : start - self._gone + count]


def rank_of(position: Position, runs: Sequence[str]) -> tuple[int, int, int] | None:
    """Return what sorts positions of a lane; None where the run is not known here."""
    if position.run_id not in runs:
        return None
    return runs.index(position.run_id), position.beat, position.number
