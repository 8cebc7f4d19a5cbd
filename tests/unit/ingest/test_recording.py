"""Accepted rows become days: reference, ticks, bars."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.unit.ingest.recordings import Recorded, read_days, record_bars, record_snapshots

from tidegate_common.domain.enums import BeatKind, Board, Exchange, LimitState, Phase
from tidegate_common.domain.ids import RunId
from tidegate_common.frames.checks import check_rows
from tidegate_common.frames.frame import Frame
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.sessions import shanghai_ns
from tidegate_ingest.engine.columns import RawBars, RawSnapshots
from tidegate_ingest.engine.normalizer import PHASE_BY_CLOCK
from tidegate_ingest.engine.quality import RejectReason
from tidegate_ingest.engine.recording import Recording, Span
from tidegate_ingest.engine.sequencer import Day, sequence_days
from tidegate_ingest.engine.snapshot_days import SnapshotDays

MakeSnapshots = Callable[..., RawSnapshots]
MakeBars = Callable[..., RawBars]


def _frames(recording: Recorded[Day]) -> list[Frame]:
    frames = list(sequence_days(RunId("r"), recording.days, len(recording.days)))
    for frame in frames:
        check_rows(frame.rows)
    return frames


def _reference(recording: Recorded[Day]) -> ReferenceRows:
    return recording.days[0].reference


def test_record_snapshots_of_two_exchanges_merges_them_in_time_order(
    make_snapshots: MakeSnapshots,
) -> None:
    """One beat holds what both exchanges said in it, sorted by instrument."""
    shenzhen = make_snapshots(["000333"] * 2, exchange=Exchange.SZ, phases="T0")
    shanghai = make_snapshots(["600519"] * 2)

    frames = _frames(record_snapshots(shenzhen, shanghai))

    assert [frame.stamp.kind for frame in frames] == [
        BeatKind.OPEN,
        BeatKind.TICK,
        BeatKind.TICK,
        BeatKind.CLOSE,
    ]
    assert [frame.stamp.beat for frame in frames] == [0, 1, 2, 3]
    assert [frame.stamp.is_last for frame in frames] == [False, False, False, True]
    assert frames[1].rows.instrument.tolist() == [1600519, 2000333]


def test_record_snapshots_given_in_another_order_makes_the_same_ticks(
    make_snapshots: MakeSnapshots,
) -> None:
    """Time orders rows, not the command line."""
    one, two = make_snapshots(["600519"] * 3), make_snapshots(["600000"] * 3)

    forth, back = _frames(record_snapshots(one, two)), _frames(record_snapshots(two, one))

    for left, right in zip(forth, back, strict=True):
        assert left.stamp == right.stamp
        assert left.rows.instrument.tolist() == right.rows.instrument.tolist()


def test_record_snapshots_before_nine_opens_the_day_with_the_first_row(
    make_snapshots: MakeSnapshots,
) -> None:
    """Time never runs backwards within a run, nor from OPEN to the first TICK."""
    raw = make_snapshots(seconds=[-4_500.0], phases="START", volume=0.0)

    frames = _frames(record_snapshots(raw))

    assert frames[0].stamp.ts_event_ns == shanghai_ns(20230201, 29_700)
    assert frames[-1].stamp.ts_event_ns == shanghai_ns(20230201, 54_000)


def test_record_snapshots_after_three_closes_the_day_with_the_last_row(
    make_snapshots: MakeSnapshots,
) -> None:
    """The close is not before what closed."""
    raw = make_snapshots(seconds=[22_000.0], phases="ENDTR")

    frames = _frames(record_snapshots(raw))

    assert frames[0].stamp.ts_event_ns == shanghai_ns(20230201, 32_400)
    assert frames[-1].stamp.ts_event_ns == shanghai_ns(20230201, 56_200)


def test_record_snapshots_without_limits_in_the_file_computes_them(
    make_snapshots: MakeSnapshots,
) -> None:
    """SSE files have none."""
    reference = _reference(record_snapshots(make_snapshots()))

    assert reference.limit_state.tolist() == [LimitState.LIMITED]
    assert reference.limit_up_e4.tolist() == [110_000]
    assert reference.limit_down_e4.tolist() == [90_000]
    assert reference.board.tolist() == [Board.MAIN]
    assert reference.prev_close_e4.tolist() == [100_000]
    assert reference.open_e4.tolist() == [0]
    assert reference.sector.tolist() == [""]


@pytest.mark.parametrize(
    ("up", "down", "state", "up_e4"),
    [
        (10.5, 9.5, LimitState.LIMITED, 105_000),
        (999_999_999.9999, 0.01, LimitState.UNLIMITED, 0),
        (0.0, 9.5, LimitState.LIMITED, 110_000),
    ],
)
def test_record_snapshots_with_limits_in_the_file_takes_them(
    make_snapshots: MakeSnapshots,
    up: float,
    down: float,
    state: LimitState,
    up_e4: int,
) -> None:
    """The exchange knows which day has which limit."""
    reference = _reference(record_snapshots(make_snapshots(limit_up=up, limit_down=down)))

    assert reference.limit_state.tolist() == [state]
    assert reference.limit_up_e4.tolist() == [up_e4]


def test_record_snapshots_of_a_day_beyond_its_limits_shows_the_contradiction(
    make_snapshots: MakeSnapshots,
) -> None:
    """A first day may double: its limit is not known, and its rows stay."""
    raw = make_snapshots(["600519"] * 2, last=[20.0, 20.0])

    recording = record_snapshots(raw)

    assert recording.counts.limits_contradicted == 1
    assert recording.counts.rows_out == 2
    assert _reference(recording).limit_state.tolist() == [LimitState.UNKNOWN]
    assert _reference(recording).limit_up_e4.tolist() == [0]


def test_record_snapshots_of_a_halted_first_row_is_suspended(
    make_snapshots: MakeSnapshots,
) -> None:
    """A share that is halted from the start does not trade that day."""
    raw = make_snapshots(["600519", "600000"], phases=["SUSP", "TRADE"])

    assert _reference(record_snapshots(raw)).is_suspended.tolist() == [False, True]


def test_record_snapshots_bar_is_the_last_snapshots_totals(make_snapshots: MakeSnapshots) -> None:
    """The exchange's own totals are the day's bar."""
    raw = make_snapshots(
        ["600519"] * 3,
        last=[10.0, 10.2, 10.1],
        open=10.0,
        high=[10.0, 10.2, 10.3],
        low=[10.0, 10.0, 9.9],
    )

    bars = record_snapshots(raw).days[0].bars

    prices = (bars.open_e4, bars.high_e4, bars.low_e4, bars.close_e4)
    assert [price.tolist() for price in prices] == [[100_000], [103_000], [99_000], [101_000]]
    assert bars.volume_shares.tolist() == [300]
    assert bars.amount_fen.tolist() == [300_000]


def test_record_snapshots_without_an_opening_price_opens_at_the_trade(
    make_snapshots: MakeSnapshots,
) -> None:
    """A file may stop at the first snapshot after the call auction."""
    bars = record_snapshots(make_snapshots(open=0.0, last=10.5)).days[0].bars

    assert bars.open_e4.tolist() == [105_000]


def test_record_snapshots_without_trades_closes_at_the_previous_close(
    make_snapshots: MakeSnapshots,
) -> None:
    """A position is marked even if nobody traded."""
    raw = make_snapshots(volume=0.0, last=0.0, bid=9.9, ask=10.1)

    bars = record_snapshots(raw).days[0].bars

    assert bars.open_e4.tolist() == bars.close_e4.tolist() == [100_000]
    assert bars.volume_shares.tolist() == [0]


def test_record_snapshots_with_no_row_left_in_a_day_still_opens_and_closes_it(
    make_snapshots: MakeSnapshots,
) -> None:
    """A day that the feed spoils entirely passes without ticks."""
    raw = make_snapshots(bid=11.5, ask=11.6)

    recording = record_snapshots(raw)

    assert [frame.stamp.kind for frame in _frames(recording)] == [BeatKind.OPEN, BeatKind.CLOSE]
    assert recording.days[0].open_ts_ns == shanghai_ns(20230201, 32_400)


def test_record_snapshots_of_three_days_takes_the_days_asked_for(
    make_snapshots: MakeSnapshots,
) -> None:
    """Rows of later days are not part of the run, and are not counted."""
    raws = [make_snapshots(["600519"], trade_date=day) for day in (20230203, 20230201, 20230202)]

    recording = record_snapshots(*raws, day_count_max=2)

    assert [day.trade_date for day in recording.days] == [20230201, 20230202]
    assert recording.counts.rows_in == recording.counts.rows_out == 2
    assert sum(day.beat_count for day in recording.days) == len(_frames(recording)) == 6


def test_record_snapshots_without_an_accepted_row_has_no_day(make_snapshots: MakeSnapshots) -> None:
    """What remains is the count."""
    recording = record_snapshots(make_snapshots(["oops"]), day_count_max=3)

    assert recording.days == ()
    assert recording.counts.rows_in == 1


def test_record_bars_opens_with_the_opening_price_and_closes_with_the_bar(
    make_bars: MakeBars,
) -> None:
    """A daily run has two beats a day: 09:25 and 15:00."""
    raw = make_bars(["sz.300750", "sh.600519"], open=[10.1, 10.2], high=10.5, low=9.8)

    frames = _frames(record_bars(raw))

    opening, closing = frames[0].rows, frames[1].rows
    assert isinstance(opening, ReferenceRows)
    assert isinstance(closing, BarRows)
    assert opening.instrument.tolist() == closing.instrument.tolist() == [1600519, 2300750]
    assert opening.open_e4.tolist() == [102_000, 101_000]
    assert opening.limit_up_e4.tolist() == [110_000, 120_000]
    assert [frame.stamp.ts_event_ns for frame in frames] == [
        shanghai_ns(20230201, 33_900),
        shanghai_ns(20230201, 54_000),
    ]


def test_record_bars_of_a_suspended_share_opens_at_nothing(make_bars: MakeBars) -> None:
    """Nobody can trade at the price of a suspended day."""
    recording = record_bars(make_bars(suspended=True))

    assert _reference(recording).is_suspended.tolist() == [True]
    assert _reference(recording).open_e4.tolist() == [0]
    assert recording.days[0].bars.close_e4.tolist() == [100_000]
    assert recording.days[0].bars.volume_shares.tolist() == [0]


def test_record_bars_of_an_st_share_has_its_band(make_bars: MakeBars) -> None:
    """5% in 2023."""
    recording = record_bars(make_bars(is_st=True))

    assert _reference(recording).limit_up_e4.tolist() == [105_000]
    assert _reference(recording).is_st.tolist() == [True]


def test_record_bars_beyond_the_limits_shows_the_contradiction(make_bars: MakeBars) -> None:
    """An IPO day on the main board goes to +44%: the limit is unknown, the bar is kept."""
    raw = make_bars(open=12.0, high=14.4, low=12.0, close=14.4)

    recording = record_bars(raw)

    assert recording.counts.limits_contradicted == 1
    assert _reference(recording).limit_state.tolist() == [LimitState.UNKNOWN]
    assert recording.days[0].bars.close_e4.tolist() == [144_000]


def test_record_bars_lists_the_instruments_of_the_day_only(make_bars: MakeBars) -> None:
    """A share that is not listed yet is not in the market."""
    raw = make_bars(
        ["sh.600519", "sh.600519", "sh.600000"],
        dates=["2023-02-01", "2023-02-02", "2023-02-02"],
    )

    recording = record_bars(raw)

    assert [day.reference.instrument.tolist() for day in recording.days] == [
        [1600519],
        [1600000, 1600519],
    ]
    assert isinstance(recording.days[0].quotes, QuoteRows)


def test_record_bars_takes_the_days_asked_for(make_bars: MakeBars) -> None:
    """`day_count_max` cuts a long file."""
    raw = make_bars(["sh.600519"] * 3, dates=["2023-02-01", "2023-02-02", "2023-02-03"])

    recording = record_bars(raw, day_count_max=1)

    assert [day.trade_date for day in recording.days] == [20230201]
    assert recording.counts.rows_in == 1
    assert np.array_equal(recording.days[0].tick_edges, [0])


def test_record_bars_without_previous_closes_takes_the_closes_before(make_bars: MakeBars) -> None:
    """A plain file may not say them; what it says counts first."""
    raw = make_bars(
        ["sh.600519", "sh.600000"] * 2,
        dates=["2023-02-01"] * 2 + ["2023-02-02"] * 2,
        close=[10.5, 10.5, 10.0, 10.0],
        high=10.5,
        prev_close=[0.0, 0.0, 0.0, 9.9],
    )

    first, second = (day.reference for day in record_bars(raw).days)

    assert first.prev_close_e4.tolist() == [0, 0]
    assert first.limit_state.tolist() == [LimitState.UNKNOWN] * 2
    assert second.prev_close_e4.tolist() == [99_000, 105_000]


def test_record_bars_from_a_day_on_keeps_what_was_known_before(make_bars: MakeBars) -> None:
    """Figures are of earlier rows, which are neither told nor counted."""
    raw = make_bars(
        ["sh.600519"] * 3, dates=["2023-02-01", "2023-02-02", "2023-02-03"], pe_ttm=[1.0, 2.0, 3.0]
    )

    recorded = record_bars(raw, start_ts_ns=shanghai_ns(20230202, 36_000))

    assert [day.trade_date for day in recorded.days] == [20230202, 20230203]
    assert recorded.counts.rows_in == recorded.counts.rows_out == 2
    assert recorded.days[0].reference.pe_ttm.tolist() == [1.0]
    assert recorded.beat_count == 4


def test_record_snapshots_from_a_time_on_leaves_earlier_rows_out(
    make_snapshots: MakeSnapshots,
) -> None:
    """A replay may begin in the middle of a day; cumulative volumes are what they are."""
    raws = [make_snapshots(["600519"] * 4, trade_date=date) for date in (20230201, 20230202)]
    start_ts_ns = shanghai_ns(20230202, 34_206)

    recorded = record_snapshots(*raws, start_ts_ns=start_ts_ns)

    assert [day.trade_date for day in recorded.days] == [20230202]
    assert recorded.counts.rows_in == recorded.counts.rows_out == 2
    assert recorded.days[0].tick_ts_ns[0] == start_ts_ns
    assert recorded.days[0].quotes.volume_shares.tolist() == [300, 400]


def test_record_snapshots_read_again_makes_the_same_days_and_counts(
    make_snapshots: MakeSnapshots,
) -> None:
    """A large run is made anew at each reading; rows are counted once."""
    raw = make_snapshots(["600519"] * 3, seconds=[0.0, 0.0, 3.0], volume=100.0)
    kind = SnapshotDays(Span(), 3_000)
    recording = Recording(kind, [[raw]], Span(), lambda rows: rows)

    first, second = (read_days(recording, Day) for _ in range(2))

    assert first.days[0].tick_ts_ns.tolist() == second.days[0].tick_ts_ns.tolist()
    assert first.counts == second.counts
    assert recording.counts.rejected == {RejectReason.DUPLICATE: 1}
    assert (recording.counts.rows_in, recording.counts.rows_out) == (3, 2)


def test_record_snapshots_in_pieces_is_the_same_as_whole(make_snapshots: MakeSnapshots) -> None:
    """Where a file is cut decides nothing: a row late by a piece is late."""
    codes = ["600519", "600000", "600519", "600000", "600519"]
    seconds = [0.0, 0.0, 6.0, 3.0, 3.0]
    whole = make_snapshots(codes, seconds=seconds)
    pieces = [
        make_snapshots(codes[cut], seconds=seconds[cut], volume=100.0 * np.arange(1, 6)[cut])
        for cut in (slice(0, 1), slice(1, 3), slice(3, 5))
    ]
    kind = SnapshotDays(Span(), 3_000)

    recording = Recording(kind, [pieces], Span(), lambda rows: rows)
    (day,), recorded = read_days(recording, Day).days, record_snapshots(whole)

    assert recording.counts == recorded.counts
    assert recording.counts.rejected == {RejectReason.OUT_OF_ORDER: 1}
    assert day.quotes.instrument.tolist() == recorded.days[0].quotes.instrument.tolist()
    assert day.tick_ts_ns.tolist() == recorded.days[0].tick_ts_ns.tolist()


def test_record_snapshots_of_no_file_has_no_day() -> None:
    """Nothing in, nothing out."""
    recording = Recording(SnapshotDays(Span(), 3_000), [], Span(), lambda rows: rows)

    assert list(recording.days()) == []
    assert recording.counts.rows_in == 0


def test_record_snapshots_without_phases_has_those_of_the_clock(
    make_snapshots: MakeSnapshots,
) -> None:
    """The session table stands in where a feed says none."""
    raw = make_snapshots(
        ["600519"] * 3, seconds=[-900.0, 0.0, 7_200.0], phases=PHASE_BY_CLOCK, bid=10.0, ask=10.01
    )

    quotes = record_snapshots(raw).days[0].quotes

    assert isinstance(quotes, QuoteRows)
    assert quotes.phase.tolist() == [Phase.OPEN_CALL, Phase.CONTINUOUS, Phase.LUNCH]


def test_record_snapshots_of_a_long_day_with_no_row_left_still_opens_and_closes_it(
    make_snapshots: MakeSnapshots,
) -> None:
    """As of a short one: the day passes without ticks."""
    raw = make_snapshots(["600519"] * 3, bid=11.5, ask=11.6)
    recording = Recording(SnapshotDays(Span(), 3_000), [[raw]], Span(), lambda rows: rows)

    (day,) = recording.days(window_rows_max=1)
    kinds = [kind for kind, _, _ in day.beats()]

    assert day.trade_date == 20230201
    assert kinds == [BeatKind.OPEN, BeatKind.CLOSE]
    assert recording.counts.rejected == {RejectReason.BEYOND_LIMIT: 3}
