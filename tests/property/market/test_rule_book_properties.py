"""What holds for every instrument, price, quantity and day of the rule book."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate_common.domain.enums import Board, Exchange, LimitState, Phase, Side
from tidegate_common.market.board import board_of, boards_of
from tidegate_common.market.fees import Fees, FeeSchedule
from tidegate_common.market.lots import is_valid_buy, is_valid_sell, round_down_buy
from tidegate_common.market.price_limits import PriceLimits, price_limits
from tidegate_common.market.sessions import (
    can_cancel,
    can_submit,
    phase_at,
    shanghai_date,
    shanghai_ns,
    shanghai_seconds,
)

TICK = Decimal("0.01")
DAYS = st.dates().map(lambda day: day.year * 10_000 + day.month * 100 + day.day)
PRICES_E4 = st.integers(-1_000, 10**9)
TICK_PRICES_E4 = st.integers(1, 10**7).map(lambda ticks: ticks * 100)
MARKET_ROWS = st.tuples(st.integers(0, 255), st.booleans(), PRICES_E4)
KNOWN_BOARDS = st.sampled_from([board for board in Board if board is not Board.UNKNOWN])
QUANTITIES = st.integers(-10, 1_200_000)
SIDES = st.sampled_from(Side)
CONTRACTS = st.builds(
    lambda rate, minimum: FeeSchedule(commission_rate_e6=rate, commission_minimum_fen=minimum),
    st.integers(0, 3_000),
    st.integers(0, 1_000),
)
# The percentages in force on the day below, written down a second time.
ORACLE_DAY = 2024_05_06
ORACLE_PERCENT = {
    (Board.MAIN, False): 10,
    (Board.MAIN, True): 5,
    (Board.CHINEXT, False): 20,
    (Board.CHINEXT, True): 20,
    (Board.STAR, False): 20,
    (Board.STAR, True): 20,
    (Board.BSE, False): 30,
    (Board.BSE, True): 30,
}


def limits_of(rows: list[tuple[int, bool, int]], trade_date: int) -> PriceLimits:
    """Return the limits of rows of board, ST flag and previous close."""
    return price_limits(
        boards=np.array([board for board, _, _ in rows], np.uint8),
        is_st=np.array([is_st for _, is_st, _ in rows], np.bool_),
        prev_close_e4=np.array([prev_close for _, _, prev_close in rows], np.int64),
        trade_date=trade_date,
    )


def tuples_of(limits: PriceLimits) -> list[tuple[int, int, int]]:
    """Return state, up and down, one tuple an instrument."""
    columns = (limits.state.tolist(), limits.up_e4.tolist(), limits.down_e4.tolist())
    return list(zip(*columns, strict=True))


@given(st.lists(st.integers(-(2**62), 2**62) | st.integers(0, 4_000_000)))
def test_boards_of_any_instruments_equal_scalar(instruments: list[int]) -> None:
    """The array form and the scalar form are one rule."""
    boards = boards_of(np.array(instruments, np.int64))

    assert boards.tolist() == [board_of(instrument) for instrument in instruments]


@given(st.lists(MARKET_ROWS), DAYS)
def test_price_limits_of_many_equal_one_by_one(rows: list[tuple[int, bool, int]], day: int) -> None:
    """No instrument's limit depends on its neighbours: shards are invisible."""
    together = tuples_of(limits_of(rows, day))

    assert together == [tuples_of(limits_of([row], day))[0] for row in rows]


@given(st.lists(MARKET_ROWS), DAYS)
def test_price_limits_enclose_the_previous_close_or_are_unknown(
    rows: list[tuple[int, bool, int]],
    day: int,
) -> None:
    """A band never misses its reference, never reaches 0 and never stands for UNKNOWN."""
    for (_, _, prev_close_e4), (state, up_e4, down_e4) in zip(
        rows,
        tuples_of(limits_of(rows, day)),
        strict=True,
    ):
        if state == LimitState.UNKNOWN:
            assert (up_e4, down_e4) == (0, 0)
        else:
            assert up_e4 > prev_close_e4 > 0
            assert 100 <= down_e4 <= max(prev_close_e4, 100)
            assert up_e4 % 100 == down_e4 % 100 == 0


@given(st.sampled_from(list(ORACLE_PERCENT)), TICK_PRICES_E4)
@example((Board.MAIN, True), 17_000)
@example((Board.BSE, False), 846_300)
@example((Board.BSE, False), 300)
def test_price_limits_match_decimal_oracle(segment: tuple[Board, bool], prev_close_e4: int) -> None:
    """Integer arithmetic gives what decimal rounding to the fen gives."""
    prev_close = Decimal(prev_close_e4) / 10_000
    share = Decimal(ORACLE_PERCENT[segment]) / 100
    is_cut = segment[0] is Board.BSE
    up = (prev_close * (1 + share)).quantize(TICK, ROUND_FLOOR if is_cut else ROUND_HALF_UP)
    down = (prev_close * (1 - share)).quantize(TICK, ROUND_CEILING if is_cut else ROUND_HALF_UP)
    up = up if up != prev_close else up + TICK
    down = max(down if down != prev_close else down - TICK, TICK)

    limits = tuples_of(limits_of([(*segment, prev_close_e4)], ORACLE_DAY))

    assert limits == [(LimitState.LIMITED, int(up * 10_000), int(down * 10_000))]


