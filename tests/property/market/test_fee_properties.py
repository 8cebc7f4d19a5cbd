"""What fees do for every contract, order, exchange, board and day."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tidegate_common.domain.enums import Board, Exchange, Side
from tidegate_common.market.fees import NO_FEES, FeeContract, Fees, FeeSchedule

DAYS = st.dates().map(lambda day: day.year * 10_000 + day.month * 100 + day.day)
SIDES = st.sampled_from(Side)
CONTRACTS = st.builds(
    FeeContract,
    st.integers(0, 30_000),
    st.integers(0, 1_000),
    st.booleans(),
)
SEGMENTS = st.tuples(st.sampled_from(Exchange), st.sampled_from(Board))
# Turnover and shares of one order.
TRADES = st.tuples(st.integers(1, 10**12), st.integers(1, 10**7))
ORDERS = st.tuples(SIDES, TRADES | st.just((0, 0)), SEGMENTS)
# What the rule book says in per cent, written down a second time:
# seller's duty, transfer, handling, regulatory.
ORACLE_DAY = 2024_05_06
ORACLE_PERCENT = {
    Exchange.SH: ("0.05", "0.001", "0.00341", "0.002"),
    Exchange.SZ: ("0.05", "0.001", "0.00341", "0.002"),
    Exchange.BJ: ("0.05", "0.001", "0.0125", "0.002"),
}


def fees_of(
    contract: FeeContract,
    side: Side,
    trade: tuple[int, int],
    segment: tuple[Exchange, Board],
    day: int,
) -> Fees:
    """Return the scalar answer."""
    return FeeSchedule(contract).order_fees(
        side=side,
        amount_fen=trade[0],
        quantity_shares=trade[1],
        exchange=segment[0],
        board=segment[1],
        trade_date=day,
    )


def items_of(fees: Fees) -> tuple[int, ...]:
    """Return the items one by one."""
    return (
        fees.commission_fen,
        fees.stamp_duty_fen,
        fees.transfer_fee_fen,
        fees.handling_fee_fen,
        fees.regulatory_fee_fen,
    )


@given(CONTRACTS, SIDES, st.lists(TRADES, max_size=8), SEGMENTS, DAYS)
def test_fees_of_fills_add_up_to_fees_of_order(
    contract: FeeContract,
    side: Side,
    fills: list[tuple[int, int]],
    segment: tuple[Exchange, Board],
    day: int,
) -> None:
    """Fees by difference are never negative, and cash is conserved whatever the slicing."""
    filled, paid = (0, 0), NO_FEES
    for amount_fen, quantity_shares in fills:
        before = fees_of(contract, side, filled, segment, day)
        filled = (filled[0] + amount_fen, filled[1] + quantity_shares)
        fill = fees_of(contract, side, filled, segment, day) - before

        assert min(items_of(fill)) >= 0
        paid += fill
    assert paid == fees_of(contract, side, filled, segment, day)
    assert paid.total_fen == sum(items_of(paid))


@given(CONTRACTS, SIDES, TRADES, TRADES, SEGMENTS, DAYS)
def test_fees_never_fall_as_amount_and_shares_grow(
    contract: FeeContract,
    side: Side,
    trade: tuple[int, int],
    more: tuple[int, int],
    segment: tuple[Exchange, Board],
    day: int,
) -> None:
    """Each item grows by itself, with the amount as with the shares."""
    base = items_of(fees_of(contract, side, trade, segment, day))
    by_amount = (trade[0] + more[0], trade[1])
    by_shares = (trade[0], trade[1] + more[1])

    for larger in (by_amount, by_shares):
        grown = items_of(fees_of(contract, side, larger, segment, day))
        assert all(after >= before for before, after in zip(base, grown, strict=True))


@given(CONTRACTS, TRADES, TRADES, SEGMENTS, DAYS)
def test_buy_cost_bound_covers_every_smaller_buy(
    contract: FeeContract,
    first: tuple[int, int],
    second: tuple[int, int],
    segment: tuple[Exchange, Board],
    day: int,
) -> None:
    """Reserved cash is enough for any part of the order, by face value too."""
    filled = (min(first[0], second[0]), min(first[1], second[1]))
    fees = fees_of(contract, Side.BUY, filled, segment, day)

    bound_fen = FeeSchedule(contract).buy_cost_bound_fen(
        amount_fen=max(first[0], second[0]),
        quantity_shares=max(first[1], second[1]),
        exchange=segment[0],
        board=segment[1],
        trade_date=day,
    )

    assert filled[0] + fees.total_fen <= bound_fen


@given(CONTRACTS, st.integers(1, 10**6), st.integers(1, 10**6), SEGMENTS, DAYS)
def test_sell_of_one_share_is_where_fees_exceed_proceeds_most(
    contract: FeeContract,
    price_fen: int,
    quantity_shares: int,
    segment: tuple[Exchange, Board],
    day: int,
) -> None:
    """Cash held back for the least fill of a sell is enough for every larger one."""
    least = fees_of(contract, Side.SELL, (price_fen, 1), segment, day)
    amount_fen = price_fen * quantity_shares
    whole = fees_of(contract, Side.SELL, (amount_fen, quantity_shares), segment, day)

    assert whole.total_fen - amount_fen <= max(0, least.total_fen - price_fen)


@given(CONTRACTS, st.lists(ORDERS, max_size=12), DAYS)
def test_fees_of_many_orders_equal_one_by_one(
    contract: FeeContract,
    orders: list[tuple[Side, tuple[int, int], tuple[Exchange, Board]]],
    day: int,
) -> None:
    """The array form and the scalar form are one rule."""
    columns = FeeSchedule(contract).orders_fees(
        is_buy=np.array([side is Side.BUY for side, _, _ in orders], np.bool_),
        amounts_fen=np.array([trade[0] for _, trade, _ in orders], np.int64),
        quantities_shares=np.array([trade[1] for _, trade, _ in orders], np.int64),
        exchanges=np.array([segment[0] for _, _, segment in orders], np.uint8),
        boards=np.array([segment[1] for _, _, segment in orders], np.uint8),
        trade_date=day,
    )

    one_by_one = [fees_of(contract, *order, day) for order in orders]
    assert [columns.at(row) for row in range(len(orders))] == one_by_one
    assert columns.total_fen.tolist() == [fees.total_fen for fees in one_by_one]


@given(st.integers(1, 10**12), st.integers(0, 3_000), SIDES, st.sampled_from(Exchange))
def test_fees_match_decimal_oracle(
    amount_fen: int,
    rate_e6: int,
    side: Side,
    exchange: Exchange,
) -> None:
    """Half up to the fen, as decimal arithmetic does it."""
    contract = FeeContract(rate_e6, 0, is_bundled=False)
    duty, *others = (Decimal(text) / 100 for text in ORACLE_PERCENT[exchange])
    rates = [Decimal(rate_e6) / 1_000_000, duty * (side is Side.SELL), *others]

    fees = fees_of(contract, side, (amount_fen, 100), (exchange, Board.MAIN), ORACLE_DAY)

    expected = [int((amount_fen * rate).quantize(Decimal(1), ROUND_HALF_UP)) for rate in rates]
    assert list(items_of(fees)) == expected


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_face_value_fee_matches_decimal_oracle(amount_fen: int, quantity_shares: int) -> None:
    """0.0375% of 1 CNY a share, in the three months when that was Shanghai's rate."""
    exact = Decimal(quantity_shares) * 100 * Decimal("0.000375")

    fees = fees_of(
        FeeContract(0, 0),
        Side.BUY,
        (amount_fen, quantity_shares),
        (Exchange.SH, Board.MAIN),
        2012_07_02,
    )

    assert fees.transfer_fee_fen == int(exact.quantize(Decimal(1), ROUND_HALF_UP))
