"""The way of the reads that come most."""

import pytest
from tests.unit.gateway.desk import (
    Desk,
    FakeNow,
    FakeThen,
    assert_problem,
    cached,
    make_resources,
    stamped,
)
from tests.unit.gateway.guarded import guarded, key_of

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.errors import TransientError
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.store.stamped import Stamped
from tidegate_common.testing.builders import make_quote_rows
from tidegate_gateway.known_pages import KnownPages
from tidegate_gateway.pages import PageQuery
from tidegate_gateway.portfolio_texts import PortfolioTexts
from tidegate_gateway.quotes import Newest
from tidegate_gateway.schemas.base import json_of
from tidegate_gateway.schemas.portfolios import PortfolioView
from tidegate_gateway.security import Caller, Role
from tidegate_gateway.security.limiter import Rate

_STAMP = BeatStamp(RunId("run-1"), 1, BeatKind.TICK, 20230201, 0)


class _Stored:
    """Holds a value for each account."""

    def __init__(self, **values: Stamped) -> None:
        self.values = values

    async def stamped(self, account_id: str) -> Stamped | None:
        return self.values.get(account_id)


async def test_texts_portfolio_is_what_the_model_says_byte_for_byte() -> None:
    """What was rendered before is no other document."""
    found = cached("A1", 7)

    text = await PortfolioTexts().of(_Stored(A1=stamped(found)), "A1")

    assert text == json_of(PortfolioView.of(found, "redis"))


async def test_texts_same_bytes_are_rendered_once() -> None:
    """An unchanged book costs no decoding."""
    texts, stored = PortfolioTexts(), _Stored(A1=stamped(cached("A1", 7)))
    first = await texts.of(stored, "A1")

    again = await texts.of(stored, "A1")

    assert again is first


async def test_texts_other_bytes_of_the_same_beat_are_rendered_anew() -> None:
    """What Redis has now counts, whatever its stamp says."""
    texts, old = PortfolioTexts(), stamped(cached("A1", 7))
    await texts.of(_Stored(A1=old), "A1")
    new = Stamped(old.key, old.run_id, old.beat, stamped(cached("A1", 8)).value)

    text = await texts.of(_Stored(A1=new), "A1")

    assert text == await PortfolioTexts().of(_Stored(A1=new), "A1")
    assert text != await PortfolioTexts().of(_Stored(A1=old), "A1")


async def test_texts_full_forget_who_was_not_asked_for_longest() -> None:
    """However many accounts there are, so many are kept."""
    stored = _Stored(**{name: stamped(cached(name, 7)) for name in ("A1", "A2", "A3")})
    texts = PortfolioTexts(accounts_max=2)
    first, second = await texts.of(stored, "A1"), await texts.of(stored, "A2")
    await texts.of(stored, "A1")

    await texts.of(stored, "A3")

    assert await texts.of(stored, "A1") is first
    assert await texts.of(stored, "A2") is not second


async def test_texts_value_of_somebody_else_is_no_answer_of_redis() -> None:
    """What is broken counts as away, so what was recorded is answered."""
    stored = _Stored(A1=Stamped("portfolio:A1", "run-1", 7, b"{}"))

    with pytest.raises(TransientError, match="expected an answer of Redis"):
        await PortfolioTexts().of(stored, "A1")


async def test_texts_unknown_account_has_none() -> None:
    """Nobody has put it there."""
    assert await PortfolioTexts().of(_Stored(), "A1") is None


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), (key_of("nobody"), 401), (key_of("reader"), 200)],
)
async def test_portfolio_hot_way_asks_for_a_key(headers: dict[str, str], status: int) -> None:
    """The short way has the same door."""
    resources = make_resources()
    assert isinstance(resources.now, FakeNow)
    resources.now.portfolios["A1"] = cached("A1", 7)

    async with guarded(resources=resources) as desk:
        response = await desk.client.get("/v1/portfolios/A1", headers=headers)

    assert response.status_code == status


async def test_portfolio_hot_way_counts_each_request_once() -> None:
    """A rate of three serves three, tells what is left, and refuses the fourth."""
    resources = make_resources()
    assert isinstance(resources.now, FakeNow)
    resources.now.portfolios["A1"] = cached("A1", 7)

    async with guarded(resources=resources, rate=Rate(1, 3)) as desk:
        responses = [
            await desk.client.get("/v1/portfolios/A1", headers=key_of("reader")) for _ in range(4)
        ]

    assert [one.status_code for one in responses] == [200, 200, 200, 429]
    assert [one.headers["ratelimit"] for one in responses[:3]] == [
        f'"default";r={left};t=0' for left in (2, 1, 0)
    ]
    assert responses[3].headers["retry-after"] == "1"
    assert_problem(responses[3], 429)


