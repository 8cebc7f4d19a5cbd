"""What one client is told, without any socket."""

import json
from typing import Any

import pytest

from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.headers import beat_message, frame_message
from tidegate_common.events.message import Message, Origin
from tidegate_common.events.topics import DECISIONS, FILLS, ORDERS, PORTFOLIOS
from tidegate_common.testing.builders import FEED, make_frame, make_quote_rows
from tidegate_common.testing.scripted_run import ScriptedRun
from tidegate_gateway.streams.log import LOG_TOPICS, LiveLog, Topology
from tidegate_gateway.streams.position import Position, format_cursor, parse_cursor
from tidegate_gateway.streams.quotes import QuoteBoard
from tidegate_gateway.streams.request import Subscribe, Wanted
from tidegate_gateway.streams.session import Session, SubscriptionError

SCRIPT = ScriptedRun(beat_count=12, accounts=("A1", "A2"))
NAMES = {topic.name for topic in LOG_TOPICS}


def messages(beats: range) -> list[Message]:
    """Return what the stream reads of some beats."""
    said = [message for beat in beats for message in SCRIPT.beat_messages(beat)]
    return [message for message in said if message.topic in NAMES]


def make_log(beats: range, entries_max: int = 1_000) -> LiveLog:
    """Return the log of some beats."""
    log = LiveLog(Topology(), entries_max=entries_max, characters_max=10**7)
    log.take(messages(beats), is_settled=True)
    return log


def make_session(log: LiveLog, lag_entries_max: int = 100, **accounts: frozenset[str]) -> Session:
    """Return a session without quotes."""
    return Session(log, QuoteBoard(), lag_entries_max=lag_entries_max, **accounts)


def subscribe(after: str | None = None, **channels: Wanted) -> Subscribe:
    """Return a subscription."""
    return Subscribe.model_validate({"op": "subscribe", "channels": channels, "after": after})


def told(session: Session) -> list[dict[str, Any]]:
    """Return what a client is told now."""
    return [json.loads(text) for text in session.news() if text is not None]


def fills_of(said: list[dict[str, Any]]) -> list[str]:
    """Return the ids of the fills."""
    return [one["data"]["fill_id"] for one in said if one["type"] == "event"]


def test_session_goes_on_where_another_gateway_was() -> None:
    """Whichever event was the last; its own ring may begin elsewhere."""
    first = make_session(make_log(range(12)))
    first.subscribe(subscribe("-,-,-", fills=Wanted(), decisions=Wanted(), orders=Wanted()))
    everything = [one for one in told(first) if one["type"] == "event"]
    begin = next(n for n, one in enumerate(everything) if one["data"]["beat"] == 3)
    log = make_log(range(3, 12))

    for last in range(begin, len(everything)):
        second = make_session(log)
        wanted = dict.fromkeys(("fills", "decisions", "orders"), Wanted())
        second.subscribe(subscribe(everything[last]["seq"], **wanted))

        rest = told(second)

        assert rest[0]["type"] == "subscribed"
        assert [one["data"] for one in rest[1:]] == [one["data"] for one in everything[last + 1 :]]


def test_session_gap_begins_with_the_first_event_that_is_gone() -> None:
    """Who has heard it is told all the rest; who has not is told of the gap."""
    seqs = [one.seq for one in make_log(range(12)).ring.read(0, 1_000)]
    log = make_log(range(12), entries_max=10)
    kinds = []
    for last in (len(seqs) - 12, len(seqs) - 11):
        session = make_session(log)
        session.subscribe(subscribe(seqs[last], fills=Wanted()))
        kinds.append([one["type"] for one in told(session)][:2])

    assert kinds == [["subscribed", "gap"], ["subscribed", "event"]]


def test_session_ahead_of_its_gateway_hears_nothing_twice() -> None:
    """Another gateway may have been quicker; the client's place never goes back."""
    ahead = make_session(make_log(range(12)))
    ahead.subscribe(subscribe("-,-,-", fills=Wanted()))
    everything = [one for one in told(ahead) if one["type"] == "event"]
    log = make_log(range(3))

    behind = make_session(log)
    behind.subscribe(subscribe(everything[5]["seq"], fills=Wanted()))
    before = told(behind)
    place = behind.seq
    log.take(messages(range(3, 12)), is_settled=False)

    assert [one["type"] for one in before] == ["subscribed"]
    assert place == everything[5]["seq"]
    assert fills_of(told(behind)) == fills_of(everything)[6:]


