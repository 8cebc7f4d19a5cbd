"""Corporate actions in risk's books: at the OPEN of the ex-date, on what was held before it."""

import pytest
from tests.unit.risk.scenario import BANK, DAYS, LIQUOR, PRICE_E4, Quote, Reference, Stage, fill_of

from tidegate_common.domain.enums import AccountState, BookingKind, Side
from tidegate_common.events.portfolio import Booking
from tidegate_common.market.corporate_actions import CorporateAction
from tidegate_risk.engine.engine import RiskOutput

TUESDAY, WEDNESDAY, THURSDAY = DAYS[1:]
# 4.00 CNY less 0.40, over 1.5 shares.
EX_PRICE_E4 = 24_000
SPLIT = CorporateAction(BANK, TUESDAY, cash_e6=400_000, transfer_e6=500_000)


def _holder() -> Stage:
    """Return an engine whose account bought 10,000 shares at 4.00 on Monday."""
    stage = Stage(strategies=("cross", "other"))
    stage.hold(10_000)
    return stage


def _ex(action: CorporateAction = SPLIT, prev_close_e4: int = EX_PRICE_E4) -> Reference:
    return Reference(
        action=action, prev_close_e4=prev_close_e4, limit_up_e4=26_400, limit_down_e4=21_600
    )


def _told(output: RiskOutput) -> list[tuple[str, int, int, int]]:
    return [
        (each.kind.value, each.cash_fen, each.quantity_shares, each.effective_date)
        for each in output.bookings
    ]


def test_ex_date_changes_shares_and_cash_but_not_the_nav() -> None:
    """What the price loses the account gets: 4,000 CNY and 5,000 shares."""
    stage = _holder()
    before = stage.engine.portfolios()[0]

    output = stage.open(_ex())

    (state,) = output.portfolios
    (position,) = state.positions
    assert (position.quantity_shares, position.sellable_shares) == (15_000, 15_000)
    assert (position.cost_fen, position.mark_e4) == (4_000_000, EX_PRICE_E4)
    assert state.cash_fen == before.cash_fen + 400_000
    assert state.nav_fen == before.nav_fen == state.opening_nav_fen
    assert (state.day_pnl_fen, state.state) == (0, AccountState.ACTIVE)


def test_bookings_say_why_and_from_where() -> None:
    """Account, beat and number name each; they are of OPEN alone."""
    stage = _holder()

    output = stage.open(_ex())
    after = stage.tick(Quote(last_e4=EX_PRICE_E4))

    assert output.bookings[0] == Booking(
        account_id=output.portfolios[0].account_id,
        beat=stage.beat - 2,
        sequence=0,
        trade_date=TUESDAY,
        ts_event_ns=output.portfolios[0].ts_event_ns,
        kind=BookingKind.DIVIDEND_CLAIM,
        instrument=BANK,
        cash_fen=400_000,
        quantity_shares=0,
        held_shares=10_000,
        effective_date=TUESDAY,
    )
    assert _told(output)[1:] == [
        ("new_shares", 0, 5_000, TUESDAY),
        ("dividend_paid", 400_000, 0, 0),
    ]
    assert [each.sequence for each in output.bookings] == [0, 1, 2]
    assert after.bookings == ()


def test_dividend_counts_before_it_is_paid_also_after_a_restart() -> None:
    """The claim is worth its cash, and a snapshot remembers it."""
    action = CorporateAction(BANK, TUESDAY, cash_e6=400_000, pay_date=THURSDAY)
    stage = _holder()
    nav_fen = stage.engine.portfolios()[0].nav_fen

    on_ex_date = stage.open(_ex(action, 36_000)).portfolios[0]
    stage.close({BANK: 36_000})
    restarted = Stage(strategies=("cross", "other"))
    restarted.engine.restore(stage.engine.snapshot())
    restarted.beat, restarted.day = stage.beat, stage.day
    between = restarted.open(Reference(prev_close_e4=36_000))
    restarted.close({BANK: 36_000})
    paid = restarted.open(Reference(prev_close_e4=36_000))

    assert (on_ex_date.nav_fen, on_ex_date.receivable_fen) == (nav_fen, 400_000)
    assert between.bookings == ()
    assert between.portfolios[0].receivable_fen == 400_000
    assert _told(paid) == [("dividend_paid", 400_000, 0, 0)]
    assert paid.portfolios[0].cash_fen == on_ex_date.cash_fen + 400_000
    assert paid.portfolios[0].nav_fen == nav_fen
    assert not isinstance(paid.portfolios[0].receivable_fen, int)


def test_new_shares_that_are_not_listed_count_and_cannot_be_sold() -> None:
    """They are worth their price from the ex-date on."""
    action = CorporateAction(BANK, TUESDAY, transfer_e6=500_000, listing_date=WEDNESDAY)
    stage = _holder()

    ex = stage.open(_ex(action, 26_700)).portfolios[0]
    stage.close({BANK: 26_700})
    listed = stage.open(Reference(prev_close_e4=26_700)).portfolios[0]

    assert (ex.positions[0].quantity_shares, ex.positions[0].sellable_shares) == (15_000, 10_000)
    assert ex.positions[0].value_fen == 4_005_000
    assert listed.positions[0].sellable_shares == 15_000


