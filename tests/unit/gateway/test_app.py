"""The gateway's routes on fakes of its servers."""

from dataclasses import replace

import pytest
from tests.unit.gateway.desk import (
    Desk,
    FakeThen,
    assert_problem,
    cached,
    client_of,
    make_resources,
)

from tidegate_common.codec import decode_event
from tidegate_common.domain.enums import OrderType, Side
from tidegate_common.domain.ids import risk_partition_of
from tidegate_common.events.orders import RequestEnvelope
from tidegate_common.events.topics import REQUESTS
from tidegate_gateway.pages import DECISIONS, PageQuery, cursor_after
from tidegate_gateway.schemas.base import Page
from tidegate_gateway.schemas.runs import RunView

ORDER = {
    "account_id": "A1",
    "symbol": "600519.SH",
    "side": "buy",
    "order_type": "limit",
    "price_cny": "1800.01",
    "quantity_shares": 100,
}
KEY = {"Idempotency-Key": "my-order-1"}


async def test_portfolio_in_redis_is_answered_as_now(desk: Desk) -> None:
    """Money is a decimal string, an instrument a symbol."""
    desk.now.portfolios["A1"] = cached("A1", 7)

    response = await desk.client.get("/v1/portfolios/A1")

    body = response.json()
    assert response.status_code == 200
    assert (body["source"], body["run_id"], body["beat"]) == ("redis", "run-1", 7)
    assert (body["cash_cny"], body["day_pnl_cny"]) == ("820000.00", "-0.07")
    assert body["positions"][0]["symbol"] == "600519.SH"
    assert body["positions"][0]["mark_cny"] == "1800.00"


async def test_portfolio_redis_away_is_answered_as_recorded(desk: Desk) -> None:
    """The reader sees from `source` that it may be a moment old."""
    desk.now.is_away = True
    desk.then.recorded = [cached("A1", 5)]

    response = await desk.client.get("/v1/portfolios/A1")

    assert response.status_code == 200
    assert (response.json()["source"], response.json()["beat"]) == ("postgres", 5)


async def test_portfolio_redis_empty_after_a_restart_is_answered_as_recorded(desk: Desk) -> None:
    """An empty cache does not mean that the account does not exist."""
    desk.then.recorded = [cached("A1", 5)]

    response = await desk.client.get("/v1/portfolios/A1")

    assert response.json()["source"] == "postgres"


async def test_portfolio_both_servers_away_is_503_with_retry_after(desk: Desk) -> None:
    """Saying 404 would be a guess."""
    desk.now.is_away = desk.then.is_away = True

    response = await desk.client.get("/v1/portfolios/A1")

    assert_problem(response, 503)
    assert int(response.headers["retry-after"]) > 0


async def test_portfolio_unknown_account_is_404(desk: Desk) -> None:
    """Both servers answer, and neither knows it."""
    response = await desk.client.get("/v1/portfolios/A9")

    assert "A9" in assert_problem(response, 404)


async def test_portfolios_in_redis_are_listed_by_account(desk: Desk) -> None:
    """The order does not depend on Redis."""
    desk.now.portfolios = {"B1": cached("B1", 7), "A1": cached("A1", 7)}

    response = await desk.client.get("/v1/portfolios")

    assert response.json()["source"] == "redis"
    assert [item["account_id"] for item in response.json()["items"]] == ["A1", "B1"]


async def test_portfolios_redis_away_are_listed_as_recorded(desk: Desk) -> None:
    """One answer has one source."""
    desk.now.is_away = True
    desk.then.recorded = [cached("A1", 5)]

    response = await desk.client.get("/v1/portfolios")

    assert response.json()["source"] == "postgres"
    assert len(response.json()["items"]) == 1


async def test_decisions_filters_become_a_query(desk: Desk) -> None:
    """Symbols and names turn into what the tables hold."""
    response = await desk.client.get(
        "/v1/decisions",
        params={
            "run": "run-1",
            "account": "A1",
            "symbol": "600519.SH",
            "outcome": "rejected",
            "reason": "position_limit",
            "after": cursor_after(DECISIONS, PageQuery(), (3, "A1", 0)),
            "limit": 5,
        },
    )

    assert response.status_code == 200
    assert desk.then.queries == [
        PageQuery(
            run_id="run-1",
            filters={
                "account_id": "A1",
                "instrument": 1_600_519,
                "outcome": "rejected",
                "reason": "position_limit",
            },
            after=(3, "A1", 0),
            limit=5,
        ),
    ]
    assert response.json()["items"][0]["reason"] == "position_limit"
    assert response.json()["items"][0]["order_id"] is None


