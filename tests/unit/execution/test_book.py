"""Matching against five levels."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tidegate_common.domain.enums import (
    LimitState,
    Liquidity,
    OrderReason,
    OrderStatus,
    Phase,
    PriceSource,
    Side,
    TimeInForce,
)

if TYPE_CHECKING:
    from tests.unit.execution.conftest import Exchange, Quote, Reference

    from tidegate_execution.engine import ExecutionReport

BIDS = ((99_900, 500), (99_800, 600))
ASKS = ((100_100, 300), (100_200, 400), (100_300, 500))
FIVE_BIDS = tuple((99_900 - 100 * level, 500) for level in range(5))
FIVE_ASKS = tuple((100_100 + 100 * level, 100) for level in range(5))


def trades(report: "ExecutionReport") -> list[tuple[int, int]]:
    """Return price and quantity of each fill."""
    return [(fill.price_e4, fill.quantity_shares) for fill in report.fills]


def states(report: "ExecutionReport") -> list[tuple[OrderStatus, OrderReason, int, int]]:
    """Return state, reason, filled and working shares of each update."""
    return [
        (update.status, update.reason, update.cumulative_shares, update.leaves_shares)
        for update in report.updates
    ]


def test_buy_that_crosses_sweeps_levels_and_pays_each_price(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """A taker pays what is displayed, level by level."""
    exchange.submit(600, 100_200)

    report = exchange.tick(quote(BIDS, ASKS))

    assert trades(report) == [(100_100, 300), (100_200, 300)]
    assert states(report) == [(OrderStatus.FILLED, OrderReason.NONE, 600, 0)]
    assert {(fill.source, fill.liquidity) for fill in report.fills} == {
        (PriceSource.LEVEL, Liquidity.TAKER),
    }
    assert [fill.fill_id for fill in report.fills] == ["run.0.a.0.0", "run.0.a.0.1"]


def test_sell_that_crosses_sweeps_bids_down_to_its_limit(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """The sell side is the mirror of the buy side."""
    exchange.submit(2_000, 99_900, side=Side.SELL)

    report = exchange.tick(quote(BIDS, ASKS))

    assert trades(report) == [(99_900, 500)]
    assert states(report) == [(OrderStatus.PARTIALLY_FILLED, OrderReason.NONE, 500, 1_500)]


def test_order_that_does_not_cross_rests_as_new(exchange: "Exchange", quote: "type[Quote]") -> None:
    """A passive order is told to be new, once."""
    exchange.submit(100, 99_900)

    report = exchange.tick(quote(BIDS, ASKS))

    assert states(report) == [(OrderStatus.NEW, OrderReason.NONE, 0, 100)]
    assert exchange.tick(quote(BIDS, ASKS)).updates == ()


def test_ioc_order_after_its_sweep_is_cancelled(exchange: "Exchange", quote: "type[Quote]") -> None:
    """Immediate or cancel means what it says."""
    exchange.submit(500, 100_100, time_in_force=TimeInForce.IOC)

    report = exchange.tick(quote(BIDS, ASKS))

    assert trades(report) == [(100_100, 300)]
    assert states(report) == [(OrderStatus.CANCELED, OrderReason.IOC_REMAINDER, 300, 0)]


def test_market_order_sweeps_five_levels_and_cancels_the_rest(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Nobody knows what lies behind the fifth level."""
    exchange.submit(1_000)

    report = exchange.tick(quote(BIDS, FIVE_ASKS))

    assert trades(report) == [(price, 100) for price, _ in FIVE_ASKS]
    assert states(report) == [(OrderStatus.CANCELED, OrderReason.IOC_REMAINDER, 500, 0)]


