"""Fees by date, their rounding and the minimum commission."""

import pytest

from tidegate_common.domain.enums import Side
from tidegate_common.errors import InvariantError
from tidegate_common.market.fees import Fees, FeeSchedule

# 1 million yuan: a rate of 20 millionths is a fee of 20 yuan, 2,000 fen.
MILLION_YUAN_FEN = 100_000_000


def make_schedule(rate_e6: int = 250, minimum_fen: int = 500) -> FeeSchedule:
    """Return a usual contract: 0.025%, at least 5 yuan."""
    return FeeSchedule(commission_rate_e6=rate_e6, commission_minimum_fen=minimum_fen)


@pytest.mark.parametrize(
    ("trade_date", "buy_fen", "sell_fen"),
    [
        (1999_11_10, 500_000, 500_000),
        (2007_05_29, 500_000, 500_000),
        (2007_05_30, 300_000, 300_000),
        (2008_04_23, 300_000, 300_000),
        (2008_04_24, 100_000, 100_000),
        (2008_09_18, 100_000, 100_000),
        (2008_09_19, 0, 100_000),
        (2023_08_27, 0, 100_000),
        (2023_08_28, 0, 50_000),
        (2026_11_20, 0, 50_000),
    ],
)
def test_stamp_duty_at_row_boundary_uses_the_rate_of_the_day(
    trade_date: int,
    buy_fen: int,
    sell_fen: int,
) -> None:
    """The duty was halved on 2023-08-28 and left the buyers on 2008-09-19."""
    duties = [
        make_schedule()
        .order_fees(side=side, amount_fen=MILLION_YUAN_FEN, trade_date=trade_date)
        .stamp_duty_fen
        for side in (Side.BUY, Side.SELL)
    ]

    assert duties == [buy_fen, sell_fen]


@pytest.mark.parametrize(
    ("trade_date", "fee_fen"),
    [
        (1999_11_10, 50_000),
        (2012_05_31, 50_000),
        (2012_06_01, 37_500),
        (2012_08_31, 37_500),
        (2012_09_01, 30_000),
        (2015_07_31, 30_000),
        (2015_08_01, 2_000),
        (2022_04_28, 2_000),
        (2022_04_29, 1_000),
        (2026_11_20, 1_000),
    ],
)
@pytest.mark.parametrize("side", Side)
def test_transfer_fee_at_row_boundary_uses_the_rate_of_the_day(
    side: Side,
    trade_date: int,
    fee_fen: int,
) -> None:
    """Both sides pay it; it was halved on 2022-04-29."""
    fees = make_schedule().order_fees(
        side=side,
        amount_fen=MILLION_YUAN_FEN,
        trade_date=trade_date,
    )

    assert fees.transfer_fee_fen == fee_fen


@pytest.mark.parametrize(
    ("amount_fen", "fees"),
    [
        # 10,000 yuan: commission 2.50 is below the minimum, duty 5.00, transfer 0.10.
        (1_000_000, Fees(500, 500, 10)),
        # 20,000 yuan: the commission meets the minimum exactly.
        (2_000_000, Fees(500, 1_000, 20)),
        (2_001_999, Fees(500, 1_001, 20)),
        # Commission 500.5, duty 1,001, transfer 20.02: halves go up.
        (2_002_000, Fees(501, 1_001, 20)),
        # Transfer 20.5.
        (2_050_000, Fees(513, 1_025, 21)),
        (1, Fees(500, 0, 0)),
    ],
)
def test_order_fees_round_each_item_half_up(amount_fen: int, fees: Fees) -> None:
    """Each item is rounded by itself, once per order."""
    actual = make_schedule().order_fees(
        side=Side.SELL,
        amount_fen=amount_fen,
        trade_date=2024_01_02,
    )

    assert actual == fees


@pytest.mark.parametrize("side", Side)
def test_order_fees_of_no_fill_are_zero(side: Side) -> None:
    """An order that never fills costs nothing, not even the minimum."""
    fees = make_schedule().order_fees(side=side, amount_fen=0, trade_date=2024_01_02)

    assert fees == Fees(0, 0, 0)
    assert fees.total_fen == 0


def test_order_fees_over_several_fills_charge_the_minimum_once() -> None:
    """The minimum is per order: the first fill pays it, later ones what goes beyond it."""
    amounts_fen = [0, 1_000_000, 2_000_000, 4_000_000]

    totals = [
        make_schedule().order_fees(side=Side.BUY, amount_fen=amount, trade_date=2024_01_02)
        for amount in amounts_fen
    ]

    assert [fees.commission_fen for fees in totals] == [0, 500, 500, 1_000]
    assert [fees.total_fen for fees in totals] == [0, 510, 520, 1_040]


def test_order_fees_without_minimum_follow_the_rate() -> None:
    """A contract may have no minimum, or no commission at all."""
    fees = make_schedule(0, 0).order_fees(
        side=Side.BUY,
        amount_fen=1_000_000,
        trade_date=2024_01_02,
    )

    assert fees == Fees(0, 0, 10)


def test_buy_cost_bound_is_amount_with_buyer_fees() -> None:
    """Cash is reserved for the whole order, without the seller's stamp duty."""
    assert make_schedule().buy_cost_bound_fen(4_000_000, 2024_01_02) == 4_001_040
    assert make_schedule().buy_cost_bound_fen(0, 2024_01_02) == 0


@pytest.mark.parametrize(("rate_e6", "minimum_fen"), [(-1, 500), (250, -1)])
def test_fee_schedule_with_negative_contract_raises(rate_e6: int, minimum_fen: int) -> None:
    """A negative fee would print money."""
    with pytest.raises(InvariantError, match="must be >= 0"):
        make_schedule(rate_e6, minimum_fen)


def test_order_fees_of_negative_amount_raise() -> None:
    """A turnover never falls."""
    with pytest.raises(InvariantError, match="amount_fen must be >= 0, was -1"):
        make_schedule().order_fees(side=Side.BUY, amount_fen=-1, trade_date=2024_01_02)


def test_order_fees_on_no_date_raise() -> None:
    """A time in nanoseconds in place of a date is our bug, not a free trade."""
    with pytest.raises(InvariantError, match="YYYYMMDD"):
        make_schedule().order_fees(
            side=Side.BUY,
            amount_fen=1,
            trade_date=1_675_215_000_000_000_000,
        )
