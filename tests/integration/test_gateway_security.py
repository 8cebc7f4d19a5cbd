"""The gateway's keys, rates, memory and records on real servers."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest
from redis.asyncio import Redis

from tidegate_common.bus.memory import MemoryBus
from tidegate_common.clock import ManualClock
from tidegate_common.codec import encode_event
from tidegate_common.domain.enums import (
    AccountState,
    CauseKind,
    ControlCommand,
    Outcome,
    Reason,
)
from tidegate_common.domain.ids import AccountId, RequestId
from tidegate_common.errors import TransientError
from tidegate_common.events.audit import AuditRecord
from tidegate_common.events.backtests import BacktestJob
from tidegate_common.events.message import Message
from tidegate_common.events.risk import ControlOutcome
from tidegate_common.events.topics import AUDITS
from tidegate_common.store.postgres import Pool, migrate, open_pool
from tidegate_common.store.reads import Reads
from tidegate_common.testing.scripted_run import ScriptedRun, all_topics
from tidegate_gateway.records import Records
from tidegate_gateway.security.callers import LOCAL, Caller, Role
from tidegate_gateway.security.keys import KeyRing, KeyStore, make_key
from tidegate_gateway.security.limiter import LocalLimiter, Rate, RedisLimiter
from tidegate_gateway.security.memory import Known, RedisMemory
from tidegate_gateway.writes import audit_message
from tidegate_recorder.adapters.tables import Tables
from tidegate_recorder.shell import Recorder, RecorderOptions

NOWHERE = "redis://127.0.0.1:1/0"
PATIENT_SECONDS = 30.0
SCRIPT = ScriptedRun()
JOB = BacktestJob(job_id="bt-" + "0" * 20, requested_by="desk", requested_ns=1)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """Connect to Redis."""
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def prefix() -> str:
    """Return what a test's keys begin with."""
    return f"test-{secrets.token_hex(6)}:"


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """Connect to a database with our tables."""
    await migrate(postgres_dsn)
    pool = await open_pool(postgres_dsn, service="test")
    yield pool
    await pool.close()


def limiter(redis: Redis, rate: Rate, prefix: str) -> RedisLimiter:
    """Return a limiter as one gateway has it."""
    clock = ManualClock()
    return patient_limiter(redis, rate, prefix, clock)


def patient_limiter(redis: Redis, rate: Rate, prefix: str, clock: ManualClock) -> RedisLimiter:
    """Return a limiter that waits for a busy machine."""
    return RedisLimiter(
        redis,
        LocalLimiter(rate, clock),
        key_prefix=prefix,
        clock=clock,
        timeout_seconds=PATIENT_SECONDS,
    )


def patient_memory(redis: Redis, prefix: str) -> RedisMemory:
    """Return a memory that waits for a busy machine."""
    return RedisMemory(
        redis,
        key_prefix=prefix,
        seconds=60,
        clock=ManualClock(),
        timeout_seconds=PATIENT_SECONDS,
    )


async def test_limiter_gateways_share_a_keys_rate(redis: Redis, prefix: str) -> None:
    """Two gateways are not twice the rate, and a key is not another one."""
    rate = Rate(per_second=0.001, burst=4)
    one, other = limiter(redis, rate, prefix), limiter(redis, rate, prefix)

    taken = [await (one, other)[i % 2].take("a") for i in range(5)]
    fresh = await one.take("b")

    assert [each.is_allowed for each in taken] == [True] * 4 + [False]
    assert [each.remaining for each in taken] == [3, 2, 1, 0, 0]
    assert 995 < taken[4].retry_seconds <= 1_000
    assert fresh.remaining == 3


async def test_limiter_asks_redis_once_for_a_block(redis: Redis, prefix: str) -> None:
    """A block is a twentieth of the burst; what is not served out in a second is lost."""
    rate = Rate(per_second=0.001, burst=40)
    clock = ManualClock()
    one = patient_limiter(redis, rate, prefix, clock)
    other = limiter(redis, rate, prefix)

    first = await one.take("a")
    beside = await other.take("a")
    second = await one.take("a")
    await one.take("a")
    clock.advance(1)
    late = await one.take("a")

    assert (first.remaining, second.remaining) == (39, 38)
    # Two were granted to the one, two to the other.
    assert beside.remaining == 37
    assert late.remaining == 33


