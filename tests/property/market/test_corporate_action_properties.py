"""What corporate actions do to every price and holding."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from tidegate_common.market.corporate_actions import (
    CorporateAction,
    ex_rights_reference_e4,
    ex_rights_references,
    holding_effect,
)
from tidegate_common.market.dividend_tax import HoldingPeriod, holding_period

RATIOS_E6 = st.integers(0, 3_000_000)
# Either no rights issue, or a ratio and a price.
RIGHTS = st.just((0, 0)) | st.tuples(st.integers(1, 1_000_000), st.integers(1, 1_000_000))
ACTIONS = st.builds(
    lambda cash, bonus, transfer, rights: CorporateAction(
        1600000,
        2024_06_19,
        cash_e6=cash,
        bonus_e6=bonus,
        transfer_e6=transfer,
        rights_e6=rights[0],
        rights_price_e4=rights[1],
    ),
    st.integers(0, 9_000_000),
    RATIOS_E6,
    RATIOS_E6,
    RIGHTS,
)
# Above every cash dividend, so that a price is left.
CLOSES_E4 = st.integers(1_000, 10**7).map(lambda ticks: ticks * 100)
DAYS = st.dates().map(lambda day: day.year * 10_000 + day.month * 100 + day.day)


@given(CLOSES_E4, ACTIONS)
def test_ex_rights_reference_matches_decimal_oracle(
    prev_close_e4: int,
    action: CorporateAction,
) -> None:
    """Integer arithmetic gives what exact arithmetic, rounded half up to the fen, gives."""
    rights = Fraction(action.rights_e6, 1_000_000)
    paid = Fraction(prev_close_e4, 10_000) - Fraction(action.cash_e6, 1_000_000)
    paid += Fraction(action.rights_price_e4, 10_000) * rights
    exact = paid / (1 + Fraction(action.bonus_e6 + action.transfer_e6, 1_000_000) + rights)
    fen = exact * 100
    assume(fen >= 1)

    reference_e4 = ex_rights_reference_e4(prev_close_e4, action)

    # 2 n + d over 2 d, cut, is half up, and exact.
    assert reference_e4 == (2 * fen.numerator + fen.denominator) // (2 * fen.denominator) * 100


@given(st.lists(st.tuples(CLOSES_E4, ACTIONS), max_size=10))
def test_ex_rights_references_of_many_equal_one_by_one(
    rows: list[tuple[int, CorporateAction]],
) -> None:
    """The array form and the scalar form are one rule."""
    one_by_one = [ex_rights_reference_e4(close, action) for close, action in rows]

    references = ex_rights_references(
        prev_close_e4=np.array([close for close, _ in rows], np.int64),
        cash_e6=np.array([action.cash_e6 for _, action in rows], np.int64),
        bonus_e6=np.array([action.bonus_e6 for _, action in rows], np.int64),
        transfer_e6=np.array([action.transfer_e6 for _, action in rows], np.int64),
        rights_e6=np.array([action.rights_e6 for _, action in rows], np.int64),
        rights_price_e4=np.array([action.rights_price_e4 for _, action in rows], np.int64),
    )

    assert references.tolist() == one_by_one


@given(ACTIONS, st.integers(0, 10**9))
def test_holding_effect_loses_nothing_but_named_fractions(
    action: CorporateAction,
    quantity_shares: int,
) -> None:
    """New shares and dropped fractions together are exactly what was promised."""
    effect = holding_effect(action, quantity_shares)

    promised_e6 = quantity_shares * (action.bonus_e6 + action.transfer_e6)
    given_e6 = (effect.bonus_shares + effect.transfer_shares) * 1_000_000
    assert given_e6 + effect.dropped_shares_e6 == promised_e6
    assert 0 <= effect.dropped_shares_e6 < 2_000_000
    assert effect.rights_shares_max * 1_000_000 <= quantity_shares * action.rights_e6
    exact_fen = Decimal(quantity_shares * action.cash_e6) / 10_000
    assert effect.cash_fen == int(exact_fen.quantize(Decimal(1), ROUND_HALF_UP))


@given(ACTIONS, st.integers(0, 10**6), st.integers(0, 10**6))
def test_holding_effect_of_parts_is_never_more_than_of_the_whole(
    action: CorporateAction,
    first_shares: int,
    second_shares: int,
) -> None:
    """Splitting a holding over lots cannot make shares."""
    parts = [holding_effect(action, shares) for shares in (first_shares, second_shares)]
    whole = holding_effect(action, first_shares + second_shares)

    assert sum(part.bonus_shares for part in parts) <= whole.bonus_shares
    assert sum(part.transfer_shares for part in parts) <= whole.transfer_shares


@given(DAYS, DAYS, DAYS)
def test_holding_period_never_shrinks_as_the_sale_is_later(
    first: int,
    second: int,
    third: int,
) -> None:
    """Waiting never raises the tax."""
    acquired, earlier, later = sorted((first, second, third))
    order = list(HoldingPeriod)

    periods = [holding_period(acquired=acquired, sold=sold) for sold in (earlier, later)]

    assert order.index(periods[0]) <= order.index(periods[1])
