"""Around every request: sizes, headers, the audit and the log."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import structlog
from fastapi import APIRouter, Depends, WebSocket
from starlette.testclient import TestClient, WebSocketDenialResponse
from structlog.testing import capture_logs
from tests.unit.gateway.desk import FakeThen, assert_problem, client_of, make_resources
from tests.unit.gateway.guarded import CALLERS, REMOTE, FakeKeys, guarded, key_of

from tidegate_gateway.app import create_app
from tidegate_gateway.schemas.base import Page
from tidegate_gateway.schemas.runs import RunView
from tidegate_gateway.security import Caller, Role, Security, require
from tidegate_gateway.security.guard import AUDIT_BODY_CHARACTERS_MAX, BODY_BYTES_MAX
from tidegate_gateway.security.limiter import Rate

HALT = {"command": "halt", "account_id": "A1"}


@pytest.fixture(autouse=True)
def _logging() -> None:
    structlog.reset_defaults()


async def chunks(size: int) -> AsyncIterator[bytes]:
    """Yield so many bytes, and never say how many."""
    yield b'{"x": "'
    for _ in range(size // 1_000):
        yield b"a" * 1_000


async def test_body_that_says_it_is_too_large_is_413_unread() -> None:
    """Nobody is asked to send it."""
    async with guarded() as gateway:
        response = await gateway.client.post(
            "/v1/kill-switch",
            content=b" " * (BODY_BYTES_MAX + 1),
            headers=key_of("trader"),
        )
        audits = gateway.publisher.audits

    assert str(BODY_BYTES_MAX) in assert_problem(response, 413)
    assert audits == []


async def test_body_in_chunks_that_is_too_large_is_413() -> None:
    """It is counted as it comes."""
    async with guarded() as gateway:
        response = await gateway.client.post(
            "/v1/kill-switch",
            content=chunks(BODY_BYTES_MAX + 1_000),
            headers=key_of("trader"),
        )

    assert str(BODY_BYTES_MAX) in assert_problem(response, 413)


async def test_body_of_the_largest_size_is_taken() -> None:
    """The limit itself is allowed."""
    body = json.dumps(HALT).encode()
    async with guarded() as gateway:
        response = await gateway.client.post(
            "/v1/kill-switch",
            content=body + b" " * (BODY_BYTES_MAX - len(body)),
            headers=key_of("trader", content_type="application/json"),
        )

    assert response.status_code == 202


async def test_headers_that_are_too_large_are_431() -> None:
    """Before anybody looks at them."""
    async with guarded() as gateway:
        response = await gateway.client.get("/livez", headers={"X-Long": "a" * 20_000})

    assert "16384" in assert_problem(response, 431)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/portfolios", 200), ("/v1/nothing", 404), ("/v1/runs", 500), ("/docs", 200)],
)
async def test_every_answer_has_security_headers(path: str, status: int) -> None:
    """Also a fault's."""

    class BrokenThen(FakeThen):
        async def runs(self, *, after: str | None, limit: int) -> Page[RunView]:
            message = "broken"
            raise RuntimeError(message)

    async with client_of(make_resources(BrokenThen())) as client:
        response = await client.get(path)

    assert response.status_code == status
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert ("script-src" in response.headers["content-security-policy"]) is (path == "/docs")
    assert response.headers.get("cache-control") == (None if path == "/docs" else "no-store")
    assert "strict-transport-security" not in response.headers


async def test_answer_over_tls_asks_for_tls_from_now_on() -> None:
    """Only there: over plain HTTP the header means nothing."""
    async with client_of(make_resources()) as client:
        response = await client.get("https://127.0.0.1/livez")

    assert response.headers["strict-transport-security"].startswith("max-age=")


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("trader", HALT, 202),
        ("reader", HALT, 403),
        ("trader", {"command": "explode"}, 422),
    ],
)
async def test_write_is_audited_with_who_what_and_outcome(
    name: str,
    body: dict[str, object],
    status: int,
) -> None:
    """Also one that was refused."""
    async with guarded() as gateway:
        await gateway.client.post("/v1/kill-switch", json=body, headers=key_of(name))
        (record,) = gateway.publisher.audits
        now_ns = gateway.clock.now_ns()

    assert (record.caller, record.role, record.status) == (name, CALLERS[name].role, status)
    assert (record.method, record.path) == ("POST", "/v1/kill-switch")
    assert (record.peer, record.request_id, record.ts_ns) == (REMOTE, "request-1", now_ns)
    assert record.key_id
    assert len(record.audit_id) == 32


async def test_write_body_is_audited_as_one_short_line() -> None:
    """What PostgreSQL cannot keep is replaced, what is long is cut off."""
    texts = [b'{ "a":\n 1 }', b"\xff\0", b'{"a": "' + b"x" * 10_000 + b'"}']
    async with guarded() as gateway:
        for text in texts:
            await gateway.client.post("/v1/kill-switch", content=text, headers=key_of("trader"))
        bodies = [record.body for record in gateway.publisher.audits]

    assert bodies[:2] == ['{"a":1}', "\N{REPLACEMENT CHARACTER}" * 2]
    assert len(bodies[2]) == AUDIT_BODY_CHARACTERS_MAX


