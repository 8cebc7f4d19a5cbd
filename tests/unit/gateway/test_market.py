"""Quotes, bars, scores, instruments, rules and strategies on fakes of the servers."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from tests.unit.gateway.desk import SCRIPT, Desk, FakeQuotes, assert_problem

from tidegate_common.domain.enums import BeatKind, ListingStage
from tidegate_common.events.run import ConstructionSpec
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.frames.rows import QuoteRows
from tidegate_common.testing.scripted_run import RUN_ID, TRADE_DATE, quote_rows
from tidegate_gateway.pages import BARS, INSTRUMENTS, SCORES, PageQuery, cursor_after
from tidegate_gateway.quotes import QuoteBoard
from tidegate_gateway.schemas.market import InstrumentView, ScoreView

TS_NS = 1_675_215_003_000_000_000
MAOTAI, PINGAN, GREE = 1_600_519, 2_000_001, 2_000_651


def quotes_of(shard: int, beat: int, *instruments: int) -> Frame:
    """Return a shard's newest quotes."""
    count = len(instruments)
    one = quote_rows(TS_NS, beat)
    rows = replace(one.take(np.zeros(count, np.int64)), instrument=np.array(instruments))
    return Frame(BeatStamp(RUN_ID, beat, BeatKind.TICK, TRADE_DATE, TS_NS + beat), shard, rows)


def score_of(symbol: str) -> ScoreView:
    """Return a score."""
    return ScoreView(
        strategy="cross",
        symbol=symbol,
        beat=3,
        ts_event_ns=TS_NS,
        trade_date=TRADE_DATE,
        score="0.400000",
        is_raw=False,
    )


def reference(**changes: object) -> InstrumentView:
    """Return reference data of Kweichow Moutai."""
    view = InstrumentView(
        symbol="600519.SH",
        trade_date=TRADE_DATE,
        beat=0,
        board="main",
        sector=None,
        is_st=False,
        is_suspended=False,
        prev_close_cny="1800.00",
        limit_state="limited",
        limit_up_cny="1980.00",
        limit_down_cny="1620.00",
    )
    return view.model_copy(update=changes)


async def test_quotes_say_as_of_which_beat_all_shards_are(desk: Desk) -> None:
    """A shard that is a beat ahead proves nothing of the others."""
    desk.quotes.frames = [quotes_of(0, 7, PINGAN), quotes_of(1, 6, MAOTAI)]

    body = (await desk.client.get("/v1/quotes")).json()

    assert (body["run_id"], body["beat"], body["ts_event_ns"]) == ("run-1", 6, TS_NS + 6)
    assert body["time"] == "2023-02-01T09:30:03+08:00"
    assert [quote["symbol"] for quote in body["items"]] == ["600519.SH", "000001.SZ"]
    assert body["next"] is None


async def test_quote_shows_book_and_turnover(desk: Desk) -> None:
    """Levels that are not there are left out."""
    desk.quotes.frames = [quotes_of(0, 7, MAOTAI)]

    (quote,) = (await desk.client.get("/v1/quotes?symbol=600519.SH")).json()["items"]

    assert quote == {
        "symbol": "600519.SH",
        "ts_event_ns": TS_NS,
        "time": "2023-02-01T09:30:03+08:00",
        "phase": "continuous",
        "last_cny": "1800.00",
        "volume_shares": 700,
        "amount_cny": "1260000.00",
        "bids": [{"price_cny": "1799.99", "shares": 100}],
        "asks": [{"price_cny": "1800.00", "shares": 200}],
    }


async def test_quote_before_the_first_trade_has_no_last_price(desk: Desk) -> None:
    """0 stands for none in frames, and is no price."""
    frame = quotes_of(0, 7, MAOTAI)
    assert isinstance(frame.rows, QuoteRows)
    desk.quotes.frames = [replace(frame, rows=replace(frame.rows, last_e4=np.array([0])))]

    (quote,) = (await desk.client.get("/v1/quotes")).json()["items"]

    assert quote["last_cny"] is None


@pytest.mark.parametrize("symbols", ["", "symbol=000651.SZ&symbol=600519.SH&symbol=000001.SZ&"])
async def test_quotes_pages_are_all_quotes_in_order(desk: Desk, symbols: str) -> None:
    """Whether some are asked for or all."""
    desk.quotes.frames = [quotes_of(0, 7, MAOTAI, PINGAN, GREE)]

    first = (await desk.client.get(f"/v1/quotes?{symbols}limit=2")).json()
    rest = (await desk.client.get(f"/v1/quotes?{symbols}limit=2&after={first['next']}")).json()

    assert [quote["symbol"] for quote in first["items"]] == ["600519.SH", "000001.SZ"]
    assert first["next"] == "000001.SZ"
    assert [quote["symbol"] for quote in rest["items"]] == ["000651.SZ"]
    assert rest["next"] is None


