"""Metrics that all stages share; names are declared here and nowhere else.

Labels are few and bounded: stage, topic, outcome, rule; never an instrument, order or account.
"""

from collections.abc import Callable, Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

# They double every counter for nothing: a restart shows in the process's own start time.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the client's

# From a tenth of a millisecond, a beat's compute, to ten seconds, a stalled loop.
_LATENCY_SECONDS = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    10.0,
)


# From half a millisecond, two hops inside one machine, to a minute, a stage that was away.
_BEAT_LATENCY_SECONDS = (
    0.0005,
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    20.0,
    60.0,
)


# A late shard is waited for as long as a run allows, which is seconds.
_WAIT_SECONDS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)


class Probe:
    """One part of what a `ProbedGauge` shows, until it ends."""

    def __init__(self, gauge: "ProbedGauge", labels: tuple[str, ...]) -> None:
        self._gauge = gauge
        self._labels = labels

    def end(self) -> None:
        """Let the gauge look no more; a series that nobody knows any part of is gone."""
        self._gauge.forget(self, self._labels)


class ProbedGauge:
    """A gauge whose value is looked up when it is scraped, and costs nothing in between.

    Parameters
    ----------
    combine : makes one value of what several in the process say of the same labels, such as the
        shards that a process of signals has at the time.
    """

    def __init__(self, gauge: Gauge, combine: Callable[[Iterable[float]], float] = max) -> None:
        self._gauge = gauge
        self._combine = combine
        self._probes: dict[tuple[str, ...], dict[Probe, Callable[[], float]]] = {}

    def probe(self, look: Callable[[], float], *labels: str) -> Probe:
        """Let the gauge look there too; it is asked on the thread that scrapes."""
        probes = self._probes.setdefault(labels, {})
        probe = Probe(self, labels)
        probes[probe] = look
        self._gauge.labels(*labels).set_function(
            lambda: self._combine([one() for one in probes.values()])
        )
        return probe

    def forget(self, probe: Probe, labels: tuple[str, ...]) -> None:
        """Look there no more."""
        probes = self._probes[labels]
        del probes[probe]
        if not probes:
            self._gauge.remove(*labels)


class _ReadingMetrics:
    """How a stage reads, besides its beats."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.latency_seconds = Histogram(
            "tidegate_stage_latency_seconds",
            "Since ingest sent a beat's frame until this stage's output of it was out.",
            ["stage"],
            buckets=_BEAT_LATENCY_SECONDS,
            registry=registry,
        )
        self.alignment_wait = Histogram(
            "tidegate_stage_alignment_wait_seconds",
            "From the first frame of a beat to the last of its inputs, as they came.",
            ["stage"],
            buckets=_WAIT_SECONDS,
            registry=registry,
        )
        self.stale_shards = Gauge(
            "tidegate_stage_stale_shards",
            "Inputs that the last beat was taken without: their instruments count as stale.",
            ["stage"],
            registry=registry,
        )
        self.lag_beats = ProbedGauge(
            Gauge(
                "tidegate_stage_lag_beats",
                "Beats whose frames have all come, and which are not taken yet.",
                ["stage"],
                registry=registry,
            )
        )
        self.consumer_lag = ProbedGauge(
            Gauge(
                "tidegate_stage_consumer_lag_messages",
                "Messages of the log that are not taken yet: its end, looked up every 5 s, less "
                "the position.",
                ["stage", "topic"],
                registry=registry,
            ),
            sum,
        )
        self.poll_age = ProbedGauge(
            Gauge(
                "tidegate_stage_poll_age_seconds",
                "Since the most silent reader came back from its broker, if only with nothing.",
                ["stage"],
                registry=registry,
            )
        )
        self.breaker_open = ProbedGauge(
            Gauge(
                "tidegate_stage_breaker_open",
                "1 while a server is left alone after failures: redis, postgres, replica or kafka.",
                ["stage", "server"],
                registry=registry,
            )
        )


class StageMetrics(_ReadingMetrics):
    """Metrics of one process; one registry each, so that tests do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.beats = Counter(
            "tidegate_stage_beats_total",
            "Beats taken.",
            ["stage"],
            registry=self.registry,
        )
        self.beat_number = Gauge(
            "tidegate_stage_beat_number",
            "Number of the last beat in its run.",
            ["stage"],
            registry=self.registry,
        )
        self.beat_seconds = Histogram(
            "tidegate_stage_beat_seconds",
            "Time in the engine for a beat, decode excluded.",
            ["stage"],
            buckets=_LATENCY_SECONDS,
            registry=self.registry,
        )
        self.round_trip_seconds = Histogram(
            "tidegate_stage_round_trip_seconds",
            "Beat sent until the answer is there, where risk and execution wait for each other.",
            ["stage"],
            buckets=_LATENCY_SECONDS,
            registry=self.registry,
        )
        self.repeats = Counter(
            "tidegate_stage_repeats_total",
            "Messages dropped because their beat was seen.",
            ["stage"],
            registry=self.registry,
        )
        self.late_inputs = Counter(
            "tidegate_stage_late_inputs_total",
            "Inputs of a beat that it was taken without.",
            ["stage"],
            registry=self.registry,
        )
        self.dead_letters = Counter(
            "tidegate_stage_dead_letters_total",
            "Messages that could not be used.",
            ["stage", "topic"],
            registry=self.registry,
        )
        self.snapshots = Counter(
            "tidegate_stage_snapshots_total",
            "Snapshots written.",
            ["stage"],
            registry=self.registry,
        )
        self.snapshot_bytes = Gauge(
            "tidegate_stage_snapshot_bytes",
            "Size of the last snapshot, compressed.",
            ["stage"],
            registry=self.registry,
        )
        self.cache_writes = Counter(
            "tidegate_stage_cache_writes_total",
            "Writes to Redis: written, failed, or skipped while it is left alone after failures.",
            ["stage", "outcome"],
            registry=self.registry,
        )
        super().__init__(self.registry)
