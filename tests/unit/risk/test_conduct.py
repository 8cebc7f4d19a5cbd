"""What an order may not do to the market: the cage, self-trades, caps and counts of a day."""

import json

import pytest
from tests.unit.risk.scenario import (
    APPLIANCE,
    BANK,
    STAR,
    Quote,
    Reference,
    Stage,
    cancel_request,
    fill_of,
    filled,
    order_request,
    update_of,
)

from tidegate_common.domain.enums import Board, OrderStatus, OrderType, Phase, Reason, Side
from tidegate_common.domain.ids import AccountId, RequestId
from tidegate_common.engine import EngineState
from tidegate_common.events.orders import RequestEnvelope
from tidegate_common.events.run import ConstructionSpec, ProgrammeTradingSpec
from tidegate_common.market.programme_trading import THRESHOLD_ROWS
from tidegate_risk.engine.engine import RiskEngine, RiskOutput

CHINEXT = 2300059
FUND = 1510300
BEIJING = 3830799
RICH_FEN = 10**10
BUY = {"cross": {BANK: 400_000}}
OPENING_CALL = 33_300
CLOSING_CALL = 53_900
THREE = ProgrammeTradingSpec(3, 3, 20240601, 20240630, "none, a test")


def _reasons(output: RiskOutput) -> list[Reason]:
    return [decision.reason for decision in output.decisions]


def _orders(count: int) -> tuple[RequestEnvelope, ...]:
    return tuple(order_request(request_id=RequestId(f"order{number}")) for number in range(count))


def _reload(stage: Stage) -> None:
    """Put an engine in the place of another, with its memory as written down."""
    state = stage.engine.snapshot()
    values = json.loads(json.dumps(state.values))
    stage.engine = RiskEngine(stage.spec, tuple(AccountId(name) for name in stage.accounts))
    stage.engine.restore(EngineState(values, state.arrays))


@pytest.mark.parametrize("seconds", [OPENING_CALL, CLOSING_CALL])
def test_cage_in_a_call_auction_is_not_asked(seconds: int) -> None:
    """An auction has one price, found from all of the day's band."""
    stage = Stage()
    stage.open()

    output = stage.ask(Quote(phase=Phase.OPEN_CALL), seconds=seconds, price_e4=44_000)

    assert _reasons(output) == [Reason.NONE]


def test_cage_for_a_market_order_is_not_asked() -> None:
    """A market order has no price to be too far away, even where there is no cage to ask for."""
    stage = Stage()
    stage.hold(100)
    stage.open(Reference(prev_close_e4=0))

    output = stage.ask(Quote(last_e4=0), order_type=OrderType.MARKET, price_e4=0)

    assert _reasons(output) == [Reason.NONE]


def test_cage_after_the_close_is_not_asked() -> None:
    """The order meets the next day's opening call."""
    stage = Stage()
    stage.open(Reference(open_e4=40_000))

    order = stage.ask_at_close(price_e4=44_000)

    assert order.price_e4 == 44_000


@pytest.mark.parametrize(
    ("date", "instrument", "reason"),
    [
        (20230407, BANK, Reason.NONE),
        (20230410, BANK, Reason.OUTSIDE_PRICE_CAGE),
        (20200821, CHINEXT, Reason.NONE),
        # Dormant: the order waits until the market comes near.
        (20230407, CHINEXT, Reason.NONE),
        (20230410, CHINEXT, Reason.OUTSIDE_PRICE_CAGE),
        (20190722, STAR, Reason.OUTSIDE_PRICE_CAGE),
    ],
)
def test_cage_holds_from_its_first_day_on_by_board(
    date: int,
    instrument: int,
    reason: Reason,
) -> None:
    """A day of before the cage is replayed without one."""
    stage = Stage(days=(date,))
    stage.open(Reference(instrument))

    output = stage.ask(
        Quote(instrument),
        instrument=instrument,
        price_e4=41_100,
        quantity_shares=200,
    )

    assert _reasons(output) == [reason]


def test_cage_of_a_dormant_day_without_a_price_is_in_doubt() -> None:
    """What cannot be reckoned is refused, whatever would have become of the order."""
    stage = Stage(days=(20230406, 20230407))
    stage.hold(100, Reference(CHINEXT), Reference(BANK))
    stage.open(Reference(CHINEXT, prev_close_e4=0))

    output = stage.ask(Quote(CHINEXT, last_e4=0), instrument=CHINEXT)

    assert _reasons(output) == [Reason.UNKNOWN_PRICE_CAGE]


