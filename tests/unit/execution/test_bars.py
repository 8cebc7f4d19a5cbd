"""Matching against bars."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tidegate_common.domain.enums import (
    LimitState,
    Liquidity,
    OrderReason,
    OrderStatus,
    PriceSource,
    Side,
    TimeInForce,
)

if TYPE_CHECKING:
    from tests.unit.execution.conftest import Bar, Exchange, Reference

    from tidegate_execution.engine import ExecutionReport


@pytest.fixture
def seen(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    bar: "type[Bar]",
) -> "Callable[..., Exchange]":
    """Return a maker of exchanges that have seen one day, in which 100,000 shares traded."""

    def make(participation_bps_max: int = 1_000, slippage_bps: int = 0) -> "Exchange":
        exchange = exchange_of(participation_bps_max, slippage_bps)
        exchange.open(reference(open_e4=100_000))
        exchange.close(bar(volume_shares=100_000))
        return exchange

    return make


def trades(report: "ExecutionReport") -> list[tuple[int, int]]:
    """Return price and quantity of each fill."""
    return [(fill.price_e4, fill.quantity_shares) for fill in report.fills]


def states(report: "ExecutionReport") -> list[tuple[OrderStatus, OrderReason]]:
    """Return state and reason of each update."""
    return [(update.status, update.reason) for update in report.updates]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("price_e4", [100_000, 0])
def test_order_at_the_open_fills_at_the_opening_price(
    seen: "Callable[..., Exchange]",
    reference: "type[Reference]",
    side: Side,
    price_e4: int,
) -> None:
    """A limit that accepts the open, and a market order, trade at the open."""
    exchange = seen()
    exchange.submit(400, price_e4, side=side)

    report = exchange.open(reference(open_e4=100_000))

    assert trades(report) == [(100_000, 400)]
    assert states(report) == [(OrderStatus.FILLED, OrderReason.NONE)]
    assert (report.fills[0].source, report.fills[0].liquidity) == (
        PriceSource.BAR_OPEN,
        Liquidity.TAKER,
    )


@pytest.mark.parametrize(("side", "price_e4"), [(Side.BUY, 99_900), (Side.SELL, 100_100)])
def test_order_whose_limit_does_not_accept_the_open_rests(
    seen: "Callable[..., Exchange]",
    reference: "type[Reference]",
    side: Side,
    price_e4: int,
) -> None:
    """Nothing fills beyond its limit price."""
    exchange = seen()
    exchange.submit(400, price_e4, side=side)

    report = exchange.open(reference(open_e4=100_000))

    assert trades(report) == []
    assert states(report) == [(OrderStatus.NEW, OrderReason.NONE)]


@pytest.mark.parametrize(
    ("side", "limit_e4", "expected_e4"),
    [
        # 10 basis points of 10.05 yuan are 1.005 fen: two ticks against us.
        (Side.BUY, 0, 100_700),
        (Side.SELL, 0, 100_300),
        (Side.BUY, 100_600, 100_600),
        (Side.SELL, 100_400, 100_400),
    ],
)
def test_fill_at_the_open_slips_in_whole_ticks_up_to_the_limit(
    seen: "Callable[..., Exchange]",
    reference: "type[Reference]",
    side: Side,
    limit_e4: int,
    expected_e4: int,
) -> None:
    """Slippage is against us, rounds against us, and knows the limit price."""
    exchange = seen(slippage_bps=10)
    exchange.submit(100, limit_e4, side=side)

    assert trades(exchange.open(reference(open_e4=100_500))) == [(expected_e4, 100)]


@pytest.mark.parametrize(("side", "price_e4"), [(Side.BUY, 110_000), (Side.SELL, 90_000)])
def test_market_fill_at_the_open_slips_no_further_than_the_days_limit(
    seen: "Callable[..., Exchange]",
    reference: "type[Reference]",
    side: Side,
    price_e4: int,
) -> None:
    """No trade of the day is beyond its price limit."""
    exchange = seen(slippage_bps=5_000)
    exchange.submit(100, side=side)

    assert trades(exchange.open(reference(open_e4=100_000))) == [(price_e4, 100)]


def test_market_sell_without_price_limit_slips_no_lower_than_a_tick(
    seen: "Callable[..., Exchange]",
    reference: "type[Reference]",
) -> None:
    """A price is above nothing."""
    exchange = seen(slippage_bps=20_000)
    exchange.submit(100, side=Side.SELL)

    report = exchange.open(reference(limit_state=LimitState.UNLIMITED, open_e4=100_000))

    assert trades(report) == [(100, 100)]


@pytest.mark.parametrize(
    ("side", "open_e4", "fill_count"),
    [
        (Side.BUY, 110_000, 0),
        (Side.BUY, 90_000, 1),
        (Side.SELL, 90_000, 0),
        (Side.SELL, 110_000, 1),
    ],
)
def test_order_against_a_lock_at_the_open_does_not_fill(
    seen: "Callable[..., Exchange]",
    reference: "type[Reference]",
    side: Side,
    open_e4: int,
    fill_count: int,
) -> None:
    """At the limit-up there are no sellers, at the limit-down no buyers; the other way is free."""
    exchange = seen()
    exchange.submit(100, side=side)

    report = exchange.open(reference(open_e4=open_e4))

    assert len(report.fills) == fill_count
    if not fill_count:
        assert states(report) == [(OrderStatus.CANCELED, OrderReason.IOC_REMAINDER)]


def test_fills_at_the_open_share_the_cap_of_the_last_traded_day(
    seen: "Callable[..., Exchange]",
    reference: "type[Reference]",
    bar: "type[Bar]",
) -> None:
    """A day without trades tells nothing of what the market can bear; buys go before sells."""
    exchange = seen(participation_bps_max=100)
    exchange.open(reference(is_suspended=True))
    exchange.close(bar(volume_shares=0))
    exchange.submit(700, 100_000, account="b")
    exchange.submit(500, 100_000, account="c", side=Side.SELL)
    exchange.submit(200, 100_100, account="d")

    report = exchange.open(reference(open_e4=100_000))

    assert [(fill.account_id, fill.quantity_shares) for fill in report.fills] == [
        ("b", 700),
        ("c", 100),
        ("d", 200),
    ]


def test_first_open_of_a_run_fills_nothing(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
) -> None:
    """Before a day was seen its volume, and so the cap, is not known."""
    exchange = exchange_of()
    exchange.submit(100)

    report = exchange.open(reference(open_e4=100_000))

    assert states(report) == [(OrderStatus.CANCELED, OrderReason.IOC_REMAINDER)]


def test_open_without_an_opening_price_matches_nothing(
    seen: "Callable[..., Exchange]",
    reference: "type[Reference]",
) -> None:
    """An open of 0 says that there is none, as in a tick run: even IOC orders wait."""
    exchange = seen()
    exchange.submit(100, 100_000, time_in_force=TimeInForce.IOC)

    assert states(exchange.open(reference())) == [(OrderStatus.NEW, OrderReason.NONE)]


@pytest.mark.parametrize(
    ("side", "price_e4", "is_filled"),
    [
        (Side.BUY, 99_100, True),
        (Side.BUY, 99_000, False),
        (Side.SELL, 100_900, True),
        (Side.SELL, 101_000, False),
    ],
)
def test_resting_order_fills_at_its_limit_only_if_the_bar_traded_through(
    seen: "Callable[..., Exchange]",
    reference: "type[Reference]",
    bar: "type[Bar]",
    side: Side,
    price_e4: int,
    *,
    is_filled: bool,
) -> None:
    """A touch may have filled only those before us in the queue."""
    exchange = seen()
    exchange.submit(100, price_e4, side=side)
    exchange.open(reference(open_e4=100_000))

    report = exchange.close(bar(high_e4=101_000, low_e4=99_000))

    assert trades(report) == ([(price_e4, 100)] if is_filled else [])
    expected = (
        (OrderStatus.FILLED, OrderReason.NONE)
        if is_filled
        else (OrderStatus.EXPIRED, OrderReason.DAY_ENDED)
    )
    assert states(report) == [expected]
    assert {(fill.source, fill.liquidity) for fill in report.fills} <= {
        (PriceSource.BAR, Liquidity.MAKER),
    }


def test_bar_locked_at_one_price_does_not_fill_orders_at_that_price(
    seen: "Callable[..., Exchange]",
    reference: "type[Reference]",
    bar: "type[Bar]",
) -> None:
    """A day sealed at the limit-up has volume, but none for a late buyer."""
    exchange = seen()
    exchange.submit(100, 110_000)
    exchange.open(reference(open_e4=110_000))

    report = exchange.close(bar(high_e4=110_000, low_e4=110_000, volume_shares=1_000_000))

    assert trades(report) == []


def test_fills_inside_the_day_leave_out_what_the_open_took(
    seen: "Callable[..., Exchange]",
    reference: "type[Reference]",
    bar: "type[Bar]",
) -> None:
    """The cap is one for the whole day, and the orders share it in priority order."""
    exchange = seen(participation_bps_max=100)
    exchange.submit(400, 100_000, account="a")
    exchange.submit(400, 99_500, account="b")
    exchange.submit(400, 99_600, account="c")
    exchange.open(reference(open_e4=100_000))

    report = exchange.close(bar(low_e4=99_000, volume_shares=90_000))

    assert [(fill.account_id, fill.quantity_shares) for fill in report.fills] == [
        ("b", 100),
        ("c", 400),
    ]
    assert states(report) == [
        (OrderStatus.EXPIRED, OrderReason.DAY_ENDED),
        (OrderStatus.FILLED, OrderReason.NONE),
    ]


def test_engine_restored_after_the_open_remembers_what_the_open_took(
    seen: "Callable[..., Exchange]",
    reference: "type[Reference]",
    bar: "type[Bar]",
) -> None:
    """A crash between open and close must not give the cap a second time."""
    exchange = seen(participation_bps_max=100)
    exchange.submit(1_500, 100_000)
    exchange.open(reference(open_e4=100_000))

    exchange.engine.restore(exchange.engine.snapshot())

    assert trades(exchange.close(bar(volume_shares=100_000))) == []


def test_open_that_took_more_than_the_days_cap_leaves_nothing(
    seen: "Callable[..., Exchange]",
    reference: "type[Reference]",
    bar: "type[Bar]",
) -> None:
    """Yesterday's volume allowed more than today's; a cap is never negative."""
    exchange = seen(participation_bps_max=100)
    exchange.submit(2_000, 100_000)
    exchange.open(reference(open_e4=100_000))

    assert trades(exchange.close(bar(volume_shares=10_000))) == []


def test_bar_of_a_period_is_matched_and_the_day_bar_after_it_is_not(
    exchange: "Exchange",
    bar: "type[Bar]",
) -> None:
    """What a day's bar tells was told bar by bar already."""
    exchange.submit(100, 99_500)
    exchange.submit(100, 99_400)
    filled = exchange.bar(bar(low_e4=99_400))

    report = exchange.close(bar(low_e4=90_000))

    assert trades(filled) == [(99_500, 100)]
    assert states(report) == [(OrderStatus.EXPIRED, OrderReason.DAY_ENDED)]