@given(QUANTITIES, st.sampled_from(Board))
def test_round_down_buy_is_the_largest_valid_buy(quantity_shares: int, board: Board) -> None:
    """It is valid or 0, not above what was asked, and nothing valid lies between."""
    rounded = round_down_buy(quantity_shares, board)

    assert rounded == 0 or is_valid_buy(rounded, board)
    assert rounded <= max(quantity_shares, 0)
    assert round_down_buy(rounded, board) == rounded
    assert not any(
        is_valid_buy(between, board)
        for between in range(rounded + 1, min(quantity_shares, rounded + 200) + 1)
    )


@given(st.integers(1, 2_000_000), KNOWN_BOARDS, st.lists(QUANTITIES, max_size=8))
def test_any_holding_can_be_sold_out_in_valid_orders(
    holding_shares: int,
    board: Board,
    wishes: list[int],
) -> None:
    """Whatever was sold before, an odd lot never gets stuck."""
    for wanted in wishes:
        if is_valid_sell(wanted, holding_shares, board):
            holding_shares -= wanted
    while holding_shares > 0:
        choices = (holding_shares, round_down_buy(holding_shares, board))
        holding_shares -= next(
            choice for choice in choices if is_valid_sell(choice, holding_shares, board)
        )

    assert holding_shares == 0


@given(CONTRACTS, SIDES, st.lists(st.integers(1, 10**10), max_size=8), DAYS)
def test_fees_of_fills_add_up_to_fees_of_order(
    schedule: FeeSchedule,
    side: Side,
    fill_amounts_fen: list[int],
    day: int,
) -> None:
    """Fees by difference are never negative, and cash is conserved whatever the slicing."""
    amount_fen = 0
    paid = Fees(0, 0, 0)
    for fill_amount_fen in fill_amounts_fen:
        before = schedule.order_fees(side=side, amount_fen=amount_fen, trade_date=day)
        amount_fen += fill_amount_fen
        after = schedule.order_fees(side=side, amount_fen=amount_fen, trade_date=day)
        fill = Fees(
            after.commission_fen - before.commission_fen,
            after.stamp_duty_fen - before.stamp_duty_fen,
            after.transfer_fee_fen - before.transfer_fee_fen,
        )

        assert min(fill.commission_fen, fill.stamp_duty_fen, fill.transfer_fee_fen) >= 0
        paid = Fees(
            paid.commission_fen + fill.commission_fen,
            paid.stamp_duty_fen + fill.stamp_duty_fen,
            paid.transfer_fee_fen + fill.transfer_fee_fen,
        )
    assert paid == schedule.order_fees(side=side, amount_fen=amount_fen, trade_date=day)


@given(st.integers(0, 10**12), st.integers(0, 3_000))
def test_commission_matches_decimal_oracle(amount_fen: int, rate_e6: int) -> None:
    """Half up to the fen, as decimal arithmetic does it."""
    schedule = FeeSchedule(commission_rate_e6=rate_e6, commission_minimum_fen=0)
    exact = Decimal(amount_fen) * rate_e6 / 1_000_000

    fees = schedule.order_fees(side=Side.BUY, amount_fen=amount_fen, trade_date=ORACLE_DAY)

    assert fees.commission_fen == int(exact.quantize(Decimal(1), ROUND_HALF_UP))


@given(CONTRACTS, st.integers(0, 10**12), st.integers(0, 10**12), DAYS)
def test_buy_cost_bound_covers_every_smaller_buy(
    schedule: FeeSchedule,
    first_fen: int,
    second_fen: int,
    day: int,
) -> None:
    """Reserved cash is enough for any part of the order."""
    filled_fen, ordered_fen = sorted((first_fen, second_fen))
    fees = schedule.order_fees(side=Side.BUY, amount_fen=filled_fen, trade_date=day)

    assert filled_fen + fees.total_fen <= schedule.buy_cost_bound_fen(ordered_fen, day)


@given(DAYS, st.integers(0, 86_399), st.integers(0, 999_999_999))
def test_shanghai_clock_round_trips(day: int, seconds_of_day: int, nanoseconds: int) -> None:
    """Date and second come back from the time that they made, whatever the fraction."""
    ts_event_ns = shanghai_ns(day, seconds_of_day) + nanoseconds

    assert (shanghai_date(ts_event_ns), shanghai_seconds(ts_event_ns)) == (day, seconds_of_day)


@given(st.sampled_from(Exchange), DAYS, st.integers(-10, 90_000))
def test_cancels_are_taken_only_where_orders_are(
    exchange: Exchange,
    day: int,
    seconds_of_day: int,
) -> None:
    """The table never halts a market, and a cancel is never freer than an order."""
    phase = phase_at(exchange=exchange, trade_date=day, seconds_of_day=seconds_of_day)

    assert phase is not Phase.HALTED
    assert can_submit(phase) or not can_cancel(phase, seconds_of_day)
