"""The place of an order in its queue."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tidegate_common.domain.enums import QueueCancels

if TYPE_CHECKING:
    from tests.unit.execution.conftest import Exchange, Quote, Reference

    from tidegate_execution.engine import ExecutionReport

ASKS = ((100_100, 300),)


def trades(report: "ExecutionReport") -> list[tuple[int, int]]:
    """Return price and quantity of each fill."""
    return [(fill.price_e4, fill.quantity_shares) for fill in report.fills]


def bids(shares: int) -> tuple[tuple[int, int], ...]:
    """Return a bid side that shows so many shares at our price."""
    return ((99_900, shares), (99_800, 900))


def test_trade_through_the_price_fills_whatever_was_ahead(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Nobody sells lower while a better bid stands; no more than traded comes to us."""
    exchange.submit(300, 99_900)
    exchange.tick(quote(bids(5_000), ASKS))

    report = exchange.tick(quote(((99_800, 900),), ASKS, last_e4=99_800, volume_shares=200))

    assert trades(report) == [(99_900, 200)]


@pytest.mark.parametrize(
    ("rule", "filled_shares"),
    [(QueueCancels.BEHIND, 100), (QueueCancels.PROPORTIONAL, 200)],
)
def test_cancels_in_the_display_move_an_order_by_the_rule(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    quote: "type[Quote]",
    rule: QueueCancels,
    filled_shares: int,
) -> None:
    """Of 1,000 ahead 600 come behind us; then 800 of the 1,600 are cancelled, none traded.

    Behind us only 600 can be, so at least 200 were ahead: 800 are left. In proportion 500 are.
    """
    exchange = exchange_of(queue_cancels=rule)
    exchange.open(reference())
    exchange.submit(300, 99_900)
    exchange.tick(quote(bids(1_000), ASKS))
    exchange.tick(quote(bids(1_600), ASKS))
    exchange.tick(quote(bids(800), ASKS))

    report = exchange.tick(quote(bids(800), ASKS, last_e4=99_900, volume_shares=_volume(rule)))

    assert trades(report) == [(99_900, filled_shares)]


def _volume(rule: QueueCancels) -> int:
    return 900 if rule is QueueCancels.BEHIND else 700


@pytest.mark.parametrize("rule", QueueCancels)
def test_volume_at_the_price_is_no_cancel(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    quote: "type[Quote]",
    rule: QueueCancels,
) -> None:
    """A display that shrank by what traded has lost nobody else."""
    exchange = exchange_of(queue_cancels=rule)
    exchange.open(reference())
    exchange.submit(300, 99_900)
    exchange.tick(quote(bids(1_000), ASKS))
    exchange.tick(quote(bids(600), ASKS, last_e4=99_900, volume_shares=400))

    report = exchange.tick(quote(bids(100), ASKS, last_e4=99_900, volume_shares=1_050))

    assert trades(report) == [(99_900, 50)]


def test_display_that_vanished_leaves_nobody_ahead(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Who is ahead of us is on display."""
    exchange.submit(300, 99_900)
    exchange.tick(quote(bids(1_000), ASKS))
    exchange.tick(quote(((99_800, 900),), ASKS))

    report = exchange.tick(quote(bids(50), ASKS, last_e4=99_900, volume_shares=70))

    assert trades(report) == [(99_900, 70)]


def test_order_out_of_sight_keeps_its_place(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    quote: "type[Quote]",
) -> None:
    """Beyond five levels nobody cancels as far as we can tell."""
    exchange = exchange_of(queue_cancels=QueueCancels.PROPORTIONAL)
    exchange.open(reference())
    exchange.submit(300, 99_900)
    exchange.tick(quote(bids(1_000), ASKS))
    hiding = tuple((100_000 + 100 * level, 100) for level in range(5, 0, -1))
    exchange.tick(quote(hiding, ((100_600, 100),)))
    exchange.tick(quote(bids(1_000), ASKS))

    report = exchange.tick(quote(bids(1_000), ASKS, last_e4=99_900, volume_shares=1_100))

    assert trades(report) == [(99_900, 100)]