@pytest.mark.parametrize(
    "path",
    [
        "orders",
        "fills",
        "equity",
        "bookings",
        "runs",
        "decisions",
        "bars?symbol=600519.SH",
        "scores?strategy=cross",
        "scores/changes?strategy=cross",
        "instruments",
        "strategies",
        "rules/600519.SH",
    ],
)
async def test_listing_postgres_away_is_503_with_retry_after(desk: Desk, path: str) -> None:
    """A client knows when to come again."""
    desk.then.is_away = True

    response = await desk.client.get(f"/v1/{path}")

    assert_problem(response, 503)
    assert "retry-after" in response.headers


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/v1/decisions?after=x", "after must be the `next` of the page before"),
        ("/v1/orders?open=true", "query.open: expected account beside it, found none"),
        ("/v1/decisions?strategy=a&request_id=b", "expected none beside request_id"),
        ("/v1/fills?from=2023-02-01T09:30:00", "query.from: Input should have timezone info"),
        ("/v1/fills?to=1969-12-31T00:00:00Z", "to must be a time between 1970 and 2262, was 1969"),
        ("/v1/fills?from=2300-01-01T00:00:00Z", "from must be a time between 1970 and 2262"),
        ("/v1/bars", "query.symbol: Field required"),
        ("/v1/bars?symbol=600519.SH&interval=0", "query.interval"),
        ("/v1/quotes?symbol=600519", "symbol must look like 600519.SH"),
        ("/v1/instruments?symbol=SH", "query.symbol"),
        ("/v1/instruments?board=moon", "query.board"),
        ("/v1/instruments?date=2023-02-30", "query.date"),
        ("/v1/lineage/nonsense", "order_id must be run.beat.account.sequence, was 'nonsense'"),
        ("/v1/lineage/r.1.A1.x", "order_id must be run.beat.account.sequence"),
        ("/v1/rules/600519.SH", "query.date: expected a trading day"),
        ("/v1/rules/600519.SH?date=2023-02-04", "query.date: date must be a trading day"),
        ("/v1/rules/600519.SH?date=2023-02-01&prev_close=1.005", "expected whole ticks"),
        ("/v1/rules/600519.SH?date=2023-02-01&prev_close=0", "query.prev_close"),
        ("/v1/decisions?symbol=abc", "symbol must look like 600519.SH"),
        ("/v1/decisions?reason=bad_luck", "reason"),
        ("/v1/decisions?limit=0", "limit"),
        ("/v1/equity?account=-", "account must be letters"),
        ("/v1/orders?run=a.b", "run"),
    ],
)
async def test_listing_bad_parameter_is_422_with_what_was_expected(
    desk: Desk,
    path: str,
    text: str,
) -> None:
    """One line says what to mend."""
    response = await desk.client.get(path)

    assert text in assert_problem(response, 422)


async def test_order_request_is_published_to_the_accounts_partition(desk: Desk) -> None:
    """Risk partition a reads the requests of its accounts only."""
    response = await desk.client.post("/v1/orders", json=ORDER, headers=KEY)

    assert response.status_code == 202
    assert response.json() == {"request_id": "my-order-1"}
    (message,) = desk.publisher.messages
    assert (message.topic, message.partition) == (REQUESTS.name, risk_partition_of("A1", 4))
    order = decode_event(RequestEnvelope, message.value).order
    assert order is not None
    assert (order.request_id, order.instrument, order.side) == ("my-order-1", 1_600_519, Side.BUY)
    assert (order.order_type, order.price_e4) == (OrderType.LIMIT, 18_000_100)


async def test_market_order_request_has_no_price(desk: Desk) -> None:
    """Price 0 stands for a market order on the wire."""
    body = ORDER | {"order_type": "market", "price_cny": None}

    response = await desk.client.post("/v1/orders", json=body, headers=KEY)

    assert response.status_code == 202
    order = decode_event(RequestEnvelope, desk.publisher.messages[0].value).order
    assert order is not None
    assert order.price_e4 == 0


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"price_cny": None}, "price_cny must be given for a limit order"),
        ({"order_type": "market"}, "and for no market order"),
        ({"order_type": "own_best"}, "and for no market order"),
        ({"order_type": "fixed_price", "price_cny": None}, "price_cny must be given"),
        ({"price_cny": "1.00001"}, "4 decimal places"),
        ({"price_cny": "-1"}, "greater than 0"),
        ({"price_cny": "NaN"}, "finite"),
        ({"symbol": "600519"}, "symbol must look like"),
        ({"quantity_shares": 0}, "greater than 0"),
        ({"account_id": "a b"}, "account must be letters"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
async def test_order_request_malformed_is_422_and_not_published(
    desk: Desk,
    change: dict[str, object],
    text: str,
) -> None:
    """The edge checks the form; whether it is a good order is for risk to say."""
    response = await desk.client.post("/v1/orders", json=ORDER | change, headers=KEY)

    assert text in assert_problem(response, 422)
    assert desk.publisher.messages == []


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "a b"}])
async def test_order_request_without_a_usable_key_is_422(
    desk: Desk,
    headers: dict[str, str],
) -> None:
    """Without it a repeat after a timeout would be a second order."""
    response = await desk.client.post("/v1/orders", json=ORDER, headers=headers)

    assert "idempotency-key" in assert_problem(response, 422).lower()


