"""A user's own feed over a WebSocket, from the reference client to the log."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace

import aiohttp
import numpy as np
import pytest

from tidegate_cli.feed_push import PushRefusedError, PushSummary, push_frames
from tidegate_common.bus.base import NewTopic
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import FeedSpec, RunSpec, SyntheticSpec
from tidegate_common.events.topics import TICKS
from tidegate_common.frames.codec import decode_frame
from tidegate_common.frames.frame import Frame
from tidegate_common.market.calendar import TradingCalendar
from tidegate_common.market.sessions import shanghai_ns
from tidegate_ingest.adapters.feed import open_feed
from tidegate_ingest.adapters.live_push import LivePush, PushProgress
from tidegate_ingest.engine.live_sequencer import LiveRun, LiveSequencer
from tidegate_ingest.live_shell import LivePublisher

TOKEN = "open sesame"
SYNTHETIC = SyntheticSpec(instrument_count=5, day_count=1, beats_per_day=20)


def recorded() -> list[Frame]:
    """Return the frames of a small market."""
    feed = FeedSpec(synthetic=SYNTHETIC)
    return list(open_feed(RunSpec(RunId("recorded"), (), (), feed=feed)).frames())


@dataclass(slots=True)
class Ingest:
    """A live run that is fed by whoever knows the token."""

    push: LivePush
    bus: MemoryBus
    publishing: asyncio.Task[None]

    def frames(self) -> list[Frame]:
        """Return what is in the log."""
        return [decode_frame(message.value) for message in self.bus.log(TICKS.name)]


@asynccontextmanager
async def ingesting(bus: MemoryBus | None = None) -> AsyncIterator[Ingest]:
    """Run the ingest of the recorded market's shares inside the block."""
    if bus is None:
        bus = MemoryBus()
        await bus.create_topics([NewTopic(TICKS.name, 1)])
    opening = recorded()[0]
    days = np.array([opening.stamp.trade_date])
    calendar = TradingCalendar(days, first_date=int(days[0]), last_date=int(days[0]))
    run = LiveRun(RunId("live"), "{}", opening.rows.instrument, 1)
    sequencer = LiveSequencer(run, calendar)
    publisher = LivePublisher(bus=bus, sequencer=sequencer, run_id="live", shard_count=1)
    push = LivePush(
        host="127.0.0.1",
        port=0,
        token=TOKEN,
        run_id="live",
        progress=lambda: PushProgress(
            sequencer.next_beat, sequencer.ts_event_ns, sequencer.is_ended
        ),
    )
    await publisher.recover()

    listening = asyncio.Event()

    async def work() -> None:
        async with push:
            listening.set()
            await publisher.publish(push)

    async with asyncio.TaskGroup() as tasks:
        publishing = tasks.create_task(work())
        await listening.wait()
        yield Ingest(push, bus, publishing)
        publishing.cancel()


async def push_all(ingest: Ingest, frames: Iterable[Frame]) -> PushSummary:
    """Push frames as the command does."""
    return await push_frames(frames, url=ingest.push.url, token=TOKEN)


async def test_live_push_of_a_recorded_day_is_that_day() -> None:
    """What comes out of the log is what the client had: reference, quotes and bars."""
    day = recorded()
    async with ingesting() as ingest:
        summary = await push_all(ingest, day)
        await ingest.publishing
    found = ingest.frames()

    kinds = [frame.stamp.kind for frame in found]
    assert kinds == [BeatKind.OPEN, *[BeatKind.TICK] * (len(kinds) - 2), BeatKind.CLOSE]
    assert [frame.stamp.beat for frame in found] == list(range(len(found)))
    assert summary == PushSummary("live", len(day) + 1, len(found))
    for name in ("instrument", "prev_close_e4", "is_st", "is_suspended", "limit_up_e4"):
        expected = getattr(day[0].rows, name)
        assert getattr(found[0].rows, name).tolist() == expected.tolist(), name
    for said, told in zip(day[1:-1], found[2:-2], strict=True):
        for field in fields(said.rows):
            expected = getattr(said.rows, field.name)
            assert getattr(told.rows, field.name).tolist() == expected.tolist(), field.name
    for field in fields(day[-1].rows):
        expected = getattr(day[-1].rows, field.name)
        assert getattr(found[-1].rows, field.name).tolist() == expected.tolist(), field.name


async def test_live_push_of_more_than_the_run_takes_ends_with_the_run() -> None:
    """A recording goes on after the close, and may have days that the run has not."""
    day = recorded()
    late = [replace(frame, stamp=replace(frame.stamp, ts_event_ns=2**60 * 3)) for frame in day[1:]]
    async with ingesting() as ingest:
        summary = await push_all(ingest, day[:-1] + late * 3)
        await ingest.publishing

    assert ingest.frames()[-1].stamp.is_last
    assert summary.next_beat == len(ingest.frames())


