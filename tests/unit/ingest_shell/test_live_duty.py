"""A live run's sequencer: begins where the log ends, and again when another one was there first."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from tidegate_cli.feed_push import push_frames
from tidegate_common.bus.base import NewTopic
from tidegate_common.bus.headers import frame_message, stamp_of
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.clock import ManualClock
from tidegate_common.codec import decode_event
from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId, format_symbol
from tidegate_common.events.ingest import RejectBatch
from tidegate_common.events.run import FeedSpec, LiveSpec, RunSpec, SyntheticSpec
from tidegate_common.events.topics import REJECTS, TICKS
from tidegate_common.frames.frame import BeatStamp, Frame, empty_rows
from tidegate_common.frames.rows import QuoteRows
from tidegate_common.market.calendar import TradingCalendar
from tidegate_ingest.adapters.feed import open_feed
from tidegate_ingest.adapters.live_push import LivePush
from tidegate_ingest.engine.lease import Candidate
from tidegate_ingest.live_service import LiveDuty, LiveRole
from tidegate_ingest.metrics import FeedMeter, IngestMetrics
from tidegate_ingest.settings import IngestSettings, LiveSettings
from tidegate_ingest.shell import PRODUCER

SHARDS = 2
TOKEN = "open sesame"


def make_day() -> list[Frame]:
    """Return a small market as a client has it."""
    feed = FeedSpec(synthetic=SyntheticSpec(instrument_count=6, beats_per_day=20))
    return list(open_feed(RunSpec(RunId("recorded"), (), (), feed=feed)).frames())


DAY = make_day()


async def until(is_so: Callable[[], bool]) -> None:
    """Let others work until something is so."""
    while not is_so():  # noqa: ASYNC110  # the duty tells nobody when it begins again
        await asyncio.sleep(0)


class Stage:
    """A bus and the duty of a sequencer on it."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.registry = CollectorRegistry()
        symbols = tuple(map(format_symbol, DAY[0].rows.instrument.tolist()))
        feed = FeedSpec(live=LiveSpec(("push",), symbols), day_count_max=1)
        spec = RunSpec(RunId("live"), (), (), feed=feed)
        date = DAY[0].stamp.trade_date
        assert spec.feed.live is not None
        self.duty = LiveDuty(
            LiveRole(
                spec,
                spec.feed.live,
                IngestSettings(
                    run_spec_file=Path("run.json"),
                    shard_count=SHARDS,
                    live=LiveSettings(push_token=SecretStr(TOKEN)),
                ),
                TradingCalendar(np.array([date]), first_date=date, last_date=date),
                ManualClock(),
            ),
            bus=self.bus,
            candidate=Candidate(spec.run_id, instance="me", started_ns=1),
            permit=self._permit,
            metrics=IngestMetrics(self.registry),
        )

    async def _permit(self) -> None:
        """Let every beat be sent."""

    @property
    def feed(self) -> LivePush:
        """What listens now."""
        feed = self.duty.parts.feed
        assert isinstance(feed, LivePush)
        return feed

    async def push(self, frames: Sequence[Frame]) -> None:
        """Push frames as a client does, once somebody listens."""
        await until(lambda: bool(self.feed.url))
        await push_frames(frames, url=self.feed.url, token=TOKEN)

    def stamps(self, shard: int) -> list[BeatStamp]:
        """Return the beats of a shard as its readers take them: the first message of each."""
        found: dict[int, BeatStamp] = {}
        for message in self.bus.log(TICKS.name, shard):
            found.setdefault(stamp_of(message).beat, stamp_of(message))
        return list(found.values())

    def figure(self, name: str, **labels: str) -> float | None:
        """Return a metric."""
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
async def stage() -> Stage:
    """Return a stage with its topics."""
    stage = Stage()
    await stage.bus.create_topics([NewTopic(TICKS.name, SHARDS), NewTopic(REJECTS.name, 1)])
    return stage


@asynccontextmanager
async def feeding(stage: Stage) -> AsyncIterator[None]:
    """Have the duty at work inside the block, and wait for its end."""
    # What was made to look at the settings is not what feeds.
    first = stage.duty.parts
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(stage.duty.feed())
        await until(lambda: stage.duty.parts is not first)
        yield


