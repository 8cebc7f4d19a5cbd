"""Frames as rows of an archive's file, and back."""

from dataclasses import replace

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from tidegate_common.domain.enums import BeatKind
from tidegate_common.errors import ContractError
from tidegate_common.frames.archived_day import (
    DayContents,
    archive_columns,
    archive_schema,
    archive_table,
    archived_rows,
    check_frame_batch,
)
from tidegate_common.frames.codec import encode_frame
from tidegate_common.frames.frame import Frame
from tidegate_common.frames.ipc import Column, read_stream, write_stream
from tidegate_common.testing.builders import make_frame, make_quote_rows, make_rows, make_stamp

CONTENTS = DayContents(
    run="run-1",
    trade_date=20230201,
    shard=0,
    shard_count=1,
    run_spec="{}",
    is_closed=True,
    is_last=False,
    first_beat=7,
    kinds=(BeatKind.OPEN, BeatKind.TICK),
    ts_event_ns=(1, 2),
    rows=(3, 0),
)


def table_of(*frames: Frame) -> pa.Table:
    """Return frames of one kind as rows of a file, as they would come over the bus."""
    batches = [read_stream(encode_frame(frame))[0] for frame in frames]
    return archive_table([frame.stamp for frame in frames], batches)


@pytest.mark.parametrize("kind", list(BeatKind))
def test_archived_frame_of_each_kind_comes_back_byte_for_byte(kind: BeatKind) -> None:
    """A replay of the archive says what was said."""
    frame = make_frame(3, kind=kind, rows=make_rows(kind))

    table = table_of(frame)

    rows = archived_rows(kind, table.select(archive_columns(kind)))
    assert encode_frame(replace(frame, rows=rows)) == encode_frame(frame)
    assert table.column("beat").to_pylist() == [3, 3, 3]
    assert table.column("kind").to_pylist() == [kind.value] * 3


def test_archived_beats_that_travelled_in_other_types_come_back_byte_for_byte() -> None:
    """A column's type on the wire follows its values, beat by beat."""
    small = make_quote_rows()
    large = replace(small, amount_fen=small.amount_fen + 2**40, bid_shares=small.bid_shares + 2**33)
    frames = [make_frame(beat, rows=rows) for beat, rows in enumerate((small, large, large, small))]

    table = table_of(*frames)

    for number, frame in enumerate(frames):
        rows = archived_rows(BeatKind.TICK, table.slice(3 * number, 3))
        assert encode_frame(replace(frame, rows=rows)) == encode_frame(frame)


def test_archived_columns_of_other_kinds_are_null() -> None:
    """Zero would be a price, and NaN a figure that is not known."""
    table = table_of(make_frame(rows=make_quote_rows()))

    assert table.schema == archive_schema()
    assert table.column("prev_close_e4").null_count == 3
    assert table.column("bid_price_e4_1").to_pylist() == [99_900, 100_000, 100_100]
    with pytest.raises(ContractError, match="column board must be there and hold no null"):
        archived_rows(BeatKind.OPEN, table)
    with pytest.raises(ContractError, match="column instrument must be there"):
        archived_rows(BeatKind.TICK, table.select(["beat"]))


def test_archived_reference_of_before_the_figures_knows_none() -> None:
    """Logs of older programs are archived too."""
    frame = make_frame(kind=BeatKind.OPEN, rows=make_rows(BeatKind.OPEN))
    batch, _ = read_stream(encode_frame(frame))
    older = batch.drop_columns(["pe_ttm"])

    check_frame_batch(BeatKind.OPEN, older)
    table = archive_table([make_stamp(kind=BeatKind.OPEN)], [older])

    assert table.column("pe_ttm").null_count == 0
    assert np.isnan(archived_rows(BeatKind.OPEN, table).pe_ttm).all()  # type: ignore[union-attr]


def test_frame_batch_of_another_kind_is_refused() -> None:
    """Its file could not be read back."""
    batch, _ = read_stream(encode_frame(make_frame(rows=make_quote_rows())))

    with pytest.raises(ContractError, match="column board must be"):
        check_frame_batch(BeatKind.OPEN, batch)


@pytest.mark.parametrize("column", ["last_e4", "bid_shares"])
def test_frame_batch_with_nulls_is_refused(column: str) -> None:
    """They would come out of numpy as floats."""
    batch, _ = read_stream(encode_frame(make_frame(rows=make_quote_rows())))
    index = batch.schema.get_field_index(column)
    plain = pa.array([None] * 15, pa.uint32())
    nulls = plain[:3] if column == "last_e4" else pa.FixedSizeListArray.from_arrays(plain, 5)
    broken = pa.RecordBatch.from_arrays(
        [nulls if number == index else each for number, each in enumerate(batch.columns)],
        schema=batch.schema,
    )

    with pytest.raises(ContractError, match="holds nulls"):
        check_frame_batch(BeatKind.TICK, broken)


def test_columns_that_are_no_frame_are_refused() -> None:
    """What stages cannot read does not enter a file either."""
    rows = make_quote_rows()
    batch, _ = read_stream(write_stream(rows, {"instrument": Column()}, {"schema_version": 1}))

    with pytest.raises(ContractError, match="column ts_event_ns must be int64, was missing"):
        check_frame_batch(BeatKind.TICK, batch)


def test_contents_come_back_from_their_json() -> None:
    """They stand in the file's metadata."""
    assert DayContents.from_json(CONTENTS.to_json()) == CONTENTS


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"archive_version": 2}, "archive_version must be 1, was 2"),
        ({"rows": (1,)}, "one kind, time and number of rows a beat"),
        ({"rows": (1, -1)}, "metadata of an archived day, found"),
        ({"kinds": ("open", "noon")}, "metadata of an archived day, found"),
    ],
)
def test_contents_that_are_none_are_refused(changes: dict[str, object], reason: str) -> None:
    """A replay must not guess."""
    about = msgspec.json.decode(CONTENTS.to_json()) | changes

    with pytest.raises(ContractError, match=reason):
        DayContents.from_json(msgspec.json.encode(about))
