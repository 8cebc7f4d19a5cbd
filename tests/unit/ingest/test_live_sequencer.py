"""The living market as beats: a day opens, ticks and closes, also across a restart."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tidegate_common.domain.enums import BeatKind, LimitState, Phase
from tidegate_common.domain.ids import RunId, shards_of
from tidegate_common.frames.checks import check_rows
from tidegate_common.frames.frame import Frame, split_frame
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.calendar import TradingCalendar
from tidegate_common.market.sessions import NS_PER_SECOND, shanghai_ns
from tidegate_common.testing.quote_lines import QuoteLine, sina_line, tencent_line, text_answer
from tidegate_ingest.engine.live_sequencer import OPEN_WAIT_NS, LiveRun, LiveSequencer
from tidegate_ingest.engine.quote_text import parse_payload

PUDONG, PINGAN = 1_600_000, 2_000_001
MONDAY, TUESDAY = 20260914, 20260915
QUOTE = QuoteLine()
OTHER = QuoteLine(code="sz000001", name="平安银行")
STEP_NS = 3 * NS_PER_SECOND


def make_sequencer(
    day_count: int = 1, instruments: Sequence[int] = (PUDONG, PINGAN)
) -> LiveSequencer:
    """Return a run of two shares and two trading days in September 2026."""
    calendar = TradingCalendar(np.array([MONDAY, TUESDAY]), first_date=20260901, last_date=20260930)
    run = LiveRun(RunId("live"), "{}", np.array(instruments), day_count)
    return LiveSequencer(run, calendar)


def at(clock: str, trade_date: int = MONDAY) -> int:
    """Return a time of a day, ns."""
    hour, minute, second = (int(part) for part in clock.split(":"))
    return shanghai_ns(trade_date, hour * 3_600 + minute * 60 + second)


def offer(sequencer: LiveSequencer, now_ns: int, *quotes: QuoteLine) -> list[Frame]:
    """Give some quotes as Sina's answer; return the beats that are due then."""
    if sequencer.wants_quotes(now_ns):
        sequencer.offer(parse_payload(text_answer(*map(sina_line, quotes))), now_ns)
    frames = sequencer.beats(now_ns)
    for frame in frames:
        check_rows(frame.rows)
    return frames


def kinds(frames: Sequence[Frame]) -> list[BeatKind]:
    """Return what kind of beat each frame is."""
    return [frame.stamp.kind for frame in frames]


def quotes_of(frame: Frame) -> QuoteRows:
    """Return a frame's rows, which are quotes."""
    assert isinstance(frame.rows, QuoteRows)
    return frame.rows


def run_day(sequencer: LiveSequencer) -> list[Frame]:
    """Return the beats of a short Monday."""
    return [
        *offer(sequencer, at("10:30:06"), QUOTE, OTHER),
        *offer(sequencer, at("10:30:09"), replace(QUOTE, time="10:30:06", last="9.41")),
        *offer(sequencer, at("10:30:12")),
        *offer(sequencer, at("15:01:00"), replace(QUOTE, time="15:00:00", last="9.42")),
    ]