def test_order_that_cannot_wait_is_cancelled_by_a_bar(
    exchange: "Exchange",
    bar: "type[Bar]",
) -> None:
    """An IOC order tries once."""
    exchange.submit(100, 99_000, time_in_force=TimeInForce.IOC)

    report = exchange.bar(bar(low_e4=99_000))

    assert states(report) == [(OrderStatus.CANCELED, OrderReason.IOC_REMAINDER)]


def test_ioc_order_through_which_a_bar_traded_fills(
    exchange: "Exchange",
    bar: "type[Bar]",
) -> None:
    """The one try counts."""
    exchange.submit(100, 99_000, time_in_force=TimeInForce.IOC)

    assert trades(exchange.bar(bar(low_e4=98_900))) == [(99_000, 100)]


@pytest.mark.parametrize("price_e4", [0, 100_300])
def test_order_new_to_a_bar_fills_at_its_open_with_slippage(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    bar: "type[Bar]",
    price_e4: int,
) -> None:
    """It was there when the bar began; ticks, and the root of its share of the volume."""
    exchange = exchange_of(slippage_ticks=1, impact_bps=100)
    exchange.open(reference())
    exchange.submit(100, price_e4)

    report = exchange.bar(bar(volume_shares=10_000))

    assert trades(report) == [(100_200, 100)]
    assert (report.fills[0].source, report.fills[0].liquidity) == (
        PriceSource.BAR_OPEN,
        Liquidity.TAKER,
    )


