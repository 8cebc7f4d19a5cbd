"""Follows a run through the stack until it is recorded whole, or until it stands still."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from tidegate_cli.servers.ports import LOOPBACK
from tidegate_common.clock import Clock
from tidegate_common.errors import TidegateError

POLL_SECONDS: Final = 0.1
# A stage that recovers reads at most 60 s; twice that is a stand-still.
STALL_SECONDS_MAX: Final = 120.0
_STATUS_SECONDS_MAX: Final = 2.0

Status = Mapping[str, object]


class RunStalledError(TidegateError):
    """Nothing has moved for too long."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """How far the recorder is.

    beats : recorded without gap from the first one.
    """

    beats: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Probes:
    """Where the watch looks.

    recorded : reads how far the recorder is.
    ingest : reads what ingest says of itself; None while it does not answer.
    statuses : reads what every stage says of itself; None for one that does not answer.
    """

    recorded: Callable[[], Awaitable[Recorded]]
    ingest: Callable[[], Awaitable[Status | None]]
    statuses: Callable[[], Awaitable[Mapping[str, Status | None]]]


@dataclass(slots=True)
class RunWatch:
    """Watches one run; `started_at` and `beat_count` are what it learned from ingest."""

    probes: Probes
    clock: Clock
    show: Callable[[int, int | None], None]
    stall_seconds_max: float = STALL_SECONDS_MAX
    beat_count: int | None = None
    started_at: float | None = None
    _moved_at: float = 0.0
    _beats_seen: int = -1

    async def until_complete(self) -> float:
        """Return how many seconds the run took, from its first beat until it was recorded.

        Raises
        ------
        RunStalledError
            If nothing moved for 120 s; the message says which service lags.
        """
        self._moved_at = self.clock.monotonic_seconds()
        while True:
            if self.started_at is None or self.beat_count is None:
                self._learn(await self.probes.ingest())
            recorded = await self.probes.recorded()
            now = self.clock.monotonic_seconds()
            if self.started_at is None and recorded.beats:
                self.started_at = now
            if recorded.is_complete:
                self.show(recorded.beats, recorded.beats)
                return 0.0 if self.started_at is None else now - self.started_at
            self.show(recorded.beats, self.beat_count)
            await self._check_stall(recorded, now)
            await self.clock.sleep(POLL_SECONDS)

    def _learn(self, ingest: Status | None) -> None:
        if ingest is None:
            return
        beat_count = ingest.get("beat_count")
        if isinstance(beat_count, int):
            self.beat_count = beat_count
        if self.started_at is None and _next_beat(ingest):
            self.started_at = self.clock.monotonic_seconds()

    async def _check_stall(self, recorded: Recorded, now: float) -> None:
        if recorded.beats != self._beats_seen:
            self._beats_seen, self._moved_at = recorded.beats, now
        if now - self._moved_at < self.stall_seconds_max:
            return
        total = f" of {self.beat_count}" if self.beat_count is not None else ""
        message = (
            f"no progress for {self.stall_seconds_max:.0f} s, {recorded.beats}{total} beats are "
            f"recorded: {await self._laggard(recorded)}"
        )
        raise RunStalledError(message)

    async def _laggard(self, recorded: Recorded) -> str:
        """Say which service holds the others back, and where each is."""
        statuses = await self.probes.statuses()
        silent = [name for name, status in statuses.items() if status is None]
        if silent:
            return f"no answer from {', '.join(silent)}"
        beats = {name: _next_beat(status) for name, status in statuses.items() if status}
        beats["recorder"] = recorded.beats
        behind = min(beats, key=lambda name: beats[name])
        places = ", ".join(f"{name} {beat}" for name, beat in beats.items())
        return f"{behind} lags (next beats: {places})"


class StatusClient:
    """Asks services over HTTP what they are at."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self._ports = dict(ports)
        self._client = httpx.AsyncClient(timeout=_STATUS_SECONDS_MAX, trust_env=False)

    async def status(self, name: str) -> Status | None:
        """Return what a service says of itself; None if it does not answer."""
        text = await self.text(name, "/status")
        try:
            document = json.loads(text or "")
        except ValueError:
            return None
        return document if isinstance(document, dict) else None

    async def text(self, name: str, path: str) -> str | None:
        """Return what a service answers to a path; None if it does not."""
        try:
            answer = await self._client.get(f"http://{LOOPBACK}:{self._ports[name]}{path}")
        except httpx.HTTPError:
            return None
        return answer.text if answer.is_success else None

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()


def _next_beat(status: Status) -> int:
    """Return the beat that a service takes next; of signals, that of its last shard."""
    shards = status.get("shards")
    if isinstance(shards, dict):
        return min((_next_beat(shard) for shard in shards.values()), default=0)
    beat = status.get("next_beat")
    return beat if isinstance(beat, int) else 0