async def test_portfolio_hot_way_answers_what_its_route_answers(desk: Desk) -> None:
    """HEAD is not taken by the short way, and a wrong name is the route's to refuse."""
    desk.now.portfolios["A1"] = cached("A1", 7)

    wrong = await desk.client.get("/v1/portfolios/A-1")
    posted = await desk.client.post("/v1/portfolios/A1")

    assert_problem(wrong, 422)
    assert_problem(posted, 405)


async def test_quotes_page_is_made_once_of_the_same_quotes() -> None:
    """Another page, or the same of newer quotes, is made anew."""
    newest, newer = Newest(_STAMP, make_quote_rows()), Newest(_STAMP, make_quote_rows())
    made: list[int] = []

    def render() -> bytes:
        made.append(len(made))
        return b"%d" % len(made)

    pages = [one.page(asked, render) for one in (newest, newer) for asked in "aab"]

    assert pages == [b"1", b"1", b"2", b"3", b"3", b"4"]


async def test_quotes_more_pages_than_are_kept_are_made_each_time() -> None:
    """Callers choose what they ask for; memory has an end."""
    newest = Newest(_STAMP, make_quote_rows())

    answers = [newest.page(number, lambda: b"page") for number in range(1_000)]

    assert answers == [b"page"] * 1_000
    assert len(newest.pages) < 100


LISTINGS = ["orders", "fills", "decisions"]


@pytest.mark.parametrize("listing", LISTINGS)
async def test_page_asked_for_again_is_the_same_query(desk: Desk, listing: str) -> None:
    """The short way knows what the route found; another question goes to the route."""
    path = f"/v1/{listing}?account=A1&limit=7&newest_first=true"

    first, again = [await desk.client.get(path) for _ in range(2)]
    other = await desk.client.get(f"{path}&symbol=600519.SH")

    assert (first.status_code, first.content) == (200, again.content)
    assert first.headers == again.headers
    assert desk.then.queries[0] == desk.then.queries[1] != desk.then.queries[2]
    assert (other.status_code, len(desk.then.queries)) == (200, 3)


@pytest.mark.parametrize("listing", LISTINGS)
async def test_page_asked_for_again_is_of_its_own_caller(listing: str) -> None:
    """What a key for all accounts asked before shows a key for one no others."""
    resources = make_resources()
    assert isinstance(resources.then, FakeThen)

    async with guarded(resources=resources) as desk:
        for name in ("reader", "trader-a1", "reader", "trader-a1"):
            answer = await desk.client.get(f"/v1/{listing}", headers=key_of(name))
            assert answer.status_code == 200

    assert [query.filters for query in resources.then.queries] == 2 * [{}, {"account_id": "A1"}]


async def test_page_asked_for_again_needs_its_key() -> None:
    """Each time, and it counts once each time."""
    async with guarded(rate=Rate(1, 4)) as desk:
        answers = [
            await desk.client.get("/v1/orders", headers=headers)
            for headers in (key_of("reader"), {}, key_of("nobody"), *[key_of("reader")] * 4)
        ]

    assert [one.status_code for one in answers] == [200, 401, 401, 200, 200, 200, 429]


async def test_page_asked_for_again_is_503_while_postgres_is_away(desk: Desk) -> None:
    """As the route says it."""
    await desk.client.get("/v1/orders")
    desk.then.is_away = True

    assert "PostgreSQL" in assert_problem(await desk.client.get("/v1/orders"), 503)


async def test_refused_question_is_refused_again(desk: Desk) -> None:
    """Only good ones are known."""
    answers = [await desk.client.get("/v1/orders?open=true") for _ in range(2)]

    assert ["expected account" in assert_problem(one, 422) for one in answers] == [True, True]
    assert desk.then.queries == []


def test_known_pages_forget_the_first_and_never_keep_the_long() -> None:
    """Callers choose what they ask; memory has an end."""
    pages, caller = KnownPages(pages_max=2), Caller("a", Role.READ)
    scopes = [
        {"path": "/v1/orders", "query_string": query}
        for query in (b"limit=1", b"limit=2", b"limit=3", b"after=" + b"x" * 500)
    ]

    for limit, scope in enumerate(scopes):
        pages.keep(scope, caller, PageQuery(limit=limit))

    found = [pages.find(scope, caller) for scope in scopes]
    assert found == [None, PageQuery(limit=1), PageQuery(limit=2), None]
