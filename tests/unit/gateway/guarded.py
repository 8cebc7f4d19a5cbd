"""A gateway that asks for keys, on fakes of its servers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx
from tests.unit.gateway.desk import FakePublisher, client_of, make_resources

from tidegate_common.clock import ManualClock
from tidegate_common.errors import TransientError
from tidegate_gateway.resources import Resources
from tidegate_gateway.security import Caller, Role, Security
from tidegate_gateway.security.limiter import LocalLimiter, Rate

REMOTE = "192.0.2.7"
CALLERS = {
    "reader": Caller("reader", Role.READ, "k1"),
    "trader": Caller("trader", Role.TRADE, "k2"),
    "trader-a1": Caller("trader-a1", Role.TRADE, "k3", frozenset({"A1"})),
    "admin": Caller("admin", Role.ADMIN, "k4"),
    "admin-a1": Caller("admin-a1", Role.ADMIN, "k5", frozenset({"A1"})),
}


class FakeKeys:
    """Knows callers whose key is their name, until it is revoked or they are not to be had."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()
        self.is_away = False

    def find(self, text: str) -> Caller | None:
        return CALLERS.get(text)

    def is_good(self, caller: Caller) -> bool:
        if self.is_away:
            message = "expected the API keys, found: no answer"
            raise TransientError(message)
        return caller.name not in self.revoked


@dataclass
class Guarded:
    """A client of a gateway that asks for keys, and what is behind it."""

    client: httpx.AsyncClient
    publisher: FakePublisher
    clock: ManualClock


@asynccontextmanager
async def guarded(
    *,
    rate: Rate | None = None,
    origins: tuple[str, ...] = (),
    resources: Resources | None = None,
    host: str = REMOTE,
) -> AsyncIterator[Guarded]:
    """Serve a gateway with the keys of `CALLERS`."""
    clock = ManualClock(1_700_000_000 * 10**9)
    given = resources or make_resources()
    security = Security(
        keys=FakeKeys(),
        limiter=LocalLimiter(rate or Rate(100, 100), clock),
        failures=LocalLimiter(Rate(1, 2), clock),
        origins=origins,
    )
    given = replace(given, security=security, clock=clock)
    assert isinstance(given.publisher, FakePublisher)
    async with client_of(given, host) as client:
        yield Guarded(client, given.publisher, clock)


def key_of(name: str, **headers: str) -> dict[str, str]:
    """Return the headers of a caller; underscores in names are dashes."""
    others = {header.replace("_", "-"): value for header, value in headers.items()}
    return {"Authorization": f"Bearer {name}", "Idempotency-Key": "request-1"} | others