def test_new_shares_belong_to_the_strategy_that_holds() -> None:
    """Else it would leave them lying when it sells what it has."""
    stage = Stage(strategies=("cross", "other"))
    stage.open()
    order = stage.tick(Quote(ask_e4=PRICE_E4), scores={"cross": {BANK: 1_000_000}}).submits[0]
    stage.tick(fills=(fill_of(order),))
    stage.close()
    before = stage.engine.snapshot().values

    stage.open(_ex())

    after = stage.engine.snapshot().values
    (held,), (grown,) = (
        values["accounts"]["alpha"]["sleeves"]["shares"]  # type: ignore[index]
        for values in (before, after)
    )
    assert grown == ["cross", BANK, held[2] * 3 // 2]


def test_rights_lapse_and_the_loss_is_told() -> None:
    """Nobody can be asked; the value that goes is real."""
    action = CorporateAction(BANK, TUESDAY, rights_e6=300_000, rights_price_e4=20_000)
    stage = _holder()
    before = stage.engine.portfolios()[0]

    output = stage.open(_ex(action, 35_400))

    (state,) = output.portfolios
    assert _told(output) == [("rights_lapsed", 0, 3_000, 0)]
    assert state.cash_fen == before.cash_fen
    assert state.nav_fen == before.nav_fen - 460_000
    assert state.positions[0].quantity_shares == 10_000


def test_action_without_a_price_of_the_day_marks_by_the_formula() -> None:
    """A suspended share may go ex with no previous close said; its old mark would be too dear."""
    stage = _holder()
    nav_fen = stage.engine.portfolios()[0].nav_fen

    output = stage.open(_ex(prev_close_e4=0))

    assert output.portfolios[0].positions[0].mark_e4 == EX_PRICE_E4
    assert output.portfolios[0].nav_fen == nav_fen


def test_action_that_leaves_no_price_halts_its_holders_only() -> None:
    """Whoever said so, the books cannot follow it."""
    action = CorporateAction(BANK, TUESDAY, cash_e6=9_000_000)
    stage = Stage(accounts=("alpha", "beta"))
    stage.hold(10_000)

    output = stage.open(_ex(action, 36_000))

    assert [state.state for state in output.portfolios] == [
        AccountState.HALTED,
        AccountState.ACTIVE,
    ]
    assert output.bookings == ()


def test_dividend_tax_of_a_sale_is_told_as_the_next_day_begins() -> None:
    """Sold within a month: a fifth of the dividend goes."""
    stage = _holder()
    stage.open(_ex(CorporateAction(BANK, TUESDAY, cash_e6=400_000)))
    order = stage.ask(
        Quote(last_e4=EX_PRICE_E4), side=Side.SELL, price_e4=EX_PRICE_E4, quantity_shares=10_000
    ).submits[0]
    stage.tick(fills=(fill_of(order),))
    sold = stage.close({BANK: EX_PRICE_E4}).portfolios[0]

    output = stage.open(Reference(prev_close_e4=36_000))

    assert _told(output) == [("dividend_tax", -80_000, 0, 0)]
    assert output.portfolios[0].cash_fen == sold.cash_fen - 80_000


def test_sell_that_waits_over_night_is_booked_after_the_action() -> None:
    """A day of bars trades at its open: the claim is of who held before."""
    stage = Stage()
    stage.open(Reference(open_e4=PRICE_E4))
    bought = stage.ask_at_close(quantity_shares=10_000)
    stage.open(Reference(open_e4=PRICE_E4), fills=(fill_of(bought),))
    sell = stage.ask_at_close(side=Side.SELL, quantity_shares=10_000)
    action = CorporateAction(BANK, WEDNESDAY, cash_e6=400_000)

    output = stage.open(
        Reference(open_e4=36_000, prev_close_e4=36_000, action=action),
        fills=(fill_of(sell, price_e4=36_000),),
    )

    (state,) = output.portfolios
    assert state.positions == ()
    assert state.cash_fen == 100_000_000
    assert [kind for kind, *_ in _told(output)] == ["dividend_claim", "dividend_paid"]


@pytest.mark.parametrize("instrument", [LIQUOR, BANK])
def test_action_of_what_is_not_held_changes_nothing(instrument: int) -> None:
    """Neither what another held nor what was sold before counts."""
    stage = Stage()
    stage.open(Reference(), Reference(LIQUOR))
    stage.close()
    before = stage.engine.portfolios()[0]
    action = CorporateAction(instrument, TUESDAY, cash_e6=400_000)

    output = stage.open(Reference(instrument, action=action))

    assert output.bookings == ()
    assert output.portfolios[0].nav_fen == before.nav_fen


def test_action_of_a_share_that_was_never_priced_is_no_news() -> None:
    """A run may begin on an ex-date: nobody holds anything."""
    stage = Stage()

    output = stage.open(Reference(action=CorporateAction(BANK, DAYS[0], cash_e6=400_000)))

    assert output.bookings == ()
    assert len(stage.ask(Quote()).submits) == 1
