"""What operators see of a stage besides its beats: how far it is behind, and whether it reads.

Nothing of it is in a beat's way: it is looked up when the metrics are scraped, and the ends of the
inputs, which the broker has to be asked for, every few seconds.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from tidegate_common.bus.base import Bus, Reader, TopicPartition
from tidegate_common.clock import Clock
from tidegate_common.errors import TransientError
from tidegate_common.runtime.metrics import StageMetrics

LAG_EVERY_SECONDS = 5.0

Positions = Callable[[], Mapping[TopicPartition, int]]


class StageWatch:
    """Tells the metrics of one stage's reading.

    Parameters
    ----------
    positions : returns where to read on after what the stage has taken, by partition.
    backlog_beats : returns how many beats wait whole; None for a stage that takes no beats.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        metrics: StageMetrics,
        clock: Clock,
        stage: str,
        positions: Positions,
        backlog_beats: Callable[[], int] | None = None,
    ) -> None:
        self._bus = bus
        self._metrics = metrics
        self._clock = clock
        self._stage = stage
        self._positions = positions
        self._backlog_beats = backlog_beats
        self._readers: Sequence[Reader] = ()
        self._returned_at: dict[int, float] = {}
        self._lag: Counter[str] = Counter()

    def returned(self, reader: int = 0) -> None:
        """Note that a reader, by its number, has come back from its broker."""
        self._returned_at[reader] = self._clock.monotonic_seconds()

    @contextmanager
    def watching(self, readers: Sequence[Reader]) -> Iterator[None]:
        """Let the metrics look while these readers are at work."""
        self._readers = readers
        now = self._clock.monotonic_seconds()
        self._returned_at = dict.fromkeys(range(len(readers)), now)
        metrics, stage = self._metrics, self._stage
        topics = sorted({place.topic for place in self._positions()})
        probes = [metrics.poll_age.probe(self.silent_seconds, stage)]
        if self._backlog_beats:
            probes.append(metrics.lag_beats.probe(self._backlog_beats, stage))
        probes += [
            metrics.consumer_lag.probe(self._lag_of(topic), stage, topic) for topic in topics
        ]
        try:
            yield
        finally:
            for probe in probes:
                probe.end()

    async def run(self) -> None:
        """Look at the ends of the inputs for ever; without a broker, the last look stays."""
        while True:
            with suppress(TransientError):
                await self.look()
            await self._clock.sleep(LAG_EVERY_SECONDS)

    async def look(self) -> None:
        """Find out how many messages of each topic are to be taken yet."""
        ends = await self._bus.end_offsets(list(self._positions()))
        taken = self._positions()
        lag: Counter[str] = Counter()
        for place, end in ends.items():
            lag[place.topic] += max(0, end - taken[place])
        self._lag = lag

    def silent_seconds(self) -> float:
        """Return how long the most silent reader has not come back, or not heard of its broker."""
        now, now_ns = self._clock.monotonic_seconds(), self._clock.now_ns()
        silent = [now - returned_at for returned_at in self._returned_at.values()]
        answers = filter(None, [reader.answered_ns() for reader in self._readers])
        return max(0.0, *silent, *((now_ns - answered_ns) / 1e9 for answered_ns in answers))

    def _lag_of(self, topic: str) -> Callable[[], int]:
        return lambda: self._lag[topic]
