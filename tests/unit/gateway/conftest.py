"""The gateway's desk, for every test of its routes."""

from collections.abc import AsyncIterator

import pytest
from tests.unit.gateway.desk import (
    Desk,
    FakeLineages,
    FakeNow,
    FakePublisher,
    FakeQuotes,
    FakeRecommendations,
    FakeThen,
    client_of,
)

from tidegate_gateway.quotes import QuoteBoard
from tidegate_gateway.resources import Resources


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """Serve a gateway on fakes."""
    publisher, now, then = FakePublisher(), FakeNow(), FakeThen()
    recommendations = FakeRecommendations()
    quotes, lineages = FakeQuotes(), FakeLineages()
    resources = Resources(
        publisher=publisher,
        now=now,
        recommendations=recommendations,
        then=then,
        # What is fetched is old at once.
        quotes=QuoteBoard(quotes, fresh_seconds=0),
        lineages=lineages,
        risk_partition_count=4,
    )
    async with client_of(resources) as client:
        yield Desk(client, publisher, now, recommendations, then, quotes, lineages)