def test_session_ahead_in_one_lane_is_never_set_back_there() -> None:
    """Another gateway may have read one topic before the others."""
    early = LiveLog(Topology(), entries_max=1_000, characters_max=10**7)
    early.take([one for one in messages(range(12)) if one.topic == DECISIONS.name], is_settled=True)
    session = make_session(make_log(range(12)))
    channels = {name: Wanted() for name in ("fills", "decisions", "orders")}

    session.subscribe(subscribe(format_cursor(early.positions), **channels))

    rest = told(session)[1:]
    assert {one["channel"] for one in rest} == {"fills", "orders"}
    assert {parse_cursor(one["seq"], 3)[1] for one in rest} == {early.positions[1]}


def test_session_that_wants_little_goes_on_from_the_end() -> None:
    """What it did not want is not looked through again; in between others have their turn."""
    log = make_log(range(12))
    session = make_session(log)
    session.subscribe(subscribe("-,-,-", fills=Wanted(symbols=["600999.SH"])))

    said = list(session.news())

    assert [text is None for text in said] == [False, True]
    assert session.seq == format_cursor(log.positions)


def test_session_that_hears_nothing_is_not_told_of_holes() -> None:
    """They concern channels."""
    log = make_log(range(3))
    session = make_session(log)
    log.take(messages(range(4, 6)), is_settled=True)

    assert told(session) == []


def test_session_subscribed_again_is_told_the_newest_again() -> None:
    """It may be another choice of accounts."""
    session = make_session(make_log(range(3)))
    session.subscribe(subscribe(portfolios=Wanted(accounts=["A1"])))
    told(session)
    session.subscribe(subscribe(portfolios=Wanted()))

    said = told(session)

    assert [one["data"]["account_id"] for one in said[1:]] == ["A1", "A2"]


@pytest.mark.parametrize(
    ("channel", "wanted", "text"),
    [
        ("quotes", Wanted(), "quotes must name symbols"),
        ("quotes", Wanted(accounts=["A1"], symbols=["600001.SH"]), "and no accounts"),
        ("portfolios", Wanted(symbols=["600001.SH"]), "by accounts only"),
    ],
)
def test_session_choice_that_a_channel_does_not_have_is_refused(
    channel: str, wanted: Wanted, text: str
) -> None:
    """All quotes of a market are too many, and a portfolio has no symbol."""
    session = make_session(make_log(range(1)))

    with pytest.raises(SubscriptionError, match=text):
        session.subscribe(subscribe(None, **{channel: wanted}))


@pytest.mark.parametrize("after", ["run-9@1.0,1.0,1.0", "run-1@1.0,1.0,1.0", "-,-,-"])
def test_session_after_what_is_gone_is_told_of_a_gap(after: str) -> None:
    """Never silence: of a run that nobody knows, of beats that were let go."""
    session = make_session(make_log(range(12), entries_max=10))
    session.subscribe(subscribe(after, fills=Wanted()))

    assert [one["type"] for one in told(session)[:2]] == ["subscribed", "gap"]


def test_session_hole_in_the_log_is_told_to_everybody() -> None:
    """Somebody who waits for an order's fill must know that it may have been missed."""
    log = make_log(range(3))
    session = make_session(log)
    session.subscribe(subscribe(decisions=Wanted()))
    told(session)
    log.take(messages(range(4, 6)), is_settled=True)

    gaps = [one for one in told(session) if one["type"] == "gap"]

    assert [one["detail"] for one in gaps] == [
        "beats before 4 of run run-1 are missing in the log",
    ] * 3


def test_session_that_is_stopped_while_it_sends_has_not_sent() -> None:
    """Its place is that of the last message that went out."""
    session = make_session(make_log(range(3)))
    session.subscribe(subscribe("-,-,-", fills=Wanted(accounts=["A1"])))
    news = session.news()
    next(news)
    first = json.loads(next(news) or "")

    before = session.seq
    next(news)

    assert before == "-,-,-"
    assert session.seq == first["seq"]


def test_session_that_lags_is_overrun_but_not_by_what_it_came_for() -> None:
    """What was there when it came is told however much it is."""
    log = make_log(range(12))
    session = make_session(log, lag_entries_max=5)
    session.subscribe(subscribe("-,-,-", fills=Wanted()))
    at_first = session.is_overrun
    log.take(
        [
            one
            for beat in range(12, 15)
            for one in ScriptedRun(beat_count=20).beat_messages(beat)
            if one.topic in NAMES
        ],
        is_settled=False,
    )

    assert not at_first
    assert session.is_overrun


@pytest.mark.parametrize(("more", "is_overrun"), [(0, False), (1, True)])
def test_session_may_lag_so_far_and_no_further(more: int, *, is_overrun: bool) -> None:
    """The bound itself is allowed."""
    log = make_log(range(1))
    before = log.ring.end
    session = make_session(log)
    log.take(messages(range(1, 4)), is_settled=False)

    session._lag_entries_max = log.ring.end - before - more

    assert session.is_overrun is is_overrun


