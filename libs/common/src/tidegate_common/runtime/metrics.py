"""Metrics that all stages share; names are declared here and nowhere else.

Labels are few and bounded: stage, topic, outcome, rule; never an instrument, order or account.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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


class StageMetrics:
    """Metrics of one process; one registry each, so that tests do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
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
