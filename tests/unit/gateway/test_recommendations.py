"""`GET /v1/recommendations` on fakes of its servers."""

import pytest
from tests.unit.gateway.desk import Desk, assert_problem

from tidegate_common.events.recommendations import RecommendationEntry, StrategyRecommendations
from tidegate_common.store.redis import CachedRecommendations


def entry(instrument: int, rank: int, previous_rank: int = 0) -> RecommendationEntry:
    """Return a listed instrument."""
    return RecommendationEntry(
        instrument=instrument,
        score_e6=400_000 - rank,
        rank=rank,
        previous_rank=previous_rank,
        score_beat=12,
        reasons_e6={"fast": 1_801_500_000, "slow": -1},
    )


def told(strategy: str) -> StrategyRecommendations:
    """Return a strategy's recommendations."""
    return StrategyRecommendations(
        strategy=strategy,
        beat=12,
        trade_date=20230201,
        ts_event_ns=7,
        instrument_count=3,
        top=(entry(1_600_519, 1, previous_rank=3), entry(2_000_333, 2)),
        bottom=(entry(3_430_047, 3),),
    )


NEWEST = CachedRecommendations(
    run_id="run-1",
    beat=14,
    strategies=("cross", "silent", "reversal"),
    recommendations=(told("cross"), told("reversal")),
)


async def test_recommendations_are_answered_with_symbols_and_decimals(desk: Desk) -> None:
    """What a person reads; an instrument that is new to the list has no rank before."""
    desk.recommendations.newest = NEWEST

    response = await desk.client.get("/v1/recommendations", params={"strategy": "cross"})

    assert response.status_code == 200
    first = {
        "symbol": "600519.SH",
        "score": "0.399999",
        "rank": 1,
        "previous_rank": 3,
        "rank_change": 2,
        "score_beat": 12,
        "reasons": {"fast": "1801.500000", "slow": "-0.000001"},
    }
    (item,) = response.json().pop("items")
    assert (response.json()["run_id"], response.json()["beat"]) == ("run-1", 14)
    assert item["top"][0] == first
    assert item["top"][1]["previous_rank"] is item["top"][1]["rank_change"] is None
    assert [each["symbol"] for each in item["bottom"]] == ["430047.BJ"]
    del item["top"], item["bottom"]
    assert item == {
        "strategy": "cross",
        "beat": 12,
        "trade_date": 20230201,
        "ts_event_ns": 7,
        "instrument_count": 3,
    }


async def test_recommendations_of_all_strategies_are_in_the_runs_order(desk: Desk) -> None:
    """Nothing is said of one that has not spoken yet."""
    desk.recommendations.newest = NEWEST

    response = await desk.client.get("/v1/recommendations")

    assert [item["strategy"] for item in response.json()["items"]] == ["cross", "reversal"]


async def test_recommendations_of_a_strategy_that_is_silent_are_none(desk: Desk) -> None:
    """It belongs to the run, so it is no error to ask."""
    desk.recommendations.newest = NEWEST

    response = await desk.client.get("/v1/recommendations", params={"strategy": "silent"})

    assert response.status_code == 200
    assert response.json() == {"run_id": "run-1", "beat": 14, "items": []}


async def test_recommendations_of_an_unknown_strategy_are_404(desk: Desk) -> None:
    """The answer says which there are."""
    desk.recommendations.newest = NEWEST

    response = await desk.client.get("/v1/recommendations", params={"strategy": "luck"})

    assert assert_problem(response, 404) == (
        "there is no strategy luck, there are: cross, silent, reversal"
    )


async def test_recommendations_before_any_run_are_none(desk: Desk) -> None:
    """A platform that has just started answers."""
    everything = await desk.client.get("/v1/recommendations")
    one = await desk.client.get("/v1/recommendations", params={"strategy": "cross"})

    assert everything.json() == {"run_id": None, "beat": None, "items": []}
    assert assert_problem(one, 404) == "there is no strategy cross, there are: none"


@pytest.mark.parametrize("query", ["", "?strategy=cross"])
async def test_recommendations_redis_away_are_503_with_retry_after(desk: Desk, query: str) -> None:
    """Nobody else has them, and saying 404 would be a guess."""
    desk.recommendations.is_away = True

    response = await desk.client.get(f"/v1/recommendations{query}")

    assert_problem(response, 503)
    assert int(response.headers["retry-after"]) > 0


async def test_recommendations_are_in_the_openapi_document_with_examples(desk: Desk) -> None:
    """The document is enough to write a client."""
    document = (await desk.client.get("/openapi.json")).json()

    answers = document["paths"]["/v1/recommendations"]["get"]["responses"]
    fields = document["components"]["schemas"]["RecommendationView"]["properties"]
    assert "application/problem+json" in answers["503"]["content"]
    assert all("examples" in field for field in fields.values())
