"""Quote services over HTTP: a local server with their answers, and with what goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from tidegate_common.clock import ManualClock
from tidegate_common.testing.quote_lines import (
    QuoteLine,
    eastmoney_answer,
    eastmoney_row,
    sina_line,
    tencent_line,
    text_answer,
)
from tidegate_ingest.adapters import live_polling
from tidegate_ingest.adapters.live_polling import REST_SECONDS_MIN, LivePolling, PollingOptions
from tidegate_ingest.adapters.quote_services import quote_services
from tidegate_ingest.engine.quote_text import QuoteSource

PAYLOADS = Path(__file__).resolve().parents[3] / "shared" / "data" / "payload"
CODES = ("sh600000", "sz000001", "sz300750")
QUOTES = [QuoteLine(code=code) for code in CODES]
SINA, TENCENT, EASTMONEY = QuoteSource.SINA, QuoteSource.TENCENT, QuoteSource.EASTMONEY

Answer = Callable[[web.Request], web.StreamResponse]


class Server:
    """The three services on one port, told apart by their paths.

    answers : what to answer instead of good quotes, by service.
    seen : paths with queries that were asked for, in order.
    """

    def __init__(self) -> None:
        self.answers: dict[QuoteSource, bytes | int | float] = {}
        self.seen: list[str] = []
        self.connections: set[int] = set()
        self.referers: set[str] = set()
        self.url = ""

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Answer as the service of the path does."""
        self.seen.append(request.path_qs)
        self.connections.add(id(request.transport))
        self.referers.add(request.headers.get("Referer", ""))
        source = next(
            source
            for source, start in ((SINA, "/list="), (TENCENT, "/q="), (EASTMONEY, "/api/"))
            if request.path.startswith(start)
        )
        match self.answers.get(source, _good(source)):
            case bytes(body):
                return web.Response(body=body)
            case int(status):
                return web.Response(status=status, text="no")
            case float(seconds):
                await asyncio.sleep(seconds)
                return web.Response(body=_good(source))
            case unexpected:
                raise AssertionError(unexpected)


def _good(source: QuoteSource) -> bytes:
    if source is EASTMONEY:
        return eastmoney_answer(*map(eastmoney_row, QUOTES))
    return text_answer(*map(sina_line if source is SINA else tencent_line, QUOTES))


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    """Run a server inside the block."""
    server = Server()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.respond)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def make_polling(
    server: Server,
    *sources: QuoteSource,
    clock: ManualClock | None = None,
    codes: Sequence[str] = CODES,
    timeout_seconds: float = 5.0,
) -> LivePolling:
    """Return a polling of services at the server."""
    services = quote_services(dict.fromkeys(QuoteSource, server.url))
    return LivePolling(
        [services[source] for source in sources],
        codes,
        clock=clock or ManualClock(),
        options=PollingOptions(timeout_seconds=timeout_seconds),
    )


@pytest.mark.parametrize(
    ("source", "path"),
    [
        (SINA, "/list=sh600000,sz000001,sz300750"),
        (TENCENT, "/q=sh600000,sz000001,sz300750"),
        (EASTMONEY, "&secids=1.600000,0.000001,0.300750"),
    ],
)
async def test_live_polling_of_each_service_gives_its_rows(source: QuoteSource, path: str) -> None:
    """Each service has its own way of asking for the same shares."""
    async with serving() as server, make_polling(server, source) as polling:
        answers = await polling.poll()

    assert [answer.raw.code.words for answer in answers] == [("SH600000", "SZ000001", "SZ300750")]
    assert server.seen[0].endswith(path)
    assert ("sina" in "".join(server.referers)) == (source is SINA)


@pytest.mark.parametrize(
    "failure",
    [
        500,
        403,
        302,
        b"",
        b"<html>\n<body>busy</body>\n</html>",
        text_answer(*map(sina_line, QUOTES)).decode("gbk").encode("utf-16"),
        text_answer(*map(sina_line, QUOTES))[:30],
        text_answer(*map(tencent_line, QUOTES)),
        0.5,
    ],
    ids=["error", "forbidden", "moved", "empty", "page", "utf16", "cut", "strange", "late"],
)
async def test_live_polling_of_a_failing_service_asks_the_next(failure: bytes | float) -> None:
    """The same poll has its quotes, from the service that is left."""
    clock = ManualClock()
    async with serving() as server:
        server.answers[SINA] = failure
        async with make_polling(server, SINA, TENCENT, clock=clock, timeout_seconds=0.2) as polling:
            answers = await polling.poll()
            again = await polling.poll()

    assert [answer.source for answer in (*answers, *again)] == [TENCENT, TENCENT]
    # It rests: the second poll does not ask it.
    assert [path[:3] for path in server.seen] == ["/li", "/q=", "/q="]
    assert polling.counts == {"polls": 2, "sina failed": 1, "tencent answered": 2, "failovers": 2}


