"""Call auctions and after-hours trading."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tidegate_common.domain.enums import (
    Liquidity,
    OrderReason,
    OrderStatus,
    OrderType,
    Phase,
    PriceSource,
    Side,
    TimeInForce,
)

if TYPE_CHECKING:
    from tests.unit.execution.conftest import Exchange, Quote, Reference

    from tidegate_execution.engine import ExecutionReport

VIRTUAL = ((100_000, 5_000),)
BIDS = ((99_900, 500),)
ASKS = ((100_100, 300),)
# After-hours trading of all shares is in force.
AFTER_HOURS_DATE = 2026_07_06


def trades(report: "ExecutionReport") -> list[tuple[int, int]]:
    """Return price and quantity of each fill."""
    return [(fill.price_e4, fill.quantity_shares) for fill in report.fills]


def call(exchange: "Exchange", quote: "type[Quote]", phase: Phase = Phase.OPEN_CALL) -> None:
    """Show a call that gathers orders."""
    exchange.tick(quote(VIRTUAL, VIRTUAL, last_e4=0, phase=phase))


@pytest.mark.parametrize(
    ("phase", "after"),
    [
        (Phase.OPEN_CALL, Phase.PAUSE),
        (Phase.CLOSE_CALL, Phase.CLOSED),
        (Phase.CLOSE_CALL, Phase.AFTER_HOURS),
    ],
)
@pytest.mark.parametrize(
    ("side", "limit_e4", "paid_e4"),
    [(Side.BUY, 100_200, 100_100), (Side.SELL, 99_800, 99_900)],
)
def test_order_better_than_the_match_price_pays_the_last_level_that_it_needs(
    exchange: "Exchange",
    quote: "type[Quote]",
    phase: Phase,
    after: Phase,
    side: Side,
    limit_e4: int,
    paid_e4: int,
) -> None:
    """With it in the auction the price would have been where what is left of the others is."""
    exchange.submit(700, limit_e4, side=side)
    call(exchange, quote, phase)

    bids, asks = ((100_000, 200), (99_900, 500)), ((100_000, 200), (100_100, 500))
    report = exchange.tick(quote(bids, asks, last_e4=100_000, volume_shares=900, phase=after))

    assert trades(report) == [(paid_e4, 700)]
    assert (report.fills[0].source, report.fills[0].liquidity) == (
        PriceSource.AUCTION,
        Liquidity.TAKER,
    )


def test_order_of_the_beat_of_the_match_takes_part(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """It was sent while the call still gathered orders."""
    call(exchange, quote)
    exchange.submit(300, 100_100)

    report = exchange.tick(quote(BIDS, ASKS, volume_shares=900, phase=Phase.PAUSE))

    assert trades(report) == [(100_100, 300)]


def test_order_better_than_the_match_price_gets_no_more_than_its_limit_reaches(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Where the book is thin a large order moves the price past its own limit; the rest waits."""
    exchange.submit(700, 100_200)
    call(exchange, quote)

    asks = ((100_100, 300), (100_300, 900))
    report = exchange.tick(quote(BIDS, asks, volume_shares=900, phase=Phase.PAUSE))
    later = exchange.tick(quote(BIDS, ((100_100, 200),), volume_shares=900))

    assert trades(report) == [(100_100, 300)]
    assert trades(later) == [(100_200, 200)]


