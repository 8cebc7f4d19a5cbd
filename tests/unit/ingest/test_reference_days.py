"""What a user's reference says of days: facts that hold on, and actions of their days."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from tests.unit.ingest.recordings import read_days

from tidegate_common.domain.enums import LimitState
from tidegate_common.errors import ConfigError
from tidegate_common.frames.actions import actions_of
from tidegate_common.frames.rows import ReferenceRows
from tidegate_common.market.corporate_actions import CorporateAction
from tidegate_ingest.engine.bar_days import BarDays
from tidegate_ingest.engine.columns import RawBars, RawMinuteBars, RawSnapshots
from tidegate_ingest.engine.minute_days import MinuteDay, MinuteDays
from tidegate_ingest.engine.recording import Recording, Span
from tidegate_ingest.engine.reference import listing_stages
from tidegate_ingest.engine.reference_days import (
    DayFacts,
    ReferenceDays,
    ReferenceRow,
    ReferenceTable,
)
from tidegate_ingest.engine.sequencer import Day
from tidegate_ingest.engine.snapshot_days import LongDay, SnapshotDays

MakeBars = Callable[..., RawBars]
MakeMinutes = Callable[..., RawMinuteBars]
MakeSnapshots = Callable[..., RawSnapshots]
LIQUOR, BANK = 1_600_519, 1_600_000
WEDNESDAY, THURSDAY, FRIDAY, MONDAY = 20230201, 20230202, 20230203, 20230206
DATES = ("2023-02-01", "2023-02-02", "2023-02-03", "2023-02-06")


def _action(ex_date: int = THURSDAY, **amounts: int) -> CorporateAction:
    return CorporateAction(LIQUOR, ex_date, **(amounts or {"cash_e6": 500_000}))


def _table(*actions: CorporateAction) -> ReferenceTable:
    return ReferenceTable(
        ReferenceRow(each.instrument, each.ex_date, action=each) for each in actions
    )


def _facts(days: ReferenceDays, trade_date: int, *instruments: int) -> DayFacts:
    return days.on(trade_date, np.array(instruments or (LIQUOR,), np.int64))


def _bar_days(table: ReferenceTable, *raws: RawBars) -> Sequence[Day]:
    recording = Recording(BarDays(table), ([raw] for raw in raws), Span(), lambda rows: rows)
    return read_days(recording, Day).days


def _prev_closes(days: Sequence[Day | MinuteDay]) -> list[list[int]]:
    return [day.reference.prev_close_e4.tolist() for day in days]


def test_facts_hold_from_their_date_until_another_is_said() -> None:
    """Each kind on its own: a row that says a sector takes no ST flag back."""
    table = ReferenceTable(
        [
            ReferenceRow(LIQUOR, FRIDAY, is_st=False, is_suspended=True),
            ReferenceRow(LIQUOR, WEDNESDAY, listing_date=20010827, is_st=True),
            ReferenceRow(LIQUOR, THURSDAY, sector="drinks"),
            ReferenceRow(BANK, THURSDAY, sector="banks"),
        ]
    )
    days = ReferenceDays(table)

    found = [
        _facts(days, date, BANK, LIQUOR, LIQUOR + 1) for date in (20230131, WEDNESDAY, THURSDAY)
    ]
    later = _facts(days, MONDAY, LIQUOR)

    assert [facts.listing_date.tolist() for facts in found] == [[0, 0, 0], *[[0, 20010827, 0]] * 2]
    assert [facts.is_st.tolist() for facts in found] == [[-1, -1, -1], *[[-1, 1, -1]] * 2]
    assert [facts.sector.tolist() for facts in found][2] == ["banks", "drinks", ""]
    assert later.st(np.array([True])).tolist() == [False]
    assert later.suspended(np.array([False])).tolist() == [True]
    assert found[0].st(np.array([True, False, True])).tolist() == [True, False, True]
    assert found[0].suspended(np.array([True, False, True])).tolist() == [True, False, True]
    assert (table.row_count, table.instrument_count, table.action_count) == (4, 2, 0)


def test_action_is_of_its_day_alone() -> None:
    """Not before, and not twice."""
    days = ReferenceDays(_table(_action()))

    found = [_facts(days, date).actions for date in (WEDNESDAY, THURSDAY, FRIDAY)]

    assert found == [{}, {LIQUOR: _action()}, {}]


def test_action_of_a_day_without_the_instrument_comes_on_its_next_day() -> None:
    """Who held it then holds it still, because it could not be traded."""
    days = ReferenceDays(_table(_action(record_date=WEDNESDAY, cash_e6=500_000)))

    _facts(days, WEDNESDAY, BANK, LIQUOR)
    missed = _facts(days, THURSDAY, BANK).actions
    (action,) = _facts(days, MONDAY, BANK, LIQUOR).actions.values()

    assert missed == {}
    assert (action.ex_date, action.record_date) == (MONDAY, WEDNESDAY)


def test_action_of_before_an_instrument_was_seen_is_nobodys() -> None:
    """A run begins with cash alone."""
    days = ReferenceDays(_table(_action()))

    assert _facts(days, FRIDAY).actions == {}


def test_two_actions_between_two_days_of_an_instrument_are_refused() -> None:
    """What they come to together is not for us to guess."""
    days = ReferenceDays(_table(_action(), _action(FRIDAY)))
    days.see(WEDNESDAY, np.array([LIQUOR]))

    with pytest.raises(ConfigError, match=r"600519\.SH between .* 20230202, 20230203, before"):
        _facts(days, MONDAY)


def test_record_bars_without_previous_closes_takes_the_ex_rights_price(make_bars: MakeBars) -> None:
    """10.00 less 0.50: the limits follow."""
    raw = make_bars(["600519"] * 3, dates=DATES[:3], prev_close=0.0, low=9.5, open=9.6)

    days = _bar_days(_table(_action()), raw)

    assert _prev_closes(days) == [[0], [95_000], [100_000]]
    assert [day.reference.limit_up_e4.tolist() for day in days] == [[0], [104_500], [110_000]]
    assert [len(actions_of(day.reference, day.trade_date)) for day in days] == [0, 1, 0]


@pytest.mark.parametrize(
    ("said", "expected"),
    [(10.0, 95_000), (9.5, 95_000), (9.4, 94_000)],
    ids=["raw", "adjusted", "adjusted in another way"],
)
def test_record_bars_with_previous_closes_adjusts_raw_ones_only(
    make_bars: MakeBars, said: float, expected: int
) -> None:
    """What is the last close as it was is not adjusted; all else is the exchange's own word."""
    raw = make_bars(["600519"] * 2, dates=DATES[:2], prev_close=[10.0, said], low=9.5, open=9.6)

    days = _bar_days(_table(_action()), raw)

    assert _prev_closes(days) == [[100_000], [expected]]


