"""What ingest counts."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class IngestMetrics:
    """Metrics of one sequencer; without a registry they are counted and shown nowhere."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.active = Gauge(
            "tidegate_ingest_active",
            "1 where this sequencer feeds the run, 0 where it stands by.",
            registry=registry,
        )
        self.epoch = Gauge(
            "tidegate_ingest_epoch_number",
            "Epoch of the lease that it last held.",
            registry=registry,
        )
        self.takeovers = Counter(
            "tidegate_ingest_takeovers_total",
            "Times that it went on where another sequencer, or an earlier life, had stopped.",
            registry=registry,
        )
