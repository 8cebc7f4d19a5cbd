"""Score batches: what is put in comes out, and shards are invisible in the ranks."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tidegate_common.errors import ContractError
from tidegate_common.frames.codec import decode_scores, encode_scores
from tidegate_common.frames.frame import (
    NO_REASON,
    REASONS_MAX,
    ScoreBatch,
    empty_scores,
    merge_scores,
    no_reasons,
    ranks_e6,
)
from tidegate_common.testing.builders import make_scores, make_stamp

METADATA = b"tidegate"


def ranked(scores: dict[str, list[int]], *, raw: frozenset[str] = frozenset()) -> ScoreBatch:
    """Return a batch of scores of the instruments 1600000, 1600001, ... by strategy."""
    counts = [len(values) for values in scores.values()]
    return ScoreBatch(
        stamp=make_stamp(),
        shard=0,
        strategies=tuple(scores),
        is_ranked=tuple(name in raw for name in scores),
        reason_names=((),) * len(scores),
        strategy=np.repeat(np.arange(len(scores)), counts),
        instrument=np.array([1_600_000 + row for count in counts for row in range(count)]),
        score_e6=np.array([score for values in scores.values() for score in values], np.int64),
        reason_e6=no_reasons(sum(counts)),
    )


def part_of(batch: ScoreBatch, chosen: np.ndarray, shard: int) -> ScoreBatch:
    """Return some scores of a batch as those of a shard."""
    return replace(
        batch,
        shard=shard,
        strategy=batch.strategy[chosen],
        instrument=batch.instrument[chosen],
        score_e6=batch.score_e6[chosen],
        reason_e6=batch.reason_e6[chosen],
    )


def rewritten(
    data: bytes,
    change: Callable[[dict[str, Any]], object] = lambda about: None,
    dropped: tuple[str, ...] = (),
) -> bytes:
    """Return a message with its metadata changed and without some columns."""
    with pa.ipc.open_stream(data) as reader:
        batch = reader.read_next_batch().drop_columns([*dropped])
    about = json.loads(batch.schema.metadata[METADATA])
    change(about)
    schema = batch.schema.with_metadata({METADATA: json.dumps(about).encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
    changed: bytes = sink.getvalue().to_pybytes()
    return changed


@pytest.mark.parametrize("row_count", [0, 3, 20_000])
def test_scores_decoded_are_what_was_encoded(row_count: int) -> None:
    """Scores and reasons are integers on the wire, so nothing is lost."""
    batch = make_scores(2, shard=1, row_count=row_count)

    decoded = decode_scores(encode_scores(batch))

    for name in ("stamp", "shard", "strategies", "is_ranked", "reason_names"):
        assert getattr(decoded, name) == getattr(batch, name)
    for name in ("strategy", "instrument", "score_e6", "reason_e6"):
        assert getattr(decoded, name).dtype == np.int64
        assert getattr(decoded, name).tolist() == getattr(batch, name).tolist()
    assert encode_scores(decoded) == encode_scores(batch)


def test_scores_of_before_reasons_decode_without_any() -> None:
    """In one major version only optional fields are added."""

    def forget(about: dict[str, Any]) -> None:
        del about["is_ranked"], about["reason_names"]

    data = rewritten(encode_scores(make_scores()), forget, ("reason_e6",))

    decoded = decode_scores(data)

    assert decoded.is_ranked == (False, False)
    assert decoded.reason_names == ((), ())
    assert decoded.reason_e6.tolist() == [[NO_REASON] * REASONS_MAX] * 6


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"strategy": [0, 0, 0, 1, 1, 2]}, r"strategy must be in 0\.\.1, was 0\.\.2"),
        ({"strategy": [-1, 0, 0, 1, 1, 1]}, r"strategy must be in 0\.\.1, was -1\.\.1"),
        ({"strategy": [0, 1, 0, 1, 1, 1]}, "sorted by strategy and instrument"),
        ({"instrument": [1_600_000, 1_600_000, 1_600_001] * 2}, "sorted by strategy and"),
        ({"instrument": [2**63 - 1, -(2**63), 1] * 2}, "instrument must be exchange"),
        (
            {"score_e6": [0, 1_000_001, 0, 0, 0, 0]},
            r"score_e6 must be in -1000000\.\.1000000, was 1000001 \(row 1, instrument 600001\.SH",
        ),
        (
            {"score_e6": [0, 0, 0, 0, 0, -(2**63)]},
            "score_e6 must be in .*, was -9223372036854775808",
        ),
    ],
)
def test_scores_with_an_impossible_value_are_refused(
    changes: dict[str, list[int]], text: str
) -> None:
    """A score of an unknown strategy, or two scores for one thing, would be a guess."""
    columns = {name: np.array(column, np.int64) for name, column in changes.items()}
    # The names are of array columns, which no type can say.
    data = encode_scores(replace(make_scores(), **columns))  # type: ignore[arg-type]

    with pytest.raises(ContractError, match=text):
        decode_scores(data)


@pytest.mark.parametrize("score_e6", [10**15, -(10**15)])
def test_raw_scores_of_a_ranked_strategy_may_be_large(score_e6: int) -> None:
    """What they are measured in is the strategy's own affair."""
    batch = ranked({"value": [score_e6]}, raw=frozenset({"value"}))

    assert decode_scores(encode_scores(batch)).score_e6.tolist() == [score_e6]


