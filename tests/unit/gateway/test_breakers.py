"""What the gateway shows of the servers that it leaves alone."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import pytest

from tidegate_common.errors import TransientError
from tidegate_common.runtime.service import Service
from tidegate_common.store.stamped import FAILURES_MAX
from tidegate_gateway.__main__ import NAME, _open, _resources
from tidegate_gateway.archive import FramePlace
from tidegate_gateway.lineage import Lineages
from tidegate_gateway.resources import Resources
from tidegate_gateway.schemas.lineage import FrameSource
from tidegate_gateway.settings import GatewaySettings
from tidegate_gateway.streams.hub import StreamHub
from tidegate_gateway.streams.log import Topology

NOWHERE = {
    "redis": {"url": "redis://127.0.0.1:1/0"},
    "postgres": {"url": "postgresql://127.0.0.1:1/tidegate"},
    "kafka": {"bootstrap_servers": "127.0.0.1:1"},
    # A connection that is refused takes less.
    "read_timeout_seconds": 0.5,
}


@dataclass
class Lonely:
    """A gateway all of whose servers are away."""

    service: Service[GatewaySettings]
    resources: Resources

    def left_alone(self, server: str) -> float | None:
        """Return what the metrics say of a server."""
        labels = {"stage": NAME, "server": server}
        registry = self.service.metrics.registry
        return registry.get_sample_value("tidegate_stage_breaker_open", labels)


@pytest.fixture
async def lonely() -> AsyncIterator[Lonely]:
    """Put a gateway together as the program does."""
    service = Service(NAME, GatewaySettings.model_validate(NOWHERE))
    async with AsyncExitStack() as stack:
        servers = await _open(service.settings, stack)
        streams = StreamHub(servers.bus, Topology())
        yield Lonely(service, _resources(service, servers, streams))


async def ask_limiter(resources: Resources) -> None:
    """Count a request of a key."""
    assert resources.security.limiter
    await resources.security.limiter.take("a")


async def ask_failures(resources: Resources) -> None:
    """Count a request without a good key."""
    assert resources.security.failures
    await resources.security.failures.take("a")


async def ask_log(resources: Resources) -> None:
    """Look for a frame of the day."""
    assert isinstance(resources.lineages, Lineages)
    log = resources.lineages._frames[FrameSource.LOG]
    assert log
    await log.row(FramePlace(run_id="run-1", trade_date=20230201, beat=1, instrument=1))


@pytest.mark.parametrize(
    ("server", "ask"),
    [
        ("redis", ask_limiter),
        ("redis", ask_failures),
        ("redis", lambda resources: resources.memory.begin("a", "b")),
        ("redis", lambda resources: resources.now.ping()),
        ("redis", lambda resources: resources.recommendations.get()),
        ("redis", lambda resources: resources.quotes.newest()),
        ("postgres", lambda resources: resources.then.ping()),
        ("kafka", ask_log),
    ],
)
async def test_server_that_failed_in_a_row_is_shown_as_left_alone(
    lonely: Lonely,
    server: str,
    ask: Callable[[Resources], Awaitable[object]],
) -> None:
    """Whoever found it so, and no other server."""
    before = lonely.left_alone(server)
    for _ in range(FAILURES_MAX):
        with suppress(TransientError):
            await ask(lonely.resources)

    shown = {name: lonely.left_alone(name) for name in ("redis", "postgres", "kafka")}

    assert before == 0
    assert shown == {name: float(name == server) for name in shown}
