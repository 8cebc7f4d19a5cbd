"""The gate itself, without an application behind it."""

from dataclasses import replace

import pytest
from starlette.requests import HTTPConnection
from tests.unit.gateway.guarded import CALLERS, REMOTE, FakeKeys

from tidegate_common.clock import ManualClock
from tidegate_gateway.problems import ProblemError
from tidegate_gateway.security import Role, Security
from tidegate_gateway.security.gate import rate_headers
from tidegate_gateway.security.limiter import LocalLimiter, Rate, Taken


def connection(peer: str = REMOTE, method: str = "GET", **headers: str) -> HTTPConnection:
    """Return a request; underscores in names of headers are dashes."""
    said = {"host": "127.0.0.1"} | {name.replace("_", "-"): text for name, text in headers.items()}
    return HTTPConnection(
        {
            "type": "http",
            "method": method,
            "client": (peer, 50_000),
            "headers": [(name.encode(), text.encode()) for name, text in said.items()],
        },
    )


async def status_of(security: Security, asked: HTTPConnection) -> int:
    """Return 200, or the status of the refusal."""
    try:
        await security.admit(asked, Role.READ)
    except ProblemError as refusal:
        return refusal.status
    return 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_gate_takes_the_scheme_in_any_case(scheme: str) -> None:
    """So says RFC 9110."""
    asked = connection(authorization=f"{scheme} reader")

    assert await Security(keys=FakeKeys()).admit(asked, Role.READ) == CALLERS["reader"]


async def test_gate_slows_down_the_address_that_fails_alone() -> None:
    """The others have done nothing."""
    failures = LocalLimiter(Rate(per_second=1, burst=1), ManualClock())
    security = Security(keys=FakeKeys(), failures=failures)

    statuses = [
        await status_of(security, connection(peer)) for peer in (REMOTE, REMOTE, "192.0.2.8")
    ]

    assert statuses == [401, 429, 401]


@pytest.mark.parametrize(
    "name", ["forwarded", "x_forwarded_for", "x_forwarded_host", "x_real_ip", "via"]
)
async def test_gate_without_keys_refuses_what_was_forwarded(name: str) -> None:
    """A proxy on this machine makes every caller local."""
    local = connection("127.0.0.1")
    forwarded = connection("127.0.0.1", **{name: "127.0.0.1"})

    statuses = [await status_of(Security(), one) for one in (local, forwarded)]

    assert statuses == [200, 403]


@pytest.mark.parametrize(
    ("method", "origin", "status"),
    [
        ("POST", "http://127.0.0.1:8000", 200),
        ("POST", "http://127.0.0.1:3000", 403),
        ("POST", "http://127.0.0.1", 403),
        ("POST", "https://desk.example", 200),
        ("POST", "https://desk.example:444", 403),
        ("GET", "http://127.0.0.1:3000", 200),
    ],
)
async def test_gate_origin_counts_with_its_port(method: str, origin: str, status: int) -> None:
    """Another program of the same machine is another origin."""
    security = Security(keys=FakeKeys(), origins=("https://desk.example",))
    asked = connection(
        method=method, host="127.0.0.1:8000", origin=origin, authorization="Bearer reader"
    )

    assert await status_of(security, asked) == status


def test_rate_headers_tell_whole_seconds_rounded_up() -> None:
    """Who waits as long as they say is not too early."""
    limiter = LocalLimiter(Rate(per_second=2, burst=3), ManualClock())
    taken = Taken(is_allowed=True, remaining=2)

    allowed = rate_headers(limiter, taken)
    refused = rate_headers(limiter, replace(taken, is_allowed=False, remaining=0, retry_seconds=1))

    assert allowed == {"RateLimit-Policy": '"default";q=3;w=2', "RateLimit": '"default";r=2;t=0'}
    assert (refused["RateLimit"], refused["Retry-After"]) == ('"default";r=0;t=1', "1")
