"""The machine's clock, for shells."""

import asyncio
import time


class SystemClock:
    """Reads the machine's clock."""

    def now_ns(self) -> int:
        """Return wall time, ns since the UTC epoch."""
        return time.time_ns()

    def monotonic_seconds(self) -> float:
        """Return time that never goes back, in seconds."""
        return time.perf_counter()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