@pytest.mark.parametrize("value", [b"nonsense", None])
async def test_limiter_foreign_value_does_not_lock_anybody_out(
    redis: Redis, prefix: str, value: bytes | None
) -> None:
    """A text is no time; a key of another type is counted here."""
    if value is None:
        await redis.sadd(f"{prefix}a", b"x")
    else:
        await redis.set(f"{prefix}a", value)
    one = limiter(redis, Rate(0.001, 2), prefix)

    allowed = [(await one.take("a")).is_allowed for _ in range(3)]

    assert allowed == [True, True, False]


async def test_limiter_forgets_a_name_when_its_bucket_is_full(redis: Redis, prefix: str) -> None:
    """Keys in Redis do not grow without end."""
    await limiter(redis, Rate(per_second=0.1, burst=2), prefix).take("a")

    assert 0 < await redis.pttl(f"{prefix}a") <= 10_000


async def test_limiter_redis_away_is_held_here(prefix: str) -> None:
    """Neither no limit nor no service."""
    away = Redis.from_url(NOWHERE)
    one = limiter(away, Rate(per_second=0.001, burst=2), prefix)

    allowed = [(await one.take("a")).is_allowed for _ in range(4)]
    await away.aclose()

    assert allowed == [True, True, False, False]


async def test_memory_knows_what_was_published(redis: Redis, prefix: str) -> None:
    """Only that is not sent again."""
    memory = patient_memory(redis, prefix)

    first = await memory.begin("A1:q1", "d1")
    unsure = await memory.begin("A1:q1", "d1")
    await memory.keep("A1:q1", "d1")
    repeated = await memory.begin("A1:q1", "d1")
    other = await memory.begin("A1:q1", "d2")
    still = await memory.begin("A1:q1", "d1")

    assert [first, unsure, repeated, other] == [Known.NEW, Known.NEW, Known.KEPT, Known.OTHER]
    assert still is Known.KEPT
    assert 0 < await redis.ttl(f"{prefix}request:A1:q1") <= 60


async def test_memory_other_request_while_one_is_under_way_is_other(
    redis: Redis, prefix: str
) -> None:
    """Also before the first one is kept."""
    memory = patient_memory(redis, prefix)
    await memory.begin("A1:q1", "d1")

    assert await memory.begin("A1:q1", "d2") is Known.OTHER


async def test_memory_redis_away_knows_nothing(prefix: str) -> None:
    """A kill switch does not wait for a cache; risk drops what comes twice."""
    away = Redis.from_url(NOWHERE)
    memory = patient_memory(away, prefix)

    found = [await memory.begin("A1:q1", digest) for digest in ("d1", "d2", "d1", "d1")]
    await memory.keep("A1:q1", "d1")
    await memory.keep_job(JOB)
    job = await memory.job(JOB.job_id)
    await away.aclose()

    assert found == [Known.NEW] * 4
    assert job is None


async def test_memory_keeps_a_backtest_whole(redis: Redis, prefix: str) -> None:
    """For as long as its name; what is there and is none is as nothing."""
    memory = patient_memory(redis, prefix)

    await memory.keep_job(JOB)
    await redis.set(f"{prefix}job:foreign", b"{}")

    assert await memory.job(JOB.job_id) == JOB
    assert 0 < await redis.ttl(f"{prefix}job:{JOB.job_id}") <= 60
    assert [await memory.job(name) for name in ("foreign", "other")] == [None, None]


async def test_keys_more_than_are_read_the_newest_are_good(pool: Pool) -> None:
    """Who just made a key can use it, however many there were before, or were revoked since."""
    store, clock = KeyStore(pool, keys_max=2), ManualClock(1_000)
    made = [make_key("desk", Role.READ, [], now_ns=now_ns) for now_ns in (900, 902, 901, 903)]
    for _, key in made:
        await store.add(key)
    await store.revoke(made[3][1].caller.key_id, now_ns=904)
    ring = KeyRing(store.live, clock)

    await ring.refresh()

    found = [ring.find(text) for text, _ in made]
    assert found == [None, made[1][1].caller, made[2][1].caller, None]
    assert [key.created_ns for key in await store.all()] == [902, 903]