async def test_order_request_broker_away_is_503(desk: Desk) -> None:
    """202 is a promise: the request is kept."""
    desk.publisher.is_away = True

    response = await desk.client.post("/v1/orders", json=ORDER, headers=KEY)

    assert_problem(response, 503)


async def test_cancel_request_names_order_and_account(desk: Desk) -> None:
    """The order's id says whose it is."""
    response = await desk.client.post("/v1/orders/run-1.3.A1.0/cancel", headers=KEY)

    assert response.status_code == 202
    cancel = decode_event(RequestEnvelope, desk.publisher.messages[0].value).cancel
    assert cancel is not None
    assert (cancel.request_id, cancel.account_id, cancel.order_id) == (
        "my-order-1",
        "A1",
        "run-1.3.A1.0",
    )


async def test_method_that_a_path_has_not_is_405_with_those_it_has(desk: Desk) -> None:
    """Also where two routes share the path."""
    response = await desk.client.delete("/v1/orders")

    assert response.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    "query", ["orders?to=0.5", "orders?from=1675215000", "rules/600519.SH?date=0"]
)
async def test_time_that_is_a_number_is_422(desk: Desk, query: str) -> None:
    """Nobody knows whether it counts seconds or is a mistake."""
    response = await desk.client.get(f"/v1/{query}")

    assert "must begin with a day such as 2023-02-01" in assert_problem(response, 422)


async def test_symbol_of_foreign_digits_is_422(desk: Desk) -> None:
    """Python takes them for digits, the document does not."""
    response = await desk.client.get("/v1/orders", params={"symbol": "٦٠٠٥١٩.SH"})

    assert "symbol must look like 600519.SH" in assert_problem(response, 422)


async def test_cancel_request_of_something_else_is_422(desk: Desk) -> None:
    """An id of another form belongs to no account."""
    response = await desk.client.post("/v1/orders/nonsense/cancel", headers=KEY)

    assert "run.beat.account.sequence" in assert_problem(response, 422)


async def test_order_request_from_another_machine_is_403() -> None:
    """There is no authentication yet, so the network is the fence."""
    resources = make_resources()

    async with client_of(resources, "192.0.2.7") as client:
        response = await client.post("/v1/orders", json=ORDER, headers=KEY)

    assert "this machine" in assert_problem(response, 403)


async def test_order_request_switched_off_is_403() -> None:
    """A read-only gateway stays so."""
    resources = make_resources()

    async with client_of(replace(resources, allow_requests=False)) as client:
        response = await client.post("/v1/orders", json=ORDER, headers=KEY)

    assert_problem(response, 403)


async def test_unknown_path_is_a_problem_too(desk: Desk) -> None:
    """Every error has one form."""
    assert_problem(await desk.client.get("/v2/orders"), 404)
    assert_problem(await desk.client.delete("/v1/orders"), 405)


async def test_fault_of_the_gateway_is_500_without_its_inside() -> None:
    """A traceback is for the log."""

    class BrokenThen(FakeThen):
        async def runs(self, *, after: str | None, limit: int) -> Page[RunView]:
            message = "secret"
            raise RuntimeError(message)

    resources = make_resources(BrokenThen())

    async with client_of(resources) as client:
        response = await client.get("/v1/runs")

    assert "secret" not in assert_problem(response, 500)


@pytest.mark.parametrize(
    ("redis_away", "postgres_away", "status"),
    [(False, False, 200), (True, False, 200), (False, True, 200), (True, True, 503)],
)
async def test_readyz_with_one_server_is_ready(
    desk: Desk,
    redis_away: bool,  # noqa: FBT001  # a parameter of the test
    postgres_away: bool,  # noqa: FBT001  # a parameter of the test
    status: int,
) -> None:
    """Each stands in for the other, so losing one takes no gateway out of service."""
    desk.now.is_away, desk.then.is_away = redis_away, postgres_away

    response = await desk.client.get("/readyz")

    assert response.status_code == status
    assert response.json()["redis"] is not redis_away
    assert (await desk.client.get("/livez")).status_code == 200


async def test_metrics_count_requests_by_outcome(desk: Desk) -> None:
    """An alert on 5xx needs it."""
    await desk.client.get("/v1/portfolios/A9")

    text = (await desk.client.get("/metrics")).text

    assert 'tidegate_gateway_requests_total{outcome="4xx"} 1.0' in text


async def test_openapi_has_examples_and_problems(desk: Desk) -> None:
    """The document is enough to write a client."""
    document = (await desk.client.get("/openapi.json")).json()

    assert document["components"]["schemas"]["OrderBody"]["examples"]
    answers = document["paths"]["/v1/orders"]["post"]["responses"]
    assert "application/problem+json" in answers["422"]["content"]
    assert "503" in answers
