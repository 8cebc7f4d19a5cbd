"""The rule book says the same to a person and to an engine."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate_common.domain.enums import Board, ListingStatus, Phase, RiskWarning
from tidegate_common.domain.ids import EXCHANGE_STEP
from tidegate_common.market.calendar import xshg_calendar
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence
from tidegate_common.market.instruments import InstrumentRow, InstrumentTable
from tidegate_common.market.listing import LISTED_LONG_AGO
from tidegate_common.market.lots import lot_rule, price_tick_e4
from tidegate_common.market.rulebook import NO_CAP_SHARES, NO_RESALE_DAYS, RuleBook
from tidegate_common.market.sessions import phases_at
from tidegate_common.market.tables import RULE_TABLES

CALENDAR = xshg_calendar()
# The days on which something changes, and those around them, are drawn as often as all others.
# What comes first is drawn most: late days, on which there are many rules.
CHANGES = sorted(
    {
        date
        for table in RULE_TABLES
        for row in table.rows
        for date in (row.effective_from, row.effective_to)
        if CALENDAR.first_date < date < CALENDAR.last_date
    },
    reverse=True,
)
changes = st.builds(
    lambda date, is_after: CALENDAR.next_day(date) if is_after else CALENDAR.previous_day(date),
    st.sampled_from(CHANGES),
    st.booleans(),
)
trade_dates = changes | st.sampled_from(CALENDAR.sessions[::-1].tolist())
instruments = st.integers(EXCHANGE_STEP, 4 * EXCHANGE_STEP - 1)


@st.composite
def rows(draw: st.DrawFn, trade_date: int) -> InstrumentRow:
    """Draw what is true of an instrument around a day: most facts are a few days old."""
    place = int(np.searchsorted(CALENDAR.sessions, trade_date))
    recent = CALENDAR.sessions[max(0, place - 6) : place + 2].tolist()
    since = st.sampled_from([FIRST_DATE, *recent])
    first = draw(since)
    return InstrumentRow(
        instrument=draw(instruments),
        effective_from=first,
        effective_to=draw(st.sampled_from([*[LAST_DATE] * 5, max(first, recent[0])])),
        board=draw(st.sampled_from([*Board][::-1])),
        status=draw(st.just(ListingStatus.LISTED) | st.sampled_from(ListingStatus)),
        risk_warning=draw(st.sampled_from(RiskWarning)),
        listed=draw(st.just(LISTED_LONG_AGO) | since | trade_dates),
        has_same_day_resale=draw(st.booleans()),
        source="drawn",
        confidence=Confidence.D,
    )


@settings(max_examples=200)
@given(trade_date=trade_dates, data=st.data())
def test_on_and_columns_on_any_day_agree(trade_date: int, data: st.DataObject) -> None:
    """An engine that checks by arrays must refuse what a person is told is refused."""
    table = data.draw(st.lists(rows(trade_date), max_size=8, unique_by=lambda row: row.instrument))
    book = RuleBook(InstrumentTable(table, CALENDAR), CALENDAR)
    asked = [row.instrument for row in table] + data.draw(st.lists(instruments, max_size=2))
    size = len(asked)
    prices = data.draw(
        st.lists(st.integers(-1, 9) | st.integers(0, 10**11), min_size=size, max_size=size)
    )
    seconds = data.draw(st.integers(0, 86_399))

    columns = book.columns_on(
        np.array(asked, dtype=np.int64),
        trade_date,
        prev_close_e4=np.array(prices, dtype=np.int64),
    )

    phases = phases_at(
        exchanges=columns.exchange,
        boards=columns.statuses.board,
        trade_date=trade_date,
        seconds_of_day=seconds,
    )
    for place, (instrument, price_e4) in enumerate(zip(asked, prices, strict=True)):
        rules = book.on(instrument, trade_date, prev_close_e4=price_e4)
        status, limit, cage = rules.status, rules.limit, rules.cage
        assert status.stage == columns.statuses.stage[place]
        assert status.listing_day == columns.statuses.listing_day[place]
        assert limit.state == columns.limits.state[place]
        assert limit.up_e4 == columns.limits.up_e4[place]
        assert limit.down_e4 == columns.limits.down_e4[place]
        assert cage.state == columns.cages.state[place]
        assert cage.buy_cap_e4 == columns.cages.buy_cap_e4[place]
        assert cage.sell_floor_e4 == columns.cages.sell_floor_e4[place]
        lot = rules.lot.value if rules.lot is not None else lot_rule(Board.UNKNOWN, trade_date)
        assert lot.min_shares == columns.lots.min_shares[place]
        assert lot.step_shares == columns.lots.step_shares[place]
        assert lot.max_limit_shares == columns.lots.max_limit_shares[place]
        assert lot.max_market_shares == columns.lots.max_market_shares[place]
        assert lot.max_fixed_price_shares == columns.lots.max_fixed_price_shares[place]
        assert price_tick_e4(status.board) == columns.lots.tick_e4[place]
        cap = rules.st_buy_cap.value if rules.st_buy_cap is not None else NO_CAP_SHARES
        assert cap == columns.st_buy_cap_shares[place]
        settled = rules.settlement
        days = settled.value.resale_days if settled is not None else NO_RESALE_DAYS
        assert days == columns.resale_days[place]
        sessions = rules.sessions.value if rules.sessions is not None else ()
        spoken = [each for each in sessions if each.start_seconds <= seconds < each.end_seconds]
        assert (spoken[0].phase if spoken else Phase.CLOSED) == phases[place]
