"""`tidegate topics create`: every topic with its partitions, and its dead letters."""

from tidegate_cli.services import Topology
from tidegate_common.bus.base import NewTopic
from tidegate_common.bus.kafka import KafkaBus, KafkaConfig
from tidegate_common.events.topics import DEAD_LETTER_PARTITIONS, TOPICS, partition_count


def new_topics(topology: Topology, replica_count: int = 1) -> list[NewTopic]:
    """Return all topics of a deployment, each kept by so many brokers."""
    topics: list[NewTopic] = []
    for topic in TOPICS:
        count = partition_count(
            topic,
            shard_count=topology.shard_count,
            risk_partition_count=topology.risk_partition_count,
            stripe_count=topology.stripe_count,
        )
        topics.append(NewTopic(topic.name, count, topic.is_compacted, replica_count))
        letters = NewTopic(topic.dead_letters, DEAD_LETTER_PARTITIONS, replica_count=replica_count)
        topics.append(letters)
    return topics


async def create_topics(config: KafkaConfig, topology: Topology, replica_count: int = 1) -> int:
    """Create the topics that are missing; return how many there are.

    Raises
    ------
    ConfigError
        If no broker answers, or a topic has another number of partitions.
    """
    bus = KafkaBus(config)
    # Waits for the broker, and says so when there is none.
    await bus.start()
    try:
        topics = new_topics(topology, replica_count)
        await bus.create_topics(topics)
    finally:
        await bus.close()
    return len(topics)
