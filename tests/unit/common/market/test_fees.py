"""Fees by date, exchange and board, their rounding and the minimum commission."""

import numpy as np
import pytest

from tidegate_common.domain.enums import Board, Exchange, Side
from tidegate_common.errors import InvariantError
from tidegate_common.market.dated import Confidence
from tidegate_common.market.fees import (
    NO_FEES,
    FeeContract,
    Fees,
    FeeSchedule,
    StampDuty,
    TransferFee,
    fee_rows_on,
)

# 1 million yuan: a rate of 0.001% is a fee of 10 yuan, 1,000 fen.
MILLION_YUAN_FEN = 100_000_000
BUNDLED = FeeContract(250, 500)
APART = FeeContract(250, 500, is_bundled=False)
NANOSECONDS = 1_675_215_000_000_000_000


def order_fees(
    amount_fen: int = MILLION_YUAN_FEN,
    quantity_shares: int = 100_000,
    *,
    contract: FeeContract = BUNDLED,
    side: Side = Side.SELL,
    exchange: Exchange = Exchange.SH,
    board: Board = Board.MAIN,
    trade_date: int = 2024_01_02,
) -> Fees:
    """Return the fees of a sale of 100,000 shares at 10 yuan in Shanghai, unless said."""
    return FeeSchedule(contract).order_fees(
        side=side,
        amount_fen=amount_fen,
        quantity_shares=quantity_shares,
        exchange=exchange,
        board=board,
        trade_date=trade_date,
    )


@pytest.mark.parametrize("exchange", Exchange)
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
    exchange: Exchange,
) -> None:
    """The duty was halved on 2023-08-28 and left the buyers on 2008-09-19."""
    duties = [
        order_fees(side=side, exchange=exchange, trade_date=trade_date).stamp_duty_fen
        for side in (Side.BUY, Side.SELL)
    ]

    assert duties == [buy_fen, sell_fen]


@pytest.mark.parametrize(
    ("exchange", "trade_date", "fee_fen"),
    [
        # 100,000 shares have a face value of 100,000 yuan.
        (Exchange.SH, 1999_11_10, 5_000),
        (Exchange.SH, 2012_05_31, 5_000),
        (Exchange.SH, 2012_06_01, 3_750),
        (Exchange.SH, 2012_08_31, 3_750),
        (Exchange.SH, 2012_09_01, 3_000),
        (Exchange.SH, 2015_07_31, 3_000),
        (Exchange.SH, 2015_08_01, 2_000),
        (Exchange.SH, 2022_04_28, 2_000),
        (Exchange.SH, 2022_04_29, 1_000),
        (Exchange.SZ, 1999_11_10, 2_550),
        (Exchange.SZ, 2015_07_31, 2_550),
        (Exchange.SZ, 2015_08_01, 2_000),
        (Exchange.SZ, 2022_04_28, 2_000),
        (Exchange.SZ, 2022_04_29, 1_000),
        (Exchange.BJ, 2021_11_14, 2_550),
        (Exchange.BJ, 2021_11_15, 2_000),
        (Exchange.BJ, 2022_04_28, 2_000),
        (Exchange.BJ, 2022_04_29, 1_000),
        (Exchange.BJ, 2026_11_20, 1_000),
    ],
)
@pytest.mark.parametrize("side", Side)
def test_transfer_fee_at_row_boundary_uses_the_rate_of_the_day(
    side: Side,
    exchange: Exchange,
    trade_date: int,
    fee_fen: int,
) -> None:
    """Both sides pay it; Shanghai charged by face value until 2015-07-31."""
    fees = order_fees(side=side, exchange=exchange, trade_date=trade_date)

    assert fees.transfer_fee_fen == fee_fen