def test_record_bars_of_others_keep_their_previous_closes(make_bars: MakeBars) -> None:
    """An action is its instrument's alone."""
    raw = make_bars(["600000", "600519"] * 2, dates=[*DATES[:1] * 2, *DATES[1:2] * 2], low=9.5)

    days = _bar_days(_table(_action()), raw)

    assert _prev_closes(days)[1] == [100_000, 95_000]


def test_record_bars_of_an_action_that_leaves_no_price_knows_none(make_bars: MakeBars) -> None:
    """Then the limit is unknown, and risk rejects."""
    raw = make_bars(["600519"] * 2, dates=DATES[:2])

    days = _bar_days(_table(_action(cash_e6=20_000_000)), raw)

    assert _prev_closes(days)[1] == [0]
    assert days[1].reference.limit_state.tolist() == [LimitState.UNKNOWN]


def test_record_minutes_takes_the_ex_rights_price(make_minutes: MakeMinutes) -> None:
    """No file of minutes says a previous close."""
    raws = [make_minutes(trade_date=date, low=9.6, open=9.7) for date in (WEDNESDAY, THURSDAY)]
    kind = MinuteDays(Span(), _table(_action()))
    recording = Recording(kind, ([raw] for raw in raws), Span(), lambda rows: rows)

    days = read_days(recording, MinuteDay).days

    assert _prev_closes(days) == [[0], [95_000]]
    assert days[1].reference.cash_e6.tolist() == [500_000]