async def test_keys_are_stored_hashed_and_revoked_without_a_restart(pool: Pool) -> None:
    """What is in the database opens nothing."""
    store, clock = KeyStore(pool), ManualClock(1_000)
    text, key = make_key("desk", Role.TRADE, ["A2", "A1"], now_ns=900, expires_ns=10**15)
    other_text, other = make_key("desk", Role.READ, [], now_ns=901)
    await store.add(key)
    await store.add(other)
    ring = KeyRing(store.live, clock)
    await ring.refresh()

    before = [ring.find(text), ring.find(other_text)]
    is_revoked = await store.revoke(key.caller.key_id, now_ns=1_001)
    is_revoked_again = await store.revoke(key.caller.key_id, now_ns=1_002)
    await ring.refresh()

    assert before == [key.caller, other.caller]
    assert (is_revoked, is_revoked_again) == (True, False)
    assert [ring.find(text), ring.find(other_text)] == [None, other.caller]
    assert await store.all() == [replace(key, revoked_ns=1_001), other]
    dump = str(await pool.fetch("SELECT * FROM api_keys"))
    assert text.rpartition("_")[2] not in dump
    assert await store.revoke("nobody", now_ns=1) is False


async def test_keys_of_a_database_without_tables_are_not_to_be_had(postgres_dsn: str) -> None:
    """The gateway waits for whoever makes them."""
    pool = await open_pool(postgres_dsn, service="test")

    with pytest.raises(TransientError):
        await KeyStore(pool).live()

    await pool.close()


def audit(request_id: str, status: int, path: str, *, ts_ns: int = 5) -> Message:
    """Return the audit of a write."""
    return audit_message(
        AuditRecord(
            audit_id=secrets.token_hex(16),
            ts_ns=ts_ns,
            caller="desk",
            key_id="k1",
            role="trade",
            peer="192.0.2.7",
            method="POST",
            path=path,
            request_id=request_id,
            status=status,
            body="{}",
        )
    )


async def record(dsn: str, messages: list[Message]) -> None:
    """Have the recorder record a run and what the gateway wrote."""
    bus = MemoryBus()
    await bus.create_topics(all_topics())
    await bus.publish([*SCRIPT.messages(), *messages])
    pool = await open_pool(dsn, service="test")
    options = RecorderOptions(batch_seconds_max=0, idle_seconds=0.01)
    recorder = Recorder(bus=bus, tables=Tables(pool, log="main"), options=options)
    await recorder.start()
    while await recorder.step():
        pass
    await recorder.close()
    await pool.close()


async def test_audits_are_recorded_once(pool: Pool, postgres_dsn: str) -> None:
    """A repeat in the log is one row; what is no audit is a dead letter."""
    taken = audit("q1", 202, "/v1/orders")
    bad = Message(AUDITS.name, 0, b"nonsense")

    await record(postgres_dsn, [taken, taken, bad])

    (row,) = await pool.fetch("SELECT caller, status, peer, request_id FROM audits")
    assert tuple(row) == ("desk", 202, "192.0.2.7", "q1")
    assert await pool.fetchval("SELECT topic FROM dead_letters") == AUDITS.name


async def add_decision(pool: Pool, request_id: str) -> None:
    """Add a verdict on a request to the recorded run."""
    decision = SCRIPT.decision("A1", 3, is_accepted=False)
    found = {"sequence": 7, "cause": request_id, "cause_kind": CauseKind.REQUEST.value}
    row = dict(await one_row(pool, "SELECT * FROM decisions WHERE sequence = 1 AND beat = 3"))
    row |= found | {"payload": encode_event(decision).decode()}
    await insert(pool, "decisions", row)


async def one_row(pool: Pool, sql: str) -> asyncpg.Record:
    """Return the first row."""
    row = await pool.fetchrow(sql)
    assert row is not None
    return row


async def insert(pool: Pool, table: str, row: dict[str, object]) -> None:
    """Add a row to a table."""
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})"  # noqa: S608  # our names
    await pool.execute(sql, *row.values())