def test_live_sequencer_of_a_day_opens_ticks_and_closes() -> None:
    """Every cadence is a beat, also where nobody spoke; numbers have no gaps."""
    sequencer = make_sequencer()

    frames = run_day(sequencer)

    tick = BeatKind.TICK
    assert kinds(frames) == [BeatKind.OPEN, tick, tick, tick, tick, BeatKind.CLOSE]
    assert [frame.stamp.beat for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert [len(frame.rows) for frame in frames] == [2, 2, 1, 0, 1, 2]
    assert [frame.stamp.is_last for frame in frames] == [False] * 5 + [True]
    assert {frame.stamp.trade_date for frame in frames} == {MONDAY}
    assert [frame.run_spec for frame in frames[:2]] == ["{}", ""]
    stamps = [frame.stamp.ts_event_ns for frame in frames]
    assert stamps == sorted(stamps)
    assert sequencer.ts_event_ns == stamps[-1]
    assert sequencer.is_ended
    assert not sequencer.wants_quotes(at("10:00:00", TUESDAY))


def test_live_sequencer_of_a_day_closes_with_the_last_quotes() -> None:
    """The bar of the day is what the services said of the day."""
    bars = run_day(make_sequencer())[-1].rows

    assert isinstance(bars, BarRows)
    assert bars.instrument.tolist() == [PUDONG, PINGAN]
    assert bars.open_e4.tolist() == [92_800, 92_800]
    assert bars.high_e4.tolist() == [94_300, 94_300]
    assert bars.close_e4.tolist() == [94_200, 94_000]
    assert bars.volume_shares.tolist() == [77_187_100, 77_187_100]


def test_live_sequencer_opens_with_what_the_first_quotes_say() -> None:
    """ST is in the name; limits are the service's, or those of the board and the name."""
    names = ("浦发银行", "*ST浦发", "N浦发", "浦发退")
    codes = ("sh600000", "sh600001", "sh600004", "sh600006")
    lines = [replace(QUOTE, code=code, name=name) for code, name in zip(codes, names, strict=True)]
    lines[1] = replace(lines[1], high="9.70", low="9.10")
    sequencer = make_sequencer(instruments=[1_600_000, 1_600_001, 1_600_004, 1_600_006])

    rows = offer(sequencer, at("10:30:06"), *lines)[0].rows

    assert isinstance(rows, ReferenceRows)
    assert rows.is_st.tolist() == [False, True, False, False]
    assert rows.prev_close_e4.tolist() == [92_600] * 4
    state = [LimitState.LIMITED, LimitState.LIMITED, LimitState.UNKNOWN, LimitState.UNKNOWN]
    assert rows.limit_state.tolist() == state
    assert rows.limit_up_e4.tolist()[0] == 101_900
    assert rows.limit_down_e4.tolist()[2:] == [0, 0]


@pytest.mark.parametrize(
    ("limits", "state", "up_e4"),
    [
        (("9.72", "8.80"), LimitState.LIMITED, 97_200),
        (("-1", "-1"), LimitState.UNKNOWN, 0),
        (("9.41", "9.30"), LimitState.UNKNOWN, 0),
    ],
)
def test_live_sequencer_opens_with_the_limits_of_tencent(
    limits: tuple[str, str], state: LimitState, up_e4: int
) -> None:
    """A limit that the day's own high lies above is not known to us."""
    sequencer = make_sequencer(instruments=[PUDONG])
    line = tencent_line(replace(QUOTE, name="ST浦发", limits=limits))

    sequencer.offer(parse_payload(text_answer(line)), at("10:30:06"))
    rows = sequencer.beats(at("10:30:06"))[0].rows

    assert isinstance(rows, ReferenceRows)
    assert (rows.limit_state.tolist(), rows.limit_up_e4.tolist()) == ([state], [up_e4])


def test_live_sequencer_opens_without_who_is_silent() -> None:
    """One share that is not quoted must not keep the day from opening; it stays out of it."""
    sequencer = make_sequencer()
    now_ns = at("10:30:06")

    first = offer(sequencer, now_ns, QUOTE)
    second = offer(sequencer, now_ns + OPEN_WAIT_NS - 1)
    third = offer(sequencer, now_ns + OPEN_WAIT_NS)
    fourth = offer(sequencer, now_ns + OPEN_WAIT_NS + STEP_NS, OTHER)

    assert (first, second, kinds(third)) == ([], [], [BeatKind.OPEN, BeatKind.TICK])
    assert third[0].rows.instrument.tolist() == [PUDONG]
    assert len(fourth[0].rows) == 0
    assert sequencer.gate.counts["not_wanted"] == 1


@pytest.mark.parametrize(
    ("now_ns", "is_wanted"),
    [
        (at("08:59:59"), False),
        (at("09:00:00"), True),
        (at("15:00:59"), True),
        (at("15:01:00"), False),
        (at("10:00:00", 20260912), False),
        (at("10:00:00", 20260831), False),
        (at("10:00:00", 20991231), False),
    ],
)
def test_live_sequencer_wants_quotes_in_the_hours_of_a_trading_day(
    now_ns: int,
    is_wanted: bool,  # noqa: FBT001  # a column of the table above
) -> None:
    """Nobody is asked at night or on a weekend, and no day begins after its close."""
    assert make_sequencer().wants_quotes(now_ns) == is_wanted


def test_live_sequencer_with_nothing_of_today_does_not_open() -> None:
    """Before the market wakes up the services still say Friday."""
    sequencer = make_sequencer()

    frames = offer(sequencer, at("09:00:03"), replace(QUOTE, date="2026-09-11"))

    assert frames == []
    assert sequencer.beats(at("23:00:00")) == []
    assert sequencer.gate.counts["stale"] == 1


def test_live_sequencer_over_days_opens_each_of_them() -> None:
    """A run of several days is one sequence of beats."""
    sequencer = make_sequencer(day_count=2)

    monday = run_day(sequencer)
    evening = offer(sequencer, at("15:02:00"), replace(QUOTE, time="15:02:00"))
    tuesday = offer(
        sequencer,
        at("10:30:06", TUESDAY),
        replace(QUOTE, date="2026-09-15"),
        replace(OTHER, date="2026-09-15"),
    )

    assert (monday[-1].stamp.is_last, evening) == (False, [])
    assert kinds(tuesday) == [BeatKind.OPEN, BeatKind.TICK]
    assert [frame.stamp.beat for frame in tuesday] == [6, 7]
    assert {frame.stamp.trade_date for frame in tuesday} == {TUESDAY}
    assert tuesday[0].run_spec == ""


@pytest.mark.parametrize("shard_count", [1, 2])
@pytest.mark.parametrize("kept", range(7))
def test_live_sequencer_after_a_restart_goes_on_as_if_nothing_had_been(
    kept: int,
    shard_count: int,
) -> None:
    """The log is the state, however it is spread over shards."""
    frames = run_day(make_sequencer())
    sequencer = make_sequencer()
    for frame in frames[:kept]:
        shard = shards_of(frame.rows.instrument, shard_count)
        for part in split_frame(frame, shard, shard_count):
            sequencer.take(part)

    rest: list[Frame] = []
    if not sequencer.is_ended:
        rest += offer(
            sequencer, at("15:00:30"), replace(QUOTE, time="15:00:00", last="9.42"), OTHER
        )
        rest += offer(sequencer, at("15:01:00"))

    numbers = [frame.stamp.beat for frame in (*frames[:kept], *rest)]
    assert numbers == list(range(len(numbers)))
    assert kinds([*frames[:kept], *rest])[-1] == BeatKind.CLOSE
    assert kinds([*frames[:kept], *rest]).count(BeatKind.OPEN) == 1
    assert sequencer.is_ended
    last = [*frames[:kept], *rest][-1].rows
    assert isinstance(last, BarRows)
    assert last.close_e4.tolist() == [94_200, 94_000]
    assert last.high_e4.tolist() == [94_300, 94_300]


def test_live_sequencer_back_on_the_next_day_closes_the_day_before_first() -> None:
    """Books that were never closed are closed with what the log has of the day."""
    frames = run_day(make_sequencer())
    sequencer = make_sequencer()
    for frame in frames[:3]:
        sequencer.take(frame)

    late = offer(sequencer, at("09:30:00", TUESDAY), replace(QUOTE, date="2026-09-15"))

    assert kinds(late) == [BeatKind.CLOSE]
    assert late[0].stamp.trade_date == MONDAY
    assert late[0].stamp.ts_event_ns == at("15:00:00")
    bars = late[0].rows
    assert isinstance(bars, BarRows)
    # Quotes say the last price only: 9.41 is all that the log has seen of 600000 since 9.40.
    assert bars.open_e4.tolist() == [94_000, 94_000]
    assert bars.high_e4.tolist() == [94_100, 94_000]
    assert bars.low_e4.tolist() == [94_000, 94_000]


def test_live_sequencer_beats_are_not_earlier_than_their_quotes_nor_than_the_one_before() -> None:
    """An exchange's clock may be ahead of ours, and ours may be set back."""
    sequencer = make_sequencer(instruments=[PUDONG])
    offer(sequencer, at("10:30:06"), QUOTE)

    ahead = offer(sequencer, at("10:30:09"), replace(QUOTE, time="10:30:21", last="9.41"))
    back = offer(sequencer, at("10:30:03"))

    assert ahead[0].stamp.ts_event_ns == at("10:30:21")
    assert back[0].stamp.ts_event_ns == at("10:30:21")


def test_live_sequencer_whose_clock_is_set_back_does_not_open_the_day_again() -> None:
    """A day that is closed stays closed."""
    sequencer = make_sequencer(day_count=2)
    run_day(sequencer)

    assert not sequencer.wants_quotes(at("14:59:00"))
    assert sequencer.wants_quotes(at("10:30:06", TUESDAY))


def test_live_sequencer_after_a_restart_counts_a_day_of_several_shards_once() -> None:
    """Each shard has a CLOSE of its own; Tuesday is still to come."""
    sequencer = make_sequencer(day_count=2)
    for frame in run_day(make_sequencer(day_count=2)):
        for part in split_frame(frame, shards_of(frame.rows.instrument, 2), 2):
            sequencer.take(part)

    assert not sequencer.is_ended
    assert sequencer.wants_quotes(at("10:30:06", TUESDAY))


def test_live_sequencer_whose_beats_are_held_back_tells_the_newest_only() -> None:
    """While the broker is slow, quotes are replaced and not piled up."""
    sequencer = make_sequencer(instruments=[PUDONG])
    offer(sequencer, at("10:30:06"), QUOTE)
    for second in (9, 12):
        line = sina_line(replace(QUOTE, time=f"10:30:{second:02d}", last=f"9.3{second % 10}"))
        sequencer.offer(parse_payload(text_answer(line)), at("10:30:12"))

    frames = sequencer.beats(at("10:30:15"))

    assert [frame.stamp.beat for frame in frames] == [2]
    assert quotes_of(frames[0]).last_e4.tolist() == [93_200]


def test_live_sequencer_marks_a_suspended_share() -> None:
    """Its phase is halted, whatever the session table says."""
    zeros = QuoteLine(
        open="0.00", last="0.00", high="0.00", low="0.00", amount="0", volume=0, status="03"
    )
    frames = offer(make_sequencer(instruments=[PUDONG]), at("10:30:06"), zeros)

    assert isinstance(frames[0].rows, ReferenceRows)
    assert frames[0].rows.is_suspended.tolist() == [True]
    assert quotes_of(frames[1]).phase.tolist() == [Phase.HALTED]