async def test_reads_strangers_and_too_many_requests_are_not_audited() -> None:
    """The log has them; the topic is for what known callers wanted changed."""
    async with guarded(rate=Rate(per_second=1, burst=1)) as gateway:
        await gateway.client.get("/v1/portfolios", headers=key_of("reader"))
        await gateway.client.post("/v1/kill-switch", json=HALT)
        for _ in range(2):
            await gateway.client.post("/v1/kill-switch", json=HALT, headers=key_of("trader"))
        audits = gateway.publisher.audits

    assert [one.status for one in audits] == [202]


async def test_write_that_cannot_be_audited_is_not_confirmed() -> None:
    """202 says that it is written down; sent again with the same key it is the same request."""
    async with guarded() as gateway:
        publisher = gateway.publisher
        publisher.is_audit_away = True
        response = await gateway.client.post("/v1/kill-switch", json=HALT, headers=key_of("trader"))
        publisher.is_audit_away = False
        again = await gateway.client.post("/v1/kill-switch", json=HALT, headers=key_of("trader"))

    assert "written down" in assert_problem(response, 503)
    assert response.headers["x-content-type-options"] == "nosniff"
    assert again.status_code == 202
    assert len({message.value for message in publisher.messages}) == 1


async def test_refusal_that_cannot_be_audited_is_answered_all_the_same() -> None:
    """It changed nothing."""
    async with guarded() as gateway:
        gateway.publisher.is_audit_away = True
        response = await gateway.client.post("/v1/kill-switch", json=HALT, headers=key_of("reader"))

    assert_problem(response, 403)


async def test_log_has_no_key_and_no_query() -> None:
    """Logs go where keys must not."""
    headers = {"Authorization": "Bearer tg_0123456789ab_secret"}
    with capture_logs() as lines:
        async with guarded() as gateway:
            await gateway.client.post("/v1/kill-switch?key=hush", json=HALT, headers=headers)
            await gateway.client.post(
                "/v1/kill-switch?key=hush", json=HALT, headers=key_of("admin")
            )

    refused, done = [line for line in lines if line["event"] == "request_answered"]
    assert (refused["status"], refused["caller"], refused["path"]) == (401, "", "/v1/kill-switch")
    assert (done["status"], done["caller"], done["peer"]) == (202, "admin", REMOTE)
    assert "secret" not in str(lines)
    assert "hush" not in str(lines)
    assert "Bearer" not in str(lines)


async def test_reads_that_went_well_are_for_debugging_only() -> None:
    """A thousand lines a second say nothing."""
    with capture_logs() as lines:
        async with guarded() as gateway:
            await gateway.client.get("/v1/portfolios", headers=key_of("reader"))
            await gateway.client.get("/v1/nothing", headers=key_of("reader"))

    levels = [line["log_level"] for line in lines if line["event"] == "request_answered"]
    assert levels == ["debug", "info"]


def websocket_client(security: Security) -> TestClient:
    """Return a client of an app with a WebSocket beside the gateway's routes."""
    router = APIRouter()

    @router.websocket("/v1/echo")
    async def echo(websocket: WebSocket) -> None:
        caller: Caller = websocket.state.caller
        offered = websocket.scope["subprotocols"]
        await websocket.accept("tidegate.v1" if "tidegate.v1" in offered else None)
        await websocket.send_text(caller.name)
        await websocket.close()

    app = create_app(replace(make_resources(), security=security))
    app.include_router(router, dependencies=[Depends(require(Role.READ))])
    return TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50_000))


@pytest.mark.parametrize(
    ("headers", "protocols"),
    [
        ({"Authorization": "Bearer reader"}, []),
        ({}, ["tidegate.v1", "tidegate.key.reader"]),
        ({"Origin": "http://127.0.0.1"}, ["tidegate.v1", "tidegate.key.reader"]),
    ],
)
def test_websocket_with_a_key_is_opened(headers: dict[str, str], protocols: list[str]) -> None:
    """Browsers cannot set headers, so a protocol may name the key; it is not answered."""
    client = websocket_client(Security(keys=FakeKeys()))

    with client.websocket_connect(
        "ws://127.0.0.1/v1/echo", protocols, headers=headers
    ) as websocket:
        found = websocket.receive_text()

    assert found == "reader"
    assert websocket.accepted_subprotocol == ("tidegate.v1" if protocols else None)


def test_websocket_without_keys_from_this_machine_is_opened() -> None:
    """As every other read."""
    client = websocket_client(Security())

    with client.websocket_connect("ws://127.0.0.1/v1/echo") as websocket:
        found = websocket.receive_text()

    assert found == "local"


@pytest.mark.parametrize(
    ("security", "headers", "status"),
    [
        (Security(keys=FakeKeys()), {}, 401),
        (Security(keys=FakeKeys()), {"Authorization": "Bearer x"}, 401),
        (
            Security(keys=FakeKeys()),
            {"Authorization": "Bearer reader", "Origin": "http://evil.example"},
            403,
        ),
        (Security(), {"Origin": "http://evil.example"}, 403),
        (Security(), {"X-Forwarded-For": "127.0.0.1"}, 403),
    ],
)
def test_websocket_that_is_refused_gets_the_problem(
    security: Security,
    headers: dict[str, str],
    status: int,
) -> None:
    """Without keys, too: a page of another origin could read along."""
    client = websocket_client(security)

    with (
        pytest.raises(WebSocketDenialResponse) as caught,
        client.websocket_connect("ws://127.0.0.1/v1/echo", headers=headers),
    ):
        pass

    assert caught.value.status_code == status
    assert caught.value.json()["status"] == status
