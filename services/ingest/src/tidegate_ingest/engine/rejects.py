"""Rows that were refused, on their way to the topic that keeps them."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tidegate_common.events.ingest import RejectedRow

# The longest line of a quote service has some 700 characters, a row of ten levels 1,500.
RECORD_CHARACTERS_MAX = 4_096
# Brokers take a megabyte a message.
BATCH_ROWS_MAX = 1_000
BATCH_BYTES_MAX = 256 * 1024
# What a live run holds while the broker is slow: some seconds of a whole market all refused.
WAITING_BYTES_MAX = 16 * 2**20
# Twice as many as a run has shares: a service repeats its last line of each at every poll.
REMEMBERED_MAX = 16_384
_DIGEST_BYTES = 12


def rejected_row(source: str, row: int, reason: str, record: str) -> RejectedRow:
    """Return a row that was refused, its record cut to a bound.

    Parameters
    ----------
    row : from 0, as rows are counted everywhere but in what people read.
    """
    return RejectedRow(source, row + 1, reason, record[:RECORD_CHARACTERS_MAX])


def size_bytes(row: RejectedRow) -> int:
    """Return what a row takes up in a message."""
    return len(msgspec.json.encode(row)) + 1


def in_batches(
    pieces: Iterable[Sequence[RejectedRow]],
) -> Iterator[tuple[RejectedRow, ...]]:
    """Yield rows in batches of bounded size; the same rows make the same batches.

    After each piece comes an empty batch, so that who asks for the next one is never long away.
    """
    batch = _Batch()
    for piece in pieces:
        for row in piece:
            if not batch.has_room(row):
                yield tuple(batch.rows)
                batch = _Batch()
            batch.add(row)
        yield ()
    if batch.rows:
        yield tuple(batch.rows)


class _Batch:
    """Rows of one message."""

    def __init__(self) -> None:
        self.rows: list[RejectedRow] = []
        self._bytes = 0

    def has_room(self, row: RejectedRow) -> bool:
        if not self.rows:
            return True
        is_short = self._bytes + size_bytes(row) <= BATCH_BYTES_MAX
        return is_short and len(self.rows) < BATCH_ROWS_MAX

    def add(self, row: RejectedRow) -> None:
        self.rows.append(row)
        self._bytes += size_bytes(row)


class WaitingRejects:
    """Refused rows of a live feed that are not said yet; beyond a bound the newest are lost.

    lost_count : rows that were lost since the last batch.
    lost_total : since the start.
    """

    def __init__(self, bytes_max: int = WAITING_BYTES_MAX) -> None:
        """Begin with none."""
        self.lost_count = 0
        self.lost_total = 0
        self._bytes_max = bytes_max
        self._rows: deque[RejectedRow] = deque()
        self._bytes = 0
        self._remembered: dict[bytes, None] = {}

    def __len__(self) -> int:
        """Return the number of rows that wait."""
        return len(self._rows)

    def add(self, row: RejectedRow) -> None:
        """Take a row, where there is room."""
        size = size_bytes(row)
        if self._bytes + size > self._bytes_max:
            self.lost_count += 1
            self.lost_total += 1
            return
        self._rows.append(row)
        self._bytes += size

    def add_once(self, row: RejectedRow) -> None:
        """Take a row, unless the same record was refused for the same reason not long ago."""
        said = f"{row.source} {row.reason} {row.record}".encode(errors="replace")
        digest = hashlib.blake2b(said, digest_size=_DIGEST_BYTES).digest()
        is_new = digest not in self._remembered
        # To the end: what is forgotten first is what was not said for longest.
        self._remembered.pop(digest, None)
        self._remembered[digest] = None
        if len(self._remembered) > REMEMBERED_MAX:
            del self._remembered[next(iter(self._remembered))]
        if is_new:
            self.add(row)

    def take(self) -> tuple[RejectedRow, ...]:
        """Return the next batch, empty where nothing waits."""
        batch = _Batch()
        while self._rows and batch.has_room(self._rows[0]):
            row = self._rows.popleft()
            self._bytes -= size_bytes(row)
            batch.add(row)
        return tuple(batch.rows)

    def take_lost(self) -> int:
        """Return how many rows were lost since this was last asked."""
        lost, self.lost_count = self.lost_count, 0
        return lost