@pytest.mark.parametrize(
    ("price_e4", "reason"),
    [(41_000, Reason.NONE), (41_100, Reason.OUTSIDE_PRICE_CAGE)],
)
def test_cage_of_a_bar_run_is_measured_from_the_last_close(
    price_e4: int,
    reason: Reason,
) -> None:
    """Bars have no book, and the order works in continuous trading until the next one."""
    stage = Stage()
    stage.open()

    output = stage.bar({BANK: 40_000}, requests=(order_request(price_e4=price_e4),))

    assert _reasons(output) == [reason]


def test_cage_of_a_board_that_nobody_knows_is_in_doubt() -> None:
    """No board, no rule, no order."""
    stage = Stage()
    stage.open(Reference(BANK + 100_000_000))
    request = order_request(instrument=BANK + 100_000_000)

    output = stage.bar({BANK + 100_000_000: 40_000}, requests=(request,))

    assert _reasons(output) == [Reason.UNKNOWN_PRICE_CAGE]


@pytest.mark.parametrize(
    ("quote", "price_e4"),
    [
        (Quote(bid_e4=38_000, ask_e4=42_000), 42_000),
        # Nobody sells: the last trade is out of the best bid's cage, which is the nearest price.
        (Quote(last_e4=40_000, bid_e4=38_000), 39_000),
    ],
)
def test_entry_on_a_tick_is_priced_within_the_cage(quote: Quote, price_e4: int) -> None:
    """What construction makes is never refused for a price that it could have had."""
    stage = Stage()
    stage.open()

    output = stage.tick(quote, scores=BUY)

    assert [order.price_e4 for order in output.submits] == [price_e4]


def test_exit_on_a_tick_is_priced_within_the_cage() -> None:
    """Nobody buys: the last trade is out of the best ask's cage."""
    stage = Stage()
    stage.hold(100)
    stage.open()

    output = stage.tick(
        Quote(last_e4=40_000, ask_e4=42_000),
        scores={"cross": {BANK: -400_000}},
    )

    assert [order.price_e4 for order in output.submits] == [41_000]


def test_entry_on_a_bar_is_priced_within_the_cage() -> None:
    """An offset of 2%, rounded outwards to the fen, would be a fen beyond the cage."""
    stage = Stage(construction=ConstructionSpec(price_offset_bps=200), cash_fen=RICH_FEN)
    stage.open(Reference(prev_close_e4=400_100, limit_up_e4=440_100, limit_down_e4=360_100))

    output = stage.bar({BANK: 400_100}, scores=BUY)

    assert [order.price_e4 for order in output.submits] == [408_100]


def test_market_buy_with_an_own_sell_above_the_new_upper_limit_is_a_self_trade() -> None:
    """Yesterday's order may be priced where today's market cannot go: in doubt they meet."""
    stage = Stage()
    stage.hold(100)
    stage.open(Reference(open_e4=40_000))
    stage.ask_at_close(side=Side.SELL, price_e4=44_000)
    stage.open(Reference(limit_up_e4=42_000))

    output = stage.ask(Quote(), order_type=OrderType.MARKET, price_e4=0)

    assert _reasons(output) == [Reason.SELF_TRADE]
    assert (output.decisions[0].observed, output.decisions[0].limit) == (42_000, 44_000)


def test_open_buy_of_less_than_half_a_fen_is_met_all_the_same() -> None:
    """Four shares of a fund at 0.001 round to nothing, but their order is open."""
    fund = Reference(FUND, prev_close_e4=20, limit_up_e4=30, limit_down_e4=10, fund_board=Board.ETF)
    quote = Quote(FUND, last_e4=20)
    stage = Stage()
    stage.open(fund)
    held = stage.ask(quote, instrument=FUND, price_e4=20, quantity_shares=1_000).submits[0]
    stage.tick(fills=(fill_of(held),), updates=(filled(held),))
    stage.close({FUND: 20})
    stage.open(fund)
    order = stage.ask(quote, instrument=FUND, price_e4=10, quantity_shares=100).submits[0]
    rest = update_of(order, OrderStatus.PARTIALLY_FILLED, filled_shares=96)
    stage.tick(quote, fills=(fill_of(order, quantity_shares=96),), updates=(rest,))

    meeting = stage.ask(quote, instrument=FUND, side=Side.SELL, price_e4=10)
    stage.tick(updates=(update_of(order, OrderStatus.CANCELED, filled_shares=96),))
    alone = stage.ask(quote, instrument=FUND, side=Side.SELL, price_e4=10)

    assert _reasons(meeting) + _reasons(alone) == [Reason.SELF_TRADE, Reason.NONE]