def test_market_order_that_is_filled_is_not_cancelled(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """A filled order has no remainder."""
    exchange.submit(100)

    assert states(exchange.tick(quote(BIDS, ASKS)))[0][0] is OrderStatus.FILLED


@pytest.mark.parametrize(("side", "price_e4"), [(Side.BUY, 110_000), (Side.SELL, 90_000)])
def test_market_order_stops_at_the_days_limit(
    exchange: "Exchange",
    quote: "type[Quote]",
    side: Side,
    price_e4: int,
) -> None:
    """A level beyond the day's limit is a fault of the feed, and is not traded."""
    exchange.submit(300, side=side)

    report = exchange.tick(
        quote(
            bids=((90_000, 100), (89_900, 100)),
            asks=((110_000, 100), (110_100, 100)),
        ),
    )

    assert trades(report) == [(price_e4, 100)]


@pytest.mark.parametrize("side", Side)
def test_market_order_on_a_day_without_limit_pays_any_level(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    quote: "type[Quote]",
    side: Side,
) -> None:
    """The first days of a listing have no price limit."""
    exchange = exchange_of()
    exchange.open(
        reference(limit_state=LimitState.UNLIMITED, limit_down_e4=0, limit_up_e4=0),
    )
    exchange.submit(100, side=side)

    report = exchange.tick(quote(bids=((20_000, 100),), asks=((900_000, 100),)))

    assert trades(report) == [(900_000 if side is Side.BUY else 20_000, 100)]


def test_order_against_an_empty_side_does_not_fill(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """A board sealed at the limit-up has no seller."""
    exchange.submit(100, 110_000)

    report = exchange.tick(quote(bids=((110_000, 9_000),), last_e4=110_000))

    assert states(report) == [(OrderStatus.NEW, OrderReason.NONE, 0, 100)]


def test_level_that_we_took_stays_taken_until_its_display_changes(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """A recorded book does not know that we emptied it; identical shares are the same shares."""
    exchange.submit(200, 100_100, time_in_force=TimeInForce.IOC)
    exchange.tick(quote(BIDS, ASKS))
    exchange.submit(300, 100_100, time_in_force=TimeInForce.IOC)

    again = exchange.tick(quote(BIDS, ASKS))
    exchange.submit(300, 100_100, time_in_force=TimeInForce.IOC)
    gone = exchange.tick(quote(BIDS, ASKS))
    exchange.submit(300, 100_100, time_in_force=TimeInForce.IOC)
    changed = exchange.tick(quote(BIDS, ((100_100, 250),)))

    assert trades(again) == [(100_100, 100)]
    assert trades(gone) == []
    assert trades(changed) == [(100_100, 250)]


def test_taken_level_that_moved_out_of_sight_is_still_taken(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Beyond the fifth level nobody can tell, so nothing is given back."""
    exchange.submit(100, 100_500, side=Side.BUY, time_in_force=TimeInForce.IOC)
    exchange.tick(quote(BIDS, ((100_500, 100),)))
    exchange.tick(quote(BIDS, (*FIVE_ASKS[:4], (100_450, 10))))
    exchange.submit(100, 100_500, time_in_force=TimeInForce.IOC)

    report = exchange.tick(quote(BIDS, ((100_500, 100),)))

    assert trades(report) == []


def test_taken_level_that_vanished_from_sight_is_fresh_when_it_returns(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """A price inside the five levels that shows nothing has changed."""
    exchange.submit(300, 100_100, time_in_force=TimeInForce.IOC)
    exchange.tick(quote(BIDS, ASKS))
    exchange.tick(quote(BIDS, ((100_000, 100), (100_200, 400))))
    exchange.submit(300, 100_100, time_in_force=TimeInForce.IOC)

    report = exchange.tick(quote(BIDS, ASKS))

    assert trades(report) == [(100_100, 300)]


def test_levels_of_an_auction_do_not_give_back_what_was_taken(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """An auction displays what would trade, which says nothing of the book after it."""
    exchange.submit(300, 100_100, time_in_force=TimeInForce.IOC)
    exchange.tick(quote(BIDS, ASKS))
    exchange.tick(quote(BIDS, ((100_100, 77),), phase=Phase.HALTED))
    exchange.submit(300, 100_100, time_in_force=TimeInForce.IOC)

    report = exchange.tick(quote(BIDS, ASKS))

    assert trades(report) == []


def test_resting_order_fills_by_volume_after_the_shares_ahead(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """The queue before us trades first; the excess is ours, at our price."""
    exchange.submit(300, 99_900)
    exchange.tick(quote(BIDS, ASKS, volume_shares=1_000))

    ahead = exchange.tick(quote(BIDS, ASKS, last_e4=99_900, volume_shares=1_400))
    reached = exchange.tick(quote(BIDS, ASKS, last_e4=99_900, volume_shares=1_700))
    rest = exchange.tick(quote(BIDS, ASKS, last_e4=99_800, volume_shares=2_000))

    assert trades(ahead) == []
    assert trades(reached) == [(99_900, 200)]
    assert (reached.fills[0].source, reached.fills[0].liquidity) == (
        PriceSource.QUEUE,
        Liquidity.MAKER,
    )
    assert states(reached) == [(OrderStatus.PARTIALLY_FILLED, OrderReason.NONE, 200, 100)]
    assert trades(rest) == [(99_900, 100)]
    assert states(rest) == [(OrderStatus.FILLED, OrderReason.NONE, 300, 0)]


def test_resting_sell_fills_by_volume_at_or_above_its_price(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """The sell side is the mirror of the buy side."""
    exchange.submit(300, 100_000, side=Side.SELL)
    exchange.tick(quote(BIDS, ASKS))

    below = exchange.tick(quote(BIDS, ASKS, last_e4=99_900, volume_shares=100))
    above = exchange.tick(quote(BIDS, ASKS, last_e4=100_100, volume_shares=200))

    assert trades(below) == []
    assert trades(above) == [(100_000, 100)]


def test_volume_without_a_last_price_fills_nothing(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """A price of 0 means that nothing traded yet; it is not through every buy."""
    exchange.submit(300, 100_000)
    exchange.tick(quote(BIDS, ASKS))

    assert trades(exchange.tick(quote(BIDS, ASKS, last_e4=0, volume_shares=100))) == []


def test_volume_that_falls_back_counts_once(exchange: "Exchange", quote: "type[Quote]") -> None:
    """A feed that corrects itself must not make volume out of nothing."""
    exchange.submit(900, 100_000)
    exchange.tick(quote(BIDS, ASKS, volume_shares=1_000))

    fallen = exchange.tick(quote(BIDS, ASKS, volume_shares=400))
    risen = exchange.tick(quote(BIDS, ASKS, volume_shares=1_050))

    assert trades(fallen) == []
    assert trades(risen) == [(100_000, 50)]


def test_passive_fills_of_all_our_orders_share_the_participation_cap(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    quote: "type[Quote]",
) -> None:
    """Together we are not more of the market than the run allows, buys before sells."""
    exchange = exchange_of(participation_bps_max=1_000)
    exchange.open(reference())
    exchange.submit(70, 100_000, account="b")
    exchange.submit(70, 100_000, account="a")
    exchange.submit(70, 100_000, account="c", side=Side.SELL)
    exchange.tick(quote(((99_900, 100),), ((100_100, 100),)))

    report = exchange.tick(
        quote(((99_900, 100),), ((100_100, 100),), last_e4=100_000, volume_shares=1_009),
    )

    assert [(fill.account_id, fill.quantity_shares) for fill in report.fills] == [
        ("a", 70),
        ("b", 30),
    ]


def test_traded_volume_that_one_order_got_is_gone_for_the_next(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """A share that traded was bought by one of us only."""
    exchange.submit(80, 100_000, account="a")
    exchange.submit(80, 100_000, account="b")
    exchange.tick(quote(BIDS, ASKS))

    report = exchange.tick(quote(BIDS, ASKS, last_e4=100_000, volume_shares=100))

    assert [(fill.account_id, fill.quantity_shares) for fill in report.fills] == [
        ("a", 80),
        ("b", 20),
    ]


def test_volume_that_a_better_order_got_did_not_pass_the_next_ones_queue(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """What we bought at 10.00 was not there to shorten the queue at 9.99."""
    exchange.submit(80, 100_000)
    exchange.submit(80, 99_900)
    exchange.tick(quote(BIDS, ASKS))

    first = exchange.tick(quote(BIDS, ASKS, last_e4=99_900, volume_shares=550))
    second = exchange.tick(quote(BIDS, ASKS, last_e4=99_900, volume_shares=590))

    assert trades(first) == [(100_000, 80)]
    assert trades(second) == [(99_900, 10)]


def test_resting_order_that_the_book_crosses_fills_at_its_own_limit(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """The maker was there first; its own price is the conservative one."""
    exchange.submit(500, 99_900)
    exchange.tick(quote(BIDS, ASKS))

    report = exchange.tick(quote(((99_700, 100),), ((99_800, 200), (99_900, 100), (100_000, 900))))

    assert trades(report) == [(99_900, 300)]
    assert (report.fills[0].source, report.fills[0].liquidity) == (
        PriceSource.LEVEL,
        Liquidity.MAKER,
    )


def test_earlier_order_takes_the_displayed_shares_before_a_new_one(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """At one price, time decides: the account's name does not overtake it."""
    exchange.submit(200, 99_900, account="z")
    exchange.tick(quote(BIDS, ASKS))
    exchange.submit(200, 99_900, account="a")

    report = exchange.tick(quote(((99_700, 100),), ((99_900, 300),)))

    assert [(fill.account_id, fill.quantity_shares) for fill in report.fills] == [
        ("a", 100),
        ("z", 200),
    ]


def test_order_beyond_five_levels_waits_until_its_price_is_in_sight(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Nobody knows the queue at a price that is not displayed, so we do not jump it."""
    exchange.submit(100, 99_400)
    exchange.tick(quote(FIVE_BIDS, ASKS))

    hidden = exchange.tick(quote(FIVE_BIDS, ASKS, last_e4=99_400, volume_shares=900))
    seen = exchange.tick(quote(((99_400, 50),), ASKS, last_e4=99_400, volume_shares=1_800))
    filled = exchange.tick(quote(((99_400, 50),), ASKS, last_e4=99_400, volume_shares=1_860))

    assert trades(hidden) == trades(seen) == []
    assert trades(filled) == [(99_400, 10)]


def test_sell_beyond_five_levels_is_out_of_sight_too(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """The ask ladder counts upwards."""
    exchange.submit(100, 100_600, side=Side.SELL)
    exchange.tick(quote(BIDS, FIVE_ASKS))

    report = exchange.tick(quote(BIDS, FIVE_ASKS, last_e4=100_600, volume_shares=900))

    assert trades(report) == []


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.CONTINUOUS])
def test_orders_outside_continuous_trading_rest_or_are_cancelled(
    exchange: "Exchange",
    quote: "type[Quote]",
    phase: Phase,
) -> None:
    """Only the continuous phase matches order by order; who cannot wait is sent back."""
    exchange.submit(100, 100_100)
    exchange.submit(100, 100_100, time_in_force=TimeInForce.IOC)
    exchange.submit(100)

    report = exchange.tick(quote(BIDS, ASKS, phase=phase))

    assert states(report) == [
        (OrderStatus.NEW, OrderReason.NONE, 0, 100),
        (OrderStatus.CANCELED, OrderReason.IOC_REMAINDER, 0, 0),
        (OrderStatus.CANCELED, OrderReason.IOC_REMAINDER, 0, 0),
    ]
    assert trades(exchange.tick(quote(BIDS, ASKS))) == [(100_100, 100)]


def test_order_in_a_silent_instrument_waits_for_its_next_quote(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """A book that did not speak in the beat is not met, by IOC orders neither."""
    exchange.submit(100, 100_100, time_in_force=TimeInForce.IOC)

    silent = exchange.tick(quote(BIDS, ASKS, instrument=2000333))
    spoken = exchange.tick(quote(BIDS, ASKS))

    assert states(silent) == [(OrderStatus.NEW, OrderReason.NONE, 0, 100)]
    assert states(spoken) == [(OrderStatus.FILLED, OrderReason.NONE, 100, 0)]


def test_our_own_orders_do_not_trade_with_one_another(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """The simulated market is the recorded one; we are guests in it."""
    exchange.submit(100, 100_000, account="a")
    exchange.submit(100, 100_000, account="b", side=Side.SELL)

    assert trades(exchange.tick(quote(BIDS, ASKS))) == []