def test_session_whose_next_event_is_gone_is_overrun() -> None:
    """Also one that came for it: it may not miss it in silence."""
    log = make_log(range(6), entries_max=20)
    session = make_session(log)
    session.subscribe(subscribe("-,-,-", fills=Wanted()))
    at_first = session.is_overrun
    log.take(messages(range(6, 12)), is_settled=False)

    assert not at_first
    assert session.is_overrun


def test_topology_tail_is_so_many_beats_of_all_producers() -> None:
    """Each shard says fills to each risk partition; beats are spread over stripes."""
    topology = Topology(shard_count=2, risk_partition_count=3, stripe_count=4)

    tails = {name: topology.tail(TopicPartition(name, 0), 100) for name in NAMES}

    assert tails == {FILLS.name: 51, ORDERS.name: 76, DECISIONS.name: 101, PORTFOLIOS.name: 101}


def test_log_portfolios_alone_are_news() -> None:
    """Clients are woken for them; for what was said before they are not."""
    log = make_log(range(3))
    said = [one for one in messages(range(3, 12)) if one.topic == PORTFOLIOS.name]

    is_news = [log.take(said, is_settled=False) for _ in range(2)]

    assert is_news == [True, False]


def test_log_that_begins_after_the_first_beat_does_not_have_all() -> None:
    """One beat that it never saw is one too many, and so is a run."""
    nothing, elsewhere = (None, None, None), (Position("run-9", 1, 0), None, None)

    assert [make_log(range(first, 3)).has_all_since(nothing) for first in (0, 1)] == [True, False]
    assert not make_log(range(3)).has_all_since(elsewhere)


def test_session_bad_fills_and_strangers_tell_nothing() -> None:
    """They are dead letters elsewhere; here they stand for an empty beat."""
    log = make_log(range(1))
    session = make_session(log)
    session.subscribe(subscribe(fills=Wanted(), portfolios=Wanted()))
    told(session)
    bad = [
        beat_message(FILLS, 0, Origin(SCRIPT.spec().run_id, 1, name), b"{")
        for name in ("execution-0", "execution-7")
    ]
    nameless = [Message(topic.name, 0, b"{") for topic in LOG_TOPICS]

    log.take([*bad, *nameless], is_settled=False)

    assert told(session) == []
    assert log.positions[0] is not None
    assert log.positions[0].beat == 2


def test_session_tells_the_newest_quote_alone() -> None:
    """Of a slow client those between are left out."""
    board = QuoteBoard()
    session = Session(make_log(range(1)), board, lag_entries_max=100)
    wanted = Wanted(symbols=["600001.SH", "600999.SH"])
    session.subscribe(subscribe(quotes=wanted))
    frames = [make_frame(beat, rows=make_quote_rows()) for beat in (1, 3, 2)]
    said = [frame_message(frame, FEED) for frame in frames]

    is_news = board.take([*said, Message("market.ticks.v1", 0, b"bad")], is_settled=False)
    quotes = [one["data"] for one in told(session) if one["type"] == "event"]

    assert is_news
    assert [(one["symbol"], one["beat"], one["last_cny"]) for one in quotes] == [
        ("600001.SH", 3, "10.01"),
    ]
    assert quotes[0]["bids"][0] == {"price_cny": "10.00", "quantity_shares": 101}
    assert len(quotes[0]["asks"]) == 5
    assert told(session) == []


def test_session_takes_after_once() -> None:
    """Its place is one for all channels."""
    session = make_session(make_log(range(1)))
    session.subscribe(subscribe(fills=Wanted()))

    with pytest.raises(SubscriptionError, match="first subscription"):
        session.subscribe(subscribe("-,-,-", orders=Wanted()))


def test_session_of_some_accounts_hears_of_no_others() -> None:
    """Whoever names none hears of those that the key is for."""
    session = make_session(make_log(range(12)), accounts=frozenset({"A1"}))
    channels = {name: Wanted() for name in ("fills", "decisions", "orders", "portfolios")}

    session.subscribe(subscribe("-,-,-", **channels))

    events = [one for one in told(session) if one["type"] == "event"]
    assert {one["channel"] for one in events} == set(channels)
    assert {one["data"]["account_id"] for one in events} == {"A1"}


def test_session_of_some_accounts_may_not_name_others() -> None:
    """It is told so, and hears nothing; its own it may choose from."""
    session = make_session(make_log(range(12)), accounts=frozenset({"A1", "A3"}))

    with pytest.raises(SubscriptionError, match="not for these accounts: A2"):
        session.subscribe(subscribe(fills=Wanted(accounts=["A1", "A2"])))

    assert not session.has_channels
    session.subscribe(subscribe(fills=Wanted(accounts=["A1"])))
    assert session.has_channels
