"""Who is let in: keys, roles, accounts, rates, origins, and this machine alone without keys."""

import asyncio
from dataclasses import replace

import pytest
from tests.unit.gateway.desk import assert_problem, client_of, make_resources
from tests.unit.gateway.guarded import REMOTE, guarded, key_of

from tidegate_common.clock import ManualClock
from tidegate_common.errors import ConfigError, TidegateError, TransientError
from tidegate_gateway.security import Caller, Role
from tidegate_gateway.security.keys import (
    REFRESH_SECONDS,
    STALE_SECONDS_MAX,
    KeyRing,
    StoredKey,
    make_key,
)
from tidegate_gateway.security.limiter import LocalLimiter, Rate

HALT_A1 = {"command": "halt", "account_id": "A1"}
HALT_ALL = {"command": "halt", "account_id": None}
RESUME_A1 = {"command": "resume", "account_id": "A1"}


class FakeTable:
    """Holds keys, or is away."""

    def __init__(self, *keys: StoredKey) -> None:
        self.keys = list(keys)
        self.is_away = False
        self.error: type[TidegateError] = TransientError

    async def load(self) -> list[StoredKey]:
        if self.is_away:
            message = "away"
            raise self.error(message)
        return self.keys


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "Authorization: Bearer"),
        ({"Authorization": "Bearer nobody"}, "not known, has expired or was revoked"),
        ({"Authorization": "Basic reader"}, "Authorization: Bearer"),
        ({"Sec-WebSocket-Protocol": "tidegate.key.reader"}, "Authorization: Bearer"),
    ],
)
async def test_request_without_a_good_key_is_401_with_a_challenge(
    headers: dict[str, str],
    text: str,
) -> None:
    """Nothing is told to nobody, and a client learns what is asked for."""
    async with guarded() as gateway:
        response = await gateway.client.get("/v1/portfolios", headers=headers)

    assert text in assert_problem(response, 401)
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("name", ["reader", "trader", "admin"])
async def test_read_with_any_key_is_answered_from_any_machine(name: str) -> None:
    """Every role may read."""
    async with guarded() as gateway:
        response = await gateway.client.get("/v1/portfolios", headers=key_of(name))

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("reader", HALT_A1, 403),
        ("trader", HALT_A1, 202),
        ("trader", HALT_ALL, 202),
        ("trader", RESUME_A1, 403),
        ("admin", RESUME_A1, 202),
        ("trader-a1", HALT_A1, 202),
        ("trader-a1", HALT_ALL, 403),
        ("trader-a1", {"command": "halt", "account_id": "A2"}, 403),
        ("admin-a1", RESUME_A1, 202),
        ("admin-a1", {"command": "resume", "account_id": None}, 403),
    ],
)
async def test_kill_switch_asks_for_role_and_account(
    name: str,
    body: dict[str, object],
    status: int,
) -> None:
    """Who trades may stop; who lifts a stop is an admin; a key for A1 is for A1."""
    async with guarded() as gateway:
        response = await gateway.client.post("/v1/kill-switch", json=body, headers=key_of(name))
        published = gateway.publisher.messages

    assert response.status_code == status
    assert bool(published) is (status == 202)


async def test_limits_with_a_trading_key_are_403() -> None:
    """A limit is not the trader's own to lift."""
    async with guarded() as gateway:
        response = await gateway.client.put(
            "/v1/accounts/A1/limits",
            json={
                "position_bps_max": 1,
                "daily_loss_bps_max": 1,
                "drawdown_bps_max": 1,
                "sector_bps_max": 1,
                "leverage_bps_max": 1,
                "stale_beats_max": 1,
                "adv_bps_max": 1,
            },
            headers=key_of("trader"),
        )

    assert "role admin" in assert_problem(response, 403)


async def test_rate_of_a_key_is_held_and_told() -> None:
    """A client that reads its headers never sees a 429."""
    async with guarded(rate=Rate(per_second=2, burst=2)) as gateway:
        first = await gateway.client.get("/v1/portfolios", headers=key_of("reader"))
        second = await gateway.client.get("/v1/portfolios", headers=key_of("reader"))
        third = await gateway.client.get("/v1/portfolios", headers=key_of("reader"))
        other = await gateway.client.get("/v1/portfolios", headers=key_of("trader"))
        gateway.clock.advance(0.5)
        later = await gateway.client.get("/v1/portfolios", headers=key_of("reader"))

    assert [one.status_code for one in (first, second, other, later)] == [200] * 4
    assert first.headers["ratelimit"] == '"default";r=1;t=0'
    assert first.headers["ratelimit-policy"] == '"default";q=2;w=1'
    assert "too many requests" in assert_problem(third, 429)
    assert third.headers["retry-after"] == "1"
    assert third.headers["ratelimit"] == '"default";r=0;t=1'


