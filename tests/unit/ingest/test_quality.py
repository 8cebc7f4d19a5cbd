"""Every bad row is rejected with its reason, and no good one with it."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.unit.ingest.recordings import record_bars, record_snapshots

from tidegate_ingest.engine.columns import RawBars, RawSnapshots
from tidegate_ingest.engine.quality import RejectReason

Rejected = dict[RejectReason, int]
MakeSnapshots = Callable[..., RawSnapshots]
MakeBars = Callable[..., RawBars]


def _rejected(*raws: RawSnapshots) -> Rejected:
    counts = record_snapshots(*raws).counts
    assert counts.rows_in == counts.rows_out + sum(counts.rejected.values())
    return counts.rejected


def _rejected_bars(*raws: RawBars) -> Rejected:
    counts = record_bars(*raws).counts
    assert counts.rows_in == counts.rows_out + sum(counts.rejected.values())
    return counts.rejected


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"codes": ["oops"]}, RejectReason.BAD_SYMBOL),
        ({"codes": ["000300"]}, RejectReason.NOT_A_SHARE),
        ({"phases": "WHAT"}, RejectReason.UNKNOWN_PHASE),
        ({"last": np.nan}, RejectReason.NOT_FINITE),
        ({"bid": np.inf}, RejectReason.NOT_FINITE),
        ({"volume": np.nan}, RejectReason.NOT_FINITE),
        ({"prev_close": -10.0}, RejectReason.NEGATIVE),
        ({"bid_shares": -100.0}, RejectReason.NEGATIVE),
        ({"amount": 1e14}, RejectReason.TOO_LARGE),
        ({"ask": 2e6}, RejectReason.TOO_LARGE),
        ({"ask": 10.015}, RejectReason.OFF_TICK),
        ({"last": 0.0, "bid": 10.0, "ask": 10.01}, RejectReason.IMPOSSIBLE_RANGE),
        ({"high": 9.99}, RejectReason.IMPOSSIBLE_RANGE),
        ({"low": 10.01}, RejectReason.IMPOSSIBLE_RANGE),
        ({"ask": 10.0}, RejectReason.CROSSED_BOOK),
        ({"bid": 11.5, "ask": 11.6}, RejectReason.BEYOND_LIMIT),
        ({"bid": 8.5}, RejectReason.BEYOND_LIMIT),
    ],
)
def test_record_snapshots_of_one_bad_row_gives_its_reason(
    make_snapshots: MakeSnapshots,
    fault: dict[str, object],
    reason: RejectReason,
) -> None:
    """A row is never dropped without saying why."""
    assert _rejected(make_snapshots(**fault)) == {reason: 1}


def test_record_snapshots_of_an_unreadable_time_counts_the_row(
    make_snapshots: MakeSnapshots,
) -> None:
    """It belongs to no day, and is counted all the same."""
    raw = make_snapshots(["600519", "600519"])
    raw.ts_event_ns[0] = -1

    assert _rejected(raw) == {RejectReason.BAD_TIME: 1}


@pytest.mark.parametrize(
    "fine",
    [
        {"phases": "OCALL", "seconds": [-900.0], "bid": 10.0, "ask": 10.0},
        {"phases": "CCALL", "seconds": [19_680.0], "bid": 10.0, "ask": 10.0},
        {"ask": 0.0, "ask_shares": 0.0, "last": 11.0},
        {"last": 0.0, "volume": 0.0, "bid": 0.0, "ask": 0.0},
        {"open": 0.0},
        {"volume": 0.0, "amount": 0.0},
    ],
)
def test_record_snapshots_of_odd_but_good_rows_keeps_them(
    make_snapshots: MakeSnapshots,
    fine: dict[str, object],
) -> None:
    """Virtual match prices, a limit-up lock, no trade yet: all of that is the market."""
    assert _rejected(make_snapshots(**fine)) == {}


def test_record_snapshots_out_of_order_rejects_the_late_row(make_snapshots: MakeSnapshots) -> None:
    """A quote from the past is stale, however good it looks."""
    raw = make_snapshots(["600519"] * 3, seconds=[0.0, 6.0, 3.0])

    assert _rejected(raw) == {RejectReason.OUT_OF_ORDER: 1}


def test_record_snapshots_of_another_share_earlier_in_time_is_in_order(
    make_snapshots: MakeSnapshots,
) -> None:
    """Files come share by share; order is a matter of one share."""
    raw = make_snapshots(["600519", "600519", "600000"], seconds=[0.0, 6.0, 3.0])

    assert _rejected(raw) == {}


def test_record_snapshots_that_repeat_a_row_reject_the_copy(make_snapshots: MakeSnapshots) -> None:
    """SSE sends a row twice now and then; a changed row of the same second is news."""
    raw = make_snapshots(
        ["600519"] * 3,
        seconds=[0.0, 0.0, 0.0],
        volume=[100.0, 100.0, 200.0],
    )

    assert _rejected(raw) == {RejectReason.DUPLICATE: 1}


def test_record_snapshots_of_two_overlapping_files_count_the_overlap(
    make_snapshots: MakeSnapshots,
) -> None:
    """The rows that both files have are taken once."""
    raw, longer = make_snapshots(["600519"] * 2), make_snapshots(["600519"] * 3)

    assert _rejected(raw, longer) == {RejectReason.DUPLICATE: 2}


def test_record_snapshots_with_falling_volume_reject_until_it_recovers(
    make_snapshots: MakeSnapshots,
) -> None:
    """What was traded cannot become less."""
    raw = make_snapshots(["600519"] * 4, volume=[100.0, 300.0, 200.0, 300.0], amount=1e4)

    assert _rejected(raw) == {RejectReason.FALLING_VOLUME: 1}


def test_record_snapshots_with_falling_amount_reject_the_row(
    make_snapshots: MakeSnapshots,
) -> None:
    """Volume may stand still while a correction takes money away: that is no day's total."""
    raw = make_snapshots(["600519"] * 3, amount=[1000.0, 900.0, 1000.0])

    assert _rejected(raw) == {RejectReason.FALLING_AMOUNT: 1}


