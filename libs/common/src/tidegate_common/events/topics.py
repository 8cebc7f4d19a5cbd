"""The only place with topic names, keys, partitions and value types."""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import assert_never


@unique
class PartitionedBy(StrEnum):
    """What the partitions of a topic stand for."""

    SHARD = "shard"
    RISK_PARTITION = "risk_partition"
    ONE = "one"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the platform.

    name : without the deployment's prefix.
    value_type : name of the payload in `frames` or `events`.
    content_type : media type of the value.
    is_striped : whether a deployment may spread each partition over several stripes, beat by
        beat: see `stripe_of`.
    """

    name: str
    partitioned_by: PartitionedBy
    value_type: str
    content_type: str
    description: str
    is_compacted: bool = False
    is_striped: bool = False

    @property
    def dead_letters(self) -> str:
        """Name of the topic that keeps what could not be used."""
        return f"{self.name}.dlq"


_ARROW = "application/vnd.apache.arrow.stream"
_JSON = "application/json"
_BINARY = "application/octet-stream"

TICKS = Topic(
    "market.ticks.v1",
    PartitionedBy.SHARD,
    "Frame",
    _ARROW,
    "One frame a shard and beat, from ingest.",
)
SCORES = Topic(
    "signal.scores.v1",
    PartitionedBy.SHARD,
    "ScoreBatch",
    _ARROW,
    "One score batch a shard and beat, from signals.",
)
BARS = Topic(
    "market.bars.v1",
    PartitionedBy.SHARD,
    "BarBatch",
    _ARROW,
    "The bars that ended in a beat, one batch a shard, from signals; none where no bar ended.",
)
RECOMMENDATIONS = Topic(
    "signal.recommendations.v1",
    PartitionedBy.ONE,
    "RecommendationBatch",
    _JSON,
    "The best and the worst instruments of each strategy whose scores changed in a beat.",
)
ORDERS = Topic(
    "order.commands.v1",
    PartitionedBy.SHARD,
    "OrderBatch",
    _JSON,
    "One batch a risk partition, shard and beat, from risk.",
    is_striped=True,
)
FILLS = Topic(
    "order.events.v1",
    PartitionedBy.RISK_PARTITION,
    "FillBatch",
    _JSON,
    "Order states and fills, one batch a shard, risk partition and beat, from execution.",
    is_striped=True,
)
DECISIONS = Topic(
    "risk.decisions.v1",
    PartitionedBy.RISK_PARTITION,
    "DecisionBatch",
    _JSON,
    "Why each intent became an order or not, one batch a risk partition and beat.",
)
PORTFOLIOS = Topic(
    "portfolio.snapshots.v1",
    PartitionedBy.RISK_PARTITION,
    "PortfolioBatch",
    _JSON,
    "Equity of every account and the portfolios that changed, one batch a partition and beat.",
)
REQUESTS = Topic(
    "order.requests.v1",
    PartitionedBy.RISK_PARTITION,
    "RequestEnvelope",
    _JSON,
    "Order and cancel requests of people and programs, from the gateway.",
)
JOURNAL = Topic(
    "risk.journal.v1",
    PartitionedBy.RISK_PARTITION,
    "JournalEntry",
    _JSON,
    "Which requests entered at which beat, and what was late; a chain of spans, first entry wins.",
)
LEASES = Topic(
    "ingest.leases.v1",
    PartitionedBy.ONE,
    "Lease",
    _JSON,
    "Which sequencer feeds a run, said again and again; the first of an epoch counts.",
)
REJECTS = Topic(
    "market.rejects.v1",
    PartitionedBy.ONE,
    "RejectBatch",
    _JSON,
    "Rows of feeds that ingest refused, as they came, each with its place and the reason.",
)
AUDITS = Topic(
    "gateway.audits.v1",
    PartitionedBy.ONE,
    "AuditRecord",
    _JSON,
    "Every write that a known caller asked the gateway for, and how it was answered.",
)
BACKTESTS = Topic(
    "backtest.jobs.v1",
    PartitionedBy.ONE,
    "BacktestJob",
    _JSON,
    "Backtests to run, from the gateway.",
)
SIGNALS_SNAPSHOTS = Topic(
    "signals.snapshots.v1",
    PartitionedBy.SHARD,
    "SnapshotChunk",
    _BINARY,
    "Memory of signals by shard.",
    is_compacted=True,
)
RECOMMENDATIONS_SNAPSHOTS = Topic(
    "recommendations.snapshots.v1",
    PartitionedBy.ONE,
    "SnapshotChunk",
    _BINARY,
    "Memory of recommendations.",
    is_compacted=True,
)
EXECUTION_SNAPSHOTS = Topic(
    "execution.snapshots.v1",
    PartitionedBy.SHARD,
    "SnapshotChunk",
    _BINARY,
    "Memory of execution by shard.",
    is_compacted=True,
)
RISK_SNAPSHOTS = Topic(
    "risk.snapshots.v1",
    PartitionedBy.RISK_PARTITION,
    "SnapshotChunk",
    _BINARY,
    "Memory of risk by partition.",
    is_compacted=True,
)

TOPICS: tuple[Topic, ...] = (
    TICKS,
    SCORES,
    BARS,
    RECOMMENDATIONS,
    ORDERS,
    FILLS,
    DECISIONS,
    PORTFOLIOS,
    REQUESTS,
    JOURNAL,
    LEASES,
    REJECTS,
    AUDITS,
    BACKTESTS,
    SIGNALS_SNAPSHOTS,
    RECOMMENDATIONS_SNAPSHOTS,
    EXECUTION_SNAPSHOTS,
    RISK_SNAPSHOTS,
)

COMPACTED_TOPICS = frozenset(topic.name for topic in TOPICS if topic.is_compacted)
STRIPED_TOPICS = {topic.name: topic for topic in TOPICS if topic.is_striped}

# Kept outside TOPICS: nothing is ever dead-lettered from a dead-letter topic.
DEAD_LETTER_PARTITIONS = 1


def partition_count(
    topic: Topic,
    *,
    shard_count: int,
    risk_partition_count: int,
    stripe_count: int = 1,
) -> int:
    """Return how many partitions a topic has in a deployment."""
    stripes = stripe_count if topic.is_striped else 1
    match topic.partitioned_by:
        case PartitionedBy.SHARD:
            return shard_count * stripes
        case PartitionedBy.RISK_PARTITION:
            return risk_partition_count * stripes
        case PartitionedBy.ONE:
            return stripes
        case _:
            assert_never(topic.partitioned_by)


def stripe_of(topic: Topic, partition: int, beat: int, stripe_count: int) -> int:
    """Return the partition of the bus that carries a beat of one of the topic's partitions.

    Risk and execution wait for each other in every beat, so each beat is a fetch of its own. On a
    broker whose fetches cost by the length of the partition (the embedded one), spreading the
    beats over stripes keeps them short. On other brokers there is one stripe.
    """
    if not topic.is_striped:
        return partition
    return partition * stripe_count + beat % stripe_count


def partition_of_stripe(topic: Topic, stripe: int, stripe_count: int) -> int:
    """Return the topic's partition that a partition of the bus belongs to."""
    return stripe // stripe_count if topic.is_striped else stripe