async def test_quotes_of_unknown_instruments_are_left_out(desk: Desk) -> None:
    """Below, between and beyond those that are known."""
    desk.quotes.frames = [quotes_of(0, 7, MAOTAI, GREE)]
    asked = "&".join(f"symbol={each}" for each in ("600000.SH", "000001.SZ", "999999.BJ"))

    body = (await desk.client.get(f"/v1/quotes?{asked}")).json()

    assert body["items"] == []


async def test_quotes_before_any_are_none(desk: Desk) -> None:
    """A platform that has just started answers."""
    body = (await desk.client.get("/v1/quotes")).json()

    assert body == {
        "run_id": None,
        "beat": None,
        "ts_event_ns": None,
        "time": None,
        "items": [],
        "next": None,
    }


async def test_quotes_redis_away_are_503(desk: Desk) -> None:
    """What was fetched before is not shown as new."""
    desk.quotes.frames = [quotes_of(0, 7, MAOTAI)]
    await desk.client.get("/v1/quotes")
    desk.quotes.is_away = True

    response = await desk.client.get("/v1/quotes")

    assert_problem(response, 503)
    assert "retry-after" in response.headers


async def test_quote_board_fetches_once_for_all_who_ask_at_once() -> None:
    """Redis is asked at most every so often, however many clients there are."""
    quotes = FakeQuotes([quotes_of(0, 7, MAOTAI)])
    board = QuoteBoard(quotes, fresh_seconds=60)

    found = await asyncio.gather(*(board.newest() for _ in range(5)))

    assert quotes.gets == 1
    assert len({id(one) for one in found}) == 1


async def test_bars_are_asked_by_symbol_interval_and_time(desk: Desk) -> None:
    """Times are of the bars' ends."""
    after = cursor_after(BARS, PageQuery(), (MAOTAI, 300, 7))

    response = await desk.client.get(
        "/v1/bars",
        params={
            "symbol": "600519.SH",
            "interval": 300,
            "from": "2023-02-01T09:30:00+08:00",
            "to": "2023-02-01T01:30:03.000001Z",
            "after": after,
        },
    )

    assert response.status_code == 200
    assert desk.then.queries == [
        PageQuery(
            filters={"instrument": MAOTAI, "period_seconds": 300},
            from_ns=1_675_215_000_000_000_000,
            to_ns=TS_NS + 1_000,
            after=(MAOTAI, 300, 7),
        ),
    ]


async def test_scores_are_the_last_up_to_a_time_page_by_page(desk: Desk) -> None:
    """One more than a page tells whether there is another."""
    desk.then.run_spec = SCRIPT.spec()
    desk.then.scores = [score_of("600519.SH"), score_of("000001.SZ")]

    first = (await desk.client.get("/v1/scores?strategy=cross&limit=1")).json()
    await desk.client.get(
        "/v1/scores?strategy=cross&run=r&after=600519.SH&at=2023-02-01T01:30:03Z",
    )
    await desk.client.get("/v1/scores?strategy=cross&symbol=600519.SH&limit=2")
    await desk.client.get("/v1/scores?strategy=cross&symbol=600519.SH&after=600519.SH")

    assert (first["run_id"], first["next"]) == ("run-1", "600519.SH")
    assert [one["symbol"] for one in first["items"]] == ["600519.SH"]
    assert desk.then.asked == [
        ("run-1", "cross", (0, 2**63 - 1), 2**63 - 1, 2),
        ("r", "cross", (MAOTAI + 1, 2**63 - 1), TS_NS, 101),
        ("run-1", "cross", (MAOTAI, MAOTAI), 2**63 - 1, 3),
        ("run-1", "cross", (MAOTAI + 1, MAOTAI), 2**63 - 1, 101),
    ]


async def test_scores_of_an_unknown_strategy_are_404_with_those_there_are(desk: Desk) -> None:
    """A typing error is seen at once."""
    without_a_run = await desk.client.get("/v1/scores?strategy=luck")
    desk.then.run_spec = SCRIPT.spec()

    response = await desk.client.get("/v1/scores?strategy=luck")

    assert "there are: cross" in assert_problem(response, 404)
    assert_problem(without_a_run, 404)