def test_order_that_a_bars_open_left_fills_inside_by_what_the_cap_leaves(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    bar: "type[Bar]",
) -> None:
    """One cap for the open and the inside; in the next bar the order is not new."""
    exchange = exchange_of(participation_bps_max=1_000)
    exchange.open(reference())
    exchange.submit(300, 100_000)
    exchange.submit(500, 99_500)

    first = exchange.bar(bar(volume_shares=4_000))
    second = exchange.bar(bar(volume_shares=5_000, open_e4=99_200))

    assert trades(first) == [(100_000, 300), (99_500, 100)]
    assert trades(second) == [(99_500, 400)]
    assert [fill.source for fill in first.fills] == [PriceSource.BAR_OPEN, PriceSource.BAR]


@pytest.mark.parametrize("price_e4", [90_000, 110_000])
@pytest.mark.parametrize("side", Side)
def test_bar_of_one_price_at_a_limit_fills_nobody(
    exchange: "Exchange",
    bar: "type[Bar]",
    price_e4: int,
    side: Side,
) -> None:
    """Sealed: what traded in it went to a queue that nobody saw."""
    exchange.submit(100, side=side)
    exchange.submit(100, price_e4, side=side)

    report = exchange.bar(bar(high_e4=price_e4, low_e4=price_e4))

    assert trades(report) == []