async def test_failures_of_an_address_are_slowed_down_but_good_keys_are_not() -> None:
    """Somebody else behind the same address still gets in."""
    async with guarded() as gateway:
        statuses = [(await gateway.client.get("/v1/portfolios")).status_code for _ in range(3)]
        good = await gateway.client.get("/v1/portfolios", headers=key_of("reader"))

    assert statuses == [401, 401, 429]
    assert good.status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1", 202),
        ("https://desk.example", 202),
    ],
)
async def test_write_of_another_origin_is_403_unless_listed(origin: str, status: int) -> None:
    """A page that somebody looks at may not trade for him."""
    async with guarded(origins=("https://desk.example",)) as gateway:
        response = await gateway.client.post(
            "/v1/kill-switch",
            json=HALT_A1,
            headers=key_of("trader", origin=origin),
        )

    assert response.status_code == status


async def test_cors_answers_listed_origins_only() -> None:
    """The browser asks before it sends a key."""
    ask = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,idempotency-key",
    }
    async with guarded(origins=("https://desk.example",)) as gateway:
        listed = await gateway.client.options(
            "/v1/orders", headers=ask | {"Origin": "https://desk.example"}
        )
        other = await gateway.client.options(
            "/v1/orders", headers=ask | {"Origin": "http://evil.example"}
        )

    assert listed.status_code == 200
    assert listed.headers["access-control-allow-origin"] == "https://desk.example"
    assert other.status_code == 400
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(
    ("host", "headers"),
    [
        (REMOTE, {}),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}),
        ("127.0.0.1", {"Via": "1.1 proxy"}),
        ("127.0.0.1", {"Host": "rebound.example"}),
        ("127.0.0.1", {"Host": "[::2]:8000"}),
    ],
)
@pytest.mark.parametrize("path", ["/v1/portfolios", "/v1/requests/q1"])
async def test_request_without_keys_from_elsewhere_is_403(
    host: str,
    headers: dict[str, str],
    path: str,
) -> None:
    """Also one that a proxy forwards, or a page whose name leads here."""
    async with client_of(make_resources(), host) as client:
        response = await client.get(path, headers=headers)

    assert "this machine only" in assert_problem(response, 403)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
async def test_request_without_keys_from_this_machine_is_answered(host: str) -> None:
    """That is what AUTH=off is for."""
    async with client_of(make_resources(), "::1") as client:
        response = await client.get("/v1/portfolios", headers={"Host": host})

    assert response.status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/docs", "/openapi.json", "/metrics"])
async def test_open_paths_ask_for_no_key(path: str) -> None:
    """Probes and the document have none."""
    async with guarded() as gateway:
        response = await gateway.client.get(path)

    assert response.status_code == 200


async def test_openapi_names_the_key_on_every_route_of_v1() -> None:
    """A route that forgot to ask would be open."""
    async with guarded() as gateway:
        document = (await gateway.client.get("/openapi.json")).json()

    routes = [
        (path, route)
        for path, methods in document["paths"].items()
        if path.startswith("/v1")
        for route in methods.values()
    ]
    assert len(routes) > 10
    assert all(route["security"] == [{"ApiKey": []}] for _, route in routes)
    assert document["components"]["securitySchemes"]["ApiKey"]["scheme"] == "bearer"


async def test_key_ring_knows_the_whole_key_only() -> None:
    """Its public part opens nothing."""
    text, key = make_key("desk", Role.TRADE, ["A1"], now_ns=0)
    ring = KeyRing(FakeTable(key).load, ManualClock())
    await ring.refresh()

    caller = ring.find(text)

    assert caller == Caller("desk", Role.TRADE, text.split("_")[1], frozenset({"A1"}))
    wrong = text[:-1] + ("0" if text[-1] != "0" else "1")
    others = [
        wrong,
        text[:-1],
        text + "0",
        text.upper(),
        "tg_0123456789ab_" + "0" * 64,
        "",
        "\ud800",
    ]
    assert [ring.find(one) for one in others] == [None] * 7
    assert text.encode() not in key.key_sha256
    assert text.rpartition("_")[2] not in repr(key)


