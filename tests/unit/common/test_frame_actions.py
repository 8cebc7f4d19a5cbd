"""Corporate actions in reference rows: as values, on the wire, and what is refused."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tidegate_common.domain.enums import BeatKind
from tidegate_common.errors import ContractError
from tidegate_common.frames.actions import action_columns, actions_of
from tidegate_common.frames.archived_day import archive_columns, archive_table, archived_rows
from tidegate_common.frames.codec import decode_frame, encode_frame
from tidegate_common.frames.ipc import read_stream
from tidegate_common.frames.rows import SPARSE, ReferenceRows
from tidegate_common.market.corporate_actions import CorporateAction
from tidegate_common.testing.builders import make_frame, make_reference_rows

DAY = 20230201
INSTRUMENTS = np.array([1_600_000, 1_600_001, 1_600_002])
WHOLE = CorporateAction(
    1_600_001,
    DAY,
    cash_e6=250_000,
    bonus_e6=100_000,
    transfer_e6=200_000,
    rights_e6=300_000,
    rights_price_e4=50_000,
    pay_date=20230203,
    listing_date=20230206,
    record_date=20230131,
)


def _rows(**columns: list[int]) -> ReferenceRows:
    """Return three rows that say nothing of actions but the columns."""
    nothing = {name: np.zeros(3, np.int64) for name in SPARSE}
    given = {name: np.array(values, np.int64) for name, values in columns.items()}
    # Columns by name.
    return replace(make_reference_rows(), **{**nothing, **given})  # type: ignore[arg-type]


def _names(rows: ReferenceRows) -> set[str]:
    batch, _ = read_stream(encode_frame(make_frame(kind=BeatKind.OPEN, rows=rows)))
    return set(batch.schema.names)


def test_actions_become_columns_and_actions_again() -> None:
    """Every amount and date has its column; who has no row is left out."""
    other = CorporateAction(1_600_002, DAY, cash_e6=1)
    stranger = CorporateAction(1_600_009, DAY, cash_e6=1)

    columns = action_columns(INSTRUMENTS, (other, stranger, WHOLE))
    rows = _rows(**{name: column.tolist() for name, column in columns.items()})

    assert actions_of(rows, DAY) == (WHOLE, other)


@pytest.mark.parametrize("name", ["cash_e6", "bonus_e6", "transfer_e6"])
def test_action_of_any_amount_is_one(name: str) -> None:
    """A split without a dividend is an action too."""
    (action,) = actions_of(_rows(**{name: [0, 0, 7]}), DAY)

    assert (action.instrument, getattr(action, name)) == (1_600_002, 7)


def test_columns_of_nothing_do_not_travel() -> None:
    """A day without actions costs no byte for them."""
    quiet = _names(_rows())
    loud = _names(_rows(cash_e6=[0, 1, 0]))

    assert quiet.isdisjoint(SPARSE)
    assert loud & set(SPARSE) == {"cash_e6"}


def test_columns_that_did_not_travel_are_zeros() -> None:
    """So is what recordings say of before the columns were."""
    frame = decode_frame(encode_frame(make_frame(kind=BeatKind.OPEN, rows=_rows())))

    assert isinstance(frame.rows, ReferenceRows)
    for name in SPARSE:
        assert getattr(frame.rows, name).tolist() == [0, 0, 0]


def test_archive_of_before_the_columns_reads_as_zeros() -> None:
    """Old archives stay replayable."""
    frame = make_frame(kind=BeatKind.OPEN, rows=_rows())
    batch, _ = read_stream(encode_frame(frame))
    table = archive_table([frame.stamp], [batch]).select(archive_columns(BeatKind.OPEN))
    old: pa.Table = table.drop_columns([*SPARSE])

    rows = archived_rows(BeatKind.OPEN, old)

    assert encode_frame(replace(frame, rows=rows)) == encode_frame(frame)


@pytest.mark.parametrize("date", [20230228, 20240229, 20001231, 19900101])
def test_frame_with_a_date_is_read(date: int) -> None:
    """The ends of months, leap years included."""
    data = encode_frame(make_frame(kind=BeatKind.OPEN, rows=_rows(listing_date=[0, date, 0])))

    rows = decode_frame(data).rows

    assert isinstance(rows, ReferenceRows)
    assert rows.listing_date.tolist() == [0, date, 0]


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"listing_date": [0, 20230229, 0]}, "listing_date must be a date as YYYYMMDD or 0"),
        ({"pay_date": [0, 0, 20231301]}, "pay_date must be a date .*, was 20231301 .row 2"),
        ({"record_date": [20230100, 0, 0]}, "record_date must be a date"),
        ({"record_date": [20230001, 0, 0]}, "record_date must be a date"),
        ({"new_shares_date": [-20230101, 0, 0]}, "new_shares_date must be a date"),
        ({"new_shares_date": [0, 1, 0]}, "new_shares_date must be a date"),
        ({"pay_date": [2**62, 0, 0]}, "pay_date must be a date"),
        ({"cash_e6": [0, -1, 0]}, r"cash_e6 must be in 0\.\.10000000000, was -1"),
        ({"transfer_e6": [0, 0, 1_000_000_001]}, r"transfer_e6 must be in 0\.\.1000000000, was"),
        ({"rights_e6": [1, 0, 0]}, "rights_price_e4 must come with rights_e6, and only so, was 0"),
        ({"rights_price_e4": [1, 0, 0]}, "rights_price_e4 must come with rights_e6"),
    ],
)
def test_frame_with_an_impossible_action_is_refused(
    columns: dict[str, list[int]], text: str
) -> None:
    """A ledger that met it would stop for good."""
    data = encode_frame(make_frame(kind=BeatKind.OPEN, rows=_rows(**columns)))

    with pytest.raises(ContractError, match=text):
        decode_frame(data)
