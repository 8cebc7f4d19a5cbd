"""Writes: what they become on the wire, and that a repeat is the same request."""

from dataclasses import replace

import pytest
from tests.unit.common.tracers import KeptSpans
from tests.unit.gateway.desk import Desk, FakePublisher, assert_problem, client_of, make_resources
from tests.unit.gateway.guarded import guarded, key_of

from tidegate_common.bus.headers import trace_of
from tidegate_common.codec import decode_event
from tidegate_common.domain.enums import ControlCommand, OrderType, TimeInForce
from tidegate_common.domain.ids import AccountId, RequestId, risk_partition_of
from tidegate_common.events.backtests import BacktestJob
from tidegate_common.events.message import Message
from tidegate_common.events.orders import ControlRequest, OrderRequest, RequestEnvelope
from tidegate_common.events.run import RISK_LIMIT_RANGES, RiskLimits
from tidegate_common.events.topics import BACKTESTS, REQUESTS
from tidegate_common.events.trace import TraceContext, request_trace_id
from tidegate_gateway.resources import Resources
from tidegate_gateway.schemas.backtests import BacktestResultView, BacktestView
from tidegate_gateway.schemas.base import Page
from tidegate_gateway.schemas.requests import RequestStatusView
from tidegate_gateway.security import Caller
from tidegate_gateway.security.memory import Known, digest_of

KEY = {"Idempotency-Key": "request-1"}
LIMITS = {
    "position_bps_max": 1_500,
    "daily_loss_bps_max": 200,
    "drawdown_bps_max": 900,
    "sector_bps_max": 3_000,
    "leverage_bps_max": 9_000,
    "stale_beats_max": 50,
    "adv_bps_max": 100,
}
ORDER = {
    "account_id": "A1",
    "symbol": "600519.SH",
    "side": "buy",
    "price_cny": "1800.01",
    "quantity_shares": 100,
}
JOB_ID = "bt-" + "0" * 20
HALT = {"command": "halt", "account_id": "A1"}


class FakeMemory:
    """Remembers for ever."""

    def __init__(self) -> None:
        self.digests: dict[str, str] = {}
        self.kept: set[str] = set()
        self.jobs: dict[str, BacktestJob] = {}

    async def begin(self, name: str, digest: str) -> Known:
        if self.digests.setdefault(name, digest) != digest:
            return Known.OTHER
        return Known.KEPT if name in self.kept else Known.NEW

    async def keep(self, name: str, digest: str) -> None:
        self.kept.add(name)

    async def keep_job(self, job: BacktestJob) -> None:
        self.jobs[job.job_id] = job

    async def job(self, job_id: str) -> BacktestJob | None:
        return self.jobs.get(job_id)