async def test_live_push_after_a_break_goes_on_where_the_log_ends() -> None:
    """The client is told which market time the log has; a new ingest knows it, too."""
    day = recorded()
    async with ingesting() as ingest:
        first = await push_all(ingest, day[:10])
        again = await push_all(ingest, day[:12])
    async with ingesting(ingest.bus) as restarted:
        rest = await push_all(restarted, day)
        await restarted.publishing

    assert (first.messages, again.messages) == (10, 2)
    assert rest.messages == len(day) + 1 - 12
    found = restarted.frames()
    assert [frame.stamp.beat for frame in found] == list(range(len(found)))
    assert found[-1].stamp.is_last


async def test_live_push_without_the_token_is_refused() -> None:
    """Quotes move money: not everybody may say them."""
    async with ingesting() as ingest:
        with pytest.raises(ConfigError, match="status 401"):
            await push_frames(recorded(), url=ingest.push.url, token="guess")
        assert ingest.frames() == []


async def test_live_push_of_a_second_client_is_refused() -> None:
    """Two clients would each tell a market of their own."""
    async with ingesting() as ingest, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with session.ws_connect(ingest.push.url, headers=headers) as socket:
            hello = await socket.receive_json()
            with pytest.raises(ConfigError, match="status 409"):
                await push_all(ingest, recorded())

    assert hello == {
        "type": "hello",
        "version": 1,
        "run": "live",
        "next_beat": 0,
        "resume_after_ns": 0,
    }


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"junk", "expected quotes as an Arrow IPC stream"),
        ('{"type":"quotes"}', "missing required field"),
        ('{"type":"heartbeat","ts_event_ns":-1}', "must be > 0"),
    ],
)
async def test_live_push_of_a_bad_message_ends_the_connection_and_not_the_run(
    said: bytes | str, reason: str
) -> None:
    """The client hears why, and may come again with something better."""
    async with ingesting() as ingest:
        async with aiohttp.ClientSession() as session:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with session.ws_connect(ingest.push.url, headers=headers) as socket:
                await socket.receive_json()
                if isinstance(said, bytes):
                    await socket.send_bytes(said)
                else:
                    await socket.send_str(said)
                answer = await socket.receive_json()
                end = await socket.receive()
        summary = await push_all(ingest, recorded())

    assert (answer["type"], end.type) == ("error", aiohttp.WSMsgType.CLOSE)
    assert reason in answer["reason"]
    assert summary.next_beat > 0


async def test_live_push_of_json_rows_makes_beats() -> None:
    """A client in any language needs no Arrow."""
    opening = recorded()[0].stamp
    now_ns = shanghai_ns(opening.trade_date, 36_000)
    prices = dict.fromkeys(("prev_close_e4", "open_e4", "high_e4", "low_e4", "last_e4"), 100_000)
    names = ("bid_price_e4", "bid_shares", "ask_price_e4", "ask_shares")
    books: dict[str, list[int]] = {name: [] for name in names}
    row = {"symbol": "600101.SH", "ts_event_ns": now_ns, **prices, **books}
    row |= {"volume_shares": 100, "amount_fen": 100_000}
    quotes = {"type": "quotes", "ts_event_ns": now_ns, "rows": [row]}
    later = {"type": "heartbeat", "ts_event_ns": now_ns + 31 * 10**9}
    async with ingesting() as ingest, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with session.ws_connect(ingest.push.url, headers=headers) as socket:
            await socket.receive_json()
            for message in (quotes, later):
                await socket.send_str(json.dumps(message))
                answer = await socket.receive_json()
        found = ingest.frames()

    assert answer == {"type": "ack", "next_beat": 2}
    assert [frame.rows.instrument.tolist() for frame in found] == [[1_600_101]] * 2


async def test_live_push_that_goes_back_in_time_is_refused() -> None:
    """Market time only ever goes on."""
    day = recorded()
    async with ingesting() as ingest, aiohttp.ClientSession() as session:
        await push_all(ingest, day[:3])
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with session.ws_connect(ingest.push.url, headers=headers) as socket:
            hello = await socket.receive_json()
            earlier = {"type": "heartbeat", "ts_event_ns": hello["resume_after_ns"] - 1}
            await socket.send_str(json.dumps(earlier))
            answer = await socket.receive_json()

    assert "must not go back" in answer["reason"]


async def test_push_frames_to_a_server_that_refuses_says_its_reason() -> None:
    """The command ends with one line."""
    day = recorded()
    async with ingesting() as ingest:
        ingest.push._ts_event_ns = 2**62
        with pytest.raises(PushRefusedError, match="must not go back"):
            await push_all(ingest, day)


async def test_push_frames_to_nobody_says_so() -> None:
    """The address was wrong, or the stack is down."""
    with pytest.raises(ConfigError, match="cannot be reached"):
        await push_frames(recorded(), url="ws://127.0.0.1:1/v1/push", token=TOKEN)
