"""Bars of some minutes become days: OPEN, a BAR beat an end, CLOSE with the day's bar."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.unit.ingest.recordings import Recorded, record_minutes

from tidegate_common.domain.enums import BeatKind, LimitState
from tidegate_common.domain.ids import RunId
from tidegate_common.frames.checks import check_rows
from tidegate_common.frames.frame import Frame
from tidegate_common.market.sessions import shanghai_ns
from tidegate_ingest.engine.columns import RawMinuteBars
from tidegate_ingest.engine.minute_days import MinuteDay
from tidegate_ingest.engine.quality import RejectReason
from tidegate_ingest.engine.sequencer import sequence_days

MakeMinutes = Callable[..., RawMinuteBars]
NINE_THIRTY = 34_200


def _frames(recorded: Recorded[MinuteDay]) -> list[Frame]:
    frames = list(sequence_days(RunId("r"), recorded.days, len(recorded.days)))
    for frame in frames:
        check_rows(frame.rows)
    return frames


def test_record_minutes_of_two_files_makes_one_beat_an_end(make_minutes: MakeMinutes) -> None:
    """Exchanges and files are merged in order of time, sorted by instrument within a beat."""
    shenzhen = make_minutes(["000333"] * 2, minutes=[1, 3])
    shanghai = make_minutes(["600519"] * 2, minutes=[1, 2])

    recorded = record_minutes(shenzhen, shanghai)
    frames = _frames(recorded)

    assert [frame.stamp.kind for frame in frames] == [
        BeatKind.OPEN,
        *[BeatKind.BAR] * 3,
        BeatKind.CLOSE,
    ]
    assert [frame.rows.instrument.tolist() for frame in frames[1:4]] == [
        [1600519, 2000333],
        [1600519],
        [2000333],
    ]
    assert [frame.stamp.ts_event_ns for frame in frames] == [
        shanghai_ns(20230201, 9 * 3_600),
        *(shanghai_ns(20230201, NINE_THIRTY + 60 * minute) for minute in (1, 2, 3)),
        shanghai_ns(20230201, 15 * 3_600),
    ]
    assert recorded.beat_count == len(frames)


def test_record_minutes_close_is_the_bar_of_all_bars(make_minutes: MakeMinutes) -> None:
    """First open, highest high, lowest low, last close, sums."""
    raw = make_minutes(
        ["600519"] * 3,
        minutes=[1, 2, 3],
        open=[10.0, 10.1, 10.2],
        high=[10.3, 10.6, 10.4],
        low=[9.9, 9.8, 10.0],
        close=[10.1, 10.2, 10.3],
        volume=[100.0, 200.0, 300.0],
        amount=[1_000.0, 2_000.0, 3_000.5],
    )

    bars = record_minutes(raw).days[0].bars

    prices = (bars.open_e4, bars.high_e4, bars.low_e4, bars.close_e4)
    assert [price.tolist() for price in prices] == [[100_000], [106_000], [98_000], [103_000]]
    assert bars.volume_shares.tolist() == [600]
    assert bars.amount_fen.tolist() == [600_050]


def test_record_minutes_of_the_next_trading_day_knows_the_close_before(
    make_minutes: MakeMinutes,
) -> None:
    """The files say no previous close; Friday's is Monday's, and the limits follow."""
    friday = make_minutes(["600519"], trade_date=20230203, close=9.0, low=9.0)
    monday = make_minutes(["600519", "600000"], trade_date=20230206)

    first, second = (day.reference for day in record_minutes(friday, monday).days)

    assert first.prev_close_e4.tolist() == [0]
    assert first.limit_state.tolist() == [LimitState.UNKNOWN]
    assert second.prev_close_e4.tolist() == [0, 90_000]
    assert second.limit_state.tolist() == [LimitState.UNKNOWN, LimitState.UNKNOWN]
    assert second.limit_up_e4.tolist() == [0, 0]


def test_record_minutes_within_the_limits_has_them(make_minutes: MakeMinutes) -> None:
    """Computed from the close before, as of an ordinary day."""
    days = [make_minutes(trade_date=date) for date in (20230202, 20230203)]

    reference = record_minutes(*days).days[1].reference

    assert reference.limit_state.tolist() == [LimitState.LIMITED]
    assert reference.limit_up_e4.tolist() == [110_000]
    assert reference.limit_down_e4.tolist() == [90_000]
    assert reference.open_e4.tolist() == [0]


@pytest.mark.parametrize("before", [20230201, 19900102])
def test_record_minutes_after_a_gap_knows_no_previous_close(
    make_minutes: MakeMinutes,
    before: int,
) -> None:
    """Who knows what happened over a gap, or before the calendar begins."""
    after = 20230203 if before == 20230201 else 19900103

    days = record_minutes(
        make_minutes(["600519"], trade_date=before), make_minutes(["600519"], trade_date=after)
    ).days

    assert [day.reference.prev_close_e4.tolist() for day in days] == [[0], [0]]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"codes": ["Moutai"]}, RejectReason.BAD_SYMBOL),
        ({"codes": ["sh.000300"]}, RejectReason.NOT_A_SHARE),
        ({"close": np.nan}, RejectReason.NOT_FINITE),
        ({"volume": -1.0}, RejectReason.NEGATIVE),
        ({"amount": 1e14}, RejectReason.TOO_LARGE),
        ({"high": 10.005}, RejectReason.OFF_TICK),
        ({"high": 9.0, "low": 9.0}, RejectReason.IMPOSSIBLE_RANGE),
        (dict.fromkeys(("open", "high", "low", "close"), 0.0), RejectReason.IMPOSSIBLE_RANGE),
    ],
)
def test_record_minutes_of_one_bad_row_gives_its_reason(
    make_minutes: MakeMinutes,
    fault: dict[str, object],
    reason: RejectReason,
) -> None:
    """A suspended day without prices is no bar either."""
    assert record_minutes(make_minutes(**fault)).counts.rejected == {reason: 1}


def test_record_minutes_of_a_bad_time_counts_the_row(make_minutes: MakeMinutes) -> None:
    """It belongs to no day, and is counted all the same."""
    raw = make_minutes(["600519"] * 2, minutes=[1, 2])
    raw.ts_end_ns[0] = -1

    counts = record_minutes(raw).counts

    assert counts.rejected == {RejectReason.BAD_TIME: 1}
    assert (counts.rows_in, counts.rows_out) == (2, 1)


def test_record_minutes_of_one_bar_twice_keeps_the_first_file(make_minutes: MakeMinutes) -> None:
    """Two sources may cover one share; the order of the files decides."""
    recorded = record_minutes(make_minutes(close=10.0), make_minutes(close=9.9, low=9.9))

    assert recorded.counts.rejected == {RejectReason.DUPLICATE: 1}
    assert recorded.days[0].bars.close_e4.tolist() == [100_000]


def test_record_minutes_from_a_time_on_knows_the_close_before(make_minutes: MakeMinutes) -> None:
    """Earlier days say the previous close, and are neither told nor counted."""
    before = make_minutes(["600519"] * 2, minutes=[1, 2], trade_date=20230202)
    after = make_minutes(["600519"] * 3, minutes=[1, 2, 3], trade_date=20230203)
    start_ts_ns = shanghai_ns(20230203, NINE_THIRTY + 120)

    recorded = record_minutes(before, after, start_ts_ns=start_ts_ns)

    assert [day.trade_date for day in recorded.days] == [20230203]
    assert recorded.counts.rows_in == recorded.counts.rows_out == 2
    assert recorded.days[0].reference.prev_close_e4.tolist() == [100_000]
    assert recorded.days[0].ts_end_ns.tolist() == [start_ts_ns, start_ts_ns + 60 * 10**9]