class FakeRecords:
    """Knows request q1 and backtest bt-0...0, and notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    async def request(
        self,
        request_id: str,
        run_id: str | None,
        caller: Caller,
    ) -> RequestStatusView | None:
        self.asked.append((request_id, run_id, caller.name))
        if request_id != "q1":
            return None
        return RequestStatusView(
            request_id="q1",
            run_id=run_id,
            state="taken",
            taken=[],
            decisions=[],
            controls=[],
            cancels=[],
        )

    async def backtests(self, *, after: str | None, limit: int) -> Page[BacktestView]:
        self.asked.append((after, limit))
        return Page(run_id=None, items=[], next=None)

    async def backtest(self, job_id: str) -> BacktestResultView | None:
        if job_id != JOB_ID:
            return None
        return BacktestResultView(
            job_id=job_id,
            state="failed",
            reason="too long",
            requested_by="desk",
            requested_ns=1,
            started_ns=2,
            ended_ns=3,
            summary=None,
            equity=[],
        )


def remembering() -> Resources:
    """Return fakes of all servers, with a memory."""
    return replace(make_resources(), memory=FakeMemory())


def control_of(message: Message) -> ControlRequest:
    """Return the command of a message."""
    control = decode_event(RequestEnvelope, message.value).control
    assert control is not None
    return control


def order_of(message: Message) -> OrderRequest:
    """Return the order of a message."""
    order = decode_event(RequestEnvelope, message.value).order
    assert order is not None
    return order


async def test_limits_replace_all_of_an_accounts(desk: Desk) -> None:
    """They go to the partition that has the account."""
    response = await desk.client.put("/v1/accounts/A1/limits", json=LIMITS, headers=KEY)

    assert (response.status_code, response.json()) == (202, {"request_id": "request-1"})
    (message,) = desk.publisher.messages
    assert (message.topic, message.partition) == (REQUESTS.name, risk_partition_of("A1", 4))
    assert control_of(message) == ControlRequest(
        RequestId("request-1"), ControlCommand.SET_LIMITS, AccountId("A1"), RiskLimits(**LIMITS)
    )


@pytest.mark.parametrize("name", sorted(RISK_LIMIT_RANGES))
async def test_limits_beside_their_range_or_missing_are_422(desk: Desk, name: str) -> None:
    """Risk would refuse them a beat later; here a person sees it at once."""
    least, greatest = RISK_LIMIT_RANGES[name]
    without = {key: value for key, value in LIMITS.items() if key != name}
    bodies = [without, LIMITS | {name: least - 1}, LIMITS | {name: greatest + 1}]

    answers = [
        await desk.client.put("/v1/accounts/A1/limits", json=body, headers=KEY) for body in bodies
    ]
    edges = [
        await desk.client.put("/v1/accounts/A1/limits", json=LIMITS | {name: value}, headers=KEY)
        for value in (least, greatest)
    ]

    assert all(f"body.{name}" in assert_problem(answer, 422) for answer in answers)
    assert [edge.status_code for edge in edges] == [202, 202]


@pytest.mark.parametrize("command", ["halt", "reduce", "resume"])
async def test_kill_switch_of_an_account_goes_to_its_partition(desk: Desk, command: str) -> None:
    """One account, one partition."""
    body = {"command": command, "account_id": "A2"}

    response = await desk.client.post("/v1/kill-switch", json=body, headers=KEY)

    assert response.status_code == 202
    (message,) = desk.publisher.messages
    assert (message.partition, message.key) == (risk_partition_of("A2", 4), b"A2")
    expected = ControlRequest(RequestId("request-1"), ControlCommand(command), AccountId("A2"))
    assert control_of(message) == expected


async def test_kill_switch_of_all_goes_to_every_partition(desk: Desk) -> None:
    """ADR 11: a command for all accounts is one for each partition."""
    body = {"command": "halt", "account_id": None}

    response = await desk.client.post("/v1/kill-switch", json=body, headers=KEY)

    assert response.status_code == 202
    assert [message.partition for message in desk.publisher.messages] == [0, 1, 2, 3]
    assert {message.key for message in desk.publisher.messages} == {b""}
    controls = {control_of(message).account_id for message in desk.publisher.messages}
    assert controls == {None}
    assert {dict(one.headers)["ce_id"] for one in desk.publisher.messages} == {b"request-1"}


@pytest.mark.parametrize(
    "body",
    [{"command": "halt"}, {"command": "set_limits", "account_id": "A1"}, {"account_id": "A1"}],
)
async def test_kill_switch_that_does_not_say_what_or_whom_is_422(
    desk: Desk,
    body: dict[str, object],
) -> None:
    """All accounts are meant only where somebody says so."""
    response = await desk.client.post("/v1/kill-switch", json=body, headers=KEY)

    assert_problem(response, 422)
    assert desk.publisher.messages == []


@pytest.mark.parametrize("order_type", list(OrderType))
@pytest.mark.parametrize("time_in_force", list(TimeInForce))
async def test_order_of_every_type_and_time_is_handed_on(
    desk: Desk,
    order_type: OrderType,
    time_in_force: TimeInForce,
) -> None:
    """Whether the market takes it is for risk to say."""
    price = None if order_type.is_market else "1800.01"
    body = ORDER | {
        "order_type": order_type,
        "time_in_force": time_in_force,
        "price_cny": price,
    }

    response = await desk.client.post("/v1/orders", json=body, headers=KEY)

    assert response.status_code == 202
    order = order_of(desk.publisher.messages[0])
    assert (order.order_type, order.time_in_force) == (order_type, time_in_force)
    assert order.price_e4 == (0 if price is None else 18_000_100)


async def test_order_for_another_account_than_the_keys_is_403() -> None:
    """Also its cancel: the id says whose it is."""
    async with guarded() as gateway:
        own = await gateway.client.post("/v1/orders", json=ORDER, headers=key_of("trader-a1"))
        order = await gateway.client.post(
            "/v1/orders", json=ORDER | {"account_id": "A2"}, headers=key_of("trader-a1")
        )
        cancel = await gateway.client.post(
            "/v1/orders/run-1.0.A2.0/cancel", headers=key_of("trader-a1")
        )

    assert own.status_code == 202
    assert "A2" in assert_problem(order, 403)
    assert "A2" in assert_problem(cancel, 403)


async def test_repeat_of_a_request_is_the_same_answer_and_one_message() -> None:
    """Spaces and the order of fields are not what is asked for."""
    async with guarded(resources=remembering()) as gateway:
        first = await gateway.client.post("/v1/orders", json=ORDER, headers=key_of("trader"))
        again = await gateway.client.post(
            "/v1/orders", json=dict(reversed(ORDER.items())), headers=key_of("trader")
        )

    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert len(gateway.publisher.messages) == 1


async def test_repeat_of_a_request_that_was_not_kept_is_sent() -> None:
    """503 asks for it."""
    resources = remembering()
    async with guarded(resources=resources) as gateway:
        gateway.publisher.is_away = True
        first = await gateway.client.post("/v1/orders", json=ORDER, headers=key_of("trader"))
        gateway.publisher.is_away = False
        again = await gateway.client.post("/v1/orders", json=ORDER, headers=key_of("trader"))

    assert_problem(first, 503)
    assert again.status_code == 202
    assert len(gateway.publisher.messages) == 1


@pytest.mark.parametrize(
    ("caller", "path", "body"),
    [
        ("trader", "/v1/orders", ORDER | {"quantity_shares": 200}),
        ("admin", "/v1/orders", ORDER),
        ("trader", "/v1/kill-switch", HALT),
    ],
)
async def test_name_of_another_request_is_409(
    caller: str,
    path: str,
    body: dict[str, object],
) -> None:
    """Another body, another caller, another route: the second would be lost in silence."""
    async with guarded(resources=remembering()) as gateway:
        await gateway.client.post("/v1/orders", json=ORDER, headers=key_of("trader"))
        response = await gateway.client.post(path, json=body, headers=key_of(caller))

    assert "request-1" in assert_problem(response, 409)
    assert len(gateway.publisher.messages) == 1


async def test_name_of_another_accounts_request_is_another_request() -> None:
    """Risk, too, remembers ids by account."""
    async with guarded(resources=remembering()) as gateway:
        statuses = [
            (
                await gateway.client.post(
                    "/v1/orders", json=ORDER | {"account_id": account}, headers=key_of("trader")
                )
            ).status_code
            for account in ("A1", "A2")
        ]

    assert statuses == [202, 202]


async def test_backtest_becomes_a_job_of_the_callers_name() -> None:
    """Asked for again with the same name it is the same job."""
    body = {
        "files": ["2023/quotes.parquet"],
        "strategies": ["ma_cross"],
        "start": "2023-02-01T10:00",
        "reference": "reference/2023.csv",
        "cash_cny": "1000000.5",
        "accounts": 2,
    }
    async with guarded(resources=remembering()) as gateway:
        first = await gateway.client.post("/v1/backtests", json=body, headers=key_of("trader"))
        gateway.clock.advance(60)
        again = await gateway.client.post("/v1/backtests", json=body, headers=key_of("trader"))
        other = await gateway.client.post("/v1/backtests", json=body, headers=key_of("admin"))
        clash = await gateway.client.post("/v1/backtests", json={}, headers=key_of("trader"))

    (message, other_message) = gateway.publisher.messages
    job = decode_event(BacktestJob, message.value)
    assert (message.topic, message.partition) == (BACKTESTS.name, 0)
    assert message.key == job.job_id.encode()
    assert (job.files, job.strategies) == (("2023/quotes.parquet",), ("ma_cross",))
    assert (job.cash, job.accounts, job.start) == ("1000000.5", 2, "2023-02-01T10:00")
    assert (job.requested_by, job.limits) == ("trader", "default")
    assert job.reference == "reference/2023.csv"
    assert first.json() == again.json() == {"job_id": job.job_id}
    assert other.json() == {"job_id": decode_event(BacktestJob, other_message.value).job_id}
    assert other.json() != first.json()
    assert_problem(clash, 409)


async def test_backtest_is_queued_until_a_worker_has_seen_it() -> None:
    """Who was told its id may ask for it at once."""
    resources = replace(remembering(), records=FakeRecords())
    async with guarded(resources=resources) as gateway:
        asked = await gateway.client.post("/v1/backtests", json={}, headers=key_of("trader"))
        path = f"/v1/backtests/{asked.json()['job_id']}"
        found = await gateway.client.get(path, headers=key_of("trader"))

    told = found.json()
    assert (found.status_code, told["state"], told["requested_by"]) == (200, "queued", "trader")
    assert [told[name] for name in ("job_id", "started_ns", "summary", "equity")] == [
        asked.json()["job_id"],
        None,
        None,
        [],
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"files": ["/etc/passwd"]}, "body.files"),
        ({"files": ["../secret.csv"]}, "body.files"),
        ({"files": ["a/../../secret.csv"]}, "body.files"),
        ({"files": [".hidden"]}, "body.files"),
        ({"files": ["a//b"]}, "body.files"),
        ({"files": ["a\\b"]}, "body.files"),
        ({"files": ["a\n"]}, "body.files"),
        ({"files": ["a"] * 301}, "body.files"),
        ({"strategies": ["evil.py:Strategy"]}, "body.strategies"),
        ({"strategies": ["dir/evil"]}, "body.strategies"),
        ({"limits": "../limits"}, "body.limits"),
        ({"limits": "mine.yaml"}, "body.limits"),
        ({"start": "yesterday"}, "body.start"),
        ({"start": "2023-02-01"}, "start needs files"),
        ({"reference": "reference.csv"}, "reference needs files"),
        ({"files": ["a"], "reference": "../secret.csv"}, "body.reference"),
        ({"instruments": 6_000, "beats": 5_000, "days": 9}, "at most 260000000, was 270000000"),
        ({"accounts": 101}, "body.accounts"),
        ({"cash_cny": "0.001"}, "body.cash_cny"),
        ({"colour": "red"}, "body.colour"),
    ],
)
async def test_backtest_of_what_there_must_not_be_is_422(
    desk: Desk,
    change: dict[str, object],
    text: str,
) -> None:
    """Files of the folder alone, names of the configuration alone, and a bounded size."""
    response = await desk.client.post("/v1/backtests", json=change, headers=KEY)

    detail = assert_problem(response, 422)
    assert text in detail
    # The words of a library are none of ours.
    assert "Value error" not in detail
    assert desk.publisher.messages == []


async def test_request_with_much_that_is_wrong_is_told_the_first_of_it(desk: Desk) -> None:
    """An answer is bounded as a question is."""
    response = await desk.client.post("/v1/backtests", json={"files": ["/a"] * 20}, headers=KEY)

    assert_problem(response, 422)
    fields = [one["field"] for one in response.json()["errors"]]
    assert fields == [f"body.files.{number}" for number in range(10)]


@pytest.mark.parametrize("path", ["requests/q1", "backtests", "backtests/bt-" + "0" * 20])
async def test_records_away_are_503(desk: Desk, path: str) -> None:
    """404 would be a guess."""
    response = await desk.client.get(f"/v1/{path}")

    assert_problem(response, 503)


async def test_records_are_told_or_404() -> None:
    """What nobody has recorded yet may be under way."""
    records = FakeRecords()
    paths = ("requests/q1?run=run-1", "requests/q2", f"backtests/{JOB_ID}", f"backtests/bt-{1:020}")

    async with client_of(replace(make_resources(), records=records)) as client:
        known, unknown, job, no_job = [await client.get(f"/v1/{path}") for path in paths]
        listed = await client.get(f"/v1/backtests?after={JOB_ID}&limit=7")

    assert (known.status_code, known.json()["run_id"]) == (200, "run-1")
    assert "q2" in assert_problem(unknown, 404)
    assert (job.status_code, job.json()["reason"]) == (200, "too long")
    assert "is not known" in assert_problem(no_job, 404)
    assert listed.json() == {"run_id": None, "items": [], "next": None}
    assert records.asked == [("q1", "run-1", "local"), ("q2", None, "local"), (JOB_ID, 7)]


async def test_writes_switched_off_are_403() -> None:
    """All of them."""
    resources = replace(make_resources(), allow_requests=False)

    async with client_of(resources) as client:
        answers = [
            await client.post("/v1/orders", json=ORDER, headers=KEY),
            await client.post("/v1/kill-switch", json=HALT, headers=KEY),
            await client.put("/v1/accounts/A1/limits", json=LIMITS, headers=KEY),
            await client.post("/v1/backtests", json={}, headers=KEY),
        ]

    assert all("switched off" in assert_problem(answer, 403) for answer in answers)
    assert isinstance(resources.publisher, FakePublisher)
    assert resources.publisher.messages == []


def test_digest_knows_where_a_part_ends() -> None:
    """`ab` and `c` are not `a` and `bc`."""
    assert digest_of(b"ab", b"c") != digest_of(b"a", b"bc")
    assert digest_of(b"ab", b"c") == digest_of(b"ab", b"c")


async def test_order_is_traced_from_its_request_to_the_log_once() -> None:
    """A repeat is the same request and no second trace; the caller's own trace is linked."""
    publisher, kept = FakePublisher(), KeptSpans()
    caller = TraceContext(5, 6)
    headers = KEY | {"traceparent": caller.traceparent().decode()}
    resources = replace(make_resources(), publisher=publisher, tracer=kept, memory=FakeMemory())
    async with client_of(resources) as client:
        for _ in range(2):
            assert (await client.post("/v1/orders", json=ORDER, headers=headers)).is_success

    server, sent = kept.spans
    (message,) = publisher.messages
    assert server.name == "POST /v1/orders"
    assert server.links == (caller,)
    assert sent.context.trace_id == request_trace_id(AccountId("A1"), RequestId("request-1"))
    assert trace_of(message) == sent.context
