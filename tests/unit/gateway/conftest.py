"""The gateway's desk, for every test of its routes."""

from collections.abc import AsyncIterator

import pytest
from tests.unit.gateway.desk import (
    Desk,
    FakeNow,
    FakePublisher,
    FakeRecommendations,
    FakeThen,
    client_of,
)

from tidegate_gateway.resources import Resources


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """Serve a gateway on fakes."""
    publisher, now, then = FakePublisher(), FakeNow(), FakeThen()
    recommendations = FakeRecommendations()
    resources = Resources(
        publisher=publisher,
        now=now,
        recommendations=recommendations,
        then=then,
        risk_partition_count=4,
    )
    async with client_of(resources) as client:
        yield Desk(client, publisher, now, recommendations, then)