def test_user_wins_over_the_feed(make_bars: MakeBars) -> None:
    """ST, suspension, sector and listing date, and the limits that hang on them."""
    row = ReferenceRow(
        LIQUOR, WEDNESDAY, listing_date=20010827, is_st=True, is_suspended=True, sector="drinks"
    )
    (day,) = _bar_days(ReferenceTable([row]), make_bars())

    rows = day.reference

    assert (rows.is_st.tolist(), rows.is_suspended.tolist()) == ([True], [True])
    assert (rows.sector.tolist(), rows.listing_date.tolist()) == (["drinks"], [20010827])
    assert (rows.limit_up_e4.tolist(), rows.open_e4.tolist()) == ([105_000], [0])


def _snapshot_reference(
    make_snapshots: MakeSnapshots, table: ReferenceTable, rows_max: int | None
) -> list[ReferenceRows]:
    raws = [make_snapshots(["600519"] * 4, trade_date=date) for date in (WEDNESDAY, THURSDAY)]
    kind = SnapshotDays(Span(), 3_000, table)
    recording = Recording(kind, ([raw] for raw in raws), Span(), lambda rows: rows)
    found = []
    for day in recording.days(rows_max):
        assert isinstance(day, LongDay if rows_max else Day)
        first, again = (next(iter(day.beats()))[2] for _ in range(2))
        assert isinstance(first, ReferenceRows)
        assert isinstance(again, ReferenceRows)
        assert again.cash_e6.tolist() == first.cash_e6.tolist()
        found.append(first)
    return found


@pytest.mark.parametrize("rows_max", [None, 2])
def test_record_snapshots_carries_what_the_user_says(
    make_snapshots: MakeSnapshots, rows_max: int | None
) -> None:
    """Days that fit into memory and days that do not; told again they are the same."""
    rows = (
        ReferenceRow(LIQUOR, WEDNESDAY, is_st=True),
        ReferenceRow(LIQUOR, THURSDAY, action=_action()),
    )

    before, after = _snapshot_reference(make_snapshots, ReferenceTable(rows), rows_max)

    assert (before.cash_e6.tolist(), after.cash_e6.tolist()) == ([0], [500_000])
    assert after.is_st.tolist() == [True]
    # The exchange's previous close is ex-rights; 5% of it.
    assert (after.prev_close_e4.tolist(), after.limit_up_e4.tolist()) == ([100_000], [105_000])


@pytest.mark.parametrize(
    ("instrument", "listed", "trade_date", "expected"),
    [
        (1_688_001, 20230131, 20230206, LimitState.UNLIMITED),
        (1_688_001, 20230131, 20230207, LimitState.LIMITED),
        (2_300_001, 20230131, 20230206, LimitState.UNLIMITED),
        (1_600_001, 20230410, 20230414, LimitState.UNLIMITED),
        (1_600_001, 20230410, 20230417, LimitState.LIMITED),
        (1_600_001, 20230413, 20230412, LimitState.UNKNOWN),
    ],
    ids=["star 5th", "star 6th", "chinext 5th", "main 5th", "main 6th", "before"],
)
def test_limits_of_a_new_share_depend_on_its_listing_date(
    make_bars: MakeBars, instrument: int, listed: int, trade_date: int, expected: LimitState
) -> None:
    """Five days without a limit, on the main board since 2023-04-10."""
    word = f"{trade_date // 10_000}-{trade_date // 100 % 100:02}-{trade_date % 100:02}"
    raw = make_bars([f"{instrument % 1_000_000:06}"], dates=word)
    table = ReferenceTable([ReferenceRow(instrument, 20230101, listing_date=listed)])

    (day,) = _bar_days(table, raw)

    assert day.reference.limit_state.tolist() == [expected]


@pytest.mark.parametrize(("listed", "is_known"), [(20981231, True), (20990102, False)])
def test_stage_beyond_the_calendar_is_unknown_for_a_year(*, listed: int, is_known: bool) -> None:
    """Its days cannot be counted there, but a year is longer than any first days."""
    instrument = np.array([LIQUOR, BANK])
    listing_date = np.array([listed, 0])

    stages = listing_stages(instrument, np.zeros(2, np.bool_), listing_date, 20991231)

    ordinary = listing_stages(instrument, np.zeros(2, np.bool_), np.zeros(2, np.int64), 20991231)
    assert (stages == ordinary).tolist() == [is_known, True]