@pytest.mark.parametrize("score_e6", [10**15 + 1, -(10**15) - 1])
def test_raw_scores_beyond_their_range_are_refused(score_e6: int) -> None:
    """But not so large that a difference could overflow."""
    batch = ranked({"value": [score_e6]}, raw=frozenset({"value"}))

    with pytest.raises(ContractError, match=r"score_e6 must be in -10{15}\.\.10{15}"):
        decode_scores(encode_scores(batch))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"strategies": None}, "strategies must be a list of names, was None"),
        ({"strategies": "imbalance"}, "strategies must be a list of names"),
        ({"strategies": ["imbalance", 2]}, "strategies must be a list of names"),
        ({"is_ranked": [0, 1]}, r"is_ranked must be a list of booleans, was \[0, 1\]"),
        ({"is_ranked": None}, "is_ranked must be a list of booleans, was None"),
        ({"is_ranked": [True]}, "must have one entry for each of 2 strategies, .* had 1 and 2"),
        ({"reason_names": "a"}, "reason_names must be a list of lists of names, was 'a'"),
        ({"reason_names": [["a"], [1]]}, "names of a strategy's reasons must be a list of names"),
        ({"reason_names": [[]]}, "had 2 and 1"),
        ({"reason_names": [[], [*"abcde"]]}, "of at most 4 names, .* of up to 5 names"),
    ],
)
@pytest.mark.parametrize("row_count", [0, 3])
def test_scores_with_impossible_metadata_are_refused(
    changes: dict[str, object], text: str, row_count: int
) -> None:
    """What is no column is checked like a column."""
    data = rewritten(
        encode_scores(make_scores(row_count=row_count)), lambda say: say.update(changes)
    )

    with pytest.raises(ContractError, match=text):
        decode_scores(data)


def test_one_batch_merged_without_ranked_strategies_is_itself() -> None:
    """With one shard nothing is copied."""
    scores = make_scores()

    assert merge_scores([scores]) is scores


def test_scores_merged_are_sorted_by_strategy_and_instrument() -> None:
    """Risk sees one batch, whatever the shards were."""
    whole = make_scores(row_count=6)
    parts = [part_of(whole, whole.instrument % 2 == shard, shard) for shard in (1, 0)]

    merged = merge_scores(parts)

    assert encode_scores(merged) == encode_scores(whole)


def test_scores_merged_with_a_lost_shard_keep_their_strategies() -> None:
    """The batch that stands for a lost one names none."""
    scores = ranked({"value": [5, 7]}, raw=frozenset({"value"}))

    merged = merge_scores([empty_scores(make_stamp(), 0), replace(scores, shard=1)])

    assert (merged.shard, merged.strategies) == (0, ("value",))
    assert merged.score_e6.tolist() == [-1_000_000, 1_000_000]


def test_empty_scores_have_no_opinion() -> None:
    """A shard whose frame was lost still says its beat."""
    batch = empty_scores(make_stamp(4), 2)

    assert (len(batch), batch.shard, batch.stamp.beat) == (0, 2, 4)
    assert decode_scores(encode_scores(batch)).strategies == ()
    assert merge_scores([batch]) is batch


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([], []),
        ([7], [0]),
        ([7, 7], [0, 0]),
        ([3, 9], [-1_000_000, 1_000_000]),
        ([9, 3, 5], [1_000_000, -1_000_000, 0]),
        # Places 0, 1.5, 1.5 and 3 of 3.
        ([4, 8, 8, 9], [-1_000_000, 0, 0, 1_000_000]),
        # Thirds do not end: 1/3 is rounded, as is its opposite.
        ([1, 2, 3, 4], [-1_000_000, -333_333, 333_333, 1_000_000]),
        ([-(10**15), 10**15, 0], [-1_000_000, 1_000_000, 0]),
    ],
)
def test_ranks_of_scores_are_even_from_minus_one_to_one(
    scores: list[int], expected: list[int]
) -> None:
    """The highest is at 1, the lowest at -1, and equals are equal."""
    assert ranks_e6(np.array(scores, np.int64)).tolist() == expected


def test_ranks_halfway_between_two_millionths_go_to_the_even_one() -> None:
    """Half up would move the middle of the market up."""
    found = ranks_e6(np.arange(4_097)).tolist()

    # Place k is at k * 488.28125 - 1,000,000: here at -992,187.5 and -976,562.5.
    assert (found[16], found[48]) == (-992_188, -976_562)


def test_scores_of_ranked_strategies_become_ranks_and_the_others_stay() -> None:
    """A strategy that compares shares needs the whole market."""
    batch = ranked({"a": [5, 6], "value": [70, -30, 20], "z": [1]}, raw=frozenset({"value"}))

    merged = merge_scores([batch])

    assert merged.score_e6.tolist() == [5, 6, 1_000_000, -1_000_000, 0, 1]
    assert merged.is_ranked == (False, False, False)
    assert batch.score_e6.tolist() == [5, 6, 70, -30, 20, 1]
    assert merge_scores([merged]) is merged
