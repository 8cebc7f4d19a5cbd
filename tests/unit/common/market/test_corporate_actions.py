"""Ex-rights reference prices and what an action gives to a holding."""

from collections.abc import Sequence

import numpy as np
import pytest

from tidegate_common.errors import InvariantError
from tidegate_common.market.corporate_actions import (
    CorporateAction,
    HoldingEffect,
    ex_rights_reference_e4,
    ex_rights_references,
    holding_effect,
)

BANK = 1600000
EX_DATE = 2024_06_19


def action_of(
    *,
    cash_e6: int = 0,
    bonus_e6: int = 0,
    transfer_e6: int = 0,
    rights_e6: int = 0,
    rights_price_e4: int = 0,
) -> CorporateAction:
    """Return an action of amounts per share."""
    return CorporateAction(
        BANK,
        EX_DATE,
        cash_e6=cash_e6,
        bonus_e6=bonus_e6,
        transfer_e6=transfer_e6,
        rights_e6=rights_e6,
        rights_price_e4=rights_price_e4,
    )


@pytest.mark.parametrize(
    ("prev_close_e4", "action", "reference_e4"),
    [
        # 27.02 - 1.50 a share.
        (270_200, action_of(cash_e6=1_500_000), 255_200),
        # 18.40 - 0.20 over 1.5 shares: 12.1333.
        (184_000, action_of(cash_e6=200_000, transfer_e6=500_000), 121_300),
        # 35.29 - 0.16 over 1.3 shares: 27.0230.
        (352_900, action_of(cash_e6=160_000, bonus_e6=300_000), 270_200),
        # 25.70 + 0.15 x 14.43 over 1.15 shares: 24.2300.
        (257_000, action_of(rights_e6=150_000, rights_price_e4=144_300), 242_300),
        # 10.00 + 0.3 x 5 - 0.1 over 1.8 shares: 6.3333.
        (
            100_000,
            action_of(
                cash_e6=100_000,
                bonus_e6=200_000,
                transfer_e6=300_000,
                rights_e6=300_000,
                rights_price_e4=50_000,
            ),
            63_300,
        ),
        # 10.00 - 0.015 is 9.985: half a fen goes up.
        (100_000, action_of(cash_e6=15_000), 99_900),
        (100_000, action_of(cash_e6=15_001), 99_800),
        (100_000, action_of(), 100_000),
    ],
)
def test_ex_rights_reference_is_rounded_half_up_to_the_fen(
    prev_close_e4: int,
    action: CorporateAction,
    reference_e4: int,
) -> None:
    """Cash leaves the price, new shares dilute it, paid-in rights support it."""
    assert ex_rights_reference_e4(prev_close_e4, action) == reference_e4


def test_ex_rights_reference_of_a_fund_keeps_its_finer_tick() -> None:
    """A fund trades in tenths of a fen."""
    action = action_of(cash_e6=12_400)

    assert ex_rights_reference_e4(10_000, action, tick_e4=10) == 9_880
    assert ex_rights_reference_e4(10_000, action) == 9_900


@pytest.mark.parametrize(
    ("prev_close_e4", "cash_e6", "reference_e4"),
    [(0, 0, 0), (10_000, 1_000_000, 0), (10_000, 2_000_000, -10_000)],
)
def test_ex_rights_reference_that_is_no_price_raises(
    prev_close_e4: int,
    cash_e6: int,
    reference_e4: int,
) -> None:
    """A dividend above the price is a mistake in the data, and no limit can hang on it."""
    message = f"must be > 0, were {prev_close_e4} and {reference_e4} "

    with pytest.raises(InvariantError, match=message):
        ex_rights_reference_e4(prev_close_e4, action_of(cash_e6=cash_e6))