async def test_request_is_told_from_its_taking_to_its_answer(pool: Pool, postgres_dsn: str) -> None:
    """Taken, refused, decided, obeyed, cancelled; of the run that is asked for."""
    order = SCRIPT.decision("A1", 0, is_accepted=True).order_id
    await record(
        postgres_dsn,
        [
            audit("taken", 202, "/v1/orders"),
            audit("refused", 403, "/v1/orders"),
            audit("decided", 503, "/v1/orders", ts_ns=1),
            audit("decided", 202, "/v1/orders", ts_ns=2),
            audit("cancelled", 202, f"/v1/orders/{order}/cancel"),
            audit("in-vain", 202, "/v1/orders/run-1.0.A9.0/cancel"),
        ],
    )
    await add_decision(pool, "decided")
    await insert(pool, "controls", control_row("obeyed"))
    await pool.execute("SELECT add_partition('cancels', 202302)")
    await insert(pool, "cancels", cancel_row(order))
    records = Records(Reads(pool, timeout_seconds=5))

    names = ("taken", "refused", "decided", "obeyed", "cancelled", "in-vain")
    found = {name: await records.request(name, None, LOCAL) for name in names}
    elsewhere = await records.request("decided", "run-2", LOCAL)

    states = {name: view.state for name, view in found.items() if view}
    assert states == {
        "taken": "taken",
        "refused": "refused",
        "decided": "answered",
        "obeyed": "answered",
        "cancelled": "answered",
        "in-vain": "taken",
    }
    decided, obeyed, cancel = found["decided"], found["obeyed"], found["cancelled"]
    assert decided is not None
    assert obeyed is not None
    assert cancel is not None
    assert [one.status for one in decided.taken] == [503, 202]
    assert [one.reason for one in decided.decisions] == [Reason.POSITION_LIMIT]
    assert [(one.account_id, one.state_after) for one in obeyed.controls] == [("A1", "halted")]
    assert [(one.order_id, one.beat) for one in cancel.cancels] == [(order, 4)]
    assert elsewhere is not None
    assert (elsewhere.state, elsewhere.decisions) == ("taken", [])
    assert await records.request("unheard-of", None, LOCAL) is None
    # The name of a strategy is no request.
    assert await records.request("cross", None, LOCAL) is None
    # A key for some accounts sees what was taken in its name, and what concerns its accounts.
    mine = Caller("desk", Role.READ, accounts=frozenset({"A1"}))
    assert [await records.request(name, None, mine) for name in names] == list(found.values())
    other = Caller("desk", Role.READ, accounts=frozenset({"A2"}))
    told = [await records.request(name, None, other) for name in ("decided", "cancelled")]
    assert [one and (len(one.taken), one.decisions, one.cancels) for one in told] == [
        (2, [], []),
        (1, [], []),
    ]
    stranger = replace(other, name="somebody-else")
    assert [await records.request(name, None, stranger) for name in names] == [None] * len(names)


def cancel_row(order_id: str) -> dict[str, object]:
    """Return the row of a cancel."""
    return {
        "run_id": SCRIPT.run_id,
        "trade_date": 20230201,
        "beat": 4,
        "account_id": "A1",
        "sequence": 0,
        "order_id": order_id,
        "ts_event_ns": 1_675_215_012_000_000_000,
        "payload": "{}",
    }


def control_row(request_id: str) -> dict[str, object]:
    """Return the row of a command's outcome."""
    outcome = ControlOutcome(
        request_id=RequestId(request_id),
        beat=4,
        account_id=AccountId("A1"),
        sequence=0,
        command=ControlCommand.HALT,
        is_for_all=False,
        outcome=Outcome.ACCEPTED,
        reason=Reason.NONE,
        state_before=AccountState.ACTIVE,
        state_after=AccountState.HALTED,
        limits_before=None,
        limits_after=None,
        ts_event_ns=7,
    )
    return {
        "run_id": SCRIPT.run_id,
        "beat": 4,
        "account_id": "A1",
        "sequence": 0,
        "request_id": request_id,
        "command": "halt",
        "outcome": "accepted",
        "reason": "none",
        "ts_event_ns": 7,
        "payload": encode_event(outcome).decode(),
    }


async def test_records_database_away_are_transient() -> None:
    """503 with Retry-After."""
    pool = await open_pool("postgresql://somebody@127.0.0.1:1/tidegate", service="test")
    records = Records(Reads(pool, timeout_seconds=5))

    for ask in (
        records.request("q1", None, LOCAL),
        records.backtest("bt"),
        records.backtests(after=None, limit=1),
    ):
        with pytest.raises(TransientError):
            await ask

    await pool.close()


async def test_caller_restricted_to_accounts_may_not_speak_for_all() -> None:
    """None stands for all accounts."""
    free, bound = Caller("a", Role.TRADE), Caller("b", Role.TRADE, accounts=frozenset({"A1"}))

    assert [free.is_for(account) for account in ("A1", None)] == [True, True]
    assert [bound.is_for(account) for account in ("A1", "A2", None)] == [True, False, False]