async def test_key_ring_expired_key_is_nobodys() -> None:
    """To the nanosecond, without asking anybody."""
    text, key = make_key("desk", Role.READ, [], now_ns=0, expires_ns=10**9)
    clock = ManualClock()
    ring = KeyRing(FakeTable(key).load, clock)
    await ring.refresh()
    clock.advance(0.999_999_999)
    before = ring.find(text)

    assert before is not None
    is_good_before = ring.is_good(before)
    clock.advance(0.000_000_001)

    assert ring.find(text) is None
    assert (is_good_before, ring.is_good(before)) == (True, False)


async def test_key_ring_revoked_key_is_nobodys_after_the_next_look() -> None:
    """Without a restart."""
    text, key = make_key("desk", Role.READ, [], now_ns=0)
    table = FakeTable(key)
    ring = KeyRing(table.load, ManualClock())
    await ring.refresh()
    table.keys = []
    await ring.refresh()

    assert ring.find(text) is None
    assert not ring.is_good(key.caller)


async def test_key_ring_key_that_says_it_is_revoked_is_nobodys() -> None:
    """Whatever the table was asked for."""
    text, key = make_key("desk", Role.READ, [], now_ns=0)
    ring = KeyRing(FakeTable(replace(key, revoked_ns=1)).load, ManualClock())
    await ring.refresh()

    assert ring.find(text) is None


async def test_key_ring_keys_are_as_old_as_the_question() -> None:
    """What was revoked while the database answered is not in the answer."""
    clock, table = ManualClock(), FakeTable()

    async def load_slowly() -> list[StoredKey]:
        clock.advance(REFRESH_SECONDS)
        return await table.load()

    ring = KeyRing(load_slowly, clock)
    await ring.refresh()
    clock.advance(STALE_SECONDS_MAX - REFRESH_SECONDS)
    at_last = ring.find("tg_")
    clock.advance(REFRESH_SECONDS)

    assert at_last is None
    with pytest.raises(TransientError, match="API keys"):
        ring.find("tg_")


@pytest.mark.parametrize("error", [TransientError, ConfigError])
async def test_key_ring_database_away_keeps_its_keys_for_a_while(
    error: type[TidegateError],
) -> None:
    """A failover of PostgreSQL locks nobody out; a day without it would hide revocations."""
    text, key = make_key("desk", Role.READ, [], now_ns=0)
    clock, table = ManualClock(), FakeTable(key)
    table.error = error
    ring = KeyRing(table.load, clock)
    await ring.refresh()
    table.is_away = True
    clock.advance(STALE_SECONDS_MAX)
    await ring.refresh()
    within = ring.find(text)

    clock.advance(REFRESH_SECONDS)

    assert within is not None
    with pytest.raises(TransientError, match="API keys"):
        ring.find(text)
    with pytest.raises(TransientError, match="API keys"):
        ring.is_good(within)


async def test_key_ring_keeps_itself_fresh() -> None:
    """Every two seconds, whether or not the database answers."""
    text, key = make_key("desk", Role.READ, [], now_ns=0)
    table = FakeTable()
    looks: list[bool] = []

    class StepClock(ManualClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            looks.append(ring.find(text) is not None)
            table.is_away = len(looks) == 1
            table.keys = [key]
            if len(looks) == 3:
                raise asyncio.CancelledError

    clock = StepClock()
    ring = KeyRing(table.load, clock)

    with pytest.raises(asyncio.CancelledError):
        await ring.keep_fresh()

    assert looks == [False, False, True]
    assert clock.monotonic_seconds() == 3 * REFRESH_SECONDS


async def test_key_ring_before_its_first_look_says_so() -> None:
    """503 and not 401: the key may be good."""
    ring = KeyRing(FakeTable().load, ManualClock())

    with pytest.raises(TransientError, match="API keys"):
        ring.find("tg_")


async def test_local_limiter_holds_rate_and_burst() -> None:
    """A bucket that fills at the rate and never above the burst."""
    clock = ManualClock()
    limiter = LocalLimiter(Rate(per_second=10, burst=3), clock)

    async def count() -> int:
        return sum([(await limiter.take("a")).is_allowed for _ in range(6)])

    counts = [await count()]
    for seconds in (0.0, 0.1, 0.25, 100.0):
        clock.advance(seconds)
        counts.append(await count())

    assert counts == [3, 0, 1, 2, 3]


async def test_local_limiter_forgets_the_one_that_asked_longest_ago() -> None:
    """Addresses without end do not fill the memory."""
    limiter = LocalLimiter(Rate(per_second=0.001, burst=1), ManualClock())
    for number in range(10_000):
        await limiter.take(f"n{number}")
    is_known = not (await limiter.take("n0")).is_allowed
    await limiter.take("one more")

    forgotten = await limiter.take("n1")

    assert is_known
    assert forgotten.is_allowed