async def test_score_changes_are_a_listing(desk: Desk) -> None:
    """How an opinion came about."""
    after = cursor_after(SCORES, PageQuery(), ("cross", MAOTAI, 3))

    response = await desk.client.get(
        f"/v1/scores/changes?strategy=cross&symbol=600519.SH&after={after}",
    )

    assert response.status_code == 200
    assert desk.then.queries == [
        PageQuery(
            filters={"strategy_name": "cross", "instrument": MAOTAI},
            after=("cross", MAOTAI, 3),
        ),
    ]


async def test_instruments_filters_become_a_query(desk: Desk) -> None:
    """False is a wish too."""
    after = cursor_after(INSTRUMENTS, PageQuery(), (MAOTAI,))

    response = await desk.client.get(
        "/v1/instruments",
        params={
            "symbol": "600519.S",
            "board": "chinext",
            "sector": "food",
            "st": "false",
            "suspended": "true",
            "date": "2023-02-03",
            "after": after,
        },
    )
    await desk.client.get("/v1/instruments")

    assert response.status_code == 200
    assert desk.then.queries == [
        PageQuery(
            filters={
                "symbol_prefix": "600519.S",
                "board": 2,
                "sector": "food",
                "is_st": False,
                "is_suspended": True,
            },
            after=(MAOTAI,),
        ),
        PageQuery(),
    ]
    assert desk.then.asked == [20230203, 99991231]


async def test_strategies_are_those_of_the_run_with_their_parameters(desk: Desk) -> None:
    """In the run's order; before any run there are none."""
    none = (await desk.client.get("/v1/strategies")).json()
    shares = ConstructionSpec(capital_bps={"cross": 3_000})
    desk.then.run_spec = replace(SCRIPT.spec(), construction=shares)

    body = (await desk.client.get("/v1/strategies?run=run-2")).json()

    assert none == {"run_id": None, "items": []}
    assert body["run_id"] == "run-2"
    assert [(one["name"], one["kind"]) for one in body["items"]] == [("cross", "ma_cross")]
    assert body["items"][0]["capital_bps"] == 3_000


async def test_rules_of_a_recorded_day_stand_on_what_was_recorded(desk: Desk) -> None:
    """Limits and cage need the previous close, and the run knew it."""
    desk.then.reference_of_day = reference()

    body = (await desk.client.get("/v1/rules/600519.SH?run=run-1")).json()

    assert desk.then.asked == [("run-1", MAOTAI, 99991231)]
    assert (body["date"], body["prev_close"]) == ("2023-02-01", "1800.00")
    assert (body["limit_up"], body["limit_down"]) == ("1980.00", "1620.00")
    assert (body["board"], body["risk_warning"]) == ("MAIN", "NO")
    assert body["settlement"]["resale_days"] == 1
    assert body["sources"]["limit"]["confidence"]
    assert body["fees"]["stamp_duty"]["rate"] == "0.001"
    assert body["assumptions"] == ["listed long ago, and not in a delisting period"]


async def test_rules_of_another_day_do_not_take_the_recorded_price(desk: Desk) -> None:
    """Yesterday's previous close is no one's today: the limit is unknown, never a guess."""
    desk.then.reference_of_day = reference()

    body = (await desk.client.get("/v1/rules/600519.SH?date=2023-02-02")).json()

    assert (body["prev_close"], body["limit_state"], body["limit_up"]) == (None, "UNKNOWN", None)
    assert "not under risk warning" in body["assumptions"]


async def test_rules_go_by_what_the_caller_says_first(desk: Desk) -> None:
    """A question about what would be."""
    desk.then.reference_of_day = reference(prev_close_cny=None)

    unknown = (await desk.client.get("/v1/rules/600519.SH")).json()
    body = (
        await desk.client.get("/v1/rules/600519.SH?date=2023-02-01&prev_close=10.00&st=true")
    ).json()

    assert unknown["limit_state"] == "UNKNOWN"
    assert (body["risk_warning"], body["stage"]) == ("YES", ListingStage.RISK_WARNING.name)
    assert (body["limit_up"], body["limit_down"]) == ("10.50", "9.50")


async def test_rules_of_a_share_recorded_as_st_are_those_of_one(desk: Desk) -> None:
    """Unless the caller says that it is none."""
    desk.then.reference_of_day = reference(is_st=True)

    recorded = (await desk.client.get("/v1/rules/600519.SH")).json()
    said = (await desk.client.get("/v1/rules/600519.SH?st=false")).json()

    assert (recorded["limit_up"], said["limit_up"]) == ("1890.00", "1980.00")
