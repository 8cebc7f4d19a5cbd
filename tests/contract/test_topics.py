"""Topics: names, partitions and contents, in the one place that has them."""

import re
from pathlib import Path

import pytest

from tidegate_cli.services import Topology
from tidegate_cli.topics import new_topics
from tidegate_common.events.topics import (
    DEAD_LETTER_PARTITIONS,
    STRIPED_TOPICS,
    TOPICS,
    PartitionedBy,
    Topic,
    partition_count,
    partition_of_stripe,
    stripe_of,
)

GOLDEN = Path(__file__).parent / "golden" / "topics.txt"


def line_of(topic: Topic) -> str:
    """Return what the contract says of a topic."""
    flags = [
        name
        for name, is_set in (("compacted", topic.is_compacted), ("striped", topic.is_striped))
        if is_set
    ]
    parts = [
        topic.name,
        topic.partitioned_by.value,
        topic.value_type,
        topic.content_type,
        topic.dead_letters,
        *flags,
    ]
    return " ".join(parts)


def test_topics_are_golden() -> None:
    """A topic that is renamed or keyed otherwise is a new topic, `v2`."""
    assert [line_of(topic) for topic in TOPICS] == GOLDEN.read_text().splitlines()


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_topic_name_is_domain_plural_noun_and_version(topic: Topic) -> None:
    """House style, section 8."""
    assert re.fullmatch(r"[a-z]+\.[a-z]+s?\.v[1-9]", topic.name)
    assert topic.description.endswith(".")
    assert topic.dead_letters == f"{topic.name}.dlq"
    assert DEAD_LETTER_PARTITIONS == 1


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_topic_has_the_partitions_of_the_deployment(topic: Topic) -> None:
    """Topics are created with explicit partitions, never by auto-create."""
    stripes = 4 if topic.is_striped else 1
    expected = {PartitionedBy.SHARD: 3, PartitionedBy.RISK_PARTITION: 2, PartitionedBy.ONE: 1}

    count = partition_count(topic, shard_count=3, risk_partition_count=2, stripe_count=4)

    assert count == expected[topic.partitioned_by] * stripes


def test_topic_of_one_partition_has_one() -> None:
    """Whatever the deployment."""
    topic = Topic("a.b.v1", PartitionedBy.ONE, "X", "application/json", "X.")

    assert partition_count(topic, shard_count=3, risk_partition_count=2) == 1


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_topic_stripes_never_mix_partitions(topic: Topic) -> None:
    """Every stripe belongs to one partition, and each beat has one stripe."""
    stripes = {
        (partition, beat): stripe_of(topic, partition, beat, 4)
        for partition in range(3)
        for beat in range(9)
    }

    assert all(
        partition_of_stripe(topic, stripe, 4) == partition
        for (partition, _), stripe in stripes.items()
    )
    assert len(set(stripes.values())) == (12 if topic.name in STRIPED_TOPICS else 3)


def test_topics_are_created_with_as_many_replicas_as_asked_for() -> None:
    """What one broker alone keeps is gone with it, dead letters too."""
    topics = new_topics(Topology(2, 3), 3)

    assert {topic.replica_count for topic in topics} == {3}
    assert len(topics) == 2 * len(TOPICS)
    assert {topic.replica_count for topic in new_topics(Topology())} == {1}
