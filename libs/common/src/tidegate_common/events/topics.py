"""The only place with topic names, keys, partitions and value types."""

from dataclasses import dataclass
from enum import StrEnum, unique


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
    """

    name: str
    partitioned_by: PartitionedBy
    value_type: str
    content_type: str
    description: str
    is_compacted: bool = False

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
ORDERS = Topic(
    "order.commands.v1",
    PartitionedBy.SHARD,
    "OrderBatch",
    _JSON,
    "One batch a risk partition, shard and beat, from risk.",
)
FILLS = Topic(
    "order.events.v1",
    PartitionedBy.RISK_PARTITION,
    "FillBatch",
    _JSON,
    "Order states and fills, one batch a shard, risk partition and beat, from execution.",
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
    "Which requests entered at which beat; a chain of spans, first entry wins.",
)
SIGNALS_SNAPSHOTS = Topic(
    "signals.snapshots.v1",
    PartitionedBy.SHARD,
    "SnapshotChunk",
    _BINARY,
    "Memory of signals by shard.",
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
    ORDERS,
    FILLS,
    DECISIONS,
    PORTFOLIOS,
    REQUESTS,
    JOURNAL,
    SIGNALS_SNAPSHOTS,
    EXECUTION_SNAPSHOTS,
    RISK_SNAPSHOTS,
)

# Kept outside TOPICS: nothing is ever dead-lettered from a dead-letter topic.
DEAD_LETTER_PARTITIONS = 1


def partition_count(topic: Topic, *, shard_count: int, risk_partition_count: int) -> int:
    """Return how many partitions a topic has in a deployment."""
    match topic.partitioned_by:
        case PartitionedBy.SHARD:
            return shard_count
        case PartitionedBy.RISK_PARTITION:
            return risk_partition_count
        case PartitionedBy.ONE:
            return 1
