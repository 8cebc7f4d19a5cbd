"""Going ex changes what an account holds, not what it is worth."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.risk.scenario import BANK, DAYS, Quote, Reference, Stage, fill_of

from tidegate_common.domain.enums import AccountState
from tidegate_common.market.corporate_actions import CorporateAction, ex_rights_reference_e4

TUESDAY, WEDNESDAY, THURSDAY = DAYS[1:]
PRICE_E4 = 200_000
# Half a tick a share, and a share and a fen for what is cut and rounded.
_TICK_FEN = 1


@st.composite
def actions(draw: st.DrawFn) -> CorporateAction:
    """Draw an action without rights: those lapse, and that is a loss."""
    cash_e6 = draw(st.integers(0, 5_000_000))
    bonus_e6 = draw(st.sampled_from([0, 100_000, 333_333]))
    transfer_e6 = draw(st.sampled_from([0, 300_000, 1_000_000]))
    dates = [draw(st.sampled_from([0, TUESDAY, WEDNESDAY, THURSDAY])) for _ in range(2)]
    return CorporateAction(
        BANK,
        TUESDAY,
        cash_e6=cash_e6 if bonus_e6 + transfer_e6 else max(cash_e6, 1),
        bonus_e6=bonus_e6,
        transfer_e6=transfer_e6,
        pay_date=dates[0],
        listing_date=dates[1],
    )


@given(action=actions(), lots=st.integers(1, 200))
@settings(max_examples=40, deadline=None)
def test_nav_over_an_ex_date_is_the_nav_before(action: CorporateAction, lots: int) -> None:
    """Until all is paid and listed, at the theoretical price, whatever the dates; restarts too."""
    stage = Stage(cash_fen=1_000_000_000)
    usual = Reference(prev_close_e4=PRICE_E4, limit_up_e4=220_000, limit_down_e4=180_000)
    stage.open(usual)
    order = stage.ask(
        Quote(last_e4=PRICE_E4), price_e4=PRICE_E4, quantity_shares=100 * lots
    ).submits[0]
    stage.tick(fills=(fill_of(order),))
    before = stage.close({BANK: PRICE_E4}).portfolios[0]
    ex_e4 = ex_rights_reference_e4(PRICE_E4, action)

    navs, cash, sellable = [], [], []
    for day, said in enumerate((action, None, None)):
        state = stage.open(Reference(prev_close_e4=ex_e4, action=said)).portfolios[0]
        stage.close({BANK: ex_e4})
        stage.engine.restore(stage.engine.snapshot())
        navs.append(state.nav_fen)
        cash.append(state.cash_fen)
        sellable.append(state.positions[0].sellable_shares)
        assert state.state is AccountState.ACTIVE, day

    shares = state.positions[0].quantity_shares
    tolerance_fen = _TICK_FEN * shares + 2 * ex_e4 // 100 + 1
    assert np.abs(np.array(navs) - before.nav_fen).max() <= tolerance_fen
    assert len(set(navs)) == 1
    # By Thursday everything has come, and none before its day.
    assert sellable[-1] == shares
    assert cash[-1] - before.cash_fen == (2 * 100 * lots * action.cash_e6 + 10_000) // 20_000
    paid_on = [DAYS[1:].index(max(day, TUESDAY)) for day in (action.paid_on, action.listed_on)]
    assert [cash.index(cash[-1]), sellable.index(shares)] == [
        paid_on[0] if cash[-1] > before.cash_fen else 0,
        paid_on[1] if shares > 100 * lots else 0,
    ]