def test_record_snapshots_beyond_the_files_own_limit_reject_the_row(
    make_snapshots: MakeSnapshots,
) -> None:
    """The file's limit binds where it has one, here 5% for a share we do not know to be ST."""
    raw = make_snapshots(
        ["600519"] * 3,
        last=[10.0, 10.6, 10.0],
        bid=10.0,
        ask=10.01,
        limit_up=10.5,
        limit_down=9.5,
    )

    assert _rejected(raw) == {RejectReason.BEYOND_LIMIT: 1}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"dates": "someday"}, RejectReason.BAD_TIME),
        ({"codes": ["Moutai"]}, RejectReason.BAD_SYMBOL),
        ({"codes": ["sh.000300"]}, RejectReason.NOT_A_SHARE),
        ({"close": np.nan}, RejectReason.NOT_FINITE),
        ({"volume": -1.0}, RejectReason.NEGATIVE),
        ({"amount": 1e14}, RejectReason.TOO_LARGE),
        ({"high": 10.005}, RejectReason.OFF_TICK),
        ({"high": 9.0, "low": 9.0}, RejectReason.IMPOSSIBLE_RANGE),
        ({"low": 0.0}, RejectReason.IMPOSSIBLE_RANGE),
    ],
)
def test_record_bars_of_one_bad_row_gives_its_reason(
    make_bars: MakeBars,
    fault: dict[str, object],
    reason: RejectReason,
) -> None:
    """A bar is never dropped without saying why."""
    assert _rejected_bars(make_bars(**fault)) == {reason: 1}


def test_record_bars_of_one_instrument_day_twice_keeps_the_first_file(
    make_bars: MakeBars,
) -> None:
    """Two sources may cover one share; the order of the files decides."""
    recording = record_bars(make_bars(close=10.0), make_bars(close=10.0))

    assert recording.counts.rejected == {RejectReason.DUPLICATE: 1}
    assert recording.days[0].bars.close_e4.tolist() == [100_000]
