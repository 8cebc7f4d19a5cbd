"""What the recorder counts."""

import math

from prometheus_client import CollectorRegistry, Counter, Gauge

from tidegate_recorder.intake import READ_TOPICS


class RecorderMetrics:
    """Metrics of one recorder; without a registry they are counted and shown nowhere."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.messages = Counter(
            "tidegate_recorder_messages_total",
            "Messages recorded, repeats included.",
            registry=registry,
        )
        self.transactions = Counter(
            "tidegate_recorder_transactions_total",
            "Transactions committed.",
            registry=registry,
        )
        self.outages = Counter(
            "tidegate_recorder_write_failures_total",
            "Transactions that PostgreSQL did not take at once.",
            registry=registry,
        )
        self.dead_letters = Counter(
            "tidegate_recorder_dead_letters_total",
            "Messages that could not be used.",
            ["topic"],
            registry=registry,
        )
        self.archive_files = Counter(
            "tidegate_recorder_archive_files_total",
            "Files of tick frames completed.",
            registry=registry,
        )
        self.archive_free = Gauge(
            "tidegate_recorder_archive_free_bytes",
            "Free space where the archive is; NaN where frames are not archived.",
            registry=registry,
        )
        self.archive_free.set(math.nan)
        # What happens seldom is 0 before, not missing: a rate over it sees its first time.
        for topic in READ_TOPICS:
            self.dead_letters.labels(topic.name)