@pytest.mark.parametrize(
    ("exchange", "trade_date", "fee_fen"),
    [
        (Exchange.SH, 2015_07_31, 14_750),
        (Exchange.SH, 2015_08_01, 4_870),
        (Exchange.SH, 2023_08_27, 4_870),
        (Exchange.SH, 2023_08_28, 3_410),
        (Exchange.SZ, 2015_07_31, 14_750),
        (Exchange.SZ, 2015_08_01, 4_870),
        (Exchange.SZ, 2023_08_27, 4_870),
        (Exchange.SZ, 2023_08_28, 3_410),
        (Exchange.BJ, 2023_08_27, 50_000),
        (Exchange.BJ, 2023_08_28, 12_500),
    ],
)
def test_handling_fee_at_row_boundary_uses_the_rate_of_the_day(
    exchange: Exchange,
    trade_date: int,
    fee_fen: int,
) -> None:
    """0.00341% is the handling fee, not the transfer fee; Beijing's is the highest."""
    fees = order_fees(contract=APART, exchange=exchange, trade_date=trade_date)

    assert fees.handling_fee_fen == fee_fen


@pytest.mark.parametrize(
    ("trade_date", "fee_fen"),
    [(1999_11_10, 4_000), (2011_12_31, 4_000), (2012_01_01, 2_000), (2026_11_20, 2_000)],
)
def test_regulatory_fee_at_row_boundary_uses_the_rate_of_the_day(
    trade_date: int,
    fee_fen: int,
) -> None:
    """One rate on every exchange."""
    fees = {
        order_fees(contract=APART, exchange=exchange, trade_date=trade_date).regulatory_fee_fen
        for exchange in Exchange
    }

    assert fees == {fee_fen}


@pytest.mark.parametrize("board", [Board.ETF, Board.ETF_GROWTH])
@pytest.mark.parametrize("trade_date", [2007_06_01, 2014_06_02, 2024_01_02])
def test_fees_of_a_fund_have_no_stamp_duty_and_no_transfer_fee(
    board: Board,
    trade_date: int,
) -> None:
    """Only shares are taxed, and only shares are registered anew."""
    fees = order_fees(board=board, trade_date=trade_date)

    assert fees == Fees(25_000, 0, 0)


@pytest.mark.parametrize(
    ("trade_date", "fee_fen"), [(2015_07_31, 14_750), (2015_08_01, 4_870), (2024_01_02, 4_870)]
)
def test_handling_fee_of_a_fund_is_an_upper_bound(trade_date: int, fee_fen: int) -> None:
    """The rule book does not know a fund's rate, so it charges at least what a share pays."""
    fund = order_fees(contract=APART, board=Board.ETF, trade_date=trade_date)
    share = order_fees(contract=APART, trade_date=trade_date)

    assert fund.handling_fee_fen == fee_fen >= share.handling_fee_fen


@pytest.mark.parametrize("trade_date", [2010_01_04, 2024_01_02])
def test_fees_of_an_unknown_board_are_those_of_a_share(trade_date: int) -> None:
    """The upper reading: funds only pay less."""
    unknown = order_fees(contract=APART, board=Board.UNKNOWN, trade_date=trade_date)

    assert unknown == order_fees(contract=APART, trade_date=trade_date)


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
    assert order_fees(amount_fen) == fees


def test_fees_beside_the_commission_are_rounded_and_added() -> None:
    """20,500 yuan: handling 69.905 fen, regulatory 41.0 fen, beside the commission."""
    fees = order_fees(2_050_000, contract=APART)

    assert fees == Fees(513, 1_025, 21, 70, 41)
    assert fees.total_fen == 513 + 1_025 + 21 + 70 + 41


def test_face_value_fee_depends_on_shares_and_not_on_the_price() -> None:
    """1,000 shares in 2013 cost 0.30 yuan, whatever they trade at."""
    cheap = order_fees(200_000, 1_000, trade_date=2013_07_01)
    dear = order_fees(20_000_000, 1_000, trade_date=2013_07_01)

    assert cheap.transfer_fee_fen == dear.transfer_fee_fen == 30


@pytest.mark.parametrize("side", Side)
def test_order_fees_of_no_fill_are_zero(side: Side) -> None:
    """An order that never fills costs nothing, not even the minimum."""
    fees = order_fees(0, 0, side=side)

    assert fees == NO_FEES
    assert fees.total_fen == 0


