"""Commands that are longer than a beat on their way."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import BeatKind, OrderReason, OrderStatus
from tidegate_execution.engine import ExecutionEngine

if TYPE_CHECKING:
    from tests.unit.execution.conftest import Exchange, Quote, Reference

    from tidegate_execution.engine import ExecutionReport

BIDS = ((99_900, 500),)
ASKS = ((100_100, 300),)


def states(report: "ExecutionReport") -> list[tuple[OrderStatus, OrderReason]]:
    """Return state and reason of each update."""
    return [(update.status, update.reason) for update in report.updates]


def test_commands_with_latency_arrive_so_many_beats_later(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    quote: "type[Quote]",
) -> None:
    """On its way an order says nothing, and its cancel cannot overtake it."""
    exchange = exchange_of(latency_beats=2)
    exchange.open(reference())
    order = exchange.submit(100, 99_000)
    exchange.cancel(order)
    exchange.submit(100, 100_100)

    silent = [exchange.tick(quote(BIDS, ASKS)), exchange.tick(quote(BIDS, ASKS))]
    report = exchange.tick(quote(BIDS, ASKS))

    assert [states(each) for each in silent] == [[], []]
    assert states(report) == [
        (OrderStatus.CANCELED, OrderReason.REQUESTED),
        (OrderStatus.FILLED, OrderReason.NONE),
    ]


@pytest.mark.parametrize("kind", [BeatKind.CLOSE, BeatKind.OPEN])
def test_order_on_its_way_when_the_day_ends_is_rejected(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    quote: "type[Quote]",
    kind: BeatKind,
) -> None:
    """A day order does not come on the next day, with or without a CLOSE beat."""
    exchange = exchange_of(latency_beats=2)
    exchange.open(reference())
    order = exchange.submit(100, 100_100)
    exchange.cancel(order)
    exchange.tick(quote(BIDS, ASKS))

    ended = exchange.close() if kind is BeatKind.CLOSE else exchange.open(reference())
    later = [exchange.tick(quote(BIDS, ASKS)) for _ in range(3)]

    assert states(ended) == [(OrderStatus.REJECTED, OrderReason.DAY_ENDED)]
    assert [states(report) for report in later] == [[], [], []]


def test_engine_restored_with_commands_on_their_way_takes_them(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    quote: "type[Quote]",
) -> None:
    """What is on its way is part of the memory, and so is the last quote."""
    exchange = exchange_of(latency_beats=1)
    exchange.open(reference())
    order = exchange.submit(100, 99_900)
    exchange.tick(quote(BIDS, ASKS))
    exchange.tick(quote(BIDS, ASKS))
    exchange.cancel(order)
    exchange.submit(100, 100_100)
    exchange.tick(quote(BIDS, ASKS, volume_shares=100))
    state = exchange.engine.snapshot()
    twin = ExecutionEngine(exchange.spec)
    twin.restore(
        replace(state, values=decode_event(dict[str, object], encode_event(state.values))),
    )
    exchange.engine = twin

    report = exchange.tick(quote(BIDS, ASKS, last_e4=99_900, volume_shares=900))

    assert states(report) == [
        (OrderStatus.CANCELED, OrderReason.REQUESTED),
        (OrderStatus.FILLED, OrderReason.NONE),
    ]
