"""From day to day shares list, go ex, fall under risk warning, are suspended and leave."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from tidegate_common.domain.enums import Board, LimitState
from tidegate_common.events.run import SyntheticSpec
from tidegate_common.frames.actions import actions_of
from tidegate_common.market.corporate_actions import CorporateAction, ex_rights_reference_e4
from tidegate_ingest.engine.synthetic.plan import DayPlan, Planner
from tidegate_ingest.engine.synthetic.shares import DELISTING_DAYS, SECTORS, make_shares
from tidegate_ingest.engine.synthetic.timetable import synthetic_date

SPEC = SyntheticSpec(seed=7, instrument_count=300, day_count=80)


@pytest.fixture(scope="module")
def plans() -> list[DayPlan]:
    """Return eighty days of three hundred shares."""
    planner = Planner(SPEC)
    return [planner.next_day() for _ in range(SPEC.day_count)]


def _actions(plan: DayPlan) -> tuple[CorporateAction, ...]:
    return actions_of(plan.reference, plan.trade_date)


def _column(plan: DayPlan, name: str) -> dict[int, int]:
    values = getattr(plan.reference, name).tolist()
    return dict(zip(plan.reference.instrument.tolist(), values, strict=True))


def _closes(plan: DayPlan) -> dict[int, int]:
    """Return the closes of all listed shares; those of suspended ones are their base."""
    closes = _column(plan, "prev_close_e4")
    return closes | dict(
        zip(plan.ticks.instrument.tolist(), (plan.ticks.close * 100).tolist(), strict=True)
    )


def test_synthetic_date_after_friday_is_monday() -> None:
    """Weekends are left out, before the first day as well."""
    assert [synthetic_date(number) for number in (-1, 0, 4, 5, 10)] == [
        20260227,
        20260302,
        20260306,
        20260309,
        20260316,
    ]


def test_synthetic_shares_are_spread_over_boards_and_sectors() -> None:
    """Board rules and the sector layer need something to bite on, in about the real parts."""
    shares = make_shares(300, seed=7)
    boards = Counter(shares.board.tolist())

    assert boards == {Board.MAIN: 165, Board.CHINEXT: 75, Board.STAR: 45, Board.BSE: 15}
    assert Counter(shares.sector.tolist()).keys() == set(range(len(SECTORS)))
    assert (np.diff(shares.instrument) > 0).all()
    assert len(set(shares.names)) == len(shares) == 300


def test_synthetic_shares_of_a_small_market_are_in_a_large_one() -> None:
    """A strategy tried on a few shares meets them again; the largest market has room for all."""
    few, many = make_shares(20, seed=7), make_shares(5_500, seed=7)

    place = np.searchsorted(many.instrument, few.instrument)

    assert np.array_equal(many.instrument[place], few.instrument)
    assert np.array_equal(many.sector[place], few.sector)
    assert np.array_equal(many.listing_day[place], few.listing_day)
    assert not (many.board == Board.UNKNOWN).any()


def test_synthetic_days_begin_where_the_day_before_ended(plans: list[DayPlan]) -> None:
    """The previous close is the close, or what the corporate action made of it."""
    for before, after in pairwise(plans):
        actions = {each.instrument: each for each in _actions(after)}
        closes, openings = _closes(before), _column(after, "prev_close_e4")
        for instrument in closes.keys() & openings.keys():
            expected = closes[instrument]
            if instrument in actions:
                expected = ex_rights_reference_e4(expected, actions[instrument])
            assert openings[instrument] == expected
    assert sum(len(_actions(plan)) for plan in plans) > 20
    assert any(each.transfer_e6 for plan in plans for each in _actions(plan))
    assert not _actions(plans[0])


def test_synthetic_shares_that_list_have_no_limit_for_five_days(plans: list[DayPlan]) -> None:
    """They come with an issue price, and are ordinary shares from the sixth day on."""
    listed: dict[int, int] = {}
    for number, plan in enumerate(plans):
        for instrument in plan.reference.instrument.tolist():
            listed.setdefault(instrument, number)
    listed = {instrument: first for instrument, first in listed.items() if first}

    assert 1 in listed.values()
    for instrument, first in listed.items():
        states = [_column(plan, "limit_state")[instrument] for plan in plans[first : first + 7]]
        assert states[:5] == [LimitState.UNLIMITED] * len(states[:5])
        assert states[5:] == [LimitState.LIMITED] * len(states[5:])


def test_synthetic_shares_that_leave_have_fifteen_last_days(plans: list[DayPlan]) -> None:
    """The first of them has no limit; after the last one the share is gone."""
    shares = make_shares(SPEC.instrument_count, SPEC.seed)
    leaving = np.flatnonzero((shares.delisting_day > 0) & (shares.delisting_day < 60))

    assert len(leaving) > 0
    for instrument, first in zip(
        shares.instrument[leaving].tolist(), shares.delisting_day[leaving].tolist(), strict=True
    ):
        last_days = plans[first : first + DELISTING_DAYS]
        states = [_column(plan, "limit_state")[instrument] for plan in last_days]
        assert states == [LimitState.UNLIMITED] + [LimitState.LIMITED] * (DELISTING_DAYS - 1)
        assert all(
            instrument not in plan.reference.instrument for plan in plans[first + DELISTING_DAYS :]
        )


def test_synthetic_shares_under_risk_warning_have_narrow_limits(plans: list[DayPlan]) -> None:
    """5% on the main board from the day on, and the flag comes and goes."""
    changes = 0
    for before, after in pairwise(plans):
        was, is_st = _column(before, "is_st"), _column(after, "is_st")
        changes += sum(was[each] != is_st[each] for each in was.keys() & is_st.keys())
    reference = plans[0].reference
    narrow = reference.take(
        reference.is_st & (reference.board == Board.MAIN) & (reference.limit_state == 1)
    )
    up = narrow.limit_up_e4 / narrow.prev_close_e4 - 1

    assert changes > 0
    # The share in its last days has the limits of those.
    assert (up < 0.07).sum() >= len(narrow) - 1 > 2
    assert not (reference.is_st & (reference.board == Board.BSE)).any()


def test_synthetic_suspensions_begin_end_and_hold_the_price(plans: list[DayPlan]) -> None:
    """A suspended share is listed, has no beats, and goes on where it was."""
    runs = Counter[int]()
    for plan in plans:
        suspended = plan.reference.instrument[plan.reference.is_suspended]
        assert not np.isin(plan.ticks.instrument, suspended).any()
        runs.update(suspended.tolist())

    assert len(runs) > 20
    assert all(days < len(plans) for days in runs.values())


def test_synthetic_figures_are_known_before_the_day(plans: list[DayPlan]) -> None:
    """Ratios stay; turnover is that of the last traded day; new shares come to the float."""
    first, second = plans[0], plans[1]
    rates = _column(second, "turnover_rate")
    floats = _column(first, "float_shares")

    assert np.isnan(first.reference.turnover_rate).all()
    lots = dict(zip(first.ticks.instrument.tolist(), first.ticks.lots.tolist(), strict=True))
    for instrument in lots.keys() & rates.keys():
        assert rates[instrument] == (lots[instrument] * 100) / floats[instrument]
    for name in ("pe_ttm", "pb_mrq", "ps_ttm", "pcf_ttm"):
        before, after = _column(first, name), _column(second, name)
        assert all(before[each] == after[each] for each in before.keys() & after.keys())
    assert (first.reference.pb_mrq > 0).all()
    assert (first.reference.pe_ttm < 0).any()
    for plan, later in pairwise(plans):
        grown = {each.instrument for each in _actions(later) if each.transfer_e6}
        was, now = _column(plan, "float_shares"), _column(later, "float_shares")
        assert {each for each in was.keys() & now.keys() if now[each] != was[each]} == grown


def test_synthetic_years_leave_prices_where_prices_are() -> None:
    """Rounding, dividends and jumps add up to nothing in the long run."""
    planner = Planner(SyntheticSpec(seed=7, instrument_count=60, day_count=400))
    first, *_, last = (planner.next_day() for _ in range(400))

    middle = [np.median(plan.ticks.close) for plan in (first, last)]

    assert 0.5 < middle[1] / middle[0] < 2
    assert last.ticks.close.min() >= 20