def test_order_fees_over_several_fills_charge_the_minimum_once() -> None:
    """The minimum is per order: the first fill pays it, later ones what goes beyond it."""
    fills = [(0, 0), (1_000_000, 100), (2_000_000, 200), (4_000_000, 400)]

    totals = [order_fees(amount, shares, side=Side.BUY) for amount, shares in fills]

    assert [fees.commission_fen for fees in totals] == [0, 500, 500, 1_000]
    assert [fees.total_fen for fees in totals] == [0, 510, 520, 1_040]
    assert totals[3] - totals[2] == Fees(500, 0, 20)
    assert (totals[3] - totals[2]) + totals[2] == totals[3]


def test_order_fees_without_minimum_follow_the_rate() -> None:
    """A contract may have no minimum, or no commission at all."""
    fees = order_fees(1_000_000, contract=FeeContract(0, 0), side=Side.BUY)

    assert fees == Fees(0, 0, 10)


@pytest.mark.parametrize(
    ("amount_fen", "quantity_shares", "bound_fen"),
    [(4_000_000, 400, 4_001_040), (0, 0, 0)],
)
def test_buy_cost_bound_is_amount_with_buyer_fees(
    amount_fen: int,
    quantity_shares: int,
    bound_fen: int,
) -> None:
    """Cash is reserved for the whole order, without the seller's stamp duty."""
    bound = FeeSchedule(BUNDLED).buy_cost_bound_fen(
        amount_fen=amount_fen,
        quantity_shares=quantity_shares,
        exchange=Exchange.SH,
        board=Board.MAIN,
        trade_date=2024_01_02,
    )

    assert bound == bound_fen


def test_fee_rows_of_a_day_say_value_source_and_confidence() -> None:
    """A person sees not only what is charged but why, and how sure that is."""
    rows = fee_rows_on(Exchange.SH, Board.STAR, 2023_08_28)

    assert rows.stamp_duty.value == StampDuty(0, 50_000)
    assert rows.transfer_fee.value == TransferFee(1_000)
    assert (rows.handling_fee.value, rows.regulatory_fee.value) == (3_410, 2_000)
    assert rows.stamp_duty.confidence is rows.handling_fee.confidence is Confidence.A
    assert rows.stamp_duty.source == "MOF and STA 2023 No. 39, effective 2023-08-28"


@pytest.mark.parametrize(("rate_e6", "minimum_fen"), [(-1, 500), (250, -1)])
def test_fee_contract_with_negative_number_raises(rate_e6: int, minimum_fen: int) -> None:
    """A negative fee would print money."""
    with pytest.raises(InvariantError, match="must be >= 0"):
        FeeContract(rate_e6, minimum_fen)


@pytest.mark.parametrize(("amount_fen", "quantity_shares"), [(-1, 1), (1, -1), (1, 0), (0, -1)])
def test_order_fees_of_impossible_turnover_raise(amount_fen: int, quantity_shares: int) -> None:
    """A turnover never falls, and none comes without shares: their fee would be lost."""
    message = f"must be >= 0, .* were {amount_fen} and {quantity_shares}"

    with pytest.raises(InvariantError, match=message):
        order_fees(amount_fen, quantity_shares)


def test_order_fees_on_no_date_raise() -> None:
    """A time in nanoseconds in place of a date is our bug, not a free trade."""
    with pytest.raises(InvariantError, match="YYYYMMDD"):
        order_fees(trade_date=NANOSECONDS)


def test_orders_fees_of_a_beat_are_those_of_each_order() -> None:
    """A sale in Shanghai, a purchase in Beijing, a fund's sale, and an order without a fill."""
    columns = FeeSchedule(APART).orders_fees(
        is_buy=np.array([False, True, False, True]),
        amounts_fen=np.array([2_050_000, 4_000_000, 2_050_000, 0], np.int64),
        quantities_shares=np.array([100, 400, 100, 0], np.int64),
        exchanges=np.array([Exchange.SH, Exchange.BJ, Exchange.SZ, Exchange.SH], np.uint8),
        boards=np.array([Board.MAIN, Board.BSE, Board.ETF, Board.MAIN], np.uint8),
        trade_date=2024_01_02,
    )

    assert [columns.at(row) for row in range(4)] == [
        Fees(513, 1_025, 21, 70, 41),
        Fees(1_000, 0, 40, 500, 80),
        Fees(513, 0, 0, 100, 41),
        NO_FEES,
    ]
    assert columns.total_fen.tolist() == [1_670, 1_620, 654, 0]


