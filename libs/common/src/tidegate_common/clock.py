"""Time as an argument: shells take a clock, so that tests can hold it still."""

from typing import Protocol


class Clock(Protocol):
    """Reads time and waits."""

    def now_ns(self) -> int:
        """Return wall time, ns since the UTC epoch."""

    def monotonic_seconds(self) -> float:
        """Return time that never goes back, in seconds from an unknown start."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class ManualClock:
    """A clock that moves only when told, or when somebody sleeps on it."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        """Return the time that was set."""
        return self._now_ns

    def monotonic_seconds(self) -> float:
        """Return the time that was set, in seconds."""
        return self._now_ns / 1e9

    def advance(self, seconds: float) -> None:
        """Move on."""
        self._now_ns += round(seconds * 1e9)

    async def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.advance(seconds)