def test_buy_that_is_filled_in_full_and_not_yet_ended_is_no_self_trade() -> None:
    """It trades no more, whatever the exchange has still to say of it."""
    stage = Stage()
    stage.hold(100)
    stage.open()
    order = stage.ask(Quote()).submits[0]
    stage.tick(fills=(fill_of(order),))

    output = stage.ask(Quote(), side=Side.SELL, quantity_shares=100)

    assert _reasons(output) == [Reason.NONE]


def test_order_that_ended_is_no_self_trade() -> None:
    """Only what is open can be met, and a cancel is no end until the exchange says so."""
    stage = Stage()
    stage.hold(100)
    stage.open()
    order = stage.ask(Quote(), side=Side.SELL).submits[0]
    stage.tick(requests=(cancel_request(order.order_id),))

    reasons = _reasons(stage.ask(Quote()))
    stage.tick(updates=(update_of(order, OrderStatus.CANCELED),))
    reasons += _reasons(stage.ask(Quote()))

    assert reasons == [Reason.SELF_TRADE, Reason.NONE]


@pytest.mark.parametrize("is_restored", [False, True])
@pytest.mark.parametrize(
    ("quantity_shares", "reason"),
    [(100_000, Reason.NONE), (100_100, Reason.ST_BUY_CAP)],
)
def test_st_buy_cap_counts_what_the_day_filled(
    quantity_shares: int,
    reason: Reason,
    *,
    is_restored: bool,
) -> None:
    """Fills in parts, an order that ended, another share, a restart: the cap is the day's."""
    stage = Stage(cash_fen=RICH_FEN)
    stage.open(Reference(is_st=True), Reference(APPLIANCE, is_st=True))
    stage.tick(Quote(), Quote(APPLIANCE))
    other = stage.ask(instrument=APPLIANCE, quantity_shares=500_000).submits[0]
    first = stage.ask(quantity_shares=500_000).submits[0]
    stage.tick(fills=(fill_of(other), fill_of(first, quantity_shares=300_000)))
    stage.tick(
        fills=(fill_of(first, quantity_shares=100_000),),
        updates=(update_of(first, OrderStatus.CANCELED, filled_shares=400_000),),
    )
    if is_restored:
        _reload(stage)

    output = stage.ask(quantity_shares=quantity_shares)

    assert _reasons(output) == [reason]
    assert output.decisions[0].observed == (0 if reason is Reason.NONE else 500_100)


def test_st_buy_cap_begins_anew_after_the_close() -> None:
    """An order after the close trades on the next day, and so does what it may buy."""
    stage = Stage(cash_fen=RICH_FEN)
    stage.open(Reference(is_st=True, open_e4=40_000))
    first = stage.ask_at_close(quantity_shares=500_000)
    stage.open(
        Reference(is_st=True, open_e4=40_000),
        fills=(fill_of(first),),
        updates=(filled(first),),
    )

    second = stage.close(
        {BANK: 40_000},
        requests=(
            order_request(request_id=RequestId("second"), quantity_shares=499_900),
            order_request(request_id=RequestId("third"), quantity_shares=100),
            order_request(request_id=RequestId("fourth"), quantity_shares=100),
        ),
    )

    assert _reasons(second) == [Reason.NONE, Reason.NONE, Reason.ST_BUY_CAP]


@pytest.mark.parametrize(
    ("date", "instrument", "is_st", "reason"),
    [
        (20240603, BANK, False, Reason.NONE),
        (20240603, CHINEXT, True, Reason.NONE),
        (20260828, BEIJING, True, Reason.NONE),
        (20260831, BEIJING, True, Reason.ST_BUY_CAP),
    ],
)
def test_st_buy_cap_is_of_st_shares_of_boards_that_have_one(
    date: int,
    instrument: int,
    reason: Reason,
    *,
    is_st: bool,
) -> None:
    """A cap for all would stop what is allowed."""
    stage = Stage(cash_fen=RICH_FEN, days=(date,))
    stage.open(Reference(instrument, is_st=is_st))

    output = stage.ask(Quote(instrument), instrument=instrument, quantity_shares=200_100)

    assert _reasons(output) == [reason]


def test_order_rate_counts_the_second_of_market_time() -> None:
    """Three beats of one second are one second; the next second begins at nothing."""
    thresholds = ProgrammeTradingSpec(3, 100, 20240601, 20240630, "none, a test")
    stage = Stage(thresholds=thresholds)
    stage.open()
    stage.tick(Quote())

    reasons = [
        *_reasons(stage.tick(requests=_orders(1))),
        *_reasons(stage.ask()),
        *_reasons(stage.ask()),
        *_reasons(stage.ask(seconds=36_001)),
    ]

    assert reasons == [Reason.NONE, Reason.NONE, Reason.ORDER_RATE_LIMIT, Reason.NONE]