def test_orders_fees_by_face_value_depend_on_shares() -> None:
    """In 2013 Shanghai charged by shares and Shenzhen by turnover."""
    columns = FeeSchedule(BUNDLED).orders_fees(
        is_buy=np.array([True, True]),
        amounts_fen=np.array([2_000_000, 2_000_000], np.int64),
        quantities_shares=np.array([1_000, 1_000], np.int64),
        exchanges=np.array([Exchange.SH, Exchange.SZ], np.uint8),
        boards=np.array([Board.MAIN, Board.MAIN], np.uint8),
        trade_date=2013_07_01,
    )

    assert columns.transfer_fee_fen.tolist() == [30, 51]


def test_orders_fees_of_no_orders_are_empty() -> None:
    """A beat without orders is an ordinary beat."""
    nothing = np.zeros(0, np.int64)

    columns = FeeSchedule(BUNDLED).orders_fees(
        is_buy=nothing.astype(np.bool_),
        amounts_fen=nothing,
        quantities_shares=nothing,
        exchanges=nothing.astype(np.uint8),
        boards=nothing.astype(np.uint8),
        trade_date=2024_01_02,
    )

    assert columns.total_fen.tolist() == []


@pytest.mark.parametrize(
    ("amounts", "quantities", "exchanges", "boards", "trade_date", "message"),
    [
        ([1, 2], [1], [1], [1], 2024_01_02, "one shape"),
        ([-1], [1], [1], [1], 2024_01_02, "must be >= 0"),
        ([1], [-1], [1], [1], 2024_01_02, "must be >= 0"),
        ([1], [0], [1], [1], 2024_01_02, "must be >= 0, and a turnover have shares"),
        ([1], [1], [0], [1], 2024_01_02, "were 0 and 1"),
        ([1], [1], [1], [200], 2024_01_02, "were 1 and 200"),
        ([1], [1], [1], [1], NANOSECONDS, "YYYYMMDD"),
    ],
)
def test_orders_fees_of_impossible_columns_raise(
    amounts: list[int],
    quantities: list[int],
    exchanges: list[int],
    boards: list[int],
    trade_date: int,
    message: str,
) -> None:
    """The array form refuses what the scalar form refuses."""
    with pytest.raises(InvariantError, match=message):
        FeeSchedule(BUNDLED).orders_fees(
            is_buy=np.array([True]),
            amounts_fen=np.array(amounts, np.int64),
            quantities_shares=np.array(quantities, np.int64),
            exchanges=np.array(exchanges, np.uint8),
            boards=np.array(boards, np.uint8),
            trade_date=trade_date,
        )


def test_rates_of_a_bundled_contract_have_no_fees_apart() -> None:
    """What the commission includes is not charged twice."""
    bundled, apart = (
        FeeSchedule(contract).rates(exchange=Exchange.SH, board=Board.MAIN, trade_date=2024_06_03)
        for contract in (BUNDLED, APART)
    )

    assert (bundled.commission_e8, bundled.commission_minimum_fen) == (25_000, 500)
    assert (bundled.buy_duty_e8, bundled.sell_duty_e8) == (0, 50_000)
    assert (bundled.handling_e8, bundled.regulatory_e8) == (0, 0)
    assert apart.handling_e8 > 0 < apart.regulatory_e8
    assert apart[:6] == bundled[:6]


def test_rates_of_a_commission_beyond_the_turnover_are_refused() -> None:
    """No broker has them, and 64 bits have no room for their fees."""
    dear = FeeSchedule(FeeContract(1_000_001, 0))

    with pytest.raises(InvariantError, match="commission_rate_e6 must be at most 1000000"):
        dear.rates(exchange=Exchange.SH, board=Board.MAIN, trade_date=2024_06_03)
