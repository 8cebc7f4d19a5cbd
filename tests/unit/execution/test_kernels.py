"""The kernels as Python reads them: branches are counted there, and an overflow warns."""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

import numba
import pytest
from tests.property.execution.random_days import RandomMarket

from tidegate_common.domain.enums import (
    OrderReason,
    OrderType,
    Phase,
    PriceSource,
    QueueCancels,
    Side,
    TimeInForce,
)
from tidegate_execution.engine import ExecutionEngine, ExecutionReport, engine, tables

if TYPE_CHECKING:
    from tests.unit.execution.conftest import Bar, Exchange, Quote, Reference

PACKAGE = "tidegate_execution.engine"
KERNELS = ("chains", "display", "queue", "book", "auction", "bars", "kernels")


@pytest.fixture(name="interpret")
def interpret_fixture(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a switch to kernels that nobody compiled."""

    def interpret() -> None:
        monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
        package = import_module(PACKAGE)
        for name in KERNELS:
            monkeypatch.setattr(package, name, getattr(package, name))
            monkeypatch.delitem(sys.modules, f"{PACKAGE}.{name}")
        interpreted = import_module(f"{PACKAGE}.kernels")
        for name in ("match_quotes", "match_day_open", "match_bars", "warm_up"):
            monkeypatch.setattr(engine, name, getattr(interpreted, name))
        for name in ("place", "withdraw"):
            monkeypatch.setattr(tables, name, getattr(interpreted, name))

    return interpret


@pytest.fixture(name="reading", params=["compiled", "interpreted"])
def reading_fixture(request: pytest.FixtureRequest, interpret: Callable[[], None]) -> str:
    """Take the kernels compiled, and then as Python reads them."""
    if request.param == "interpreted":
        interpret()
    return str(request.param)


def play(seeds: range) -> list[ExecutionReport]:
    """Return what is said on days at random."""
    reports = []
    for seed in seeds:
        market = RandomMarket(seed)
        exchange = ExecutionEngine(market.spec)
        for beat in market.days():
            if beat.frame is None:
                reports.append(exchange.on_missing_beat(beat.stamp, beat.submits, beat.cancels))
            else:
                reports.append(exchange.on_beat(beat.frame, beat.submits, beat.cancels))
    return reports


def test_interpreted_kernels_say_what_compiled_ones_say(interpret: Callable[[], None]) -> None:
    """What is compiled is this text, and nothing in it overflows."""
    seeds = range(10)
    compiled = play(seeds)
    interpret()

    interpreted = play(seeds)

    assert interpreted == compiled


@pytest.mark.usefixtures("reading")
def test_market_to_limit_order_in_an_empty_book_is_cancelled(
    exchange_of: "Callable[..., Exchange]",
    quote: "type[Quote]",
    reference: "type[Reference]",
) -> None:
    """Neither side has a price that it could rest at."""
    exchange = exchange_of()
    exchange.open(reference())
    exchange.submit(100, order_type=OrderType.MARKET_TO_LIMIT)

    report = exchange.tick(quote())

    assert [update.reason for update in report.updates] == [OrderReason.NO_BEST_PRICE]


@pytest.mark.usefixtures("reading")
def test_auction_at_an_orders_very_price_gives_it_what_is_left(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """As far as the other side is displayed; orders that do not wait have no part in it."""
    exchange.tick(quote(phase=Phase.OPEN_CALL))
    waiting = exchange.submit(300, 100_000)
    exchange.submit(100, 100_000, time_in_force=TimeInForce.IOC)

    report = exchange.tick(
        quote(phase=Phase.PAUSE, asks=[(100_000, 200)], volume_shares=1_000),
    )

    assert [(fill.order_id, fill.quantity_shares) for fill in report.fills] == [(waiting, 200)]


@pytest.mark.usefixtures("reading")
def test_largest_shares_of_a_feed_do_not_overflow(
    exchange_of: "Callable[..., Exchange]",
    quote: "type[Quote]",
    reference: "type[Reference]",
) -> None:
    """Its columns are 64 bits wide; where a product would not fit, nobody ahead has gone."""
    exchange = exchange_of(queue_cancels=QueueCancels.PROPORTIONAL)
    exchange.open(reference())
    most, half = 2**63 - 1, 2**61
    exchange.tick(quote(bids=[(99_000, most)], asks=[(101_000, most)]))
    exchange.submit(500, 99_000)
    exchange.tick(quote(bids=[(99_000, most)], asks=[(101_000, most)]))
    exchange.tick(quote(bids=[(99_000, half)], asks=[(101_000, most)]))

    waiting = exchange.tick(
        quote(bids=[(99_000, half)], asks=[(101_000, most)], last_e4=99_000, volume_shares=half),
    )
    filled = exchange.tick(
        quote(bids=[(99_000, half)], asks=[(101_000, most)], last_e4=99_000, volume_shares=most),
    )

    assert waiting.fills == ()
    assert [fill.quantity_shares for fill in filled.fills] == [500]


@pytest.mark.usefixtures("reading")
def test_prices_beyond_a_hundred_million_count_as_none(
    exchange_of: "Callable[..., Exchange]",
    quote: "type[Quote]",
    reference: "type[Reference]",
    bar: "type[Bar]",
) -> None:
    """A sell would be paid whatever a faulty feed says, in more fen than 64 bits hold."""
    exchange, most = exchange_of(), 2**63 - 1
    exchange.open(reference(limit_up_e4=most))
    exchange.tick(quote(phase=Phase.OPEN_CALL))
    for price_e4 in (100_000, 10**12 + 100):
        exchange.submit(100, price_e4, side=Side.SELL)

    call = exchange.tick(quote(phase=Phase.PAUSE, last_e4=most, volume_shares=1_000))
    exchange.submit(100, 100_000, side=Side.SELL)
    swept = exchange.tick(quote(bids=[(most, 500), (10**12 + 1, 500)], last_e4=most))
    exchange.submit(100, order_type=OrderType.MARKET, side=Side.SELL)
    opened = exchange.bar(bar(high_e4=most, low_e4=90_000, open_e4=most))

    assert [update.reason for update in call.updates] == [
        OrderReason.NONE,
        OrderReason.OUTSIDE_PRICE_LIMIT,
    ]
    assert call.fills == swept.fills == ()
    assert {(fill.source, fill.price_e4) for fill in opened.fills} == {(PriceSource.BAR, 100_000)}