def test_bar_of_one_price_inside_the_limits_fills_at_its_open(
    exchange: "Exchange",
    bar: "type[Bar]",
) -> None:
    """A quiet minute is no lock."""
    exchange.submit(100)

    report = exchange.bar(bar(high_e4=100_000, low_e4=100_000))

    assert trades(report) == [(100_000, 100)]


@pytest.mark.parametrize(("quantity_shares", "filled_shares"), [(400, [400]), (401, [])])
@pytest.mark.parametrize("price_e4", [100_000, 99_500])
def test_fill_or_kill_order_in_a_bar_fills_as_a_whole_or_not_at_all(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    bar: "type[Bar]",
    *,
    quantity_shares: int,
    filled_shares: list[int],
    price_e4: int,
) -> None:
    """The cap is what there is for us."""
    exchange = exchange_of(participation_bps_max=1_000)
    exchange.open(reference())
    exchange.submit(quantity_shares, price_e4, time_in_force=TimeInForce.FOK)

    report = exchange.bar(bar(volume_shares=4_000))

    assert [fill.quantity_shares for fill in report.fills] == filled_shares
    assert states(report)[0][0] is (OrderStatus.FILLED if filled_shares else OrderStatus.CANCELED)


@pytest.mark.parametrize("other", [1600000, 1600600])
def test_bar_of_another_instrument_says_nothing_to_an_order(
    exchange: "Exchange",
    bar: "type[Bar]",
    other: int,
) -> None:
    """An order waits for the bars of its own instrument."""
    exchange.submit(100, 100_000)

    silent = exchange.bar(bar(instrument=other))

    assert trades(silent) == []
    assert trades(exchange.bar(bar())) == [(100_000, 100)]