async def test_live_polling_after_a_rest_returns_to_the_first_service() -> None:
    """Each failure doubles the rest; an answer ends it."""
    clock = ManualClock()
    async with serving() as server, make_polling(server, SINA, TENCENT, clock=clock) as polling:
        server.answers[SINA] = 500
        sources: list[QuoteSource | None] = []
        for wait in (0.0, REST_SECONDS_MIN, REST_SECONDS_MIN, REST_SECONDS_MIN):
            clock.advance(wait)
            if wait and len(sources) == 3:
                server.answers.clear()
            sources += [answer.source for answer in await polling.poll()]

    assert sources == [TENCENT, TENCENT, TENCENT, SINA]
    assert polling.counts["sina failed"] == 2


async def test_live_polling_without_any_answer_has_none() -> None:
    """All rest: nothing is made up, and the next poll comes all the same."""
    async with serving() as server, make_polling(server, SINA, TENCENT) as polling:
        server.answers = {SINA: 500, TENCENT: 500}

        answers = await polling.poll()
        rested = await polling.poll()

    assert (answers, rested, len(server.seen)) == ([], [], 2)


async def test_live_polling_without_a_server_fails_over() -> None:
    """A refused connection is a failure like any other."""
    async with serving() as server:
        polling = make_polling(server, SINA, TENCENT)
        polling._turns[0].service = replace(polling._turns[0].service, url="http://127.0.0.1:1")
        async with polling:
            answers = await polling.poll()

    assert [answer.source for answer in answers] == [TENCENT]


async def test_live_polling_of_an_endless_answer_stops_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An answer is held in memory: it has a bound."""
    monkeypatch.setattr(live_polling, "ANSWER_BYTES_MAX", 1_000)
    async with serving() as server, make_polling(server, SINA) as polling:
        server.answers[SINA] = _good(SINA) * 10

        assert await polling.poll() == []


async def test_live_polling_of_many_shares_asks_in_batches_on_few_connections() -> None:
    """Requests are spaced out, and connections are kept open from poll to poll."""
    clock = ManualClock()
    codes = [f"sh{number}" for number in range(600_000, 601_000)]
    async with serving() as server, make_polling(server, SINA, clock=clock, codes=codes) as polling:
        for _ in range(4):
            await polling.poll()

    asked = [path.removeprefix("/list=").split(",") for path in server.seen]
    assert [len(batch) for batch in asked[:3]] == [400, 400, 200]
    assert sorted(code for batch in asked[:3] for code in batch) == codes
    assert len(server.seen) == 12
    assert len(server.connections) <= 4
    assert clock.monotonic_seconds() >= 11 / 8


async def test_live_polling_waits_for_its_cadence_and_asks_when_quotes_are_wanted() -> None:
    """Polls are on the grid of the clock; at night nobody is asked."""
    clock = ManualClock(now_ns=1_000_000_000)
    async with serving() as server, make_polling(server, SINA, clock=clock) as polling:
        asleep = await polling.next_quotes(lambda _now_ns: False)
        awake = await polling.next_quotes(lambda now_ns: now_ns == 6_000_000_000)

    assert asleep == ([], 3_000_000_000)
    assert [len(answer) for answer in awake[0]] == [3]
    assert awake[1] == 6_000_000_000


@pytest.mark.data
@pytest.mark.parametrize(
    ("source", "name", "rows"),
    [
        (SINA, "sina_2022-11-22_sz002_gbk.dat", 624),
        (TENCENT, "tencent_2022-11-22_sz002_gbk.dat", 662),
        (EASTMONEY, "eastmoney_ulist_2026-09-14_5codes.json", 4),
    ],
)
async def test_live_polling_of_recorded_bytes_gives_every_line(
    source: QuoteSource,
    name: str,
    rows: int,
) -> None:
    """What the services once sent comes through the wire as it was."""
    async with serving() as server, make_polling(server, source) as polling:
        server.answers[source] = (PAYLOADS / name).read_bytes()

        answers = await polling.poll()

    assert [len(answer) for answer in answers] == [rows]
    assert answers[0].lines_in == rows + sum(answers[0].rejected.values())
