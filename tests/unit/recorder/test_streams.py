"""Repeats, gaps and strangers."""

import pytest

from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ContractError
from tidegate_common.events.message import Origin
from tidegate_common.events.topics import (
    BARS,
    DECISIONS,
    FILLS,
    ORDERS,
    PORTFOLIOS,
    RECOMMENDATIONS,
    SCORES,
    Topic,
)
from tidegate_recorder.engine.rows import StreamRow
from tidegate_recorder.engine.streams import Streams


def origin(beat: int, producer: str = "risk-0", run: str = "run-1") -> Origin:
    """Return who said which beat."""
    return Origin(RunId(run), beat, producer)


def two_by_two() -> Streams:
    """Return the streams of two shards and two risk partitions."""
    return Streams(shard_count=2, risk_partition_count=2)


def test_stream_next_beat_is_news_and_the_same_again_is_not() -> None:
    """A stage says again after a crash what it had said."""
    streams = two_by_two()

    assert [streams.take(DECISIONS, 0, origin(beat)) for beat in (0, 1, 1, 0, 2)] == [
        True,
        True,
        False,
        False,
        True,
    ]


def test_stream_missing_beat_is_refused_and_changes_nothing() -> None:
    """No stage took it either."""
    streams = two_by_two()
    streams.take(DECISIONS, 0, origin(0))

    with pytest.raises(ContractError, match="expected beat 1 of run run-1 from risk-0, found"):
        streams.take(DECISIONS, 0, origin(2))

    assert streams.take(DECISIONS, 0, origin(1))


def test_stream_each_run_producer_and_partition_counts_for_itself() -> None:
    """They interleave in any way."""
    streams = two_by_two()

    assert streams.take(ORDERS, 0, origin(0))
    assert streams.take(ORDERS, 1, origin(0))
    assert streams.take(ORDERS, 0, origin(0, "risk-1"))
    assert streams.take(ORDERS, 0, origin(0, run="run-2"))


@pytest.mark.parametrize(
    ("topic", "partition", "producer", "known"),
    [
        (ORDERS, 0, "risk-2", "risk-0, risk-1"),
        (FILLS, 1, "risk-0", "execution-0, execution-1"),
        (DECISIONS, 1, "risk-0", "risk-1"),
        (PORTFOLIOS, 0, "mallory", "risk-0"),
    ],
)
def test_stream_of_a_stranger_is_refused(
    topic: Topic,
    partition: int,
    producer: str,
    known: str,
) -> None:
    """Only who owns a partition speaks there."""
    with pytest.raises(ContractError, match=f"ce_producer must be one of {known}, was {producer}"):
        two_by_two().take(topic, partition, origin(0, producer))


def test_stream_of_no_run_is_refused() -> None:
    """The run's id becomes a key of the tables."""
    with pytest.raises(ContractError, match="ce_run must be"):
        two_by_two().take(DECISIONS, 0, origin(0, run="a\0b"))


def test_changes_are_told_once_in_order() -> None:
    """They go into the transaction of the messages that made them."""
    streams = two_by_two()
    streams.take(ORDERS, 0, origin(0, "risk-1"))
    streams.take(DECISIONS, 0, origin(0))
    streams.take(DECISIONS, 0, origin(1))

    assert streams.take_changes() == [
        StreamRow("run-1", ORDERS.name, 0, "risk-1", 0),
        StreamRow("run-1", DECISIONS.name, 0, "risk-0", 1),
    ]
    assert streams.take_changes() == []


def test_stored_streams_are_taken_up() -> None:
    """A restart forgets no beat that it wrote."""
    rows = [StreamRow("run-1", DECISIONS.name, 0, "risk-0", 4)]

    streams = Streams(shard_count=1, risk_partition_count=1, rows=rows)

    assert not streams.take(DECISIONS, 0, origin(4))
    assert streams.take(DECISIONS, 0, origin(5))


@pytest.mark.parametrize(
    ("topic", "producer"),
    [(BARS, "signals-0"), (RECOMMENDATIONS, "recommendations-0")],
)
def test_stream_of_a_sparse_topic_skips_beats(topic: Topic, producer: str) -> None:
    """Nothing is missing where nothing was to be said; a repeat is one all the same."""
    streams = two_by_two()

    taken = [streams.take(topic, 0, origin(beat, producer)) for beat in (3, 8, 3, 8, 9)]

    assert taken == [True, True, False, False, True]


def test_stream_last_beats_are_by_partition_of_one_run() -> None:
    """The memory of scores is taken up as of them."""
    streams = two_by_two()
    streams.take(SCORES, 0, origin(0, "signals-0"))
    streams.take(SCORES, 0, origin(1, "signals-0"))
    streams.take(SCORES, 1, origin(0, "signals-1"))
    streams.take(SCORES, 0, origin(0, "signals-0", run="run-2"))

    assert streams.last_beats(RunId("run-1"), SCORES) == {0: 1, 1: 0}
    assert streams.last_beats(RunId("run-3"), SCORES) == {}