def test_orders_of_a_side_pay_one_price_of_an_auction(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """One that comes behind moves the price of those before it; the other side has its own."""
    exchange.submit(200, 100_300)
    exchange.submit(200, 100_200)
    exchange.submit(200, 100_100)
    exchange.submit(100, 99_900, side=Side.SELL)
    call(exchange, quote)

    asks = ((100_100, 200), (100_200, 900))
    report = exchange.tick(quote(BIDS, asks, volume_shares=900, phase=Phase.PAUSE))

    assert trades(report) == [(100_200, 200), (100_200, 200), (99_900, 100)]


def test_level_that_we_emptied_before_the_call_moves_no_price(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Only where an order gets shares counts, not where it looks."""
    exchange.submit(100, 100_200)
    exchange.tick(quote(BIDS, ((100_200, 100),)))
    exchange.submit(300, 100_200)
    call(exchange, quote, Phase.CLOSE_CALL)

    left = ((100_000, 200), (100_200, 100))
    report = exchange.tick(quote(BIDS, left, volume_shares=900, phase=Phase.CLOSED))

    assert trades(report) == [(100_000, 200)]


def test_order_better_than_the_match_price_never_pays_less_than_it(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Some feeds still show a crossed book after an auction; who offers less gets nothing of it."""
    exchange.submit(300, 100_100)
    exchange.submit(300, 99_900)
    call(exchange, quote)

    report = exchange.tick(quote((), ((99_900, 500),), volume_shares=900, phase=Phase.PAUSE))

    assert trades(report) == [(100_000, 300)]


def test_order_at_the_match_price_fills_by_what_is_left_of_the_other_side(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Nobody can tell the queue at the price, but who is left there would have met us."""
    exchange.submit(300, 100_000)
    exchange.submit(100, 100_000, side=Side.SELL)
    exchange.submit(100, 99_900)
    call(exchange, quote)

    left = ((100_000, 120), (100_100, 900))
    report = exchange.tick(quote(BIDS, left, volume_shares=900, phase=Phase.PAUSE))

    assert trades(report) == [(100_000, 120)]


def test_auction_fills_share_the_participation_cap_of_the_matched_volume(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    quote: "type[Quote]",
) -> None:
    """One price for all does not mean that there is enough for all."""
    exchange = exchange_of(participation_bps_max=1_000)
    exchange.open(reference())
    exchange.submit(300, 100_200)
    exchange.submit(300, 100_100)
    exchange.submit(300, 99_900, side=Side.SELL)
    call(exchange, quote)

    asks = ((100_000, 900),)
    report = exchange.tick(quote(BIDS, asks, volume_shares=5_000, phase=Phase.PAUSE))

    assert [fill.quantity_shares for fill in report.fills] == [300, 200]
    assert {fill.side for fill in report.fills} == {Side.BUY}


def test_order_that_the_auction_left_rests_behind_the_book_after_it(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """It was in the market before: it does not sweep, and it knows its place."""
    exchange.submit(300, 99_900)
    call(exchange, quote)
    exchange.tick(quote(BIDS, ASKS, volume_shares=900, phase=Phase.PAUSE))

    at_price = exchange.tick(quote(BIDS, ASKS, last_e4=99_900, volume_shares=1_500))

    assert trades(at_price) == [(99_900, 100)]


def test_volume_of_an_auction_whose_end_was_not_seen_fills_nobody(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Nobody can tell it from what traded one by one after it."""
    exchange.submit(300, 100_000)
    call(exchange, quote)

    report = exchange.tick(quote(BIDS, ASKS, last_e4=99_900, volume_shares=9_000))
    later = exchange.tick(quote(BIDS, ASKS, last_e4=99_900, volume_shares=9_300))

    assert trades(report) == []
    assert trades(later) == [(100_000, 300)]


@pytest.mark.parametrize(
    ("last_e4", "volume_shares"),
    [(0, 900), (100_000, 0)],
)
def test_auction_without_a_price_or_a_volume_matches_nothing(
    exchange: "Exchange",
    quote: "type[Quote]",
    last_e4: int,
    volume_shares: int,
) -> None:
    """Some calls end without a match."""
    exchange.submit(300, 100_100)
    call(exchange, quote)

    report = exchange.tick(
        quote(BIDS, (), last_e4=last_e4, volume_shares=volume_shares, phase=Phase.PAUSE),
    )

    assert trades(report) == []


def test_last_trades_before_the_closing_call_still_fill_from_the_queue(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """What grew until the first quote of the call was traded one by one."""
    exchange.submit(300, 99_900)
    exchange.tick(quote(BIDS, ASKS))

    report = exchange.tick(
        quote(VIRTUAL, VIRTUAL, last_e4=99_900, volume_shares=600, phase=Phase.CLOSE_CALL),
    )

    assert trades(report) == [(99_900, 100)]
    assert report.fills[0].source is PriceSource.QUEUE


def test_ioc_order_does_not_wait_for_an_auction(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """It fills at once or not at all."""
    exchange.submit(300, 100_100, time_in_force=TimeInForce.IOC)

    report = exchange.tick(quote(VIRTUAL, VIRTUAL, last_e4=0, phase=Phase.OPEN_CALL))

    assert [update.reason for update in report.updates] == [OrderReason.IOC_REMAINDER]


def test_ioc_order_of_the_beat_of_the_match_has_no_part_in_it(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """An auction is for those who wait."""
    call(exchange, quote)
    exchange.submit(300, 100_100, time_in_force=TimeInForce.IOC)

    report = exchange.tick(quote(BIDS, ASKS, volume_shares=900, phase=Phase.PAUSE))

    assert trades(report) == []


@pytest.fixture
def late_exchange(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
) -> "Exchange":
    """Return an exchange with after-hours trading, of which a tenth may be ours."""
    exchange = exchange_of(participation_bps_max=1_000, trade_date=AFTER_HOURS_DATE)
    exchange.open(reference())
    return exchange


def test_fixed_price_orders_share_what_trades_after_hours_in_order_of_time(
    late_exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """At one price the earlier goes first, whichever side, and continuous trading is not for it."""
    exchange = late_exchange
    late = quote(BIDS, ASKS, volume_shares=1_000, phase=Phase.AFTER_HOURS)
    exchange.submit(300, 99_900, order_type=OrderType.FIXED_PRICE, side=Side.SELL)
    exchange.submit(300, 100_000, order_type=OrderType.FIXED_PRICE)
    exchange.submit(300, 99_900, order_type=OrderType.FIXED_PRICE)

    day = exchange.tick(quote(BIDS, ASKS))
    first = exchange.tick(late)
    report = exchange.tick(quote(volume_shares=5_000, phase=Phase.AFTER_HOURS))
    ended = exchange.close()

    assert trades(day) == trades(first) == []
    assert [(fill.side, fill.price_e4, fill.quantity_shares) for fill in report.fills] == [
        (Side.SELL, 100_000, 300),
        (Side.BUY, 100_000, 100),
    ]
    assert {fill.source for fill in report.fills} == {PriceSource.FIXED_PRICE}
    assert {update.status for update in ended.updates} == {OrderStatus.EXPIRED}


def test_fixed_price_order_is_taken_after_hours_and_an_ordinary_one_is_not(
    late_exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """After hours there is one price."""
    exchange = late_exchange
    exchange.tick(quote(phase=Phase.AFTER_HOURS))
    exchange.submit(100, 100_000, order_type=OrderType.FIXED_PRICE)
    exchange.submit(100, 100_000)

    report = exchange.tick(quote(phase=Phase.AFTER_HOURS))

    assert [(update.status, update.reason) for update in report.updates] == [
        (OrderStatus.NEW, OrderReason.NONE),
        (OrderStatus.REJECTED, OrderReason.MARKET_CLOSED),
    ]


def test_fixed_price_order_in_a_call_is_rejected(
    late_exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Shenzhen takes them there, Shanghai does not: the conservative reading."""
    exchange = late_exchange
    exchange.tick(quote(phase=Phase.OPEN_CALL))
    exchange.submit(100, 100_000, order_type=OrderType.FIXED_PRICE)

    report = exchange.tick(quote(phase=Phase.OPEN_CALL))

    assert [update.reason for update in report.updates] == [OrderReason.MARKET_CLOSED]


def test_cancel_of_a_fixed_price_order_is_refused(
    late_exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """No source says when it is taken: the conservative reading."""
    order = late_exchange.submit(100, 100_000, order_type=OrderType.FIXED_PRICE)
    late_exchange.tick(quote(BIDS, ASKS))
    late_exchange.cancel(order)

    report = late_exchange.tick(quote(BIDS, ASKS))

    assert [update.reason for update in report.updates] == [OrderReason.NOT_CANCELABLE]


@pytest.mark.parametrize(("last_e4", "volume_shares"), [(0, 5_000), (100_000, 0)])
def test_quote_after_hours_without_a_price_or_a_volume_fills_nobody(
    late_exchange: "Exchange",
    quote: "type[Quote]",
    last_e4: int,
    volume_shares: int,
) -> None:
    """Nothing traded, or a fault of the feed."""
    late_exchange.submit(100, 100_000, order_type=OrderType.FIXED_PRICE)
    late_exchange.tick(quote(phase=Phase.AFTER_HOURS))

    report = late_exchange.tick(
        quote(last_e4=last_e4, volume_shares=volume_shares, phase=Phase.AFTER_HOURS),
    )

    assert trades(report) == []
