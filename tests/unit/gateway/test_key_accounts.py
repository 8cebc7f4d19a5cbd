"""Keys that are for some accounts: they see these, and no others."""

import httpx
import pytest
from tests.unit.gateway.desk import (
    FakeLineages,
    FakeNow,
    FakeThen,
    assert_problem,
    cached,
    make_resources,
)
from tests.unit.gateway.guarded import guarded, key_of

from tidegate_gateway.pages import ORDERS, PageQuery, page_sql
from tidegate_gateway.resources import Resources
from tidegate_gateway.routes.asked import AskedPage
from tidegate_gateway.security import Caller, Role

LISTINGS = ["orders", "fills", "decisions", "equity", "bookings"]


def filled() -> Resources:
    """Return fakes that know two accounts, now and then."""
    resources = make_resources()
    assert isinstance(resources.now, FakeNow)
    assert isinstance(resources.then, FakeThen)
    books = [cached(account, 7) for account in ("A1", "A2")]
    resources.now.portfolios |= {one.portfolio.account_id: one for one in books}
    resources.then.recorded += books
    return resources


async def answers_of(resources: Resources, *paths: str) -> list[httpx.Response]:
    """Return what a key for account A1 gets."""
    async with guarded(resources=resources) as desk:
        return [await desk.client.get(path, headers=key_of("trader-a1")) for path in paths]


@pytest.mark.parametrize(
    "path",
    [
        *(f"/v1/{listing}?account=A2" for listing in LISTINGS),
        "/v1/portfolios/A2",
        "/v1/portfolios/A9",
        "/v1/lineage/run-1.0.A2.0",
        "/v1/events?channel=fills&account=A1&account=A2",
    ],
)
async def test_account_of_others_is_403(path: str) -> None:
    """Whether there is such an account or not."""
    resources = filled()

    (answer,) = await answers_of(resources, path)

    assert "the key of trader-a1 is not for account A" in assert_problem(answer, 403)
    assert isinstance(resources.then, FakeThen)
    assert isinstance(resources.lineages, FakeLineages)
    assert (resources.then.queries, resources.lineages.keys) == ([], [])


@pytest.mark.parametrize("listing", LISTINGS)
async def test_listing_is_of_the_keys_accounts(listing: str) -> None:
    """With the account named, and without."""
    resources = filled()

    answers = await answers_of(resources, f"/v1/{listing}", f"/v1/{listing}?account=A1")

    assert [one.status_code for one in answers] == [200, 200]
    assert isinstance(resources.then, FakeThen)
    assert [query.filters for query in resources.then.queries] == [{"account_id": "A1"}] * 2


async def test_listing_of_what_has_no_account_is_everybodys() -> None:
    """The market is no secret."""
    resources = filled()

    answers = await answers_of(resources, "/v1/bars?symbol=600519.SH", "/v1/instruments")

    assert [one.status_code for one in answers] == [200, 200]
    assert isinstance(resources.then, FakeThen)
    assert ["account_id" in query.filters for query in resources.then.queries] == [False, False]


@pytest.mark.parametrize("is_redis_away", [False, True])
async def test_portfolios_are_of_the_keys_accounts(is_redis_away: bool) -> None:  # noqa: FBT001
    """Whichever server says them."""
    resources = filled()
    assert isinstance(resources.now, FakeNow)
    resources.now.is_away = is_redis_away

    listed, own = await answers_of(resources, "/v1/portfolios", "/v1/portfolios/A1")

    assert [one["account_id"] for one in listed.json()["items"]] == ["A1"]
    assert listed.json()["source"] == ("postgres" if is_redis_away else "redis")
    assert own.json()["account_id"] == "A1"


async def test_lineage_of_an_own_order_is_looked_for() -> None:
    """The account stands in the order's id."""
    resources = filled()

    (answer,) = await answers_of(resources, "/v1/lineage/run-1.0.A1.0")

    assert_problem(answer, 404)
    assert isinstance(resources.lineages, FakeLineages)
    assert [str(key) for key in resources.lineages.keys] == ["run-1.0.A1.0"]


def test_query_of_several_accounts_is_one_statement() -> None:
    """The rows of any of them, in the listing's order."""
    caller = Caller("desk", Role.READ, accounts=frozenset({"B", "A"}))
    asked = AskedPage(caller, None, None, 5, None, None, newest_first=False)

    query = asked.query(ORDERS, account_id=None, instrument=7)

    assert query == PageQuery(filters={"account_id": ("A", "B"), "instrument": 7}, limit=5)
    sql, values = page_sql(ORDERS, query)
    assert "listed.account_id = ANY($2) AND listed.instrument = $3 " in sql
    assert values == [("A", "B"), 7, 6]