async def test_live_duty_overtaken_by_another_sequencer_begins_again_from_the_log(
    stage: Stage,
) -> None:
    """All shards agree what each beat is, whoever was first, and no number is left out."""
    async with feeding(stage):
        await stage.push(DAY[:10])
        overtaken = stage.duty.parts
        last = stage.stamps(0)[-1]
        theirs = replace(last, beat=last.beat + 1, ts_event_ns=last.ts_event_ns + 7)
        zombie = Frame(theirs, 0, empty_rows(BeatKind.TICK))
        await stage.bus.publish([frame_message(zombie, PRODUCER)])
        await until(lambda: stage.duty.parts is not overtaken)
        await stage.push(DAY)

    stamps = stage.stamps(0)
    assert stamps == stage.stamps(1)
    assert [stamp.beat for stamp in stamps] == list(range(len(stamps)))
    assert theirs in stamps
    assert (stamps[-1].kind, stamps[-1].is_last) == (BeatKind.CLOSE, True)


def broken(frame: Frame) -> Frame:
    """Return a frame of quotes of which the third has a price that is no whole fen."""
    rows = frame.rows
    assert isinstance(rows, QuoteRows)
    last_e4 = rows.last_e4.copy()
    last_e4[2] += 50
    return replace(frame, rows=replace(rows, last_e4=last_e4))


async def test_live_duty_keeps_and_counts_what_it_refused(stage: Stage) -> None:
    """One topic for every feed; metrics say how many, and by what rule."""
    ticks = [frame for frame in DAY if isinstance(frame.rows, QuoteRows) and len(frame.rows) > 2]
    number = DAY.index(ticks[5])
    async with feeding(stage):
        await stage.push([*DAY[:number], broken(DAY[number]), *DAY[number + 1 :]])

    batches = [decode_event(RejectBatch, message.value) for message in stage.bus.log(REJECTS.name)]
    rows = [row for batch in batches for row in batch.rows if row.reason == "off_tick"]
    assert [(row.source, row.row) for row in rows] == [("push", 3)]
    symbol = format_symbol(int(DAY[number].rows.instrument[2]))
    assert f'"symbol":"{symbol}"' in rows[0].record
    assert stage.figure("tidegate_ingest_rejected_rows_total", rule="off_tick") == 1
    assert stage.figure("tidegate_ingest_push_clients") is not None
    assert stage.duty.quote_age_seconds(2 * 10**18) > 0


async def test_live_duty_before_its_first_lease_stands_by(stage: Stage) -> None:
    """It takes no quotes, and nothing is known of any."""
    await stage.duty.keep_up(5)

    status = stage.duty.status()
    assert (status["role"], status["push_url"], status["next_beat"]) == ("standby", "", 0)
    assert stage.duty.quote_age_seconds(10**18) == 0
    assert stage.bus.log(TICKS.name) == []


def test_feed_meter_after_a_takeover_counts_on() -> None:
    """A feed that is made anew counts from zero; metrics never go back."""
    registry = CollectorRegistry()
    meter = FeedMeter(IngestMetrics(registry))
    requests = {"polls": 3, "sina failed": 1, "tencent answered": 2, "failovers": 2}

    for _ in (1, 2):
        meter.begin()
        meter.take_requests(requests)
        meter.take_requests(requests)
        meter.take_rows({"rows_in": 9, "accepted": 7, "stale": 2})
        meter.take_beats(conflated=4, lost_rejects=1)

    figures = {
        name: registry.get_sample_value(f"tidegate_ingest_{name}_total")
        for name in ("polls", "failovers", "conflated_beats", "lost_rejects")
    }
    assert figures == {"polls": 6, "failovers": 4, "conflated_beats": 8, "lost_rejects": 2}
    name = "tidegate_ingest_quote_requests_total"
    assert registry.get_sample_value(name, {"outcome": "sina_failed"}) == 2
    assert registry.get_sample_value(name, {"outcome": "tencent_answered"}) == 4
    name = "tidegate_ingest_rejected_rows_total"
    assert registry.get_sample_value(name, {"rule": "stale"}) == 4
    assert registry.get_sample_value(name, {"rule": "accepted"}) is None
