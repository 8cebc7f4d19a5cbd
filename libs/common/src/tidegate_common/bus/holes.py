"""Holds a reader back where a partition has a hole, until the hole is filled.

A log without compaction and transactions has none. But the embedded broker gives a message its
offset a moment before others can read it: where two producers write to one partition, a fetch may
bring the later of two messages without the earlier one, which its reader would never see.
"""

from collections.abc import Mapping, Sequence

from tidegate_common.bus.base import TopicPartition

# The moment is microseconds long, and longer only on a machine that has no time for the broker. A
# hole that stays is real: the log has lost messages, which their readers will miss in turn.
HOLE_SECONDS_MAX = 5.0


class HoleWatch:
    """Knows which message of each partition must come next.

    Parameters
    ----------
    positions : offset by partition from which its reader starts; others are not watched.
    """

    def __init__(self, positions: Mapping[TopicPartition, int]) -> None:
        self._next = dict(positions)
        self._found_at: dict[TopicPartition, float] = {}

    def next_offset(self, place: TopicPartition) -> int:
        """Return the offset of the message that must come next on a watched partition."""
        return self._next[place]

    def count_readable(
        self,
        place: TopicPartition,
        offsets: Sequence[int],
        *,
        now_seconds: float,
    ) -> int:
        """Return how many of the next messages may be handed out, and count them as such.

        Where it is not all of them, the partition is to be read again from `next_offset`.

        Parameters
        ----------
        offsets : of the messages of one fetch, ascending.
        now_seconds : time that never goes back.
        """
        if place not in self._next:
            return len(offsets)
        for count, offset in enumerate(offsets):
            if offset > self._next[place]:
                found_at = self._found_at.setdefault(place, now_seconds)
                if now_seconds - found_at < HOLE_SECONDS_MAX:
                    return count
            self._found_at.pop(place, None)
            self._next[place] = offset + 1
        return len(offsets)