def test_daily_orders_begin_anew_with_the_day() -> None:
    """What was refused never reached the exchange and does not count."""
    stage = Stage(thresholds=ProgrammeTradingSpec(100, 3, 20240601, 20240630, "none, a test"))
    stage.open()
    first = _reasons(stage.tick(Quote(), requests=_orders(4)))
    stage.close()
    stage.open()
    requests = tuple(order_request(request_id=RequestId(f"later{number}")) for number in range(3))

    second = _reasons(stage.tick(Quote(), requests=requests))

    assert first == [Reason.NONE] * 2 + [Reason.DAILY_ORDER_LIMIT] * 2
    assert second == [Reason.NONE] * 2 + [Reason.DAILY_ORDER_LIMIT]


def test_cancels_count_and_are_never_refused() -> None:
    """A cancel only reduces risk; the exchange counts it all the same."""
    stage = Stage(thresholds=THREE)
    stage.open()
    submits = stage.tick(Quote(), requests=_orders(2)).submits
    requests = tuple(
        cancel_request(order.order_id, request=f"cancel{order.sequence}") for order in submits
    )

    cancelled = stage.tick(requests=requests, seconds=36_001)
    asked = stage.ask(seconds=36_002)

    assert len(cancelled.cancels) == 2
    assert _reasons(cancelled) == []
    assert _reasons(asked) == [Reason.DAILY_ORDER_LIMIT]
    assert asked.decisions[0].observed == 5


@pytest.mark.parametrize("is_restored", [False, True])
def test_order_counts_after_a_restart_are_as_if_undisturbed(*, is_restored: bool) -> None:
    """Who forgets the count at a crash can send twice as much."""
    stage = Stage(thresholds=THREE)
    stage.open()
    stage.tick(Quote(), requests=_orders(2))
    if is_restored:
        _reload(stage)

    same_second, next_second = stage.ask(), stage.ask(seconds=36_001)

    assert _reasons(same_second) == [Reason.ORDER_RATE_LIMIT]
    assert _reasons(next_second) == [Reason.DAILY_ORDER_LIMIT]


@pytest.mark.parametrize(
    ("date", "is_counted"),
    [(20250704, False), (20250707, True)],
)
def test_order_rate_of_the_rule_book_holds_from_its_first_day_on(
    date: int,
    *,
    is_counted: bool,
) -> None:
    """Without thresholds nobody is a high-frequency trader; 300 in a second is one."""
    stage = Stage(cash_fen=RICH_FEN * 100, days=(date,))
    stage.open()
    count = THRESHOLD_ROWS[0].value.messages_per_second

    output = stage.tick(Quote(), requests=_orders(count))

    last = Reason.ORDER_RATE_LIMIT if is_counted else Reason.NONE
    assert _reasons(output) == [Reason.NONE] * (count - 1) + [last]


def test_own_thresholds_come_before_the_rule_books_on_their_days() -> None:
    """Who has a document brings it; on other days the rule book answers."""
    own = ProgrammeTradingSpec(2, 100, 20250707, 20250707, "none, a test")
    stage = Stage(thresholds=own, days=(20250707, 20250708))
    stage.open()
    first = _reasons(stage.tick(Quote(), requests=_orders(2)))
    stage.close()
    stage.open()
    requests = tuple(order_request(request_id=RequestId(f"later{number}")) for number in range(2))

    second = _reasons(stage.tick(Quote(), requests=requests))

    assert first == [Reason.NONE, Reason.ORDER_RATE_LIMIT]
    assert second == [Reason.NONE, Reason.NONE]


def test_cancel_between_two_orders_of_a_beat_counts_for_the_second() -> None:
    """What the account is judged by is read once a beat, and must not stand still."""
    few = ProgrammeTradingSpec(100, 4, 20240601, 20240630, "none, a test")
    stage = Stage(thresholds=few)
    stage.open()
    order = stage.ask(Quote()).submits[0]
    requests = (
        order_request(request_id=RequestId("second")),
        cancel_request(order.order_id),
        order_request(request_id=RequestId("third")),
    )

    output = stage.tick(requests=requests)

    assert _reasons(output) == [Reason.NONE, Reason.DAILY_ORDER_LIMIT]
    assert (output.decisions[1].observed, output.decisions[1].limit) == (4, 3)