@pytest.mark.parametrize(
    ("action", "quantity_shares", "effect"),
    [
        (action_of(cash_e6=1_500_000), 200, HoldingEffect(30_000, 0, 0, 0, 0)),
        # 0.123455 CNY for 1, 10 and 1,000 shares: 12.3, 123.5 and 12,345.5 fen.
        (action_of(cash_e6=123_455), 1, HoldingEffect(12, 0, 0, 0, 0)),
        (action_of(cash_e6=123_500), 10, HoldingEffect(124, 0, 0, 0, 0)),
        (action_of(cash_e6=123_455), 1_000, HoldingEffect(12_346, 0, 0, 0, 0)),
        # 10 to 3 for 105 shares: 31.5, and 10 to 5: 52.5; one share's worth of fractions is lost.
        (action_of(bonus_e6=300_000), 105, HoldingEffect(0, 31, 0, 0, 500_000)),
        (
            action_of(bonus_e6=300_000, transfer_e6=500_000),
            105,
            HoldingEffect(0, 31, 52, 0, 1_000_000),
        ),
        (action_of(rights_e6=150_000, rights_price_e4=1), 105, HoldingEffect(0, 0, 0, 15, 0)),
        (action_of(cash_e6=1_000_000, bonus_e6=1), 0, HoldingEffect(0, 0, 0, 0, 0)),
    ],
)
def test_holding_effect_refuses_fractions_of_shares(
    action: CorporateAction,
    quantity_shares: int,
    effect: HoldingEffect,
) -> None:
    """Cash is rounded half up; a fraction of a share is not invented."""
    assert holding_effect(action, quantity_shares) == effect


def test_holding_effect_of_negative_holding_raises() -> None:
    """Nobody is short here."""
    with pytest.raises(InvariantError, match=r"quantity_shares must be >= 0, was -1 .*1600000"):
        holding_effect(action_of(cash_e6=1), -1)


@pytest.mark.parametrize("name", ["cash_e6", "bonus_e6", "transfer_e6", "rights_e6"])
def test_action_with_negative_amount_raises(name: str) -> None:
    """A notice never takes."""
    with pytest.raises(InvariantError, match=r"must be >= 0.*instrument=1600000, ex_date=20240619"):
        action_of(**{name: -1})


@pytest.mark.parametrize(("rights_e6", "rights_price_e4"), [(300_000, 0), (0, 84_500)])
def test_action_with_half_of_a_rights_issue_raises(rights_e6: int, rights_price_e4: int) -> None:
    """A price without a ratio is an offering to the public, which takes nothing from a price."""
    with pytest.raises(InvariantError, match="must come together"):
        action_of(rights_e6=rights_e6, rights_price_e4=rights_price_e4)


def test_action_without_dates_takes_its_ex_date() -> None:
    """What a notice does not say happens on the ex-date."""
    bare = CorporateAction(BANK, EX_DATE, cash_e6=1)
    dated = CorporateAction(
        BANK,
        EX_DATE,
        cash_e6=1,
        pay_date=2024_06_20,
        listing_date=2024_06_21,
        record_date=2024_06_18,
    )

    assert (bare.paid_on, bare.listed_on, bare.dividend_date) == (EX_DATE, EX_DATE, EX_DATE)
    assert (dated.paid_on, dated.listed_on) == (2024_06_20, 2024_06_21)
    assert dated.dividend_date == 2024_06_18


def test_ex_rights_references_of_a_day_are_those_of_each_action() -> None:
    """Cash, cash with shares, rights, and nothing."""
    references = ex_rights_references(
        prev_close_e4=np.array([270_200, 352_900, 257_000, 100_000], np.int64),
        cash_e6=np.array([1_500_000, 160_000, 0, 0], np.int64),
        bonus_e6=np.array([0, 300_000, 0, 0], np.int64),
        transfer_e6=np.zeros(4, np.int64),
        rights_e6=np.array([0, 0, 150_000, 0], np.int64),
        rights_price_e4=np.array([0, 0, 144_300, 0], np.int64),
    )

    assert references.tolist() == [255_200, 270_200, 242_300, 100_000]


@pytest.mark.parametrize(
    ("prev_close", "cash", "message"),
    [
        ([100_000, 100_000], [0], "one shape"),
        ([100_000], [-1], "amounts of an action must be >= 0"),
        ([0], [0], "references must be > 0"),
        ([10_000], [1_000_000], "references must be > 0"),
    ],
)
def test_ex_rights_references_of_impossible_columns_raise(
    prev_close: Sequence[int],
    cash: Sequence[int],
    message: str,
) -> None:
    """The array form refuses what the scalar form refuses."""
    zeros = np.zeros(len(prev_close), np.int64)

    with pytest.raises(InvariantError, match=message):
        ex_rights_references(
            prev_close_e4=np.array(prev_close, np.int64),
            cash_e6=np.array(cash, np.int64),
            bonus_e6=zeros,
            transfer_e6=zeros,
            rights_e6=zeros,
            rights_price_e4=zeros,
        )
