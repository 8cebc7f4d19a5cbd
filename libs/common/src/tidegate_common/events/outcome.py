"""What a run came to: its summary, and the hash by which two runs are compared."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum, unique

from tidegate_common.domain.ids import RunId


@unique
class OutcomeStream(StrEnum):
    """What counts for the outcome."""

    DECISIONS = "decisions"
    ORDERS = "orders"
    FILLS = "fills"
    PORTFOLIOS = "portfolios"


class OutcomeDigest:
    """SHA-256 over every decision, order, fill and the final portfolios of a run.

    Each stream is hashed in its own order (decisions and orders by beat, account and sequence,
    fills by beat, account, order beat, sequence and fill number, portfolios by account), so the
    number of shards and partitions does not show. The run's id is taken out, so that the same
    outcome of two runs has one hash.
    """

    def __init__(self, run_id: RunId) -> None:
        self._prefix = f'"{run_id}.'.encode()
        self._hashes = {stream: hashlib.sha256() for stream in OutcomeStream}

    def add(self, stream: OutcomeStream, payload: bytes) -> None:
        """Take the next event of a stream, as `encode_event` wrote it."""
        digest = self._hashes[stream]
        digest.update(payload.replace(self._prefix, b'"'))
        digest.update(b"\n")

    def hexdigest(self) -> str:
        """Return the hash of what was taken so far."""
        parts = "".join(
            f"{stream}:{digest.hexdigest()}\n" for stream, digest in self._hashes.items()
        )
        return hashlib.sha256(parts.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The figures of a finished run; the keys of `--json`.

    ticks : quote and bar rows. final_nav_fen : sum over the accounts.
    wall_s : seconds from the first beat to the last, as measured where the run was watched.
    """

    run_id: RunId
    beats: int
    ticks: int
    scores: int
    decisions_accepted: int
    decisions_rejected: dict[str, int]
    orders: int
    fills: int
    fees_fen: int
    final_nav_fen: int
    dead_letters: int
    wall_s: float
    beats_per_s: float
    outcome_sha256: str
