"""Bar batches: what is put in comes out, and nothing impossible does."""

from dataclasses import fields, replace

import numpy as np
import pytest

from tidegate_common.errors import ContractError
from tidegate_common.frames.bars import BarBatch
from tidegate_common.frames.codec import decode_bars, encode_bars
from tidegate_common.testing.builders import make_bar_batch

COLUMNS = tuple(field.name for field in fields(BarBatch) if field.name not in {"stamp", "shard"})


@pytest.mark.parametrize("row_count", [0, 1, 3, 100])
def test_bars_decoded_are_what_was_encoded(row_count: int) -> None:
    """Integers, so nothing is lost."""
    batch = make_bar_batch(5, shard=2, row_count=row_count)

    decoded = decode_bars(encode_bars(batch))

    assert (decoded.stamp, decoded.shard, len(decoded)) == (batch.stamp, 2, 2 * row_count)
    for name in COLUMNS:
        assert getattr(decoded, name).dtype == np.int64
        assert getattr(decoded, name).tolist() == getattr(batch, name).tolist()
    assert encode_bars(decoded) == encode_bars(batch)


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("instrument", [999_999] * 6, "instrument must be exchange"),
        (
            "period_seconds",
            [0, 60, 60, 300, 300, 300],
            r"period_seconds must be >= 1, was 0 \(row 0",
        ),
        ("ts_end_ns", [1, -1, 1, 1, 1, 1], r"ts_end_ns must be >= 0, was -1 \(row 1, .* 600001"),
        ("low_e4", [1, 1, 0, 1, 1, 1], r"low_e4 must be >= 1, was 0 \(row 2"),
        ("volume_shares", [0, 0, 0, 0, 0, -5], r"volume_shares must be >= 0, was -5 \(row 5"),
        ("amount_fen", [0, 0, 0, -1, 0, 0], "amount_fen must be >= 0, was -1"),
        (
            "open_e4",
            [89_999, *[100_000] * 5],
            r"open_e4 must be in low_e4\.\.high_e4, 90000\.\.120000, was 89999 \(row 0",
        ),
        (
            "close_e4",
            [*[100_000] * 5, 120_003],
            r"close_e4 must be in low_e4\.\.high_e4, 90002\.\.120002, was 120003 \(row 5",
        ),
        ("high_e4", [0] * 6, r"open_e4 must be in low_e4\.\.high_e4, 90000\.\.0, was 100000"),
        ("period_seconds", [300, 300, 300, 60, 60, 60], r"sorted by period, end and .* \(row 3"),
        ("ts_end_ns", [2, 1, 1, 1, 1, 1], r"sorted by period, end and instrument, .* \(row 1"),
        (
            "instrument",
            [1_600_000, 1_600_002, 1_600_002] * 2,
            r"without repeats \(row 2, instrument 600002\.SH\)",
        ),
    ],
)
def test_bars_with_an_impossible_value_are_refused(name: str, values: list[int], text: str) -> None:
    """A chart is no place for what cannot have been traded."""
    column = np.array(values, np.int64)
    # The name is of an array column, which no type can say.
    data = encode_bars(replace(make_bar_batch(), **{name: column}))  # type: ignore[arg-type]

    with pytest.raises(ContractError, match=text):
        decode_bars(data)
